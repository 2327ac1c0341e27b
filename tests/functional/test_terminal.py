"""At a terminal a task behaves as it would without capsule-run, and the terminal is left as it was found."""
import json
import os
import re
import shlex
import signal
import subprocess
import time
import unittest

import harness
from pseudoterminal import Terminal

PROMPT = "PROMPT> "
# Python looks at signals between two sleeps: one that comes just before a sleep is seen after it.
SLEEPER = "import time\nprint('up', flush=True)\nwhile True: time.sleep(0.05)"


class Case(harness.Case):
    def run_at(self, *args, on=(0, 1, 2), files=None, opts=("-q",), **kw):
        return Terminal(self, self.argv(*opts, *args), on=on, files=files, **kw)

    def shell(self):
        """An interactive shell with job control; $C is capsule-run."""
        terminal = Terminal(self, [harness.need("bash"), "--norc", "--noprofile", "+o", "emacs", "-i"],
                            env={"PS1": PROMPT, "C": shlex.join(self.argv("-q")), "HISTFILE": ""})
        terminal.expect(PROMPT)
        return terminal

    def until_asked(self, terminal):
        """The terminal is the task's and it sleeps in its read: until then Python itself can miss a Ctrl-C, which it
        looks for between its own instructions only."""
        terminal.until_raw()
        terminal.until(lambda: harness.states_below(terminal.pid) == {"S"}, "a task that waits")

    def in_shell(self, terminal, line):
        """What a command line shows, up to the next prompt."""
        terminal.send(line + "\n")
        return terminal.expect("\n(.*)" + PROMPT).group(1).decode().replace("\r", "")


class IsATerminal(Case):
    CODE = ("import os, sys\n"
            "print([os.isatty(fd) for fd in (0, 1, 2)], os.environ.get('TERM'), os.environ.get('COLORTERM'),"
            " file=open('seen', 'w'))")

    def seen(self, **kw):
        self.run_at("-c", self.CODE, **kw).finish()
        return self.read("sandbox/seen").strip()

    def test_each_that_is_one_outside(self):
        for on in ((0, 1, 2), (0,), (1,), (2,), (1, 2), (0, 2)):
            with self.subTest(on=on):
                self.assertEqual(self.seen(on=on).partition("]")[0] + "]", str([fd in on for fd in (0, 1, 2)]))

    def test_environment(self):
        self.assertTrue(self.seen(env={"TERM": "xterm-256color", "COLORTERM": "truecolor"}).endswith(
            "xterm-256color truecolor"))

    def test_none_outside_none_inside(self):
        code = ("import os, sys\ntry: os.open('/dev/tty', os.O_RDWR)\nexcept OSError as e: print(e.errno)\n"
                "print(os.environ.get('TERM'), os.listdir('/dev/pts'))")
        result = self.check(self.run_capsule("-q", "-c", code, env=dict(os.environ, TERM="xterm")))
        self.assertEqual(result.out, "6\nNone ['ptmx']\n")

    def test_has_a_name(self):
        code = ("import os\nname = os.ttyname(0)\nprint(name, name == os.ttyname(2), os.path.samestat(os.stat(name), os.fstat(1)),"
                " os.path.exists('/dev/tty'), os.readlink('/proc/self/fd/1'))")
        self.assertIn(b"/dev/pts/0 True True True /dev/pts/0\r\n", self.run_at("-c", code).finish())

    def test_is_the_controlling_one(self):
        code = ("import os\nfd = os.open('/dev/tty', os.O_RDWR)\nos.write(fd, b'by its name')\n"
                "print(os.tcgetpgrp(fd) > 0)")
        self.assertEqual(b"by its nameTrue\r\n", self.run_at("-c", code, on=(1,)).finish())

    def test_more_can_be_made(self):
        text = self.run_at("-c", "import os, pty; a, b = pty.openpty(); print(os.ttyname(b))").finish()
        self.assertIn(b"/dev/pts/1", text)

    def test_is_not_the_callers(self):
        code = "import os, sys; print(os.fstat(0).st_rdev, os.fstat(0).st_dev, os.fstat(0).st_ino, file=open('seen', 'w'))"
        terminal = self.run_at("-c", code)
        terminal.finish()
        info = os.fstat(terminal.slave)
        self.assertNotEqual(self.read("sandbox/seen").split()[1], str(info.st_dev))

    def test_size(self):
        # No pause(): the signal may come just before it.
        code = ("import os, signal, time\n"
                "def changed(*_): print('now', *os.get_terminal_size())\n"
                "signal.signal(signal.SIGWINCH, changed)\nprint('first', *os.get_terminal_size())\n"
                "while True: time.sleep(0.1)")
        terminal = self.run_at("-c", code, size=(33, 99))
        terminal.expect("first 99 33\r\n")
        terminal.resize(44, 111)
        terminal.expect("now 111 44\r\n")

    def test_size_while_it_reads(self):
        code = ("import os, signal, threading\n"
                "signal.signal(signal.SIGWINCH, lambda *_: print('now', *os.get_terminal_size()))\n"
                "print('got', input('name? '))")
        terminal = self.run_at("-c", code)
        terminal.expect(r"name\? ")
        terminal.until_raw()
        terminal.resize(50, 132)
        terminal.expect("now 132 50\r\n")
        terminal.send("x\r")
        terminal.expect("got x\r\n")


