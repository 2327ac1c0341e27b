"""Inside of tests/vm/run's guest, as root: installs the program, runs modules or a command in each cell, and says how it
ended. Also read by tests/vm/run on the host, for the names.
"""
import glob
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

from cells import CELLS

END = "capsule-vm: end"
# Emulated processors are slow; these are hang protection.
PATIENCE = 600
MODULE_TIMEOUT = 3600


def install(stage):
    """The package, or what `make install` laid out; the path of the program."""
    packages = glob.glob(os.path.join(stage, "*.deb"))
    if packages:
        subprocess.run(["dpkg", "--install"] + packages, check=True, stdout=subprocess.DEVNULL)
        return "/usr/bin/capsule-run"
    tree = os.path.join(stage, "install")
    subprocess.run(["cp", "-R", tree + "/.", "/"], check=True)
    return next(os.path.join("/", os.path.relpath(root, tree), "capsule-run") for root, _, files in os.walk(tree)
                if os.path.basename(root) == "bin" and "capsule-run" in files)


def wrapped(name, argv, program):
    environment = {"CAPSULE_RUN": program, "CAPSULE_VM": name, "CAPSULE_PATIENCE": str(PATIENCE),
                   "PYTHONDONTWRITEBYTECODE": "1", "CAPSULE_BOTH_USERS": "1",
                   "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    return CELLS[name].wrap(["env"] + ["%s=%s" % item for item in environment.items()] + argv)


def make_job(run, verbose):
    class Job(run.Job):
        """Says what has ended as it ends: in here everything takes its time."""

        def run(self):
            start = time.monotonic()
            with tempfile.TemporaryFile() as err:
                process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err,
                                           start_new_session=True, text=True)
                limit = threading.Timer(MODULE_TIMEOUT, os.killpg, (process.pid, signal.SIGKILL))
                limit.start()
                lines = []
                for line in process.stdout:
                    event = json.loads(line)
                    if event["event"] == "fail" or verbose and event["event"] in ("pass", "skip"):
                        print("  %5.0f s %s %s" % (time.monotonic() - start, event["event"], event["name"]), flush=True)
                    lines.append(line)
                status = process.wait()
                limit.cancel()
                err.seek(0)
                noise = err.read().decode("utf-8", "replace")
            return self.read_events("".join(lines), noise, status), time.monotonic() - start

    return Job


def expand(modules, stage):
    """vm, functional and escape stand for all that is in them."""
    for module in modules:
        if "/" in module:
            yield module
            continue
        for path in sorted(glob.glob(os.path.join(stage, "tests", module, "*.py"))):
            if os.path.basename(path).startswith(("test_", "probes_")):
                yield "%s/%s" % (module, os.path.basename(path)[:-3])


class Matrix:
    """What was seen in each cell, as the rows of a table."""

    def __init__(self, program):
        self.program, self.rows = program, {}

    def look(self, name):
        """The verdict of a plain run there: which rung holds what."""
        done = subprocess.run(wrapped(name, ["sh", "-c", "cd /tmp && exec \"$@\"", "sh", self.program, "--fresh", "--json",
                                             "--cpu-time", "1h", "-c", "pass"], self.program),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            limits = json.loads(done.stdout)["verdict"]["limits"]
            self.rows[name] = [limits[limit]["rung"] for limit in ("ram", "pids", "cpu-time")]
        except (ValueError, KeyError, TypeError):
            self.rows[name] = ["-"] * 3
            print("%s: no verdict: %s%s" % (name, done.stdout, done.stderr), flush=True)

    def write(self, outcomes):
        print("\n| kernel | who | ram | pids | cpu-time | tests |\n|---|---|---|---|---|---|")
        for name, rungs in self.rows.items():
            ended = [o.kind for o in outcomes if o.title.endswith("[%s]" % name)]
            tests = ", ".join("%d %s" % (ended.count(kind), kind) for kind in ("pass", "fail", "skip") if kind in ended)
            print("| %s | %s | %s | %s |" % (os.uname().release, CELLS[name].help, " | ".join(rungs), tests))


def run_modules(plan, stage, program):
    sys.path.insert(0, os.path.join(stage, "tests"))
    import run

    class Args:
        verbose, pattern = False, plan["pattern"]

    if plan["must_run"]:
        os.environ["CAPSULE_MUST_RUN"] = "1"
    progress = run.Progress(Args)
    matrix = Matrix(program)
    job = make_job(run, plan["verbose"])
    for name in plan["cells"]:
        try:
            CELLS[name].prepare()
        except (OSError, subprocess.CalledProcessError) as error:
            progress.add("prepare [%s]" % name, [run.Outcome(name, run.FAIL, str(error))])
            continue
        matrix.look(name)
        jobs = []
        for module in expand(plan["modules"], stage):
            argv = ["/usr/bin/python3", os.path.join(stage, "tests", "run.py"), "--worker",
                    os.path.join(stage, "tests", module + ".py")]
            argv += ["-k", plan["pattern"]] if plan["pattern"] else []
            jobs.append(job("%s [%s]" % (module, name), wrapped(name, argv, program), None, "unittest", True))
        run.run_jobs(jobs, progress, 1, plan["pattern"])
    matrix.write(progress.outcomes)
    return progress.finish()


def run_command(plan, program):
    for name in plan["cells"]:
        CELLS[name].prepare()
        status = subprocess.run(wrapped(name, plan["command"], program), stdin=subprocess.DEVNULL).returncode
    return 128 - status if status < 0 else status


def main():
    stage = sys.argv[1]
    with open(os.path.join(stage, "plan.json")) as f:
        plan = json.load(f)
    status = 1
    try:
        program = install(stage)
        status = run_command(plan, program) if plan["command"] else run_modules(plan, stage, program)
    finally:
        print("%s %d" % (END, status), flush=True)


if __name__ == "__main__":
    main()
