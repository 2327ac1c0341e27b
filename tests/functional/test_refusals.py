"""What the filter refuses stands in the verdict, in words, with the process that tried. To see it changes nothing: the
answers are the same where nobody can look on, and a task can neither hold up its supervisor by it nor make it grow."""
import os
import signal
import subprocess
import sys
import unittest

import harness

# A task's tools: refused calls by name, and what errno they left.
TOOLS = r"""
import ctypes, errno, os, platform, signal, socket, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
X86 = platform.machine() == "x86_64"
def answer(f, *args):
    ctypes.set_errno(0)
    try:
        r = f(*args)
    except OSError as e:
        return errno.errorcode[e.errno]
    return "fine" if r != -1 else errno.errorcode[ctypes.get_errno()]
def refused():
    return answer(libc.unshare, 0x10000000)
def chatter(n):
    for _ in range(n):
        libc.unshare(0x10000000)
"""

# Starts a program below a filter that has a listener already, as a container's engine may.
UNDER_LISTENER = r"""
import ctypes, os, platform, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
code = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0x7fff0000))
prog = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(code)))
assert libc.prctl(38, 1, 0, 0, 0) == 0
fd = libc.syscall(317 if platform.machine() == "x86_64" else 277, 1, 8, prog)
assert fd >= 0, ctypes.get_errno()
pid = os.fork()
if pid == 0:
    os.close(fd)
    os.execv(sys.argv[1], sys.argv[1:])
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
os._exit(status if status >= 0 else 128 - status)
"""


class Refusals(harness.Case):
    def refusals(self, code, *args, opts=(), status=0, **kw):
        self.result = self.check_task(TOOLS + code, *args, opts=opts, status=status, verdict=True, **kw)
        return self.result.verdict["refusals"]

    def rows(self, refusals):
        return {(row["call"], row["argument"]): row["count"] for row in refusals["recorded"]}

    def observed(self):
        """Skips where this suite itself runs below a filter with a listener."""
        if harness.probe_verdict()["refusals"]["observer"] != "on":
            self.skipTest("no listener to be had here: %s" % harness.probe_verdict()["refusals"]["reason"])


