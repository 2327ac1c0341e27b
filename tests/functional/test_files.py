"""The sandbox directory, --fresh, --bind and --src: what is shown is what was asked for, and nothing is written elsewhere."""
import os
import socket
import subprocess
import sys
import unittest

import harness


class Dir(harness.Case):
    def dir_refused(self, path, *words):
        result = self.run_capsule("--dir", path, "-c", "pass", sandbox=False)
        return self.refused(result, path, *words)

    def test_missing(self):
        self.dir_refused(self.path("none"), "No such file", "mkdir")

    def test_file(self):
        self.dir_refused(self.write("file"), "Not a directory", "--dir", "--fresh")

    def test_link(self):
        os.symlink(self.dir, self.path("link"))
        self.dir_refused(self.path("link"), "symbolic link", "--dir", "--fresh")

    def test_link_with_a_slash(self):
        os.symlink(self.dir, self.path("link"))
        self.assertNotEqual(self.run_capsule("--dir", self.path("link") + "/", "-c", "pass", sandbox=False).status, 0)

    @harness.only_user
    def test_somebody_elses(self):
        self.dir_refused("/usr", "belongs to uid 0", "--dir", "--fresh")
        self.dir_refused("/tmp", "belongs to uid 0", "--dir", "--fresh")

    def test_whole_host(self):
        self.assertEqual(self.run_capsule("--dir", "/", "-c", "pass", sandbox=False).status, 125)

    def test_relative(self):
        self.check(self.run_capsule("-q", "--dir", "sandbox", "-c", "open('x', 'w')", sandbox=False))
        self.assertTrue(os.path.exists(self.path("sandbox/x")))

    def test_name_with_blanks_and_unicode(self):
        name = self.path("ein Ordner: ä")
        os.mkdir(name)
        if harness.ROOT:
            os.chown(name, harness.task_uid(), harness.task_uid())
        self.check(self.run_capsule("-q", "--dir", name, "-c", "open('x', 'w')", sandbox=False))
        self.assertTrue(os.path.exists(os.path.join(name, "x")))

    @harness.only_root
    def test_roots_empty_directory_is_handed_over(self):
        os.mkdir(self.path("mine"))
        self.check(self.run_capsule("-q", "--dir", self.path("mine"), "-c", "open('x', 'w')", sandbox=False))
        self.assertEqual(os.stat(self.path("mine/x")).st_uid, harness.task_uid())

    @harness.only_root
    def test_roots_full_directory_is_refused(self):
        self.write("mine/file")
        self.dir_refused(self.path("mine"), "not empty", "chown")
        self.assertEqual(os.stat(self.path("mine")).st_uid, 0)

    @harness.only_root
    def test_another_users_directory_keeps_its_owner(self):
        os.mkdir(self.path("theirs"))
        os.chown(self.path("theirs"), 64901, 64902)
        with open(self.path("theirs/in"), "w") as f:
            f.write("theirs")
        os.chown(self.path("theirs/in"), 64901, 64902)
        os.chmod(self.path("theirs/in"), 0o600)
        result = self.run_capsule("--dir", self.path("theirs"), "-c", "open('x', 'w').write(open('in').read())",
                                  sandbox=False)
        if result.status == 125 and "map the owner" in result.err:
            self.skipTest("this file system has no id-mapped mounts")
        self.check(result)
        info = os.stat(self.path("theirs/x"))
        self.assertEqual((info.st_uid, info.st_gid), (64901, 64902))
        self.assertEqual(self.read("theirs/x"), "theirs")

    def test_files_stay_from_run_to_run(self):
        self.check_task("open('x', 'w').write('1')")
        self.says("print(open('x').read())", "1")

    def test_nothing_of_ours_lies_in_it(self):
        self.says("import os; print(os.listdir('.'))", "[]")
        self.assertEqual(os.listdir(self.dir), [])

    def test_its_real_place_is_not_shown(self):
        self.says("import os; print(os.path.exists(%r))" % self.tmp, "False")


