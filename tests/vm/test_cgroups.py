"""The ladder on a real systemd and cgroup v2: which rung, that it holds, that nothing is left, whoever asks."""
import os
import re
import signal
import subprocess
import time
import unittest

import cells
import harness
from guestcase import HOG, SLEEP, WHO, Case as GuestCase, need_guest, only, run

RUNG = cells.CELLS[WHO].rung if WHO else "watchdog"
HAS_CGROUP = RUNG != "watchdog"
WITH_CGROUP = [name for name, cell in cells.CELLS.items() if cell.rung != "watchdog"]


def setUpModule():
    need_guest()


def groups():
    """Groups and scopes of ours, wherever."""
    return [os.path.join(root, name) for root, dirs, _ in os.walk("/sys/fs/cgroup") for name in dirs
            if name.startswith("capsule-run")]


def task_groups():
    """Those that hold a task: they have the default --ram."""
    found = []
    for group in groups():
        try:
            with open(os.path.join(group, "memory.max")) as f:
                if f.read() == "%d\n" % (1 << 30):
                    found.append(group)
        except OSError:
            pass
    return found


class Case(GuestCase):
    def setUp(self):
        super().setUp()
        with open("/proc/self/cgroup") as f:
            self.own = f.read()
        self.addCleanup(self.all_gone)

    def all_gone(self):
        if HAS_CGROUP:
            harness.wait_until(lambda: not groups(), "the end of every group", 120)
        with open("/proc/self/cgroup") as f:
            self.assertEqual(f.read(), self.own, "somebody else was moved")

    def in_unit(self, *properties, scope=False, shell=False, args=(), **kw):
        """capsule-run as the main process of a unit of the user's manager, or below a shell that is."""
        prefix = ["systemd-run", "--user", "--quiet", "--collect"] + (["--scope"] if scope else ["--wait", "--pipe"])
        prefix += ["-p" + p for p in properties] + ["--"]
        if shell:
            prefix += ["sh", "-c", '"$@"; exit $?', "sh"]
        return self.run_capsule(*args, prefix=prefix, verdict=True, **kw)