class Recorded(Refusals):
    def setUp(self):
        super().setUp()
        self.observed()

    def test_nothing(self):
        self.assertEqual(self.refusals("print(1)"),
                         {"observer": "on", "reason": None, "total": 0, "recorded": [], "dropped": 0})

    def test_in_words(self):
        """Each with the argument that decided, however often it was tried."""
        refusals = self.refusals(r"""
tries = [
    lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    lambda: socket.socket(38, socket.SOCK_SEQPACKET),
    lambda: os.chmod(os.open("file", os.O_CREAT | os.O_RDWR), 0o4755),
    lambda: os.mknod("device", 0o20600, 0x103),
    lambda: libc.unshare(0x10000000 | 0x20000),
    lambda: libc.prctl(4, 0),
    lambda: libc.ptrace(16, 1, 0, 0),
    lambda: libc.ioctl(0, 0x5412, b"x"),
    lambda: libc.ioctl(0, 0x1234abcd, 0),
    lambda: libc.setpriority(0, 0, -5),
    lambda: libc.setpriority(0, 1, 5),
    lambda: libc.personality(0x0040000),
    lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, 0),
    lambda: libc.syscall(272 if X86 else 97, 1 << 40 | 0x40000000),
    lambda: libc.fcntl(0, 1024, 0),
    lambda: libc.prctl(22, 2, 0),
    lambda: libc.syscall(56 if X86 else 220, 0x20000000 | 17, 0, 0, 0, 0),
]
for _ in range(3):
    print(*[answer(f) for f in tries])
""")
        self.assertEqual(set(self.result.out.split()), {"EPERM"})
        self.assertEqual(self.rows(refusals), {row: 3 for row in [
            ("socket", "AF_PACKET SOCK_RAW"), ("socket", "AF_INET SOCK_RAW protocol 1"),
            ("socket", "AF_ALG SOCK_SEQPACKET"), ("fchmod", "04755"), ("mknodat", "S_IFCHR 0600"),
            ("unshare", "CLONE_NEWNS|CLONE_NEWUSER"), ("prctl", "PR_SET_DUMPABLE"), ("ptrace", "PTRACE_ATTACH pid 1"),
            ("ioctl", "TIOCSTI"), ("ioctl", "0x1234abcd"), ("setpriority", "PRIO_PROCESS 0 nice -5"),
            ("setpriority", "PRIO_PROCESS 1 nice 5"), ("personality", "0x40000"), ("mount", None),
            ("unshare", "CLONE_NEWNET"), ("fcntl", "F_SETLEASE"), ("prctl", "PR_SET_SECCOMP"),
            ("clone", "CLONE_NEWPID")]})
        self.assertEqual((refusals["total"], refusals["dropped"]), (54, 0))
        self.assertEqual({row["errno"] for row in refusals["recorded"]}, {"EPERM"})

    def test_by_whom(self):
        """The name is that of the thread, as it calls itself, and can do no harm where it is printed."""
        refusals = self.refusals(r"""
for name in (b"first", b"second", b"\x1b[2J\xff\"\n"):
    libc.prctl(15, name)
    print(refused())
""")
        self.assertEqual([row["process"] for row in refusals["recorded"]], ["first", "second", '?[2J?"?'])

    def test_what_only_the_strict_filter_refuses_names_the_option(self):
        refusals = self.refusals("print(answer(lambda: socket.socket()), answer(lambda: os.nice(1)), refused())",
                                 opts=("--filter", "strict"))
        self.assertEqual(self.result.out, "EPERM EPERM EPERM\n")
        allowed_by = {row["call"]: row["allowed_by"] for row in refusals["recorded"]}
        self.assertEqual((allowed_by["socket"], allowed_by["setpriority"], allowed_by["unshare"]),
                         ("--filter default", "--filter default", None))
        self.refusals("socket.socket()", opts=("--filter", "strict"), status=1)
        self.assertIn("--filter default allows", self.result.verdict["hint"])

    def test_what_libraries_fall_back_on_is_not_told(self):
        self.assertEqual(self.refusals(r"""
print(answer(libc.syscall, 435, 0, 0), answer(libc.syscall, 425, 0, 0), answer(libc.syscall, 437, 0, 0, 0, 0),
      answer(libc.syscall, 9999))
threads = [threading.Thread(target=time.sleep, args=(0,)) for _ in range(50)]
for t in threads: t.start()
for t in threads: t.join()
""")["total"], 0)
        self.assertEqual(self.result.out, "ENOSYS ENOSYS ENOSYS ENOSYS\n")

    def test_told_when_asked(self):
        path = self.write("task.py", TOOLS + "chatter(2); libc.ptrace(0, 0, 0, 0)")
        result = self.check(self.run_capsule("--verbose", path))
        self.assertRegex(result.err, r"capsule-run: refused: unshare CLONE_NEWUSER by python[^ ]*: EPERM, 2 times\n")
        self.assertRegex(result.err, r"capsule-run: refused: ptrace PTRACE_TRACEME by python[^ ]*: EPERM, 1 time\n")
        self.assertNotIn("refused", self.check(self.run_capsule(path)).err)

    def test_many_kinds_are_bounded(self):
        refusals = self.refusals("for i in range(1000): libc.ioctl(0, 0x70000000 + i, 0)")
        self.assertEqual((len(refusals["recorded"]), refusals["total"], refusals["dropped"]), (64, 1000, 936))

    def test_past_the_budget_it_answers_and_counts(self):
        refusals = self.refusals("chatter(20000); print(refused())")
        self.assertEqual(self.result.out, "EPERM\n")
        self.assertEqual((refusals["total"], refusals["dropped"]), (20001, 20001 - 4096))
        self.assertEqual(self.rows(refusals), {("unshare", "CLONE_NEWUSER"): 4096})

    def test_the_task_holds_nothing_to_answer_with(self):
        self.says(r"""
import os
fds = []
for name in os.listdir("/proc/self/fd"):
    try: fds.append(os.readlink("/proc/self/fd/" + name))
    except FileNotFoundError: pass
print(len(fds), [f for f in fds if "seccomp" in f])
""", "3 []")


