"""What a task sees of the machine, and what it does not."""
import os
import socket
import subprocess
import unittest

import harness


class Identity(harness.Case):
    def test_uid_and_gid(self):
        self.says("import os; print(os.getresuid(), os.getresgid())", "(1000, 1000, 1000) (1000, 1000, 1000)")

    @harness.only_root
    def test_groups_are_shed(self):
        result = self.check(self.run_capsule("-q", "-c", "import os; print(os.getgroups())", verdict=True,
                                             preexec_fn=lambda: os.setgroups([4, 27])))
        self.assertEqual(result.out, "[]\n")
        self.assertTrue(result.verdict["ids"]["groups_shed"])

    @harness.only_user
    def test_ordinary_user_keeps_his_own_host_uid(self):
        verdict = self.check(self.run_capsule("-q", "-c", "pass", verdict=True)).verdict
        self.assertEqual(verdict["ids"]["host_uid"], os.getuid())
        self.assertFalse(verdict["ids"]["groups_shed"])

    @harness.only_root
    def test_root_gives_a_uid_of_no_account(self):
        import pwd
        uid = harness.task_uid()
        self.assertNotIn(uid, [0, 65534] + [entry.pw_uid for entry in pwd.getpwall()])

    def test_accounts(self):
        self.says("import pwd, grp, getpass, os; print(pwd.getpwuid(os.getuid()).pw_dir, grp.getgrgid(1000).gr_name,"
                  "getpass.getuser(), len(pwd.getpwall()))", "/tmp/agent_sandbox agent agent 3")

    def test_host_name(self):
        self.says("import socket; print(socket.gethostname())", "capsule")

    def test_session_of_its_own(self):
        self.says("import os; print(os.getsid(0) == os.getpid() == os.getpgrp(), os.getppid())", "True 1")

    def test_umask_and_nice(self):
        result = self.check(self.run_capsule("-q", "-c", "import os; print(oct(os.umask(0)), os.nice(0))",
                                             preexec_fn=lambda: os.umask(0o077)))
        self.assertEqual(result.out, "0o22 %d\n" % max(os.nice(0), 0))

    @harness.only_root
    def test_negative_nice_is_reset(self):
        result = self.check(self.run_capsule("-q", "-c", "import os; print(os.nice(0))",
                                             preexec_fn=lambda: os.nice(-5 - os.nice(0))))
        self.assertEqual(result.out, "0\n")


