#!/usr/bin/env python3
"""The driver behind `make check`.

Runs unit tests and fuzz corpora (cmocka programs that speak TAP), checks (executables: exit status 0 passes,
77 skips), and the functional and escape suites (unittest modules that drive the built capsule-run). As root the
two last run twice: as root and as an ordinary user, from a copy that this user can read.

Skips are counted and named; with CAPSULE_MUST_RUN=1 a skip is a failure. The last line is always
`N passed, N failed, N skipped`; the exit status is 1 when something failed or nothing ran.
"""
import argparse
import concurrent.futures
import glob
import importlib.util
import json
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import unittest

SUITES = ("unit", "functional", "escape", "checks", "fuzz")
HERE = os.path.dirname(os.path.abspath(__file__))
# Hang protection, not a measurement: no module comes near it, unless it is asked for more rounds than usual.
MODULE_TIMEOUT = 900 * max(1, int(os.environ.get("CAPSULE_ROUNDS", "30")) // 30)
PASS, FAIL, SKIP = "pass", "fail", "skip"
# A machine that is too slow for a moment fails a test or two. So few are looked at again, alone, that many times,
# and each failure counts; what passes is named all the same.
SECOND_LOOKS, SECOND_LOOK_TESTS = 3, 3


class Outcome:
    """One test that has ended."""

    def __init__(self, name, kind, text=""):
        self.name, self.kind, self.text = name, kind, text
        self.unsteady = False


# ---------------------------------------------------------------------------------------------------------------
# The worker: one unittest module in a process of its own, one JSON line for each test that ended.


class StreamResult(unittest.TestResult):
    def __init__(self, out):
        super().__init__()
        self.out = out
        self.bad = {}

    def emit(self, **event):
        self.out.write(json.dumps(event) + "\n")
        self.out.flush()

    def note(self, test, text):
        self.bad.setdefault(test.id(), []).append(text)

    def startTest(self, test):
        super().startTest(test)
        self.skip_reason = None
        self.emit(event="start", name=test.id())

    def addError(self, test, err):
        self.note(test, "".join(traceback.format_exception(*err)))
        if not isinstance(test, unittest.TestCase):  # setUpClass, tearDownModule, import
            self.emit(event=FAIL, name=test.id(), text="\n".join(self.bad.pop(test.id())))

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(test, "%s\n%s" % (subtest._subDescription(), "".join(traceback.format_exception(*err))))

    def addSkip(self, test, reason):
        if not isinstance(test, unittest.TestCase):  # setUpClass, setUpModule
            self.emit(event=SKIP, name=test.id(), text=reason)
        self.skip_reason = reason

    def addExpectedFailure(self, test, err):
        pass

    def addUnexpectedSuccess(self, test):
        self.note(test, "was expected to fail, and passed\n")

    def stopTest(self, test):
        super().stopTest(test)
        bad = self.bad.pop(test.id(), None)
        if bad:
            self.emit(event=FAIL, name=test.id(), text="\n".join(bad))
        elif self.skip_reason is not None:
            self.emit(event=SKIP, name=test.id(), text=self.skip_reason)
        else:
            self.emit(event=PASS, name=test.id())


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def worker(path, pattern):
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a test prints goes with the noise
    tests = os.path.dirname(os.path.dirname(path))
    # Beside the module's own directory.
    sys.path[:0] = [os.path.dirname(path)] + [os.path.join(tests, suite) for suite in ("functional", "escape")]
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    result = StreamResult(out)
    try:
        if name.startswith("probes_"):
            import escape
            module.Probes = escape.suite_of(path)
        else:
            spec.loader.exec_module(module)
    except unittest.SkipTest as skip:
        result.emit(event=SKIP, name=name, text=str(skip))
        result.emit(event="end")
        return
    except Exception:
        result.emit(event=FAIL, name=name, text=traceback.format_exc())
        result.emit(event="end")
        return
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    suite = unittest.TestSuite(t for t in flatten(suite) if fits(t) and (not pattern or matches(pattern, t.id())))
    suite.run(result)
    result.emit(event="end")


def fits(test):
    """False for a test that is for the other user, when the suite runs for both."""
    if os.environ.get("CAPSULE_BOTH_USERS") != "1":
        return True
    method = getattr(test, test._testMethodName, None)
    wanted = getattr(method, "capsule_root", getattr(type(test), "capsule_root", None))
    return wanted is None or wanted == (os.getuid() == 0)


def matches(pattern, name):
    return pattern in name or re.search(pattern, name) is not None


# ---------------------------------------------------------------------------------------------------------------
# The driver.


class Job:
    """A program to run: a unittest module as one user, a TAP program, or a check."""

    def __init__(self, title, argv, env, kind, alone=False):
        self.title, self.argv, self.env, self.kind, self.alone = title, argv, env, kind, alone

    def run(self):
        start = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self.env,
                                       start_new_session=True)
            try:
                status = process.wait(MODULE_TIMEOUT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                status = "no end after %d s" % MODULE_TIMEOUT
            out.seek(0)
            err.seek(0)
            text = out.read().decode("utf-8", "replace")
            noise = err.read().decode("utf-8", "replace")
        outcomes = {"unittest": self.read_events, "tap": self.read_tap, "check": self.read_status}[self.kind](
            text, noise, status)
        return outcomes, time.monotonic() - start

    def passes_alone(self, name):
        """Whether that test of the module passes each time when nothing runs beside it."""
        argv = self.argv[:self.argv.index("-k")] if "-k" in self.argv else self.argv
        one = Job(self.title, argv + ["-k", "^%s$" % re.escape(name)], self.env, self.kind)
        for _ in range(SECOND_LOOKS):
            outcomes, _ = one.run()
            if [(o.name, o.kind) for o in outcomes] != [(name, PASS)]:
                return False
        return True

    def read_events(self, text, noise, status):
        outcomes, running, ended = [], None, False
        for line in text.splitlines():
            event = json.loads(line)
            if event["event"] == "start":
                running = event["name"]
            elif event["event"] == "end":
                ended = True
            else:
                running = None
                outcomes.append(Outcome(event["name"], event["event"], event.get("text", "")))
        if not ended:
            outcomes.append(Outcome(running or self.title, FAIL, "the module ended early (%s)\n%s" % (
                describe(status), noise)))
        return outcomes

    def read_tap(self, text, noise, status):
        outcomes, detail, planned = [], [], 0
        for line in text.splitlines():
            plan = re.match(r"1\.\.(\d+)", line)
            point = re.match(r"(not )?ok\b\s*(\d*)\s*-?\s*(.*)", line)
            if plan:
                planned += int(plan[1])
            elif point:
                skip = re.search(r"#\s*SKIP\b\s*(.*)", point[3], re.I)
                name = re.sub(r"\s*#\s*(SKIP|TODO)\b.*", "", point[3], flags=re.I) or (skip[1] if skip else point[2])
                kind = SKIP if skip else FAIL if point[1] else PASS
                outcomes.append(Outcome(name, kind, "\n".join(detail)))
                detail = []
            else:
                detail.append(line)
                if point is None and outcomes and outcomes[-1].kind == FAIL:
                    outcomes[-1].text += "\n" + line
        if not outcomes and not planned:
            return self.read_status(text, noise, status)
        if len(outcomes) < planned:
            outcomes.append(Outcome(self.title, FAIL, "%d of %d tests ran\n%s" % (len(outcomes), planned, noise)))
        if status != 0 and not any(o.kind == FAIL for o in outcomes):
            outcomes.append(Outcome(self.title, FAIL, "%s\n%s%s" % (describe(status), text[-4000:], noise)))
        for o in outcomes:
            if o.kind == FAIL and noise and noise not in o.text:
                o.text += "\n" + noise[-8000:]
        return outcomes

    def read_status(self, text, noise, status):
        if status == 0:
            return [Outcome(self.title, PASS)]
        if status == 77:
            return [Outcome(self.title, SKIP, (text + noise).strip().splitlines()[-1] if text + noise else "77")]
        return [Outcome(self.title, FAIL, "%s\n%s%s" % (describe(status), text, noise))]


def describe(status):
    if isinstance(status, int) and status < 0:
        return "killed by %s" % signal.Signals(-status).name
    return "exit status %s" % status if isinstance(status, int) else status


def programs(pattern):
    for path in sorted(glob.glob(pattern)):
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode) and mode & 0o111 and "." not in os.path.basename(path):
            yield path