class Typing(Case):
    def test_input(self):
        terminal = self.run_at("-c", "print('hello', input('name? ') + '!')")
        terminal.expect(r"name\? ")
        terminal.send("bobx\x7f\r")
        terminal.expect(r"bobx\x08 \x08\r\nhello bob!\r\n")
        terminal.finish()
        self.assertTrue(terminal.is_untouched())

    def test_password_is_not_shown(self):
        for on in ((0, 1, 2), (1, 2), (1,)):
            with self.subTest(on=on):
                terminal = self.run_at("-c", "import getpass; print('got', getpass.getpass('word? ')[::-1])", on=on)
                terminal.expect(r"word\? ")
                terminal.until_raw()
                terminal.send("secret\r")
                terminal.expect("got terces\r\n")
                self.assertNotIn(b"secret", terminal.finish())
                self.assertTrue(terminal.is_untouched())

    def test_prompt_of_python(self):
        """`capsule-run -` at a terminal is python3's own prompt, with line editing where that has it."""
        terminal = self.run_at("--exec", "--", harness.system_python(), "-i")
        terminal.expect(">>> ")
        terminal.send("6 * 70\r")
        terminal.expect("420\r\n.*>>> ")
        terminal.send("\x1b[A\x7f1\r")  # up, and another digit: 6 * 71
        terminal.expect("426\r\n.*>>> ")
        terminal.send("\x04")
        terminal.finish()
        self.assertTrue(terminal.is_untouched())

    def test_prompt_of_the_task_python(self):
        terminal = self.run_at("-")
        terminal.expect(">>> ")
        terminal.send("import os; os.getcwd()\r")
        terminal.expect("/tmp/agent_sandbox'")
        terminal.expect(">>> ")
        terminal.send("raise SystemExit(7)\r")
        terminal.finish(7)

    def test_debugger(self):
        self.write("task.py", "x = 41\nbreakpoint()\nprint('x is', x)\n")
        terminal = self.run_at(self.path("task.py"))
        terminal.expect(r"\(Pdb\) ")
        terminal.send("x += 1\r")
        terminal.expect(r"\(Pdb\) ")
        terminal.send("c\r")
        terminal.expect("x is 42\r\n")
        terminal.finish()

    def test_end_of_input(self):
        terminal = self.run_at("-c", "import sys; print(repr(sys.stdin.read()))")
        terminal.send("line\n")
        terminal.until_raw()
        terminal.send("\x04")
        terminal.expect(r"'line\\n'\r\n")
        terminal.finish()

    def test_end_of_input_typed_ahead(self):
        terminal = self.run_at("-c", "import sys, time; print('up'); time.sleep(1); print(repr(sys.stdin.read()))")
        terminal.expect("up\r\n")
        terminal.send("line\n\x04")
        terminal.expect(r"'line\\n'\r\n")
        terminal.finish()

    def test_typed_ahead_is_shown_once(self):
        terminal = self.run_at("-c", "import time; print('up'); time.sleep(1); print('got', input(), input())")
        terminal.expect("up\r\n")
        terminal.send("early\nhal")
        terminal.until_raw()
        terminal.send("f\r")
        terminal.expect("got early half\r\n")
        self.assertEqual(terminal.text.count(b"early"), 2, terminal.text)
        self.assertEqual(terminal.text.count(b"hal"), 2, terminal.text)

    def test_task_that_waits_by_poll(self):
        code = ("import os, select\nprint('up')\nselect.select([0], [], [])\nprint('got', os.read(0, 100))\n"
                "select.select([0], [], [])\nprint('and', os.read(0, 100))")
        terminal = self.run_at("-c", code)
        terminal.expect("up\r\n")
        terminal.send("one\n")
        terminal.expect(r"got b'one\\n'")
        terminal.send("two\r")
        terminal.expect(r"and b'two\\n'")
        terminal.finish()

    def test_single_keys(self):
        code = ("import os, tty, termios\nold = termios.tcgetattr(0)\ntty.setraw(0)\nprint('up', end='\\r\\n')\n"
                "keys = b''.join(os.read(0, 1) for _ in range(4))\ntermios.tcsetattr(0, termios.TCSADRAIN, old)\nprint(keys)")
        terminal = self.run_at("-c", code)
        terminal.expect("up\r\n")
        terminal.send("a\x03\x1a\x1c")
        terminal.expect(r"b'a\\x03\\x1a\\x1c'")
        terminal.finish()
        self.assertTrue(terminal.is_untouched())

    def test_single_keys_of_who_ignores_sigttou(self):
        code = ("import os, select, signal, tty\nsignal.signal(signal.SIGTTOU, signal.SIG_IGN)\ntty.setcbreak(0)\nprint('up')\n"
                "select.select([0], [], [])\nprint('got', os.read(0, 10))")
        terminal = self.run_at("-c", code)
        terminal.expect("up\r\n")
        terminal.until_raw()
        terminal.send("k")
        terminal.expect("got b'k'\r\n")
        terminal.finish()

    def test_curses(self):
        code = ("import curses\ndef main(w):\n    w.addstr(0, 0, 'hello'); w.refresh()\n    return w.getch()\n"
                "key = curses.wrapper(main)\nprint(key == curses.KEY_UP)")
        terminal = self.run_at("--exec", "--", harness.system_python(), "-c", code)
        terminal.expect("hello")
        terminal.send("\x1bOA")
        terminal.expect("True\r\n")
        terminal.finish()

    def test_large_paste(self):
        code = ("import os, tty\ntty.setraw(0)\nprint('up')\nn = 0\n"
                "while n < 30000: n += len(os.read(0, 1000))\nprint('all', n)")
        terminal = self.run_at("-c", code)
        terminal.expect("up")
        sent = 0
        while sent < 30000:
            terminal.send("x" * 500)
            sent += 500
            terminal.read(0.001)
        terminal.expect("all 30000")


