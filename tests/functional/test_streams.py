"""Output goes where the caller sent it: whole, in order, as it is printed, and never without bound."""
import fcntl
import hashlib
import os
import signal
import socket
import subprocess
import sys
import termios
import unittest

import harness


class Output(harness.Case):
    def test_streams_are_apart(self):
        result = self.check_task("import sys; print('out'); print('err', file=sys.stderr)")
        self.assertEqual((result.out, result.err), ("out\n", "err\n"))

    def test_files(self):
        with open(self.path("out"), "w") as out, open(self.path("err"), "w") as err:
            self.check(self.run_capsule("-q", "-c", "import sys; print('o' * 9999); print('e', file=sys.stderr)",
                                        stdout=out, stderr=err))
        self.assertEqual((self.read("out"), self.read("err")), ("o" * 9999 + "\n", "e\n"))

    def test_appending(self):
        self.write("log", "before\n")
        with open(self.path("log"), "a") as log:
            self.check(self.run_capsule("-q", "-c", "print('one')", stdout=log, stderr=log))
            self.check(self.run_capsule("-q", "-c", "print('two')", stdout=log, stderr=log))
        self.assertEqual(self.read("log"), "before\none\ntwo\n")

    def test_null(self):
        with open(os.devnull, "r+") as null:
            self.check(self.run_capsule("-q", "-c", "print('x' * 100000)", stdout=null, stderr=null))

    def test_socket(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = self.start("-q", "-c", "print('x' * 5)", stdout=theirs)
            theirs.close()
            self.assertEqual(ours.makefile("rb").read(), b"xxxxx\n")
            self.assertEqual(process.wait(harness.PATIENCE), 0)

    def test_order_is_kept_when_both_go_to_one_place(self):
        code = "import os\nfor i in range(2000): os.write(1 + i % 2, b'%d\\n' % i)"
        expected = "".join("%d\n" % i for i in range(2000))
        result = self.check(self.run_capsule("-q", "-c", code, stderr=subprocess.STDOUT))
        self.assertEqual(result.out, expected)
        with open(self.path("log"), "w") as log:
            self.check(self.run_capsule("-q", "-c", code, stdout=log, stderr=log))
        self.assertEqual(self.read("log"), expected)

    def test_output_is_seen_as_it_is_printed(self):
        process = self.start("-q", "-c", "print('first'); import sys; print('err', file=sys.stderr); input(); print('last')",
                             stdin=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"first\n")
        self.assertEqual(process.stderr.readline(), b"err\n")
        self.assertIsNone(process.poll())
        process.stdin.write(b"\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), b"last\n")
        self.assertEqual(process.wait(harness.PATIENCE), 0)

    def test_output_without_a_line_end_is_seen_as_it_is_printed(self):
        process = self.start("-q", "-c", "import os; os.write(1, b'prompt> '); os.read(0, 1)", stdin=subprocess.PIPE)
        self.assertEqual(os.read(process.stdout.fileno(), 100), b"prompt> ")
        process.stdin.close()
        process.stdin = None
        self.assertEqual(process.wait(harness.PATIENCE), 0)

    def test_large_output(self):
        size = 100 << 20
        code = ("import sys\nb = bytes(range(256)) * 4096\nfor i in range(100): sys.stdout.buffer.write(b)\n"
                "sys.stdout.flush()")
        process = self.start("-q", "--output", "unlimited", "-c", code)
        digest, count = hashlib.sha256(), 0
        while True:
            data = process.stdout.read(1 << 20)
            if not data:
                break
            digest.update(data)
            count += len(data)
        self.assertEqual(process.wait(harness.PATIENCE), 0)
        self.assertEqual(count, size)
        self.assertEqual(digest.digest(), hashlib.sha256(bytes(range(256)) * 4096 * 100).digest())

    def test_bytes_are_not_changed(self):
        result = self.check(self.run_capsule("-q", "-c", "import os; os.write(1, bytes(range(256)))", text=False))
        self.assertEqual(result.out, bytes(range(256)))

    def test_slow_reader_loses_nothing(self):
        process = self.start("-q", "-c", "import os\nfor i in range(3000): os.write(1, b'%06d\\n' % i * 10)")
        fcntl.fcntl(process.stdout.fileno(), 1031, 4096)
        text = b""
        while True:
            data = os.read(process.stdout.fileno(), 777)
            if not data:
                break
            text += data
        self.assertEqual(text, b"".join(b"%06d\n" % i * 10 for i in range(3000)))

    def test_flags_of_the_callers_file_are_left(self):
        """The caller's open file is shared with others: no flag of it may change."""
        read_fd, write_fd = os.pipe()
        before = fcntl.fcntl(write_fd, fcntl.F_GETFL)
        process = self.start("-q", "-c", "print('ready'); input()", stdout=write_fd, stdin=subprocess.PIPE)
        self.assertEqual(os.read(read_fd, 5), b"ready")
        self.assertEqual(fcntl.fcntl(write_fd, fcntl.F_GETFL), before)
        process.stdin.close()
        process.stdin = None
        process.wait(harness.PATIENCE)
        self.assertEqual(fcntl.fcntl(write_fd, fcntl.F_GETFL), before)
        os.close(read_fd)
        os.close(write_fd)

    def test_pipe_that_is_nonblocking_loses_nothing(self):
        read_fd, write_fd = os.pipe()
        os.set_blocking(write_fd, False)
        process = self.start("-q", "-c", "import sys; sys.stdout.write('x' * 1000000)", stdout=write_fd)
        os.close(write_fd)
        with os.fdopen(read_fd, "rb") as reader:
            self.assertEqual(len(reader.read()), 1000000)
        self.assertEqual(process.wait(harness.PATIENCE), 0)

    def test_background_process_cannot_hold_the_output_open(self):
        code = "import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(1000)\nprint('done')"
        self.assertEqual(self.check(self.run_capsule("-q", "-c", code)).out, "done\n")


class ReaderGone(harness.Case):
    def test_task_ends_as_without_us(self):
        """yes | head: SIGPIPE for programs, BrokenPipeError for Python."""
        process = self.start("-q", "--output", "unlimited", "--exec", "--", "yes")
        os.read(process.stdout.fileno(), 100)
        process.stdout.close()
        process.stdout = None
        self.assertEqual(process.wait(harness.PATIENCE), 128 + signal.SIGPIPE)

    def test_python_gets_an_error(self):
        process = self.start("-q", "--output", "unlimited", "-c", "while True: print('x' * 1000)")
        os.read(process.stdout.fileno(), 100)
        process.stdout.close()
        process.stdout = None
        error = process.stderr.read()
        self.assertIn(b"BrokenPipeError", error)
        self.assertNotEqual(process.wait(harness.PATIENCE), 0)

    def test_silent_task_goes_on(self):
        process = self.start("-q", "-c", "import os, sys; os.write(1, b'x'); sys.stdin.read(); os._exit(3)",
                             stdin=subprocess.PIPE)
        os.read(process.stdout.fileno(), 1)
        process.stdout.close()
        process.stdout = None
        process.stdin.close()
        process.stdin = None
        self.assertEqual(process.wait(harness.PATIENCE), 3)

    def test_reader_that_was_never_there(self):
        read_fd, write_fd = os.pipe()
        os.close(read_fd)
        process = self.start("-q", "--exec", "--", "sh", "-c", "while echo x; do :; done; exit 5", stdout=write_fd)
        os.close(write_fd)
        self.assertIn(process.wait(harness.PATIENCE), (5, 128 + signal.SIGPIPE))

    def test_full_device_is_noticed(self):
        """A task whose output could not be written must not look like a success."""
        with open("/dev/full", "w") as full:
            result = self.run_capsule("-q", "-c", "print('x' * 100000)", stdout=full)
        self.assertNotEqual(result.status, 0, result)

    def never_read(self, code, *opts):
        read_fd, write_fd = os.pipe()
        process = self.start("-q", *opts, "-c", code, stdout=write_fd)
        try:
            return process.wait(harness.PATIENCE / 4)
        except subprocess.TimeoutExpired:
            self.fail("the reader that never reads outlives the timeout: %s" % (opts,))
        finally:
            os.close(read_fd)
            os.close(write_fd)

    def test_reader_that_never_reads_does_not_outlive_the_timeout(self):
        code = "while True: print('x' * 1000)"
        self.assertEqual(self.never_read(code, "-t", "500ms", "--grace", "5s"), 124)

    def test_nor_where_the_task_must_be_killed(self):
        code = "import signal; signal.signal(15, signal.SIG_IGN)\nwhile True: print('x' * 1000)"
        for grace in ("100ms", "0"):
            with self.subTest(grace=grace):
                self.assertEqual(self.never_read(code, "-t", "500ms", "--grace", grace), 124)

    def test_nor_where_the_task_has_ended(self):
        code = "import os; os.write(1, b'x' * 130000)"
        self.assertNotEqual(self.never_read(code, "-t", "1s", "--grace", "100ms"), 0)


class Closed(harness.Case):
    CODE = ("import os\nfor fd in (0, 1, 2): os.fstat(fd)\n"
            "assert os.read(0, 10) == b'', 'input'\nopen('seen', 'w').write('ok')")

    def test_closed_descriptors(self):
        for closed in ((0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)):
            with self.subTest(closed=closed):
                status = subprocess.run(self.argv("-q", "-c", self.CODE), cwd=self.tmp, timeout=harness.PATIENCE,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, close_fds=False,
                                        preexec_fn=lambda: [os.close(fd) for fd in closed]).returncode
                self.assertEqual(status, 0)
                self.assertEqual(self.read("sandbox/seen"), "ok")
                os.unlink(self.path("sandbox/seen"))

    def test_closed_output_reaches_no_other_file(self):
        """What is opened later must not become the task's standard output."""
        result = self.path("verdict.json")
        subprocess.run(self.argv("-q", "--result", result, "-c", "print('LEAK' * 10)"), cwd=self.tmp,
                       timeout=harness.PATIENCE, stdin=subprocess.DEVNULL, preexec_fn=lambda: os.close(1))
        self.assertNotIn("LEAK", self.read("verdict.json"))

    def test_read_only_output_is_no_hang(self):
        with open(os.devnull, "r") as null:
            self.run_capsule("-q", "-c", "print('x')", stdout=null)


class Bounded(harness.Case):
    def test_cut_output(self):
        result = self.check(self.run_capsule("--output", "1K", "-c", "print('x' * 5000)", verdict=True), 123)
        self.assertEqual(result.out, "x" * 1024)
        self.assertIn("3977 bytes were dropped", result.err)
        self.assertIn("--output", result.err)
        self.assertEqual(result.verdict["outcome"], "exited")
        self.assertEqual(result.verdict["exit_code"], 0)
        self.assertEqual(harness.hits(result.verdict), ["output"])
        stream = result.verdict["stdout"]
        self.assertEqual((stream["bytes"], stream["dropped_bytes"]), (1024, 3977))

    def test_exactly_the_bound_is_not_cut(self):
        result = self.check(self.run_capsule("-q", "--output", "1K", "-c", "import os; os.write(1, b'x' * 1024)",
                                             verdict=True))
        self.assertEqual((len(result.out), harness.hits(result.verdict)), (1024, []))

    def test_each_stream_has_its_own(self):
        code = "import os; os.write(1, b'o' * 1000); os.write(2, b'e' * 2000)"
        result = self.check(self.run_capsule("-q", "--output", "1K", "-c", code, verdict=True), 123)
        self.assertEqual((result.out, result.err), ("o" * 1000, "e" * 1024))
        self.assertEqual(result.verdict["stderr"]["dropped_bytes"], 976)

    def test_failure_of_its_own_is_kept(self):
        self.check(self.run_capsule("-q", "--output", "1K", "-c", "print('x' * 5000); raise SystemExit(9)"), 9)

    def test_task_runs_on(self):
        """Dropping is not blocking: what comes after is done."""
        self.check(self.run_capsule("-q", "--output", "1K", "-c", "print('x' * 5000000); open('end', 'w')"), 123)
        self.assertTrue(os.path.exists(self.path("sandbox/end")))

    def test_no_output_at_all(self):
        result = self.check(self.run_capsule("-q", "--output", "0", "-c", "print('x')"), 123)
        self.assertEqual(result.out, "")

    def test_kept_end(self):
        code = "for i in range(2000): print('line %d' % i)"
        result = self.check(self.run_capsule("--output", "90", "--output-keep", "tail", "-c", code, verdict=True), 123)
        self.assertEqual(result.out, "".join("line %d\n" % i for i in range(1991, 2000)))
        self.assertEqual(result.verdict["limits"]["output-keep"]["value"], "tail")
        self.assertEqual(harness.hits(result.verdict), ["output"])
        stream = result.verdict["stdout"]
        self.assertEqual((stream["bytes"], stream["dropped_bytes"]), (90, 18890 - 90))

    def test_kept_head_and_end(self):
        code = "for i in range(2000): print('line %d' % i)"
        result = self.check(self.run_capsule("--output", "180", "--output-keep", "both", "-c", code, verdict=True), 123)
        self.assertEqual(result.out, "".join("line %d\n" % i for i in range(11)) + "line 11\nline" +
                         "\n[capsule-run: 18710 bytes were left out here]\n" +
                         "".join("line %d\n" % i for i in range(1991, 2000)))
        stream = result.verdict["stdout"]
        self.assertEqual((stream["bytes"], stream["dropped_bytes"]), (180, 18890 - 180))

    def test_kept_whole_when_it_fits(self):
        for keep in ("head", "tail", "both"):
            with self.subTest(keep):
                result = self.check(self.run_capsule("-q", "--output", "1K", "--output-keep", keep, "-c",
                                                     "import os; os.write(1, b'\\xff' * 100 + b'x' * 924)", text=False))
                self.assertEqual(result.out, b"\xff" * 100 + b"x" * 924)

    def test_kept_head_is_seen_as_it_is_printed(self):
        process = self.start("-q", "--output", "1K", "--output-keep", "both", "-c", "print('first'); input(); print('last')",
                             stdin=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"first\n")
        process.stdin.write(b"\n")
        process.stdin.close()
        self.assertEqual(process.stdout.read(), b"last\n")
        self.assertEqual(process.wait(harness.PATIENCE), 0)

    def test_end_is_kept_of_a_task_that_was_ended(self):
        code = "import itertools, time\nfor i in itertools.count(): print('line %07d' % i); time.sleep(0.001)"
        result = self.check(self.run_capsule("-q", "--output", "130", "--output-keep", "tail", "--timeout", "2s", "-c",
                                             code, timeout=harness.PATIENCE), 124)
        numbers = [int(line.split()[1]) for line in result.out.splitlines()]
        self.assertEqual(len(numbers), 10, result)
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + 10)))

    def test_no_character_is_cut(self):
        code = "import sys; sys.stdout.reconfigure(encoding='utf-8'); print('\u20ac' * 1000, end='')"
        for keep in ("head", "tail", "both"):
            with self.subTest(keep):
                result = self.check(self.run_capsule("-q", "--output", "100", "--output-keep", keep, "-c", code,
                                                     text=False), 123)
                self.assertGreaterEqual(len(result.out), 94)
                self.assertEqual(set(result.out.decode().partition("\n[")[0]), {"\u20ac"})

    def test_more_than_can_be_kept_is_refused(self):
        result = self.run_capsule("--output", "unlimited", "--output-keep", "tail", "-c", "print('STARTED')")
        self.refused(result, "--output-keep tail", "--output unlimited", "64M", status=2)

    def peak_of(self, process):
        """The most memory that it had, in KiB."""
        with open("/proc/%d/status" % process.pid) as f:
            return int(next(line for line in f if line.startswith("VmHWM:")).split()[1])

    def peak_after(self, megabytes, *opts):
        """The supervisor's peak when a task has printed so much."""
        code = ("import os, time\nfor i in range(%d * 16): os.write(1, b'x' * 65536)\n"
                "open('done', 'w'); time.sleep(600)" % megabytes)
        process = self.start("-q", *opts, "-c", code, stdout=subprocess.DEVNULL)
        harness.wait_until(lambda: os.path.exists(self.path("sandbox/done")), "the end of the flood")
        peak = self.peak_of(process)
        process.kill()
        process.wait(harness.PATIENCE)
        os.unlink(self.path("sandbox/done"))
        return peak

    def test_flood_costs_constant_memory(self):
        for keep, kept in (("head", 0), ("tail", 1024), ("both", 512)):
            with self.subTest(keep):
                opts = ("--output", "1M", "--output-keep", keep)
                few, many = self.peak_after(2, *opts), self.peak_after(200, *opts)
                self.assertLess(many - few, 256)
                self.assertLess(many - self.peak_after(0, *opts), kept + 512)

    def test_stalled_reader_costs_constant_memory(self):
        base = self.peak_after(0)
        for keep in ("head", "both"):
            with self.subTest(keep):
                process = self.start("-q", "--output", "64M", "--output-keep", keep, "-c",
                                     "import os\nwhile True: os.write(1, b'x' * 65536)")
                unread = lambda: int.from_bytes(fcntl.ioctl(process.stdout, termios.FIONREAD, b"\0" * 4), sys.byteorder)
                harness.wait_until(lambda: unread() == 65536, "a full pipe")
                self.assertLess(self.peak_of(process) - base, 512)

    def test_default_bound(self):
        process = self.start("-q", "-c", "import os\nfor i in range(17 * 16): os.write(1, b'x' * 65536)")
        self.assertEqual(len(process.stdout.read()), 16 << 20)
        self.assertEqual(process.wait(harness.PATIENCE), 123)


