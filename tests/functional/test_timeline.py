"""--timeline: what a task used over time, in the verdict and as a line of --summary."""
import json
import os
import unittest

import harness

# Memory goes up to 60M and down again; each level lasts until the task was looked at, whatever that takes.
HILL = """\
import sys, time
def stay(mib):
    block = bytearray(mib << 20)
    for i in range(0, len(block), 4096): block[i] = 1
    time.sleep(1)
stay(1); stay(60); stay(1)
"""


class Timeline(harness.Case):
    def samples(self, *args, status=0, **kw):
        timeline = self.check(self.run_capsule("-q", *args, verdict=True, **kw), status).verdict["timeline"]
        self.assertIsInstance(timeline, list)
        self.assertEqual(sorted(s["ms"] for s in timeline), [s["ms"] for s in timeline])
        return timeline

    def test_without_it_none(self):
        self.assertIsNone(self.run_capsule("-q", "-c", "pass", verdict=True).verdict["timeline"])

    def test_memory_goes_up_and_down(self):
        samples = self.samples("--timeline=20ms", "-c", HILL)
        ram = [s["ram_bytes"] for s in samples]
        top = ram.index(max(ram))
        self.assertGreaterEqual(max(ram), 60 << 20)
        self.assertLess(min(ram[:top]), 50 << 20, ram)
        self.assertLess(min(ram[top:]), 50 << 20, ram)

    def test_cpu_time_and_processes(self):
        samples = self.samples("--timeline=20ms", "-c",
                               "import os, threading, time\n"
                               "event = threading.Event()\n"
                               "threads = [threading.Thread(target=event.wait) for _ in range(5)]\n"
                               "for t in threads: t.start()\n"
                               "end = time.process_time() + 0.5\n"
                               "while time.process_time() < end: pass\n"
                               "event.set()")
        cpu = [s["cpu_ms"] for s in samples]
        self.assertEqual(sorted(cpu), cpu)
        self.assertGreaterEqual(cpu[-1] - cpu[0], 200)
        # Our init, the task, its threads.
        self.assertEqual(max(s["pids"] for s in samples), 7)

    def test_within_one_limit_of_samples(self):
        """Looked at as often as can be, a run has no more of them."""
        samples = self.samples("--timeline=10ms", "-c", "import time; time.sleep(4)")
        self.assertLessEqual(len(samples), 256)
        self.assertGreaterEqual(samples[-1]["ms"], 2000)

    def test_what_was_ended(self):
        samples = self.samples("--timeline=10ms", "--ram", "100M", "-c",
                               "import time\nx = []\nwhile True:\n    x.append(bytearray(1 << 20))\n    time.sleep(0.01)",
                               status=137)
        self.assertGreater(max(s["ram_bytes"] for s in samples), samples[0]["ram_bytes"])

    def test_failed_start(self):
        self.assertIsNone(self.run_capsule("-q", "--timeline", "none.py", verdict=True).verdict["timeline"])

    def test_last_attempt_only(self):
        samples = self.samples("--timeline=10ms", "--max-retries", 1, "--retry-delay", 0, "-c",
                               "import os, time\n"
                               "if os.path.exists('n'): raise SystemExit(0)\nopen('n', 'w')\ntime.sleep(2)\nraise SystemExit(1)")
        attempt = json.loads(self.read("verdict.json"))["attempts"][-1]
        self.assertLessEqual(samples[-1]["ms"], attempt["usage"]["wall_ms"])

    def graph(self, locale, *args, status=0):
        env = {k: v for k, v in os.environ.items() if k not in ("LC_ALL", "LC_CTYPE", "LANG")}
        result = self.check(self.run_capsule("-q", "--summary", *args, env=dict(env, **locale)), status)
        rows = [line for line in result.err.splitlines() if line.startswith("  memory ")]
        for row in rows:
            self.assertLessEqual(len(row), 80)
        return rows

    def test_graph(self):
        row, = self.graph({"LANG": "en_US.UTF-8"}, "--timeline=20ms", "-c", HILL)
        self.assertRegex(row, "^  memory  [\u2581-\u2588]{3,48} to [0-9]+M$")
        self.assertIn("\u2588", row)
        self.assertRegex(row, "[\u2581-\u2585].*\u2588.*[\u2581-\u2585]")

    def test_graph_without_unicode(self):
        for locale in ({}, {"LANG": "C"}, {"LC_ALL": "C", "LANG": "de_DE.UTF-8"}):
            row, = self.graph(locale, "--timeline=20ms", "-c", "import time; time.sleep(0.3)")
            self.assertRegex(row, r"^  memory  [_.:=+*#-]{1,48} to [0-9.]+[KM]$")

    def test_graph_of_failure(self):
        row, = self.graph({"LC_CTYPE": "C.utf8"}, "--timeline", "-c", "import time; time.sleep(0.3); 1 / 0", status=1)
        self.assertRegex(row, "^  memory  [\u2581-\u2588]+ to ")

    def test_no_graph_without_it(self):
        self.assertEqual(self.graph({"LANG": "C.UTF-8"}, "-c", "pass"), [])

    def test_in_the_envelope(self):
        result = self.check(self.run_capsule("-q", "--json", "--timeline", "-c", "pass"))
        self.assertIsInstance(json.loads(result.out)["verdict"]["timeline"], list)

    def test_task_is_no_value(self):
        script = self.write("task.py", "print('ran')")
        self.assertEqual(self.check(self.run_capsule("-q", "--timeline", script)).out, "ran\n")

    def test_values(self):
        for value in ("9ms", "soon", "", "0", "unlimited"):
            with self.subTest(value=value):
                self.refused(self.run_capsule("--timeline=" + value, "-c", "pass"), "--timeline", "accepted", status=2)
        self.check(self.run_capsule("-q", "--timeline=no", "-c", "pass"))

    def test_profile(self):
        self.write("t.profile", "capsule-run-profile 1\ntimeline = yes\n")
        printed = self.check(self.run_capsule("--profile", "./t.profile", "--print-policy")).out
        self.assertIn("timeline = 100ms ", printed)
        self.assertEqual(len([l for l in printed.splitlines() if l.startswith("timeline = ")]), 1)
        again = self.check(self.run_capsule("--profile", "./t.profile", "--timeline=no", "--print-policy")).out
        self.assertIn("timeline = no ", again)


if __name__ == "__main__":
    unittest.main()
