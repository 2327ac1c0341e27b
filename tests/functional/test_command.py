"""Everything that runs with python3 runs with capsule-run: the same way, with the same arguments and exit status."""
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest
import zipfile

import harness


class Forms(harness.Case):
    def test_script_with_arguments(self):
        self.says("import sys; print(sys.argv[1:])", "['a', '-q', '--ram', '', 'b c', '--']",
                  "a", "-q", "--ram", "", "b c", "--")

    def test_script_is_main_and_has_its_name(self):
        self.says("import sys, os; print(__name__, os.path.basename(__file__), os.path.basename(sys.argv[0]))",
                  "__main__ task.py task.py")

    def test_arguments_keep_bytes_that_are_not_utf8(self):
        path = self.write("task.py", "import sys, os; print(os.fsencode(sys.argv[1]))")
        result = self.check(self.run_capsule("-q", path, b"\xff\xfe"))
        self.assertEqual(result.out, "b'\\xff\\xfe'\n")

    def test_script_named_like_an_option(self):
        self.write("-c", "import sys; print('script', sys.argv[1:])")
        result = self.check(self.run_capsule("-q", "./-c", "x"))
        self.assertEqual(result.out, "script ['x']\n")
        result = self.check(self.run_capsule("-q", "--", "-c", "x"))
        self.assertEqual(result.out, "script ['x']\n")

    def test_script_name_with_blanks_and_unicode(self):
        path = self.write("mein täsk 1.py", "print('ok')")
        self.assertEqual(self.check(self.run_capsule("-q", path)).out, "ok\n")

    def test_relative_script_path(self):
        self.write("sub/task.py", "print('ok')")
        self.assertEqual(self.check(self.run_capsule("-q", "sub/task.py")).out, "ok\n")

    def test_script_through_a_link(self):
        path = self.write("real.py", "print('ok')")
        os.symlink(path, self.path("link.py"))
        self.assertEqual(self.check(self.run_capsule("-q", self.path("link.py"))).out, "ok\n")

    def test_code(self):
        result = self.check(self.run_capsule("-q", "-c", "import sys; print(sys.argv)", "a", "-b"))
        self.assertEqual(result.out, "['-c', 'a', '-b']\n")

    def test_module(self):
        result = self.check(self.run_capsule("-q", "-m", "json.tool", "--compact", stdin='{"a": [1, 2]}'))
        self.assertEqual(result.out.strip(), '{"a":[1,2]}')

    def test_standard_input(self):
        result = self.check(self.run_capsule("-q", "-", "a", stdin="import sys; print(sys.argv)\n"))
        self.assertEqual(result.out, "['-', 'a']\n")

    def test_process_substitution(self):
        result = self.check(self.run_capsule("-q", "/dev/fd/0", "a", stdin="import sys; print(sys.argv[1:])\n"))
        self.assertEqual(result.out, "['a']\n")

    def test_zip_application(self):
        path = self.path("app.pyz")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("__main__.py", "import helper, sys; print(helper.x, sys.argv[1:])")
            archive.writestr("helper.py", "x = 42")
        self.assertEqual(self.check(self.run_capsule("-q", path, "a")).out, "42 ['a']\n")

    def test_directory_with_main(self):
        self.write("app/__main__.py", "import helper, sys; print(helper.x, sys.argv[1:])")
        self.write("app/helper.py", "x = 42")
        self.assertEqual(self.check(self.run_capsule("-q", self.path("app"), "a")).out, "42 ['a']\n")

    def test_directory_given_as_a_dot(self):
        self.write("app/__main__.py", "print('ok')")
        self.assertEqual(self.check(self.run_capsule("-q", ".", cwd=self.path("app"))).out, "ok\n")

    def test_interpreter_line(self):
        bin_dir = self.path("bin")
        os.mkdir(bin_dir)
        os.symlink(harness.CAPSULE_RUN, os.path.join(bin_dir, "capsule-run"))
        path = self.write("tool", "#!/usr/bin/env -S capsule-run -q --fresh\nimport sys; print(sys.argv[1:])\n", 0o755)
        env = dict(os.environ, PATH=bin_dir + ":" + os.environ["PATH"])
        out = subprocess.run([path, "a", "-q"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             timeout=harness.PATIENCE)
        self.assertEqual((out.returncode, out.stdout), (0, b"['a', '-q']\n"))

    def test_windows_line_ends_and_bom(self):
        path = self.write("task.py", b"\xef\xbb\xbfimport sys\r\nprint('ok')\r\n")
        self.assertEqual(self.check(self.run_capsule("-q", path)).out, "ok\n")

    def test_empty_script(self):
        self.assertEqual(self.check_task("").out, "")

    def test_large_script(self):
        path = self.write("task.py", "x = %r\nprint(len(x))\n" % ("a" * 20_000_000))
        self.assertEqual(self.check(self.run_capsule("-q", path)).out, "20000000\n")


class Exec(harness.Case):
    def test_program_and_arguments(self):
        result = self.check(self.run_capsule("-q", "--exec", "--", "printf", "[%s]", "a", "-q", "--"))
        self.assertEqual(result.out, "[a][-q][--]")

    def test_shell(self):
        self.check(self.run_capsule("-q", "--exec", "--", "sh", "-c", "exit 7"), 7)

    def test_absolute_program(self):
        self.assertEqual(self.check(self.run_capsule("-q", "--exec", "--", "/bin/echo", "x")).out, "x\n")

    def test_without_dashes(self):
        self.assertEqual(self.check(self.run_capsule("-q", "--exec", "echo", "x")).out, "x\n")

    def test_program_in_the_sandbox_directory(self):
        self.write("sandbox/tool", "#!/bin/sh\necho tool \"$@\"\n", 0o755)
        result = self.check(self.run_capsule("-q", "--exec", "--", "./tool", "a"))
        self.assertEqual(result.out, "tool a\n")

    def test_missing_program(self):
        self.refused(self.run_capsule("--exec", "--", "no-such-program-here"), "no-such-program-here", status=127)
        self.refused(self.run_capsule("--exec", "--", "/no/such"), "/no/such", status=127)

    def test_program_that_cannot_be_executed(self):
        self.write("sandbox/data", "text", 0o644)
        self.refused(self.run_capsule("--exec", "--", "./data"), "./data", status=126)
        self.refused(self.run_capsule("--exec", "--", "/usr"), "/usr", status=126)

    def test_program_of_no_known_format(self):
        self.write("sandbox/junk", b"\0\1\2\3junk", 0o755)
        self.assertIn(self.run_capsule("--exec", "--", "./junk").status, (126, 127))


class ExitStatus(harness.Case):
    def test_every_exit_code(self):
        # One at a time would cost a start each: a few ends, both sides of what capsule-run uses itself.
        for code in (0, 1, 2, 3, 42, 77, 122, 123, 124, 125, 126, 127, 128, 129, 137, 143, 200, 254, 255):
            with self.subTest(code=code):
                result = self.check(self.run_capsule("-q", "-c", "import os; os._exit(%d)" % code, verdict=True), code)
                self.assertEqual((result.verdict["outcome"], result.verdict["exit_code"]), ("exited", code))
                self.assertEqual(result.verdict["status"], code)

    def test_sys_exit_forms(self):
        for argument, status, err in (("", 0, ""), ("None", 0, ""), ("3", 3, ""), ("True", 1, ""), ("256", 0, ""),
                                      ("-1", 255, ""), ("'message'", 1, "message\n"), ("1.5", 1, "1.5\n")):
            with self.subTest(argument=argument):
                result = self.check(self.run_capsule("-q", "-c", "import sys; sys.exit(%s)" % argument), status)
                self.assertEqual(result.err, err)

    def test_uncaught_exception(self):
        result = self.check(self.task("def f():\n    raise ValueError('boo')\nf()\n"), 1)
        self.assertIn("Traceback (most recent call last)", result.err)
        self.assertIn("ValueError: boo", result.err)
        self.assertIn("raise ValueError('boo')", result.err)

    def test_syntax_error(self):
        result = self.check(self.task("x = = 1\n"), 1)
        self.assertIn("SyntaxError", result.err)

    def test_missing_module(self):
        self.assertIn("No module named", self.check(self.run_capsule("-q", "-m", "no_such_module"), 1).err)

    def test_killed_by_a_signal(self):
        for sig in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGPIPE, signal.SIGXFSZ,
                    signal.SIGUSR1):
            with self.subTest(signal=sig.name):
                code = ("import os, signal, faulthandler\nsignal.signal(%d, signal.SIG_DFL) if %d != 9 else 0\n"
                        "os.kill(os.getpid(), %d)\nsignal.pause()" % (sig, sig, sig))
                result = self.check(self.run_capsule("-q", "-c", code, verdict=True), 128 + sig)
                self.assertEqual((result.verdict["outcome"], result.verdict["signal"]), ("signaled", sig))
                self.assertIsNone(result.verdict["exit_code"])

    def test_keyboard_interrupt_inside(self):
        code = "import signal; signal.raise_signal(signal.SIGINT)"
        self.check(self.run_capsule("-q", "-c", code), 130)

    def test_same_as_python(self):
        """The status of a plain interpreter is the reference."""
        python = harness.task_python()[0] if os.access(harness.task_python()[0], os.X_OK) else sys.executable
        for code in ("raise SystemExit(77)", "1/0", "import os; os.abort()", "assert False", "import sys; sys.exit([])"):
            with self.subTest(code=code):
                plain = subprocess.run([python, "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, cwd=self.tmp).returncode
                self.check(self.run_capsule("-q", "-c", code), plain if plain >= 0 else 128 - plain)


class Signals(harness.Case):
    def ready(self, process):
        self.assertEqual(process.stdout.readline(), b"ready\n")

    def test_terminated_task(self):
        process = self.start("-q", "-c", "print('ready'); import signal; signal.pause()")
        self.ready(process)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(harness.PATIENCE), 128 + signal.SIGTERM)

    def test_task_handles_what_is_sent_to_us(self):
        # A wakeup descriptor, for a signal may come just before one waits for it.
        code = ("import os, signal, sys\nr, w = os.pipe()\nos.set_blocking(w, False)\nsignal.set_wakeup_fd(w)\n"
                "for s in (1, 2, 3, 10, 12, 15): signal.signal(s, lambda n, f: None)\n"
                "print('ready')\nsys.exit(os.read(r, 1)[0] + 40)")
        for sig in (1, 2, 3, 10, 12, 15):
            with self.subTest(signal=sig):
                process = self.start("-q", "-c", code)
                self.ready(process)
                process.send_signal(sig)
                self.assertEqual(process.wait(harness.PATIENCE), sig + 40)

    def test_interrupt_ends_us_as_it_ends_python(self):
        process = self.start("-q", "-c", "import time\nprint('ready')\nwhile True: time.sleep(0.05)")
        self.ready(process)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(harness.PATIENCE), -signal.SIGINT)

    def test_ignored_signals_stay_ignored(self):
        code = "print('ready'); input(); print('end')"
        process = self.start("-q", "-c", code, stdin=subprocess.PIPE,
                             preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.ready(process)
        process.send_signal(signal.SIGHUP)
        process.stdin.write(b"\n")
        process.stdin.close()
        process.stdin = None
        self.assertEqual(process.wait(harness.PATIENCE), 0)

    def test_task_starts_with_default_signals(self):
        def blocked():
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGTERM})
            for sig in (signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT):
                signal.signal(sig, signal.SIG_IGN)
        # Python itself ignores SIGPIPE and SIGXFSZ; cat does not.
        result = self.check(self.run_capsule("-q", "--exec", "--", "cat", "/proc/self/status", preexec_fn=blocked))
        fields = dict(re.findall(r"^(Sig\w+):\s*(\w+)", result.out, re.M))
        self.assertEqual({k: int(fields[k], 16) for k in ("SigBlk", "SigIgn", "SigCgt")},
                         {"SigBlk": 0, "SigIgn": 0, "SigCgt": 0})