def unused_uid():
    """An ordinary uid that no account and no process has."""
    busy = {entry.pw_uid for entry in pwd.getpwall()}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            busy.add(os.stat("/proc/" + pid).st_uid)
        except OSError:
            pass
    return next(uid for uid in range(64900, 64999) if uid not in busy)


def can_run(argv):
    try:
        return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def as_user(uid):
    # env: setpriv itself still has capabilities when it looks up what it runs.
    return ["setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, "--clear-groups", "env"]


def user_python(prefix):
    """An interpreter that the ordinary user can run; root's own may lie in root's home."""
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        if can_run(prefix + [python, "-c", "import json, unittest, ssl, sqlite3, ctypes"]):
            return python
    return None


def unittest_jobs(suite, args, stage, failures):
    """The modules of a suite for each user. stage is the directory with the copies."""
    modules = sorted(glob.glob(os.path.join(stage, "tests", suite, "test_*.py")) +
                     glob.glob(os.path.join(stage, "tests", suite, "probes_*.py")))
    env = dict(os.environ, CAPSULE_RUN=os.path.join(stage, "capsule-run"), PYTHONDONTWRITEBYTECODE="1")
    users = [("root" if os.getuid() == 0 else "user", [], sys.executable, env)]
    if os.getuid() == 0:
        uid = unused_uid()
        home = os.path.join(stage, "home")
        os.makedirs(home, exist_ok=True)
        os.chown(home, uid, uid)
        prefix = as_user(uid)
        python = user_python(prefix)
        user_env = dict(env, HOME=home, USER="tester", LOGNAME="tester", TMPDIR="/tmp",
                        PATH="/usr/local/bin:/usr/bin:/bin")
        user_env.pop("XDG_RUNTIME_DIR", None)
        if python is None:
            failures.append(Outcome("%s as an ordinary user" % suite, SKIP,
                                    "setpriv or a Python that an ordinary user can run is missing"))
        else:
            users.append(("user", prefix, python, user_env))
            env["CAPSULE_BOTH_USERS"] = user_env["CAPSULE_BOTH_USERS"] = "1"
    for path in modules:
        name = os.path.splitext(os.path.basename(path))[0].split("_", 1)[1]
        with open(path) as f:
            alone = re.search(r"^SERIAL = True", f.read(), re.M) is not None
        for user, prefix, python, environment in users:
            argv = prefix + [python, os.path.join(stage, "tests", "run.py"), "--worker", path]
            if args.pattern:
                argv += ["-k", args.pattern]
            yield Job("%s/%s [%s]" % (suite, name, user), argv, environment, "unittest", alone)


def collect(args, stage, extra):
    env = dict(os.environ, BUILDDIR=args.builddir, SRCDIR=args.srcdir, CMOCKA_MESSAGE_OUTPUT="TAP",
               CAPSULE_RUN=os.path.join(args.builddir, "capsule-run"), PYTHONDONTWRITEBYTECODE="1")
    for suite in SUITES:
        if suite not in args.suites:
            continue
        if suite in ("functional", "escape"):
            yield from unittest_jobs(suite, args, stage, extra)
            continue
        pattern = {"unit": os.path.join(args.builddir, "tests", "unit", "test_*"),
                   "fuzz": os.path.join(args.builddir, "tests", "fuzz", "fuzz_*"),
                   "checks": os.path.join(args.srcdir, "tests", "checks", "*")}[suite]
        found = programs(pattern) if suite != "checks" else (
            p for p in sorted(glob.glob(pattern)) if os.path.isfile(p) and os.access(p, os.X_OK))
        for path in found:
            title = "%s/%s" % (suite, os.path.basename(path))
            # TAP programs have many tests; which of them fit is seen when they have run.
            if args.pattern and suite == "checks" and not matches(args.pattern, title):
                continue
            yield Job(title, [path], env, "check" if suite == "checks" else "tap")


def fill_stage(args, stage):
    """A copy of the tests and the program that every user can read, and that a rebuild does not disturb."""
    os.chmod(stage, 0o755)
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "*.mk")
    for suite in ("functional", "escape"):
        source = os.path.join(args.srcdir, "tests", suite)
        if os.path.isdir(source):
            shutil.copytree(source, os.path.join(stage, "tests", suite), ignore=ignore)
    shutil.copytree(os.path.join(args.srcdir, "completions"), os.path.join(stage, "completions"))
    shutil.copytree(os.path.join(args.srcdir, "doc"), os.path.join(stage, "doc"))
    shutil.copytree(os.path.join(args.srcdir, "examples"), os.path.join(stage, "examples"), ignore=ignore)
    shutil.copy(os.path.join(HERE, "run.py"), os.path.join(stage, "tests", "run.py"))
    shutil.copy(os.path.join(args.builddir, "capsule-run"), os.path.join(stage, "capsule-run"))
    for root, dirs, files in os.walk(stage):
        for name in dirs:
            os.chmod(os.path.join(root, name), 0o755)
        for name in files:
            path = os.path.join(root, name)
            os.chmod(path, 0o755 if os.access(path, os.X_OK) else 0o644)


