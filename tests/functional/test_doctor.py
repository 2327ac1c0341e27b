"""--doctor tries what tasks need, says what is missing, and leaves nothing behind."""
import json
import os
import pty
import subprocess
import sys
import unittest

import brokenhost
import harness
import test_refusals

GROUPS = ["Kernel", "Namespaces", "Filter", "Limits", "Python", "Files", "Verdict"]
STATES = {"ok", "info", "untried", "weak", "missing"}
LAYERS = {"user", "mount", "pid", "net", "ipc", "uts", "cgroupns"}


class Doctor(harness.Case):
    def examine(self, *opts, status=None, **kw):
        """The parsed report; its status is the exit status."""
        result = self.run_capsule("--doctor", "--json", *opts, sandbox=False, **kw)
        self.assertIn(result.status, (0, 1, 125), "\n%s" % result)
        if status is not None:
            self.check(result, status)
        report = json.loads(result.out)
        self.assertEqual(report["status"], result.status)
        self.assertEqual(report["verdict"], {0: "holds", 1: "weaker", 125: "fails"}[result.status])
        return report

    def find(self, report, group, name):
        found = [check for check in report["checks"] if (check["group"], check["name"]) == (group, name)]
        self.assertEqual(len(found), 1, "%s.%s: %s" % (group, name, found))
        return found[0]


