"""Runs probes inside and outside of the sandbox; see probelib.py for what a probe is."""
import ctypes
import json
import os
import re
import socket
import subprocess
import sys
import unittest

import harness

HERE = os.path.dirname(os.path.abspath(__file__))
FOOTER = "\n\nif __name__ == '__main__':\n    run_probe(sys.argv[1], json.loads(sys.argv[2]))\n"
ORDINARY = 64903


def probe_text(path):
    with open(os.path.join(HERE, "probelib.py")) as lib, open(path) as probes:
        return lib.read() + "\n\n" + probes.read() + FOOTER


def load_probes(path):
    """The probes of a file, and the options under which they must be contained."""
    space = {"__name__": "probes"}
    exec(compile(probe_text(path), path, "exec"), space)
    return space["PROBES"], space["OPTIONS"]


def answer(result):
    found = re.findall(r"^(ESCAPED|CONTAINED|UNDECIDED): ?(.*)$", result.out, re.M)
    return found[-1] if found else ("NOTHING", "status %s; %s; %s" % (result.status, result.out[-300:], result.err[-600:]))


class ProbeCase(harness.Case):
    """A test for each probe of a file: the control first, then the sandbox."""

    PROBES = {}
    PATH = None
    OPTIONS = ()

    def setUp(self):
        super().setUp()
        self.script = self.write("probe.py", probe_text(self.PATH))
        self.canaries = {}

    # -- where the control runs

    def run_control(self, kind, name):
        if kind == "default":
            return self.run_inside(name, ())
        argv = [harness.system_python() if kind == "user" else sys.executable, self.script, name, json.dumps(self.canaries)]
        place = self.path("control")
        os.makedirs(place, exist_ok=True)
        os.chmod(place, 0o777)
        extra = {}
        if kind == "namespaces":
            argv = [harness.need("unshare"), "-Urmnipu", "--fork", "--mount-proc"] + argv
        if kind == "user" and harness.ROOT:
            def drop():
                os.setgroups([])
                os.setgid(ORDINARY)
                os.setuid(ORDINARY)
            extra["preexec_fn"] = drop
        done = subprocess.run(argv, cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=harness.PATIENCE, start_new_session=True,
                              env=dict(os.environ, **self.environment()), pass_fds=self.inherited(), **extra)
        return harness.Result(argv, done.returncode, harness.decode(done.stdout), harness.decode(done.stderr), None)

    def environment(self):
        return self.canaries.get("environment", {})

    def inherited(self):
        return self.canaries.get("inherited", [])

    def run_inside(self, name, options):
        return self.run_capsule("-q", *options, self.script, name, json.dumps(self.canaries),
                                env=dict(os.environ, **self.environment()), pass_fds=self.inherited())

    def judge(self, name):
        entry = self.PROBES[name]
        for canary in (entry["canary"] or "").split():
            getattr(self, "canary_" + canary)()
        without = None
        if entry["control"] is None:
            self.assertTrue(entry["no_control"], "a probe without a control needs a reason")
        elif entry["control"] == "root" and not harness.ROOT:
            # Where the suite runs for both users, root's run has the control.
            if os.environ.get("CAPSULE_BOTH_USERS") != "1":
                without = "its control needs root"
        else:
            kind, evidence = answer(self.run_control(entry["control"], name))
            if kind == "UNDECIDED":
                print("%s has no control: %s" % (name, evidence))
            else:
                self.assertEqual(kind, "ESCAPED", "the control did not escape, so the probe proves nothing: " + evidence)
        result = self.run_inside(name, self.OPTIONS)
        kind, evidence = answer(result)
        if kind == "UNDECIDED":
            self.skipTest(evidence)
        self.assertEqual(kind, "CONTAINED", evidence)
        allowed = set(entry["errnos"]) or {"nothing"}
        self.assertLessEqual(set(evidence.split()), allowed, "refused in another way than is promised")
        if entry["host_check"]:
            getattr(self, "check_" + entry["host_check"])()
        if without:
            self.skipTest(without)

    # -- canaries

    def canary_secret(self):
        """A file of the caller's, beside the sandbox directory."""
        self.canaries["secret"] = self.write("secret", "CANARY", 0o644)
        self.canaries["place"] = self.tmp
        os.chmod(self.tmp, 0o777 if harness.ROOT else 0o755)

    def canary_environment(self):
        self.canaries["environment"] = {"CAPSULE_CANARY": "CANARY-VALUE"}

    def canary_descriptor(self):
        self.canary_secret()
        fd = os.open(self.tmp, os.O_RDONLY | os.O_DIRECTORY)
        secret = os.open(self.canaries["secret"], os.O_RDONLY)
        self.addCleanup(os.close, fd)
        self.addCleanup(os.close, secret)
        self.canaries["inherited"] = [fd, secret]

    def canary_process(self):
        """A process of the caller's with a secret in its memory and environment."""
        process = subprocess.Popen([sys.executable, "-c", "import time, sys; print('ready', flush=True); time.sleep(1000)",
                                    "capsule-canary-process"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   env=dict(os.environ, SECRET="CANARY"))
        self.assertEqual(process.stdout.readline(), b"ready\n")

        def end():
            process.kill()
            process.wait()
            process.stdout.close()

        self.addCleanup(end)
        self.victim = process
        self.canaries["pid"] = process.pid

    def check_process_lives(self):
        self.assertIsNone(self.victim.poll(), "the canary process died")

    def canary_keyring(self):
        """A key in the caller's session keyring; the run inherits the keyring."""
        libc = harness.LIBC
        libc.syscall.restype = ctypes.c_long
        numbers = (250, 248) if os.uname().machine == "x86_64" else (219, 217)
        if libc.syscall(numbers[0], 1, b"capsule-test") < 0:
            self.skipTest("no keyrings here")
        name = b"capsule-canary"
        serial = libc.syscall(numbers[1], b"user", name, b"CANARY", 6, ctypes.c_long(-3))
        if serial < 0:
            self.skipTest("no key can be added here")
        libc.syscall(numbers[0], 5, serial, 0x3f3f3f3f)  # KEYCTL_SETPERM
        self.canaries["key"] = serial

    def canary_tcp(self):
        server = socket.socket()
        server.bind(("127.0.0.1", 0))
        server.listen()
        self.addCleanup(server.close)
        self.canaries["tcp"] = server.getsockname()[1]

    def canary_udp(self):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        self.addCleanup(server.close)
        self.udp = server
        self.canaries["udp"] = server.getsockname()[1]

    def check_no_datagram(self):
        # The control's own datagram came first.
        self.assertEqual(self.udp.recv(100), b"CANARY")
        with self.assertRaises(OSError):
            self.udp.recv(100)

    def canary_unix(self):
        for key, address in (("abstract", "\0capsule-canary-%d-%s" % (os.getpid(), self.id())), ("path", self.path("socket"))):
            server = socket.socket(socket.AF_UNIX)
            server.bind(address)
            server.listen()
            self.addCleanup(server.close)
            self.canaries[key] = address
        os.chmod(self.path("socket"), 0o777)

    def canary_shm(self):
        path = "/dev/shm/capsule-canary-%d" % os.getpid()
        with open(path, "w"):
            pass
        self.addCleanup(os.unlink, path)

    def canary_helper(self):
        """A tiny program, compiled now."""
        source = self.write("helper.c", HELPER)
        binary = os.path.join(self.dir, "helper")
        compiler = harness.need("gcc")
        done = subprocess.run([compiler, "-O1", "-static", "-o", binary, source], stderr=subprocess.PIPE)
        if done.returncode != 0:
            done = subprocess.run([compiler, "-O1", "-o", binary, source], stderr=subprocess.PIPE)
        if done.returncode != 0:
            self.skipTest("gcc can't compile here")
        os.chmod(binary, 0o755)
        os.makedirs(self.path("control"), exist_ok=True)
        subprocess.run(["cp", binary, self.path("control/helper")], check=True)

    def check_no_set_id_files(self):
        found = []
        for root, dirs, files in os.walk(self.dir):
            for name in dirs + files:
                info = os.lstat(os.path.join(root, name))
                if info.st_mode & 0o6000 or info.st_uid == 0 and harness.ROOT:
                    found.append((name, oct(info.st_mode), info.st_uid))
        self.assertEqual(found, [])


HELPER = r"""
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>
int main(int argc, char **argv)
{
	long r = -1;
	if (argc > 1 && strcmp(argv[1], "int80") == 0) {
#if defined(__x86_64__)
		__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
#endif
		printf("%s\n", r == getpid() ? "answered" : "refused");
	} else if (argc > 1 && strcmp(argv[1], "x32") == 0) {
#if defined(__x86_64__)
		r = syscall(0x40000000 | SYS_getpid);
#endif
		printf("%s\n", r == getpid() ? "answered" : "refused");
	}
	return 0;
}
"""


def suite_of(path):
    """A test class for the probes of a file."""
    probes, options = load_probes(path)
    members = {"PROBES": probes, "PATH": path, "OPTIONS": options}
    for name in probes:
        def test(self, name=name):
            self.judge(name)
        test.__doc__ = None
        members["test_" + name] = test
    return type("Probes", (ProbeCase,), members)