class Progress:
    def __init__(self, args):
        self.args = args
        self.lock = threading.Lock()
        self.outcomes = []
        self.must_run = os.environ.get("CAPSULE_MUST_RUN") == "1"

    def add(self, title, outcomes, seconds=None):
        counts = {PASS: 0, FAIL: 0, SKIP: 0}
        for o in outcomes:
            if o.kind == SKIP and self.must_run:
                o.kind, o.text = FAIL, "skipped, and CAPSULE_MUST_RUN=1: " + o.text
            o.title = title
            counts[o.kind] += 1
        with self.lock:
            self.outcomes += outcomes
            if seconds is not None and outcomes:
                print("%-44s %4d passed, %d failed, %d skipped  %6.1f s" % (
                    title, counts[PASS], counts[FAIL], counts[SKIP], seconds))
            for o in outcomes:
                if self.args.verbose or o.kind == FAIL:
                    print("  %s %s" % (o.kind, o.name))
            sys.stdout.flush()

    def finish(self):
        failed = [o for o in self.outcomes if o.kind == FAIL]
        skipped = [o for o in self.outcomes if o.kind == SKIP]
        reasons = {}
        for o in skipped:
            reasons.setdefault(o.text.strip().splitlines()[-1] if o.text.strip() else "no reason given", []).append(o)
        if skipped:
            print("\nSkipped:")
        for reason, group in sorted(reasons.items()):
            print("  %s" % reason)
            for o in group:
                print("    %s: %s" % (o.title, o.name))
        for o in self.outcomes:
            if o.unsteady:
                print("\n%s\nUnsteady, failed once and passed %d times alone: %s: %s\n%s" % (
                    "=" * 78, SECOND_LOOKS, o.title, o.name, o.text.rstrip()))
        for o in failed:
            print("\n%s\nFAIL: %s: %s\n%s" % ("=" * 78, o.title, o.name, o.text.rstrip()))
        print()
        passed = len(self.outcomes) - len(failed) - len(skipped)
        if not self.outcomes:
            print("nothing ran")
        print("%d passed, %d failed, %d skipped" % (passed, len(failed), len(skipped)), flush=True)
        return 1 if failed or passed + len(skipped) == 0 else 0


