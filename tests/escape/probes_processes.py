"""Other processes of the caller's, and our own init: neither seen, nor read, nor signalled, nor changed."""


@probe("nothing", canary="process")
def see_it(canary):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                if b"capsule-canary-process" in f.read().split(b"\0"):
                    return "pid " + pid
        except OSError:
            pass


@probe("ENOENT", canary="process")
def read_its_environment(canary):
    with open("/proc/%d/environ" % canary["pid"], "rb") as f:
        return "SECRET" if b"CANARY" in f.read() else None


@probe("ESRCH", canary="process")
def signal_it(canary):
    os.kill(canary["pid"], 0)
    return "signalled"


@probe(("nothing", "EPERM", "ESRCH"), canary="process", host_check="process_lives", control=None,
       no_control="outside it would kill everything that this user runs")
def kill_everybody(canary):
    def child():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.kill(-1, signal.SIGCONT)
        return None
    return in_child(child)


@probe(("ESRCH", "EPERM"), canary="process")
def open_it_by_pidfd(canary):
    call("pidfd_open", canary["pid"], 0)
    return "pidfd"


@probe(("EPERM", "ESRCH"), canary="process", control="root")
def trace_it(canary):
    call("ptrace", 0x4206, canary["pid"], 0, 0)  # PTRACE_SEIZE: our end lets go of it
    return "attached"


@probe(("EPERM", "ENOENT", "ESRCH"), canary="process", control="root")
def read_its_memory(canary):
    with open("/proc/%d/maps" % canary["pid"]) as f:
        start = int(f.readline().split("-")[0], 16)
    buffer = ctypes.create_string_buffer(16)
    local, remote = struct.pack("PP", ctypes.addressof(buffer), 16), struct.pack("PP", start, 16)
    call("process_vm_readv", canary["pid"], local, 1, remote, 1, 0)
    return "read %r" % buffer.raw[:4]


@probe(("EPERM", "ENOENT", "ESRCH"), canary="process", control="root")
def enter_its_namespaces(canary):
    def child():
        for kind in ("mnt", "net", "user", "pid"):
            try:
                fd = os.open("/proc/%d/ns/%s" % (canary["pid"], kind), os.O_RDONLY)
                call("setns", fd, 0)
                return kind
            except OSError as error:
                last = error
        raise last
    return in_child(child)


@probe(("EPERM", "ESRCH"), canary="process", control="root")
def take_a_descriptor_from_it(canary):
    def from_pid(pid):
        fd = call("pidfd_open", pid, 0)
        return "took %d" % call("pidfd_getfd", fd, 1, 0)
    return first_success(lambda: from_pid(canary["pid"]), lambda: from_pid(1))


@probe("EPERM", canary="process", control="root")
def compare_kernel_objects(canary):
    call("kcmp", os.getpid(), os.getpid(), 0, 0, 0)
    return "kcmp answers"


@probe(("EPERM", "ESRCH"), canary="process")
def change_its_limits(canary):
    # Outside it is the canary, inside PID 1: both have our uid.
    victim = 1 if os.getppid() == 1 and os.getpid() == 2 else canary["pid"]
    old = ctypes.create_string_buffer(16)
    call("prlimit64", victim, 7, None, old)
    return "limits of %d" % victim


@probe(("EPERM", "ESRCH"), canary="process", control=None, no_control="PID 1 of the host must not be touched")
def write_limits_of_init(canary):
    call("prlimit64", 1, 7, struct.pack("QQ", 3, 3), None)
    return "changed"


@probe(("EACCES", "EPERM", "ENOENT", "nothing"))
def look_into_the_parent(canary):
    """Inside, that is our own init."""
    def attempt(name):
        with open("/proc/%d/%s" % (os.getppid(), name), "rb") as f:
            return name if f.read(16) else None
    return first_success(*[lambda n=n: attempt(n) for n in ("environ", "mem", "maps", "auxv", "stack", "syscall", "io", "pagemap")])


