"""What the modules of tests/vm share."""
import os
import subprocess
import unittest

import cells
import harness

WHO = os.environ.get("CAPSULE_VM", "")
SLEEP = "print('ready', flush=True); import time; time.sleep(1000)"
HOG = "x = []\nwhile True: x.append(b'x' * (1 << 20))"


def need_guest():
    if not WHO:
        raise unittest.SkipTest("for tests/vm/run")


def only(*names):
    """In these cells; in the others there is no such test, which is no skip."""
    return lambda item: item if WHO in names else None


def run(*argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=harness.PATIENCE)


class Case(harness.Case):
    def result(self, argv, **kw):
        """Any program, as capsule-run's own results are."""
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=harness.PATIENCE, **kw)
        return harness.Result([str(a) for a in argv], done.returncode, done.stdout, done.stderr, None)

    def in_login(self, *args, prefix=(), user=cells.USER):
        """capsule-run in a login session of an ordinary user's, with an empty directory."""
        return self.result(list(prefix) + cells.login(user)([harness.CAPSULE_RUN, *args]))