class Keys(Case):
    def test_ctrl_c_while_it_computes(self):
        terminal = self.run_at("-c", SLEEPER)
        terminal.expect("up\r\n")
        self.assertTrue(terminal.is_untouched())
        terminal.send("\x03")
        terminal.expect("KeyboardInterrupt")
        terminal.finish(-signal.SIGINT)

    def test_ctrl_c_at_a_question(self):
        terminal = self.run_at("-c", "input('name? ')")
        terminal.expect(r"name\? ")
        self.until_asked(terminal)
        terminal.send("\x03")
        terminal.expect("KeyboardInterrupt")
        terminal.finish(-signal.SIGINT)
        self.assertTrue(terminal.is_untouched())

    def test_ctrl_c_that_the_task_takes(self):
        terminal = self.run_at("-c", "try: input('name? ')\nexcept KeyboardInterrupt: print('no'); exit(3)")
        terminal.expect(r"name\? ")
        self.until_asked(terminal)
        terminal.send("\x03")
        terminal.expect("no\r\n")
        terminal.finish(3)

    def test_ctrl_c_reaches_children(self):
        code = "import subprocess, sys\ntry: subprocess.run([sys.executable, '-c', %r])\nexcept KeyboardInterrupt: print('both')" % SLEEPER
        terminal = self.run_at("-c", code)
        terminal.expect("up\r\n")
        terminal.send("\x03")
        terminal.expect("both\r\n")

    def test_ctrl_c_stops_a_loop_in_a_script(self):
        for code in (SLEEPER, "print('up'); input()"):
            with self.subTest(code=code):
                script = self.write("loop.sh", 'for i in 1 2 3; do %s; echo "after $i"; done\n' % shlex.join(
                    self.argv("-q", "-c", code)))
                terminal = Terminal(self, [harness.need("bash"), script])
                terminal.expect("up\r\n")
                if "input" in code:
                    self.until_asked(terminal)
                terminal.send("\x03")
                text = terminal.finish(None)
                self.assertNotIn(b"after 2", text)
                self.assertTrue(terminal.is_untouched())

    def test_ctrl_backslash(self):
        for code in (SLEEPER, "print('up'); input()"):
            terminal = self.run_at("-c", code)
            terminal.expect("up\r\n")
            if "input" in code:
                self.until_asked(terminal)
            terminal.send("\x1c")
            terminal.finish(128 + signal.SIGQUIT)
            self.assertTrue(terminal.is_untouched())


class LeftAsFound(Case):
    def test_nothing_read_nothing_touched(self):
        terminal = self.run_at("-c", "import time; print('up'); time.sleep(1); print('done')")
        terminal.expect("up\r\n")
        self.assertTrue(terminal.is_untouched())
        terminal.finish()
        self.assertTrue(terminal.is_untouched())

    def held(self, code="print(input('name? '))", **kw):
        terminal = self.run_at("-c", code, **kw)
        terminal.expect(r"name\? ")
        terminal.until_raw()
        return terminal

    def test_task_that_kills_itself(self):
        terminal = self.held("import os; input('name? '); os.kill(os.getpid(), 9)")
        terminal.send("x\r")
        terminal.finish(137)
        self.assertTrue(terminal.is_untouched())

    def test_task_that_is_killed_from_outside(self):
        terminal = self.held("print(input('name? '))  # " + self.dir)
        task = [pid for pid in harness.marked_processes("# " + self.dir) if pid != terminal.pid]
        self.assertTrue(task)
        for pid in task:
            os.kill(pid, signal.SIGKILL)
        terminal.finish(137)
        self.assertTrue(terminal.is_untouched())

    def test_modes_that_the_task_left(self):
        terminal = self.run_at("-c", "import tty, os; tty.setraw(0); print('up'); os._exit(0)")
        terminal.finish()
        self.assertTrue(terminal.is_untouched())

    def test_signals(self):
        for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
            with self.subTest(sig=sig):
                terminal = self.held()
                os.kill(terminal.pid, sig)
                terminal.finish(None)
                self.assertIn(terminal.status, (128 + sig, -sig))
                self.assertTrue(terminal.is_untouched())

    def test_signals_that_end_capsule_run(self):
        for sig in (signal.SIGALRM, signal.SIGABRT, signal.SIGSEGV, signal.SIGXCPU):
            with self.subTest(sig=sig):
                terminal = self.held()
                os.kill(terminal.pid, sig)
                terminal.finish(-sig)
                self.assertTrue(terminal.is_untouched())

    def test_timeout(self):
        terminal = self.held(opts=("-q", "-t", "2s", "--grace", "0"))
        terminal.finish(124)
        self.assertTrue(terminal.is_untouched())

    def test_modes_of_the_caller(self):
        """Not those that we would have chosen."""
        terminal = Terminal(self, ["sh", "-c", "stty erase x -echoe; %s" % shlex.join(
            self.argv("-q", "--exec", "--", "sh", "-c", "stty -a; read x; echo got $x"))])
        terminal.expect("erase = x;")
        terminal.expect(" -echoe ")
        terminal.until_raw()
        terminal.send("abcx\r")
        terminal.expect("got ab\r\n")
        terminal.finish()
        self.assertNotEqual(terminal.local_modes(), 0)

    def test_screen(self):
        text = self.run_at("-c", r"print('\033[?1049h\033[?25l\033[31m\033[2;5r\033[?1h\033=in', end='')").finish()
        self.assertTrue(text.endswith(b"in\x1b[?1l\x1b[?25h\x1b[?1049l\x1b>\x1b7\x1b[r\x1b8\x1b[m"), text)

    def test_own_messages_come_after(self):
        terminal = self.run_at("-c", "print('\\033[31mname? ', end='', flush=True)\nwhile True: input()",
                               opts=("-t", "2s", "--grace", "0"))
        terminal.until_raw()
        text = terminal.finish(124)
        self.assertRegex(text, rb"\x1b\[m(capsule-run: stacks: .*\r\n)+capsule-run: limit: .*\r\n$")

    def test_typed_ahead_is_the_shells(self):
        """A task that does not read takes nothing of what was typed or pasted for who comes next."""
        terminal = self.shell()
        terminal.send("$C -c 'print(\"fi\" + \"rst\")'\necho sec''ond\n")
        terminal.expect("first\r\n")
        terminal.expect("second\r\n")

    def test_loop_that_reads_the_terminal(self):
        terminal = self.shell()
        terminal.send("while read -r line; do [ \"$line\" = end ] && break; $C -c 'import sys; print(sys.argv[1:] * 2)' \"$line\"; done\n")
        terminal.send("one\ntwo\nend\n")
        terminal.expect(r"\['one', 'one'\]\r\n")
        terminal.expect(r"\['two', 'two'\]\r\n")
        terminal.expect(PROMPT)


