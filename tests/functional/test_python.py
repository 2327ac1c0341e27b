"""The caller's own interpreter or virtual environment, and the libraries that people use."""
import glob
import os
import shutil
import subprocess
import sys
import unittest

import harness


def run_plain(argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=harness.PATIENCE)


class Interpreter(harness.Case):
    def test_the_systems(self):
        python = harness.system_python()
        result = self.check(self.run_capsule("-q", "--python", python, "-c", "import sys; print(sys.prefix)"))
        self.assertEqual(result.out, "/usr\n")

    def test_in_a_prefix_of_its_own(self):
        """As pyenv, conda and builds of one's own are laid out."""
        prefixes = [p for p in glob.glob(os.path.expanduser("~/.pyenv/versions/3.*")) if os.access(p + "/bin/python3", os.X_OK)]
        code = "import sys, ssl, sqlite3, ctypes; print(sys.prefix)"
        for prefix in prefixes or [self.make_prefix()]:
            minor = int(run_plain([prefix + "/bin/python3", "-c", "import sys; print(sys.version_info[1])"]).stdout)
            result = self.run_capsule("-q", "--python", prefix + "/bin/python3", "-c", code)
            with self.subTest(prefix=prefix):
                if minor < 8:
                    self.refused(result, "3.8 or newer")
                else:
                    self.assertEqual(self.check(result).out, os.path.realpath(prefix) + "\n")

    def make_prefix(self):
        """A copy of the system's interpreter, moved."""
        python = os.path.realpath(harness.system_python())
        name = os.path.basename(python)
        prefix = self.path("prefix")
        os.makedirs(prefix + "/bin")
        shutil.copy(python, prefix + "/bin/" + name)
        os.symlink(name, prefix + "/bin/python3")
        shutil.copytree("/usr/lib/" + name, prefix + "/lib/" + name, symlinks=True,
                        ignore=shutil.ignore_patterns("__pycache__", "test", "dist-packages", "*.a"))
        return prefix

    def make_venv(self, python, *options):
        venv = self.path("venv")
        made = run_plain([python, "-m", "venv", "--without-pip", *options, venv])
        if made.returncode != 0:
            self.skipTest("python3 -m venv does not work here: " + made.stdout.decode()[-200:])
        site = glob.glob(venv + "/lib/python3.*/site-packages")[0]
        with open(os.path.join(site, "inside_venv.py"), "w") as f:
            f.write("x = 42\n")
        return venv

    def test_virtual_environment(self):
        for python in {harness.system_python(), sys.executable}:
            for options in ((), ("--copies",), ("--system-site-packages",)):
                with self.subTest(python=python, options=options):
                    venv = self.make_venv(python, *options)
                    code = "import inside_venv, sys; print(sys.prefix, sys.prefix != sys.base_prefix, inside_venv.x)"
                    for name in ("python", "python3"):
                        result = self.run_capsule("-q", "--python", "venv/bin/" + name, "-c", code)
                        self.assertEqual(self.check(result).out, "%s True 42\n" % venv)
                    shutil.rmtree(venv)

    def test_active_virtual_environment(self):
        venv = self.make_venv(sys.executable)
        env = dict(os.environ, PATH=venv + "/bin:" + os.environ["PATH"], VIRTUAL_ENV=venv)
        result = self.check(self.run_capsule("-q", "-c", "import inside_venv; print(inside_venv.x)", env=env))
        self.assertEqual(result.out, "42\n")

    def test_virtual_environment_is_read_only(self):
        venv = self.make_venv(harness.system_python())
        result = self.run_capsule("-q", "--python", venv + "/bin/python3", "-c",
                                  "import os, inside_venv as i; print(os.access(i.__file__, os.W_OK),"
                                  " os.access(os.path.dirname(i.__file__), os.W_OK))")
        self.assertEqual(self.check(result).out, "False False\n")

    def test_virtual_environment_in_the_sandbox_is_refused(self):
        """A task may have planted it."""
        venv = os.path.join(self.dir, "venv")
        made = run_plain([harness.system_python(), "-m", "venv", "--without-pip", venv])
        if made.returncode != 0:
            self.skipTest("python3 -m venv does not work here")
        self.refused(self.run_capsule("--python", venv + "/bin/python3", "-c", "pass"), "sandbox", "--python")

    def test_planted_virtual_environment_shows_no_directory_of_its_choice(self):
        """pyvenv.cfg names the base interpreter's directory: a task that writes it must not open the caller's files."""
        self.write("secrets/key", "SECRET")
        os.mkdir(self.path("secrets/bin"))
        venv = self.make_venv(harness.system_python())
        with open(venv + "/pyvenv.cfg", "w") as f:
            f.write("home = %s\nversion = 3.11\n" % self.path("secrets/bin"))
        result = self.run_capsule("-q", "--python", venv + "/bin/python3", "-c",
                                  "print(open(%r).read())" % self.path("secrets/key"))
        self.assertNotIn("SECRET", result.out)

    def test_discovery_executes_nothing(self):
        planted = self.write("bin/python3", "#!/bin/sh\ntouch %s\n" % self.path("executed"), 0o755)
        env = dict(os.environ, PATH=os.path.dirname(planted) + ":" + os.environ["PATH"])
        self.refused(self.run_capsule("-c", "pass", env=env), planted, "--python")
        self.refused(self.run_capsule("--python", planted, "-c", "pass"), planted, "--python")
        self.assertFalse(os.path.exists(self.path("executed")))

    def test_what_is_no_interpreter(self):
        self.refused(self.run_capsule("--python", self.path("none"), "-c", "pass"), "--python", status=127)
        self.refused(self.run_capsule("--python", self.write("data"), "-c", "pass"), "--python", status=126)
        self.refused(self.run_capsule("--python", "no-such-python", "-c", "pass"), "no-such-python", "--python", status=127)
        self.assertNotEqual(self.run_capsule("--python", "/usr", "-c", "pass").status, 0)

    def test_pyenv_shim(self):
        root = self.path("pyenv")
        os.makedirs(root + "/shims")
        os.makedirs(root + "/versions/3.99.0/bin")
        os.makedirs(root + "/versions/3.99.0/lib/python3.%d" % sys.version_info[1])
        self.write("pyenv/shims/python3", "#!/bin/sh\nexit 99\n", 0o755)
        self.write("pyenv/version", "3.99.0\n")
        env = dict(os.environ, PATH=root + "/shims:" + os.environ["PATH"])
        env.pop("PYENV_VERSION", None)
        self.refused(self.run_capsule("-c", "pass", env=env), "3.99.0", "has no python3")
        env["PYENV_VERSION"] = "3.98.0"
        self.refused(self.run_capsule("-c", "pass", env=env), "3.98.0", "not installed")
        env["PYENV_VERSION"] = "system"
        self.check(self.run_capsule("-q", "-c", "pass", env=env))


