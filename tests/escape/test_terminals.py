"""A hostile task at the caller's terminal: it may not type there, nor act on it, nor make it answer.

Each probe runs outside first, where it must succeed.
"""
import json
import os
import select
import shlex
import sys
import time
import unittest

import harness
from pseudoterminal import Terminal

# Types a line into its terminal, by whatever name; NAME is the caller's. No others: root could type into those of
# strangers.
TYPE = r"""
import ctypes, errno, os, termios
libc = ctypes.CDLL(None, use_errno=True)
said = set()
places = [0, 1, 2]
for path in ("/dev/tty", "/dev/stdin", "/dev/stdout", NAME):
    try:
        places.append(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError:
        pass
for fd in places:
    for request in REQUESTS:
        for byte in b"evil\n" if request & 0xffff == termios.TIOCSTI else b"\x02":
            done = libc.ioctl(fd, ctypes.c_ulong(request), bytes([byte])) == 0
            said.add("typed" if done else errno.errorcode[ctypes.get_errno()])
print("SAID:", *sorted(said))
"""

# Changes the modes of its terminal, likewise.
MODES = r"""
import os, termios
for path in ("/dev/tty", "/dev/stdin", NAME):
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        modes = termios.tcgetattr(fd)
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(fd, termios.TCSANOW, modes)
    except OSError:
        pass
print("SAID: done")
"""


# Stops itself, has itself continued by timers, and works on. A stop may take a timer's signal away: many are set anew.
WAKES = r"""
import ctypes, os, signal, struct, time
create, start = (222, 223) if os.uname().machine == "x86_64" else (107, 110)
libc = ctypes.CDLL(None)
signal.signal(signal.SIGCONT, lambda *_: None)
timers = [ctypes.c_int(-1) for _ in range(100)]
for timer in timers:
    assert libc.syscall(create, 1, struct.pack("Qii48x", 0, signal.SIGCONT, 0), ctypes.byref(timer)) == 0
def set_timers(count, ns, step, every=0):
    for i in range(count):
        assert libc.syscall(start, timers[i], 0, struct.pack("qqqq", 0, every, 0, ns + i * step), None) == 0
set_timers(1, 300000000, 0)
beat = os.open("beat", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
os.kill(os.getpid(), signal.SIGTSTP)
while True:
    os.write(beat, b"x")
    WORK
"""


