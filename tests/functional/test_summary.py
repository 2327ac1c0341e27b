"""--summary: a person reads in a moment how it went; a line when all is well, a short block when not."""
import os
import unittest

import harness
from pseudoterminal import Terminal

EAT = "x = []\nwhile True: x.append(bytearray(1 << 20))"


class Summary(harness.Case):
    def summary(self, *args, status=0, **kw):
        return self.check(self.run_capsule("--summary", *args, **kw), status).err

    def block(self, text):
        """The first line, and the others by their names."""
        lines = text.splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("capsule-run: "))
        rows = {}
        for line in lines[start + 1:]:
            self.assertRegex(line, r"^  [a-z]+ +\S")
            name, value = line.split(None, 1)
            rows.setdefault(name, []).append(value)
        return lines[start], rows

    def test_one_line_when_all_is_well(self):
        err = self.summary("-q", "--ram", "512M", "-c", "pass")
        self.assertRegex(err, r"^capsule-run: ok: \d+\.\d\d s, \d+\.\d\d s CPU, \d[\d.]*[KM] peak of (512M|the largest process)\n$")

    def test_without_it_nothing(self):
        self.assertEqual(self.check(self.run_capsule("-q", "-c", "pass")).err, "")

    def test_nothing_on_standard_output(self):
        self.assertEqual(self.check(self.run_capsule("--summary", "-c", "print(1)")).out, "1\n")

    def test_memory(self):
        first, rows = self.block(self.summary("-q", "--ram", "64M", "-c", EAT, status=137))
        self.assertTrue(first.startswith("capsule-run: oom: The task was ended because"), first)
        self.assertRegex(rows["limit"][0], r"^--ram 64M, at the most \d+M, held by [a-z0-9-]+$")
        self.assertIn("--ram", rows["hint"][0])

    def test_time(self):
        first, rows = self.block(self.summary("-q", "-t", "300ms", "-c", "import time; time.sleep(99)", status=124))
        self.assertIn("timeout: The task was ended because it ran longer than --timeout 300ms", first)
        self.assertTrue(rows["limit"][0].startswith("--timeout 300ms, at the most "), rows)

    def test_it_is_said_once(self):
        err = self.summary("-t", "300ms", "-c", "import time; time.sleep(99)", status=124)
        self.assertNotIn("limit: the task ran out of time", err)

    def test_output(self):
        _, rows = self.block(self.summary("-q", "--output", "1K", "-c", "print('x' * 5000)", status=123))
        self.assertEqual(rows["limit"], ["--output 1K, at the most 4.9K, held by supervisor"])

    def test_exception_is_the_tasks_word(self):
        first, rows = self.block(self.summary("-q", "-c", "raise ValueError('a\\x1b[31mb\\nc')", status=1))
        self.assertIn("exited: The task ended by itself with exit status 1.", first)
        self.assertRegex(rows["said"][0], r"^ValueError: a.*b \(<string>:1\)$")
        self.assertNotIn("\x1b", rows["said"][0])

    def test_failed_start(self):
        first, rows = self.block(self.summary("none.py", status=127))
        self.assertIn("failed: The task could not be started: script: none.py: No such file", first)
        self.assertIn("hint", rows)

    def test_lost_output(self):
        with open("/dev/full", "w") as full:
            _, rows = self.block(self.summary("-q", "-c", "import os; os.write(1, b'x')", status=125, stdout=full))
        self.assertEqual(rows["lost"], ["standard output: No space left on device"])

    def test_with_json(self):
        result = self.check(self.run_capsule("-q", "--summary", "--json", "-c", "pass"))
        self.assertEqual(result.out.count("\n"), 1)
        self.assertTrue(result.err.startswith("capsule-run: ok: "), result.err)

    def test_from_a_profile(self):
        self.write("s.profile", "capsule-run-profile 1\nsummary = yes\n")
        result = self.run_capsule("-q", "--profile", "./s.profile", "-c", "pass")
        self.assertIn("capsule-run: ok: ", result.err, result)


class Colour(harness.Case):
    def shown(self, *args, status=0, **env):
        terminal = Terminal(self, self.argv("-q", "--summary", *args), env={"NO_COLOR": "", **env})
        return terminal.finish(status).decode()

    def test_on_a_terminal(self):
        self.assertIn("\x1b[32mok\x1b[0m", self.shown("-c", "pass", TERM="xterm"))
        self.assertIn("\x1b[1;31mexited\x1b[0m", self.shown("-c", "raise SystemExit(3)", status=3, TERM="xterm"))

    def test_not_when_somebody_objects(self):
        for env in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}):
            with self.subTest(env=env):
                shown = self.shown("-c", "pass", **env)
                self.assertIn("ok: ", shown)
                self.assertNotIn("\x1b", shown)

    def test_not_in_a_file(self):
        result = self.run_capsule("--summary", "-c", "pass", env=dict(os.environ, TERM="xterm"))
        self.assertNotIn("\x1b", result.err)
        self.assertIn("ok: ", result.err)


if __name__ == "__main__":
    unittest.main()
