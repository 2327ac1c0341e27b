"""--json: one line that a program reads, whatever the task prints and however it ends."""
import base64
import json
import os
import signal
import subprocess
import unittest

import harness
import schema
from pseudoterminal import Terminal


class Case(harness.Case):
    def parse(self, out):
        """The envelope that is all of standard output, and fits its schema."""
        lines = out.split("\n")
        self.assertEqual((len(lines), lines[-1]), (2, ""), out[:2000])
        envelope = json.loads(lines[0])
        validator = schema.Validator(schema.load("envelope.schema.json"), schema.load("verdict.schema.json"))
        self.assertEqual(validator.errors(envelope), [])
        return envelope

    def envelope(self, *args, status=0, **kw):
        result = self.check(self.run_capsule("-q", "--json", *args, **kw), status)
        envelope = self.parse(result.out)
        self.assertEqual(envelope["success"], status == 0)
        if envelope["verdict"] is not None:
            self.assertEqual(envelope["verdict"]["status"], status)
            self.assertEqual(envelope["execution"]["duration_ms"], envelope["verdict"]["usage"]["wall_ms"])
        return envelope

    def error_type(self, *args, status, **kw):
        envelope = self.envelope(*args, status=status, **kw)
        return envelope["error"]["error_type"], envelope["error"]["message"]