class Rung(Case):
    def test_is_told(self):
        verdict = self.check(self.run_capsule("-c", "pass", verdict=True)).verdict
        self.assertEqual({verdict["limits"][name]["rung"] for name in ("ram", "pids")} - {"rlimit"}, {RUNG})

    @only(*WITH_CGROUP)
    def test_holds_everything(self):
        result = self.check(self.run_capsule("--require", "cgroup", "--ram", "200M", "--pids", "50", "--cpu", "0.5",
                                             "--cpu-time", "1h", "-c", "pass", verdict=True))
        rungs = {result.verdict["limits"][n]["rung"] for n in ("ram", "pids", "cpu", "cpu-time")}
        # Where no unit has use for the cpu controller, root has no group with it either, and asks as well.
        self.assertIn(rungs, [{RUNG}, {"systemd-scope"}])
        self.assertEqual(result.err, "")

    @only(*WITH_CGROUP)
    def test_cpu(self):
        code = "import time\nend = time.monotonic() + 6\nwhile time.monotonic() < end: pass"
        verdict = self.check(self.run_capsule("--cpu", "0.2", "-c", code, verdict=True)).verdict
        self.assertLess(verdict["usage"]["cpu_ms"], verdict["usage"]["wall_ms"] * 0.3)

    @only(*WITH_CGROUP)
    def test_cpu_time_of_many(self):
        code = "import os\nfor _ in range(4): os.fork()\nwhile True: pass"
        result = self.check(self.run_capsule("--cpu-time", "2s", "--grace", "0", "-c", code, verdict=True), 124)
        self.assertEqual(result.verdict["outcome"], "cpu-time")

    @only(*WITH_CGROUP)
    def test_out_of_memory_ends_all(self):
        code = "import os, time\nif os.fork(): time.sleep(1000)\n" + HOG
        result = self.check(self.run_capsule("--ram", "64M", "-c", code, verdict=True), 137)
        self.assertEqual((result.verdict["outcome"], harness.hits(result.verdict)), ("oom", ["ram"]))
        self.assertLessEqual(result.verdict["usage"]["memory_peak_bytes"], 64 << 20)

    @only(*WITH_CGROUP)
    def test_ten_at_once(self):
        runs = [self.start("-q", "--fresh", "--require", "cgroup", "--ram", "64M", "-c", "print(1)", sandbox=False)
                for _ in range(10)]
        ended = [(process.communicate(timeout=harness.PATIENCE), process.returncode) for process in runs]
        self.assertEqual(ended, [((b"1\n", b""), 0)] * 10)

    @only(*WITH_CGROUP)
    def test_twenty_kills(self):
        """Nothing is left by the next start; with a scope nothing is left at once, without one."""
        for _ in range(20):
            process = self.start("-q", "-c", SLEEP)
            self.assertEqual(process.stdout.readline(), b"ready\n")
            process.kill()
            process.wait()
        if RUNG == "cgroup-v2":
            self.check(self.run_capsule("-q", "-c", "pass"))
        harness.wait_until(lambda: not groups(), "the end of every group", 120)
        units = run("systemctl", "--user", "list-units", "--all", "--plain", "--no-legend", "capsule-run*")
        if WHO in ("user", "service"):
            self.assertEqual(units.stdout, "")

    @only("user")
    def test_scope_of_the_dead(self):
        """systemd waits for the last process to leave. A zombie is never moved there, and so never leaves (systemd 252
        on Linux 6.1 keeps the scope, other pairs may not): the next start has that scope stopped."""
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        name = "capsule-run-%d-1.scope" % pid
        asked = run("busctl", "--user", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                    "org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))", name, "fail", "3",
                    "PIDs", "au", "1", str(pid), "Delegate", "b", "true", "CollectMode", "s", "inactive-or-failed", "0")
        self.assertEqual(asked.returncode, 0, asked.stdout)
        os.waitpid(pid, 0)
        self.check(self.run_capsule("-q", "--require", "cgroup", "-c", "pass"))

    @only("user")
    def test_killed_while_it_asks(self):
        for i in range(60):
            process = self.start("-q", "-c", SLEEP)
            time.sleep(i % 20 * 0.02)
            process.kill()
            process.wait()

        def start_again():
            self.check(self.run_capsule("-q", "--require", "cgroup", "-c", "pass"))
            return not groups()

        harness.wait_until(start_again, "the end of every group", 120)

    @only("nobody")
    def test_none_says_why(self):
        self.refused(self.run_capsule("--require", "cgroup", "-c", "pass"), "no cgroup is delegated", "no systemd runs")
        self.refused(self.run_capsule("--cpu", "1", "-c", "pass"), "--cpu", "hint: ", "systemd-run")


class Delegated(Case):
    @only("user")
    def test_own_service_is_used_as_it_is(self):
        result = self.check(self.in_unit("Delegate=yes", args=("--require", "cgroup", "--cpu", "1", "-c", "pass")))
        self.assertEqual(result.verdict["limits"]["ram"]["rung"], "cgroup-v2")

    @only("user")
    def test_own_scope_is_used_as_it_is(self):
        result = self.check(self.in_unit("Delegate=yes", scope=True, args=("--require", "cgroup", "-c", "pass")))
        self.assertEqual(result.verdict["limits"]["ram"]["rung"], "cgroup-v2")

    @only("user")
    def test_limits_around_it_hold(self):
        """A unit's limit is not the task's --ram: what ends the task is told apart, and is no outcome of its own."""
        result = self.in_unit("MemoryMax=150M", "Delegate=yes", args=("--ram", "1G", "-c", HOG))
        self.check(result, 125)
        self.assertEqual((result.verdict["outcome"], harness.hits(result.verdict)), ("failed", []))
        self.assertIn("memory ran out", result.verdict["error"]["what"])
        self.assertIn("--ram", result.verdict["error"]["hint"])

    @only("user")
    def test_limits_are_not_shed(self):
        """With a shell beside us the unit's group can't be divided, and a scope would be outside of it."""
        for limit in ("MemoryMax=150M", "MemoryHigh=150M", "CPUQuota=50%", "TasksMax=100"):
            with self.subTest(limit=limit):
                result = self.in_unit(limit, shell=True, args=("--require", "cgroup", "-c", "pass"))
                self.refused(result, "has limits")

    @only("root", "system")
    def test_limits_are_not_shed_by_root(self):
        result = self.run_capsule("--require", "cgroup", "-c", "pass", prefix=[
            "systemd-run", "--quiet", "--collect", "--wait", "--pipe", "-pMemoryMax=150M", "--", "sh", "-c", '"$@"; exit $?', "sh"])
        self.refused(result, "has limits")