class Usage(harness.Case):
    def usage(self, *args, words=()):
        result = self.run_capsule(*args, sandbox=False)
        self.refused(result, *words, status=2)
        self.assertEqual(result.out, "")
        return result

    def test_no_task(self):
        self.usage(words=("no task", "--help"))

    def test_unknown_options(self):
        self.usage("--no-such", "x.py", words=("--no-such",))
        self.usage("-Z", "x.py", words=("-Z",))

    def test_abbreviations_are_refused(self):
        for option in ("--time=5", "--ra=1G", "--verb", "--hel"):
            self.usage(option, "x.py", words=(option.split("=")[0],))

    def test_values_are_named_with_what_is_accepted(self):
        for option, value, accepted in (
                ("--ram", "lots", "512M"), ("--ram", "-1", "512M"), ("--ram", "1X", "512M"), ("--ram", "", "512M"),
                ("--ram", "512 M", "512M"), ("--ram", "1e9", "512M"), ("--ram", "1", "4M"), ("--ram", "99999999T", ""),
                ("--pids", "many", "number"), ("--pids", "0", "2"), ("--pids", "1.5", "number"),
                ("--timeout", "soon", "30s"), ("--timeout", "5 m", "30s"), ("--timeout", "0", "10ms"),
                ("--cpu", "-2", "0.5"), ("--cpu", "0", ""), ("--cpu", "1.23456", "0.5"), ("--nofile", "3", "16"),
                ("--cpu-time", "x", "30s"), ("--grace", "x", "30s"), ("--fsize", "x", "512M"), ("--output", "x", "512M"),
                ("--disk", "x", "512M"), ("--inodes", "x", "number"), ("--ram", "unlimited", "512M"),
                ("--require", "castle", "cgroup"), ("--env", "1A=b", "NAME"), ("--env", "=b", "NAME"),
                ("--bind", "a:b:c:d", "HOST"), ("--bind", "/tmp:relative", "HOST"), ("--result", "fd:x", "fd:N")):
            with self.subTest(option=option, value=value):
                self.usage(option, value, "x.py", words=(option, value, accepted))

    def test_missing_value(self):
        for option in ("--ram", "--dir", "-t", "-e", "-c", "-m"):
            self.usage(option, words=(option,))

    def test_value_for_a_flag(self):
        self.usage("--quiet=maybe", "x.py", words=("--quiet maybe", "yes, no"))

    def test_contradictions(self):
        self.usage("-q", "-v", "x.py", words=("--quiet", "--verbose"))
        self.usage("--fresh", "--dir", "/tmp", "x.py", words=("--fresh", "--dir"))

    def test_env_that_is_not_set(self):
        self.usage("--env", "NO_SUCH_VARIABLE_HERE", "x.py", words=("NO_SUCH_VARIABLE_HERE",))

    def test_both_ways_to_give_a_value(self):
        for args in (("--ram=64M",), ("--ram", "64M"), ("-t5s",), ("-t", "5s"), ("--timeout=5s",)):
            with self.subTest(args=args):
                self.check(self.run_capsule("-q", *args, "-c", "pass"))

    def test_units(self):
        for value in ("64M", "64MB", "64MiB", "0.0625G", "67108864", "65536K", "64m"):
            with self.subTest(value=value):
                result = self.run_capsule("--ram", value, "--print-policy", sandbox=False)
                if value == "64m" and result.status == 2:
                    continue
                self.assertRegex(self.check(result).out, r"ram = 64M\s+# command line")
        for value, shown in (("500ms", "500ms"), ("30s", "30s"), ("30", "30s"), ("1.5h", "90m"), ("60m", "1h")):
            with self.subTest(value=value):
                self.assertRegex(self.check(self.run_capsule("-t", value, "--print-policy", sandbox=False)).out,
                                 r"timeout = %s\s+# command line" % shown)