class Input(harness.Case):
    def test_whole(self):
        result = self.check(self.run_capsule("-q", "-c", "import sys; print(len(sys.stdin.read()))", stdin="x" * 100000))
        self.assertEqual(result.out, "100000\n")

    def test_large(self):
        data = os.urandom(1 << 20) * 50
        code = ("import hashlib, sys\nh = hashlib.sha256()\n"
                "for b in iter(lambda: sys.stdin.buffer.read(1 << 16), b''): h.update(b)\nprint(h.hexdigest())")
        expected = hashlib.sha256(data).hexdigest() + "\n"
        self.assertEqual(self.check(self.run_capsule("-q", "-c", code, stdin=data)).out, expected)
        self.write("input", data)
        with open(self.path("input"), "rb") as f:
            self.assertEqual(self.check(self.run_capsule("-q", "-c", code, stdin=f)).out, expected)

    def test_arrives_as_it_is_written(self):
        process = self.start("-q", "-c", "while True: print(input()[::-1])", stdin=subprocess.PIPE)
        for word in (b"abc", b"def"):
            process.stdin.write(word + b"\n")
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), word[::-1] + b"\n")

    def test_socket(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(b"from a socket\n")
            ours.shutdown(socket.SHUT_WR)
            self.assertEqual(self.check(self.run_capsule("-q", "-c", "print(input())", stdin=theirs)).out,
                             "from a socket\n")

    def test_none_asked_for(self):
        for option in ("-n", "--no-stdin"):
            result = self.check(self.run_capsule("-q", option, "-c", "import sys; print(repr(sys.stdin.read()))",
                                                 stdin="secret"))
            self.assertEqual(result.out, "''\n")

    def test_no_stdin_with_input_that_never_ends(self):
        process = self.start("-q", "-n", "-c", "import sys; print(sys.stdin.read())", stdin=subprocess.PIPE)
        self.assertEqual(process.wait(harness.PATIENCE), 0)

    def test_task_that_reads_nothing_does_not_wait_for_the_end_of_input(self):
        process = self.start("-q", "-c", "print('done')", stdin=subprocess.PIPE)
        self.assertEqual(process.wait(harness.PATIENCE), 0)

    def test_endless_device(self):
        with open("/dev/zero", "rb") as zero:
            result = self.check(self.run_capsule("-q", "-c", "import os; print(len(os.read(0, 10)))", stdin=zero))
        self.assertEqual(result.out, "10\n")

    def test_write_only_input_is_no_hang(self):
        with open(os.devnull, "w") as null:
            self.run_capsule("-q", "-c", "import sys; sys.stdin.read()", stdin=null)


class InputIsLeft(harness.Case):
    """What the task did not read stays for who comes next: `while read` around capsule-run keeps its lines."""

    def rest(self, code, reader):
        with open(reader, "rb", closefd=False) if isinstance(reader, int) else open(reader, "rb") as source:
            self.check(self.run_capsule("-q", "-c", code, stdin=source))
            return os.read(source.fileno(), 100000)

    def test_file(self):
        text = b"".join(b"line %d\n" % i for i in range(5000))
        self.write("input", text)
        self.assertEqual(self.rest("import os; os.read(0, 14)", self.path("input")), text[14:])
        self.assertEqual(self.rest("pass", self.path("input")), text)
        self.assertEqual(self.rest("import sys; sys.stdin.read()", self.path("input")), b"")

    def test_file_from_where_it_stands(self):
        self.write("input", b"0123456789")
        with open(self.path("input"), "rb", buffering=0) as source:
            source.seek(3)
            result = self.check(self.run_capsule("-q", "-c", "import os; print(os.read(0, 4))", stdin=source))
            self.assertEqual(result.out, "b'3456'\n")
            self.assertEqual(source.read(), b"789")

    def test_pipe(self):
        read_fd, write_fd = os.pipe()
        text = b"".join(b"line %d\n" % i for i in range(1000))
        os.write(write_fd, text)
        os.close(write_fd)
        self.assertEqual(self.rest("import os; os.read(0, 7)", read_fd), text[7:])
        os.close(read_fd)

    def test_socket(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(b"one\ntwo\n")
            self.check(self.run_capsule("-q", "-c", "import os; os.read(0, 4)", stdin=theirs))
            theirs.setblocking(False)
            self.assertEqual(theirs.recv(100), b"two\n")

    def test_loop_in_a_shell(self):
        script = 'while read -r line; do %s -q --fresh -c "import sys; print(sys.argv[1])" "$line"; done'
        for form in ("printf '1\\n2\\n3\\n' | (%s)", "(%s) < input"):
            self.write("input", "1\n2\n3\n")
            out = subprocess.run(["sh", "-c", form % (script % harness.CAPSULE_RUN)], cwd=self.tmp,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=harness.PATIENCE).stdout
            self.assertEqual(out, b"1\n2\n3\n")

    def test_loop_whose_task_reads_a_line(self):
        self.write("input", "a\n1\nb\n2\n")
        script = 'while read -r line; do %s -q --fresh --exec -- sh -c "read x; echo $line \\$x"; done < input'
        out = subprocess.run(["sh", "-c", script % harness.CAPSULE_RUN], cwd=self.tmp, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, timeout=harness.PATIENCE).stdout
        self.assertEqual(out, b"a 1\nb 2\n")

    def test_file_is_left_when_the_task_is_killed(self):
        self.write("input", b"0123456789")
        with open(self.path("input"), "rb", buffering=0) as source:
            self.check(self.run_capsule("-q", "-c", "import os; os.read(0, 4); os.kill(os.getpid(), 9)", stdin=source),
                       137)
            self.assertEqual(source.read(), b"456789")


if __name__ == "__main__":
    unittest.main()