class Reloads(Case):
    """systemd may switch controllers off where it did not delegate, and limits would go with them, in silence."""

    def survives(self, process, *systemctl, end=None):
        self.assertEqual(process.stdout.readline(), b"ready\n")
        before = task_groups()
        self.assertEqual(len(before), 1, groups())
        for command in (["daemon-reload"], ["set-property", "--runtime", systemctl[-1], "CPUWeight=50"], ["daemon-reload"]):
            done = run("systemctl", *systemctl[:-1], *command)
            self.assertEqual(done.returncode, 0, done.stdout)
        time.sleep(3)  # nothing tells when systemd is through
        self.assertEqual(task_groups(), before)
        (end or process.terminate)()
        process.communicate(timeout=harness.PATIENCE)

    @only("user")
    def test_of_a_service_without_delegation(self):
        process = self.start("-q", "--require", "cgroup", "-c", SLEEP,
                             prefix=["systemd-run", "--user", "--quiet", "--collect", "--wait", "--pipe", "--unit=reload-test"])
        # systemd-run only waits for it.
        end = lambda: run("systemctl", "--user", "stop", "reload-test")  # noqa: E731
        self.addCleanup(end)
        self.survives(process, "--user", "app.slice", end=end)

    @only("user", "service")
    def test_of_a_scope(self):
        self.survives(self.start("-q", "--require", "cgroup", "-c", SLEEP), "--user", "app.slice")

    @only("root", "system")
    def test_of_roots(self):
        self.survives(self.start("-q", "--require", "cgroup", "-c", SLEEP), "system.slice")


class Host(Case):
    """What the host's root may have switched off for users: the message names it and its cure."""

    @only("system")
    def test_no_cpu_controller_for_users(self):
        place = "/run/systemd/system/user@.service.d"
        os.makedirs(place)
        with open(place + "/delegate.conf", "w") as f:
            f.write("[Service]\nDelegate=\nDelegate=memory pids\n")
        run("systemctl", "daemon-reload")
        self.assertEqual(run("useradd", "-m", "-s", "/bin/sh", "other").returncode, 0)
        try:
            self.refused(self.in_login("--fresh", "--cpu", "1", "-c", "pass", user="other"), "no cpu controller", "systemctl edit user@.service")
            self.check(self.in_login("--fresh", "--require", "cgroup", "-c", "pass", user="other"))
        finally:
            os.unlink(place + "/delegate.conf")
            os.rmdir(place)
            run("systemctl", "daemon-reload")

    @only("system")
    def test_systemd_that_does_not_answer(self):
        """The next rung is taken after a few seconds, and the reason is told."""
        # One that stays, whoever logs out.
        for command in (["loginctl", "enable-linger", "tester"], ["systemctl", "restart", "user@1000.service"]):
            done = run(*command)
            self.assertEqual(done.returncode, 0, done.stdout)
        self.addCleanup(run, "loginctl", "disable-linger", "tester")
        manager = int(run("systemctl", "show", "-P", "MainPID", "user@1000.service").stdout)
        os.kill(manager, signal.SIGSTOP)
        try:
            result = self.check(self.in_login("--fresh", "--verbose", "-c", "print(1)"))
        finally:
            os.kill(manager, signal.SIGCONT)
        self.assertEqual(result.out, "1\n")
        self.assertIn("timed out", result.err)


if __name__ == "__main__":
    unittest.main()
