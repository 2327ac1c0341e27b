"""A terminal to run things on: what a person would see and type, with the standard library alone."""
import fcntl
import os
import re
import select
import signal
import struct
import termios
import time

import harness

ECHO_AND_LINES = termios.ECHO | termios.ICANON | termios.ISIG


class Terminal:
    """A pseudo-terminal and the leader of its session: argv, or a function.

    on: which of 0, 1 and 2 are the terminal; files: what the others are instead ({0: file}). The rest is
    /dev/null. controlling=False: the program's session has another terminal or none.
    """

    def __init__(self, case, argv, on=(0, 1, 2), files=None, env=None, size=(24, 80), controlling=True, cwd=None):
        self.case = case
        self.text = b""  # all that was shown
        self.seen = 0  # how much of it was expected
        self.status = None
        self.fd, self.slave = os.openpty()
        os.set_inheritable(self.fd, False)
        self.resize(*size)
        self.before = self.modes()
        env = {**os.environ, "TERM": "xterm", "TERMINAL_NAME": os.ttyname(self.slave), **(env or {})}
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                if controlling:
                    fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
                null = os.open(os.devnull, os.O_RDWR)
                for fd in (0, 1, 2):
                    os.dup2(self.slave if fd in on else (files or {}).get(fd, null), fd)
                os.closerange(3, 200)
                os.chdir(cwd or case.tmp)
                if callable(argv):
                    argv()
                os.execvpe(argv[0], argv, env)
            finally:
                os._exit(99)
        case.addCleanup(self.end)

    def end(self):
        if self.status is None:
            # Its jobs are groups of their own; they go with the terminal.
            os.close(self.fd)
            self.close_slave()
            self.fd = -1
            end = time.monotonic() + 5
            while self.wait(False) is None and time.monotonic() < end:
                time.sleep(0.01)
            if self.status is None:
                os.kill(self.pid, signal.SIGKILL)
                self.wait()
        if self.fd >= 0:
            os.close(self.fd)
        self.close_slave()

    def close_slave(self):
        if self.slave >= 0:
            os.close(self.slave)
        self.slave = -1

    def modes(self):
        return termios.tcgetattr(self.slave)

    def local_modes(self):
        return self.modes()[3] & ECHO_AND_LINES

    def is_untouched(self):
        return self.modes() == self.before

    def is_raw(self):
        return self.local_modes() == 0

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        """Takes what is shown within that time. False when nothing came, or nothing more can come."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.text += data
        return bool(data)

    def expect(self, pattern):
        """Waits until it is shown, after what was expected before. Returns the match."""
        pattern = pattern.encode() if isinstance(pattern, str) else pattern
        end = time.monotonic() + harness.PATIENCE
        while True:
            match = re.search(pattern, self.text[self.seen:], re.S)
            if match:
                self.seen += match.end()
                return match
            if time.monotonic() > end:
                self.case.fail("was not shown: %r\nin %r\nbefore: %r" % (pattern, self.text[self.seen:], self.text[:self.seen]))
            if not self.read(0.2) and self.wait(False) is not None and not self.read(0):
                self.case.fail("was not shown before the end: %r\nin %r\nbefore: %r" % (
                    pattern, self.text[self.seen:], self.text[:self.seen]))

    def send(self, text):
        os.write(self.fd, text.encode() if isinstance(text, str) else text)

    def until(self, condition, what):
        """Waits for a state of the terminal, reading what is shown meanwhile."""
        end = time.monotonic() + harness.PATIENCE
        while not condition():
            if time.monotonic() > end:
                self.case.fail("did not come about: %s\nshown: %r" % (what, self.text))
            self.read(0.02)

    def until_raw(self):
        self.until(self.is_raw, "raw mode")

    def wait(self, block=True):
        """How the program ended, as a shell would say; None when it has not."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, 0 if block else os.WNOHANG)
            if pid == self.pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def finish(self, status=0):
        """Waits for the end, and returns all that was shown."""
        end = time.monotonic() + harness.PATIENCE
        while self.wait(False) is None:
            if time.monotonic() > end:
                self.case.fail("does not end; shown: %r" % self.text)
            self.read(0.05)
        while self.read(0):
            pass
        if status is not None:
            self.case.assertEqual(self.status, status, "shown: %r" % self.text)
        return self.text