class DefaultDir(harness.Case):
    def run_default(self, *args, setup=None):
        return harness.run_with_empty_tmp(self, *args, setup=setup)

    def test_made_private(self):
        code = "import os; s = os.stat('.'); print(oct(s.st_mode & 0o7777), os.getcwd())"
        self.assertEqual(self.check(self.run_default("-q", "-c", code)).out, "0o700 /tmp/agent_sandbox\n")

    def test_made_whatever_the_umask(self):
        code = "open('x', 'w'); import os; print(oct(os.stat('.').st_mode & 0o7777))"
        self.assertEqual(self.check(self.run_default("-q", "-c", code, setup=lambda: os.umask(0o022))).out, "0o700\n")

    def test_used_again(self):
        def setup():
            os.mkdir("/tmp/agent_sandbox", 0o700)
            with open("/tmp/agent_sandbox/x", "w") as f:
                f.write("kept")

        result = self.run_default("-q", "-c", "print(__import__('os').listdir('.'))", setup=setup)
        self.assertEqual(self.check(result).out, "['x']\n")

    def test_a_link_there_is_refused(self):
        def setup():
            os.mkdir("/tmp/other")
            os.symlink("/tmp/other", "/tmp/agent_sandbox")

        self.refused(self.run_default("-c", "pass", setup=setup), "/tmp/agent_sandbox", "symbolic link", "--dir",
                     "--fresh")

    def test_a_dangling_link_there_is_refused(self):
        result = self.run_default("-c", "pass", setup=lambda: os.symlink("/tmp/none", "/tmp/agent_sandbox"))
        self.refused(result, "/tmp/agent_sandbox", "symbolic link", "--dir", "--fresh")

    def test_a_file_there_is_refused(self):
        result = self.run_default("-c", "pass", setup=lambda: open("/tmp/agent_sandbox", "w").close())
        self.refused(result, "/tmp/agent_sandbox", "--dir", "--fresh")

    @harness.only_root
    def test_somebody_elses_is_refused_to_root(self):
        def setup():
            os.mkdir("/tmp/agent_sandbox")
            os.chown("/tmp/agent_sandbox", 64901, 64901)

        self.refused(self.run_default("-c", "pass", setup=setup), "belongs to uid 64901", "--dir", "--fresh")

    def test_example_of_the_manual(self):
        code = "open('/tmp/agent_sandbox/answer', 'w').write('42'); print(open('answer').read())"
        self.assertEqual(self.check(self.run_default("-q", "--ram", "512M", "-c", code)).out, "42\n")


class Fresh(harness.Case):
    def fresh(self, code, *opts, status=0, **kw):
        return self.check(self.run_capsule("-q", "--fresh", *opts, "-c", code, sandbox=False, **kw), status)

    def test_empty_writable_and_gone(self):
        for _ in range(2):
            self.assertEqual(self.fresh("import os; print(os.listdir('.'), os.getcwd()); open('x', 'w')").out,
                             "[] /tmp/agent_sandbox\n")

    def test_size_is_exact(self):
        code = """if 1:
            import errno, os
            total = 0
            for name in "ab":
                fd = os.open(name, os.O_CREAT | os.O_WRONLY)
                try:
                    for _ in range(160): total += os.write(fd, bytes(4096))
                except OSError as e: print(errno.errorcode[e.errno], total)
            """
        result = self.fresh(code, "--disk", "1M", "--ram", "64M", verdict=True)
        self.assertEqual(result.out, "ENOSPC %d\n" % (1 << 20))
        self.assertEqual(result.verdict["limits"]["disk"]["rung"], "tmpfs")

    def test_number_of_files_is_exact(self):
        code = """if 1:
            import errno
            try:
                for n in range(1000): open(str(n), "w").close()
            except OSError as e: print(errno.errorcode[e.errno], n)
            """
        self.assertEqual(self.fresh(code, "--inodes", "50").out, "ENOSPC 50\n")

    def test_counts_as_memory(self):
        code = "f = open('x', 'wb')\nfor i in range(100): f.write(bytes(1 << 20)); f.flush()"
        result = self.fresh(code, "--ram", "32M", status=137, verdict=True)
        self.assertEqual(result.verdict["outcome"], "oom")

    def test_programs_run_there(self):
        self.assertEqual(self.fresh("open('t', 'w').write('#!/bin/sh\\necho ran\\n'); import os, subprocess\n"
                                    "os.chmod('t', 0o755); subprocess.run(['./t'])").out, "ran\n")