class Here(Doctor):
    """On a host where tasks run."""

    def test_says_what_a_run_says(self):
        """Layers and rungs are those of the verdict, whatever the options are."""
        for opts in (("--dir", self.dir), ("--fresh",), ("--fresh", "--cpu-time", "5s", "--disk", "unlimited"),
                     ("--dir", self.dir, "--ram", "300M", "--output", "unlimited")):
            with self.subTest(opts=opts):
                run = self.check(self.run_capsule("-q", *opts, "-c", "pass", sandbox=False, verdict=True))
                report = self.examine(*opts)
                self.assertTrue(report["started"])
                self.assertEqual(report["layers"], run.verdict["layers"])
                told = {name: (limit["value"], limit["rung"]) for name, limit in report["limits"].items()}
                used = {name: (limit["value"], limit["rung"]) for name, limit in run.verdict["limits"].items()}
                self.assertEqual(told, used)

    def test_status_is_about_the_weaker_rungs(self):
        report = self.examine("--dir", self.dir, status=0 if harness.has_cgroup() else 1)
        weaker = {name for name, limit in report["limits"].items() if limit["weaker"]}
        self.assertEqual(weaker, set() if harness.has_cgroup() else {"ram"})
        states = {check["state"] for check in report["checks"]}
        self.assertEqual("weak" in states, not harness.has_cgroup())
        self.assertNotIn("missing", states)
        if not harness.has_cgroup():
            self.assertTrue(self.find(report, "limits", "cgroup")["cure"])

    def test_required_layer(self):
        self.examine("--fresh", "--require", "cgroup", status=0 if harness.has_cgroup() else 125)

    def test_every_layer_was_tried(self):
        report = self.examine("--dir", self.dir)
        for name in LAYERS | {"hostname", "network", "loopback", "ids"}:
            self.assertEqual(self.find(report, "namespaces", name)["state"], "ok")
        for name in ("keyring", "capabilities", "seccomp"):
            self.assertEqual(self.find(report, "filter", name)["state"], "ok")
        for name in ("root", "etc", "dev", "proc", "seal", "sandbox"):
            self.assertEqual(self.find(report, "files", name)["state"], "ok")
        for name in ("rlimits", "nproc", "watchdog"):
            self.assertEqual(self.find(report, "limits", name)["state"], "ok")
        self.assertIn(os.uname().release, self.find(report, "kernel", "version")["text"])

    def test_scope(self):
        """What became of the rung between, and why."""
        report = self.examine("--fresh")
        verdict = self.check(self.run_capsule("-q", "--fresh", "-c", "pass", sandbox=False, verdict=True)).verdict
        found = self.find(report, "limits", "scope")
        if harness.has_cgroup():
            self.assertIsNone(verdict["no_cgroup"])
            asked = harness.rung() == "systemd-scope"
            self.assertEqual(found["state"], "ok" if asked else "info")
            self.assertIn("asked for one" if asked else harness.rung() + " is at hand", found["text"])
        else:
            self.assertTrue(verdict["no_cgroup"]["why"])
            self.assertIn(verdict["no_cgroup"]["scope"] or "was not asked", found["text"])
            self.assertIn(verdict["no_cgroup"]["scope"] or "", verdict["no_cgroup"]["why"])

    def test_observer(self):
        state = harness.probe_verdict()["refusals"]["observer"]
        found = self.find(self.examine("--fresh"), "filter", "observer")
        self.assertEqual(found["state"], "ok" if state == "on" else "info")
        under = self.write("under.py", test_refusals.UNDER_LISTENER)
        found = self.find(self.examine("--fresh", prefix=[sys.executable, under]), "filter", "observer")
        self.assertEqual(found["state"], "info")
        self.assertIn("listener", found["text"])

    def test_shape_of_the_json(self):
        report = self.examine("--fresh")
        self.assertEqual(report["capsule_run_doctor"], 1)
        self.assertEqual(set(report), {"capsule_run_doctor", "version", "status", "verdict", "started", "run_ms",
                                       "layers", "limits", "checks"})
        self.assertGreater(report["run_ms"], 0)
        for check in report["checks"]:
            self.assertEqual(set(check), {"group", "name", "state", "text", "cure"})
            self.assertIn(check["group"], [group.lower() for group in GROUPS])
            self.assertIn(check["state"], STATES)
            self.assertTrue(check["text"])
        names = [(check["group"], check["name"]) for check in report["checks"] if check["name"] != "prefix"]
        self.assertEqual(len(names), len(set(names)), "a name is there twice")

    def test_python(self):
        path, minor = harness.task_python()
        report = self.examine("--fresh")
        self.assertIn("Python 3.%d" % minor, self.find(report, "python", "interpreter")["text"])
        self.assertIn("Python 3.%d." % minor, self.find(report, "verdict", "start")["text"])
        report = self.examine("--fresh", "--python", harness.system_python())
        self.assertIn("--python", self.find(report, "python", "interpreter")["text"])

    def test_nothing_stays(self):
        def mounts():
            with open("/proc/self/mountinfo") as f:
                return sorted(line.split(" - ")[0].split()[4] for line in f)

        before = mounts()
        process = self.start("--doctor", "--json", "--dir", self.dir, sandbox=False)
        report = json.loads(process.communicate(timeout=harness.PATIENCE)[0])
        self.assertTrue(report["started"])
        self.assertEqual(mounts(), before)
        self.assertEqual(os.listdir(self.dir), [])
        self.assertEqual(harness.marked_processes(self.dir), [])
        left = [path for path, dirs, files in os.walk("/sys/fs/cgroup")
                if os.path.basename(path).startswith("capsule-run.%d." % process.pid)]
        self.assertEqual(left, [])

    def test_default_directory_is_neither_made_nor_changed(self):
        own_tmp = self.path("tmp")
        os.mkdir(own_tmp, 0o1777)
        os.chmod(own_tmp, 0o1777)

        def enter():
            os.chdir(self.tmp)
            harness.private_mounts()
            harness.mount(own_tmp, "/tmp", None, harness.MS_BIND)

        binary = self.write("capsule-run", open(harness.CAPSULE_RUN, "rb").read(), 0o755)
        for made in (False, True):
            if made:
                os.mkdir(os.path.join(own_tmp, "agent_sandbox"), 0o755)
            done = subprocess.run(["./" + os.path.basename(binary), "--doctor"], cwd=self.tmp, preexec_fn=enter,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=harness.PATIENCE)
            self.assertEqual(done.returncode, 0 if harness.has_cgroup() else 1, done.stdout.decode())
            self.assertEqual(os.listdir(own_tmp), ["agent_sandbox"] if made else [])
            if made:
                status = os.stat(os.path.join(own_tmp, "agent_sandbox"))
                self.assertEqual((status.st_uid, status.st_mode & 0o7777), (os.getuid(), 0o755))

    def test_stays_in_its_directory_only(self):
        """A run with the caller's own directory does not touch what is there."""
        self.write("sandbox/sitecustomize.py", "open('ran', 'w')")
        self.examine("--dir", self.dir)
        self.assertEqual(os.listdir(self.dir), ["sitecustomize.py"])


