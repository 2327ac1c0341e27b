"""The shells complete options, their values, profiles and files, and leave the task's own arguments alone."""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
import unittest

import harness

HERE = os.path.join(os.path.dirname(os.path.abspath(harness.__file__)), "..", "..", "completions")


class Shells(harness.Case):
    """The same questions to each shell. A subclass says how one asks: complete(line) gives the candidates."""

    shell = None

    def setUp(self):
        super().setUp()
        harness.need(self.shell)
        self.write("task.py")
        self.write("data file.csv")
        self.write("sub/inner.py")
        self.write("config/capsule-run/profiles/mine.profile", "capsule-run-profile 1\n# Mine.\n")
        bin_dir = self.path("bin")
        os.mkdir(bin_dir)
        shutil.copy(harness.CAPSULE_RUN, os.path.join(bin_dir, "capsule-run"))
        self.env = dict(os.environ, PATH=bin_dir + ":" + os.environ["PATH"], HOME=self.tmp, TERM="dumb",
                        XDG_CONFIG_HOME=self.path("config"), XDG_DATA_HOME=self.path("data"), SECRET_NAME="x")

    def complete(self, line):
        raise NotImplementedError

    def offers(self, line, *wanted, never=()):
        found = self.complete(line)
        for word in wanted:
            self.assertIn(word, found, line)
        for word in never:
            self.assertNotIn(word, found, line)


class Questions:
    def test_options(self):
        self.offers("capsule-run --ti", "--timeout", never=["--ram", "task.py"])
        self.offers("capsule-run --ram 1G --fr", "--fresh")
        self.offers("capsule-run --pr", "--profile", "--print-policy")
        self.offers("capsule-run --ex", "--exec")

    def test_the_task_ends_our_options(self):
        for line in ("task.py --ti", "-c pass --ti", "-m json.tool --ti", "- --ti", "-q --ram 1G task.py -x --ti",
                     "--env A=B task.py --ti", "--exec -- ls --ti", "-- task.py --ti"):
            self.offers("capsule-run " + line, never=["--timeout", "--timeout="])

    def test_a_value_is_not_the_task(self):
        self.offers("capsule-run --env A --ti", "--timeout")
        self.offers("capsule-run -e A -t 1s --bind task.py --fr", "--fresh")
        self.offers("capsule-run --ram=1G --ti", "--timeout")

    def test_sizes_and_times(self):
        self.offers("capsule-run --ram ", "512M", "1G", never=["unlimited", "task.py"])
        self.offers("capsule-run --timeout 1", "10m", "1h")
        self.offers("capsule-run -t unl", "unlimited")

    def test_layers(self):
        self.offers("capsule-run --require cg", "cgroup", never=["seccomp"])

    def test_groups(self):
        self.offers("capsule-run --help l", "limits")

    def test_profiles_by_name_and_path(self):
        self.offers("capsule-run --profile m", "mine")
        self.offers("capsule-run --profile s", "strict", "sub/")
        self.offers("capsule-run --profile c", "ci")

    def test_variables(self):
        self.offers("capsule-run --env SECRET_NA", "SECRET_NAME")

    def test_programs(self):
        self.offers("capsule-run --exec -- mkfif", "mkfifo")
        self.offers("capsule-run -q --exec mkfif", "mkfifo")

    def test_directories(self):
        self.offers("capsule-run --src ", "sub/", never=["task.py"])

    def test_files(self):
        self.offers("capsule-run --bind ta", "task.py")
        self.offers("capsule-run ta", "task.py")
        self.offers("capsule-run -q ta", "task.py")
        self.offers("capsule-run task.py ta", "task.py")
        self.offers("capsule-run --ram 1G sub/", "sub/inner.py")


