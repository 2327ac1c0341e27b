"""A cgroup rung never holds more than --ram, whatever the memory is that a task takes: what the kernel counted at most is
within a twentieth of it."""
import unittest

import cells
import harness
from guestcase import WHO, Case, need_guest

LIMIT = 64 << 20
FILL = """
import fcntl, mmap, os, socket, sys, time
MB = bytes(range(256)) * 4096
def heap():
    held = []
    while True: held.append(MB + b"x")
def mapped():
    held = mmap.mmap(-1, 400 << 20)
    for at in range(0, len(held), 4096): held[at] = 1
def memory_file():
    fd = os.memfd_create("x")
    while True: os.write(fd, MB)
def shared_memory():
    with open("/dev/shm/x", "wb", buffering=0) as f:
        while True: f.write(MB)
def fresh_directory():
    with open("x", "wb", buffering=0) as f:
        while True: f.write(MB)
def page_cache():
    with open("x", "wb", buffering=0) as f:
        for _ in range(200): f.write(MB)
    for _ in range(2):
        with open("x", "rb", buffering=0) as f:
            while f.read(1 << 20): pass
def sockets():
    held = []
    try:
        while True:
            pair = socket.socketpair()
            held.append(pair)
            for end in pair:
                end.setblocking(False)
                try:
                    while True: end.send(MB[:200000])
                except BlockingIOError: pass
    except OSError: pass
def pipes():
    held = []
    try:
        while True:
            pair = os.pipe2(os.O_NONBLOCK)
            held.append(pair)
            fcntl.fcntl(pair[1], 1031, 1 << 20)
            try:
                while True: os.write(pair[1], MB[:65536])
            except BlockingIOError: pass
    except OSError: pass
def processes():
    for _ in range(40):
        if os.fork() == 0:
            held = MB * 8
            time.sleep(1000)
    time.sleep(1000)
globals()[sys.argv[1]]()
"""
# What must end by the limit; the others may go on within it.
BOUND = ("heap", "mapped", "memory_file", "shared_memory", "fresh_directory", "processes")
WITHIN = ("page_cache", "sockets", "pipes")


def setUpModule():
    need_guest()


class Peak(Case):
    def fill(self, kind, sandbox=True):
        path = self.write("fill.py", FILL)
        where = [] if sandbox else ["--fresh"]
        result = self.run_capsule("-q", "--ram", "64M", "--pids", "60", "--grace", "0", *where, path, kind, verdict=True,
                                  sandbox=sandbox)
        self.assertEqual(result.verdict["limits"]["ram"]["rung"], cells.CELLS[WHO].rung)
        peak = result.verdict["usage"]["memory_peak_bytes"]
        self.assertIsNotNone(peak, result)
        self.assertLessEqual(peak, LIMIT * 1.05, result)
        # A probe that took less would show nothing.
        self.assertGreater(peak, LIMIT * 0.8, result)
        return result


def fills(kind, ends):
    def test(self):
        result = self.fill(kind, sandbox=kind != "fresh_directory")
        if ends or result.status != 0:
            self.check(result, 137)
            self.assertEqual((result.verdict["outcome"], harness.hits(result.verdict)), ("oom", ["ram"]))

    return test


if WHO and cells.CELLS[WHO].rung != "watchdog":
    for name in BOUND + WITHIN:
        setattr(Peak, "test_" + name, fills(name, name in BOUND))


if __name__ == "__main__":
    unittest.main()