class Bind(harness.Case):
    def bind(self, spec, code, status=0, **kw):
        return self.check(self.run_capsule("-q", *sum((["--bind", s] for s in ([spec] if isinstance(spec, str) else spec)),
                                                      []), "-c", code, **kw), status)

    def test_read_only_at_the_same_path(self):
        self.write("data/file", "content")
        self.assertEqual(self.bind(self.path("data"), """if 1:
            import errno
            print(open(%r).read())
            try: open(%r, "w")
            except OSError as e: print(errno.errorcode[e.errno])
            """ % ((self.path("data/file"),) * 2)).out, "content\nEROFS\n")

    def test_relative_host_path(self):
        self.write("data/file", "content")
        self.assertEqual(self.bind("data", "print(open(%r).read())" % self.path("data/file")).out, "content\n")

    def test_guest_path(self):
        self.write("data/file", "content")
        for spec in ("data:/data", "data:/data:ro", "data:/some/deep/place", "data:/opt/data"):
            guest = spec.split(":")[1]
            self.assertEqual(self.bind(spec, "print(open(%r).read())" % (guest + "/file")).out, "content\n")

    def test_writable(self):
        os.mkdir(self.path("data"))
        if harness.ROOT:
            os.chown(self.path("data"), harness.task_uid(), harness.task_uid())
        self.bind("data:/data:rw", "open('/data/x', 'w').write('1')")
        self.bind(self.path("data") + ":rw", "open(%r, 'w').write('2')" % self.path("data/y"))
        self.assertEqual(self.read("data/x") + self.read("data/y"), "12")
        self.assertNotEqual(os.stat(self.path("data/x")).st_uid, 0)

    def test_one_file(self):
        self.write("one.txt", "one")
        self.assertEqual(self.bind("one.txt:/input/data.txt", "print(open('/input/data.txt').read())").out, "one\n")

    def test_below_tmp(self):
        self.write("one.txt", "one")
        self.assertEqual(self.bind("one.txt:/tmp/in/data.txt", "print(open('/tmp/in/data.txt').read())").out, "one\n")

    def test_two_and_nested(self):
        self.write("a/file", "a")
        self.write("b/file", "b")
        os.mkdir(self.path("a/sub"))
        out = self.bind(["a:/data", "b:/data/sub"], "print(open('/data/file').read(), open('/data/sub/file').read())").out
        self.assertEqual(out, "a b\n")

    def test_links_do_not_lead_out(self):
        self.write("secret", "secret")
        os.mkdir(self.path("data"))
        os.symlink(self.path("secret"), self.path("data/link"))
        self.assertEqual(self.bind("data:/data", "import os; print(os.path.exists('/data/link'))").out, "False\n")

    def test_refused_kinds(self):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(self.path("sock"))
            os.mkfifo(self.path("fifo"))
            for host in ("/", self.path("sock"), self.path("fifo"), "/dev/null", "/proc", "/sys", "/proc/sys", "/dev/pts",
                         "/sys/fs/cgroup/"):
                if not os.path.exists(host) and host != "/":
                    continue
                for mode in ("ro", "rw"):
                    with self.subTest(host=host, mode=mode):
                        self.refused(self.run_capsule("--bind", host + ":/shown:" + mode, "-c", "pass"), host.rstrip("/") or "/")

    def test_refused_cgroup_file_systems(self):
        with open("/proc/self/mounts") as f:
            mounts = [line.split()[1] for line in f if line.split()[2] in ("cgroup", "cgroup2")]
        if not mounts:
            self.skipTest("no cgroup file system is mounted")
        for place in mounts:
            self.refused(self.run_capsule("--bind", place + ":/shown", "-c", "pass"), place)

    def test_missing(self):
        self.refused(self.run_capsule("--bind", "no-such-place", "-c", "pass"), "--bind", "no-such-place", "No such file")

    def test_guest_places_that_are_ours(self):
        self.write("data/file")
        for guest in ("/proc", "/dev/x", "/sys", "/task", "/tmp/agent_sandbox", "/tmp/agent_sandbox/x", "/usr", "/etc", "/",
                      "/bin", "/lib", "/data/../etc", "/tmp/./x", "//proc", "/proc//"):
            with self.subTest(guest=guest):
                result = self.run_capsule("--bind", "data:" + guest, "-c", "pass")
                self.assertIn(result.status, (2, 125), result)
                self.assertIn("--bind", result.err)

    @harness.only_user
    def test_another_users_files_stay_unreadable(self):
        out = self.bind("/etc:/host-etc", "try: open('/host-etc/shadow')\nexcept OSError as e: print(type(e).__name__)").out
        self.assertIn(out, ("PermissionError\n", "FileNotFoundError\n"))

    @harness.only_root
    def test_roots_private_files_stay_unreadable(self):
        self.write("data/secret", "x", 0o600)
        out = self.bind("data:/data", "try: open('/data/secret')\nexcept OSError as e: print(type(e).__name__)").out
        self.assertEqual(out, "PermissionError\n")

    def test_set_id_and_device_bits_do_not_count(self):
        result = self.check(self.run_capsule("-q", "--bind", "/usr/share:/shown", "--exec", "--", "cat",
                                             "/proc/self/mountinfo"))
        line = next(l for l in result.out.splitlines() if " /shown " in l)
        self.assertLessEqual({"ro", "nosuid", "nodev"}, set(line.split()[5].split(",")))


