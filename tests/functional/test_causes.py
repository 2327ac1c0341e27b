"""Each known cause of a failing start has its cure in the message, and --doctor names the same one beforehand."""
import json
import os
import resource
import shutil
import subprocess
import unittest

import brokenhost
import harness


class Causes(harness.Case):
    """A host is broken in one way. A run says what failed and the cure; so does --doctor."""

    def hint_of(self, result):
        lines = [line for line in result.err.splitlines() if line.startswith("capsule-run: hint: ")]
        self.assertEqual(len(lines), 1, "\n%s" % result)
        return lines[0][len("capsule-run: hint: "):]

    def breaks(self, enter, stage, *words, opts=("--fresh",), status=125, program=harness.CAPSULE_RUN, explained=True,
               cwd="/", env=None):
        """The run fails in that stage; its hint has these words, and --doctor has the same hint: explained, at the
        layer that lacks, else with its verdict only."""
        marker = self.path("sandbox", "ran")

        def run(*args):
            argv = [program] + list(args)
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  cwd=cwd, env=env, preexec_fn=enter, timeout=harness.PATIENCE)
            return harness.Result(argv, done.returncode, harness.decode(done.stdout), harness.decode(done.stderr), None)

        result = run(*opts, "-c", "open(%r, 'w')" % marker)
        self.check(result, status)
        self.assertIn("capsule-run: %s: " % stage, result.err)
        hint = self.hint_of(result)
        for word in words:
            self.assertIn(word, hint)
        self.assertFalse(os.path.exists(marker))
        told = run(*opts, "--doctor", "--json")
        self.check(told, 125)
        report = json.loads(told.out)
        self.assertEqual(report["verdict"], "fails")
        cures = [check["cure"] for check in report["checks"] if check["state"] == "missing" and
                 (check["group"] != "verdict" or not explained)]
        self.assertIn(hint, cures, "\n%s" % told)
        self.assertEqual(told.err, "")
        return result


class Namespaces(Causes):
    @harness.only_user
    def test_user_namespaces_are_switched_off(self):
        self.breaks(brokenhost.user_limit("max_user_namespaces"), "clone", "switched off",
                    "sysctl -w user.max_user_namespaces")

    @harness.only_user
    def test_another_kind_is_used_up(self):
        for kind in ("mnt", "pid", "ipc", "uts", "cgroup"):
            with self.subTest(kind=kind):
                self.breaks(brokenhost.user_limit("max_%s_namespaces" % kind), "clone", "too many namespaces",
                            "max_*_namespaces")

    @harness.only_user
    def test_network_namespaces_are_used_up(self):
        self.breaks(brokenhost.user_limit("max_net_namespaces"), "net", "max_net_namespaces", explained=False)

    def test_chroot(self):
        place = self.path("root")
        os.mkdir(place)
        self.breaks(brokenhost.chroot(place), "clone", "chroot", "systemd-nspawn", program="/capsule-run",
                    env={"PATH": "/usr/bin"})

    def test_filter_of_a_container(self):
        opts = ("--fresh", "--python", harness.system_python())
        self.breaks(brokenhost.docker_filter, "clone", "seccomp filter", "seccomp=unconfined", "apparmor=unconfined",
                    "systempaths=unconfined", opts=opts)

    @harness.only_user
    def test_too_many_processes(self):
        self.breaks(brokenhost.limited(resource.RLIMIT_NPROC, 1), "clone", "ulimit -u")

    def test_inside_itself(self):
        result = self.run_capsule("-q", "--bind", harness.CAPSULE_RUN + ":/opt/capsule-run", "--exec", "--",
                                  "/opt/capsule-run", "--fresh", "-c", "pass")
        self.refused(result, "clone: ", "inside another capsule-run")
        told = self.run_capsule("-q", "--bind", harness.CAPSULE_RUN + ":/opt/capsule-run", "--exec", "--",
                                "/opt/capsule-run", "--fresh", "--doctor")
        self.check(told, 125)
        self.assertIn("inside another capsule-run", told.out)


class Filters(Causes):
    """A filter that refuses one call more than it should: each is named by its stage."""

    def test_each_call(self):
        rows = (("keyctl", "keyring", "keyctl"), ("sethostname", "uts", "seccomp"), ("mount", "rootfs", "seccomp"),
                ("pivot_root", "rootfs", "seccomp"), ("fsopen", "rootfs", "seccomp"), ("unshare", "net", "seccomp"),
                ("open_tree", "rootfs", "seccomp"), ("mount_setattr", "rootfs", "seccomp"),
                ("umount2", "rootfs", "seccomp"), ("move_mount", "rootfs", "seccomp"),
                ("fsconfig", "rootfs", "seccomp"), ("fsmount", "rootfs", "seccomp"), ("setns", "net", "seccomp"),
                ("seccomp", "filter", "another one"))
        for name, stage, word in rows:
            with self.subTest(call=name):
                # Root's directories are opened beforehand; an ordinary user's by the stage.
                opts = ("--fresh", "--python", harness.system_python())
                self.breaks(brokenhost.refusing(name), stage, word, opts=opts, explained=name != "setns")

    @harness.only_root
    def test_roots_directories(self):
        self.breaks(brokenhost.refusing("open_tree"), "files", "seccomp", opts=("--dir", self.dir))

    def test_clone_is_missing(self):
        self.breaks(brokenhost.refusing("clone3", number=brokenhost.ENOSYS), "clone", "seccomp filter refuses clone3")

    def test_mounts_are_missing(self):
        self.breaks(brokenhost.refusing("fsopen", number=brokenhost.ENOSYS), "rootfs", "Linux 5.14")


