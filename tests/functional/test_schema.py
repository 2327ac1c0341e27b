"""The schema of the verdict: runs of every kind fit it, and what it forbids is found."""
import copy
import json
import os
import signal
import subprocess
import unittest

import harness
import schema

EAT = "x = []\nwhile True: x.append(bytearray(1 << 20))"
# What a run uses comes from whoever could count it; these anybody can.
ALWAYS_KNOWN = ("wall_ms", "cpu_ms", "user_ms", "system_ms", "memory_peak_bytes", "page_faults", "read_bytes",
                "written_bytes", "output_bytes")


class Runs(harness.Case):
    """run_capsule() itself compares every verdict with the schema; here each outcome has its run."""

    def verdict(self, *args, outcome, status, **kw):
        result = self.check(self.run_capsule("-q", *args, verdict=True, **kw), status)
        verdict = result.verdict
        self.assertEqual(verdict["outcome"], outcome)
        self.assertTrue(verdict["explanation"].startswith("The task "), verdict["explanation"])
        self.assertTrue(verdict["explanation"].endswith("."), verdict["explanation"])
        return verdict

    def hit(self, verdict, name):
        """The entry of one limit."""
        found = [hit for hit in verdict["limits_hit"] if hit["limit"] == name]
        self.assertEqual(len(found), 1, verdict["limits_hit"])
        return found[0]

    def test_success(self):
        verdict = self.verdict("-c", "print('x' * 99)", outcome="exited", status=0)
        self.assertIn("exit status 0", verdict["explanation"])
        self.assertEqual(verdict["usage"]["output_bytes"], 100)
        for name in ALWAYS_KNOWN:
            self.assertIsNotNone(verdict["usage"][name], name)
        self.assertGreater(verdict["usage"]["page_faults"], 0)
        self.assertGreater(verdict["usage"]["memory_peak_bytes"], 1 << 20)

    def test_exception(self):
        verdict = self.verdict("-c", "raise ValueError('bad')", outcome="exited", status=1)
        self.assertEqual(verdict["reported_by_task"]["exception"]["type"], "ValueError")
        self.assertIn("exit status 1", verdict["explanation"])

    def test_signal(self):
        verdict = self.verdict("-c", "import os; os.kill(os.getpid(), 11)", outcome="signaled", status=139)
        self.assertIn("SIGSEGV", verdict["explanation"])

    def test_real_time_signal(self):
        verdict = self.verdict("-c", "import os; os.kill(os.getpid(), 40)", outcome="signaled", status=168)
        self.assertIn("signal 40", verdict["explanation"])

    def test_timeout(self):
        verdict = self.verdict("-t", "500ms", "-c", "import time; time.sleep(99)", outcome="timeout", status=124)
        hit = self.hit(verdict, "timeout")
        self.assertEqual((hit["value"], hit["unit"]), (500, "ms"))
        self.assertGreaterEqual(hit["peak"], 500)
        self.assertIn("--timeout 500ms", verdict["explanation"])

    def test_cpu_time(self):
        verdict = self.verdict("--cpu-time", "300ms", "-c", "while True: pass", outcome="cpu-time", status=124)
        hit = self.hit(verdict, "cpu-time")
        self.assertEqual((hit["value"], hit["unit"]), (300, "ms"))
        self.assertGreaterEqual(hit["peak"], 300)
        self.assertEqual(hit["peak"], verdict["usage"]["cpu_ms"])

    def test_out_of_memory(self):
        verdict = self.verdict("--ram", "64M", "-c", EAT, outcome="oom", status=137)
        hit = self.hit(verdict, "ram")
        self.assertEqual((hit["value"], hit["unit"]), (64 << 20, "bytes"))
        self.assertGreater(hit["peak"], 60 << 20)
        self.assertIn("--ram 64M", verdict["explanation"])
        # Nobody waits for processes that are killed with their init: unknown, where no cgroup counts, and not 0.
        self.assertNotEqual(verdict["usage"]["cpu_ms"], 0)
        self.assertNotEqual(verdict["usage"]["page_faults"], 0)

    def test_disk(self):
        verdict = self.verdict("--disk", "1M", "-c", "i = 0\nwhile True:\n    "
                               "open('/tmp/agent_sandbox/%d' % i, 'wb').write(bytes(65536))\n    i += 1", outcome="disk", status=123)
        hit = self.hit(verdict, "disk")
        self.assertEqual((hit["value"], hit["unit"]), (1 << 20, "bytes"))
        self.assertGreater(hit["peak"], 1 << 20)

    def test_inodes(self):
        verdict = self.verdict("--inodes", "100", "-c", "i = 0\nwhile True:\n    open('/tmp/agent_sandbox/%d' % i, 'w').close()"
                               "\n    i += 1", outcome="disk", status=123)
        hit = self.hit(verdict, "inodes")
        self.assertEqual((hit["value"], hit["unit"]), (100, "count"))
        self.assertGreater(hit["peak"], 100)
        self.assertIn("--inodes 100", verdict["explanation"])

    def test_output(self):
        verdict = self.verdict("--output", "1K", "-c", "print('x' * 4999)", outcome="exited", status=123)
        self.assertEqual(self.hit(verdict, "output"), {"limit": "output", "value": 1024, "peak": 5000, "unit": "bytes"})
        self.assertIn("cut at --output 1K", verdict["explanation"])
        self.assertEqual(verdict["usage"]["output_bytes"], 5000)

    @harness.for_cgroup(True)
    def test_processes(self):
        verdict = self.verdict("--pids", "8", "-c", "import os, time\ntry:\n    while os.fork(): pass\nexcept OSError: os._exit(0)"
                               "\ntime.sleep(9)", outcome="exited", status=0)
        hit = self.hit(verdict, "pids")
        self.assertEqual((hit["value"], hit["unit"]), (8, "count"))
        self.assertIn(hit["peak"], (8, None))

    def test_failed_start(self):
        verdict = self.verdict("none.py", outcome="failed", status=127)
        self.assertIn("could not be started: script: ", verdict["explanation"])
        self.assertEqual(verdict["usage"]["cpu_ms"], None)
        self.assertEqual(verdict["usage"]["output_bytes"], 0)

    def test_failed_exec(self):
        self.verdict("--exec", "--", b"/no/such\xff", outcome="failed", status=127)

    def test_joined_streams(self):
        verdict = self.verdict("-c", "print(1)", outcome="exited", status=0, stderr=subprocess.STDOUT)
        self.assertEqual((verdict["stderr"], verdict["usage"]["output_bytes"]), ("stdout", 2))

    def test_open_limits(self):
        verdict = self.verdict("-t", "unlimited", "--disk", "unlimited", "--fresh", "-c", "pass", outcome="exited", status=0,
                               sandbox=False)
        self.assertEqual(verdict["limits"]["timeout"], {"value": "unlimited", "rung": "none", "origin": "command line"})

    def test_supervisor_told_to_stop_before_the_start(self):
        process = self.start("-q", "-", verdict=True, stdin=subprocess.PIPE)
        process.send_signal(signal.SIGTERM)
        process.stdin.close()
        process.wait(harness.PATIENCE)
        if os.path.exists(self.path("verdict.json")) and self.read("verdict.json"):
            self.assertEqual(schema.verdict_errors(json.loads(self.read("verdict.json"))), [])

    @harness.for_cgroup(True)
    def test_who_counted(self):
        usage = self.verdict("-c", "x = bytearray(50 << 20)", outcome="exited", status=0)["usage"]
        self.assertEqual(usage["sources"]["memory"], "cgroup")
        self.assertEqual(usage["sources"]["page_faults"], "cgroup")
        self.assertGreater(usage["memory_peak_bytes"], 50 << 20)


