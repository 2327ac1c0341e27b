"""What the functional and escape suites share: running the built capsule-run as a user would."""
import ctypes
import functools
import json
import os
import shutil
import subprocess
import tempfile
import textwrap
import time
import unittest

import schema

CAPSULE_RUN = os.environ.get("CAPSULE_RUN") or os.path.abspath("capsule-run")
GUEST_DIR = "/tmp/agent_sandbox"
ROOT = os.getuid() == 0
# Hang protection only: no test depends on how long something takes. tests/vm has slower processors.
PATIENCE = int(os.environ.get("CAPSULE_PATIENCE", "60"))
# For what must be longer than a start of Python and yet be waited for.
SLOWNESS = PATIENCE / 60
LIBC = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_REC, MS_PRIVATE, MS_BIND, MS_REMOUNT, MS_RDONLY = 0x4000, 0x40000, 0x1000, 0x20, 1



def for_user(root, reason):
    """Marks a test or class for one kind of user. Where the driver runs the suite as both, it is left out for the
    other one: that is no skip."""

    def decorate(item):
        item.capsule_root = root
        return unittest.skipUnless(ROOT == root, reason)(item)

    return decorate


only_root = for_user(True, "needs root")
only_user = for_user(False, "needs an ordinary user")


class Result:
    """How a run of capsule-run ended."""

    def __init__(self, argv, status, out, err, verdict):
        self.argv, self.status, self.out, self.err, self.verdict = argv, status, out, err, verdict

    def __str__(self):
        return "%s\nstatus %s\nstdout: %s\nstderr: %s\nverdict: %s" % (
            " ".join(self.argv), self.status, self.out[-2000:], self.err[-2000:], json.dumps(self.verdict))


def decode(data):
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else data or ""


@functools.lru_cache(None)
def probe_verdict():
    """The verdict of a plain run: whose uid the task has, which layers and rungs this machine offers."""
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "verdict.json")
        subprocess.run([CAPSULE_RUN, "-q", "--fresh", "--result", path, "-c", "pass"], check=True,
                       stdin=subprocess.DEVNULL, timeout=PATIENCE)
        with open(path) as f:
            return json.load(f)


def has_cgroup():
    return "cgroup" in probe_verdict()["layers"]


def rung():
    """What holds --ram here."""
    return probe_verdict()["limits"]["ram"]["rung"]


def for_cgroup(wanted):
    """Marks a test that is about limits which a cgroup holds (True) or must do without one (False)."""

    def decorate(item):
        # Root mostly has one and an ordinary user mostly none: each is where the other kind is no skip.
        if wanted != has_cgroup() and wanted != ROOT:
            item.capsule_root = wanted
        return unittest.skipUnless(wanted == has_cgroup(), "no cgroup is at hand" if wanted else "a cgroup is at hand")(item)

    return decorate


def hits(verdict):
    """The names of the limits that were met."""
    return [hit["limit"] for hit in verdict["limits_hit"]]


def task_uid():
    """The host uid that tasks have."""
    return probe_verdict()["ids"]["host_uid"]


@functools.lru_cache(None)
def task_python():
    """(executable, minor version) of the interpreter that tasks get."""
    out = subprocess.run([CAPSULE_RUN, "-q", "--fresh", "-c", "import sys; print(sys.executable, sys.version_info[1])"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=PATIENCE, check=True).stdout
    path, minor = out.decode().rsplit(None, 1)
    return path, int(minor)


def system_python():
    """The distribution's own interpreter, or a skip."""
    if not os.access("/usr/bin/python3", os.X_OK):
        raise unittest.SkipTest("no /usr/bin/python3")
    return "/usr/bin/python3"


def need(program):
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise unittest.SkipTest("%s is not installed" % program)
    return path


def marked_processes(marker):
    """Processes of the host's whose command line holds the marker; zombies have none and don't count."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                if marker.encode() in f.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def states_below(pid):
    """The states (proc(5)) of a process's descendants; several threads count as one."""
    parents, states = {}, {}
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % other) as f:
                state, parent = f.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        parents[int(other)], states[int(other)] = int(parent), state
    below = {pid}
    while True:
        more = {one for one, parent in parents.items() if parent in below and one not in below}
        if not more:
            return {states[one] for one in below if one != pid}
        below |= more


def wait_until(condition, what="it", seconds=PATIENCE):
    """Waits for what announces itself in no other way (a process of somebody else's has ended)."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("%s did not come about in %d s" % (what, seconds))
        time.sleep(0.005)


def mount(source, target, kind, flags, data=None):
    if LIBC.mount(source.encode() if source else None, target.encode(), kind.encode() if kind else None,
                  ctypes.c_ulong(flags), data.encode() if data else None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def private_mounts(user=not ROOT):
    """For preexec_fn: a mount namespace of one's own, in which one may mount; the uid stays. user: in a user namespace
    of one's own, which an ordinary user needs for it."""
    uid, gid = os.getuid(), os.getgid()
    flags = CLONE_NEWNS | CLONE_NEWUSER if user else CLONE_NEWNS
    if LIBC.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    if user:
        for name, text in (("setgroups", "deny"), ("uid_map", "%d %d 1" % (uid, uid)),
                           ("gid_map", "%d %d 1" % (gid, gid))):
            with open("/proc/self/" + name, "w") as f:
                f.write(text)
    mount(None, "/", None, MS_REC | MS_PRIVATE)


