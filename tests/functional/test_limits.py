"""Limits hold for the whole tree, say so, and leave the innocent alone."""
import os
import resource
import signal
import subprocess
import tempfile
import time
import unittest

import harness


class Ram(harness.Case):
    """A cgroup holds it for root and where one is delegated; a watchdog holds it elsewhere. The promises are the same."""

    def out_of_memory(self, code, *opts, ram="96M"):
        result = self.check(self.run_capsule("--ram", ram, *opts, "-c", code, verdict=True), 137)
        self.assertEqual(result.verdict["outcome"], "oom")
        self.assertEqual(harness.hits(result.verdict), ["ram"])
        self.assertIsNone(result.verdict["exit_code"])
        self.assertIn("--ram " + ram, result.err)
        self.assertNotIn("SURVIVED", result.out)
        return result

    def test_anonymous_memory(self):
        self.out_of_memory("x = []\nfor i in range(400): x.append(b'x' * (1 << 20))\nprint('SURVIVED')")

    def test_one_large_block(self):
        self.out_of_memory("x = bytearray(400 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\nprint('SURVIVED')")

    def test_memory_files(self):
        self.out_of_memory("import os\nfd = os.memfd_create('x')\n"
                           "for i in range(400): os.write(fd, b'x' * (1 << 20))\nprint('SURVIVED')")

    def test_shared_memory(self):
        # It stays for a watchdog to see: one that ends at once may do so between two looks.
        self.out_of_memory("import time\nf = open('/dev/shm/x', 'wb')\n"
                           "for i in range(90): f.write(b'x' * (1 << 20)); f.flush()\n"
                           "y = b'x' * (60 << 20)\ntime.sleep(20); print('SURVIVED')")

    def test_shared_anonymous_memory(self):
        self.out_of_memory("import mmap\nm = mmap.mmap(-1, 400 << 20)\n"
                           "for i in range(0, len(m), 4096): m[i] = 1\nprint('SURVIVED')")

    def test_shared_memory_that_is_not_mapped_in(self):
        """Pages that a mapping has given back are in no page table, and still memory."""
        self.out_of_memory("import mmap\nm = mmap.mmap(-1, 400 << 20)\nstep = 8 << 20\n"
                           "for i in range(0, len(m), step):\n"
                           "    m[i:i + step] = b'x' * step\n    m.madvise(mmap.MADV_DONTNEED, i, step)\n"
                           "import time; time.sleep(3); print('SURVIVED')")

    def test_memory_files_of_a_socket_queue(self):
        """Descriptors that were sent and not received are in no table."""
        self.out_of_memory("import os, socket\na, b = socket.socketpair()\n"
                           "for i in range(50):\n    fd = os.memfd_create('x')\n"
                           "    os.write(fd, b'x' * (8 << 20))\n    socket.send_fds(a, [b'x'], [fd])\n    os.close(fd)\n"
                           "import time; time.sleep(3); print('SURVIVED')")

    def test_memory_of_others_is_not_the_tasks(self):
        """What another program puts into /dev/shm meanwhile does not end an innocent task."""
        code = "x = b'x' * (40 << 20)\nprint('ready', flush=True)\ninput()\nprint('fine')"
        process = self.start("-q", "--ram", "100M", "-c", code, stdin=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        with tempfile.TemporaryFile(dir="/dev/shm") as other:
            other.write(bytes(200 << 20))
            other.flush()
            time.sleep(0.3)  # thirty looks of a watchdog's
            out = process.communicate(b"\n", timeout=harness.PATIENCE)[0]
        self.assertEqual((process.returncode, out), (0, b"fine\n"))

    def test_what_others_free_is_not_the_tasks_to_take(self):
        """Shared memory that another program gives back meanwhile hides none that the task has in its /dev/shm."""
        code = ("import time\nf = open('/dev/shm/x', 'wb')\nfor i in range(60): f.write(b'x' * (1 << 20)); f.flush()\n"
                "print('ready', flush=True)\ninput()\ny = b'x' * (60 << 20)\ntime.sleep(20); print('SURVIVED')")
        with tempfile.TemporaryFile(dir="/dev/shm") as other:
            other.write(bytes(200 << 20))
            other.flush()
            process = self.start("-q", "--ram", "96M", "-c", code, stdin=subprocess.PIPE)
            self.assertEqual(process.stdout.readline(), b"ready\n")
        time.sleep(0.3)  # thirty looks of a watchdog's
        out = process.communicate(b"\n", timeout=harness.PATIENCE)[0]
        self.assertEqual((process.returncode, out), (137, b""))

    def test_many_processes_with_a_little_each(self):
        self.out_of_memory("""if 1:
            import os, time
            for i in range(20):
                if os.fork() == 0:
                    x = os.urandom(1 << 20) * 20
                    time.sleep(100)
            time.sleep(100)
            """)

    def test_deleted_files_of_fresh(self):
        result = self.run_capsule("--ram", "96M", "--fresh", "-c",
                                  "import os\nf = open('x', 'wb'); os.unlink('x')\n"
                                  "for i in range(400): f.write(b'x' * (1 << 20)); f.flush()\nprint('SURVIVED')",
                                  sandbox=False, verdict=True)
        self.assertEqual(self.check(result, 137).verdict["outcome"], "oom")

    def test_process_whose_first_thread_has_ended(self):
        self.out_of_memory("""if 1:
            import ctypes, threading, time
            def hog():
                x = []
                while True: x.append(b"x" * (1 << 20))
            threading.Thread(target=hog).start()
            ctypes.CDLL(None).syscall(60, 0)  # exit() of the first thread alone
            """)

    MMAP = """if 1:
            import ctypes, os, time
            mmap = ctypes.CDLL(None).mmap
            mmap.restype = ctypes.c_void_p
            mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
            """

    def test_memory_files_that_are_only_mapped(self):
        """No descriptor shows them, and a private mapping has none of their pages."""
        self.out_of_memory(self.MMAP + """
            for i in range(25):
                fd = os.memfd_create("x")
                os.write(fd, b"x" * (16 << 20))
                mmap(None, 16 << 20, 1, 2, fd, 0)  # PROT_READ, MAP_PRIVATE
                os.close(fd)
            time.sleep(3); print("SURVIVED")
            """)

    def test_memory_file_that_is_mapped_in_a_small_part(self):
        self.out_of_memory(self.MMAP + """
            size = 400 << 20
            fd = os.memfd_create("x")
            os.ftruncate(fd, size)
            whole = mmap(None, size, 3, 1, fd, 0)
            mmap(None, 4096, 3, 1, fd, size - 4096)  # lies below, so it is seen first
            os.close(fd)
            for at in range(0, size, 4096): ctypes.memset(whole + at, 1, 1)
            time.sleep(3); print("SURVIVED")
            """)

    def test_process_that_can_not_be_read_and_looks_dead(self):
        """An unreadable program, whose descriptors nobody but root may see, and whose first thread has ended."""
        hog = """if 1:
            import ctypes, os, threading, time
            def hog():
                time.sleep(0.3)
                fd = os.memfd_create("x")
                for i in range(400): os.write(fd, b"x" * (1 << 20))
                time.sleep(3); print("SURVIVED", flush=True); os._exit(0)
            threading.Thread(target=hog).start()
            ctypes.CDLL(None).syscall(60, 0)
            """
        result = self.run_capsule("--ram", "96M", "-c", """if 1:
            import os, shutil, sys
            shutil.copy("/usr/bin/python3", "py"); os.chmod("py", 0o111)
            os.execv("py", ["py", "-c", sys.argv[1]])
            """, hog, verdict=True)
        self.assertNotIn("SURVIVED", result.out)
        self.assertIn(result.verdict["outcome"], ("oom", "disk"), result)

    def test_memory_of_a_daemon(self):
        self.out_of_memory("""if 1:
            import os, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    x = []
                    while True: x.append(b"x" * (1 << 20))
                os._exit(0)
            time.sleep(100)
            """)

    def test_locked_and_huge_mappings_do_not_hide(self):
        self.out_of_memory("import mmap\nm = mmap.mmap(-1, 400 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
                           "m.madvise(14)\nfor i in range(0, len(m), 4096): m[i] = 1\nprint('SURVIVED')")

    def test_address_space_is_free(self):
        """RLIMIT_AS would refuse this; no memory is used."""
        self.check(self.run_capsule("-q", "--ram", "64M", "-c", "import mmap as m\n"
                                    "m.mmap(-1, 8 << 30, m.MAP_PRIVATE | m.MAP_ANONYMOUS | 0x4000)"))  # MAP_NORESERVE

    def test_innocent_threads(self):
        """64 threads map half a gigabyte of stacks and use next to nothing."""
        self.says("""
            import threading
            gate = threading.Barrier(65)
            threads = [threading.Thread(target=gate.wait) for _ in range(64)]
            for t in threads: t.start()
            gate.wait()
            for t in threads: t.join()
            print("ok")
            """, "ok", opts=("--ram", "64M"))

    def test_innocent_processes_that_share(self):
        """Copies that nobody writes to count once."""
        self.says("""
            import os
            x = bytes(1) * (40 << 20)
            r, w = os.pipe()
            children = []
            for _ in range(10):
                pid = os.fork()
                if pid == 0:
                    os.close(w); os.read(r, 1); os._exit(x[0])
                children.append(pid)
            os.close(w)
            print([os.waitpid(c, 0)[1] for c in children] == [0] * 10)
            """, "True", opts=("--ram", "160M"))

    def test_up_to_the_limit(self):
        self.says("x = b'x' * (100 << 20); print(len(x))", str(100 << 20), opts=("--ram", "160M"))

    def test_python_starts_with_little(self):
        self.check(self.run_capsule("-q", "--ram", "32M", "-c", "pass"))

    def test_handled_memory_error_is_no_outcome(self):
        result = self.check(self.run_capsule("-q", "-c", "try: x = bytes(1 << 62)\nexcept MemoryError: print('caught')",
                                             verdict=True))
        self.assertEqual((result.out, harness.hits(result.verdict)), ("caught\n", []))

    def test_peak_is_reported(self):
        result = self.check(self.run_capsule("-q", "-c", "x = b'x' * (100 << 20)", verdict=True))
        self.assertGreater(result.verdict["usage"]["memory_peak_bytes"], 100 << 20)
        self.assertLess(result.verdict["usage"]["memory_peak_bytes"], 400 << 20)

    def test_rung(self):
        rung = self.check(self.run_capsule("-q", "-c", "pass", verdict=True)).verdict["limits"]["ram"]["rung"]
        self.assertIn(rung, ("cgroup-v1", "cgroup-v2", "systemd-scope") if harness.has_cgroup() else ("watchdog",))

    @harness.for_cgroup(False)
    def test_watchdog_tells_its_overshoot(self):
        result = self.out_of_memory("x = []\nwhile True: x.append(b'x' * (1 << 20))")
        self.assertIn("over by", result.err)
        self.assertGreater(result.verdict["overshoot"], 0)


class RamSoft(harness.Case):
    """Before --ram ends a task it is refused more, on every rung."""

    HOG = """if 1:
        import time
        kept = []
        try:
            while True: kept.append(b"x" * (1 << 20)); time.sleep(0.005)  # a watchdog may be kept from looking
        except MemoryError:
            kept = len(kept)
            print("caught at", kept)
        """

    def test_memory_error_first(self):
        result = self.check(self.run_capsule("--ram", "512M", "--ram-soft", "128M", "-c", self.HOG, verdict=True))
        self.assertEqual((result.verdict["outcome"], harness.hits(result.verdict)), ("exited", ["ram-soft"]))
        # What it grew by while it was not looked at is in between, too.
        self.assertLess(int(result.out.split()[-1]), 500)
        hit = result.verdict["limits_hit"][0]
        self.assertEqual((hit["value"], hit["unit"]), (128 << 20, "bytes"))
        self.assertGreater(hit["peak"], 120 << 20)
        self.assertIn("--ram-soft 128M", result.err)
        self.assertNotIn("watchdog" if harness.rung() in ("cgroup-v2", "systemd-scope") else "cgroup",
                         result.verdict["limits"]["ram-soft"]["rung"])

    def test_one_that_does_not_catch_it_says_where(self):
        result = self.check(self.task("import time\ndef leak():\n    kept = []\n    while True:\n        kept.append(b'x' * (1 << 20))\n"
                                      "        time.sleep(0.005)\nleak()\n",
                                      opts=("--ram", "512M", "--ram-soft", "128M"), verdict=True), 1)
        self.assertIn("MemoryError", result.err)
        self.assertEqual(result.verdict["reported_by_task"]["exception"]["type"], "MemoryError")
        self.assertEqual(result.verdict["reported_by_task"]["exception"]["line"], 5)
        self.assertIn("--ram-soft", result.verdict["hint"])

    def test_what_was_freed_can_be_had_again(self):
        result = self.check(self.run_capsule("-q", "--ram", "512M", "--ram-soft", "128M", "-c", self.HOG + """
        def wait_until_free():
            import resource, time
            while resource.getrlimit(resource.RLIMIT_DATA)[0] != resource.RLIM_INFINITY: time.sleep(0.01)
        wait_until_free()
        import mmap
        big = mmap.mmap(-1, 4 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
        print("again")
        """, verdict=True))
        self.assertEqual(result.out.splitlines()[1], "again")

    def test_all_processes_together(self):
        """None has much, and each is refused more."""
        result = self.check(self.run_capsule("-q", "--ram", "512M", "--ram-soft", "128M", "-c", """if 1:
            import os, time
            pipes = []
            for _ in range(4):
                r, w = os.pipe()
                if os.fork() == 0:
                    kept = []
                    try:
                        while True: kept.append(b"x" * (1 << 20)); time.sleep(0.02)
                    except MemoryError: os.write(w, b"%d\\n" % len(kept))
                    time.sleep(1000)
                os.close(w)
                pipes.append(os.fdopen(r))
            print(sum(int(p.readline()) for p in pipes))
            """, verdict=True))
        self.assertLess(int(result.out), 500)
        self.assertEqual(harness.hits(result.verdict), ["ram-soft"])

    def test_innocent_below(self):
        """Neither address space nor page cache is memory that is needed."""
        result = self.check(self.run_capsule("-q", "--ram", "512M", "--ram-soft", "100M", "-c", """if 1:
            import mmap, threading
            gate = threading.Barrier(33)
            for _ in range(32): threading.Thread(target=gate.wait, daemon=True).start()
            m = mmap.mmap(-1, 8 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
            with open("big", "wb") as f:
                for _ in range(120): f.write(bytes(1 << 20))
            import time; time.sleep(0.3)  # thirty looks
            kept = [b"x" * (1 << 20) for _ in range(60)]
            gate.wait()
            print("fine")
            """, verdict=True))
        self.assertEqual((result.out, harness.hits(result.verdict)), ("fine\n", []))

    def test_more_than_ram(self):
        self.refused(self.run_capsule("--ram", "100M", "--ram-soft", "101M", "-c", "pass"), "--ram-soft 101M", "--ram 100M",
                     status=2)
        self.refused(self.run_capsule("--ram-soft", "2G", "-c", "pass"), "--ram-soft 2G", "--ram 1G", status=2)
        self.check(self.run_capsule("-q", "--ram", "100M", "--ram-soft", "100M", "-c", "pass"))

    def test_hard_limit_still_ends_it(self):
        result = self.check(self.run_capsule("--ram", "128M", "--ram-soft", "64M", "-c", "import mmap, time\n"
                                             "m = mmap.mmap(-1, 400 << 20)\n"
                                             "for i in range(0, len(m), 4096): m[i] = 1\n"
                                             "time.sleep(20)", verdict=True), 137)
        self.assertEqual(result.verdict["outcome"], "oom")


class Pids(harness.Case):
    FORK = """if 1:
        import errno, os, signal, sys
        n = 0
        r, w = os.pipe()
        try:
            while n < 1000:
                if os.fork() == 0: os.close(w); os.read(r, 1); os._exit(0)
                n += 1
        except OSError as e: print(errno.errorcode[e.errno], n)
        """

    def test_processes(self):
        # Ours and the task's first are among the 20.
        result = self.check(self.run_capsule("-q", "--pids", "20", "-c", self.FORK, verdict=True))
        self.assertEqual(result.out, "EAGAIN 18\n")
        if harness.has_cgroup():
            self.assertEqual(harness.hits(result.verdict), ["pids"])

    def test_threads(self):
        result = self.check(self.run_capsule("-q", "--pids", "20", "-c", """if 1:
            import threading
            stop, n = threading.Event(), 0
            try:
                while n < 1000: threading.Thread(target=stop.wait).start(); n += 1
            except RuntimeError: print(n)
            stop.set()
            """))
        self.assertEqual(result.out, "18\n")

    def test_is_not_shared_with_other_sandboxes(self):
        first = self.start("-q", "--pids", "20", "-c", self.FORK + "\n        input()", stdin=subprocess.PIPE)
        self.assertEqual(first.stdout.readline(), b"EAGAIN 18\n")
        self.assertEqual(self.check(self.run_capsule("-q", "--pids", "20", "-c", self.FORK)).out, "EAGAIN 18\n")
        first.communicate(b"\n", harness.PATIENCE)

    def test_fork_bomb_ends_by_the_timeout(self):
        code = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
        result = self.check(self.run_capsule("-q", "-t", "1s", "--grace", "100ms", "--pids", "50", "-c", code,
                                             verdict=True), 124)
        self.assertEqual(result.verdict["outcome"], "timeout")

    def test_zombies_are_reaped(self):
        self.says("""
            import os
            for _ in range(300):
                pid = os.fork()
                if pid == 0:
                    if os.fork() == 0: os._exit(0)
                    os._exit(0)
                os.waitpid(pid, 0)
            print("ok")
            """, "ok", opts=("--pids", "30"))


class Files(harness.Case):
    def test_open_files(self):
        self.says("""
            import errno, os, resource
            print(resource.getrlimit(resource.RLIMIT_NOFILE))
            try:
                while True: last = os.open("/dev/null", os.O_RDONLY)
            except OSError as e: print(errno.errorcode[e.errno], last)
            try: resource.setrlimit(resource.RLIMIT_NOFILE, (65, 65))
            except ValueError: print("not raised")
            """, "(64, 64)\nEMFILE 63\nnot raised", opts=("--nofile", "64"))

    def test_more_than_the_caller_has(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard >= 1048576 or hard == resource.RLIM_INFINITY:
            limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (5000, 5000))
            hard = 5000
        else:
            limit = None
        self.refused(self.run_capsule("--nofile", str(hard + 1), "-c", "pass", preexec_fn=limit), "--nofile", str(hard))

    def test_default_that_the_caller_does_not_have(self):
        result = self.run_capsule("-q", "-c", "import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE))",
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)))
        self.assertEqual(self.check(result).out, "(200, 200)\n")

    def test_file_size(self):
        self.says("""
            import errno, os
            fd = os.open("x", os.O_CREAT | os.O_WRONLY)
            n = 0
            try:
                while True: n += os.write(fd, bytes(1000))
            except OSError as e: print(errno.errorcode[e.errno], n)
            try: os.truncate("x", 20000)
            except OSError as e: print(errno.errorcode[e.errno])
            """, "EFBIG 10240\nEFBIG", opts=("--fsize", "10K"))

    def test_no_core_files(self):
        self.says("import resource as r; print(r.getrlimit(r.RLIMIT_CORE))", "(0, 0)")
        self.check(self.run_capsule("-q", "-c", "import os; os.abort()"), 134)
        self.assertEqual(os.listdir(self.dir), [])


