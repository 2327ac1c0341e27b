"""Inside of tests/vm/run's guest, as root: runs modules or a command as each kind of user, and says how it ended.

Also read by tests/vm/run on the host, for the names.
"""
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time

USER = "tester"
END = "capsule-vm: end"
# Emulated processors are slow; these are hang protection.
PATIENCE = 600
MODULE_TIMEOUT = 3600


class User:
    def __init__(self, help, wrap):
        self.help, self.wrap = help, wrap


def login(name):
    """A login session by PAM, as ssh's or a terminal's: a scope of its own, and for a user his user manager."""
    return lambda argv: ["su", "-l", name, "-c", shlex.join(argv)]


def service(argv):
    """A service of the user's manager, to which a cgroup is delegated."""
    return login(USER)(["systemd-run", "--user", "--quiet", "--wait", "--pipe", "--collect", "-p", "Delegate=yes"] + argv)


USERS = {
    "user": User("an ordinary user in a login session", login(USER)),
    "root": User("root in a login session", login("root")),
    "service": User("an ordinary user's service with Delegate=yes", service),
    "system": User("root in a system service, without a session", lambda argv: argv),
    "nobody": User("an ordinary user without a session or user manager",
                   lambda argv: ["setpriv", "--reuid=65000", "--regid=65000", "--clear-groups"] + argv),
}


def environment(name, stage):
    return {"CAPSULE_RUN": os.path.join(stage, "capsule-run"), "CAPSULE_VM": name, "CAPSULE_PATIENCE": str(PATIENCE),
            "PYTHONDONTWRITEBYTECODE": "1", "CAPSULE_BOTH_USERS": "1",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def wrapped(name, argv, stage):
    return USERS[name].wrap(["env"] + ["%s=%s" % item for item in environment(name, stage).items()] + argv)


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


def run_modules(plan, stage):
    sys.path.insert(0, os.path.join(stage, "tests"))
    import run

    class Args:
        verbose, pattern = False, plan["pattern"]

    if plan["must_run"]:
        os.environ["CAPSULE_MUST_RUN"] = "1"
    progress = run.Progress(Args)
    job = make_job(run, plan["verbose"])
    modules = plan["modules"] or ["vm/" + name[:-3] for name in sorted(os.listdir(os.path.join(stage, "tests", "vm")))
                                  if name.startswith("test_")] + ["functional/test_limits", "functional/test_leftovers"]
    jobs = []
    for module in modules:
        for name in plan["as"]:
            argv = ["/usr/bin/python3", os.path.join(stage, "tests", "run.py"), "--worker",
                    os.path.join(stage, "tests", module + ".py")]
            argv += ["-k", plan["pattern"]] if plan["pattern"] else []
            jobs.append(job("%s [%s]" % (module, name), wrapped(name, argv, stage), None, "unittest", True))
    run.run_jobs(jobs, progress, 1, plan["pattern"])
    return progress.finish()


def main():
    stage = sys.argv[1]
    with open(os.path.join(stage, "plan.json")) as f:
        plan = json.load(f)
    status = 1
    try:
        if plan["command"]:
            for name in plan["as"]:
                status = subprocess.run(wrapped(name, plan["command"], stage), stdin=subprocess.DEVNULL).returncode
                status = 128 - status if status < 0 else status
        else:
            status = run_modules(plan, stage)
    finally:
        print("%s %d" % (END, status), flush=True)


if __name__ == "__main__":
    main()
