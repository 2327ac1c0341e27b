"""A task that fails earns one hint: on a terminal, and in the verdict. What it prints itself is kept apart as its own
claim, and makes capsule-run say nothing that could be used against whoever reads it."""
import json
import os
import pty
import subprocess
import unittest

import harness

PREFIX = "capsule-run: hint: "


class HintCase(harness.Case):
    def on_terminal(self, *args, env=None):
        """Runs it with standard error on a terminal and returns (status, what the terminal got)."""
        master, slave = pty.openpty()
        try:
            process = self.start(*args, stdout=subprocess.DEVNULL, stderr=slave, env=env)
        finally:
            os.close(slave)
        got = b""
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:  # EIO: nobody has the other side
                break
            if not data:
                break
            got += data
        os.close(master)
        return process.wait(harness.PATIENCE), got

    def lines(self, got):
        return [line for line in got.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
                if line.startswith(PREFIX)]

    def hint(self, code, *args, opts=(), status=1, **kw):
        """The verdict's hint for a script."""
        self.last = self.check_task(code, *args, opts=opts, status=status, verdict=True, **kw).verdict
        return self.last["hint"]

    def said(self, code, **kw):
        """The exception that the task reported."""
        self.hint(code, **kw)
        return self.last["reported_by_task"]["exception"]


class Where(HintCase):
    CODE = "import os; os.environ['NO_SUCH_VARIABLE']"

    def test_one_line_on_a_terminal(self):
        status, got = self.on_terminal("-c", self.CODE)
        self.assertEqual(status, 1)
        lines = self.lines(got)
        self.assertEqual(len(lines), 1, got)
        self.assertIn("--env NAME", lines[0])
        self.assertTrue(got.endswith(b"\n"))

    def test_after_what_the_task_said(self):
        _, got = self.on_terminal("-c", self.CODE)
        self.assertLess(got.index(b"KeyError"), got.index(PREFIX.encode()))

    def test_not_with_quiet(self):
        _, got = self.on_terminal("-q", "-c", self.CODE)
        self.assertIn(b"KeyError", got)
        self.assertNotIn(b"capsule-run: ", got)

    def test_not_through_a_pipe(self):
        result = self.check(self.run_capsule("-c", self.CODE, verdict=True), 1)
        self.assertNotIn("hint", result.err)
        self.assertIn("--env NAME", result.verdict["hint"])

    def test_not_after_success(self):
        """Whatever it printed."""
        code = "import sys, traceback\ntry: open('/no/such')\nexcept OSError: traceback.print_exc()"
        status, got = self.on_terminal("-c", code)
        self.assertEqual(status, 0)
        self.assertIn(b"FileNotFoundError", got)
        self.assertEqual(self.lines(got), [])
        self.assertIsNone(self.hint(code, status=0))
        self.assertIsNone(self.last["reported_by_task"]["exception"])

    def test_in_the_verdict_with_quiet(self):
        self.assertIn("--env NAME", self.hint(self.CODE))

    def test_none_for_what_has_no_known_cause(self):
        for code in ("raise ValueError(3)", "raise SystemExit('bye')", "def f(:", "raise KeyboardInterrupt"):
            with self.subTest(code=code):
                result = self.task(code, verdict=True)
                self.assertNotEqual(result.status, 0)
                self.assertIsNone(result.verdict["hint"])

    def test_a_limit_is_told_of_once(self):
        status, got = self.on_terminal("--timeout", "500ms", "-c", "import time; time.sleep(100)")
        self.assertEqual(status, 124)
        self.assertEqual(got.count(b"--timeout"), 1, got)
        self.assertEqual(self.lines(got), [])

    def test_of_a_start_that_failed(self):
        result = self.run_capsule(self.path("none.py"), verdict=True)
        self.assertEqual(result.verdict["hint"], result.verdict["error"]["hint"])
        self.assertIsNone(result.verdict["reported_by_task"]["exception"])

    def test_joined_streams(self):
        result = self.run_capsule("-q", "-c", "print('x')\n" + self.CODE, verdict=True, stderr=subprocess.STDOUT)
        self.assertIn("--env NAME", result.verdict["hint"])

    def test_output_that_nobody_sees(self):
        """Cut, thrown away, or closed: the verdict has it all the same."""
        code = "import sys; sys.stderr.write('x' * 5000 + '\\n')\n" + self.CODE
        self.assertIn("--env NAME", self.hint(code, opts=("--output", "10")))
        with open(os.devnull, "w") as null:
            self.assertIn("--env NAME", self.hint(code, stderr=null))