@probe(("EACCES", "EPERM", "ENOENT", "nothing"))
def follow_links_of_the_parent(canary):
    def attempt(name):
        return os.readlink("/proc/%d/%s" % (os.getppid(), name))
    return first_success(*[lambda n=n: attempt(n) for n in ("exe", "cwd", "root", "fd/0", "ns/mnt", "fd/3")])


@probe("nothing", canary="environment")
def find_the_callers_environment(canary):
    value = b"CANARY-VALUE"
    if value in b"\0".join(os.environb.values()):
        return "in our environment"
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as f:
                if value in f.read():
                    return "in /proc/%s/environ" % pid
        except OSError:
            pass


@probe("nothing", canary="environment")
def find_the_callers_environment_in_memory(canary):
    """The initial stack, and every mapping that was there before the program."""
    value = b"CANARY" + b"-VALUE"
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            if "[stack]" in line:
                start, end = (int(x, 16) for x in line.split()[0].split("-"))
                memory.seek(start)
                if b"CAPSULE_CANARY=" + value in memory.read(end - start):
                    return "on the stack"


@probe("nothing")
def see_the_callers_command_line(canary):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) in (os.getpid(),):
            continue
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                if b"run.py" in f.read() or b"--dir" in f.read():
                    return "pid " + pid
        except OSError:
            pass


@probe("nothing")
def be_in_the_callers_session(canary):
    """Outside the control is no session leader of pid 2."""
    if os.getpid() != 2 or os.getsid(0) != os.getpid() or os.getpgrp() != os.getpid():
        return "session %d, group %d" % (os.getsid(0), os.getpgrp())


@probe(("EPERM", "ENOKEY", "EACCES", "ENOSYS"), canary="keyring")
def read_the_callers_keyring(canary):
    buffer = ctypes.create_string_buffer(64)

    def by_serial():
        n = call("keyctl", 11, canary["key"], buffer, 64)
        return buffer.raw[:n].decode()

    def by_name():
        return "found %d" % call("request_key", b"user", b"capsule-canary", None, 0)

    return first_success(by_serial, by_name)


@probe(("EPERM", "ENOSYS"))
def use_keyrings(canary):
    return "key %d" % call("add_key", b"user", b"capsule-probe", b"x", 1, -2)


@probe(("EPERM", "EACCES"), control="root")
def run_in_real_time(canary):
    return first_success(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)) or "real time",
                         lambda: os.setpriority(os.PRIO_PROCESS, 0, -5) or "priority")


@probe("nothing", control="root")
def raise_a_hard_limit(canary):
    import resource
    raised = []
    for name in ("NOFILE", "FSIZE", "CORE", "NPROC", "MEMLOCK", "MSGQUEUE", "RTPRIO", "NICE", "SIGPENDING"):
        number = getattr(resource, "RLIMIT_" + name, None)
        if number is None:
            continue
        soft, hard = resource.getrlimit(number)
        if hard == resource.RLIM_INFINITY:
            if name in ("CORE",):
                raised.append(name + " is open")
            continue
        try:
            resource.setrlimit(number, (soft, hard + 1))
            raised.append(name)
        except (OSError, ValueError):
            pass
    return raised


@probe("nothing", control="root")
def have_capabilities(canary):
    with open("/proc/self/status") as f:
        fields = dict(line.split(":\t", 1) for line in f if ":\t" in line)
    held = [name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(fields[name], 16)]
    if held or fields["NoNewPrivs"].strip() != "1" or fields["Seccomp"].strip() != "2":
        return "%s, no_new_privs %s, seccomp %s" % (held, fields["NoNewPrivs"].strip(), fields["Seccomp"].strip())


@probe(("EPERM", "EINVAL"), control="root")
def become_somebody_else(canary):
    def child(function):
        return in_child(lambda: function() or "became")
    return first_success(lambda: child(lambda: os.setresuid(0, 0, 0)), lambda: child(lambda: os.setresuid(64999, 64999, 64999)),
                         lambda: child(lambda: os.setgroups([0])), lambda: child(lambda: os.setresgid(0, 0, 0)))
