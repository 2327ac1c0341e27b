"""A task that runs out of time tells where it was, and Python is otherwise what it is without that."""
import glob
import json
import os
import re
import subprocess
import unittest

import harness

STUCK = """
import threading, time

def sleeper():
    time.sleep(1000)

threading.Thread(target=sleeper, daemon=True).start()

def spinner():
    while True: pass

spinner()
"""

# What a program can see of its interpreter and its surroundings.
LOOK = r"""
import sys
modules = sorted(sys.modules)
import os, site, warnings
def look():
    status = open("/proc/self/status").read()
    return {"path": sys.path, "path0": sys.path[0], "argv": sys.argv, "orig_argv": sys.orig_argv[1:], "modules": modules,
            "flags": str(sys.flags), "environ": dict(os.environ), "main": sorted(vars(sys.modules["__main__"])),
            "importers": sorted(sys.path_importer_cache), "spec": str(__spec__), "name": __name__,
            "file": globals().get("__file__"), "executable": sys.executable, "prefix": sys.prefix,
            "meta_path": [str(type(x)) for x in sys.meta_path], "path_hooks": len(sys.path_hooks),
            "next_fd": os.dup(0), "filters": [str(f) for f in warnings.filters],
            "custom": getattr(sys.modules.get("sitecustomize"), "__file__", None)}
"""


def takes_stacks():
    """Before 3.11 Python runs with -I, and so without."""
    return harness.task_python()[1] >= 11


needs_stacks = unittest.skipUnless(takes_stacks(), "a Python before 3.11")


class StacksCase(harness.Case):
    def reported(self, code, *opts, kind="stacks", argv=None, status=124, limit="--timeout", until=bool):
        """Runs into a deadline. A later one, if the task was not yet where it is to be seen, or too busy to say so."""
        for tenths in (10, 10, 20, 40, 80, 160, 320):
            path = self.write("task.py", code)
            result = self.run_capsule(limit, "%dms" % (tenths * 100), *opts, *(argv or [path]), verdict=True)
            self.check(result, status)
            said = result.verdict["reported_by_task"]
            if said[kind] is not None and until(said[kind]):
                break
        self.assertTrue(said[kind] is not None and until(said[kind]), result)
        self.assertIsNone(said["threads" if kind == "stacks" else "stacks"], result)
        return result, said[kind]

    def shows(self, code, *lines, opts=(), **kw):
        return self.reported(code, *opts, until=lambda text: all(line in text for line in lines), **kw)