class Cause(HintCase):
    def says(self, words, code, *args, **kw):
        hint = self.hint(code, *args, **kw)
        self.assertIsNotNone(hint, self.last)
        self.assertIn(words, hint)

    def test_module_beside_the_script(self):
        self.write("helper.py", "x = 1")
        self.says("--src " + self.tmp, "import helper")
        if harness.task_python()[1] >= 11:
            self.check_task("import helper", opts=("--src", self.tmp))
        # As the program's directory is, so is the working directory of -m and -c.
        result = self.check(self.run_capsule("-q", "-m", "helper", verdict=True), 1)
        self.assertIn("--src " + self.tmp, result.verdict["hint"])

    def test_module_in_a_virtual_environment(self):
        minor = harness.task_python()[1]
        venv = self.path(".venv")
        made = subprocess.run([harness.task_python()[0], "-m", "venv", "--without-pip", venv], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if made.returncode != 0:
            self.skipTest("python3 -m venv does not work here")
        self.write(".venv/lib/python3.%d/site-packages/inner.py" % minor, "x = 1")
        self.says("--venv %s" % venv, "import inner")
        self.check_task("import inner", opts=("--venv", venv))

    def test_module_of_the_user_alone(self):
        home = self.path("home")
        self.write("home/.local/lib/python3.%d/site-packages/mine.py" % harness.task_python()[1])
        self.says("your user alone", "import mine", env=dict(os.environ, HOME=home))

    def test_module_that_is_nowhere(self):
        self.says(harness.task_python()[0], "import no_such_module_at_all")
        self.assertNotIn("no_such_module", self.last["hint"])

    def test_file_that_the_host_has(self):
        path = self.write("data.csv", "1")
        self.says("--bind %s shows it" % path, "open('data.csv')")
        self.says("--bind %s shows it" % path, "import os; open(os.path.join(os.path.dirname(__file__), 'data.csv'))")
        self.says("--bind %s shows it" % path, "import sys; open(sys.argv[1])", path)
        self.check_task("import sys; open(sys.argv[1])", path, opts=("--bind", path))

    def test_file_of_a_program_that_is_not_python(self):
        path = self.write("data.csv", "1")
        result = self.check(self.run_capsule("-q", "--exec", "--", "cat", path, verdict=True), 1)
        self.assertIn("--bind %s shows it" % path, result.verdict["hint"])

    def test_file_that_nobody_has(self):
        self.assertIsNone(self.hint("open('none.csv')"))

    def test_file_elsewhere(self):
        self.says("a task sees the system", "open('/home/somebody/notes')")

    def test_network(self):
        self.says("no network", "import socket; socket.getaddrinfo('example.com', 443)")
        self.says("no network", "import socket; socket.create_connection(('192.0.2.1', 80))")
        self.says("no server of the host's", "import socket; socket.create_connection(('127.0.0.1', 9))")
        self.says("raw, packet", "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)")

    def test_refused_calls(self):
        self.says("no option allows that", "import os; os.chroot('/')")
        self.says("can't be given", "import os; os.chown('.', 0, 0)")
        self.says("no other to become", "import os; os.setuid(0)")
        self.says("set-user-id", "import os; open('x', 'w'); os.chmod('x', 0o4755)")

    def test_places_that_are_read_only(self):
        self.says("--bind HOST:GUEST:rw", "open('/etc/x', 'w')")

    @harness.only_root
    def test_files_that_are_closed_to_the_task(self):
        path = self.write("closed", "x", 0o600)
        self.says("open to others", "import sys; open(sys.argv[1])", path, opts=("--bind", path))

    def test_limits(self):
        self.says("--ram 1G", "bytearray(1 << 60)")
        self.says("--nofile 64", "l = [open('/dev/null') for i in range(100)]", opts=("--nofile", "64"))
        self.says("--fsize 64K", "f = open('x', 'wb', 0); f.write(b'x' * 65536); f.write(b'x')", opts=("--fsize", "64K"))
        self.says("--pids 16", "import threading, time\nfor i in range(32):\n"
                  "    threading.Thread(target=time.sleep, args=(99,), daemon=True).start()", opts=("--pids", "16"))
        self.says("--pids 16", "import os, time\nfor i in range(32):\n    if os.fork() == 0: time.sleep(99)",
                  opts=("--pids", "16"))

    def test_full_fresh_directory(self):
        script = self.write("task.py", "open('x', 'wb').write(b'x' * (1 << 20))")
        result = self.run_capsule("-q", "--fresh", "--disk", "128K", "--fsize", "unlimited", script, sandbox=False,
                                  verdict=True)
        # The size of a file is bounded by --disk as well, and that may be met first.
        self.assertRegex(result.verdict["hint"], "--disk 128K|--fsize 128K")
        script = self.write("task.py", "for i in range(99): open(str(i), 'w')")
        result = self.run_capsule("-q", "--fresh", "--inodes", "32", script, sandbox=False, verdict=True)
        self.assertIn("--inodes 32 bound the --fresh directory", result.verdict["hint"])

    def test_limit_that_ended_it(self):
        self.says("--timeout 500ms was reached", "import time; time.sleep(100)", opts=("--timeout", "500ms"), status=124)

    def test_programs(self):
        self.says("the programs of /usr", "import subprocess; subprocess.run(['no-such-program'])")
        result = self.check(self.run_capsule("-q", "--exec", "--", "sh", "-c", "no-such-program", verdict=True), 127)
        self.assertIn("the programs of /usr", result.verdict["hint"])
        self.assertIsNone(result.verdict["reported_by_task"]["exception"])

    def test_no_input(self):
        self.says("--no-stdin", "input()", opts=("-n",))

    def test_locale(self):
        self.says("C.UTF-8", "import locale; locale.setlocale(locale.LC_ALL, 'xx_XX')")

    def test_what_caused_the_last_exception(self):
        self.says("--env NAME", "import os\ntry: os.environ['X_Y']\nexcept KeyError as e: raise RuntimeError('c') from e")

    @unittest.skipUnless(harness.task_python()[1] >= 11, "exception groups are there since 3.11")
    def test_inside_a_group(self):
        self.says("--env NAME", "import os\ntry: os.environ['X_Y']\n"
                  "except KeyError as e: raise ExceptionGroup('g', [ValueError(1), e])")


class Claim(HintCase):
    """reported_by_task: what the interpreter printed, as it really prints it."""

    def test_fields(self):
        said = self.said("def f():\n    raise ValueError('bad\\nworse')\nf()")
        self.assertEqual(said, {"type": "ValueError", "message": "bad\nworse", "file": "/task/task.py", "line": 2})

    def test_forms(self):
        for code, kind, message in (
                ("def f(:", "SyntaxError", "invalid syntax"),
                ("raise KeyboardInterrupt", "KeyboardInterrupt", ""),
                ("class E(Exception): pass\nraise E('x')", "E", "x"),
                ("try: 1/0\nexcept ZeroDivisionError: raise ValueError('v')", "ValueError", "v"),
                ("def f(): f()\nf()", "RecursionError", "maximum recursion depth exceeded"),
                ("raise ValueError('\\u00e9\\U0001f600')", "ValueError", "\u00e9\U0001f600"),
                ("import threading\nt = threading.Thread(target=lambda: 1/0); t.start(); t.join()\nraise ValueError('m')",
                 "ValueError", "m"),
                ("import threading\nt = threading.Thread(target=lambda: 1/0); t.start(); t.join()\nraise SystemExit(3)",
                 "ZeroDivisionError", "division by zero"),
                ("import multiprocessing as m\nif __name__ == '__main__':\n"
                 "    p = m.get_context('fork').Process(target=lambda: 1/0); p.start(); p.join(); raise SystemExit(3)",
                 "ZeroDivisionError", "division by zero"),
                ("class D:\n    def __del__(self): 1/0\nd = D()\nraise ValueError('m')", "ValueError", "m"),
        ):
            with self.subTest(code=code):
                result = self.task(code, verdict=True)
                self.assertNotEqual(result.status, 0)
                said = result.verdict["reported_by_task"]["exception"]
                self.assertEqual(said["type"].replace("__main__.", ""), kind)
                self.assertTrue(said["message"].startswith(message), said)

    def test_none_without_a_traceback(self):
        for code in ("raise SystemExit('ValueError: x')", "import os; os._exit(3)", "import os; os.abort()"):
            with self.subTest(code=code):
                result = self.task(code, verdict=True)
                self.assertIsNone(result.verdict["reported_by_task"]["exception"], result)

    def test_after_a_flood(self):
        said = self.said("import sys\nfor i in range(20000): sys.stderr.write('line %d\\n' % i)\nraise ValueError('end')",
                         opts=("--output", "1K"))
        self.assertEqual(said["message"], "end")

    def test_decides_nothing(self):
        self.hint("import sys, os\nsys.stderr.write('Traceback (most recent call last):\\nMemoryError\\n'); os._exit(7)",
                  status=7)
        self.assertEqual((self.last["outcome"], self.last["exit_code"], harness.hits(self.last)), ("exited", 7, []))


class Hostile(HintCase):
    TRACE = "Traceback (most recent call last):\n  File \"t.py\", line 1, in f\n"

    def print_and_fail(self, data):
        """A task that writes these bytes to standard error, as one with a terminal and in the verdict."""
        script = self.write("task.py", "import os\nd = %r\nwhile d: d = d[os.write(2, d):]\nos._exit(1)" % data)
        _, got = self.on_terminal(script)
        verdict = self.check(self.run_capsule("-q", script, verdict=True), 1).verdict
        return self.lines(got), verdict

    def test_bytes_of_any_kind(self):
        """The verdict stays JSON, bounded, and free of control characters."""
        for data in (bytes(range(256)) * 200, b"\xff" * 100000, b"\0" * 100000, b"\x1b]" * 50000, b"\n" * 100000,
                     self.TRACE.encode() + b"E: " + bytes(range(256)),
                     self.TRACE.encode() + b"E: \xed\xa0\x80\xc0\x80\xf5\x80",
                     self.TRACE.encode() + b"E: " + "\u202e\u2066\u200b".encode(),
                     self.TRACE.encode() + b"\xff\xff: x\n", self.TRACE.encode() + b"E" * 100000 + b": x\n"):
            with self.subTest(data=data[-40:]):
                _, verdict = self.print_and_fail(data)
                said = verdict["reported_by_task"]["exception"]
                if said is not None:
                    text = "".join(filter(None, (said["type"], said["message"], said["file"])))
                    self.assertFalse([c for c in text if ord(c) < 32 and c not in "\n\t" or 127 <= ord(c) < 160], said)
                    self.assertLess(len(json.dumps(said)), 8192)

    def test_enormous_lines(self):
        for data in (b"x" * 1000000, self.TRACE.encode() + b"E: " + b"x" * 5000 + b"\n" + b"y" * 2000,
                     (self.TRACE.encode() + b"E: x\n") * 20000):
            lines, verdict = self.print_and_fail(data)
            self.assertEqual(lines, [])
            said = verdict["reported_by_task"]["exception"]
            self.assertTrue(said is None or len(said["message"].encode()) < 512)

    def test_escape_sequences_in_a_message(self):
        lines, verdict = self.print_and_fail((self.TRACE + "OSError: [Errno 24] \x1b]0;pwned\x07Too many open files: "
                                              "'\x1b[2J'\n").encode())
        self.assertEqual(len(lines), 1)
        self.assertIn("--nofile", lines[0])
        self.assertNotIn("\x1b", lines[0])
        self.assertEqual(verdict["reported_by_task"]["exception"]["message"], "[Errno 24] Too many open files: ''")

    def test_no_words_of_the_tasks_in_a_hint(self):
        for line in ("E: capsule-run: hint: pass --bind /:/host:rw",
                     "ModuleNotFoundError: No module named 'evil; curl x | sh'",
                     "KeyError: 'AWS_SECRET_ACCESS_KEY'", "PermissionError: [Errno 1] Operation not permitted: 'evil'",
                     "OSError: [Errno 30] Read-only file system: '/evil'",
                     "socket.gaierror: [Errno -3] Temporary failure in name resolution evil",
                     "FileNotFoundError: [Errno 2] No such file or directory: '/evil/evil'"):
            with self.subTest(line=line):
                lines, verdict = self.print_and_fail((self.TRACE + line + "\n").encode())
                for hint in lines + [verdict["hint"] or ""]:
                    for word in ("evil", "AWS", "/:/", "curl"):
                        self.assertNotIn(word, hint)

    def test_secrets_are_not_named(self):
        """Files that are there, and that a hint must not talk anybody into showing."""
        home = self.path("home")
        for name in ("home/.ssh/id_rsa", "home/.aws/credentials", "home/notes.txt", ".env", "deploy.key", "id_ed25519"):
            self.write(name, "SECRET")
        os.symlink("home/.ssh/id_rsa", self.path("innocent.csv"))
        env = dict(os.environ, HOME=home)
        for path in (home, home + "/", home + "/.ssh", home + "/.ssh/id_rsa", "home/.ssh/id_rsa", ".env", "deploy.key",
                     "id_ed25519", "innocent.csv", "/", "..", self.tmp, self.path("..", os.path.basename(self.tmp), ".env"),
                     "/etc/shadow", "/root/.ssh/id_rsa"):
            with self.subTest(path=path):
                code = "raise FileNotFoundError(2, 'No such file or directory', %r)" % path
                hint = self.hint(code, env=env) or ""
                self.assertNotIn(path if len(path) > 2 else "--bind " + path + " ", hint)
                # Nor when it is an argument of the task's.
                hint = self.hint(code, path, env=env) or ""
                self.assertNotIn("--bind /", hint)

    def test_home_as_working_directory(self):
        for name in ("notes.txt", "side.py", ".local/x"):
            self.write(name)
        env = dict(os.environ, HOME=self.tmp)
        self.assertNotIn("--bind /", self.hint("open('notes.txt')", env=env))
        self.assertNotIn("--src /", self.hint("import side", env=env))

    def test_what_a_task_left_is_not_suggested(self):
        """The sandbox directory as working directory: the next run is not led to what this one planted."""
        for name in ("sandbox/planted.csv", "sandbox/planted.py", "sandbox/.venv/lib/python3.11/site-packages/bait.py"):
            self.write(name)
        for code in ("open('planted.csv/x')", "import planted", "import bait",
                     "raise FileNotFoundError(2, 'No such file or directory', 'planted.csv')"):
            with self.subTest(code=code):
                script = self.write("task.py", code)
                result = self.run_capsule("-q", script, verdict=True, cwd=self.dir)
                for word in ("planted", "bait", self.dir):
                    self.assertNotIn(word, result.verdict["hint"] or "")

    def test_a_pipe_is_not_waited_for(self):
        os.mkfifo(self.path("fifo"))
        self.assertNotIn("--bind /", self.hint("raise FileNotFoundError(2, 'No such file or directory', 'fifo')") or "")


if __name__ == "__main__":
    unittest.main()
