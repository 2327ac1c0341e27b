"""Profiles: a file of values that is found, believed, merged and printed as the manual says."""
import os
import re
import struct
import unittest

import harness

VERSION = "capsule-run-profile 1\n"


def values(printed):
    """The lines of a printed policy without what their comments say."""
    return [re.sub(r"\s+# [^\"]*$", "", line) for line in printed.splitlines() if not line.startswith("#")]


class Profiles(harness.Case):
    def setUp(self):
        super().setUp()
        self.env = dict(os.environ, XDG_CONFIG_HOME=self.path("config"), HOME=self.tmp)

    def profile(self, name, text, mode=0o644):
        """A profile in the user's directory, by its name, or at a path."""
        return self.write(name if "/" in name else "config/capsule-run/profiles/%s.profile" % name, VERSION + text, mode)

    def run_with(self, *args, **kw):
        kw.setdefault("env", self.env)
        kw.setdefault("sandbox", False)
        return self.run_capsule(*args, **kw)

    def policy(self, *args, **kw):
        return self.check(self.run_with("--print-policy", *args, **kw)).out

    def test_a_profile_holds_a_task(self):
        self.profile("small", "ram = 64M\npids = 8\nenv = COLOUR=red\nfresh = yes\n")
        result = self.check(self.run_with("-q", "--profile", "small", "-c",
                                          "import os; print(os.environ['COLOUR'], os.listdir('.'))"))
        self.assertEqual(result.out, "red []\n")
        result = self.run_with("-q", "--profile", "small", "-c", "x = bytearray(500 << 20)")
        self.check(result, 137)

    def test_verdict_names_the_line(self):
        path = self.profile("small", "\n# c\nram = 64M\n")
        result = self.check(self.run_with("-q", "--profile", "small", "-c", "pass", sandbox=True, verdict=True))
        self.assertEqual(result.verdict["limits"]["ram"]["origin"], path + ":4")
        self.assertEqual(result.verdict["limits"]["pids"]["origin"], "default")

    def test_command_line_wins_wherever_it_stands(self):
        self.profile("one", "ram = 64M\npids = 9\n")
        for args in (("--profile", "one", "--ram", "128M"), ("--ram", "128M", "--profile", "one"), ("--ram=128M", "--profile=one")):
            printed = self.policy(*args)
            self.assertRegex(printed, r"(?m)^ram = 128M +# command line$")
            self.assertRegex(printed, r"(?m)^pids = 9 +# .*one.profile:3$")

    def test_later_profiles_win_and_lists_grow(self):
        self.profile("one", "ram = 64M\nfresh = yes\nenv = A=1\n")
        self.profile("two", "ram = 96M\nenv = B=2\n")
        printed = values(self.policy("--profile", "one", "--profile", "two", "-e", "C=3"))
        self.assertIn("ram = 96M", printed)
        self.assertIn("fresh = yes", printed)
        self.assertEqual([line for line in printed if line.startswith("env")], ["env = A=1", "env = B=2", "env = C=3"])
        self.assertIn("ram = 64M", values(self.policy("--profile", "two", "--profile", "one")))

    def test_a_flag_is_taken_back(self):
        self.profile("one", "fresh = yes\nno-stdin = yes\n")
        printed = values(self.policy("--profile", "one", "--fresh=no"))
        self.assertIn("fresh = no", printed)
        self.assertIn("no-stdin = yes", printed)

    def test_a_directory_said_later_wins(self):
        self.profile("one", "fresh = yes\n")
        printed = values(self.policy("--profile", "one", "--dir", self.dir))
        self.assertIn("fresh = no", printed)
        self.assertIn("dir = " + self.dir, printed)
        self.check(self.run_with("-q", "--profile", "one", "-c", "open('kept', 'w')", sandbox=True))
        self.assertTrue(os.path.exists(os.path.join(self.dir, "kept")))

    def test_a_printed_policy_reads_back(self):
        odd = ["A=blank at end ", "B=# no comment", "C=a\"b\\c", "D=two\nlines\ttab", "E='x'", "F=\x1b[2J", "G=ünïcode", "H= x",
               b"I=\xff\xfe", "J==", "K=$HOME ~ `x`"]
        args = ["--ram", "1.5G", "--timeout", "90s", "--fresh", "-n", "-q", "--bind", "/usr/share:/mnt/a b", "--require", "user",
                "--cpu-time", "1h", "--result", "fd:2", "--src", "/usr/share"]
        for value in odd:
            args += ["--env", value]
        first = self.run_with("--print-policy", *args, text=False).out
        self.write("printed", first)
        second = self.run_with("--print-policy", "--profile", "./printed", text=False).out
        self.assertEqual(values(first.decode()), values(second.decode()))
        self.assertNotIn(b"\x1b", first)
        result = self.check(self.run_with("--profile", "./printed", "--require", "pid", "-c",
                                          "import os; print([os.environb[k] for k in b'A B C D E F G H I J K'.split()])"))
        self.assertEqual(result.out, "%s\n" % [(value if isinstance(value, bytes) else value.encode())[2:] for value in odd])

    def test_a_default_that_is_printed_stays_a_default(self):
        self.write("printed", self.policy("--fresh"))
        self.check(self.run_with("-q", "--profile", "./printed", "-c", "pass"))
        # A lower hard limit is followed, as without a profile.
        done = self.run_with("-q", "--profile", "./printed", "-c", "import resource; print(resource.getrlimit(7)[1])",
                             prefix=["sh", "-c", 'ulimit -n 100; exec "$0" "$@"'])
        self.assertEqual(self.check(done).out, "100\n")

    def test_a_passed_variable_is_printed_without_its_value(self):
        printed = self.policy("--env", "TOKEN", env=dict(self.env, TOKEN="sesame"))
        self.assertIn("env = TOKEN ", printed)
        self.assertNotIn("sesame", printed)

    def test_errors_name_file_and_line(self):
        for text, where, words in (("ramm = 1G\n", ":2: ramm: no such option", ["did you mean ram?", "--help all"]),
                                   ("dir = ~/x\n", ":2: --dir ~/x: a ~ is not expanded", ["whole path"]),
                                   ("\nram = 1X\n", ":3: --ram 1X", ["accepted: ", "512M"]),
                                   ("ram = 1\n", ":2: --ram 1: out of range", ["4M"]),
                                   ("ram = 1G\nram = 1G\n", ":3: ram: given again", ["line 2"]),
                                   ("fresh = maybe\n", ":2: --fresh maybe", ["yes, no"]),
                                   ("profile = ci\n", ":2: profile: not in a profile", []),
                                   ("env = UNSET_HERE\n", ":2: --env UNSET_HERE", []),
                                   ("bind = x:y\n", ":2: --bind x:y", ["accepted: "]),
                                   ("require = magic\n", ":2: --require magic", ["cgroup"]),
                                   ("fresh = yes\ndir = /x\n", ":3: --fresh and --dir exclude each other", []),
                                   ("dir = \"x\n", ":2: the quoted value does not end", [])):
            path = self.profile("./p", text)
            self.refused(self.run_with("--profile", "./p", "-c", "print('ran')"), "./p" + where, *words, status=2)
            self.assertTrue(os.path.exists(path))

    def test_a_file_from_windows(self):
        path = self.path("p")
        with open(path, "wb") as f:
            f.write(b"capsule-run-profile 1\r\n# x\r\n\r\nram = 100M\r\nenv = \"A=b\"\r\n")
        printed = self.check(self.run_with("--profile", "./p", "--print-policy")).out
        self.assertIn("ram = 100M ", printed)
        self.assertIn("env = A=b ", printed)

    def test_errors_of_the_host_name_the_line_too(self):
        self.profile("./p", "\nbind = /usr/share\nbind = /not/there\n")
        self.refused(self.run_with("--fresh", "--profile", "./p", "-c", "1"), "./p:4: --bind /not/there: No such file", "must exist")
        self.profile("./p", "src = /not/there\n")
        self.refused(self.run_with("--fresh", "--profile", "./p", "-c", "1"), "./p:2: --src /not/there: No such file", "must exist")

    def test_what_is_no_profile(self):
        self.write("p", "ram = 1G\n")
        self.refused(self.run_with("--profile", "./p", "-c", "1"), "./p:1: no profile", "capsule-run-profile 1", status=2)
        self.write("p", VERSION.replace("1", "9"))
        self.refused(self.run_with("--profile", "./p", "-c", "1"), "version 9", status=2)
        self.write("p", VERSION.encode() + b"ram = 1G\0\n")
        self.refused(self.run_with("--profile", "./p", "-c", "1"), "./p:2: byte 0x00", status=2)
        self.write("p", VERSION + "#" * 70000)
        self.refused(self.run_with("--profile", "./p", "-c", "1"), "more than 65536 bytes", status=2)
        self.refused(self.run_with("--profile", ".", "-c", "1"), "not a profile's name", status=2)
        self.refused(self.run_with("--profile", "./", "-c", "1"), "not a regular file", status=2)
        self.refused(self.run_with("--profile", "./none", "-c", "1"), "No such file", status=2)
        self.refused(self.run_with("--profile", "none", "-c", "1"), "none: no profile of that name", "--list-profiles", status=2)
        os.mkfifo(self.path("fifo"))
        self.refused(self.run_with("--profile", "./fifo", "-c", "1"), "not a regular file", status=2)

    def test_what_others_can_change_is_not_believed(self):
        path = self.profile("mine", "ram = 64M\n", 0o646)
        self.refused(self.run_with("--profile", "mine", "-c", "1"), path, "others can write", "chmod go-w", status=2)
        os.chmod(path, 0o644)
        self.check(self.run_with("-q", "--fresh", "--profile", "mine", "-c", "1"))
        os.chmod(os.path.dirname(path), 0o777)
        self.refused(self.run_with("--profile", "mine", "-c", "1"), os.path.dirname(path) + ": others can write", status=2)
        os.chmod(os.path.dirname(path), 0o755)
        # It does not give way to what is found after it.
        path = self.profile("strict", "ram = 64M\n", 0o646)
        self.refused(self.run_with("--profile", "strict", "-c", "1"), path, "others can write", status=2)

    def test_a_shared_group_is_not_believed(self):
        path = self.profile("mine", "ram = 64M\n", 0o664)
        # The ordinary user of the tests has no account, so no group is known to be his alone.
        if harness.ROOT:
            os.chown(path, 0, 1)
        self.refused(self.run_with("--profile", "mine", "-c", "1"), "others can write", status=2)

    @harness.only_root
    def test_a_private_group_may_write(self):
        """As on systems where each user has a group and umask 002; root's is the one that is always there."""
        path = self.profile("mine", "ram = 64M\n", 0o664)
        os.chown(path, 0, 0)
        with open("/etc/group") as group, open("/etc/passwd") as passwd:
            shared = any(line.split(":")[2] == "0" and line.strip().split(":")[3] not in ("", "root") for line in group) or \
                sum(line.split(":")[3] == "0" for line in passwd) > 1
        if shared:
            self.skipTest("root's group has other members here")
        self.check(self.run_with("-q", "--fresh", "--profile", "mine", "-c", "1"))

    @harness.only_root
    def test_an_access_list_is_not_believed(self):
        path = self.profile("mine", "ram = 64M\n", 0o664)
        entries = ((0x01, 6, -1), (0x02, 6, 12345), (0x04, 4, -1), (0x10, 6, -1), (0x20, 4, -1))
        try:
            os.setxattr(path, "system.posix_acl_access",
                        struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries))
        except OSError as error:
            self.skipTest("no access lists in /tmp: %s" % error.strerror)
        self.refused(self.run_with("--profile", "mine", "-c", "1"), "others can write", status=2)

    @harness.only_root
    def test_a_stranger_is_not_believed(self):
        path = self.profile("mine", "ram = 64M\n")
        os.chown(path, 12345, 12345)
        self.refused(self.run_with("--profile", "mine", "-c", "1"), path, "uid 12345", status=2)
        os.chown(path, 0, 0)
        os.chown(os.path.dirname(path), 12345, 12345)
        self.refused(self.run_with("--profile", "mine", "-c", "1"), "uid 12345", status=2)

    @harness.only_user
    def test_root_is_believed(self):
        if os.stat("/etc/passwd").st_uid != 0:
            self.skipTest("/etc is not root's here")
        self.refused(self.run_with("--profile", "/etc/passwd", "-c", "1"), "/etc/passwd:1: no profile", status=2)

    def test_shipped_profiles(self):
        plain = values(self.policy())
        self.assertEqual(values(self.policy("--profile", "default")), plain)
        for name, wanted in (("strict", ["ram = 512M", "pids = 64", "timeout = 1m"]), ("ci", ["ram = 4G", "timeout = 1h"])):
            printed = values(self.policy("--profile", name))
            for line in wanted:
                self.assertIn(line, printed)
            self.check(self.run_with("-q", "--fresh", "--profile", name, "-c", "import json, subprocess"))

    def test_list(self):
        path = self.profile("mine", "# What I need.\n")
        shadow = self.profile("strict", "# Mine too.\n")
        broken = self.profile("broken", "junk\n")
        out = self.check(self.run_with("--list-profiles")).out
        self.assertRegex(out, r"(?m)^mine +%s\n +What I need\.$" % re.escape(path))
        self.assertRegex(out, r"(?m)^strict +%s\n +Mine too\.$" % re.escape(shadow))
        self.assertRegex(out, r"(?m)^strict +built in \(shadowed")
        self.assertRegex(out, r"(?m)^broken +%s\n +not usable: .*:2: not understood$" % re.escape(broken))
        for name in ("default", "ci"):
            self.assertRegex(out, r"(?m)^%s +built in\n +[A-Z].*\.$" % name)

    def test_nothing_is_read_unless_asked(self):
        harness.need("strace")
        self.profile("mine", "ram = 64M\n")
        trace = self.path("trace")
        self.check(self.run_with("--print-policy", prefix=["strace", "-f", "-e", "trace=open,openat,stat,lstat,newfstatat",
                                                           "-o", trace]))
        self.assertNotIn("profile", self.read("trace").replace(self.tmp, ""))
        self.check(self.run_with("--print-policy", "--profile", "mine",
                                 prefix=["strace", "-f", "-e", "trace=open,openat,stat,lstat,newfstatat", "-o", trace]))
        self.assertIn("mine.profile", self.read("trace"))


if __name__ == "__main__":
    unittest.main()