class Job(Case):
    """Ctrl-Z, fg, bg and & do what they do with any program."""

    def setUp(self):
        super().setUp()
        # Other runs of this test are not meant.
        self.mark = "# " + self.dir
        self.ticks = "import itertools, time\nfor i in itertools.count(): print('tick', i, flush=True); time.sleep(0.1)" + self.mark

    def quoted(self, code):
        return "$C -c " + shlex.quote(code)

    def states(self, marker=None):
        """Of capsule-run and its task."""
        found = set()
        for pid in harness.marked_processes(marker or self.mark):
            try:
                with open("/proc/%d/stat" % pid) as f:
                    found.add(f.read().rpartition(")")[2].split()[0])
            except OSError:
                pass
        return found

    def test_ctrl_z_and_fg(self):
        terminal = self.shell()
        terminal.send(self.quoted(self.ticks) + "\n")
        terminal.expect(r"tick 3\r\n")
        terminal.send("\x1a")
        terminal.expect("Stopped")
        terminal.expect(PROMPT)
        harness.wait_until(lambda: self.states() == {"T"}, "the stop of both")
        shown = terminal.text.count(b"tick ")
        self.assertIn("here", self.in_shell(terminal, "sleep 1; echo here"))
        self.assertEqual(terminal.text.count(b"tick "), shown)
        terminal.send("fg\n")
        terminal.expect(r"tick \d+\r\ntick \d+\r\n")
        terminal.send("\x03")
        terminal.expect("KeyboardInterrupt")
        terminal.expect(PROMPT)
        self.assertIn("status 130", self.in_shell(terminal, "echo status $?"))

    def test_ctrl_z_at_a_question(self):
        terminal = self.shell()
        usual = terminal.modes()
        terminal.send(self.quoted("print('got', input('name? '))") + "\n")
        terminal.expect(r"name\? ")
        self.until_asked(terminal)
        terminal.send("ab")
        terminal.expect("ab")
        terminal.send("\x1a")
        terminal.expect("Stopped")
        terminal.expect(PROMPT)
        self.assertEqual(terminal.modes(), usual)
        self.assertIn("fine", self.in_shell(terminal, "echo fine"))
        terminal.send("fg\n")
        terminal.until_raw()
        terminal.send("cd\r")
        terminal.expect("got [abcd]+\r\n")
        terminal.expect(PROMPT)
        self.assertEqual(terminal.modes(), usual)

    def fill(self):
        """Others, who fill the disk and empty it again: the task is stopped for a moment each time, to be counted."""
        code = ("import os\nwith open('filler', 'wb') as f:\n    while True:\n"
                "        os.posix_fallocate(f.fileno(), 0, 1 << 24)\n        f.truncate(0)\n")
        filler = subprocess.Popen(["python3", "-c", code], cwd=self.tmp)
        self.addCleanup(filler.wait)
        self.addCleanup(filler.kill)

    def test_keys_at_a_question_while_others_fill_the_disk(self):
        self.fill()
        question = "$C --disk 64K -c " + shlex.quote("print('got', input('name? '))") + "\n"
        terminal = self.shell()
        for key, shown in ("\x03", "KeyboardInterrupt"), ("\x1a", "Stopped"):
            for _ in range(5):
                terminal.send(question)
                terminal.expect(r"name\? ")
                self.until_asked(terminal)
                terminal.send(key)
                terminal.expect(shown)
                terminal.expect(PROMPT)
                if key == "\x1a":
                    terminal.send("fg\n")
                    terminal.until_raw()
                    terminal.send("you\r")
                    terminal.expect("got you\r\n")
                    terminal.expect(PROMPT)

    def test_ctrl_z_stops_the_script_around(self):
        """Also when the task reads the key by itself, as editors do."""
        read = "name = input('na' + 'me? ')"
        key = ("import os, signal, termios, tty; old = termios.tcgetattr(0); tty.setraw(0); print('na' + 'me? ', flush=True); "
               "os.read(0, 1); termios.tcsetattr(0, 0, old); os.kill(os.getpid(), signal.SIGTSTP)")
        for code in (read, key):
            terminal = self.shell()
            terminal.send("bash -c " + shlex.quote(self.quoted(code).replace("$C", shlex.join(self.argv("-q"))) + "; echo e''nd") + "\n")
            terminal.expect(r"name\? ")
            self.until_asked(terminal)
            terminal.send("\x1a")
            terminal.expect("Stopped")
            terminal.expect(PROMPT)
            terminal.send("fg\n")
            if code == read:
                terminal.until_raw()
                terminal.send("bob\r")
            terminal.expect("end\r\n")

    def test_whole_tree_is_frozen(self):
        terminal = self.shell()
        code = ("import os, subprocess, sys, time\n"
                "if os.fork() == 0:\n    os.setsid()\n    while True: open('beat', 'a').write('x'); time.sleep(0.02)\n"
                "print('up', flush=True)\ntime.sleep(1000)")
        terminal.send(self.quoted(code) + "\n")
        terminal.expect("up\r\n")
        beat = self.path("sandbox/beat")
        harness.wait_until(lambda: os.path.exists(beat) and os.path.getsize(beat) > 3, "the beat")
        terminal.send("\x1a")
        terminal.expect("Stopped")
        time.sleep(0.5)
        size = os.path.getsize(beat)
        time.sleep(5)  # longer than it is waited for a task that does not stand still
        self.assertEqual(os.path.getsize(beat), size)
        terminal.send("fg\n")
        harness.wait_until(lambda: os.path.getsize(beat) > size + 3, "the beat after fg")

    def test_bg(self):
        terminal = self.shell()
        terminal.send(self.quoted("import time\nprint('up', flush=True)\ntime.sleep(2)\nopen('end', 'w')") + "\n")
        terminal.expect("up\r\n")
        terminal.send("\x1a")
        terminal.expect("Stopped")
        terminal.send("bg\n")
        harness.wait_until(lambda: os.path.exists(self.path("sandbox/end")), "the end in the background")

    def test_task_that_stops_itself(self):
        terminal = self.shell()
        terminal.send(self.quoted("import os, signal\nos.kill(os.getpid(), signal.SIGTSTP)\nprint('on' + 'ward')") + "\n")
        terminal.expect("Stopped")
        terminal.expect(PROMPT)
        terminal.send("fg\n")
        terminal.expect("onward\r\n")

    def test_task_that_wants_to_know(self):
        code = ("import signal, time\nsignal.signal(signal.SIGTSTP, lambda *_: print('not' + ' now', flush=True))\n"
                "print('up', flush=True)\nwhile True: time.sleep(1)")
        terminal = self.shell()
        terminal.send(self.quoted(code) + "\n")
        terminal.expect("up\r\n")
        terminal.send("\x1a")
        terminal.expect("not now\r\n")

    def test_stopped_from_outside(self):
        terminal = self.shell()
        terminal.send(self.quoted(self.ticks) + "\n")
        terminal.expect(r"tick 1\r\n")
        pid = [p for p in harness.marked_processes(self.dir) if p != terminal.pid][0]
        os.kill(pid, signal.SIGTSTP)
        terminal.expect("Stopped")
        terminal.expect(PROMPT)
        os.kill(pid, signal.SIGCONT)
        terminal.expect(r"tick \d+\r\ntick \d+\r\n")

    def test_stop_without_a_terminal(self):
        process = self.start("-q", "-c", self.ticks, preexec_fn=os.setpgrp)
        process.stdout.readline()
        os.kill(process.pid, signal.SIGTSTP)
        self.assertTrue(os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1]))
        harness.wait_until(lambda: self.states() == {"T"}, "the stop of both")
        os.kill(process.pid, signal.SIGCONT)
        for _ in range(20):
            self.assertTrue(process.stdout.readline().startswith(b"tick"))

    def test_background_start_goes_on(self):
        terminal = self.shell()
        usual = terminal.modes()
        terminal.send(self.quoted("import time; time.sleep(1); print('do' + 'ne')") + " &\n")
        terminal.expect("done\r\n")
        self.assertNotIn(b"Stopped", terminal.text)
        self.assertIn("fine", self.in_shell(terminal, "echo fine"))
        self.assertEqual(terminal.modes(), usual)

    def test_background_task_that_reads_is_stopped(self):
        terminal = self.shell()
        usual = terminal.modes()
        terminal.send(self.quoted("print('got', input('na' + 'me? '))") + " &\n")
        terminal.expect(r"name\? ")
        terminal.until(lambda: "T" in self.states(self.dir), "a stopped job")
        self.assertIn("Stopped", self.in_shell(terminal, "jobs"))
        self.assertEqual(terminal.modes(), usual)
        terminal.send("fg\n")
        terminal.until_raw()
        terminal.send("bob\r")
        terminal.expect("got bob\r\n")
        terminal.expect(PROMPT)
        self.assertEqual(terminal.modes(), usual)

    def test_question_is_shown_before_the_stop(self):
        """Also when capsule-run learns of both at once."""
        terminal = self.shell()
        code = ("import os, time\nopen('up', 'w')\nwhile not os.path.exists('go'): time.sleep(0.02)\n"
                "input('na' + 'me? ')" + self.mark)
        terminal.send(self.quoted(code) + " &\n")
        harness.wait_until(lambda: os.path.exists(self.path("sandbox/up")), "the task")
        # The task has the code alone on its command line.
        ours = set(harness.marked_processes(self.mark)) & set(harness.marked_processes("--dir"))
        for pid in ours:
            os.kill(pid, signal.SIGSTOP)
        self.write("sandbox/go", "")
        harness.wait_until(lambda: self.states() == {"T"}, "the stop of the task")
        for pid in ours:
            os.kill(pid, signal.SIGCONT)
        terminal.expect(r"name\? ")

    def test_wall_clock_runs_on(self):
        terminal = self.shell()
        terminal.send("$C -t 3s --grace 100ms -c " + shlex.quote(self.ticks) + "\n")
        terminal.expect(r"tick 1\r\n")
        terminal.send("\x1a")
        terminal.expect("Stopped")
        terminal.expect(PROMPT)
        time.sleep(4)
        terminal.send("fg\n")
        terminal.expect(PROMPT)
        self.assertIn("status 124", self.in_shell(terminal, "echo status $?"))

    def test_shell_inside_has_its_own_jobs(self):
        terminal = self.run_at("--exec", "--", harness.need("bash"), "--norc", "--noprofile", "+o", "emacs", "-i",
                               opts=("-q", "--env", "PS1=INSIDE> "))
        terminal.expect("INSIDE> ")
        self.assertNotIn(b"no job control", terminal.text)
        terminal.send("sleep 1000\r")
        terminal.expect("sleep 1000\r\n")
        time.sleep(0.5)
        terminal.send("\x1a")
        terminal.expect("Stopped")
        terminal.expect("INSIDE> ")
        terminal.send("fg\r")
        terminal.expect("sleep 1000\r\n")
        time.sleep(0.5)
        terminal.send("\x03")
        terminal.expect("INSIDE> ")
        terminal.send("exit 5\r")
        terminal.finish(5)


