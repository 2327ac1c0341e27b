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

    def test_hundred_kills_at_random_moments(self):
        seed = random.randrange(1 << 32)
        moments = random.Random(seed)
        code = ("import os, time\nif os.fork() == 0: os.setsid()\nif os.fork() == 0: os.setsid()\ntime.sleep(1000)")
        pids = []
        for _ in range(100):
            process = self.start("-q", "-c", code, self.marker, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            pids.append(process.pid)
            time.sleep(moments.random() * 0.06)  # a random moment is the point
            process.kill()
            process.wait()
        with self.subTest(seed=seed):
            self.swept(pids)

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
    ("clone3", 1, "clone"), ("socketpair", 1, "channel"), ("keyctl", 1, "keyring"), ("sethostname", 1, "uts"),
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


class Faults(Clean):
    """Each call made to fail: the task does not start, the message names the stage, nothing is left."""

    def inject(self, call, when, error):
        strace = harness.need("strace")
        log = self.path("trace")
        argv = [strace, "-f", "-q", "-qq", "-o", log, "-e", "trace=" + call, "-e",
                "fault=%s:error=%s:when=%d" % (call, error, when)]
        argv += self.argv("--fresh", "-c", "open('/tmp/agent_sandbox/ran', 'w'); print('STARTED')", self.marker,
                          sandbox=False, verdict=True)
        process = subprocess.Popen(argv, cwd=self.tmp, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=harness.PATIENCE)
        with open(log) as f:
            hits = [l for l in f.read().splitlines() if "(INJECTED)" in l]
        return process.returncode, out.decode(), err.decode(), hits

    def test_every_stage(self):
        if subprocess.run([harness.need("strace"), "-o", "/dev/null", "-e", "fault=umask", "true"],
                          stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("strace can't inject faults here")
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