class Printed(Doctor):
    def test_for_a_person(self):
        result = self.run_capsule("--doctor", "--dir", self.dir, sandbox=False)
        self.assertIn(result.status, (0, 1), "\n%s" % result)
        self.assertEqual(result.err, "")
        self.assertNotIn("\033", result.out)
        lines = result.out.splitlines()
        self.assertEqual([line for line in lines if not line.startswith(" ")], GROUPS)
        column = 29
        for line in lines:
            self.assertLessEqual(len(line), 100)
            if line.startswith("  ") and line[2] != " ":
                self.assertIn(line.split()[0], STATES)
                self.assertRegex(line, r"^  [a-z]+ +[a-z0-9/-]+ +\S")
                self.assertEqual(line[column - 1], " ", line)
                self.assertNotEqual(line[column], " ", line)

    def test_brief(self):
        """With --quiet: what is wrong, and the verdict."""
        result = self.run_capsule("--doctor", "-q", "--dir", self.dir, sandbox=False)
        groups = [line for line in result.out.splitlines() if not line.startswith(" ")]
        self.assertEqual(groups, ["Verdict"] if harness.has_cgroup() else ["Limits", "Verdict"])

    def on_terminal(self, **env):
        parent, child = pty.openpty()
        try:
            done = subprocess.Popen(self.argv("--doctor", "--fresh", sandbox=False), stdin=subprocess.DEVNULL,
                                    stdout=child, stderr=child, env=dict(os.environ, **env))
            os.close(child)
            out = b""
            while True:
                try:
                    data = os.read(parent, 65536)
                except OSError:
                    break
                if not data:
                    break
                out += data
            done.wait(harness.PATIENCE)
        finally:
            os.close(parent)
        return out

    def test_colour_is_for_terminals(self):
        self.assertIn(b"\033[32mok", self.on_terminal(TERM="xterm", NO_COLOR=""))
        self.assertNotIn(b"\033", self.on_terminal(TERM="xterm", NO_COLOR="1"))
        self.assertNotIn(b"\033", self.on_terminal(TERM="dumb", NO_COLOR=""))

    def test_full_device(self):
        for opts in ((), ("--json",)):
            with open("/dev/full", "w") as full:
                result = self.run_capsule("--doctor", "--fresh", *opts, sandbox=False, stdout=full)
            self.check(result, 125)
            self.assertIn("print the findings", result.err)

    def test_odd_names_are_harmless(self):
        place = self.path("a\033]0;x\007b")
        result = self.run_capsule("--doctor", "--dir", place, sandbox=False)
        self.check(result, 125)
        self.assertNotIn("\033", result.out)
        self.assertIn("a?]0;x?b", result.out)


class Usage(Doctor):
    def test_no_task(self):
        for args in (("x.py",), ("-c", "pass"), ("--exec", "--", "true"), ("-",)):
            self.refused(self.run_capsule("--doctor", *args, sandbox=False), "--doctor", status=2)

    def test_json_wherever_it_stands(self):
        self.refused(self.run_capsule("--json=x", "--doctor", sandbox=False), "--json", status=2)
        self.assertEqual(json.loads(self.run_capsule("--json", "--fresh", "--doctor", sandbox=False).out)["started"], True)

    def test_no_verdict_is_written(self):
        self.refused(self.run_capsule("--doctor", "--result", self.path("v"), sandbox=False), "--result", "--doctor",
                     status=2)
        self.assertFalse(os.path.exists(self.path("v")))