class Information(harness.Case):
    def test_version(self):
        for option in ("--version", "-V"):
            result = self.check(self.run_capsule(option, sandbox=False))
            self.assertRegex(result.out, r"^capsule-run \d+\.\d+")
            self.assertEqual(result.err, "")

    def test_help_fits_a_screen(self):
        for option in ("--help", "-h"):
            result = self.check(self.run_capsule(option, sandbox=False))
            lines = result.out.splitlines()
            self.assertLessEqual(len(lines), 30)
            self.assertLessEqual(max(map(len, lines)), 80)
            for word in ("Usage:", "limits, files, network, task, run, all", "--ram", "--timeout", "Exit status"):
                self.assertIn(word, result.out)

    def test_help_of_a_group(self):
        result = self.check(self.run_capsule("--help", "files", sandbox=False))
        self.assertIn("--fresh", result.out)
        self.assertNotIn("--ram", result.out)
        everything = self.check(self.run_capsule("--help", "all", sandbox=False)).out
        for word in ("Limits:", "Files:", "Task:", "Run:", "--ram", "--inodes", "--require", "--list-profiles"):
            self.assertIn(word, everything)
        self.refused(self.run_capsule("--help", "fles", sandbox=False), "fles", "limits, files, network, task, run, all", status=2)

    def test_help_on_a_full_device(self):
        with open("/dev/full", "w") as full:
            self.check(self.run_capsule("--help", sandbox=False, stdout=full), 125)

    def test_print_policy_names_origins(self):
        result = self.check(self.run_capsule("--ram", "64M", "--print-policy", sandbox=False))
        self.assertRegex(result.out, r"(?m)^ram = 64M\s+# command line$")
        for name, value in (("pids", "256"), ("nofile", "1024"), ("fsize", "1G"), ("output", "16M"), ("disk", "1G"),
                            ("inodes", "20000"), ("timeout", "10m"), ("grace", "1s"), ("cpu", "unlimited"),
                            ("cpu-time", "unlimited"), ("dir", harness.GUEST_DIR)):
            self.assertRegex(result.out, r"(?m)^%s = %s\s+# default$" % (name, re.escape(value)))

    def test_print_policy_rejects_what_a_run_would(self):
        self.refused(self.run_capsule("--env", "1=2", "--print-policy", sandbox=False), "--env", status=2)

    def test_quiet_says_nothing_of_its_own(self):
        self.assertEqual(self.check(self.run_capsule("-q", "-c", "pass")).err, "")

    def test_normal_says_which_limits_are_weaker(self):
        result = self.check(self.run_capsule("-c", "pass"))
        if harness.has_cgroup():
            self.assertEqual(result.err, "")
        else:
            self.assertEqual(len(result.err.splitlines()), 1)
            self.assertIn("watchdog", result.err)

    def test_verbose_ends_with_what_was_used(self):
        result = self.check(self.run_capsule("-v", "-c", "pass"))
        self.assertRegex(result.err.splitlines()[-1], r"verdict: exited, status 0; \d+ ms, CPU \d+ ms, memory ")


class Python(harness.Case):
    """The interpreter that a task gets; test_python.py has the choice of another."""

    def test_found_on_path(self):
        env = dict(os.environ, PATH="/usr/bin:/bin")
        harness.system_python()
        result = self.check(self.run_capsule("-q", "-c", "import sys; print(sys.executable)", env=env))
        self.assertTrue(result.out.startswith("/usr/bin/python3"), result.out)

    def test_none_on_path(self):
        env = dict(os.environ, PATH=self.tmp)
        self.refused(self.run_capsule("-c", "pass", env=env), "python3", "--python", status=127)

    def test_relative_path_entries_are_not_searched(self):
        os.symlink("/bin/true", self.path("python3"))
        for entry in (".", "", "bin/../"):
            env = dict(os.environ, PATH=entry + ":/nonexistent")
            self.assertNotEqual(self.run_capsule("-c", "pass", env=env).status, 0)


if __name__ == "__main__":
    unittest.main()