class Src(harness.Case):
    def setUp(self):
        super().setUp()
        if harness.task_python()[1] < 11:
            self.skipTest("--src needs Python 3.11")

    def test_import(self):
        self.write("project/helper.py", "x = 42")
        result = self.check(self.run_capsule("-q", "--src", self.path("project"), "-c", "import helper; print(helper.x)"))
        self.assertEqual(result.out, "42\n")

    def test_two(self):
        self.write("a/one.py", "x = 1")
        self.write("b/two.py", "x = 2")
        result = self.check(self.run_capsule("-q", "--src", "a", "--src", "b", "-c", "import one, two; print(one.x, two.x)"))
        self.assertEqual(result.out, "1 2\n")

    def test_read_only(self):
        self.write("project/helper.py", "x = 42")
        result = self.run_capsule("-q", "--src", "project", "-c",
                                  "import helper, os; print(os.access(helper.__file__, os.W_OK),"
                                  " os.access(os.path.dirname(helper.__file__), os.W_OK))")
        self.assertEqual(self.check(result).out, "False False\n")
        self.assertEqual(os.listdir(self.path("project")), ["helper.py"])

    def test_not_for_programs(self):
        self.write("project/helper.py")
        self.refused(self.run_capsule("--src", "project", "--exec", "--", "true"), "--src", status=2)

    def test_module_of_the_project(self):
        self.write("project/tool/__main__.py", "import sys; print('tool', sys.argv[1:])")
        result = self.check(self.run_capsule("-q", "--src", "project", "-m", "tool", "a"))
        self.assertEqual(result.out, "tool ['a']\n")


