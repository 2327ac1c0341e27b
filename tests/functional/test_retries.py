"""--max-retries: a task that failed is run again as it was at first, and the verdict lists the attempts."""
import json
import os
import signal
import socket
import subprocess
import threading
import unittest

import harness
from pseudoterminal import Terminal

# Counts in the sandbox directory, which stays; `n` is how many attempts there were before.
COUNT = """\
import os, sys, time
with open('/tmp/agent_sandbox/count', 'a') as f: f.write('x')
n = os.path.getsize('/tmp/agent_sandbox/count') - 1
"""


class Case(harness.Case):
    def retry(self, code, *opts, retries=3, status=0, **kw):
        kw.setdefault("verdict", True)
        delay = () if "--retry-delay" in opts else ("--retry-delay", "0")
        return self.check(self.run_capsule("--max-retries", retries, *delay, *opts, "-c", COUNT + code, **kw), status)

    def ends(self, result):
        """What each attempt ended with; the last one is what the verdict is about."""
        verdict = result.verdict
        last = verdict["attempts"][-1]
        for key in ("outcome", "explanation", "status", "exit_code", "signal", "started_at", "reported_by_task"):
            self.assertEqual(last[key], verdict[key], key)
        for key, value in last["usage"].items():
            self.assertEqual(value, verdict["usage"][key], key)
        self.assertEqual(last["limits_hit"], harness.hits(verdict))
        self.assertEqual(verdict["retries"]["made"], len(verdict["attempts"]) - 1)
        return [(a["outcome"], a["status"]) for a in verdict["attempts"]]


class Attempts(Case):
    def test_until_one_succeeds(self):
        result = self.retry("print(n)\nsys.exit(0 if n == 2 else 10 + n)")
        self.assertEqual(self.ends(result), [("exited", 10), ("exited", 11), ("exited", 0)])
        self.assertEqual(result.out, "0\n1\n2\n")
        self.assertEqual(result.verdict["retries"], {"made": 2, "allowed": 3, "obstacle": None})

    def test_until_there_are_no_more(self):
        result = self.retry("sys.exit(10 + n)", retries=2, status=12)
        self.assertEqual(self.ends(result), [("exited", 10), ("exited", 11), ("exited", 12)])
        self.assertEqual(result.verdict["retries"], {"made": 2, "allowed": 2, "obstacle": None})

    def test_one_by_default(self):
        result = self.check(self.run_capsule("-c", COUNT + "sys.exit(3)", verdict=True), 3)
        self.assertEqual(self.ends(result), [("exited", 3)])
        self.assertEqual(self.read("sandbox/count"), "x")

    def test_success_is_not_repeated(self):
        self.assertEqual(self.ends(self.retry("pass", "--retry-on", "any")), [("exited", 0)])

    def test_signal(self):
        result = self.retry("n or os.kill(os.getpid(), 9)")
        self.assertEqual(self.ends(result), [("signaled", 137), ("exited", 0)])

    def test_what_each_task_said(self):
        result = self.retry("raise ValueError('attempt %d' % n)", retries=1, status=1)
        self.assertEqual([a["reported_by_task"]["exception"]["message"] for a in result.verdict["attempts"]],
                         ["attempt 0", "attempt 1"])

    def test_order_and_pauses(self):
        result = self.retry("sys.exit(n < 2)", "--retry-delay", "40ms")
        attempts = result.verdict["attempts"]
        self.assertEqual(sorted(a["started_at"] for a in attempts), [a["started_at"] for a in attempts])
        self.assertEqual(attempts[0]["pause_ms"], 0)
        self.assertTrue(30 <= attempts[1]["pause_ms"] <= 40, attempts[1])
        self.assertTrue(60 <= attempts[2]["pause_ms"] <= 80, attempts[2])
        self.assertIn("retry: attempt 1 of 4: exited, status 1; the next one in ", result.err)

    def test_quiet(self):
        self.assertEqual(self.retry("sys.exit(n < 1)", "-q").err, "")

    def test_timeout_is_for_each(self):
        result = self.retry("n < 1 and time.sleep(1000)", "-q", "-t", "3s", "--grace", "0", "--retry-on", "timeout")
        self.assertEqual(self.ends(result), [("timeout", 124), ("exited", 0)])

    def test_failed_start_is_not_repeated(self):
        for args, status in ((("none.py",), 127), (("--exec", "/usr/none"), 127),
                             (("--bind", self.path("none"), "-c", "pass"), 125)):
            with self.subTest(args=args):
                result = self.run_capsule("--max-retries", 3, "--retry-on", "any", *args, verdict=True)
                self.check(result, status)
                if result.verdict is not None:
                    self.assertEqual(len(result.verdict["attempts"]), 1)
                self.assertNotIn("retry:", result.err)

    def test_killed_sandbox_is_not_repeated(self):
        process = self.start("-q", "--max-retries", 3, "--retry-on", "any", "-c",
                             "print('ready'); import time; time.sleep(1000)", verdict=True)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as f:
            os.kill(int(f.read().split()[0]), signal.SIGKILL)
        self.assertEqual(process.wait(harness.PATIENCE), 125)
        self.assertEqual(len(json.loads(self.read("verdict.json"))["attempts"]), 1)