class Disk(harness.Case):
    FILL = "import os\nfor i in range(200): open('f%d' % i, 'wb').write(os.urandom(1 << 20))\nprint('SURVIVED')"

    def filled(self, result, hit, option):
        self.check(result, 123)
        self.assertEqual((result.verdict["outcome"], harness.hits(result.verdict)), ("disk", [hit]))
        self.assertIn(option, result.err)
        self.assertNotIn("SURVIVED", result.out)

    def test_bytes(self):
        result = self.run_capsule("--disk", "8M", "--ram", "512M", "-c", self.FILL, verdict=True)
        self.filled(result, "disk", "--disk 8M")
        self.assertEqual(result.verdict["limits"]["disk"]["rung"], "watchdog")

    def test_number_of_files(self):
        result = self.run_capsule("--inodes", "100", "-c",
                                  "for i in range(100000): open('f%d' % i, 'w').close()\nprint('SURVIVED')", verdict=True)
        self.filled(result, "inodes", "--inodes 100")
        self.assertRegex(result.err, r"\(--inodes 100; over by \d+ files? when it was stopped\)")
        self.assertGreaterEqual(result.verdict["overshoot"], 1)

    def test_directories_count(self):
        result = self.run_capsule("--inodes", "100", "-c",
                                  "import os\nfor i in range(100000): os.mkdir('d%d' % i)\nprint('SURVIVED')", verdict=True)
        self.filled(result, "inodes", "--inodes 100")

    def test_deleted_but_open_files_count(self):
        code = ("import os\nkept = []\nfor i in range(200):\n    f = open('x', 'wb'); os.unlink('x'); kept.append(f)\n"
                "    f.write(os.urandom(1 << 20)); f.flush()\nprint('SURVIVED')")
        self.filled(self.run_capsule("--disk", "8M", "--ram", "512M", "-c", code, verdict=True), "disk", "--disk 8M")

    def test_hidden_in_an_unreadable_directory(self):
        code = "import os; os.mkdir('d'); os.chdir('d'); os.chmod('.', 0o300)\n" + self.FILL
        self.filled(self.run_capsule("--disk", "8M", "--ram", "512M", "-c", code, verdict=True), "disk", "--disk 8M")

    def test_deep_tree(self):
        code = ("import os\nfor i in range(2000): os.mkdir('d' * 200); os.chdir('d' * 200)\n" + self.FILL)
        self.filled(self.run_capsule("--disk", "16M", "--ram", "512M", "-c", code, verdict=True), "disk", "--disk 16M")

    def test_what_was_there_before_does_not_count(self):
        self.write("sandbox/old", os.urandom(4 << 20))
        self.check(self.run_capsule("-q", "--disk", "2M", "-c", "open('new', 'wb').write(bytes(1 << 20))"))

    def test_what_the_task_stopped_stays_stopped(self):
        """A watchdog that looks now and then wakes nobody."""
        self.says("import os, signal, time\npid = os.fork()\n"
                  "if pid == 0: os.kill(os.getpid(), signal.SIGSTOP); os._exit(0)\n"
                  "os.waitpid(pid, os.WUNTRACED)\ntime.sleep(2.5)\n"
                  "print(os.waitpid(pid, os.WNOHANG | os.WCONTINUED))\nos.kill(pid, 9)", "(0, 0)")

    def test_below_the_limit(self):
        self.check(self.run_capsule("-q", "--disk", "8M", "-c", "open('x', 'wb').write(bytes(4 << 20))"))

    def test_rewriting_is_not_growth(self):
        code = "import os\nfor i in range(50): open('x', 'wb').write(os.urandom(1 << 20))"
        self.check(self.run_capsule("-q", "--disk", "8M", "--ram", "512M", "-c", code))


