"""Hostile tasks that need a caller of their own kind: a process group, a second run. Each has its control."""
import errno
import json
import os
import re
import signal
import subprocess
import sys
import unittest

import harness


class Group(harness.Case):
    """Signals to groups and to everybody stay inside."""

    CODE = ("import os, signal\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\n"
            "for f in (lambda: os.kill(0, signal.SIGUSR1), lambda: os.killpg(os.getpgid(os.getppid()), signal.SIGUSR1)):\n"
            "    try: f()\n    except OSError: pass\nprint('sent')")

    def run_in_group(self, argv):
        """True when a member of the same process group got the signal."""
        bystander = ("import os, signal, subprocess, sys\nhit = []\nsignal.signal(signal.SIGUSR1, lambda *a: hit.append(1))\n"
                     "p = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)\n"
                     "print('HIT' if hit else 'SAFE', p.stdout)")
        done = subprocess.run([sys.executable, "-c", bystander] + argv, cwd=self.tmp, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, start_new_session=True, timeout=harness.PATIENCE)
        return done.stdout.decode()

    def test_group(self):
        self.assertEqual(self.run_in_group([sys.executable, "-c", self.CODE]), "HIT b'sent\\n'\n")
        self.assertEqual(self.run_in_group(self.argv("-q", "-c", self.CODE)), "SAFE b'sent\\n'\n")