def run_jobs(jobs, progress, workers, pattern):
    def one(job):
        try:
            outcomes, seconds = job.run()
        except Exception:
            outcomes, seconds = [Outcome(job.title, FAIL, traceback.format_exc())], 0
        if pattern and job.kind == "tap":
            outcomes = [o for o in outcomes if matches(pattern, "%s %s" % (job.title, o.name)) or o.kind == FAIL]
        progress.add(job.title, outcomes, seconds)

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, [j for j in jobs if not j.alone]))
    for job in jobs:
        if job.alone:
            one(job)
    failed = [o for o in progress.outcomes if o.kind == FAIL]
    by_title = {job.title: job for job in jobs if job.kind == "unittest"}
    if len(failed) <= SECOND_LOOK_TESTS and all(o.title in by_title for o in failed):
        for o in failed:
            print("  again, alone: %s %s" % (o.title, o.name), flush=True)
            if by_title[o.title].passes_alone(o.name):
                o.kind, o.unsteady = PASS, True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], allow_abbrev=False)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="%s; default: all" % ", ".join(SUITES))
    parser.add_argument("--builddir", default=".")
    parser.add_argument("--srcdir", default=os.path.dirname(HERE))
    parser.add_argument("-k", dest="pattern", help="run only the tests whose names contain or match this")
    parser.add_argument("-j", dest="workers", type=int, default=2, help="modules at once [2]")
    parser.add_argument("-v", dest="verbose", action="store_true", help="a line for each test")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return worker(args.worker, args.pattern)
    for suite in args.suites:
        if suite not in SUITES:
            parser.error("no suite is named %s; there are %s" % (suite, ", ".join(SUITES)))
    args.suites = args.suites or list(SUITES)
    args.builddir, args.srcdir = os.path.abspath(args.builddir), os.path.abspath(args.srcdir)
    progress = Progress(args)
    stage, extra = None, []
    try:
        if set(args.suites) & {"functional", "escape"}:
            stage = tempfile.mkdtemp(prefix="capsule-check.", dir="/tmp")
            fill_stage(args, stage)
        jobs = list(collect(args, stage, extra))
        if extra:
            progress.add("driver", extra)
        run_jobs(jobs, progress, args.workers, args.pattern)
    except OSError as error:
        progress.add("driver", [Outcome("prepare", FAIL, str(error))])
    finally:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)
    return progress.finish()


if __name__ == "__main__":
    sys.exit(main())