class Told(StacksCase):
    @needs_stacks
    def test_every_thread_with_file_and_line(self):
        for opts in (), ("--python", harness.system_python()):
            with self.subTest(opts):
                self.see_every_thread(*opts)

    def see_every_thread(self, *opts):
        lines = ('File "/task/task.py", line 5 in sleeper', 'File "/task/task.py", line 10 in spinner',
                     'File "/task/task.py", line 12 in <module>')
        result, _ = self.shows(STUCK, *lines, opts=opts)
        for line in lines:
            self.assertIn("capsule-run: stacks:   " + line + "\n", result.err)
        self.assertEqual((result.verdict["outcome"], [hit["limit"] for hit in result.verdict["limits_hit"]]),
                         ("timeout", ["timeout"]))

    @needs_stacks
    def test_also_out_of_cpu_time(self):
        result, _ = self.shows(STUCK, "in spinner", limit="--cpu-time")
        self.assertEqual(result.verdict["outcome"], "cpu-time")

    @needs_stacks
    def test_what_the_task_does_to_signals_and_streams(self):
        """It may ignore what is to end it, close its streams and its descriptors as daemons do, be busy inside C."""
        for code in ("import signal, time\nfor s in range(1, 64):\n    try: signal.signal(s, signal.SIG_IGN)\n"
                     "    except OSError: pass\ntime.sleep(1000)",
                     "import os, time\nos.close(1); os.close(2); os.closerange(3, 256)\ntime.sleep(1000)",
                     "import re\nre.match('(a*)*b', 'a' * 64)",
                     "import os, time\nif os.fork(): os.wait()\ntime.sleep(1000)"):
            with self.subTest(code):
                self.shows(code, 'File "/task/task.py", line', "in <module>")

    @needs_stacks
    def test_of_each_process_that_was_forked(self):
        _, text = self.shows("import os, time\ndef child(): time.sleep(1000)\ndef parent(): os.wait()\n"
                             "if os.fork(): parent()\nelse: child()", "in parent", "in child")
        self.assertRegex(text, r"(?s)Process 2:\n.* in parent\n.*\nProcess \d+:\n.* in child\n")

    @needs_stacks
    def test_with_no_grace(self):
        self.shows(STUCK, "in spinner", opts=("--grace", "0"))

    @needs_stacks
    def test_strict_and_closure(self):
        self.shows(STUCK, "in spinner", opts=("--filter", "strict", "--runtime", "closure"))

    @needs_stacks
    def test_every_way_to_name_code(self):
        self.shows("", 'File "<string>", line 1 in <module>', argv=["-c", "while True: pass"])
        os.mkdir(self.path("src"))
        self.write("src/mod.py", "while True: pass")
        self.shows("", "mod.py\", line 1 in <module>", opts=("--src", self.path("src")), argv=["-m", "mod"])

    @needs_stacks
    def test_also_of_a_task_that_stalls(self):
        result, _ = self.shows("import time\ntime.sleep(1000)", "line 2 in <module>", limit="--stall")
        self.assertEqual(result.verdict["outcome"], "stall")

    @needs_stacks
    def test_coroutines_and_workers(self):
        """The loop that runs a coroutine; of multiprocessing what was forked, and not what was started anew."""
        self.shows("import asyncio\nasync def main():\n    while True: pass\nasyncio.run(main())",
                   'File "/task/task.py", line 3 in main')
        self.shows("import multiprocessing, time\ndef work(): time.sleep(1000)\n"
                   "p = multiprocessing.get_context('fork').Process(target=work)\np.start(); p.join()",
                   'File "/task/task.py", line 2 in work')

    @needs_stacks
    def test_with_a_summary_and_as_json(self):
        result, text = self.shows(STUCK, "in spinner", opts=("--summary",))
        self.assertIn("capsule-run: stacks:   File \"/task/task.py\", line 10 in spinner\n", result.err)
        result, text = self.shows(STUCK, "in spinner", opts=("--json",))
        self.assertEqual(json.loads(result.out)["verdict"]["reported_by_task"]["stacks"], text)

    def test_not_of_a_task_that_ends_itself(self):
        for code in ("pass", "raise SystemExit(3)"):
            said = self.run_capsule("-q", "-c", code, verdict=True).verdict["reported_by_task"]
            self.assertEqual((said["stacks"], said["threads"]), (None, None))

    @needs_stacks
    def test_an_orderly_end_comes_after(self):
        code = ("import signal, sys, time\ndef end(*_): print('bye'); sys.exit(7)\nsignal.signal(15, end)\n"
                "print('ready')\ntime.sleep(1000)")
        result, _ = self.shows(code, "line 5 in <module>")
        self.assertEqual((result.out, result.verdict["exit_code"]), ("ready\nbye\n", 7))


class Instead(StacksCase):
    """The state of each thread, where no stack comes."""

    def threads(self, code, *opts, **kw):
        result, threads = self.reported(code, *opts, kind="threads", **kw)
        for thread in threads:
            self.assertEqual(set(thread), {"pid", "tid", "name", "state", "wait"})
            self.assertIn("process %d, thread %d (%s): state %s" % (
                thread["pid"], thread["tid"], thread["name"], thread["state"]), result.err)
        return threads

    def test_another_program(self):
        """It would die of the signal."""
        threads = self.threads("", "--exec", argv=["--", "sleep", "1000"], until=lambda threads: threads[0]["state"] == "S")
        self.assertEqual([(t["name"], t["state"]) for t in threads], [("sleep", "S")])

    def test_a_program_that_catches_the_signal_is_not_sent_it(self):
        code = "import signal, time\nsignal.signal(64, lambda *_: print('caught'))\ntime.sleep(1000)"
        inner = self.write("sandbox/inner.py", code)
        result, _ = self.reported("", "--exec", kind="threads",
                                  argv=["--", "/usr/bin/env", "python3", harness.GUEST_DIR + "/" + os.path.basename(inner)]
                                  if harness.task_python()[0] == "/usr/bin/python3" else
                                  ["--", "/bin/sh", "-c", "trap 'echo caught' 1; sleep 1000"])
        self.assertEqual(result.out, "")

    @harness.only_root
    def test_python_before_3_11(self):
        paths = [p for p in glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python")) if ".pyenv/versions/3.10" in p
                 or ".pyenv/versions/3.9" in p]
        if not paths:
            self.skipTest("no Python older than 3.11")
        threads = self.threads("import time; time.sleep(1000)", "--python", paths[0])
        self.assertTrue(threads[0]["name"].startswith("python"), threads)

    @needs_stacks
    def test_a_task_that_blocks_or_overrides_the_signal(self):
        for code in ("import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, [64])\ntime.sleep(1000)",
                     "import signal, time\nsignal.signal(64, signal.SIG_IGN)\ntime.sleep(1000)",
                     "import os, time\nos.closerange(3, 2000)\ntime.sleep(1000)",
                     "import os, signal\nos.kill(0, signal.SIGSTOP)"):
            with self.subTest(code):
                self.assertEqual(self.threads(code)[0]["pid"], 2)

    @needs_stacks
    def test_descriptor_taken_for_a_file_of_the_tasks(self):
        """Then nothing is written into that file."""
        code = ("import os, time\nfd = os.open('mine', os.O_CREAT | os.O_WRONLY)\n"
                "os.dup2(fd, min(os.sysconf('SC_OPEN_MAX'), 1024) - 1)\ntime.sleep(1000)")
        self.threads(code, until=lambda _: os.path.exists(self.path("sandbox/mine")))
        self.assertEqual(self.read("sandbox/mine"), "")

    def test_a_name_of_the_tasks_is_text(self):
        code = ("import ctypes, time\nctypes.CDLL(None).prctl(15, b'a) Z\\n\\033[2J\\xff', 0, 0, 0)\n"
                "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [64])\ntime.sleep(1000)")
        thread = self.threads(code, until=lambda threads: threads[0]["name"].startswith("a)"))[0]
        self.assertEqual((thread["name"], thread["state"]), ("a) Z??[2J?", "S"))