class Files(Causes):
    def test_proc_is_partly_covered(self):
        self.breaks(brokenhost.covered_proc, "proc", "partly covered", "systempaths=unconfined", "procMount")

    def test_proc_is_not_mounted(self):
        self.breaks(brokenhost.no_proc, "idmap", "mount -t proc proc /proc")

    def test_proc_is_read_only(self):
        self.breaks(brokenhost.read_only_proc, "idmap", "remount,rw /proc")

    def test_device_is_missing(self):
        place = self.path("dev")
        os.mkdir(place)
        self.breaks(brokenhost.without_device(place, "full"), "devices", "/dev lacks a node")

    def test_tmp_is_read_only(self):
        shutil.copy(harness.CAPSULE_RUN, self.path("capsule-run"))
        self.breaks(brokenhost.read_only_tmp, "files", "read-only", "--dir", opts=(), cwd=self.tmp,
                    program="./capsule-run")

    def test_sandbox_directory(self):
        os.symlink(self.dir, self.path("link"))
        self.write("file")
        rows = (("link", "real directory"), ("file", "real directory"), ("none", "mkdir"),
                ("none/deep", "mkdir"), ("file/below", "real directory"))
        for name, word in rows:
            with self.subTest(name=name):
                self.breaks(None, "files", word, opts=("--dir", self.path(name)))

    @harness.only_user
    def test_sandbox_directory_of_somebody_else(self):
        self.breaks(None, "files", "--dir DIR", "--fresh", opts=("--dir", "/usr"))

    @harness.only_user
    def test_sandbox_directory_out_of_reach(self):
        os.mkdir(self.path("closed"))
        os.mkdir(self.path("closed", "dir"))
        os.chmod(self.path("closed"), 0)
        self.breaks(None, "files", "--dir DIR", opts=("--dir", self.path("closed", "dir")))

    @harness.only_root
    def test_sandbox_directory_of_roots_that_holds_something(self):
        os.mkdir(self.path("mine"))
        self.write("mine/file")
        self.breaks(None, "files", "chown", opts=("--dir", self.path("mine")))

    def test_bound_file_is_missing(self):
        self.breaks(None, "files", "must exist", opts=("--fresh", "--bind", self.path("none")), explained=False)

    @harness.only_user
    def test_bound_file_is_out_of_reach(self):
        os.mkdir(self.path("closed"), 0)
        self.breaks(None, "files", "reach", opts=("--fresh", "--bind", self.path("closed", "x") + ":/x"), explained=False)

    def test_program_on_a_noexec_file_system(self):
        program = shutil.copy("/usr/bin/true", self.path("true"))
        os.mkdir(self.path("noexec"))

        def enter():
            harness.private_mounts()
            harness.mount("tmpfs", self.path("noexec"), "tmpfs", 8)  # MS_NOEXEC
            shutil.copy(program, self.path("noexec", "true"))
            os.chmod(self.path("noexec", "true"), 0o755)

        result = self.run_capsule("--fresh", "--bind", self.path("noexec"), "--exec", "--",
                                  self.path("noexec", "true"), sandbox=False, preexec_fn=enter)
        self.refused(result, "exec: ", "noexec", status=126)


class Programs(Causes):
    def test_no_interpreter(self):
        result = self.breaks(None, "python", "apt-get install python3", "--python", status=127,
                             env={"PATH": self.path("none")})
        self.assertIn("no python3 on PATH", result.err)

    def test_interpreter_that_is_none(self):
        self.breaks(None, "python", "--python PATH",
                    opts=("--fresh", "--python", self.write("python3", "#!/bin/sh\n", 0o755)))

    @harness.only_user
    def test_capsule_run_itself_is_unreadable(self):
        copy = shutil.copy(harness.CAPSULE_RUN, self.path("capsule-run"))
        os.chmod(copy, 0o111)
        self.breaks(None, "idmap", "chmod a+r", program=copy)


class Rights(Causes):
    def test_too_few_descriptors(self):
        result = self.breaks(brokenhost.limited(resource.RLIMIT_NOFILE, 7), "stdio", "ulimit -n", explained=False)
        self.assertIn("Too many open files", result.err)

    @harness.only_root
    def test_root_without_the_capability_to_mount(self):
        self.breaks(brokenhost.without_capabilities(brokenhost.CAP_SYS_ADMIN), "files", "SYS_ADMIN", "ordinary user",
                    opts=("--python", harness.system_python(), "--dir", self.dir))

    @harness.only_root
    def test_root_without_the_capability_to_map(self):
        self.breaks(brokenhost.without_capabilities(brokenhost.CAP_SETUID, brokenhost.CAP_SETGID), "idmap", "SETUID",
                    "ordinary user")

    @harness.for_cgroup(False)
    def test_no_cgroup(self):
        """A limit that nothing else can hold, and a layer that is required."""
        for opts in (("--fresh", "--cpu", "1"), ("--fresh", "--require", "cgroup")):
            with self.subTest(opts=opts):
                self.breaks(None, "cgroup", "", opts=opts, explained=False)


if __name__ == "__main__":
    unittest.main()