class Stall(harness.Case):
    def stalls(self, code, *opts, **kw):
        result = self.check(self.run_capsule("--stall", "1s", *opts, "-c", code, verdict=True, **kw), 124)
        self.assertEqual((result.verdict["outcome"], harness.hits(result.verdict)), ("stall", ["stall"]))
        self.assertIn("--stall 1s", result.err)
        self.assertGreaterEqual(result.verdict["usage"]["wall_ms"], 1000)
        return result

    def test_sleep(self):
        self.stalls("import time; time.sleep(600)")

    def test_after_work(self):
        self.assertEqual(self.stalls("print('worked'); import time; time.sleep(600)").out, "worked\n")

    def test_timers_are_no_work(self):
        self.stalls("import time\nwhile True: time.sleep(0.2)")

    def test_input_that_does_not_come(self):
        read_fd, write_fd = os.pipe()
        with open(read_fd, "rb") as stdin, open(write_fd, "wb"):
            self.stalls("input()", stdin=stdin)

    def test_one_that_ignores_sigterm(self):
        self.stalls("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)", "--grace",
                    "100ms")

    def test_output_is_life(self):
        self.check(self.run_capsule("-q", "--stall", "2s", "-c", "import time\nfor i in range(30):\n"
                                    "    print(i, flush=True); time.sleep(0.1)"))

    def test_work_of_a_child_is_life(self):
        self.check(self.run_capsule("-q", "--stall", "2s", "-c", "import os, time\nif os.fork() == 0:\n"
                                    "    end = time.monotonic() + 4\n    while time.monotonic() < end: pass\n"
                                    "    os._exit(0)\nos.wait()"))