class Causes(Case):
    def tried(self, code, on, status):
        """How many attempts a task got that always ends like this."""
        result = self.retry(code, "-q", "--retry-on", on, *self.opts, retries=1, status=status)
        return len(self.ends(result))

    def test_each(self):
        rows = (("sys.exit(3)", 3, "exited", ()), ("os.kill(os.getpid(), 9)", 137, "signaled", ()),
                ("time.sleep(1000)", 124, "timeout", ("-t", "2s", "--grace", "0")),
                ("time.sleep(1000)", 124, "stall", ("--stall", "300ms", "--grace", "0")),
                ("x = []\nwhile True: x.append(bytearray(1 << 20))", 137, "oom", ("--ram", "64M")),
                ("print('x' * 5000)", 123, "output", ("--output", "1K")))
        words = [row[2] for row in rows]
        for code, status, word, self.opts in rows:
            with self.subTest(word=word):
                self.assertEqual(self.tried(code, word, status), 2)
                self.assertEqual(self.tried(code, ",".join(w for w in words if w != word), status), 1)

    def test_cpu_time(self):
        result = self.retry("while n < 1: pass", "-q", "--cpu-time", "500ms", "--grace", "0", "--retry-on", "cpu-time")
        self.assertEqual(self.ends(result), [("cpu-time", 124), ("exited", 0)])

    def test_disk(self):
        result = self.retry("if n < 1:\n    for i in range(1000):\n        with open('f%d' % i, 'wb') as f: f.write(b'x' * (1 << 20))\n"
                            "        time.sleep(0.01)", "-q", "--disk", "4M", "--retry-on", "disk")
        self.assertEqual(self.ends(result), [("disk", 123), ("exited", 0)])


class Anew(Case):
    def test_fresh_directory(self):
        result = self.run_capsule("-q", "--fresh", "--max-retries", 2, "--retry-delay", 0, "-c",
                                  "import os\nprint(os.listdir('.'))\nopen('left', 'w')\nraise SystemExit(1)",
                                  sandbox=False)
        self.assertEqual(self.check(result, 1).out, "[]\n[]\n[]\n")

    def test_own_directory_stays(self):
        self.assertEqual(self.retry("print(sorted(os.listdir('.')))\nopen('f%d' % n, 'w')\nsys.exit(n < 1)", "-q").out,
                         "['count']\n['count', 'f0']\n")

    def test_memory(self):
        """What one attempt was charged is not the next one's."""
        code = ("x = bytearray(30 << 20)\nwith open('/dev/shm/kept', 'wb') as f: f.write(bytes(30 << 20))\n"
                "sys.exit(n < 3)")
        result = self.retry(code, "-q", "--ram", "100M")
        self.assertEqual(self.ends(result), [("exited", 1)] * 3 + [("exited", 0)])

    def test_disk(self):
        code = "with open('f%d' % n, 'wb') as f: f.write(os.urandom(3 << 20))\ntime.sleep(0.1)\nsys.exit(n < 2)"
        result = self.retry(code, "-q", "--disk", "5M")
        self.assertEqual(self.ends(result), [("exited", 1), ("exited", 1), ("exited", 0)])

    def test_output(self):
        result = self.retry("print('x' * 900)\nsys.exit(n < 1)", "-q", "--output", "1000")
        self.assertEqual(self.ends(result), [("exited", 1), ("exited", 0)])
        self.assertEqual(len(result.out), 2 * 901)

    def test_bindings(self):
        os.mkdir(self.path("data"))
        if harness.ROOT:
            os.chown(self.path("data"), 4321, 4321)
            os.chmod(self.path("data"), 0o755)
        self.write("conf/text", "hello")
        result = self.retry("print(open('/conf/text').read())\nopen('/data/f%d' % n, 'w')\nsys.exit(n < 2)", "-q",
                            "--bind", "%s:/conf" % self.path("conf"), "--bind", "%s:/data:rw" % self.path("data"))
        self.assertEqual(result.out, "hello\n" * 3)
        self.assertEqual(sorted(os.listdir(self.path("data"))), ["f0", "f1", "f2"])

    def test_replaced_binding_is_an_error(self):
        """What an attempt puts in the place of what was judged is not shown to the next one."""
        self.write("data/part", "good")
        os.chmod(self.path("data"), 0o777)
        result = self.retry("print(open('/part').read())\nos.rename('/data/part', '/data/old')\n"
                            "open('/data/part', 'w').write('planted')\nsys.exit(1)", "-q",
                            "--bind", "%s:/data:rw" % self.path("data"), "--bind", "%s:/part" % self.path("data/part"),
                            status=125)
        self.assertEqual(result.out, "good\n")
        self.assertEqual(self.ends(result), [("exited", 1), ("failed", 125)])
        self.assertIn("replaced", result.verdict["error"]["what"])

    def test_no_cgroup_is_left(self):
        process = self.start("-q", "--max-retries", 3, "--retry-delay", 0, "-c", "raise SystemExit(1)")
        self.assertEqual(process.wait(harness.PATIENCE), 1)
        name = "capsule-run.%d." % process.pid
        left = [d for _, dirs, _ in os.walk("/sys/fs/cgroup") for d in dirs if d.startswith(name)]
        self.assertEqual(left, [])