class Library(harness.Case):
    """Packages of the distribution: the caller's own interpreter shows them unchanged."""

    def need_module(self, name):
        python = harness.system_python()
        if run_plain([python, "-c", "import " + name]).returncode != 0:
            self.skipTest("no %s for %s" % (name, python))

    def run_library(self, code, **kw):
        path = self.write("task.py", code)
        return self.check(self.run_capsule("-q", "--python", harness.system_python(), path, **kw))

    def test_numpy(self):
        self.need_module("numpy")
        out = self.run_library("""
            import numpy as np
            a = np.random.default_rng(1).random((300, 300))
            print(np.allclose(a @ np.linalg.inv(a), np.eye(300)))
            np.save("a.npy", a); print(np.load("a.npy", mmap_mode="r").shape)
            """).out
        self.assertEqual(out, "True\n(300, 300)\n")

    def test_pandas(self):
        self.need_module("pandas")
        self.write("sandbox/in.csv", "city,n\na,1\nb,2\na,3\n")
        out = self.run_library("import pandas as pd; d = pd.read_csv('in.csv').groupby('city').n.sum()\n"
                               "d.to_csv('out.csv'); print(d['a'], d['b'])").out
        self.assertEqual(out, "4 2\n")
        self.assertTrue(os.path.exists(self.path("sandbox/out.csv")))

    def test_scipy(self):
        self.need_module("scipy")
        out = self.run_library("from scipy import optimize; print(round(optimize.brentq(lambda x: x * x - 2, 0, 2), 6))").out
        self.assertEqual(out, "1.414214\n")

    def test_matplotlib(self):
        self.need_module("matplotlib")
        self.run_library("import matplotlib; matplotlib.use('Agg'); import matplotlib.pyplot as p\n"
                         "p.plot([1, 2, 3]); p.title('x'); p.savefig('plot.png')")
        with open(self.path("sandbox/plot.png"), "rb") as f:
            self.assertEqual(f.read(8), b"\x89PNG\r\n\x1a\n")