class Hostile(Refusals):
    """A flood, processes that are killed in the middle, signals, stops, a stalled reader."""

    FLOOD = "for _ in range(int(sys.argv[1])):\n    if os.fork() == 0: break\nwhile True: chatter(1000)"

    def test_a_flood_from_many_processes_ends_at_its_deadline(self):
        path = self.write("task.py", TOOLS + self.FLOOD)
        process = self.start("-q", "--timeout", "2s", "--grace", "200ms", path, "100", verdict=True)
        peak = 0
        while process.poll() is None:
            try:
                with open("/proc/%d/status" % process.pid) as f:
                    for line in f:
                        if line.startswith("VmHWM"):
                            peak = max(peak, int(line.split()[1]))
            except OSError:
                break
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                pass
        self.assertEqual(process.wait(harness.PATIENCE), 124)
        self.assertLess(peak, 16 << 10, "the supervisor grew")
        with open(self.path("verdict.json")) as f:
            refusals = harness.json.load(f)["refusals"]
        self.assertLessEqual(sum(row["count"] for row in refusals["recorded"]), 4096)
        self.assertEqual(refusals["total"] - refusals["dropped"], sum(row["count"] for row in refusals["recorded"]))

    def test_killed_in_the_middle(self):
        self.says(TOOLS + r"""
for _ in range(150):
    pid = os.fork()
    if pid == 0:
        while True: chatter(100)
    time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
print(refused())
""", "EPERM")

    def test_signals_and_stops_meanwhile(self):
        """Stops end it, restarts it and change no answer."""
        self.says(TOOLS + r"""
pid = os.fork()
if pid == 0:
    answers = {refused() for _ in range(20000)}
    os._exit(0 if answers == {"EPERM"} else 1)
while os.waitpid(pid, os.WNOHANG)[0] == 0:
    os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)
    time.sleep(0.0005)
    status = os.waitpid(pid, os.WNOHANG)
    if status[0]: print(os.waitstatus_to_exitcode(status[1])); break
""", "0")

    def test_a_reader_that_stalls_holds_up_no_answer(self):
        path = self.write("task.py", TOOLS + r"""
threading.Thread(target=lambda: os.write(1, b"x" * (4 << 20)), daemon=True).start()
time.sleep(0.1)
with open("answers", "w") as f: f.write(" ".join({refused() for _ in range(3000)}))
os.rename("answers", "done")
time.sleep(1000)
""")
        process = self.start("-q", path)
        harness.wait_until(lambda: os.path.exists(os.path.join(self.dir, "done")), "the last answer")
        self.assertEqual(self.read("sandbox/done"), "EPERM")
        self.assertIsNone(process.poll())

    @harness.for_cgroup(False)
    def test_beside_a_watchdog_that_stops_the_tree(self):
        """Memory near its limit is counted with everything stopped, and disk is walked."""
        self.says(TOOLS + r"""
hold = bytearray(100 << 20)
for i in range(0, len(hold), 4096): hold[i] = 1
pid = os.fork()
if pid == 0:
    os._exit(0 if {refused() for _ in range(20000)} == {"EPERM"} else 1)
answers = {refused() for _ in range(20000)}
print(*answers, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""", "EPERM 0", opts=("--ram", "200M"))


class Unobserved(Refusals):
    """Where a filter outside has the listener, the kernel refuses alone."""

    def prefix(self):
        return [sys.executable, self.write("under.py", UNDER_LISTENER)]

    def test_the_verdict_says_so(self):
        refusals = self.refusals("print(refused())", prefix=self.prefix())
        self.assertEqual(self.result.out, "EPERM\n")
        self.assertEqual(refusals["observer"], "unavailable")
        self.assertIn("listener", refusals["reason"])
        self.assertEqual((refusals["total"], refusals["recorded"]), (0, []))

    def test_the_answers_are_the_same(self):
        """All numbers of calls with arguments that do nothing but for what is refused: those that end or block a
        process are left out."""
        code = TOOLS + r"""
if X86:
    skip = {"pause": 34, "exit": 60, "exit_group": 231, "fork": 57, "vfork": 58, "clone": 56, "rt_sigreturn": 15,
            "rt_sigsuspend": 130, "restart_syscall": 219, "execve": 59, "kill": 62, "close_range": 436}
else:
    skip = {"exit": 93, "exit_group": 94, "clone": 220, "rt_sigreturn": 139, "rt_sigsuspend": 133, "restart_syscall": 128,
            "execve": 221, "kill": 129, "close_range": 436}
bad = ctypes.c_long(-1)
for nr in range(457):
    if nr in skip.values():
        continue
    pid = os.fork()
    if pid == 0:
        signal.alarm(2)
        libc.syscall.argtypes = None
        ctypes.set_errno(0)
        r = libc.syscall(ctypes.c_long(nr), bad, bad, bad, bad, bad, bad)
        os._exit(ctypes.get_errno() if r == -1 else 0)
    print(nr, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
        seen = self.check_task(code).out.split("\n")
        alone = self.check_task(code, prefix=self.prefix()).out.split("\n")
        self.assertEqual(seen, alone)
        self.assertGreater(sum(line.endswith(" 1") for line in seen), 50)


class Told(Refusals):
    """A hint tells of what was refused, not of what the task's line looks like."""

    def test_the_last_refusal_is_what_failed(self):
        self.observed()
        for line, says in (("socket.socket(socket.AF_PACKET, socket.SOCK_RAW)", "raw, packet"),
                           ("(lambda f: f('x', 0o4755))(os.chmod)", "set-user-id"),
                           ("go = os.mknod; go('x', 0o20600, 0)", "device nodes"),
                           ("os.nice(-5)", "less of the machine"),
                           ("if libc.syscall(250 if X86 else 219, 1, 0): raise PermissionError(1, 'Operation not permitted')",
                            "refused keyctl operation 1, and no option")):
            with self.subTest(line):
                self.refusals("open('x', 'w').close()\n" + line, status=1)
                self.assertIn(says, self.result.verdict["hint"])

    def test_no_refusal_no_guess(self):
        self.observed()
        self.refusals("socket_of = PermissionError(1, 'Operation not permitted')\nraise socket_of", status=1)
        self.assertNotIn("raw, packet", self.result.verdict["hint"])


if __name__ == "__main__":
    unittest.main()