class SecondRun(harness.Case):
    """What one run leaves behind must not act on the next, nor on the caller."""

    def test_poisoned_modules(self):
        planted = "open('POISONED', 'w').write('1')"
        self.check_task("open('json.py', 'w').write(%r); open('random.py', 'w').write(%r)" % (planted, planted))
        subprocess.run([sys.executable, "-c", "import json"], cwd=self.dir, check=True,
                       env={k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"})
        self.assertTrue(os.path.exists(self.path("sandbox/POISONED")), "the control did not escape")
        os.unlink(self.path("sandbox/POISONED"))
        self.check_task("import json, random")
        self.check(self.run_capsule("-q", "-m", "json.tool", stdin="{}"))
        self.assertFalse(os.path.exists(self.path("sandbox/POISONED")))

    def test_sandbox_directory_replaced_by_a_link(self):
        """Through an own binding a task may move its directory; the next start must not follow."""
        os.mkdir(self.path("precious"))
        os.rename(self.dir, self.path("moved"))
        os.symlink(self.path("precious"), self.dir)
        self.refused(self.run_capsule("-c", "open('x', 'w')"), "symbolic link")
        self.assertEqual(os.listdir(self.path("precious")), [])

    def test_script_in_the_sandbox_replaced_by_a_link_to_a_secret(self):
        """The task chose which file is read next: what it is told of it must not be more than an error."""
        secret = self.write("secret", "TOP-SECRET-WORD = = 1\n")
        self.check_task("import os; os.symlink(%r, 'next.py')" % secret)
        result = self.run_capsule("-q", os.path.join(self.dir, "next.py"))
        self.assertNotEqual(result.status, 0)

    def test_daemon(self):
        marker = "capsule-daemon-%d" % os.getpid()
        code = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(1000)\n    os._exit(0)\nos.wait()"
        subprocess.run([sys.executable, "-c", code, marker], stdin=subprocess.DEVNULL, check=True)
        left = harness.marked_processes(marker)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.assertTrue(left, "the control did not escape")
        self.check(self.run_capsule("-q", "-c", code, marker))
        self.assertEqual([p for p in harness.marked_processes(marker) if p not in left], [])


class Ownership(harness.Case):
    CODE = "import os\nopen('file', 'w').close(); os.mkdir('directory'); os.symlink('file', 'link'); os.mkfifo('fifo')"

    @harness.only_root
    def test_host_root_never_owns_what_a_task_makes(self):
        os.mkdir(self.path("plain"))
        subprocess.run([sys.executable, "-c", self.CODE], cwd=self.path("plain"), check=True)
        self.assertEqual(os.lstat(self.path("plain/file")).st_uid, 0, "the control did not escape")
        os.mkdir(self.path("mine"))
        for directory in (self.dir, self.path("mine")):
            self.check(self.run_capsule("-q", "--dir", directory, "-c", self.CODE, sandbox=False))
            for name in ("file", "directory", "link", "fifo"):
                info = os.lstat(os.path.join(directory, name))
                self.assertNotIn(0, (info.st_uid, info.st_gid), name)

    @harness.only_root
    def test_roots_files_that_are_shown_stay_roots(self):
        os.mkdir(self.path("data"))
        path = self.write("data/file", "root's")
        result = self.check(self.run_capsule("-q", "--bind", "data:/data:rw", "-c", """if 1:
            import errno
            for f in (lambda: open('/data/file', 'w'), lambda: open('/data/new', 'w'), lambda: __import__('os').unlink('/data/file')):
                try: f()
                except OSError as e: print(errno.errorcode[e.errno])
            """))
        self.assertEqual(result.out, "EACCES\n" * 3)
        with open(path) as f:
            self.assertEqual(f.read(), "root's")


class Result(harness.Case):
    """Unlike a judge that reads what is printed, nobody is deceived."""

    FAKE = json.dumps({"outcome": "exited", "status": 0, "exit_code": 0})

    def test_forged(self):
        code = "import os\nfor fd in range(64):\n    try: os.write(fd, %r)\n    except OSError: pass\nos._exit(37)" % (
            "\n" + self.FAKE + "\n").encode()
        plain = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
        naive = json.loads([l for l in plain.stdout.splitlines() if l.startswith(b"{")][-1])
        self.assertEqual(naive["exit_code"], 0, "the control did not escape")
        result = self.check(self.run_capsule("-q", "-c", code, verdict=True), 37)
        self.assertEqual(result.verdict["exit_code"], 37)

    def test_every_way_out_with_a_success_inside(self):
        """A child that ends well, a handler that exits 0, a closed stream: the main process's status counts."""
        code = "import os, sys\nif os.fork() == 0: os._exit(0)\nos.wait()\nos.close(1); os.close(2)\nos._exit(41)"
        self.check(self.run_capsule("-q", "-c", code), 41)


class Observer(harness.Case):
    """Who answers for the filter may be stopped, killed, or have no say from the start: nothing becomes allowed."""

    # Tries for ever, in many processes; a success is put where it can be found.
    CODE = r"""
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
tries = (lambda: libc.unshare(0x10000000), lambda: libc.prctl(4, 1))
def attempt():
    for n, f in enumerate(tries):
        if f() != -1: open("ESCAPED-%d" % n, "w").close()
        elif ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS, errno.EINTR):
            open("answered-" + errno.errorcode.get(ctypes.get_errno(), "x"), "w").close()
if sys.argv[1] == "once":
    attempt()
    sys.exit()
for _ in range(8):
    if os.fork() == 0: break
open("ready-%d" % os.getpid(), "w").close()
while True: attempt()
"""

    def escapes(self):
        return [n for n in os.listdir(self.dir) if n.startswith(("ESCAPED", "answered"))]

    def test_supervisor_killed_in_a_flood(self):
        os.mkdir(self.path("outside"))
        control = self.write("control.py", self.CODE)
        subprocess.run([sys.executable, control, "once"], cwd=self.path("outside"), check=True)
        self.assertIn("ESCAPED-1", os.listdir(self.path("outside")), "the control did not escape")
        marker = "capsule-observer-%d" % os.getpid()
        for _ in range(10):
            process = self.start("-q", "-c", self.CODE, "flood", marker)
            harness.wait_until(lambda: any(n.startswith("ready") for n in os.listdir(self.dir)), "the flood")
            process.kill()
            process.wait()
            harness.wait_until(lambda: not harness.marked_processes(marker), "the end of the task")
            self.assertEqual(self.escapes(), [])
            subprocess.run("rm -f %s/ready-*" % self.dir, shell=True, check=True)

    def test_supervisor_stopped(self):
        """The call waits, and is refused when the supervisor goes on."""
        process = self.start("-q", "-c", "import os, sys\nos.write(1, b'ready\\n')\nsys.stdin.read(1)\n" + self.CODE,
                             "once", stdin=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        process.stdin.close()
        process.stdin = None
        self.assertEqual(self.escapes(), [])
        process.send_signal(signal.SIGCONT)
        self.assertEqual(process.wait(harness.PATIENCE), 0)
        self.assertEqual(self.escapes(), [])

    def test_the_task_can_take_no_part_in_it(self):
        """Neither a listener of its own nor that of the filter."""
        code = r"""
import ctypes, errno, os, platform
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
x86 = platform.machine() == "x86_64"
prog = ctypes.create_string_buffer(16)
def say(r): print("ESCAPED" if r >= 0 else errno.errorcode[ctypes.get_errno()])
say(libc.syscall(317 if x86 else 277, 3, 0, ctypes.create_string_buffer(6)))
say(libc.syscall(317 if x86 else 277, 1, 8, prog))
pidfd = libc.syscall(434, 1, 0)
for fd in range(8): say(libc.syscall(438, pidfd, fd, 0))
"""
        plain = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
        self.assertTrue(plain.stdout.startswith(b"ESCAPED"), "the control did not escape")
        self.assertEqual(self.check(self.run_capsule("-q", "-c", code)).out, "EPERM\n" * 10)


class Hostnames(harness.Case):
    def test_nothing_of_the_machine_is_in_the_view(self):
        """The host's name, its boot id aside, its users and its mounts."""
        host = os.uname().nodename
        result = self.check(self.run_capsule("-q", "--exec", "--", "sh", "-c",
                                             "cat /etc/passwd /etc/hosts /proc/self/mountinfo; uname -n; cat /proc/sys/kernel/hostname"))
        if len(host) > 3:
            self.assertIsNone(re.search(r"\b%s\b" % re.escape(host), result.out))
        self.assertNotIn(errno.errorcode[errno.EPERM], result.out)


if __name__ == "__main__":
    unittest.main()