class Planted(harness.Case):
    """The validator finds what is wrong, in a verdict that is right otherwise."""

    def test_wrong_verdicts(self):
        result = self.run_capsule("-q", "--output", "1K", "-c", "print('x' * 4999); 1/0", verdict=True)
        good = result.verdict
        self.assertEqual(schema.verdict_errors(good), [])
        for path, value in (
                (("new_field",), 1), (("usage", "new_field"), 1), (("stdout", "new_field"), 1), (("limits", "new"), {}),
                (("limits", "ram", "new_field"), 1), (("ids", "x"), 0), (("reported_by_task", "x"), None),
                (("limits_hit", 0, "x"), 0), (("usage", "sources", "x"), None), (("limits_hit", 0), "output"),
                (("limits_hit", 0, "limit"), "nofile"), (("limits_hit", 0, "unit"), "MB"),
                (("limits_hit", 0, "peak"), "5000"), (("capsule_run_verdict",), 2), (("capsule_run_verdict",), True),
                (("outcome",), "ok"), (("outcome",), "failed"), (("outcome",), "signaled"), (("explanation",), ""),
                (("status",), -1), (("status",), 256), (("status",), 1.5), (("started",), 1), (("started",), False),
                (("exit_code",), None), (("signal",), 9), (("layers", 0), "wall"), (("layers", 0), good["layers"][1]),
                (("usage", "wall_ms"), None), (("usage", "sources", "cpu"), "guess"), (("usage", "cpu_ms"), -1),
                (("stderr",), "stdin"), (("limits", "ram", "rung"), "hope"), (("overshoot",), 0), (("error",), {}),
                (("reported_by_task", "exception", "line"), 0), (("runtime",), "all")):
            with self.subTest(path=path, value=value):
                verdict = copy.deepcopy(good)
                at = verdict
                for name in path[:-1]:
                    at = at[name]
                at[path[-1]] = value
                self.assertNotEqual(schema.verdict_errors(verdict), [])

    def test_every_field_but_two_is_required(self):
        good = self.run_capsule("-q", "-c", "pass", verdict=True).verdict
        for name in good:
            with self.subTest(name=name):
                self.assertNotEqual(schema.verdict_errors({k: v for k, v in good.items() if k != name}), [])

    def test_failure_needs_its_error(self):
        good = self.run_capsule("-q", "none.py", verdict=True).verdict
        self.assertNotEqual(schema.verdict_errors({k: v for k, v in good.items() if k != "error"}), [])

    def test_unknown_keyword_is_an_error(self):
        for wrong in ({"format": "x"}, {"$ref": "other.json"}, {"additionalProperties": True}):
            with self.subTest(wrong=wrong), self.assertRaises(ValueError):
                schema.Validator(wrong).errors({})

    def test_every_object_is_closed(self):
        """A field can be added to no part of the verdict without the schema."""
        def walk(node, at):
            if isinstance(node, dict):
                if node.get("type") == "object":
                    self.assertIs(node.get("additionalProperties"), False, at)
                for name, child in node.items():
                    walk(child, at + "/" + name)
            elif isinstance(node, list):
                for i, child in enumerate(node):
                    walk(child, "%s/%d" % (at, i))
        walk(schema.load("verdict.schema.json"), "")


if __name__ == "__main__":
    unittest.main()
