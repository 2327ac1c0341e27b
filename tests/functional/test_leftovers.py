"""Nothing is left behind: no process, no cgroup, no mount, no file; after any end, and after any stage that fails."""
import json
import os
import random
import re
import signal
import subprocess
import time
import unittest

import harness

# It looks at the whole machine.
SERIAL = True

# How often each random thing is done; CAPSULE_ROUNDS=300 for a thorough look, which tells what it saw.
ROUNDS = int(os.environ.get("CAPSULE_ROUNDS", "30"))
TELLS = "CAPSULE_ROUNDS" in os.environ

KNOWN_STAGES = {"start", "supervisor", "files", "script", "python", "exec", "environ", "rlimit", "result", "cgroup", "clone",
                "idmap", "stdio", "channel", "init", "credentials", "keyring", "uts", "rootfs", "etc", "devices", "proc",
                "net", "caps", "process", "filter", "task", "landlock"}


def setUpModule():
    # Who loses his parent becomes our child: that is how an init without a supervisor is seen.
    harness.LIBC.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def orphans():
    """Processes of our sandboxes whose supervisor is gone."""
    found = []
    with open("/proc/self/task/%d/children" % os.getpid()) as f:
        children = f.read().split()
    for pid in children:
        with open("/proc/%s/stat" % pid) as f:
            name, rest = re.match(r"\d+ \((.*)\) (.*)", f.read()).groups()
        if name != "capsule-init":
            continue
        if rest.split()[0] == "Z":
            os.waitpid(int(pid), 0)
        else:
            found.append(int(pid))
    return found


def cgroups_of(pids):
    """Cgroups that these supervisors made, or had made."""
    names = tuple("capsule-run%s%d%s" % (a, pid, a) for pid in pids for a in ".-")
    found = []
    for root, dirs, _ in os.walk("/sys/fs/cgroup"):
        found += [os.path.join(root, name) for name in dirs if name.startswith(names)]
    return found


def mounts():
    with open("/proc/self/mountinfo") as f:
        # Logins come and go by themselves.
        return "".join(line for line in f if " /run/user/" not in line)


def tell(text):
    if TELLS:
        print("%s: %s" % ("root" if harness.ROOT else "user", text), flush=True)


class Clean(harness.Case):
    def setUp(self):
        super().setUp()
        self.marker = "capsule-left-%d-%s" % (os.getpid(), self.id())
        self.mounts = mounts()
        self.host_files = self.files()

    def files(self):
        return {os.path.join(place, name) for place in ("/tmp", "/dev/shm", "/run", "/var/tmp") if os.path.isdir(place)
                for name in os.listdir(place) if name.startswith(("capsule-run", ".capsule", "capsule_left"))}

    def nothing_left(self, pids):
        harness.wait_until(lambda: not harness.marked_processes(self.marker), "the end of every process", 10)
        harness.wait_until(lambda: not orphans(), "the end of every init", 10)
        if harness.rung() == "systemd-scope":
            # The supervisor is in it to its end; then it is systemd's to remove.
            harness.wait_until(lambda: not cgroups_of(pids), "the end of every scope", 30)
        self.assertEqual(cgroups_of(pids), [])
        self.assertEqual(mounts(), self.mounts)
        self.assertEqual(self.files() - self.host_files, set())

    def ended(self, *args, status, **kw):
        process = self.start("-q", *args, self.marker, **kw)
        out, err = process.communicate(timeout=harness.PATIENCE)
        self.assertEqual(process.returncode, status, (args, out, err))
        # At once: what the supervisor has reported is over.
        self.assertEqual(harness.marked_processes(self.marker), [])
        self.nothing_left([process.pid])


