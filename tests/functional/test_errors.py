"""When it cannot be done, the task does not start: the message names the stage and, where it is known, the cure."""
import os
import shutil
import subprocess
import sys
import unittest

import harness


class Script(harness.Case):
    def test_missing(self):
        result = self.run_capsule(self.path("none.py"), "arg")
        self.refused(result, "script: ", "none.py", "No such file", "hint: ", status=127)

    @harness.only_user
    def test_unreadable(self):
        self.refused(self.run_capsule(self.write("secret.py", "pass", 0o000)), "script: ", "secret.py",
                     "Permission denied", "hint: ", status=126)

    def test_directory_without_main(self):
        os.mkdir(self.path("app"))
        self.refused(self.run_capsule(self.path("app")), "app", "__main__.py", status=127)

    def test_program(self):
        self.refused(self.run_capsule("/bin/true"), "script: /bin/true", "--exec -- /bin/true", status=126)

    def test_below_a_file(self):
        self.write("file")
        self.assertIn(self.run_capsule(self.path("file/task.py")).status, (126, 127))

    def test_device(self):
        self.assertNotEqual(self.run_capsule("/dev/tty0/x").status, 0)


class Words(harness.Case):
    """What somebody typed who meant something else."""

    def test_meant(self):
        for args, words in ((("--tiemout", "3s", "t.py"), ("--tiemout: no such option", "did you mean --timeout?")),
                            (("-ram", "1G", "t.py"), ("did you mean --ram?",)),
                            (("--max", "3", "t.py"), ("did you mean --max-retries?",)),
                            (("--help", "limts"), ("did you mean limits?", "accepted: ")),
                            (("--profile", "strct", "t.py"), ("did you mean strict?", "--list-profiles")),
                            (("--ram", "hello.py"), ("hello.py was taken as the value of --ram", "512M")),
                            (("--dir", "hello.py"), ("hello.py was taken as the value of --dir", "--dir DIR TASK.py")),
                            (("-h=limits",), ("a letter takes no =", "-t 30s")),
                            (("--bind=~/x", "t.py"), ("--bind ~/x: a ~ is not expanded", "whole path"))):
            with self.subTest(args=args):
                self.refused(self.run_capsule(*args, sandbox=False), *words, status=2)

    def test_nothing_is_near(self):
        self.assertNotIn("did you mean", self.run_capsule("--frobnicate", "t.py", sandbox=False).err)

    def test_letters_in_one(self):
        self.assertEqual(self.check(self.run_capsule("-qn", "-c", "print(1)")).out, "1\n")
        self.assertEqual(self.check(self.run_capsule("-qnt30s", "-c", "print(2)")).out, "2\n")
        self.assertEqual(self.check(self.run_capsule("-qnc", "print(3)")).out, "3\n")


class Requirements(harness.Case):
    LAYERS = "user,mount,pid,net,ipc,uts,cgroupns,no-new-privs,capabilities,seccomp"

    def test_what_always_holds(self):
        self.check(self.run_capsule("-q", "--require", self.LAYERS, "-c", "pass"))
        self.check(self.run_capsule("-q", "--require", "user", "--require", "seccomp", "-c", "pass"))

    @harness.for_cgroup(False)
    def test_cgroup_that_is_not_at_hand(self):
        self.refused(self.run_capsule("--require", "cgroup", "-c", "open('ran', 'w')"), "--require cgroup", "hint: ")
        self.assertFalse(os.path.exists(self.path("sandbox/ran")))

    @harness.for_cgroup(True)
    def test_cgroup_that_is_at_hand(self):
        result = self.check(self.run_capsule("-q", "--require", "cgroup", "-c", "pass", verdict=True))
        self.assertIn("cgroup", result.verdict["layers"])

    def test_unknown(self):
        for value in ("castle", "cgroup,castle", "", "cgroup,", "CGROUP", "cgroup user"):
            with self.subTest(value=value):
                result = self.run_capsule("--require", value, "-c", "pass")
                self.refused(result, "--require", status=2)


class Machine(harness.Case):
    @harness.only_root
    def test_inside_a_user_namespace_of_the_hosts_root_alone(self):
        """There the task would be the host's root."""
        result = self.run_capsule("--fresh", "-c", "pass", sandbox=False, prefix=[harness.need("unshare"), "-Ur"])
        self.refused(result, "idmap: ", "root", "hint: ")

    @harness.only_user
    def test_inside_a_user_namespace_of_ones_own(self):
        """As in a rootless container: root there is nobody special, and it works."""
        unshare = harness.need("unshare")
        if subprocess.run([unshare, "-Ur", "true"], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("unshare -Ur does not work here")
        result = self.run_capsule("-q", "--fresh", "-c", "import os; print(os.getuid())", sandbox=False,
                                  prefix=[unshare, "-Ur"])
        self.assertEqual(self.check(result).out, "1000\n")

    @harness.only_root
    def test_set_id_use_is_refused(self):
        copy = shutil.copy(harness.CAPSULE_RUN, self.path("capsule-run"))
        os.chown(copy, 64901, 64901)
        for mode in (0o4755, 0o2755):
            os.chmod(copy, mode)

            def drop():
                os.setgroups([])
                os.setgid(64902)
                os.setuid(64902)

            done = subprocess.run([copy, "--fresh", "-c", "pass"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, preexec_fn=drop, cwd="/")
            if done.returncode == 0:
                self.skipTest("set-id bits do not count on this file system")
            self.assertEqual(done.returncode, 125, done)
            self.assertIn(b"set-id", done.stderr)

    def test_no_arguments_vector(self):
        """A caller that passes no argv[0] (CVE-2021-4034's way) gets an error."""
        code = ("import ctypes; ctypes.CDLL(None).execve(%r, (ctypes.c_char_p * 1)(None), (ctypes.c_char_p * 1)(None))"
                % harness.CAPSULE_RUN.encode())
        done = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=harness.PATIENCE)
        self.assertIn(done.returncode, (2, 125), done)
        self.assertIn(b"capsule-run: ", done.stderr)


if __name__ == "__main__":
    unittest.main()