class Standard(harness.Case):
    def test_multiprocessing(self):
        code = """
            import multiprocessing as mp, sys
            def square(x): return x * x
            def work(queue, lock, value):
                with lock: value.value += 1
                queue.put(value.value)
            if __name__ == "__main__":
                method = sys.argv[1]
                ctx = mp.get_context(method)
                with ctx.Pool(3) as pool: print(pool.map(square, range(5)))
                queue, lock, value = ctx.Queue(), ctx.Lock(), ctx.Value("i", 0)
                children = [ctx.Process(target=work, args=(queue, lock, value)) for _ in range(3)]
                for c in children: c.start()
                for c in children: c.join()
                print(sorted(queue.get() for _ in range(3)), value.value)
            """
        for method in ("fork", "spawn", "forkserver"):
            with self.subTest(method=method):
                self.says(code, "[0, 1, 4, 9, 16]\n[1, 2, 3] 3", method)

    def test_shared_memory_and_semaphores(self):
        self.says("""
            from multiprocessing import shared_memory, Semaphore, Barrier, Manager
            if __name__ == "__main__":
                a = shared_memory.SharedMemory(create=True, size=1 << 20, name="block")
                b = shared_memory.SharedMemory(name="block")
                a.buf[:5] = b"hello"; print(bytes(b.buf[:5]))
                b.close(); a.close(); a.unlink()
                s = Semaphore(2); print(s.acquire(False), s.acquire(False), s.acquire(False))
                with Manager() as m: d = m.dict(); d["x"] = 1; print(dict(d))
            """, "b'hello'\nTrue True False\n{'x': 1}")

    def test_executors(self):
        self.says("""
            import concurrent.futures as cf
            def double(x): return 2 * x
            if __name__ == "__main__":
                for kind in (cf.ThreadPoolExecutor, cf.ProcessPoolExecutor):
                    with kind(3) as pool: print(list(pool.map(double, range(4))))
            """, "[0, 2, 4, 6]\n[0, 2, 4, 6]")

    def test_threads(self):
        self.says("""
            import threading
            lock, total = threading.Lock(), 0
            def add():
                global total
                for _ in range(1000):
                    with lock: total += 1
            threads = [threading.Thread(target=add) for _ in range(20)]
            for t in threads: t.start()
            for t in threads: t.join()
            print(total)
            """, "20000")

    def test_subprocess(self):
        self.says("""
            import subprocess, sys, os
            print(subprocess.run(["sh", "-c", "echo $HOME; exit 3"], capture_output=True, text=True))
            print(subprocess.check_output([sys.executable, "-c", "print(6 * 7)"]))
            print(subprocess.run("cat | tr a-z A-Z", shell=True, input="abc", text=True, capture_output=True).stdout)
            print(os.popen("echo popen").read().strip(), os.system("exit 4") >> 8)
            """, "CompletedProcess(args=['sh', '-c', 'echo $HOME; exit 3'], returncode=3, stdout='/tmp/agent_sandbox\\n',"
            " stderr='')\nb'42\\n'\nABC\npopen 4")

    def test_asyncio(self):
        self.says("""
            import asyncio
            async def serve(reader, writer):
                writer.write((await reader.readline()).upper()); await writer.drain(); writer.close()
            async def main():
                server = await asyncio.start_server(serve, "127.0.0.1", 0)
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.write(b"hello\\n"); print(await reader.readline())
                p = await asyncio.create_subprocess_exec("echo", "child", stdout=asyncio.subprocess.PIPE)
                print((await p.communicate())[0], p.returncode)
                print(await asyncio.to_thread(sum, [1, 2, 3]))
            asyncio.run(main())
            """, "b'HELLO\\n'\nb'child\\n' 0\n6")

    def test_http_server_on_loopback(self):
        self.says("""
            import http.server, threading, urllib.request
            open("page", "w").write("content")
            class Quiet(http.server.SimpleHTTPRequestHandler):
                def log_message(self, *a): pass
            server = http.server.ThreadingHTTPServer(("localhost", 0), Quiet)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            print(urllib.request.urlopen("http://localhost:%d/page" % server.server_port).read())
            """, "b'content'")

    def test_sqlite(self):
        self.says("""
            import sqlite3
            for mode in ("delete", "wal"):
                db = sqlite3.connect("data.db"); db.execute("pragma journal_mode=" + mode)
                with db: db.execute("create table if not exists t (x)"); db.execute("insert into t values (1)")
                print(db.execute("select count(*) from t").fetchone()[0]); db.close()
            """, "1\n2")

    def test_temporary_files(self):
        self.says("""
            import tempfile, os
            with tempfile.TemporaryDirectory() as d, tempfile.NamedTemporaryFile() as n, tempfile.TemporaryFile() as t:
                n.write(b"x"); t.write(b"x"); print(os.path.dirname(d), os.path.dirname(n.name))
            """, "/tmp/agent_sandbox /tmp/agent_sandbox")

    def test_tls_defaults_load(self):
        plain = run_plain([harness.system_python(), "-c", "import ssl; print(len(ssl.create_default_context().get_ca_certs()))"])
        result = self.check(self.run_capsule("-q", "--python", "/usr/bin/python3", "-c",
                                             "import ssl; print(len(ssl.create_default_context().get_ca_certs()))"))
        self.assertEqual(result.out, plain.stdout.decode())

    def test_locale(self):
        self.says("import locale, sys; locale.setlocale(locale.LC_ALL, ''); print(sys.getfilesystemencoding(),"
                  " sys.stdout.encoding.lower(), 'ä€')", "utf-8 utf-8 ä€")

    @unittest.skipUnless(os.path.isdir("/usr/share/zoneinfo/Europe"), "no time zone data here")
    def test_time_zones(self):
        if harness.task_python()[1] < 9:
            self.skipTest("zoneinfo is new in Python 3.9")
        self.says("import zoneinfo, datetime as d; print(d.datetime(2024, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))"
                  ".utcoffset())", "2:00:00")

    def test_memory_maps_and_ctypes(self):
        self.says("""
            import ctypes, mmap
            libc = ctypes.CDLL(None); print(libc.abs(-5))
            cb = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: x + 1); print(cb(41))
            with open("m", "w+b") as f:
                f.truncate(8192); m = mmap.mmap(f.fileno(), 8192); m[4096] = 65; m.flush(); m.close(); f.seek(4096)
                print(f.read(1))
            """, "5\n42\nb'A'")

    def test_signals_and_timers(self):
        self.says("""
            import signal, time
            signal.signal(signal.SIGALRM, lambda *a: print("alarm"))
            signal.setitimer(signal.ITIMER_REAL, 0.01); signal.pause()
            """, "alarm")

    def test_fault_handler(self):
        result = self.check(self.run_capsule("-q", "-c", "import faulthandler, ctypes; faulthandler.enable(); ctypes.string_at(0)"),
                            139)
        self.assertIn("Segmentation fault", result.err)

    def test_archives(self):
        self.says("""
            import shutil, os, tarfile
            os.mkdir("d"); open("d/f", "w").write("x")
            for kind in ("zip", "gztar", "xztar"):
                name = shutil.make_archive("a", kind, "d"); shutil.unpack_archive(name, "out-" + kind)
                print(open("out-%s/f" % kind).read(), end="")
            print()
            """, "xxx")

    def test_copying_keeps_what_it_can(self):
        self.says("""
            import os, shutil
            open("a", "wb").write(os.urandom(100000)); os.chmod("a", 0o640); os.utime("a", (1, 2))
            shutil.copy2("a", "b"); s = os.stat("b"); print(oct(s.st_mode & 0o777), int(s.st_mtime))
            print(open("a", "rb").read() == open("b", "rb").read())
            shutil.move("b", "c"); os.link("c", "d"); os.symlink("d", "e"); print(os.stat("e").st_nlink)
            """, "0o640 2\nTrue\n2")


if __name__ == "__main__":
    unittest.main()