class Output(Case):
    def test_streams_are_apart(self):
        envelope = self.envelope("-c", "import sys\nprint('one')\nprint('two', file=sys.stderr)")
        self.assertEqual((envelope["stdout"], envelope["stderr"], envelope["error"]), ("one\n", "two\n", None))

    def test_streams_are_apart_though_the_caller_joins_his(self):
        result = self.run_capsule("-q", "--json", "-c", "import sys\nprint('one')\nprint('two', file=sys.stderr)",
                                  stderr=subprocess.STDOUT)
        envelope = self.parse(result.out)
        self.assertEqual((envelope["stdout"], envelope["stderr"]), ("one\n", "two\n"))
        self.assertEqual(envelope["verdict"]["stdout"]["bytes"], 4)

    def test_output_that_looks_like_an_envelope(self):
        text = '{"success":true}\n'
        self.assertEqual(self.envelope("-c", "print(%r, end='')\nraise SystemExit(3)" % text, status=3)["stdout"], text)

    def test_no_newline_at_the_end(self):
        self.assertEqual(self.envelope("-c", "print('x', end='')")["stdout"], "x")

    def test_bytes_that_are_no_utf8(self):
        for data, text in ((b"a\xffb", "a\ufffdb"), (b"\xe2\x82", "\ufffd\ufffd"), (b"\xc0\x80", "\ufffd\ufffd"),
                           (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"), (b"\xff", "\ufffd")):
            with self.subTest(data=data):
                envelope = self.envelope("-c", "import os; os.write(1, %r); os.write(2, b'ok')" % data)
                self.assertEqual(envelope["stdout"], text)
                self.assertEqual(base64.b64decode(envelope["stdout_base64"], validate=True), data)
                self.assertEqual((envelope["stderr"], envelope["stderr_base64"]), ("ok", None))

    def test_any_text(self):
        text = "h\u00e9 \u65e5\u672c \U0001f600 \x00 \x1b[31m \" \\ \t\r\n\x7f \ufffd"
        envelope = self.envelope("-c", "import os; os.write(1, %r)" % text.encode())
        self.assertEqual((envelope["stdout"], envelope["stdout_base64"]), (text, None))

    def test_much(self):
        envelope = self.envelope("-c", "import sys\nfor i in range(200000): print(i)")
        self.assertEqual(envelope["stdout"], "".join("%d\n" % i for i in range(200000)))

    def test_bounded(self):
        envelope = self.envelope("--output", "1K", "-c", "print('x' * 4999)", status=123)
        self.assertEqual(envelope["stdout"], "x" * 1024)
        self.assertEqual(envelope["error"]["error_type"], "output")
        self.assertEqual(envelope["verdict"]["stdout"]["dropped_bytes"], 5000 - 1024)

    def test_unbounded_is_refused(self):
        self.assertEqual(self.error_type("--output", "unlimited", "-c", "pass", status=2)[0], "usage")

    def test_standard_input(self):
        self.assertEqual(self.envelope("-c", "print(input())", stdin="line\n")["stdout"], "line\n")

    def test_messages_stay_on_standard_error(self):
        result = self.check(self.run_capsule("--json", "-t", "300ms", "-c", "import time; time.sleep(99)"), 124)
        self.assertEqual(self.parse(result.out)["stderr"], "")
        self.assertIn("out of time", result.err)

    def test_no_terminal(self):
        """Nothing that the task prints can stand beside the envelope."""
        code = ("import os\nprint([os.isatty(i) for i in range(3)], os.environ.get('TERM'))\n"
                "try: os.open('/dev/tty', os.O_RDWR)\nexcept OSError: print('none')")
        terminal = Terminal(self, self.argv("-q", "--json", "-c", code), env={"TERM": "xterm"})
        line = terminal.expect(r"^([^\n]*)\n").group(1).decode()
        terminal.finish()
        self.assertEqual(json.loads(line)["stdout"], "[False, False, False] None\nnone\n")


class Ends(Case):
    def test_names(self):
        script = self.write("some/where/task.py", "pass")
        self.write("mod.py", "pass")
        for args, name in (((script,), "task.py"), (("-c", "pass"), "-c"), (("-m", "this"), "this"),
                           (("--exec", "--", "/bin/true"), "true"), (("-",), "-")):
            with self.subTest(args=args):
                self.assertEqual(self.envelope(*args)["execution"]["task_name"], name)

    def test_exception(self):
        self.assertEqual(self.error_type("-c", "raise ValueError('bad')", status=1), ("task_error", "ValueError: bad"))

    def test_status_and_signal(self):
        self.assertEqual(self.error_type("-c", "raise SystemExit(7)", status=7)[0], "task_error")
        self.assertEqual(self.error_type("-c", "import os; os.kill(os.getpid(), 9)", status=137)[0], "task_error")

    def test_limits(self):
        self.assertEqual(self.error_type("-t", "300ms", "-c", "import time; time.sleep(99)", status=124)[0], "timeout")
        self.assertEqual(self.error_type("--cpu-time", "200ms", "-c", "while True: pass", status=124)[0], "cpu-time")
        kind, message = self.error_type("--ram", "48M", "-c", "x = []\nwhile True: x.append(bytearray(1 << 20))", status=137)
        self.assertEqual(kind, "oom")
        self.assertIn("--ram 48M", message)

    def test_what_was_printed_before_a_limit(self):
        envelope = self.envelope("-t", "5s", "-c", "print('before')\nimport time; time.sleep(99)", status=124)
        self.assertEqual(envelope["stdout"], "before\n")

    def test_start_that_fails(self):
        kind, message = self.error_type("none.py", status=127)
        self.assertEqual(kind, "failed")
        self.assertIn("none.py", message)
        self.assertEqual(self.error_type("--exec", "--", "/no/such", status=127)[0], "failed")
        self.assertEqual(self.error_type("--bind", "/no/such", "-c", "pass", status=125)[0], "failed")

    def test_usage(self):
        for args in (("--ram", "5Q", "-c", "pass"), ("--bogus", "-c", "pass"), (), ("--env", "NOT_SET_HERE", "-c", "pass"),
                     ("--result", "fd:1", "-c", "pass")):
            with self.subTest(args=args):
                envelope = self.envelope(*args, status=2)
                self.assertEqual((envelope["error"]["error_type"], envelope["verdict"]), ("usage", None))

    def test_verdict_is_the_one_of_result(self):
        result = self.run_capsule("-q", "--json", "-c", "print(1)", verdict=True)
        self.assertEqual(self.parse(result.out)["verdict"], result.verdict)

    def test_result_that_can_not_be_written(self):
        envelope = self.envelope("--result", "/dev/full", "-c", "print(1)", status=125)
        self.assertEqual((envelope["error"]["error_type"], envelope["stdout"]), ("failed", "1\n"))

    def test_full_device(self):
        with open("/dev/full", "w") as full:
            result = self.check(self.run_capsule("--json", "-c", "pass", stdout=full), 125)
        self.assertIn("json: write standard output: No space left", result.err)

    def test_closed_standard_output(self):
        done = subprocess.run(["sh", "-c", '"$0" --json --fresh -c pass >&-', harness.CAPSULE_RUN],
                              stderr=subprocess.PIPE, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 125, done.stderr)

    def test_reader_that_went_away(self):
        read_fd, write_fd = os.pipe()
        os.close(read_fd)
        result = self.run_capsule("--json", "-c", "pass", stdout=write_fd)
        os.close(write_fd)
        self.check(result, 125)

    def test_reader_that_stalls(self):
        """The supervisor waits for it, and a signal ends that."""
        read_fd, write_fd = os.pipe()
        process = self.start("-q", "--json", "-c", "print('x' * 999999)", verdict=True, stdout=write_fd)
        os.close(write_fd)
        harness.wait_until(lambda: os.path.exists(self.path("verdict.json")) and self.read("verdict.json").endswith("}\n"))
        os.read(read_fd, 1)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(harness.PATIENCE), -signal.SIGTERM)
        os.close(read_fd)


class Planted(Case):
    def test_wrong_envelopes(self):
        good = self.envelope("-c", "pass")
        for name, value in (("new", 1), ("success", False), ("error", {"error_type": "x", "message": "y"}),
                            ("stdout", None), ("verdict", None), ("verdict", dict(good["verdict"], new=1)),
                            ("execution", dict(good["execution"], new=1)), ("stderr_base64", 1)):
            with self.subTest(name=name, value=value), self.assertRaises(AssertionError):
                self.parse(json.dumps(dict(good, **{name: value})) + "\n")
        failed = self.envelope("-c", "raise SystemExit(1)", status=1)
        with self.assertRaises(AssertionError):
            self.parse(json.dumps(dict(failed, result=1)) + "\n")
        with self.assertRaises(AssertionError):
            self.parse("noise\n" + json.dumps(good) + "\n")
        self.parse(json.dumps(good) + "\n")


if __name__ == "__main__":
    unittest.main()