class Elsewhere(Doctor):
    """On hosts that differ."""

    @harness.only_user
    def test_in_a_user_namespace_of_ones_own(self):
        result = self.run_capsule("--doctor", "--fresh", sandbox=False, prefix=[harness.need("unshare"), "-Ur"])
        self.check(result, 1)
        self.assertIn("in a user namespace", result.out)

    @harness.only_root
    def test_in_a_user_namespace_of_the_hosts_root_alone(self):
        result = self.run_capsule("--doctor", "--fresh", sandbox=False, prefix=[harness.need("unshare"), "-Ur"])
        self.check(result, 125)
        self.assertIn("maps the host's root", result.out)

    @harness.only_user
    def test_without_namespaces_the_rest_is_tried(self):
        report = self.examine("--fresh", status=125, preexec_fn=brokenhost.user_limit("max_user_namespaces"))
        self.assertEqual(self.find(report, "namespaces", "user")["state"], "missing")
        self.assertEqual(self.find(report, "files", "proc")["state"], "untried")
        self.assertEqual(self.find(report, "filter", "seccomp")["state"], "ok")
        self.assertEqual(report["layers"], [])

    @harness.only_user
    def test_the_kind_that_lacks_is_named(self):
        report = self.examine("--fresh", status=125, preexec_fn=brokenhost.user_limit("max_ipc_namespaces"))
        states = {name: self.find(report, "namespaces", name)["state"] for name in LAYERS}
        self.assertEqual(states, dict(dict.fromkeys(LAYERS, "ok"), ipc="missing"))

    def test_what_does_not_stand_on_it_is_tried_all_the_same(self):
        report = self.examine("--fresh", status=125, preexec_fn=brokenhost.covered_proc)
        self.assertEqual(self.find(report, "files", "proc")["state"], "missing")
        self.assertEqual(self.find(report, "files", "seal")["state"], "ok")
        self.assertIn("/proc/fs", self.find(report, "kernel", "proc")["text"])

    def test_directory_that_can_not_be_had(self):
        """Tasks would start, but not with this one: the default does not hold."""
        report = self.examine("--dir", self.write("file"), status=125)
        self.assertTrue(report["started"])
        self.assertEqual(self.find(report, "files", "sandbox")["state"], "missing")
        self.assertIn("--fresh", self.find(report, "verdict", "tasks")["text"])

    def test_binding_is_tried(self):
        self.write("data")
        self.assertTrue(self.examine("--fresh", "--bind", self.path("data") + ":/data")["started"])
        self.examine("--fresh", "--bind", self.path("none"), status=125)

    @harness.only_root
    def test_group_of_ones_own_as_the_cure_says(self):
        """cgroup v1: root makes groups that belong to a user, who runs in them."""
        if harness.probe_verdict()["limits"]["ram"]["rung"] != "cgroup-v1":
            self.skipTest("no cgroup v1")
        uid, groups = 64903, []
        with open("/proc/self/cgroup") as f:
            own = {line.split(":")[1]: line.strip().split(":", 2)[2] for line in f}
        for controller in ("memory", "pids", "cpu"):
            group = "/sys/fs/cgroup/%s%s/doctor-test.%d" % (controller, own[controller], os.getpid())
            os.mkdir(group)
            self.addCleanup(os.rmdir, group)
            for name in ("", "tasks"):
                os.chown(os.path.join(group, name), uid, uid)
            groups.append(group)

        def enter():
            for group in groups:
                with open(os.path.join(group, "tasks"), "w") as f:
                    f.write("0")
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)

        report = self.examine("--fresh", "--python", harness.system_python(), status=0, preexec_fn=enter, cwd="/")
        self.assertEqual(report["limits"]["ram"]["rung"], "cgroup-v1")
        self.assertEqual(self.find(report, "limits", "cpu")["state"], "ok")
        for group in groups:
            self.assertEqual([name for name in os.listdir(group) if os.path.isdir(os.path.join(group, name))], [])


if __name__ == "__main__":
    unittest.main()
