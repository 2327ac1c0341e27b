"""--runtime closure and --filter strict: what is taken away, and that honest work goes on without it."""
import glob
import os
import re
import shutil
import subprocess
import sys

import harness

CLOSURE = ("--runtime", "closure")
STRICT = CLOSURE + ("--filter", "strict", "--ram", "512M", "--pids", "64", "--timeout", "60s")

# Every name outside of what a run has of its own, with what it is; packages are looked at from above.
LIST = """if 1:
    import os, stat
    for place, dirs, files in os.walk("/"):
        if place == "/": dirs[:] = [d for d in dirs if d not in ("proc", "dev", "tmp", "task", "etc", "var")]
        if place.count("/") > 5 or os.path.basename(place).startswith(("python3", "doc")): dirs[:] = []
        for name in dirs + files:
            path = os.path.join(place, name)
            info = os.lstat(path)
            if stat.S_ISLNK(info.st_mode): print(path, "->", os.readlink(path))
            elif stat.S_ISREG(info.st_mode): print(path, info.st_ino, info.st_size)
"""


def pythons():
    """The system's interpreter, and the one that runs the tests, where that is another."""
    return sorted({harness.system_python(), sys.executable})


def has(module, python):
    return subprocess.run([python, "-c", "import " + module], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def compiled(case, path, source, *options):
    """A shared object, made by the compiler of this machine."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    text = case.write("source.c", source)
    subprocess.run([harness.need("gcc"), "-shared", "-fPIC", "-o", path, text] + list(options), check=True)
    os.chmod(path, 0o755)


class Options(harness.Case):
    def test_words(self):
        for option, words in (("--runtime", "system, closure"), ("--filter", "default, strict")):
            self.refused(self.run_capsule(option, "bogus", "-c", "pass"), option + " bogus", "accepted: " + words, status=2)
            self.refused(self.run_capsule(option, "", "-c", "pass"), "accepted: " + words, status=2)

    def test_print_policy(self):
        result = self.check(self.run_capsule(*CLOSURE, "--filter=strict", "--print-policy"))
        self.assertRegex(result.out, r"(?m)^runtime = closure +# command line$")
        self.assertRegex(result.out, r"(?m)^filter = strict +# command line$")

    def test_verdict_names_both(self):
        verdict = self.check(self.run_capsule(*STRICT, "-c", "pass", verdict=True)).verdict
        self.assertEqual((verdict["runtime"], verdict["filter"]), ("closure", "strict"))
        verdict = self.check(self.run_capsule("-c", "pass", verdict=True)).verdict
        self.assertEqual((verdict["runtime"], verdict["filter"]), ("system", "default"))

    def test_closure_is_pythons(self):
        self.refused(self.run_capsule(*CLOSURE, "--exec", "--", "true"), "--exec", "--runtime system", status=2)


class Closure(harness.Case):
    def seen(self, *options):
        return set(self.check(self.run_capsule("-q", *options, "-c", LIST)).out.splitlines())

    def test_shows_nothing_that_the_system_runtime_does_not(self):
        for python in pythons():
            part, whole = self.seen("--python", python, *CLOSURE), self.seen("--python", python)
            self.assertEqual(part - whole, set(), python)
            self.assertLess(len(part), len(whole) / 2, python)
            self.assertTrue(any(line.split()[0].endswith("/libc.so.6") for line in part), part)

    def test_no_other_programs(self):
        for python in pythons():
            self.says("""if 1:
                import os, shutil, subprocess
                print([n for n in ("sh", "bash", "perl", "cc", "ls", "env", "apt", "git", "pip") if shutil.which(n)])
                try: subprocess.run("true", shell=True)
                except FileNotFoundError as e: print(e.filename)
                """, "[]\n/bin/sh", opts=("--python", python) + CLOSURE)

    def test_a_program_can_be_shown_by_itself(self):
        self.says("import subprocess; print(subprocess.run(['/usr/bin/env', 'A=1'], env={}, stdout=-1).stdout)", "b'A=1\\n'",
                  opts=CLOSURE + ("--bind", "/usr/bin/env"))

    def test_read_only(self):
        self.says("""if 1:
            import errno, os, sys
            # What the task's uid may not write says so first.
            names = {errno.EACCES: "EROFS"}
            for path in (os.__file__, sys.executable, "/usr/new", "/new", os.path.dirname(os.__file__) + "/new"):
                try: open(path, "ab")
                except OSError as e: print(names.get(e.errno, errno.errorcode[e.errno]), end=" ")
            print(os.listdir("/tmp"), [n for n in os.listdir("/") if n.startswith(".")])
            """, "EROFS EROFS EROFS EROFS EROFS ['agent_sandbox'] []", opts=CLOSURE)

    def test_data_files(self):
        """Time zones, certificates, terminals, encodings, accounts."""
        for python in pythons():
            self.says("""if 1:
                import codecs, curses, locale, pwd, ssl, zoneinfo
                curses.setupterm("xterm")
                print(zoneinfo.ZoneInfo("Europe/Paris"), locale.setlocale(locale.LC_ALL, ""), codecs.lookup("cp1252").name,
                      pwd.getpwuid(1000).pw_name, ssl.create_default_context().cert_store_stats()["x509"] == %d)
                """ % self.certificates(python), "Europe/Paris C.UTF-8 cp1252 agent True", opts=("--python", python) + CLOSURE)

    def certificates(self, python):
        """As many as a task has with the whole of /usr."""
        return int(self.check_task("import ssl; print(ssl.create_default_context().cert_store_stats()['x509'])",
                                   opts=("--python", python)).out)

    def test_every_module_of_the_standard_library(self):
        """Whatever extension can be imported with the whole system can be with its closure."""
        code = """if 1:
            import glob, importlib, sysconfig, os
            for path in sorted(glob.glob(sysconfig.get_path("stdlib") + "/lib-dynload/*.so")):
                try: importlib.import_module(os.path.basename(path).split(".")[0]); print(path)
                except ImportError as e: print(path, e)
            """
        for python in pythons():
            whole = self.check_task(code, opts=("--python", python)).out
            self.assertIn(".so\n", whole)
            self.assertEqual(self.check_task(code, opts=("--python", python) + CLOSURE).out, whole)


class Environments(harness.Case):
    def make_venv(self, python, *options):
        venv = self.path("venv")
        shutil.rmtree(venv, ignore_errors=True)
        made = subprocess.run([python, "-m", "venv", "--without-pip", *options, venv], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if made.returncode != 0:
            self.skipTest("python3 -m venv does not work here")
        return venv, glob.glob(venv + "/lib/python3.*/site-packages")[0]

    def run_in(self, venv, code, status=0):
        return self.check_task(code, opts=("--python", venv + "/bin/python3") + STRICT, status=status)

    def test_virtual_environments(self):
        for python in pythons():
            for options in ((), ("--copies",), ("--system-site-packages",)):
                with self.subTest(python=python, options=options):
                    venv, site = self.make_venv(python, *options)
                    with open(site + "/inside.py", "w") as f:
                        f.write("x = 42\n")
                    code = "import inside, ssl, subprocess, sys; print(sys.prefix, inside.x, subprocess.run(" \
                           "[sys.executable, '-c', 'print(7)'], stdout=-1).stdout)"
                    self.assertEqual(self.run_in(venv, code).out, "%s 42 b'7\\n'\n" % venv)

    def test_system_packages_only_where_the_environment_has_them(self):
        if not os.path.isdir("/usr/lib/python3/dist-packages"):
            self.skipTest("no /usr/lib/python3/dist-packages")
        code = "import os; print(os.path.exists('/usr/lib/python3/dist-packages'))"
        for options, shown in (((), "False\n"), (("--system-site-packages",), "True\n"),
                               (("--system-site-packages", "--copies"), "True\n")):
            venv, _ = self.make_venv(harness.system_python(), *options)
            self.assertEqual(self.run_in(venv, code).out, shown)

    def foreign_library(self, venv):
        """The name and path of a library of the system's that nothing in the environment needs."""
        code = """if 1:
            import os, sys
            with open("/etc/ld.so.cache", "rb") as f: words = f.read().split(b"\\0")
            for path in words:
                if path.startswith(b"/lib/%s-" % os.uname().machine.encode()) and not os.path.exists(path):
                    print(os.fsdecode(path))
            """
        for path in self.run_in(venv, code).out.split():
            # The name by which it is needed, not a development link.
            if not re.search(r"\.so\.\d+$", path):
                continue
            done = subprocess.run([sys.executable, "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1])", path],
                                  stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if done.returncode == 0:
                return path
        raise AssertionError("no library of this machine is outside of the closure")

    def test_libraries_of_extension_modules(self):
        """A wheel's own libraries, and one of the system's, found with and without the installer's record."""
        venv, site = self.make_venv(harness.system_python())
        system = self.foreign_library(venv)
        bundled = site + "/pkg.libs/libbundled-1234.so.1"
        compiled(self, bundled, "int bundled(void) { return 5; }", "-Wl,-soname,libbundled-1234.so.1", "-Wl,--no-as-needed",
                 system)
        compiled(self, site + "/pkg/deep/ext.so", "int bundled(void); int ext(void) { return bundled(); }",
                 "-Wl,-rpath,$ORIGIN/../../pkg.libs", bundled)
        subprocess.run(["chmod", "-R", "a+rX", site], check=True)
        code = "import ctypes, os, sys; print(ctypes.CDLL(sys.prefix + '/lib/python3.%%d/site-packages/pkg/deep/ext.so' %% " \
               "sys.version_info[1]).ext(), os.path.exists(%r))" % system
        self.assertEqual(self.run_in(venv, code).out, "5 True\n")
        os.makedirs(site + "/pkg-1.dist-info")
        with open(site + "/pkg-1.dist-info/RECORD", "w") as f:
            f.write("pkg/deep/ext.so,sha256=x,1\npkg.libs/libbundled-1234.so.1,,\npkg-1.dist-info/RECORD,,\n../../../bin/x,,\n")
        self.assertEqual(self.run_in(venv, code).out, "5 True\n")
        shutil.rmtree(site + "/pkg.libs")
        os.unlink(site + "/pkg/deep/ext.so")
        self.assertEqual(self.run_in(venv, "import os; print(os.path.exists(%r))" % system).out, "False\n")

    def test_planted_environment(self):
        """Odd files among the packages neither stop the start nor show a program."""
        venv, site = self.make_venv(harness.system_python())
        os.makedirs(site + "/pkg")
        for name, text in (("short", b"\177ELF"), ("text", b"hello"), ("empty", b""), ("noise", b"\177ELF\2\1\1" + b"\377" * 4096)):
            with open("%s/pkg/%s.so" % (site, name), "wb") as f:
                f.write(text)
        os.mkfifo(site + "/pkg/fifo.so")
        os.symlink("loop.so", site + "/pkg/loop.so")
        os.symlink("/dev/zero", site + "/pkg/zero.so")
        os.symlink("/bin/sh", site + "/pkg/shell.so")
        os.symlink("/usr", site + "/pkg/usr.so")
        os.symlink("/usr/bin", site + "/pkg/programs")
        os.symlink("../" * 40 + "etc/shadow", site + "/pkg/shadow.so")
        os.mkdir(site + "/pkg-1.dist-info")
        with open(site + "/pkg-1.dist-info/RECORD", "wb") as f:
            f.write(b"\0\n,,,\n" + b"x" * 5000 + b"/y.so\n../../../../../etc/passwd.so\n/etc/passwd.so\npkg/../../../x.so\n\"q/\"\"\"\n\377")
        self.assertEqual(self.run_in(venv, "import os; print(os.path.exists('/bin/sh'), os.path.exists('/usr/bin/env'))").out,
                         "False False\n")


class Honest(harness.Case):
    """Ordinary programs under everything that the strict profile has."""

    def strict(self, python, code, *args, **kw):
        return self.check_task(code, *args, opts=("--python", python, "--fresh") + STRICT, sandbox=False, **kw)

    def test_pools_and_semaphores(self):
        code = """if 1:
            import multiprocessing as mp, sys
            def double(x): return 2 * x
            def hold(lock): lock.acquire(); lock.release()
            if __name__ == "__main__":
                for kind in ("fork", "spawn", "forkserver"):
                    context = mp.get_context(kind)
                    with context.Pool(3) as pool: assert pool.map(double, range(5)) == [0, 2, 4, 6, 8]
                    semaphore = context.Semaphore(1)
                    child = context.Process(target=hold, args=(semaphore,))
                    child.start(); child.join(); assert child.exitcode == 0
                    queue = context.Queue(); queue.put("x"); assert queue.get() == "x"
                with mp.Manager() as manager: assert manager.list([1])[0] == 1
                from multiprocessing import shared_memory
                memory = shared_memory.SharedMemory(create=True, size=4096); memory.close(); memory.unlink()
                print("good")
            """
        for python in pythons():
            self.assertEqual(self.strict(python, code).out, "good\n")

    def test_threads_events_and_subprocesses(self):
        code = """if 1:
            import asyncio, concurrent.futures, signal, subprocess, sys, threading, time
            with concurrent.futures.ThreadPoolExecutor(8) as pool: assert sum(pool.map(abs, range(-10, 0))) == 55
            async def main():
                child = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(input())", stdin=-1, stdout=-1)
                out, _ = await child.communicate(b"hello")
                await asyncio.wait_for(asyncio.to_thread(time.sleep, 0.01), 30)
                return out
            assert asyncio.run(main()) == b"hello\\n"
            ticks = []
            signal.signal(signal.SIGALRM, lambda *a: ticks.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.01)
            while not ticks: time.sleep(0.01)
            assert subprocess.run([sys.executable, "-c", "raise SystemExit(3)"]).returncode == 3
            print("good")
            """
        for python in pythons():
            self.assertEqual(self.strict(python, code).out, "good\n")

    def test_files_and_databases(self):
        code = """if 1:
            import ctypes, fcntl, json, os, pathlib, shutil, sqlite3, tarfile, tempfile, zipfile
            with tempfile.TemporaryDirectory() as d:
                p = pathlib.Path(d, "a"); p.write_text(json.dumps({"x": [1, 2]})); os.symlink("a", d + "/l"); os.link(p, d + "/h")
                shutil.copy2(p, d + "/b"); shutil.copytree(d, d + "/../tree", symlinks=True); shutil.rmtree(d + "/../tree")
                with tarfile.open(d + "/t.tar.gz", "w:gz") as t: t.add(p, "a")
                with tarfile.open(d + "/t.tar.gz") as t: t.extractall(d + "/x")
                with open(p) as f: fcntl.flock(f, fcntl.LOCK_EX)
                with sqlite3.connect(d + "/db") as db:
                    db.execute("pragma journal_mode=wal"); db.execute("create table t(x)"); db.execute("insert into t values(1)")
                    assert db.execute("select x from t").fetchall() == [(1,)]
            assert ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: x + 1)(1) == 2
            assert ctypes.CDLL("libc.so.6").getpid() == os.getpid()
            print("good")
            """
        for python in pythons():
            self.assertEqual(self.strict(python, code).out, "good\n")

    def test_numeric_packages(self):
        tried = 0
        for module, code in (("numpy", "import numpy as m; assert (m.eye(50) @ m.ones((50, 2))).sum() == 100; m.linalg.svd(m.eye(3))"),
                             ("pandas", "import pandas as m; assert m.DataFrame({'a': [1, 2]}).a.sum() == 3"),
                             ("scipy.linalg", "import scipy.linalg as m; m.lu([[1, 2], [3, 4]])")):
            for python in pythons():
                if has(module, python):
                    tried += 1
                    self.strict(python, code)
        if not tried:
            self.skipTest("no NumPy, pandas or SciPy is installed")

    def test_input_and_readline(self):
        result = self.strict(harness.system_python(), "import readline; print(input(), input())", stdin="a\nb\n")
        self.assertEqual(result.out, "a b\n")

    def test_refusals_are_errors_that_programs_know(self):
        code = """if 1:
            import errno, os, socket, subprocess
            for f in (socket.socket, lambda: socket.create_connection(("127.0.0.1", 9)), lambda: os.mkfifo("x"), os.openpty,
                      lambda: os.nice(1), lambda: os.setxattr(".", "user.x", b"")):
                try: f(); print("worked")
                except OSError as e: print(errno.errorcode[e.errno], end=" ")
            """
        self.assertEqual(self.strict(harness.system_python(), code).out.split(), ["EPERM"] * 6)

    def test_the_same_with_each_option_alone(self):
        for options in (CLOSURE, ("--filter", "strict")):
            self.says("import json, multiprocessing; print(json.dumps(multiprocessing.Pool(2).map(abs, [-1])))", "[1]", opts=options)


if __name__ == "__main__":
    harness.unittest.main()