class Cpu(harness.Case):
    BUSY = "while True: pass"

    def test_cpu_time_of_one(self):
        result = self.check(self.run_capsule("--cpu-time", "300ms", "--grace", "100ms", "-c", self.BUSY, verdict=True), 124)
        self.assertEqual((result.verdict["outcome"], harness.hits(result.verdict)), ("cpu-time", ["cpu-time"]))
        self.assertGreaterEqual(result.verdict["usage"]["cpu_ms"], 290)
        self.assertIn("--cpu-time 300ms", result.err)

    def test_compute_is_cpu_time(self):
        result = self.check(self.run_capsule("--compute", "300ms", "--grace", "0", "-c", self.BUSY, verdict=True), 124)
        self.assertEqual((result.verdict["outcome"], harness.hits(result.verdict)), ("cpu-time", ["cpu-time"]))
        for name in ("cpu-time", "compute"):
            limit = result.verdict["limits"][name]
            self.assertEqual((limit["value"], limit["origin"]), ("300ms", "command line"))
            self.assertEqual(limit["rung"], harness.rung())

    def test_compute_by_name(self):
        profile = self.write("p.profile", "capsule-run-profile 1\ncompute = high\n")
        for opts, value in ((("--compute", "LOW"), ("10s", "10s")), (("--compute", "medium"), ("1m", "1m")),
                            (("--profile", profile), ("10m", "10m")),
                            (("--profile", profile, "--cpu-time", "3s"), ("3s", "unlimited")),
                            (("--profile", profile, "--compute", "LOW"), ("10s", "10s")),
                            (("--compute", "LOW", "--cpu-time", "10s"), ("10s", "10s")),
                            (("--profile", profile, "--compute", "unlimited"), ("unlimited", "unlimited")),
                            (("--profile", profile, "--cpu-time", "unlimited"), ("unlimited", "unlimited"))):
            with self.subTest(opts):
                printed = self.check(self.run_capsule(*opts, "--print-policy", "-c", "pass")).out
                again = self.write("again.profile", printed)
                second = self.check(self.run_capsule("--profile", again, "--print-policy", "-c", "pass", sandbox=False)).out
                for text in (printed, second):
                    words = dict(line.split(None, 3)[::2][:2] for line in text.splitlines() if " = " in line)
                    self.assertEqual((words["cpu-time"], words["compute"]), value)

    def test_compute_that_is_not_understood(self):
        self.refused(self.run_capsule("--compute", "SOME", "-c", "pass"), "--compute SOME", "LOW|MEDIUM|HIGH", status=2)
        self.refused(self.run_capsule("--compute", "LOW", "--cpu-time", "1s", "-c", "pass"), "--compute", "--cpu-time",
                     status=2)

    def test_cpu_time_of_a_tree(self):
        """None of them uses much; all together do, those that have ended included."""
        code = """if 1:
            import os, time
            while True:
                pid = os.fork()
                if pid == 0:
                    end = time.process_time() + 0.05
                    while time.process_time() < end: pass
                    os._exit(0)
                os.waitpid(pid, 0)
            """
        result = self.check(self.run_capsule("-q", "--cpu-time", "500ms", "--grace", "100ms", "-c", code, verdict=True), 124)
        self.assertEqual(result.verdict["outcome"], "cpu-time")

    def test_cpu_time_of_children_that_nobody_waits_for(self):
        code = """if 1:
            import os, signal, time
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            while True:
                if os.fork() == 0:
                    end = time.process_time() + 0.1
                    while time.process_time() < end: pass
                    os._exit(0)
                time.sleep(0.15)
            """
        result = self.check(self.run_capsule("-q", "--cpu-time", "500ms", "--grace", "100ms", "-c", code, verdict=True), 124)
        self.assertEqual(result.verdict["outcome"], "cpu-time")

    def test_cpu_time_of_orphans(self):
        code = """if 1:
            import os, time
            while True:
                pid = os.fork()
                if pid == 0:
                    if os.fork() == 0:
                        os.setsid()
                        end = time.process_time() + 0.05
                        while time.process_time() < end: pass
                    os._exit(0)
                os.waitpid(pid, 0)
                time.sleep(0.02)
            """
        result = self.check(self.run_capsule("-q", "--cpu-time", "500ms", "--grace", "100ms", "-t", "30s", "-c", code,
                                             verdict=True), 124)
        self.assertEqual(result.verdict["outcome"], "cpu-time")

    def test_sleeping_costs_nothing(self):
        self.check(self.run_capsule("-q", "--cpu-time", "%dms" % (500 * harness.SLOWNESS), "-c",
                                    "import time; time.sleep(%f)" % (0.7 * harness.SLOWNESS)))

    @harness.for_cgroup(True)
    def test_share_of_the_cores(self):
        result = self.check(self.run_capsule("-q", "--cpu", "0.2", "-c", """if 1:
            import time
            start, end = time.monotonic(), time.process_time() + 0.2
            while time.process_time() < end: pass
            print(time.monotonic() - start > 0.5)
            """, verdict=True))
        self.assertEqual(result.out, "True\n")
        self.assertIn(result.verdict["limits"]["cpu"]["rung"], ("cgroup-v1", "cgroup-v2", "systemd-scope"))

    @harness.for_cgroup(False)
    def test_share_that_nothing_can_hold_is_refused(self):
        self.refused(self.run_capsule("--cpu", "1", "-c", "pass"), "--cpu", "cgroup", "hint: ")

    @harness.for_cgroup(True)
    def test_thread_pools_follow(self):
        self.says("import os; print(os.environ['OMP_NUM_THREADS'])", "1", opts=("--cpu", "0.5"))