class Surroundings(Case):
    def test_output_into_a_pipe(self):
        """capsule-run ... | less: what is no terminal stays a pipe, and the questions are still asked."""
        read_fd, write_fd = os.pipe()
        terminal = self.run_at("-c", "import sys; sys.stderr.write('name? '); print('got', input())", on=(0, 2), files={1: write_fd})
        os.close(write_fd)
        terminal.expect(r"name\? ")
        terminal.send("bob\r")
        with os.fdopen(read_fd, "rb") as out:
            self.assertEqual(out.read(), b"got bob\n")
        self.assertNotIn(b"got", terminal.finish())

    def test_only_input_is_one(self):
        read_fd, write_fd = os.pipe()
        terminal = self.run_at("-c", "print('got', input())", on=(0,), files={1: write_fd, 2: write_fd})
        os.close(write_fd)
        terminal.until_raw()
        terminal.send("bob\r")
        with os.fdopen(read_fd, "rb") as out:
            self.assertEqual(out.read(), b"got bob\n")
        self.assertIn(b"bob\r\n", terminal.finish(), "what is typed is shown")
        self.assertTrue(terminal.is_untouched())

    def test_input_from_a_file(self):
        self.write("input", "0123456789")
        with open(self.path("input"), "rb", buffering=0) as source:
            terminal = self.run_at("-c", "import os; print(os.read(0, 4))", on=(1, 2), files={0: source.fileno()})
            terminal.expect(r"b'0123'\r\n")
            terminal.finish()
            self.assertEqual(source.read(), b"456789", "what was not read is left")
        self.assertTrue(terminal.is_untouched())

    def test_input_from_a_pipe_is_left_too(self):
        read_fd, write_fd = os.pipe()
        os.write(write_fd, b"one\ntwo\n")
        os.close(write_fd)
        terminal = self.run_at("-c", "import os; print(os.read(0, 4))", on=(1, 2), files={0: read_fd})
        terminal.finish()
        self.assertEqual(os.read(read_fd, 100), b"two\n")
        os.close(read_fd)

    def test_no_stdin(self):
        terminal = self.run_at("-c", "import os, sys; print(repr(sys.stdin.read()), os.isatty(1))", opts=("-q", "-n"))
        terminal.expect("'' True\r\n")
        terminal.finish()

    def test_order_and_bound_and_status(self):
        code = "import os\nfor i in range(500): os.write(1 + i % 2, b'%d\\n' % i)\nos._exit(4)"
        text = self.run_at("-c", code).finish(4)
        self.assertEqual(text.replace(b"\r", b"").split(), [b"%d" % i for i in range(500)])
        terminal = self.run_at("-c", "print('x' * 5000)", opts=("--output", "1K", "--result", self.path("v.json")))
        text = terminal.finish(123)
        self.assertEqual(len(re.search(b"x{20,}", text).group()), 1024)
        self.assertIn(b"were dropped", text)

    def test_lines_end_once(self):
        """Not CR CR LF, which a log of the terminal would keep."""
        text = self.run_at("-c", "print('a\\nb'); print('c')").finish()
        self.assertEqual(text, b"a\r\nb\r\nc\r\n")

    def test_large_output(self):
        text = self.run_at("-c", "import sys; sys.stdout.write('\\n'.join('%06d' % i for i in range(100000)) + '\\n')").finish()
        self.assertEqual(text.replace(b"\r", b""), b"".join(b"%06d\n" % i for i in range(100000)))

    def test_session_without_a_controlling_terminal(self):
        terminal = self.run_at("-c", "print('up')\ntry: print(input())\nexcept EOFError: print('no ' + 'input')",
                               controlling=False, opts=())
        terminal.expect("gets no input\r\n|no input\r\n")
        terminal.finish()
        self.assertIn(b"no input", terminal.text)
        self.assertTrue(terminal.is_untouched())

    def test_orphaned_in_the_background(self):
        terminal = self.shell()
        terminal.send("(%s &)\n" % ("$C -c " + shlex.quote("try: input()\nexcept EOFError: print('no ' + 'input')")))
        terminal.expect("no input\r\n")
        self.assertIn("fine", self.in_shell(terminal, "echo fine"))

    def test_script(self):
        log = self.path("typescript")
        command = shlex.join(self.argv("-q", "-c", "import os; print(os.isatty(1), input('name? '))"))
        terminal = Terminal(self, [harness.need("script"), "-q", "-e", "-c", command, log])
        terminal.expect(r"name\? ")
        time.sleep(0.3)
        terminal.send("bob\r")
        terminal.expect("True bob\r\n")
        terminal.finish()
        self.assertIn("True bob", self.read("typescript"))

    def test_script_without_a_terminal(self):
        command = shlex.join(self.argv("-q", "-c", "import os; print(os.isatty(1))"))
        out = subprocess.run([harness.need("script"), "-q", "-e", "-c", command, "/dev/null"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, timeout=harness.PATIENCE)
        self.assertEqual((out.stdout, out.returncode), (b"True\r\n", 0))

    def test_make(self):
        rule = "t%d:\n\t@%s\n"
        one = shlex.join(self.argv("-q", self.write("t.py", "import time\nfor i in range(5): print('line'); time.sleep(0.05)\n")))
        self.write("Makefile", "all: t1 t2 t3 t4\n" + "".join(rule % (i, one) for i in range(1, 5)))
        # Under `make check` it would be a make within a make, which says where it is.
        terminal = Terminal(self, [harness.need("make"), "-j", "4"], env={"MAKEFLAGS": "", "MAKELEVEL": "0"})
        text = terminal.finish()
        self.assertEqual((text.count(b"line"), text.count(b"\r\n")), (20, 20))
        self.assertTrue(terminal.is_untouched())

    def test_ctrl_c_stops_make(self):
        task = self.write("t.py", SLEEPER + "\n")
        self.write("Makefile", "all: t1 t2\nt1 t2:\n\t@%s\n" % shlex.join(self.argv("-q", task)))
        terminal = Terminal(self, [harness.need("make"), "-j", "2"])
        terminal.expect("up.*up\r\n")
        terminal.send("\x03")
        terminal.finish(None)
        self.assertNotEqual(terminal.status, 0)
        self.assertEqual(harness.marked_processes(task), [])

    def test_hang_up(self):
        for code in ("import time\nprint('up')\ntime.sleep(1000)", "print('up')\ninput()",
                     "import signal, time\nsignal.signal(1, signal.SIG_IGN)\nprint('up')\nwhile True: time.sleep(1)"):
            with self.subTest(code=code):
                terminal = self.run_at("-c", code, opts=("-q", "--grace", "300ms"))
                terminal.expect("up\r\n")
                if "input" in code:
                    terminal.until_raw()
                os.close(terminal.fd)
                terminal.close_slave()
                terminal.fd = -1
                harness.wait_until(lambda: terminal.wait(False) is not None, "the end of the run")
                self.assertEqual(harness.marked_processes(self.dir), [])

    def test_reads_nothing_of_another_foreground_group(self):
        """The shell that starts us in the background keeps all that is typed."""
        terminal = self.shell()
        terminal.send("$C -c " + shlex.quote("import time; print('u' + 'p', flush=True); time.sleep(2); print('do' + 'ne')") + " &\n")
        terminal.expect("up\r\n")
        self.assertIn("kept", self.in_shell(terminal, "echo ke''pt"))
        terminal.expect("done\r\n")


class Faults(Case):
    """A terminal that can't be made: the task does not start without it."""

    def test_each_call(self):
        strace = harness.need("strace")
        if subprocess.run([strace, "-o", "/dev/null", "-e", "fault=umask", "true"], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("strace can't inject faults here")
        for call, when in (("setsid", 1), ("setpgid", 1), ("fsopen", 1), ("fsconfig", 2), ("fsmount", 1)):
            with self.subTest(call=call):
                log = self.path("trace")
                argv = [strace, "-f", "-qq", "-o", log, "-e", "trace=" + call, "-e",
                        "fault=%s:error=EPERM:when=%d" % (call, when)]
                terminal = Terminal(self, argv + self.argv("-q", "-c", "print('STARTED')"))
                text = terminal.finish(125)
                self.assertIn("(INJECTED)", self.read("trace"))
                self.assertNotIn(b"STARTED", text)
                self.assertRegex(text, rb"capsule-run: (devices|process|init|task): .*\r\n")


class Escapes(Case):
    """What acts on the terminal does not reach it, unless --raw-terminal lets it through."""

    ACTS = {
        "title": r"\033]0;EVIL\007", "title by ST": r"\033]2;EVIL\033\\", "clipboard": r"\033]52;c;RVZJTA==\007",
        "colours": r"\033]11;EVIL\007", "DCS": r"\033PEVIL\033\\", "APC": r"\033_EVIL\033\\", "PM": r"\033^EVIL\033\\",
        "SOS": r"\033XEVIL\033\\", "attributes": r"\033[c", "more": r"\033[>c", "place": r"\033[6n", "answerback": r"\005",
        "DECRQSS": r"\033P$qm\033\\", "XTVERSION": r"\033[>q", "mode": r"\033[?2004$p", "mouse": r"\033[?1003h",
        "paste": r"\033[?2004h", "focus": r"\033[?1004h", "keys": r"\033[>4;2m", "more keys": r"\033[>1u",
        "reset": r"\033c", "soft reset": r"\033[!p", "size": r"\033[8;10;10t", "set": r"\033(A\033%@\016", "print": r"\033[5i",
        "eight bits": r"\x9b6n\x9d0;EVIL\x9c", "eight bits in UTF-8": r"\302\2336n\302\2350;EVIL\302\234",
        "screen's title": r"\033kEVIL\033\\", "link": r"\033]8;;http://evil.invalid\033\\", "scrollback": r"\033[3J",
    }

    def shown(self, data, *opts, **kw):
        code = "import os; os.write(1, b'<' + b'%s' + b'>')" % data
        terminal = self.run_at("-c", code, opts=("-q", "--result", self.path("v.json"), *opts), **kw)
        return terminal.finish()

    def test_what_acts_is_left_out(self):
        for name, data in self.ACTS.items():
            with self.subTest(name):
                text = self.shown(data)
                self.assertRegex(text, rb"^<(\xef\xbf\xbd6n\xef\xbf\xbd0;EVIL\xef\xbf\xbd)?>$")

    def test_raw(self):
        """And each of them would have got there."""
        for name, data in self.ACTS.items():
            with self.subTest(name):
                sent = eval("b'<" + data + ">'")
                self.assertEqual(self.shown(data, "--raw-terminal"), sent)

    def test_what_shows_passes(self):
        data = (rb"\033[1;31mred\033[0m\033[38;2;1;2;3mrgb\033[m\033[2K\033[10;20H\033[A\033[J\033[?25l\033[?25h\r\a\t"
                rb"\033[?1049h\033[?1049l\033[2;5r\033[r\0337\0338gr\303\274n").decode()
        # A cursor that was restored may have brought colours back.
        self.assertEqual(self.shown(data), eval("b'<" + data + ">'") + b"\033[m")

    def test_counted(self):
        self.shown(r"\033]0;x\007\033[c\033[31m\005")
        stream = json.loads(self.read("v.json"))["stdout"]
        self.assertEqual(stream["escapes_neutralised"], 3)

    def test_on_standard_error_alone(self):
        with open(self.path("out"), "wb") as out:
            code = "import os; os.write(1, b'\\033]0;x\\007'); os.write(2, b'<\\033]0;EVIL\\007>')"
            text = self.run_at("-c", code, on=(2,), files={1: out.fileno()}).finish()
        self.assertEqual(text, b"<>")
        self.assertEqual(self.read("out"), "\x1b]0;x\x07", "a file gets what was written")

    def test_by_way_of_dev_tty(self):
        code = "import os; os.write(os.open('/dev/tty', os.O_WRONLY), b'<\\033]0;EVIL\\007>')"
        self.assertEqual(self.run_at("-c", code).finish(), b"<>")

    def test_another_terminal(self):
        """Output to a second terminal is judged as well."""
        other, slave = os.openpty()
        text = self.run_at("-c", "import os; os.write(2, b'<\\033]0;EVIL\\007>')", on=(0, 1), files={2: slave}).finish()
        self.assertEqual(os.read(other, 100), b"<>")
        self.assertEqual(text, b"")
        os.close(other)
        os.close(slave)

    def test_what_is_typed_and_shown(self):
        """The echo of the task's terminal comes from us as well."""
        terminal = self.run_at("-c", "import tty, os; print('up'); os.read(0, 100)")
        terminal.expect("up\r\n")
        terminal.until_raw()
        terminal.send("\x1b]0;EVIL\x07\r")
        self.assertNotIn(b"\x1b]", terminal.finish())

    def test_nothing_changes_without_a_terminal(self):
        result = self.check(self.run_capsule("-q", "-c", "import os; os.write(1, b'\\033]0;x\\007\\233')", text=False))
        self.assertEqual(result.out, b"\033]0;x\007\233")


if __name__ == "__main__":
    unittest.main()