class Ends(Clean):
    def test_success(self):
        self.ended("-c", "pass", status=0)

    def test_failure(self):
        self.ended("-c", "1/0", status=1)

    def test_signal(self):
        self.ended("-c", "import os; os.kill(os.getpid(), 9)", status=137)

    def test_timeout(self):
        self.ended("-t", "300ms", "--grace", "0", "-c", "import time; time.sleep(1000)", status=124)

    def test_out_of_memory(self):
        self.ended("--ram", "64M", "-c", "x = []\nwhile True: x.append(b'x' * (1 << 20))", status=137)

    def test_disk(self):
        self.ended("--disk", "1M", "-c", "import os\nfor i in range(99): open(str(i), 'wb').write(os.urandom(1 << 20))",
                   status=123)

    def test_daemons(self):
        self.ended("-c", "import os, time\nfor _ in range(20):\n    if os.fork() == 0:\n        os.setsid()\n"
                   "        if os.fork() == 0: time.sleep(1000)\n        os._exit(0)", status=0)

    def test_stopped_and_traced_looking_children(self):
        self.ended("-c", "import os, signal\nfor _ in range(5):\n"
                   "    if os.fork() == 0: os.kill(os.getpid(), signal.SIGSTOP)", status=0)

    def test_fork_bomb(self):
        self.ended("-t", "500ms", "--grace", "0", "--pids", "60", "-c",
                   "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", status=124)

    def test_usage_error(self):
        self.ended("--no-such-option", status=2)

    def test_terminated(self):
        process = self.start("-q", "-c", "print('ready'); import time; time.sleep(1000)", self.marker)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.terminate()
        self.assertEqual(process.wait(harness.PATIENCE), 143)
        self.nothing_left([process.pid])

    def test_shared_memory(self):
        self.ended("-c", "from multiprocessing import shared_memory as s, resource_tracker as r\n"
                   "r.register = lambda *a: None\ns.SharedMemory('capsule_left', True, 4096)", status=0)