class Disk(harness.Case):
    """Rates of the disk: held, or an error that says why not."""

    def refused_for(self, option, *words, opts=()):
        self.refused(self.run_capsule(option, "1M", *opts, "-c", "pass", sandbox=not opts), option, *words)

    def test_no_disk(self):
        for option in ("--io-read-bps", "--io-write-bps"):
            self.refused_for(option, "--fresh", "hint: ", "--dir DIR", opts=("--fresh",))

    @harness.for_cgroup(False)
    def test_no_cgroup(self):
        for option in ("--io-read-bps", "--io-write-bps"):
            self.refused_for(option, "no cgroup can hold it", "hint: ")

    @harness.for_cgroup(True)
    def test_reads(self):
        path = self.write("sandbox/data", os.urandom(6 << 20))
        with open(path, "rb") as f:
            os.fsync(f.fileno())
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        result = self.run_capsule("-q", "--io-read-bps", "2M", "-c", "import time\nstart = time.monotonic()\n"
                                  "print(len(open('data', 'rb').read()), time.monotonic() - start)", verdict=True)
        if result.status == 125:
            # A disk without partitions of its own (an overlay), or a controller that nobody hands on.
            self.assertRegex(result.err, "io-read-bps.*(no cgroup can hold it|find the disk)")
            return
        size, seconds = self.check(result).out.split()
        self.assertEqual(int(size), 6 << 20)
        # A third of it may come at once.
        self.assertGreater(float(seconds), 2)
        self.assertEqual(result.verdict["limits"]["io-read-bps"]["rung"], harness.rung())

    @harness.for_cgroup(True)
    def test_writes(self):
        result = self.run_capsule("-q", "--io-write-bps", "2M", "-c", "import os, time\nstart = time.monotonic()\n"
                                  "f = open('data', 'wb')\nf.write(os.urandom(6 << 20)); f.flush(); os.fsync(f)\n"
                                  "print(time.monotonic() - start)", verdict=True)
        if harness.rung() == "cgroup-v1":
            self.refused(result, "--io-write-bps", "v1", "hint: ")
        elif result.status == 125:
            self.assertRegex(result.err, "io-write-bps.*(no cgroup can hold it|find the disk)")
        else:
            self.assertGreater(float(self.check(result).out), 2)