@needs_stacks
class Bounded(StacksCase):
    """What a task writes there is a bounded text of its own, and costs it nothing but that."""

    FIFO = "import os, time\nfd = os.open('/var/capsule/stacks', os.O_WRONLY | os.O_NONBLOCK)\n"

    def test_a_flood(self):
        code = self.FIFO + ("import faulthandler, signal\nos.set_blocking(fd, True)\n"
                            "def flood(*_):\n    while True: os.write(fd, b'x' * 4095 + b'\\n')\n"
                            "signal.signal(64, flood)\ntime.sleep(1000)")
        result, text = self.shows(code, "xxx")
        self.assertLessEqual(len(text), 65536)
        self.assertGreater(len(text), 30000)
        self.assertEqual(result.verdict["outcome"], "timeout")

    def test_what_was_written_before_is_no_answer(self):
        _, text = self.shows(self.FIFO + "os.write(fd, b'FORGED')\ntime.sleep(1000)", "line 4 in <module>")
        self.assertNotIn("FORGED", text)

    def test_forged_text_stays_text(self):
        answer = b'\x1b[2Jx\x00\xff", "status": 0\ncapsule-run: limit: none\r\x9b1m\xc2\x9b'
        result, text = self.shows(
            self.FIFO + "import signal\nsignal.signal(64, lambda *_: os.write(fd, %r))\n"
            "while True: time.sleep(0.01)" % answer, "status")
        self.assertEqual(text, 'x??", "status": 0\ncapsule-run: limit: none\n?1m?')
        self.assertEqual(result.verdict["status"], 124)
        self.assertIn("\ncapsule-run: stacks: capsule-run: limit: none\n", result.err)
        self.assertNotIn("\x1b", result.err)

    def test_writing_to_it_when_nobody_asks_neither_blocks_nor_kills(self):
        self.says(self.FIFO + "n = 0\ntry:\n    while True: n += os.write(fd, b'x' * 4096)\n"
                  "except BlockingIOError: print(n <= 1 << 20)", "True", opts=("--timeout", "60s"))

    TAMPER = """if True:
        import os
        at = %r
        for what in (lambda: os.open(at + "/stacks", os.O_RDONLY | os.O_NONBLOCK), lambda: os.chmod(at + "/stacks", 0o666),
                     lambda: open(at + "/sitecustomize.py", "a"), lambda: open(at + "/x.py", "w"),
                     lambda: os.mkdir(at + "/x"), lambda: os.rename(at + "/sitecustomize.py", at + "/y"),
                     lambda: os.unlink(at + "/stacks")):
            try:
                what()
                print("ESCAPED")
            except OSError as e: print(e.strerror)"""

    def test_nothing_there_can_be_changed_or_read(self):
        own = self.path("own")
        os.mkdir(own)
        os.mkfifo(own + "/stacks")
        self.write("own/sitecustomize.py", "")
        control = subprocess.run([harness.system_python(), "-c", self.TAMPER % own], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, check=True)
        self.assertEqual(control.stdout, b"ESCAPED\n" * 7)
        self.says(self.TAMPER % "/var/capsule", "\n".join(
            "Permission denied" if i in (0, 2) else "Read-only file system" for i in range(7)), opts=("--timeout", "60s"))

    def test_nothing_can_be_bound_over_it(self):
        os.mkdir(self.path("data"))
        for guest in ("/var", "/var/capsule", "/var/capsule/x"):
            self.refused(self.run_capsule("--bind", self.path("data") + ":" + guest, "-c", "pass"), guest, status=2)
        self.says("import os; print(os.listdir('/var/data'))", "[]", opts=("--bind", self.path("data") + ":/var/data"))

    def test_many_processes_that_do_not_answer(self):
        """Each is waited for a little, all of them together not for long."""
        code = ("import os, signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, [64])\n"
                "for i in range(40):\n    if os.fork() == 0: break\ntime.sleep(1000)")
        self.reported(code, kind="threads", until=lambda threads: len(threads) == 41)


