"""The verdict: every field right, written by the supervisor alone, whatever the task prints or does."""
import json
import os
import subprocess
import unittest

import harness

FIELDS = {"capsule_run_verdict", "outcome", "explanation", "status", "started", "limits_hit", "usage", "exit_code",
          "signal", "stdout", "stderr", "layers", "limits", "ids"}
ALWAYS = {"user", "mount", "pid", "net", "ipc", "uts", "cgroupns", "no-new-privs", "capabilities", "seccomp"}


class Fields(harness.Case):
    def verdict(self, *args, status=0, **kw):
        return self.check(self.run_capsule("-q", *args, verdict=True, **kw), status).verdict

    def test_success(self):
        v = self.verdict("-c", "print('x' * 9); import sys; print('y', file=sys.stderr)")
        self.assertLessEqual(FIELDS, set(v))
        self.assertEqual((v["outcome"], v["status"], v["exit_code"], v["signal"], v["started"], v["limits_hit"]),
                         ("exited", 0, 0, None, True, []))
        for name, count in (("stdout", 10), ("stderr", 2)):
            self.assertEqual((v[name]["bytes"], v[name]["dropped_bytes"]), (count, 0))
        self.assertNotIn("error", v)

    def test_layers(self):
        layers = set(self.verdict("-c", "pass")["layers"])
        self.assertLessEqual(ALWAYS, layers)
        self.assertLessEqual(layers - ALWAYS, {"cgroup", "landlock"})

    def test_limits_with_rung_and_origin(self):
        limits = self.verdict("--ram", "100M", "-c", "pass")["limits"]
        self.assertEqual((limits["ram"]["value"], limits["ram"]["origin"]), ("100M", "command line"))
        self.assertEqual((limits["pids"]["value"], limits["pids"]["origin"]), ("256", "default"))
        for name in ("ram", "pids", "timeout", "nofile", "fsize", "output", "disk", "inodes"):
            self.assertNotEqual(limits[name]["rung"], "none", name)
        self.assertEqual((limits["cpu"]["value"], limits["cpu"]["rung"]), ("unlimited", "none"))

    def test_times(self):
        v = self.verdict("-c", "import time\ntime.sleep(0.2)\nwhile time.process_time() < 0.2: pass")
        self.assertGreaterEqual(v["usage"]["wall_ms"], 300)
        self.assertGreaterEqual(v["usage"]["cpu_ms"], 190)
        self.assertLess(v["usage"]["cpu_ms"], v["usage"]["wall_ms"] + 100)

    def test_cpu_time_of_children_counts(self):
        v = self.verdict("-c", "import subprocess, sys\nsubprocess.run([sys.executable, '-c', "
                         "'import time\\nwhile time.process_time() < 0.3: pass'])")
        self.assertGreaterEqual(v["usage"]["cpu_ms"], 290)

    def test_joined_streams(self):
        self.assertEqual(self.verdict("-c", "print('x')", stderr=subprocess.STDOUT)["stderr"], "stdout")

    def test_failure_to_start(self):
        v = self.verdict(self.path("none.py"), status=127)
        self.assertEqual((v["outcome"], v["exit_code"], v["started"], v["status"]), ("failed", None, False, 127))
        self.assertEqual((v["error"]["stage"], v["error"]["errno"], v["layers"]), ("script", 2, []))

    def test_failure_to_execute(self):
        v = self.verdict("--exec", "--", "/no/such", status=127)
        self.assertEqual((v["outcome"], v["exit_code"], v["started"], v["status"]), ("failed", None, False, 127))
        self.assertEqual((v["error"]["stage"], v["error"]["errno"]), ("exec", 2))

    def test_file_name_that_is_not_utf8(self):
        v = self.verdict("--exec", "--", b"/no/such\xff", status=127)
        self.assertEqual(v["outcome"], "failed")
        self.assertEqual(v["error"]["stage"], "exec")

    def test_interrupted(self):
        process = self.start("-q", "-c", "print('ready'); input()", verdict=True, stdin=subprocess.PIPE)
        process.stdout.readline()
        process.terminate()
        self.assertEqual(process.wait(harness.PATIENCE), 143)
        v = json.loads(self.read("verdict.json"))
        self.assertEqual((v["outcome"], v["signal"], v["status"]), ("signaled", 15, 143))


