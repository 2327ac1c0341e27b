"""Hosts on which somebody has switched something off: what is refused names the cure, the cure cures, and --doctor says
the same."""
import json
import os
import re
import unittest

import cells
import harness
from guestcase import Case, need_guest, only, run

PROFILE = "/etc/apparmor.d/no-user-namespaces"
# What Ubuntu 24.04 does to each program without a profile. There it is a switch of the kernel's, which Debian's lacks.
CONFINED = """abi <abi/4.0>,
profile no-user-namespaces {
  allow all,
  priority=10 /usr/{local/,}bin/capsule-run pix -> capsule-run,
  deny userns,
}
"""

def setUpModule():
    need_guest()


class Host(Case):
    def doctor(self, *prefix):
        """The checks that say missing, each as its text and its cure."""
        result = self.check(self.in_login("--doctor", "--json", "--fresh", prefix=prefix), 125)
        report = json.loads(result.out)
        self.assertEqual((report["verdict"], report["started"]), ("fails", False))
        return [(check["text"], check["cure"]) for check in report["checks"] if check["state"] == "missing"]


class Switches(Host):
    def sysctl(self, name, value):
        path = "/proc/sys/" + name
        with open(path) as f:
            before = f.read()
        with open(path, "w") as f:
            f.write(value)

        def restore():
            with open(path, "w") as f:
                f.write(before)

        self.addCleanup(restore)

    @only("system")
    def test_user_namespaces_off(self):
        for name in ("user/max_user_namespaces", "kernel/unprivileged_userns_clone"):
            with self.subTest(sysctl=name):
                self.sysctl(name, "0")
                result = self.refused(self.in_login("--fresh", "-c", "print(1)"), "hint: ", "sysctl")
                cure = re.search(r"sysctl -w (\S+=\d+)", result.err)[1]
                self.assertIn(cure, " ".join(str(found) for found in self.doctor()))
                self.assertEqual(run("sysctl", "-q", "-w", cure).returncode, 0)
                self.assertEqual(self.check(self.in_login("--fresh", "-c", "print(1)")).out, "1\n")


def mediates_namespaces():
    try:
        with open("/sys/kernel/security/apparmor/features/namespaces/mask") as f:
            return "userns_create" in f.read()
    except OSError:
        return False


class AppArmor(Host):
    """As on Ubuntu 24.04, where the kernel can: since Linux 6.7."""

    def load(self):
        with open(PROFILE, "w") as f:
            f.write(CONFINED)
        done = run("apparmor_parser", "--replace", "--skip-cache", PROFILE)
        self.assertEqual(done.returncode, 0, done.stdout)

        def remove():
            run("apparmor_parser", "--remove", PROFILE)
            os.unlink(PROFILE)

        self.addCleanup(remove)

    def cure(self, text):
        """The commands that a hint names, typed in."""
        command = re.search(r"cp \S*/apparmor/capsule-run /etc/apparmor\.d/ && apparmor_parser -r \S+/capsule-run", text)
        self.assertIsNotNone(command, text)
        done = run("sh", "-c", command[0])
        self.assertEqual(done.returncode, 0, done.stdout)
        self.addCleanup(run, "sh", "-c", "apparmor_parser -R /etc/apparmor.d/capsule-run; rm /etc/apparmor.d/capsule-run")

    @only("system")
    @unittest.skipUnless(mediates_namespaces(), "this kernel's AppArmor has no rule for user namespaces")
    def test_a_profile_without_userns(self):
        self.load()
        prefix = ["aa-exec", "-p", "no-user-namespaces", "--"]
        result = self.refused(self.in_login("--fresh", "-c", "print(1)", prefix=prefix), "hint: ", "AppArmor")
        self.assertIn("apparmor_parser -r", str(self.doctor(*prefix)))
        self.cure(result.err)
        self.assertEqual(self.check(self.in_login("--fresh", "-c", "print(1)", prefix=prefix)).out, "1\n")


class Containers(Case):
    """What a container's owner must give, as the messages say it. Others are in none: as root, who starts them."""

    def setUp(self):
        super().setUp()
        cells.make_rootfs()

    def inside(self, *args, options=(), entry=()):
        return self.result(cells.podman(*options) + list(entry) + [harness.CAPSULE_RUN, "--fresh", *args])

    @only("system")
    def test_first_program_of_a_container_with_its_cgroup(self):
        """Nothing lies beside it: no arrangement is needed."""
        result = self.check(self.inside("--require", "cgroup", "--cpu", "1", "--json", "-c", "print(1)", options=[
            "--security-opt=unmask=ALL", "--cap-add=SYS_ADMIN"]))
        limits = json.loads(result.out)["verdict"]["limits"]
        self.assertEqual({limits[name]["rung"] for name in ("ram", "pids", "cpu")}, {"cgroup-v2"})

    @only("system")
    def test_beside_a_shell(self):
        """The group holds two: the message says what an entry point has to do."""
        options = ["--security-opt=unmask=ALL", "--cap-add=SYS_ADMIN"]
        shell = ["sh", "-c", '"$@"; exit $?', "sh"]
        result = self.refused(self.inside("--require", "cgroup", "-c", "pass", options=options, entry=shell),
                              "other processes", "hint: ")
        cure = re.search(r"hint: .*?(mkdir .*?cgroup\.subtree_control)", result.err)
        self.assertIsNotNone(cure, result.err)
        shell[2] = cure[1] + " && " + shell[2]
        self.check(self.inside("--require", "cgroup", "-c", "pass", options=options, entry=shell))

    @only("system")
    def test_cgroup_that_is_read_only(self):
        options = ["--security-opt=unmask=/proc/*", "--cap-add=SYS_ADMIN"]
        result = self.refused(self.inside("--require", "cgroup", "-c", "pass", options=options), "hint: ", "podman run")
        cure = re.search(r"podman run (--security-opt) (\S+?)\)", result.err)
        self.check(self.inside("--require", "cgroup", "-c", "pass", options=options + [cure[1], cure[2]]))

    @only("system")
    def test_a_container_as_it_is(self):
        """Each message names the options for what was refused; with them all it works."""
        allow = []
        while True:
            command = cells.podman("--user=1000:1000", *allow, allow=()) + [harness.CAPSULE_RUN, "--fresh", "-c", "print(1)"]
            result = self.result(command)
            if result.status == 0:
                break
            self.refused(result, "hint: ")
            cure = re.search(r"podman run((?: --security-opt \S+)+)", result.err)
            self.assertIsNotNone(cure, result)
            more = set(allow) | {"--security-opt=" + word for word in cure[1].split()[1::2]}
            self.assertNotEqual(more, set(allow), result)
            allow = sorted(more)
        self.assertEqual(result.out, "1\n")
        self.assertIn("--security-opt=unmask=ALL", allow)

    @only("system")
    def test_of_an_ordinary_user(self):
        """podman without root: the container's root is that user."""
        command = cells.podman("--security-opt=unmask=ALL", "--cap-add=SYS_ADMIN") + [
            harness.CAPSULE_RUN, "--fresh", "--json", "-c", "print(1)"]
        result = self.check(self.result(cells.login(cells.USER)(command)))
        answer = json.loads(result.out)
        self.assertTrue(answer["success"], answer)


if __name__ == "__main__":
    unittest.main()