class Input(Case):
    TEXT = "".join("line %d\n" % i for i in range(5000))
    READ = "sys.stdout.write(sys.stdin.read())\nsys.exit(n < 2)"

    def test_whole(self):
        with open(self.write("input", self.TEXT)) as f:
            for name, stdin in (("pipe", self.TEXT), ("file", f)):
                with self.subTest(name):
                    if os.path.exists(self.path("sandbox/count")):
                        os.unlink(self.path("sandbox/count"))
                    result = self.retry(self.READ, "-q", stdin=stdin)
                    self.assertEqual(result.out, self.TEXT * 3)

    def test_socket(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            def send():
                ours.sendall(self.TEXT.encode())
                ours.shutdown(socket.SHUT_WR)
            sender = threading.Thread(target=send)
            sender.start()
            result = self.retry(self.READ, "-q", stdin=theirs)
            sender.join()
        self.assertEqual(result.out, self.TEXT * 3)

    def test_each_reads_further(self):
        """What an earlier one had comes first, then what nobody has read; the rest is the caller's."""
        code = "for i in range(n + 1): print(os.read(0, 1))\nsys.exit(n < 2)"
        expected = "b'a'\nb'a'\nb'b'\nb'a'\nb'b'\nb'c'\n"
        with open(self.write("input", "abcdef")) as f:
            self.assertEqual(self.retry(code, "-q", stdin=f).out, expected)
            self.assertEqual(os.read(f.fileno(), 9), b"def")
        os.unlink(self.path("sandbox/count"))
        read_fd, write_fd = os.pipe()
        with os.fdopen(read_fd, "rb", 0) as reader, os.fdopen(write_fd, "wb", 0) as writer:
            writer.write(b"abcdef")
            self.assertEqual(self.retry(code, "-q", stdin=reader).out, expected)
            self.assertEqual(reader.read(9), b"def")

    def test_input_that_comes_later(self):
        """The next attempt waits for the same writer."""
        process = self.start("-q", "--max-retries", 1, "--retry-delay", 0, "-c",
                             COUNT + "print(sys.stdin.readline().strip(), flush=True)\n"
                             "n and print(sys.stdin.readline().strip())\nsys.exit(not n)", stdin=subprocess.PIPE)
        process.stdin.write(b"one\n")
        process.stdin.flush()
        self.assertEqual([process.stdout.readline(), process.stdout.readline()], [b"one\n", b"one\n"])
        process.stdin.write(b"two\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), b"two\n")
        self.assertEqual(process.wait(harness.PATIENCE), 0)

    def test_more_than_is_kept(self):
        result = self.retry("while os.read(0, 65536): pass\nsys.exit(1)", stdin=bytes(17 << 20), status=1)
        self.assertEqual(self.ends(result), [("exited", 1)])
        self.assertIn("16M", result.verdict["retries"]["obstacle"])
        self.assertIn("was the last: ", result.err)

    def test_file_of_any_length(self):
        with open(self.write("input", bytes(17 << 20)), "rb") as f:
            result = self.retry("print(len(sys.stdin.buffer.read()))\nsys.exit(n < 1)", "-q", stdin=f)
        self.assertEqual(result.out, "%d\n" % (17 << 20) * 2)

    def test_program_from_standard_input(self):
        result = self.run_capsule("-q", "--max-retries", 2, "--retry-delay", 0, "-",
                                  stdin=COUNT + "print(n)\nsys.exit(n < 2)")
        self.assertEqual(self.check(result).out, "0\n1\n2\n")

    def test_script_from_a_pipe(self):
        read_fd, write_fd = os.pipe()
        with os.fdopen(write_fd, "w") as f:
            f.write(COUNT + "print(n)\nsys.exit(n < 2)")
        self.addCleanup(os.close, read_fd)
        result = self.run_capsule("-q", "--max-retries", 2, "--retry-delay", 0, "/dev/fd/%d" % read_fd,
                                  pass_fds=(read_fd,))
        self.assertEqual(self.check(result).out, "0\n1\n2\n")

    def test_script_in_a_file(self):
        result = self.task(COUNT + "print(n)\nsys.exit(n < 2)", opts=("--max-retries", 2, "--retry-delay", 0))
        self.assertEqual(self.check(result).out, "0\n1\n2\n")

    def test_at_a_terminal_it_is_asked_again(self):
        terminal = Terminal(self, self.argv("--max-retries", 2, "--retry-delay", 0, "-c",
                                            "answer = input('name? ')\nraise SystemExit(answer != 'right')"))
        terminal.expect("name\\? ")
        terminal.send("wrong\r")
        terminal.expect("attempt 1 of 3: exited, status 1; the next one now")
        terminal.expect("name\\? ")
        terminal.send("right\r")
        terminal.finish(0)
        self.assertTrue(terminal.is_untouched() or not terminal.is_raw())


class Stops(Case):
    def in_pause(self, *opts):
        process = self.start("--max-retries", 3, "--retry-delay", "1h", *opts, "-c",
                             COUNT + "sys.exit(7)", verdict=True)
        while True:
            line = process.stderr.readline()
            self.assertTrue(line, "no pause")
            if b"the next one in" in line:
                return process

    def ended(self, process, status):
        self.assertEqual(process.wait(harness.PATIENCE), status)
        verdict = json.loads(self.read("verdict.json"))
        self.assertEqual([a["status"] for a in verdict["attempts"]], [7])
        self.assertIn("signal", verdict["retries"]["obstacle"])
        self.assertEqual(self.read("sandbox/count"), "x")

    def test_terminated_in_the_pause(self):
        process = self.in_pause()
        process.terminate()
        self.ended(process, 7)

    def test_interrupted_in_the_pause(self):
        process = self.in_pause()
        process.send_signal(signal.SIGINT)
        self.ended(process, -signal.SIGINT)

    def test_other_signals_in_the_pause(self):
        process = self.in_pause()
        for sig in (signal.SIGUSR1, signal.SIGWINCH, signal.SIGCONT):
            process.send_signal(sig)
        process.terminate()
        self.ended(process, 7)

    def test_stopped_in_the_pause(self):
        process = self.in_pause()
        process.send_signal(signal.SIGTSTP)

        def state():
            with open("/proc/%d/stat" % process.pid) as f:
                return f.read().rsplit(")", 1)[1].split()[0]

        # The kernel stops nobody in a process group that is orphaned.
        if self.can_be_stopped():
            harness.wait_until(lambda: state() == "T", "the stop")
        process.send_signal(signal.SIGCONT)
        process.terminate()
        self.ended(process, 7)

    @staticmethod
    def can_be_stopped():
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTSTP)
            os._exit(0)
        _, status = os.waitpid(pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return True
        return False

    def test_terminated_while_the_task_runs(self):
        process = self.start("-q", "--max-retries", 3, "--retry-delay", 0, "-c",
                             "print('ready', flush=True); import time; time.sleep(1000)", verdict=True)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.terminate()
        self.assertEqual(process.wait(harness.PATIENCE), 143)
        self.assertEqual(len(json.loads(self.read("verdict.json"))["attempts"]), 1)

    def test_interrupted_at_a_terminal(self):
        terminal = Terminal(self, self.argv("--max-retries", 3, "--retry-delay", 0, "-c",
                                            "try: input('name? ')\nexcept KeyboardInterrupt: raise SystemExit(5)"))
        terminal.expect("name\\? ")
        terminal.until_raw()
        terminal.send("\x03")
        text = terminal.finish(5)
        self.assertNotIn(b"the next one", text if isinstance(text, bytes) else text.encode())

    def test_signal_for_the_task_alone(self):
        """SIGUSR1 says nothing about the run."""
        process = self.start("-q", "--max-retries", 1, "--retry-delay", 0, "-c",
                             COUNT + "import signal\nsignal.signal(signal.SIGUSR1, lambda *a: sys.exit(9))\n"
                             "print('ready', flush=True)\nn or time.sleep(1000)")
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        self.assertEqual(process.wait(harness.PATIENCE), 0)

    def test_reader_that_is_gone(self):
        process = self.start("--max-retries", 3, "--retry-delay", 0, "-c",
                             COUNT + "print('first', flush=True)\nwhile True: print('x' * 1000, flush=True)",
                             verdict=True)
        self.assertEqual(process.stdout.readline(), b"first\n")
        process.stdout.close()
        self.assertNotEqual(process.wait(harness.PATIENCE), 0)
        verdict = json.loads(self.read("verdict.json"))
        self.assertEqual(len(verdict["attempts"]), 1)
        self.assertIn("output", verdict["retries"]["obstacle"])


class Reports(Case):
    def test_json_has_the_last_attempts_output(self):
        result = self.retry("print('attempt', n)\nsys.exit(n < 2)", "-q", "--json", verdict=False)
        envelope = json.loads(result.out)
        self.assertEqual(envelope["stdout"], "attempt 2\n")
        self.assertEqual(envelope["execution"]["retries"], 2)
        attempts = envelope["verdict"]["attempts"]
        self.assertEqual(envelope["execution"]["duration_ms"],
                         sum(a["usage"]["wall_ms"] + a["pause_ms"] for a in attempts))
        self.assertTrue(envelope["success"])

    def test_summary(self):
        err = self.retry("sys.exit(n < 2)", "-q", "--summary").err
        self.assertRegex(err, r"^capsule-run: ok: .*, attempt 3 of 4\n$")

    def test_summary_of_failure(self):
        err = self.retry("sys.exit(10 + n)", "-q", "--summary", retries=8, status=18).err
        rows = [line.split(None, 1)[1] for line in err.splitlines() if line.startswith("  tried ")]
        self.assertEqual(rows[0], "3 more before")
        self.assertRegex(rows[1], r"^exited, status 13, \d+\.\d\d s$")
        self.assertEqual(len(rows), 6)

    def test_one_verdict(self):
        """A reader of fd:N gets one JSON text, when the run is over."""
        read_fd, write_fd = os.pipe()
        self.addCleanup(os.close, read_fd)
        try:
            self.retry("sys.exit(n < 2)", "-q", "--result", "fd:%d" % write_fd, pass_fds=(write_fd,), verdict=False)
        finally:
            os.close(write_fd)
        with os.fdopen(os.dup(read_fd)) as f:
            self.assertEqual(len(json.loads(f.read())["attempts"]), 3)


class Usage(Case):
    def test_values(self):
        for args, words in ((("--max-retries", "101"), ("out of range", "0 to 100")),
                            (("--max-retries", "-1"), ("not understood",)),
                            (("--max-retries", "1", "--retry-on", "failed"), ("'failed'", "failure, any, exited")),
                            (("--max-retries", "1", "--retry-on", "oom,"), ("''",)),
                            (("--max-retries", "1", "--retry-delay", "soon"), ("not understood", "500ms")),
                            (("--retry-on", "oom"), ("--retry-on: without --max-retries",)),
                            (("--retry-delay", "2s"), ("--retry-delay: without --max-retries",))):
            with self.subTest(args=args):
                self.refused(self.run_capsule(*args, "-c", "pass"), *words, status=2)

    def test_profile(self):
        self.write("p.profile", "capsule-run-profile 1\nretry-on = oom\nretry-delay = 0\n")
        self.check(self.run_capsule("-q", "--profile", "./p.profile", "-c", "pass"))
        self.write("p.profile", "capsule-run-profile 1\nretry-on = often\n")
        self.refused(self.run_capsule("-q", "--profile", "./p.profile", "-c", "pass"), "p.profile:2: ", "'often'",
                     status=2)


if __name__ == "__main__":
    unittest.main()