class Place(harness.Case):
    def result(self, target, *args, **kw):
        return self.run_capsule("-q", "--result", target, *args, **kw)

    def test_descriptor(self):
        read_fd, write_fd = os.pipe()
        self.check(self.result("fd:%d" % write_fd, "-c", "raise SystemExit(3)", pass_fds=[write_fd]), 3)
        os.close(write_fd)
        with os.fdopen(read_fd) as f:
            self.assertEqual(json.load(f)["exit_code"], 3)

    def test_descriptor_that_is_not_open(self):
        self.refused(self.result("fd:77", "-c", "pass"), "--result", "fd:77")

    def test_descriptor_does_not_reach_the_task(self):
        read_fd, write_fd = os.pipe()
        out = self.check(self.result("fd:%d" % write_fd, "-c", "import os; print(len(os.listdir('/proc/self/fd')))",
                                     pass_fds=[write_fd])).out
        self.assertEqual(out, "4\n")
        os.close(write_fd)
        os.close(read_fd)

    def test_standard_error(self):
        result = self.check(self.result("fd:2", "-c", "pass"))
        self.assertEqual(json.loads(result.err)["outcome"], "exited")

    def test_older_verdict_is_replaced(self):
        self.write("old.json", "x" * 100000)
        self.check(self.result("old.json", "-c", "pass"))
        self.assertEqual(json.loads(self.read("old.json"))["outcome"], "exited")

    def test_cannot_be_opened(self):
        self.refused(self.result("no/such/place.json", "-c", "pass"), "result", "no/such/place.json", "No such file")
        self.refused(self.result(self.tmp, "-c", "pass"), "result")

    def test_opened_before_the_task_starts(self):
        self.refused(self.result("no/such/place.json", "-c", "open('ran', 'w')"), "result")
        self.assertFalse(os.path.exists(self.path("sandbox/ran")))

    def test_not_where_the_task_writes(self):
        os.mkdir(self.path("data"))
        if harness.ROOT:
            os.chown(self.path("data"), harness.task_uid(), harness.task_uid())
        self.write("sandbox/sub/file")
        for target, opts in (("sandbox/v.json", ()), ("sandbox/sub/v.json", ()), ("data/v.json", ("--bind", "data:/d:rw"))):
            with self.subTest(target=target):
                self.refused(self.result(target, *opts, "-c", "pass"), "result", target, "task can write")

    def test_not_through_a_link_to_where_the_task_writes(self):
        os.symlink(self.dir, self.path("link"))
        self.refused(self.result("link/v.json", "-c", "pass"), "result", "task can write")
        os.symlink("sandbox/v.json", self.path("v.json"))
        self.refused(self.result("v.json", "-c", "pass"), "result", "v.json")

    def test_a_link_that_a_task_planted_is_not_followed(self):
        """Else the task chooses which file of the caller's is overwritten."""
        precious = self.write("precious", "precious")
        os.mkdir(self.path("elsewhere"))
        self.check_task("import os; os.symlink(%r, 'v.json'); os.symlink(%r, 'sub')" % (precious, self.path("elsewhere")))
        self.refused(self.result("sandbox/v.json", "-c", "pass"), "result")
        self.assertEqual(self.read("precious"), "precious")
        self.refused(self.result("sandbox/sub/v.json", "-c", "pass"), "result")
        self.assertEqual(os.listdir(self.path("elsewhere")), [])

    def test_no_file_is_left_where_the_task_writes(self):
        self.result("sandbox/v.json", "-c", "pass")
        self.assertEqual(os.listdir(self.dir), [])

    def test_not_a_file_with_a_second_name(self):
        self.write("sandbox/x")
        os.link(self.path("sandbox/x"), self.path("outside.json"))
        self.refused(self.result("outside.json", "-c", "pass"), "result")

    def test_read_only_binding_is_fine(self):
        os.mkdir(self.path("data"))
        self.check(self.result("data/v.json", "--bind", "data", "-c", "pass"))

    def test_full_device(self):
        self.check(self.result("/dev/full", "-c", "pass"), 125)

    def test_reader_that_went_away(self):
        read_fd, write_fd = os.pipe()
        os.close(read_fd)
        result = self.result("fd:%d" % write_fd, "-c", "pass", pass_fds=[write_fd])
        os.close(write_fd)
        self.check(result, 125)


class Forgery(harness.Case):
    FAKE = json.dumps({"capsule_run_verdict": 1, "outcome": "exited", "status": 0, "exit_code": 0, "limits_hit": []})

    def forged(self, code, *opts, status):
        result = self.run_capsule("-q", *opts, "-c", "FAKE = %r\n%s" % (self.FAKE, code), verdict=True)
        self.check(result, status)
        self.assertEqual(result.verdict["status"], status)
        return result.verdict

    def test_printing_it(self):
        v = self.forged("import os\nos.write(1, FAKE.encode()); os.write(2, FAKE.encode()); os._exit(37)", status=37)
        self.assertEqual((v["exit_code"], v["outcome"]), (37, "exited"))

    def test_writing_to_every_descriptor(self):
        self.forged("import os\nfor fd in range(1100):\n    try: os.write(fd, FAKE.encode())\n    except OSError: pass\n"
                    "os._exit(37)", status=37)

    def test_writing_to_every_descriptor_of_every_process(self):
        self.forged("""if 1:
            import glob, os
            for path in glob.glob("/proc/[0-9]*/fd/*") + glob.glob("/proc/[0-9]*/root"):
                try: os.write(os.open(path, os.O_WRONLY), FAKE.encode())
                except OSError: pass
            os._exit(37)
            """, status=37)

    def test_killing_everybody_inside(self):
        v = self.forged("import os, signal\nfor s in range(1, 65):\n    try: os.kill(1, s)\n    except OSError: pass\n"
                        "os._exit(37)", status=37)
        self.assertEqual(v["exit_code"], 37)

    def test_child_that_succeeds(self):
        """The status is the main process's, not that of what ends later or is adopted."""
        self.forged("import os\nif os.fork() == 0:\n    os.setsid(); os._exit(0)\nos.wait(); os._exit(37)", status=37)

    def test_failure_after_a_limit_is_not_a_success(self):
        v = self.forged("import sys, signal\nsignal.signal(15, lambda *a: sys.exit(0))\nprint(FAKE)\nsignal.pause()", "-t",
                        "500ms", status=124)
        self.assertEqual(v["outcome"], "timeout")

    def test_terminal_escapes_in_errors_are_defused(self):
        result = self.run_capsule("--exec", "--", "/no/\x1b[31msuch\x07", verdict=True)
        self.assertNotIn("\x1b", result.err)
        self.assertNotIn("\x07", result.err)


if __name__ == "__main__":
    unittest.main()