class Imports(harness.Case):
    def test_neither_sandbox_nor_script_directory_is_imported_from(self):
        for name in ("sandbox/json.py", "sandbox/planted.py", "beside.py", "sandbox/sitecustomize.py",
                     "sandbox/usercustomize.py", "sandbox/.local/lib/python3/site-packages/planted.py"):
            self.write(name, "open('/tmp/agent_sandbox/poisoned', 'w').write(__name__)")
        self.says("""
            import json
            for name in ("planted", "beside"):
                try: __import__(name)
                except ImportError: print("no", name)
            """, "no planted\nno beside")
        self.assertFalse(os.path.exists(self.path("sandbox/poisoned")))

    def test_user_site_is_off(self):
        self.says("import site; print(site.ENABLE_USER_SITE)", "False")

    def test_python_files_in_the_sandbox_are_not_run_between_runs(self):
        self.check_task("""
            import os
            for name in ("sitecustomize.py", "usercustomize.py", "os.py", "encodings.py", "pyvenv.cfg"):
                open(name, "w").write("raise SystemExit(99)")
            open("evil.pth", "w").write("import os; os._exit(98)")
            """)
        self.says("print('ok')", "ok")
        self.assertEqual(self.check(self.run_capsule("-q", "-c", "print('ok')")).out, "ok\n")

    def test_script_is_read_only_and_a_copy(self):
        path = self.write("task.py", """
            import errno, os
            for flags in (os.O_WRONLY, os.O_RDWR | os.O_TRUNC):
                try: os.open(__file__, flags)
                except OSError as e: print(e.errno in (errno.EROFS, errno.EACCES))
            """)
        os.chmod(path, 0o666)
        self.assertEqual(self.check(self.run_capsule("-q", path)).out, "True\n" * 2)
        self.assertIn("import errno", self.read("task.py"))

    def test_script_is_not_changed_from_outside_while_it_runs(self):
        path = self.write("task.py", "import sys; print('ready'); input(); print(open(__file__).read()[-7:])  # first\n")
        process = self.start("-q", path, stdin=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        with open(path, "r+") as f:
            f.write("changed")
            f.truncate()
        out, _ = process.communicate(b"\n", harness.PATIENCE)
        self.assertEqual(out, b" first\n\n")


class Links(harness.Case):
    """Root's reach is not lent: another user's link leads to his own files only, whatever asks for it."""

    def theirs(self, name, target):
        os.symlink(target, self.path(name))
        os.chown(self.path(name), 64901, 64901, follow_symlinks=False)
        return self.path(name)

    @harness.only_root
    def test_script_behind_another_users_link(self):
        secret = self.write("secret", "SECRET")
        self.assertNotIn("SECRET", self.refused(self.run_capsule(self.theirs("task.py", secret)), "uid 64901").err)

    @harness.only_root
    def test_directory_of_a_program_behind_another_users_link(self):
        self.write("private/__main__.py", "print('SHOWN')")
        self.refused(self.run_capsule(self.theirs("app", self.path("private"))), "uid 64901")

    @harness.only_root
    def test_verdict_behind_another_users_link(self):
        kept = self.write("kept", "KEPT")
        self.refused(self.run_capsule("--result", self.theirs("verdict", kept), "-c", "pass"), "uid 64901")
        self.assertEqual(self.read("kept"), "KEPT")

    @harness.only_root
    def test_links_that_change_while_we_look(self):
        """What was judged is what is shown, though the link's owner exchanges it for a directory all the time."""
        os.mkdir(self.path("secrets"))
        self.write("secrets/key", "SECRET")
        os.mkdir(self.path("home"))
        os.mkdir(self.path("home/w"))
        self.theirs("home/x", self.path("secrets"))
        os.chown(self.path("home/w"), 64901, 64901)
        os.chown(self.path("home"), 64901, 64901)
        swap = """if 1:
            import ctypes, os, sys
            os.chdir(sys.argv[1])
            while os.getppid() == int(sys.argv[2]): ctypes.CDLL(None).renameat2(-100, b"w", -100, b"x", 2)
            """
        swapper = subprocess.Popen([sys.executable, "-c", swap, self.path("home"), str(os.getpid())])
        self.addCleanup(swapper.wait)
        self.addCleanup(swapper.kill)
        look = "import os; print([open('/data/' + n).read() for n in os.listdir('/data')])"
        for _ in range(30):
            result = self.run_capsule("-q", "--fresh", "--bind", self.path("home/w") + ":/data", "-c", look, sandbox=False)
            self.assertNotIn("SECRET", result.out)
            self.assertIn(result.status, (0, 125), result)

    def test_fifo_in_the_place_of_a_configuration(self):
        """Nothing that is read to find an interpreter makes us wait: --timeout holds."""
        os.makedirs(self.path("venv/bin"))
        os.symlink(harness.system_python(), self.path("venv/bin/python3"))
        os.mkfifo(self.path("venv/pyvenv.cfg"))
        self.assertNotEqual(self.run_capsule("--timeout", "3s", "--venv", self.path("venv"), "-c", "pass").status, 0)


if __name__ == "__main__":
    unittest.main()