class Environment(harness.Case):
    OWN = {"HOME": harness.GUEST_DIR, "TMPDIR": harness.GUEST_DIR, "LANG": "C.UTF-8", "USER": "agent"}

    def seen(self, *opts, env=None):
        result = self.check(self.run_capsule("-q", *opts, "--exec", "--", "env", "-0", env=env))
        return dict(entry.split("=", 1) for entry in result.out.rstrip("\0").split("\0"))

    def test_built_from_nothing(self):
        env = dict(os.environ, SECRET_TOKEN="x", LD_PRELOAD="", LD_LIBRARY_PATH="/tmp", PYTHONPATH="/tmp",
                   PYTHONSTARTUP="/tmp/x", BASH_ENV="/tmp/x", HOME="/root", TMPDIR="/var/tmp", LC_ALL="C")
        seen = self.seen(env=env)
        self.assertLessEqual(set(seen), set(self.OWN) | {"PATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                                                         "MKL_NUM_THREADS"})
        self.assertLessEqual(self.OWN.items(), seen.items())
        self.assertEqual(seen["PATH"], "/usr/local/bin:/usr/bin:/bin")

    def test_pass_one(self):
        env = dict(os.environ, PASS_ME="a=b c", NOT_ME="1")
        seen = self.seen("--env", "PASS_ME", env=env)
        self.assertEqual(seen["PASS_ME"], "a=b c")
        self.assertNotIn("NOT_ME", seen)

    def test_set_one(self):
        seen = self.seen("-e", "A=1", "-e", "B=x=y", "-e", "C=", "-e", "A=2")
        self.assertEqual((seen["B"], seen["C"], seen["A"]), ("x=y", "", "2"))

    def test_replace_one_of_ours(self):
        self.assertEqual(self.seen("-e", "LANG=de_DE.UTF-8", "-e", "HOME=/x")["LANG"], "de_DE.UTF-8")

    def test_empty_environment_of_the_caller(self):
        self.assertEqual(self.seen(env={})["HOME"], harness.GUEST_DIR)

    def test_thread_pools_follow_the_cores(self):
        cores = str(len(os.sched_getaffinity(0)))
        seen = self.seen()
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            self.assertEqual(seen[name], cores)


class Directory(harness.Case):
    def test_working_directory_home_and_temporary_files(self):
        self.says("import os, tempfile; print(os.getcwd(), os.path.expanduser('~'), tempfile.gettempdir())",
                  " ".join([harness.GUEST_DIR] * 3))

    def test_files_are_the_callers(self):
        self.write("sandbox/in.txt", "input")
        self.check_task("open('out.txt', 'w').write(open('in.txt').read() + ' seen')")
        self.assertEqual(self.read("sandbox/out.txt"), "input seen")
        owner = os.stat(self.path("sandbox/out.txt"))
        self.assertEqual(owner.st_uid, harness.task_uid())
        self.assertNotEqual(owner.st_uid, 0)

    def test_nothing_else_is_writable(self):
        self.says("""
            import os
            allowed = {"/tmp/agent_sandbox", "/dev/shm"}
            found = []
            for root, dirs, files in os.walk("/"):
                if root in ("/proc", "/dev/pts") or root in allowed:
                    dirs[:] = []
                    continue
                if os.access(root, os.W_OK):
                    found.append(root)
                if root == "/usr": dirs[:] = ["bin", "lib"]
                if root in ("/usr/bin", "/usr/lib"): dirs[:] = []
            print(found)
            """, "[]")

    def test_top_of_the_tree(self):
        result = self.check_task("import os; print(sorted(os.listdir('/')))")
        self.assertLessEqual(set(eval(result.out)) - {"lib32", "lib64", "libx32", "sbin", "work", "root", "home", "opt"},
                             {"bin", "dev", "etc", "lib", "proc", "task", "tmp", "usr", "var"})

    def test_with_the_systems_python_nothing_of_home(self):
        result = self.check(self.run_capsule("-q", "--python", harness.system_python(), "-c",
                                             "import os; print(sorted(os.listdir('/')))"))
        self.assertFalse({"root", "home", "sys", "run", "mnt", "media", "srv", "boot", "opt"} & set(eval(result.out)))

    def test_usr_is_read_only(self):
        self.says("""
            import errno
            for path in ("/usr/x", "/usr/lib/x", "/etc/x", "/x", "/task/x", "/tmp/x", "/var/x", "/dev/x", "/bin/x"):
                try: open(path, "w")
                except OSError as e: print(errno.errorcode[e.errno], end=" ")
            print()
            """, "EROFS " * 9)

    def test_mount_flags(self):
        result = self.check(self.run_capsule("-q", "--exec", "--", "cat", "/proc/self/mountinfo"))
        for line in result.out.splitlines():
            fields = line.split()
            options = set(fields[5].split(","))
            if fields[4].startswith("/dev/") and fields[4] not in ("/dev/shm", "/dev/pts"):
                continue  # device nodes
            self.assertIn("nosuid", options, line)
            if fields[4] not in (harness.GUEST_DIR, "/dev/shm", "/dev/pts", "/proc"):
                self.assertIn("ro", options, line)


class SystemFiles(harness.Case):
    def test_etc(self):
        result = self.check_task("import os; print('\\n'.join(sorted(os.listdir('/etc'))))")
        names = set(result.out.split())
        self.assertLessEqual({"passwd", "group", "hosts", "nsswitch.conf", "resolv.conf"}, names)
        self.assertFalse(names & {"shadow", "gshadow", "sudoers", "machine-id", "hostname", "fstab", "ssh", "environment"})

    def test_resolver_asks_nobody(self):
        self.says("print([l for l in open('/etc/resolv.conf') if l.startswith('nameserver')])", "[]")

    def test_names(self):
        self.says("""
            import socket
            print(socket.gethostbyname("localhost"), socket.gethostbyname("capsule"))
            try: socket.gethostbyname("example.com")
            except OSError as e: print(type(e).__name__)
            """, "127.0.0.1 127.0.0.1\ngaierror")

    @unittest.skipUnless(os.path.exists("/etc/services"), "no /etc/services here")
    def test_services(self):
        self.says("import socket; print(socket.getservbyname('http'))", "80")

    def test_devices(self):
        self.says("import os; print(*sorted(os.listdir('/dev')))",
                  "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero")

    def test_devices_work(self):
        self.says("""
            import errno, os, pty
            open("/dev/null", "w").write("x")
            print(len(open("/dev/urandom", "rb").read(8)), open("/dev/zero", "rb").read(2), end=" ")
            try: os.write(os.open("/dev/full", os.O_WRONLY), b"x")
            except OSError as e: print(errno.errorcode[e.errno], end=" ")
            try: open("/dev/tty")
            except OSError as e: print(errno.errorcode[e.errno], end=" ")
            master, slave = pty.openpty()
            os.write(slave, b"hello"); print(os.read(master, 5), os.ttyname(slave))
            """, "8 b'\\x00\\x00' ENOSPC ENXIO b'hello' /dev/pts/0")

    def test_proc_is_its_own(self):
        self.says("import os; print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()), os.getpid())", "[1, 2] 2")

    def test_masked_proc(self):
        self.says("""
            import os
            bad = []
            for name in ("cmdline", "interrupts", "kallsyms", "kcore", "key-users", "keys", "kmsg", "latency_stats",
                         "modules", "sched_debug", "sysrq-trigger", "timer_list"):
                try:
                    if open("/proc/" + name, "rb").read(1): bad.append(name)
                except OSError: pass
            for name in ("acpi", "asound", "bus", "scsi"):
                try:
                    if os.listdir("/proc/" + name): bad.append(name)
                except OSError: pass
            print(bad)
            """, "[]")

    def test_no_file_of_proc_sys_is_writable(self):
        self.says("""
            import os
            bad = []
            for root, dirs, files in os.walk("/proc/sys"):
                for name in files:
                    path = os.path.join(root, name)
                    try: os.close(os.open(path, os.O_WRONLY)); bad.append(path)
                    except OSError: pass
            print(bad)
            """, "[]")

    def test_time_zone_is_the_hosts(self):
        env = {k: v for k, v in os.environ.items() if k != "TZ"}
        plain = subprocess.run(["date", "-d", "@0", "+%H:%M"], env=env, stdout=subprocess.PIPE).stdout
        result = self.check(self.run_capsule("-q", "--exec", "--", "date", "-d", "@0", "+%H:%M"))
        self.assertEqual(result.out.encode(), plain)


class Network(harness.Case):
    def test_only_loopback(self):
        self.says("import socket; print(socket.if_nameindex())", "[(1, 'lo')]")

    def test_loopback_works(self):
        self.says("""
            import socket, threading
            for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                server = socket.socket(family)
                server.bind((host, 0)); server.listen()
                threading.Thread(target=lambda: server.accept()[0].sendall(b"hello")).start()
                print(socket.create_connection(server.getsockname()[:2]).recv(5))
            """, "b'hello'\nb'hello'")

    def test_no_route_leads_out(self):
        self.says("""
            import socket, errno
            for address in ("192.0.2.1", "169.254.169.254", "10.0.0.1"):
                s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                try: s.connect((address, 80))
                except OSError as e: print(errno.errorcode[e.errno], end=" ")
            print()
            """, "ENETUNREACH ENETUNREACH ENETUNREACH ")

    def test_abstract_sockets_are_apart(self):
        name = "\0capsule-test-%d" % os.getpid()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(name)
            server.listen()
            self.says("import socket\ntry: socket.socket(socket.AF_UNIX).connect(%r)\n"
                      "except OSError as e: print(type(e).__name__)" % name, "ConnectionRefusedError")


class Isolation(harness.Case):
    def test_capabilities_and_filter(self):
        result = self.check(self.run_capsule("-q", "--exec", "--", "cat", "/proc/self/status"))
        fields = dict(line.split(":\t", 1) for line in result.out.splitlines() if ":\t" in line)
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(fields[name], 16), 0, name)
        self.assertEqual((fields["NoNewPrivs"], fields["Seccomp"]), ("1", "2"))

    def test_pid_1_can_not_be_starved(self):
        """It has the task's uid, and a SIGKILL takes effect when its target runs."""
        code = """if 1:
            import os
            on_pid_1 = {
                "scheduler": lambda: os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0)),
                "parameters": lambda: os.sched_setparam(1, os.sched_param(0)),
                "affinity": lambda: os.sched_setaffinity(1, [min(os.sched_getaffinity(0))]),
                "nice": lambda: os.setpriority(os.PRIO_PROCESS, 1, 19),
                "nice of the user": lambda: os.setpriority(os.PRIO_USER, 1000, 19),
            }
            for name, call in on_pid_1.items():
                try: call(); print(name, "done")
                except OSError as e: print(name, e.errno)
            # The control: the same on itself.
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)); os.nice(1)
            os.sched_setaffinity(os.getpid(), [min(os.sched_getaffinity(0))])
            """
        result = self.check_task(code)
        self.assertEqual([line.rpartition(" ")[2] for line in result.out.splitlines()], ["1"] * 5, result.out)

    def test_huge_pages_are_refused(self):
        self.says("import mmap\nmmap.mmap(-1, 1 << 21)\ntry: mmap.mmap(-1, 1 << 21, flags=0x40022)\n"
                  "except OSError as e: print(e.errno)", "1")

    def test_namespaces_are_new(self):
        kinds = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
        code = "import os\nfor k in %r: print(k, os.readlink('/proc/self/ns/' + k))" % (kinds,)
        inside = dict(line.split(" ", 1) for line in self.check_task(code).out.splitlines())
        for kind in kinds:
            self.assertNotEqual(inside[kind], os.readlink("/proc/self/ns/" + kind), kind)

    def test_no_descriptor_is_inherited(self):
        read_fd, write_fd = os.pipe()
        high = os.dup2(read_fd, 200, inheritable=True)
        os.set_inheritable(write_fd, True)
        result = self.check(self.run_capsule("-q", "--exec", "--", "ls", "/proc/self/fd", close_fds=False))
        # 3 is ls's own look at the directory.
        self.assertEqual(result.out.split(), ["0", "1", "2", "3"])
        for fd in (read_fd, write_fd, high):
            os.close(fd)

    def test_standard_streams_are_pipes(self):
        """Never the caller's own files: they could be reopened, truncated, or typed into."""
        with open(self.path("out"), "w+") as out:
            self.check(self.run_capsule("-q", "-c", "import os, stat\nfor fd in (0, 1, 2): print(stat.S_ISFIFO(os.fstat(fd).st_mode),"
                                        "stat.S_ISCHR(os.fstat(fd).st_mode))", stdout=out, stdin="x"))
        self.assertEqual(self.read("out"), "True False\n" * 3)

    def test_two_runs_at_once(self):
        first = self.start("-q", "--pids", "20", "-c", "print('ready'); input(); print(open('x').read())",
                           stdin=subprocess.PIPE)
        self.assertEqual(first.stdout.readline(), b"ready\n")
        self.check_task("import os; print(os.getpid()); open('x', 'w').write('from the second')")
        out, _ = first.communicate(b"\n", harness.PATIENCE)
        self.assertEqual((first.returncode, out), (0, b"from the second\n"))


if __name__ == "__main__":
    unittest.main()