class Bash(Questions, Shells):
    shell = "bash"

    def complete(self, line):
        """The words as bash splits them, at = and : too."""
        words = [w for part in line.split(" ") for w in (re.findall(r"[=:]+|[^=:]+", part) or [""])]
        script = ('source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _capsule_run "$1" "" "";'
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "--norc", "--noprofile", "-c", script, os.path.join(HERE, "capsule-run.bash")] + words,
                              env=self.env, cwd=self.tmp, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=harness.PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (0, ""), line)
        found = done.stdout.split("\n")[:-1]
        # bash itself adds the slash when told that these are names of files.
        return found + [name + "/" for name in found if os.path.isdir(self.path(name))]

    def test_attached_values(self):
        self.offers("capsule-run --ram=5", "512M")
        self.offers("capsule-run --ram=", "512M")
        self.offers("capsule-run --fresh=", "yes", "no")
        self.offers("capsule-run --profile=m", "mine")
        self.offers("capsule-run --bind=ta", "task.py")
        self.offers("capsule-run --require=pid,cg", "pid,cgroup")
        self.offers("capsule-run --require pid,cg", "pid,cgroup")

    def test_is_registered(self):
        done = subprocess.run(["bash", "--norc", "--noprofile", "-c", 'source "$0"; complete -p capsule-run',
                               os.path.join(HERE, "capsule-run.bash")], stdout=subprocess.PIPE, text=True)
        self.assertEqual(done.stdout, "complete -F _capsule_run capsule-run\n")


class Fish(Questions, Shells):
    shell = "fish"

    def complete(self, line):
        done = subprocess.run(["fish", "--no-config", "-c", 'source $argv[1]; complete -C $argv[2]',
                               os.path.join(HERE, "capsule-run.fish"), line], env=self.env, cwd=self.tmp,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=harness.PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (0, ""), line)
        found = [entry.split("\t")[0] for entry in done.stdout.splitlines()]
        return found + [word.rstrip("=") for word in found]

    def test_attached_values(self):
        self.offers("capsule-run --ram=5", "--ram=512M")
        self.offers("capsule-run --require pid,cg", "pid,cgroup")


class Zsh(Questions, Shells):
    """A real one at a terminal, which writes down what it adds as candidates."""

    shell = "zsh"

    def setUp(self):
        super().setUp()
        self.found = self.path("found")
        with open(os.path.join(HERE, "_capsule-run")) as f:
            self.write("functions/_capsule-run", f.read())
        self.write(".zshrc", r"""
            fpath=($HOME/functions $fpath)
            autoload -Uz compinit && compinit -u -D
            PROMPT='ready> ' RPROMPT= LISTMAX=0
            unsetopt AUTO_LIST AUTO_MENU ZLE_BRACKETED_PASTE
            compadd() {
                local -a found
                [[ $* == *-[OAD]\ * ]] || { builtin compadd -O found "$@"; print -rl -- $found >>$HOME/found }
                builtin compadd "$@"
            }
            show() { zle complete-word; BUFFER=; print -r -- "done" >>$HOME/found }
            zle -N show
            bindkey '^T' show
            """)
        pid, self.fd = pty.fork()
        if pid == 0:
            os.chdir(self.tmp)
            os.execvpe("zsh", ["zsh", "-d", "-i"], dict(self.env, ZDOTDIR=self.tmp))
        self.addCleanup(self.end, pid)
        seen, end = b"", time.monotonic() + harness.PATIENCE
        while b"ready> " not in seen:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                self.fail("zsh shows no prompt: %r" % seen)
            seen += os.read(self.fd, 4096)

    def end(self, pid):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(self.fd)

    def ended(self):
        while select.select([self.fd], [], [], 0)[0]:
            os.read(self.fd, 4096)
        return os.path.exists(self.found) and self.read("found").endswith("done\n")

    def complete(self, line):
        if os.path.exists(self.found):
            os.unlink(self.found)
        os.write(self.fd, line.encode() + b"\x14")
        harness.wait_until(self.ended, "zsh's answer to " + line)
        found = self.read("found").split("\n")[:-2]
        # Names of files are added without their directory and without the slash behind them.
        base = line.split(" ")[-1].rpartition("/")
        return found + [base[0] + base[1] + name for name in found] + [
            name + "/" for name in found if os.path.isdir(self.path(name))]


del Shells, Questions

if __name__ == "__main__":
    unittest.main()