class Time(harness.Case):
    """Nothing outlives --timeout."""

    def timed_out(self, code, *opts, grace="100ms", timeout="400ms"):
        marker = "capsule-time-%d-%s" % (os.getpid(), self.id())
        result = self.check(self.run_capsule("-t", timeout, "--grace", grace, *opts, "-c", code, marker, verdict=True), 124)
        self.assertEqual(result.verdict["outcome"], "timeout")
        self.assertIn("timeout", harness.hits(result.verdict))
        self.assertIn("--timeout " + timeout, result.err)
        self.assertEqual(harness.marked_processes(marker), [])
        return result

    def test_sleeping(self):
        self.timed_out("import time; time.sleep(1000)")

    def test_busy(self):
        self.timed_out("while True: pass")

    def test_reading(self):
        process = self.start("-t", "400ms", "--grace", "100ms", "-c", "input()", stdin=subprocess.PIPE)
        self.assertEqual(process.wait(harness.PATIENCE), 124)

    def test_writing_to_nobody(self):
        process = self.start("-t", "400ms", "--grace", "100ms", "-c", "while True: print('x' * 4096)")
        self.assertEqual(process.wait(harness.PATIENCE), 124)

    def test_ignoring_the_signals(self):
        result = self.timed_out("import signal, time\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n"
                                "    except (OSError, ValueError): pass\nprint('ready')\nwhile True: time.sleep(1000)",
                                timeout="1500ms")
        self.assertEqual(result.verdict["signal"], None)

    def test_blocking_the_signals(self):
        self.timed_out("import signal, time; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
                       "while True: time.sleep(1000)")

    def test_daemon(self):
        self.timed_out("import os, time\nif os.fork(): time.sleep(1000)\nos.setsid()\nif os.fork(): os._exit(0)\n"
                       "import signal; signal.signal(15, signal.SIG_IGN)\nwhile True: time.sleep(1000)")

    def test_stopped(self):
        self.timed_out("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")

    def test_stopped_child(self):
        self.timed_out("import os, signal\npid = os.fork()\nif pid == 0: os.kill(os.getpid(), signal.SIGSTOP)\n"
                       "os.waitpid(pid, 0)")

    def test_vforked_child(self):
        """The parent sleeps in the kernel until its child ends or executes something."""
        self.timed_out("import ctypes, time\nlibc = ctypes.CDLL(None)\nif libc.vfork() == 0: libc.sleep(1000); libc._exit(0)")

    def test_background_process_does_not_hold_us(self):
        """The main process ends: so does everything, at once and long before the limit."""
        marker = "capsule-bg-%d" % os.getpid()
        self.check(self.run_capsule("-q", "-t", "10m", "-c", "import os, time\nif os.fork() == 0:\n    os.setsid()\n"
                                    "    if os.fork() == 0: time.sleep(1000)", marker))
        self.assertEqual(harness.marked_processes(marker), [])

    def test_handler_that_ends_in_order(self):
        result = self.timed_out("import signal, sys, time\n"
                                "signal.signal(15, lambda *a: (print('bye'), sys.exit(5)))\ntime.sleep(1000)", grace="30s", timeout="1500ms")
        self.assertEqual(result.out, "bye\n")
        self.assertEqual(result.verdict["exit_code"], 5)

    def test_everybody_is_told(self):
        code = ("import os, signal, sys, time\ndef end(*a): os.write(1, b'bye\\n'); os._exit(0)\n"
                "signal.signal(15, end)\npid = os.fork()\ntime.sleep(1000)")
        timeout = "1500ms" if harness.SLOWNESS == 1 else "15s"
        self.assertIn("bye\n", self.timed_out(code, grace="30s", timeout=timeout).out)

    def test_no_grace(self):
        result = self.timed_out("import signal, sys, time\nsignal.signal(15, lambda *a: print('TOLD'))\ntime.sleep(1000)",
                                grace="0")
        self.assertEqual(result.out, "")

    def test_what_was_printed_before_is_kept(self):
        self.assertEqual(self.timed_out("import time; print('before'); time.sleep(1000)", timeout="1500ms").out, "before\n")

    def test_files_written_before_are_kept(self):
        self.timed_out("open('x', 'w').write('1'); import time; time.sleep(1000)", timeout="1500ms")
        self.assertEqual(self.read("sandbox/x"), "1")

    def test_before_the_limit(self):
        result = self.check(self.run_capsule("-q", "-t", "1h", "-c", "pass", verdict=True))
        self.assertEqual(harness.hits(result.verdict), [])

    def test_exit_124_of_the_tasks_own_is_told_apart(self):
        result = self.check(self.run_capsule("-q", "-c", "raise SystemExit(124)", verdict=True), 124)
        self.assertEqual((result.verdict["outcome"], result.verdict["exit_code"]), ("exited", 124))


class ManyAtOnce(harness.Case):
    def test_ten_runs_keep_their_own_limits(self):
        runs = []
        for i in range(10):
            runs.append(self.start("-q", "--fresh", "--ram", "64M", "--pids", "10", "-c",
                                   "x = b'x' * %d; print('fine')" % ((1 << 20) if i % 2 else (300 << 20)), sandbox=False))
        for i, process in enumerate(runs):
            out, _ = process.communicate(timeout=harness.PATIENCE)
            self.assertEqual((process.returncode, out), (0, b"fine\n") if i % 2 else (137, b""), i)


if __name__ == "__main__":
    unittest.main()