@needs_stacks
class Unchanged(harness.Case):
    """Inside nothing but a handler, and a descriptor of the highest number, is as it is without."""

    def both(self, *args, opts=(), **kw):
        results = []
        for timeout in ("unlimited", "60s"):
            results.append(self.run_capsule("-q", "--timeout", timeout, *opts, *args, **kw))
        plain, asked = [(r.status, *(re.sub("0x[0-9a-f]+", "0x", text) for text in (r.out, r.err))) for r in results]
        self.assertEqual(plain, asked)
        return results[0]

    def test_it_is_there_at_all(self):
        """The comparison compares with and without: the positive control of this class."""
        code = "print(int(open('/proc/self/status').read().split('SigCgt:')[1].split()[0], 16) >> 63)"
        for opts, there in (((), "0\n"), (("--timeout", "unlimited"), "0\n"), (("--timeout", "10m"), "1\n"),
                            (("--stall", "1m"), "1\n"), (("--cpu-time", "1m"), "1\n"), (("--compute", "LOW"), "1\n"),
                            (("--profile", "strict"), "1\n"), (("--profile", "default"), "0\n")):
            with self.subTest(opts):
                self.assertEqual(self.check(self.run_capsule("-q", *opts, "-c", code)).out, there)

    def test_bytecode_is_what_the_source_says(self):
        """Every Python that is at hand here compares; one that has none compiles the source."""
        code = """if True:
            import importlib.util, marshal, os, sys
            path = "/var/capsule/sitecustomize.py"
            cached = importlib.util.cache_from_source(path)
            with open(path, "rb") as f: source = f.read()
            if os.path.exists(cached):
                with open(cached, "rb") as f: data = f.read()
                assert data[:4] == importlib.util.MAGIC_NUMBER and data[4:8] == b"\\1\\0\\0\\0"
                assert data[8:16] == importlib.util.source_hash(source)
                assert marshal.loads(data[16:]) == compile(source, path, "exec", dont_inherit=True, optimize=0)
            print(sys.version_info[1], os.path.exists(cached), os.path.exists("/proc/self/fd/1023"))"""
        seen = set()
        for python in {harness.system_python(), harness.task_python()[0]} | set(
                glob.glob(os.path.expanduser("~/.pyenv/versions/3.1[1-9].*/bin/python"))):
            with self.subTest(python):
                result = self.run_capsule("-q", "--timeout", "60s", "--python", python, "-c", code)
                if result.status == 125 and os.geteuid() != 0:
                    continue
                minor, cached, there = self.check(result).out.split()
                self.assertEqual((cached, there), (str(int(minor) <= 13), "True"))
                seen.add(minor)
        self.assertTrue(seen)

    def look(self, *args, **kw):
        return json.loads(self.check(self.both(*args, **kw)).out)

    def test_interpreter_and_environment(self):
        code = LOOK + "import json\nprint(json.dumps(look(), default=str))"
        seen = self.look(self.write("task.py", code), "one", "two")
        self.assertEqual((seen["argv"], seen["name"]), (["/task/task.py", "one", "two"], "__main__"))
        self.assertNotIn("PYTHONPATH", seen["environ"])
        self.look("-c", code, "one")
        self.look("-", "one", stdin=code)

    def test_module_path_of_the_users(self):
        os.mkdir(self.path("src"))
        self.write("src/mod.py", LOOK + "import json\nprint(json.dumps(look(), default=str))")
        seen = self.look("-m", "mod", opts=("--src", self.path("src")))
        self.assertEqual((seen["path0"], seen["environ"]["PYTHONPATH"]), (self.path("src"),) * 2)
        code = LOOK + "import json\nprint(json.dumps(look(), default=str))"
        seen = self.look("-c", code, opts=("--env", "PYTHONPATH=/data:/usr/share", "--bind", self.path("src") + ":/data"))
        self.assertEqual(seen["path"][:2], ["/data", "/usr/share"])

    def test_sitecustomize_of_the_users(self):
        os.mkdir(self.path("src"))
        self.write("src/sitecustomize.py", "import sys\nsys.mark = __file__, __name__, __spec__.origin\n")
        result = self.check(self.both("-c", "import sys, sitecustomize; print(sys.mark, sitecustomize.__file__)",
                                      opts=("--src", self.path("src"))))
        self.assertIn("src/sitecustomize.py", result.out)

    def test_sitecustomize_that_fails(self):
        os.mkdir(self.path("src"))
        for text in ("raise ValueError('mine')", "import no_such_module"):
            self.write("src/sitecustomize.py", text)
            self.both("-c", "print('runs')", opts=("--src", self.path("src")))

    def test_virtual_environment(self):
        python = harness.system_python()
        venv = self.path("venv")
        subprocess.run([python, "-m", "venv", "--without-pip", venv], check=True, stdin=subprocess.DEVNULL)
        site, = glob.glob(venv + "/lib/python3*/site-packages")
        with open(site + "/sitecustomize.py", "w") as f:
            f.write("import sys\nsys.mark = __file__\n")
        out = self.check(self.both("-c", "import sys; print(getattr(sys, 'mark', None), sys.path, sys.prefix)",
                                   opts=("--venv", venv))).out
        self.assertIn(venv, out)

    def test_tracebacks(self):
        for code in ("def f(): 1 / 0\nf()", "import json\njson.loads('{')", "x = (\n", "raise SystemExit('out')",
                     "import sys\nprint(sys._getframe(0).f_back, sys._getframe().f_code.co_filename)"):
            result = self.both(self.write("task.py", code))
            self.assertNotIn("capsule", result.out + result.err)
            self.both("-c", code)

    def test_multiprocessing(self):
        for method in ("fork", "spawn", "forkserver"):
            code = LOOK + """
import json, multiprocessing
def work(n):
    seen = look()
    return {k: seen[k] for k in ("path", "path0", "argv", "environ", "name", "custom", "flags")}, n * n
if __name__ == "__main__":
    with multiprocessing.get_context(%r).Pool(2) as pool:
        print(json.dumps(pool.map(work, range(3))[2], default=str, sort_keys=True))
""" % method
            with self.subTest(method):
                seen, square = json.loads(self.check(self.both(self.write("task.py", code))).out)
                self.assertEqual(square, 4)

    def test_subprocesses(self):
        code = LOOK + "import json\nprint(json.dumps(look(), default=str, sort_keys=True))"
        self.write("sandbox/inner.py", code)
        self.check(self.both(self.write("task.py", "import subprocess, sys\nfor o in ([], ['-I'], ['-S'], ['-E']):\n"
                                        "    subprocess.run([sys.executable, *o, 'inner.py', 'x'], check=True)")))

    def test_no_descriptor_reaches_a_child(self):
        code = ("import os, subprocess, sys\n"
                "print(subprocess.run(['/bin/ls', '/proc/self/fd'], stdout=-1, close_fds=False).stdout)")
        self.assertEqual(self.check(self.both("-c", code)).out, "b'0\\n1\\n2\\n3\\n'\n")

    def test_the_signal_and_faulthandler_stay_the_tasks(self):
        self.both("-c", "import faulthandler, os, signal, sys\nfaulthandler.enable(); faulthandler.register(signal.SIGUSR1)\n"
                  "print(signal.getsignal(64))\n"
                  "signal.signal(64, lambda *_: print('mine'))\nos.kill(os.getpid(), 64)\n"
                  "os.kill(os.getpid(), signal.SIGUSR1)\nfaulthandler.disable()")

    def test_few_open_files(self):
        """The descriptor is one of those that a task may have."""
        code = "import os\nfds = []\ntry:\n    while True: fds.append(os.dup(0))\nexcept OSError: print(fds)"
        for timeout, count in (("unlimited", 13), ("60s", 12)):
            out = self.check(self.run_capsule("-q", "--nofile", "16", "--timeout", timeout, "-c", code)).out
            self.assertEqual(eval(out), list(range(3, 3 + count)))


if __name__ == "__main__":
    unittest.main()