class Terminals(harness.Case):
    # The name is known when the terminal is there: the program gets it as a variable.
    NAMED = "import os; NAME = os.environ['TERMINAL_NAME']\n"

    def outside(self, code):
        return Terminal(self, [sys.executable, "-c", self.NAMED + code])

    def inside(self, code, *opts):
        return Terminal(self, self.argv("-q", "--env", "TERMINAL_NAME", *opts, "-c", self.NAMED + code))

    def waits(self, terminal):
        """What the next program at the terminal would read."""
        found = b""
        while select.select([terminal.slave], [], [], 0.3)[0]:
            found += os.read(terminal.slave, 1000)
        return found

    def said(self, terminal):
        terminal.expect("SAID: ")
        return set(terminal.expect("(.*?)\r\n").group(1).decode().split())

    def test_typing(self):
        # The kernel looks at 32 bits of the request, and so must the filter.
        code = "REQUESTS = [0x5412, 0x5412 | 1 << 32]\n" + TYPE
        control = self.outside(code)
        said = self.said(control)
        control.finish()
        # Since Linux 6.2 a host may refuse it to all but root.
        if "typed" in said:
            self.assertIn(b"evil\n", self.waits(control))
        elif harness.ROOT:
            self.fail("the control could not type: %s" % said)
        terminal = self.inside(code)
        self.assertEqual(self.said(terminal), {"EPERM"})
        terminal.finish()
        self.assertEqual(self.waits(terminal), b"")
        if "typed" not in said and os.environ.get("CAPSULE_BOTH_USERS") != "1":
            self.skipTest("its control needs root here")

    def test_console_requests(self):
        """TIOCLINUX pastes a selection. It is refused as a request, not for want of a console; TIOCSETD likewise."""
        code = "REQUESTS = [0x541c, 0x5423]\n" + TYPE
        control = self.outside(code)
        self.assertNotIn("EPERM", self.said(control) - {"typed"}, "the control meets the wall, too")
        terminal = self.inside(code)
        self.assertEqual(self.said(terminal), {"EPERM"})

    def test_modes(self):
        control = self.outside(MODES)
        control.finish()
        self.assertFalse(control.is_untouched())
        terminal = self.inside(MODES)
        terminal.finish()
        self.assertTrue(terminal.is_untouched())

    def test_clipboard_and_title(self):
        code = "import os; os.write(1, b'<\\033]52;c;ZXZpbA==\\007\\033]0;evil\\033\\\\\\302\\2352;evil\\302\\234>')"
        sent = b"<\033]52;c;ZXZpbA==\007\033]0;evil\033\\\302\2352;evil\302\234>"
        self.assertEqual(self.outside(code).finish(), sent)
        self.assertEqual(self.inside(code, "--raw-terminal").finish(), sent)
        self.assertEqual(self.inside(code).finish(), b"<>")

    def answering(self, terminal):
        """Plays a terminal that answers; True when it was asked."""
        asked = False
        while terminal.wait(False) is None:
            if not terminal.read(0.1):
                continue
            if b"\033[c" in terminal.text and not asked:
                terminal.send("\033[?64;1c\n")
                asked = True
        return asked

    def test_answers(self):
        """What the terminal answers would be typed input for whoever comes next."""
        code = "import os, time; os.write(1, b'\\033[c\\n'); time.sleep(1)"
        control = self.outside(code)
        self.assertTrue(self.answering(control))
        self.assertIn(b"\033[?64", self.waits(control))
        terminal = self.inside(code)
        self.assertFalse(self.answering(terminal))
        self.assertEqual(self.waits(terminal), b"")

    def shell(self):
        terminal = Terminal(self, [harness.need("bash"), "--norc", "--noprofile", "+o", "emacs", "-i"],
                            env={"PS1": "PROMPT> ", "HISTFILE": ""})
        terminal.expect("PROMPT> ")
        return terminal

    def test_stopping_the_caller(self):
        """An agent is not stopped by the task that it started."""
        agent = ("import os, sys\npid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=["
                 "(os.POSIX_SPAWN_OPEN, 0, '/dev/null', os.O_RDONLY, 0)])\n"
                 "stopped = os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])\nif stopped: os.kill(pid, 9)\n"
                 "print('agent' + ' lives', stopped)")

        def started_by_agent(*task):
            terminal = self.shell()
            terminal.send(shlex.join([sys.executable, self.write("agent.py", agent), *task]) + "\n")
            return terminal.expect(r"Stopped|agent lives \w+").group().decode()

        code = "import os, signal; os.kill(%s, signal.%s)"
        self.assertEqual(started_by_agent(sys.executable, "-c", code % ("0", "SIGTSTP")), "Stopped")
        for sig in ("SIGTSTP", "SIGTTIN", "SIGTTOU"):
            if sig != "SIGTSTP":
                code = "import os, signal, termios; termios.tcsetattr(1, 0, termios.tcgetattr(1)); os.kill(%s, signal.%s)"
            with self.subTest(sig):
                # What is stopped for input that it has gets its turn again: that stops nobody else.
                shown = "agent lives %s" % (sig == "SIGTSTP")
                self.assertEqual(started_by_agent(*self.argv("-q", "-c", code % ("os.getpid()", sig))), shown)

    def stopped(self, work, *program):
        """A job that wakes itself when it was stopped."""
        code = WAKES.replace("WORK", work) + "# " + self.dir
        terminal = self.shell()
        terminal.send(shlex.join([*program, "-c", code]).replace("\n", "'$'\\n''") + "\n")
        terminal.expect("Stopped")
        return terminal

    def grows(self, path):
        harness.wait_until(lambda: os.path.exists(path), path)
        size = os.path.getsize(path)
        time.sleep(1)
        return os.path.getsize(path) - size

    def test_going_on_while_stopped(self):
        """Nobody holds the limits of a task that goes on while capsule-run is stopped: the run ends."""
        work = "set_timers(100, 5000000, 1000000, 20000000)\n    end = time.monotonic() + 0.002\n    while time.monotonic() < end: pass"
        control = self.stopped(work, sys.executable)
        harness.wait_until(lambda: self.grows(self.path("beat")) > 20, "the control goes on")
        control.end()
        terminal = self.stopped(work, *self.argv("-q"))
        harness.wait_until(lambda: len(harness.marked_processes("# " + self.dir)) == 1, "the end of the task")
        terminal.send("fg; echo status $?\n")
        terminal.expect("went on while it was stopped")
        terminal.expect("status 125")

    def test_waking_while_stopped(self):
        """Who wakes now and then is stopped again, and goes on with the job."""
        work = "time.sleep(0.01)"
        self.stopped(work, sys.executable)
        harness.wait_until(lambda: self.grows(self.path("beat")) > 20, "the control goes on")
        terminal = self.stopped(work, *self.argv("-q"))
        beat = self.path("sandbox/beat")
        harness.wait_until(lambda: os.path.exists(beat), "the task woke")
        harness.wait_until(lambda: self.grows(beat) == 0, "the stop")
        self.assertEqual(sum(self.grows(beat) for _ in range(4)), 0)
        terminal.send("fg\n")
        harness.wait_until(lambda: self.grows(beat) > 20, "the task goes on")

    def test_ending_the_caller(self):
        """What a task makes of a letter does not act on who started it."""
        caller = "import subprocess, sys; subprocess.run(sys.argv[1:]); print('caller' + ' lives')"
        code = ("import os, signal, termios\na = termios.tcgetattr(0); a[6][termios.%s] = %r; "
                "termios.tcsetattr(0, termios.TCSANOW, a)\nsignal.signal(signal.%s, signal.SIG_IGN)\n"
                "print('[y/n]', flush=True); os.read(0, 10)")

        def answered(which, key, sig, typed):
            terminal = Terminal(self, [sys.executable, "-c", caller, *self.argv("-q", "-t", "20s", "-c", code % (which, key, sig))])
            terminal.expect("y/n")
            terminal.until_raw()
            terminal.send(typed)
            terminal.send("\n")
            terminal.finish(None)
            return terminal.status

        for which, key, sig in (("VQUIT", b"\x1c", "SIGQUIT"), ("VINTR", b"\x03", "SIGINT")):
            with self.subTest(which):
                self.assertNotEqual(answered(which, key, sig, key), 0)  # the caller's own key does
                self.assertEqual(answered(which, b"y", sig, "y"), 0)

    def test_style_of_a_saved_cursor(self):
        """Hidden text does not come back after the end by way of a cursor that was saved."""
        code = "import os; os.write(1, b'\\033[8m\\0337\\033[m\\0338')"
        self.assertTrue(self.outside(code).finish().endswith(b"\0338"))
        self.assertTrue(self.inside(code).finish().endswith(b"\033[m"))

    def test_verdict_counts(self):
        self.inside("import os; os.write(1, b'\\033[c\\005')", "--result", self.path("v.json")).finish()
        self.assertEqual(json.loads(self.read("v.json"))["stdout"]["escapes_neutralised"], 2)


if __name__ == "__main__":
    unittest.main()