class Case(unittest.TestCase):
    """A test with a temporary directory and a sandbox directory of its own."""

    maxDiff = 2000

    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix="capsule-test.", dir="/tmp")
        os.chmod(self.tmp, 0o755)
        self.addCleanup(self.remove_tmp)
        self.dir = os.path.join(self.tmp, "sandbox")
        os.mkdir(self.dir, 0o700)
        # Root's own directory must be empty; given to the task's uid, tests may put files into it.
        if ROOT:
            os.chown(self.dir, task_uid(), task_uid())

    def remove_tmp(self):
        # A task may have closed its directories; rm and chmod take trees of any depth.
        subprocess.run(["chmod", "-R", "u+rwX", self.tmp], stderr=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", self.tmp], check=True)

    def path(self, *names):
        return os.path.join(self.tmp, *names)

    def write(self, name, text="", mode=0o644):
        """A file below the temporary directory, outside of the sandbox unless named so."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with open(path, "wb" if isinstance(text, bytes) else "w") as f:
            f.write(text if isinstance(text, bytes) else textwrap.dedent(text))
        os.chmod(path, mode)
        if ROOT and path.startswith(self.dir + "/"):
            os.chown(path, task_uid(), task_uid())
        return path

    def read(self, name):
        with open(self.path(name)) as f:
            return f.read()

    def argv(self, *args, sandbox=True, verdict=False):
        argv = [CAPSULE_RUN]
        if sandbox:
            argv += ["--dir", self.dir]
        if verdict:
            argv += ["--result", self.path("verdict.json")]
        return argv + [str(a) if not isinstance(a, bytes) else a for a in args]

    def run_capsule(self, *args, stdin=None, env=None, cwd=None, sandbox=True, verdict=False, text=True,
                    timeout=PATIENCE, prefix=(), **popen):
        """Runs it to its end. stdin: text or bytes to send, or a file; default: nothing."""
        argv = list(prefix) + self.argv(*args, sandbox=sandbox, verdict=verdict)
        popen.setdefault("stdout", subprocess.PIPE)
        popen.setdefault("stderr", subprocess.PIPE)
        sent = None
        if isinstance(stdin, (str, bytes)):
            sent = stdin.encode() if isinstance(stdin, str) else stdin
            stdin = subprocess.PIPE
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL if stdin is None else stdin, env=env,
                                   cwd=cwd or self.tmp, **popen)
        try:
            out, err = process.communicate(sent, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            self.fail("hangs: %s\nstdout: %s\nstderr: %s" % (argv, decode(out)[-2000:], decode(err)[-2000:]))
        except BrokenPipeError:
            process.wait(timeout)
            out, err = process.stdout.read(), process.stderr.read()
        result = Result(["%s" % decode(a) for a in argv], process.returncode, decode(out) if text else out,
                        decode(err), None)
        if verdict and os.path.exists(self.path("verdict.json")):
            with open(self.path("verdict.json")) as f:
                content = f.read()
            result.verdict = json.loads(content) if content else None
            if content:
                self.assertEqual(schema.verdict_errors(result.verdict), [], "\n%s" % result)
        return result

    def start(self, *args, sandbox=True, verdict=False, prefix=(), **popen):
        """Starts it and returns the process, which the test's end kills if need be."""
        popen.setdefault("stdin", subprocess.DEVNULL)
        popen.setdefault("stdout", subprocess.PIPE)
        popen.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen(list(prefix) + self.argv(*args, sandbox=sandbox, verdict=verdict), cwd=self.tmp,
                                   **popen)

        def end():
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    try:
                        stream.close()
                    except OSError:
                        pass

        self.addCleanup(end)
        return process

    def task(self, code, *args, opts=(), **kw):
        """Runs a script of this text: quiet, with options before it and arguments after it."""
        path = self.write("task.py", code)
        return self.run_capsule("-q", *opts, path, *args, **kw)

    def check(self, result, status=0):
        self.assertEqual(result.status, status, "\n%s" % result)
        return result

    def check_task(self, code, *args, status=0, **kw):
        return self.check(self.task(code, *args, **kw), status)

    def says(self, code, expected, *args, **kw):
        """The script prints exactly this (and a line's end)."""
        result = self.check_task(code, *args, **kw)
        self.assertEqual(result.out, expected + "\n", "\n%s" % result)
        return result

    def refused(self, result, *words, status=125):
        """capsule-run said no, and its message has these words."""
        self.check(result, status)
        self.assertTrue(result.err.startswith("capsule-run: "), result.err)
        for word in words:
            self.assertIn(word, result.err)
        return result


def run_with_empty_tmp(case, *args, setup=None, **kw):
    """Runs capsule-run with its default directory, where /tmp is an empty file system of its own.

    setup() is called with /tmp in place. The host's /tmp/agent_sandbox is neither used nor touched.
    """
    binary = shutil.copy(CAPSULE_RUN, case.path("capsule-run"))
    os.chmod(binary, 0o755)

    def enter():
        os.chdir(case.tmp)
        private_mounts()
        mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777")
        if setup is not None:
            setup()

    argv = ["./capsule-run"] + list(args)
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          preexec_fn=enter, timeout=PATIENCE, **kw)
    return Result(argv, done.returncode, decode(done.stdout), decode(done.stderr), None)