class Kills(Clean):
    def swept(self, pids):
        """Processes go by themselves, cgroups by the next start (a dying process holds its group for a moment more)."""
        harness.wait_until(lambda: not harness.marked_processes(self.marker), "the end of every process", 10)
        harness.wait_until(lambda: not orphans(), "the end of every init", 10)

        def start_again():
            self.check(self.run_capsule("-q", "-c", "pass"))
            return not cgroups_of(pids)

        harness.wait_until(start_again, "the end of every cgroup", 10)
        self.nothing_left(pids)

    def test_random_moments(self):
        """kill -9 of the supervisor while it starts, runs, pauses, repeats or ends."""
        seed = random.randrange(1 << 32)
        dice = random.Random(seed)
        stays = "import os, time\nif os.fork() == 0: os.setsid()\nif os.fork() == 0: os.setsid()\ntime.sleep(1000)"
        kinds = [(stays, ()), (stays, ("--fresh",)), (stays, ("--json", "--timeline=10ms", "--stall", "60s")),
                 (stays, ("--ram", "64M", "--cpu-time", "60s", "--runtime", "closure")), ("print(1)", ("--summary",)),
                 ("raise SystemExit(1)", ("--max-retries", "50", "--retry-delay", "10ms"))]
        began = time.monotonic()
        self.check(self.run_capsule("-q", "-c", "pass"))
        # A start takes most of that, the kinds some more: all of their lives are met.
        span = 2.5 * (time.monotonic() - began)
        pids, running, slowest = [], 0, 0.0
        for i in range(ROUNDS):
            code, opts = kinds[i % len(kinds)]
            place = () if "--fresh" in opts else ("--dir", self.dir)
            process = self.start("-q", *place, *opts, "-c", code, self.marker, sandbox=False, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
            pids.append(process.pid)
            time.sleep(dice.random() * span)  # a random moment is the point
            process.kill()
            running += process.wait() == -signal.SIGKILL
            began = time.monotonic()
            harness.wait_until(lambda: not harness.marked_processes(self.marker), "the end of every process", 10)
            harness.wait_until(lambda: not orphans(), "the end of every init", 10)
            slowest = max(slowest, time.monotonic() - began)
        with self.subTest(seed=seed):
            self.swept(pids)
        tell("%d kills, %d of them before the end of the run; processes were gone after %d ms at the latest"
             % (ROUNDS, running, slowest * 1000))

    def test_killed_while_the_task_runs(self):
        process = self.start("-q", "-c", "print('ready'); import time; time.sleep(1000)", self.marker)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.kill()
        process.wait()
        self.assertEqual(process.stdout.read(), b"")  # the end of the last holder
        self.swept([process.pid])

    def test_killed_init(self):
        """The sandbox is killed from outside: that is no success and no exit code of the task's."""
        process = self.start("-q", "-c", "print('ready'); import time; time.sleep(1000)", self.marker, verdict=True)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as f:
            children = f.read().split()
        self.assertEqual(len(children), 1)
        os.kill(int(children[0]), signal.SIGKILL)
        self.assertEqual(process.wait(harness.PATIENCE), 125)
        verdict = json.loads(self.read("verdict.json"))
        self.assertEqual((verdict["outcome"], verdict["exit_code"]), ("failed", None))
        self.nothing_left([process.pid])

    def test_stopped_supervisor_killed(self):
        process = self.start("-q", "-c", "print('ready'); import time; time.sleep(1000)", self.marker)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.send_signal(signal.SIGSTOP)
        process.kill()
        process.wait()
        self.swept([process.pid])


# A call, which of its uses, and the stage that the message must name (None: whichever made it).
FAULTS = [
    ("clone3", 1, "clone"), ("socketpair", 1, "channel"), ("sendto", 2, None), ("keyctl", 1, "keyring"), ("sethostname", 1, "uts"),
    ("setresuid", 1, "credentials"), ("setresgid", 1, "credentials"),
    ("fsopen", 1, "rootfs"), ("fsconfig", 1, "rootfs"), ("fsconfig", 3, "rootfs"), ("fsmount", 1, "rootfs"),
    ("move_mount", 1, "rootfs"), ("move_mount", 2, None), ("open_tree", 1, None), ("mount_setattr", 1, "rootfs"),
    ("mount_setattr", 3, None), ("pivot_root", 1, "rootfs"), ("umount2", 1, "rootfs"), ("mount", 1, "rootfs"),
    ("mount", 2, None), ("mount", 5, None), ("mount", 10, None), ("mount", 15, None), ("mount", 20, None),
    ("bind", 1, "net"), ("capset", 1, "caps"), ("seccomp", 1, None), ("seccomp", 2, None), ("dup2", 1, "stdio"),
    ("dup2", 3, "stdio"), ("signalfd4", 1, None), ("pipe2", 1, None), ("pipe2", 2, None), ("pipe2", 3, None),
    ("setsid", 1, None), ("umask", 1, None), ("close_range", 1, None), ("close_range", 2, None), ("chdir", 1, None),
    ("fchdir", 1, "rootfs"), ("setrlimit", 1, "rlimit"), ("prlimit64", 2, None), ("mkdir", 1, None), ("mkdir", 3, None),
    ("symlink", 1, None), ("prctl", 1, None), ("prctl", 2, None), ("prctl", 3, None), ("prctl", 8, None), ("fchown", 1, None),
]


# Made to fail they are not made at all: what they should have ended goes on, or nobody hears of the failure.
HARMLESS = {"close", "exit", "exit_group", "rt_sigreturn", "munmap", "wait4", "waitid", "kill", "pidfd_send_signal", "poll",
            "ppoll", "restart_syscall", "set_tid_address", "set_robust_list", "rseq", "arch_prctl", "futex"}


class Faults(Clean):
    """Each call made to fail: the task does not start, the message names the stage, nothing is left."""

    CODE = "open('/tmp/agent_sandbox/ran', 'w'); print('STARTED')"

    def inject(self, call, when, error, *opts):
        strace = harness.need("strace")
        log = self.path("trace")
        argv = [strace, "-f", "-q", "-qq", "-o", log, "-e", "trace=" + call, "-e",
                "fault=%s:error=%s:when=%d" % (call, error, when)]
        argv += self.argv("--fresh", *opts, "-c", self.CODE, self.marker, sandbox=False, verdict=True)
        process = subprocess.Popen(argv, cwd=self.tmp, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=harness.PATIENCE)
        with open(log) as f:
            hits = [l for l in f.read().splitlines() if "(INJECTED)" in l]
        return process.returncode, out.decode(), err.decode(), hits

    def need_injection(self):
        if subprocess.run([harness.need("strace"), "-o", "/dev/null", "-e", "fault=umask", "true"],
                          stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("strace can't inject faults here")

    def calls_of_a_start(self):
        """Each call that is made before the task's exec, as (name, its number among those of that name and process)."""
        log = self.path("baseline")
        subprocess.run([harness.need("strace"), "-f", "-q", "-qq", "-o", log] +
                       self.argv("--fresh", "-q", "-c", self.CODE, self.marker, sandbox=False, verdict=True), cwd=self.tmp,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=harness.PATIENCE)
        calls, counts, execs = [], {}, 0
        with open(log, errors="replace") as f:
            for line in f:
                shown = re.match(r"(\d+) +([a-z0-9_]+)\(", line)
                if shown is None:
                    continue
                key = shown[1], shown[2]
                execs += shown[2] == "execve"
                if execs == 2:
                    break
                counts[key] = counts.get(key, 0) + 1
                if shown[2] not in HARMLESS | {"execve"}:
                    calls.append((shown[2], counts[key]))
        return calls

    def test_random_calls(self):
        """Any call of a start made to fail, with any error: no task without its walls, and nothing left."""
        self.need_injection()
        seed = random.randrange(1 << 32)
        dice = random.Random(seed)
        calls = self.calls_of_a_start()
        self.assertGreater(len(set(calls)), 50)
        failed, stages, pids = 0, set(), []
        for _ in range(ROUNDS):
            call, when = dice.choice(calls)
            error = dice.choice(("EPERM", "EACCES", "ENOMEM", "ENOSPC", "EMFILE", "EINVAL", "EIO"))
            with self.subTest(seed=seed, call=call, when=when, error=error):
                status, out, err, _ = self.inject(call, when, error, "-q")
                with open(self.path("trace")) as f:
                    pids += {int(pid) for pid in re.findall(r"^(\d+) ", f.read(), re.M)}
                # The interpreter makes such calls, too, and may do without: then it is no failed start.
                if status == 125 and "STARTED" not in out:
                    failed += 1
                    shown = re.match(r"capsule-run: ([a-z]+): .", err)
                    # What can't be written can't be read.
                    self.assertTrue(shown is not None or call == "write", "no message: %r" % err)
                    stages |= {shown[1]} if shown else set()
                harness.wait_until(lambda: not harness.marked_processes(self.marker), "the end of every process", 10)
                harness.wait_until(lambda: not orphans(), "the end of every init", 10)
        self.assertGreater(failed, ROUNDS / 4, "the injected errors change nothing")
        # A group whose removal was made to fail goes with the next start.
        self.check(self.run_capsule("-q", "-c", "pass"))
        self.nothing_left(pids)
        tell("%d starts with a call that fails, %d of them ended by that, at the stages %s"
             % (ROUNDS, failed, ", ".join(sorted(stages))))

    def test_every_stage(self):
        self.need_injection()
        named = set()
        for call, when, stage in FAULTS:
            with self.subTest(call=call, when=when):
                if os.path.exists(self.path("verdict.json")):
                    os.unlink(self.path("verdict.json"))
                status, out, err, hits = self.inject(call, when, "EPERM")
                if not hits or status == 0 and "STARTED" in out:
                    continue  # not made here, or a call whose failure is provided for
                self.assertNotIn("STARTED", out)
                self.assertEqual(status, 125, err)
                messages = [l for l in err.splitlines() if not l.startswith("capsule-run: limits:")]
                shown = re.match(r"capsule-run: ([a-z]+): .", "".join(messages[:1]))
                self.assertIsNotNone(shown, "no message: %r" % err)
                self.assertIn(shown[1], KNOWN_STAGES)
                if stage is not None:
                    self.assertEqual(shown[1], stage, err)
                named.add(shown[1])
                if os.path.exists(self.path("verdict.json")):
                    text = self.read("verdict.json")
                    if text:
                        verdict = json.loads(text)
                        self.assertEqual(verdict["outcome"], "failed")
                        self.assertIsNone(verdict["exit_code"])
                        self.assertEqual(verdict["error"]["stage"], shown[1])
                self.nothing_left([])
        self.assertLessEqual({"clone", "rootfs", "caps", "net", "keyring", "uts", "credentials"}, named)


if __name__ == "__main__":
    unittest.main()
