"""The kernel's doors: namespaces, mounts, and the calls that exploits begin with."""

NEWNS, NEWUSER, NEWPID, NEWNET, NEWTIME, NEWCGROUP = 0x20000, 0x10000000, 0x20000000, 0x40000000, 0x80, 0x2000000


def can_clone(flags):
    def child():
        pid = call("clone", flags | 17, 0, 0, 0, 0)
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        return "clone(%#x)" % flags
    return in_child(child)


@probe("EPERM")
def unshare_a_user_namespace(canary):
    return in_child(lambda: call("unshare", NEWUSER) == 0 and "unshared")


@probe("EPERM")
def clone_a_user_namespace(canary):
    return can_clone(NEWUSER)


@probe("EPERM")
def clone_with_high_bits(canary):
    """The kernel takes 32 bits: a filter that compares 64 is passed by garbage above."""
    return first_success(lambda: can_clone(1 << 40 | NEWUSER), lambda: can_clone(0xdead << 32 | NEWUSER | NEWNS))


@probe("ENOSYS")
def clone3_a_user_namespace(canary):
    def child():
        args = struct.pack("8Q", NEWUSER, 0, 0, 0, 17, 0, 0, 0)
        pid = call("clone3", args, len(args))
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        return "clone3"
    return in_child(child)


@probe("EPERM", control="namespaces")
def every_other_namespace(canary):
    return first_success(*[lambda f=f: can_clone(f) for f in (NEWNS, NEWPID, NEWNET, NEWCGROUP, 0x4000000, 0x8000000)],
                         lambda: in_child(lambda: call("unshare", NEWTIME) == 0 and "time"))


@probe("EPERM", control="namespaces")
def mount_something(canary):
    os.makedirs("place", exist_ok=True)
    return first_success(lambda: call("mount", b"none", b"place", b"tmpfs", 0, None) == 0 and "tmpfs",
                         lambda: call("mount", b"/", b"place", None, 0x1000, None) == 0 and "bind",
                         lambda: call("mount", None, b"/usr", None, 0x20 | 0x1000, None) == 0 and "remount")


@probe("EPERM", control="namespaces")
def unmount_something(canary):
    def child():
        call("umount2", b"/proc", 2)
        return "unmounted /proc"
    return in_child(child)


@probe("ENOSYS", control="namespaces")
def new_mount_calls(canary):
    return first_success(lambda: "fsopen %d" % call("fsopen", b"tmpfs", 0),
                         lambda: "open_tree %d" % call("open_tree", -100, b"/", 1),
                         lambda: "fspick %d" % call("fspick", -100, b"/", 0),
                         lambda: call("mount_setattr", -100, b"/usr", 0, struct.pack("4Q", 0, 1, 0, 0), 32) == 0 and "setattr",
                         lambda: call("move_mount", -100, b"/usr", -100, b"/tmp", 0) == 0 and "moved")


@probe("EPERM", control="namespaces")
def change_the_root(canary):
    return in_child(lambda: call("chroot", b".") == 0 and "chroot")


@probe("ENOSYS")
def io_uring(canary):
    params = ctypes.create_string_buffer(120)
    try:
        os.close(call("io_uring_setup", 4, params))
    except OSError as error:
        if os.getppid() != 1 and error.errno in (errno.ENOSYS, errno.EPERM):
            raise Undecided("this kernel has no io_uring for users")
        raise
    return "ring"


@probe("EPERM", control="root")
def bpf(canary):
    attributes = struct.pack("IIIII", 1, 4, 4, 1, 0) + bytes(100)
    os.close(call("bpf", 0, attributes, len(attributes)))
    return "map"


@probe("EPERM", control="root")
def user_fault_descriptor(canary):
    try:
        os.close(call("userfaultfd", 0))
    except OSError as error:
        if os.getppid() != 1 and error.errno == errno.ENOSYS:
            raise Undecided("this kernel has no userfaultfd")
        raise
    return "userfaultfd"


@probe("EPERM", control="root")
def perf_event(canary):
    attributes = struct.pack("IIQ", 1, 112, 1) + bytes(96)
    try:
        os.close(call("perf_event_open", attributes, 0, -1, -1, 0))
    except OSError as error:
        if os.getppid() != 1 and error.errno in (errno.ENOSYS, errno.ENOENT, errno.EOPNOTSUPP):
            raise Undecided("this kernel has no perf events")
        raise
    return "event"


@probe("EPERM", control="root")
def read_the_kernels_log(canary):
    return "log of %d bytes" % call("syslog", 10, 0, 0)


@probe("EPERM")
def install_a_filter(canary):
    """SECCOMP_GET_ACTION_AVAIL: harmless, and the same call."""
    return "asked" if call("seccomp", 2, 0, struct.pack("I", 0x7fff0000)) == 0 else None


@probe("EPERM")
def trace_oneself(canary):
    return in_child(lambda: call("ptrace", 0, 0, 0, 0) == 0 and "traced")


@probe("EPERM")
def weaken_address_randomization(canary):
    return in_child(lambda: (call("personality", 0x0040000), "personality")[1])


@probe("EPERM")
def give_pages_to_a_pipe(canary):
    read_fd, write_fd = os.pipe()
    page = ctypes.create_string_buffer(16)
    return "vmsplice %d" % call(278 if X86_64 else 75, write_fd, struct.pack("PP", ctypes.addressof(page), 16), 1, 0)


@probe("EPERM")
def become_undumpable(canary):
    """Such a process hides its memory from whoever counts it."""
    def child():
        if LIBC.prctl(4, 0, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
        return "hidden"
    return in_child(child)


@probe("ENOSYS", control=None, no_control="outside, unknown numbers are ENOSYS as well: that is the promise")
def unknown_numbers(canary):
    for number in (467, 480, 500, 1023, 4096, 0x3fffffff):
        try:
            call(number)
            return "call %d" % number
        except OSError as error:
            last = error
            if error.errno != errno.ENOSYS:
                return "call %d: %s" % (number, errno.errorcode[error.errno])
    raise last


@probe("EPERM", control=None, no_control="outside, as root, they would do what they say")
def calls_about_the_machine(canary):
    for name, args in (("reboot", (0, 0, 0, None)), ("kexec_load", (0, 0, None, 0)), ("init_module", (None, 0, None)),
                       ("delete_module", (b"no-such-module", 0)), ("swapon", (b"/nonexistent", 0)),
                       ("swapoff", (b"/nonexistent",)), ("acct", (b"/nonexistent",)), ("settimeofday", (None, None)),
                       ("clock_settime", (0, None)), ("setdomainname", (b"x", 1)), ("vhangup", ()),
                       ("quotactl", (0, None, 0, None)), ("fanotify_init", (0, 0)), ("setns", (-1, 0)),
                       ("pivot_root", (b".", b"."))):
        try:
            call(name, *args)
            return name
        except OSError as error:
            last = error
            if error.errno != errno.EPERM:
                return "%s: %s" % (name, errno.errorcode[error.errno])
    raise last


@probe("EPERM", control="namespaces")
def change_the_host_name(canary):
    return "renamed" if call(170 if X86_64 else 161, b"probe", 5) == 0 else None


def helper(mode):
    out = subprocess.run(["./helper", mode], stdout=subprocess.PIPE)
    if out.returncode < 0:
        raise Contained(signal.Signals(-out.returncode).name)
    return "answered" if out.stdout.strip() == b"answered" else None


@probe(("SIGSYS", "SIGSEGV", "nothing"), canary="helper")
def calls_of_i386(canary):
    if not X86_64:
        raise Undecided("no other ABI here")
    try:
        found = helper("int80")
    except Contained:
        if os.getppid() != 1:
            raise Undecided("this kernel has no i386 calls")
        raise
    if not found and os.getppid() != 1:
        raise Undecided("this kernel has no i386 calls")
    return found


@probe(("SIGSYS", "nothing"), canary="helper", no_control="few kernels have the x32 ABI")
def calls_of_x32(canary):
    return helper("x32") if X86_64 else None


@probe(("EACCES", "EPERM", "EROFS", "ENOENT"), control="root")
def write_kernel_settings(canary):
    def attempt(path):
        os.close(os.open(path, os.O_WRONLY))
        return path
    return first_success(*[lambda p=p: attempt(p) for p in (
        "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger",
        "/proc/sys/fs/binfmt_misc/register", "/proc/sys/kernel/modprobe", "/proc/sys/net/ipv4/ip_forward",
        "/proc/sys/user/max_user_namespaces", "/proc/sys/kernel/ns_last_pid")])


@probe(("ENOENT", "EACCES", "nothing"), control="root")
def read_kernel_secrets(canary):
    def attempt(path):
        with open(path, "rb") as f:
            return path if f.read(1) else None
    return first_success(*[lambda p=p: attempt(p) for p in (
        "/proc/kcore", "/proc/kallsyms", "/proc/keys", "/proc/timer_list", "/proc/interrupts", "/proc/cmdline", "/proc/modules",
        "/proc/sched_debug", "/sys/kernel/notes", "/sys/kernel/debug", "/proc/kmsg")])


@probe(("ENOENT", "EACCES", "EROFS"), control="root")
def write_cgroups(canary):
    def attempt(path):
        os.mkdir(path)
        os.rmdir(path)
        return path
    return first_success(*[lambda p=p: attempt(p + "/capsule-probe") for p in (
        "/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified")])


@probe(("EACCES", "EPERM", "EROFS"), control="root")
def hide_from_the_oom_killer(canary):
    """With a score below the inherited one the kernel would kill others first."""
    fd = os.open("/proc/self/oom_score_adj", os.O_RDWR)
    old = int(os.read(fd, 16))
    try:
        os.pwrite(fd, b"%d" % (old - 1), 0)
    except OSError:
        if os.getppid() != 1:
            raise Undecided("root has no CAP_SYS_RESOURCE here")
        raise
    os.pwrite(fd, b"%d" % old, 0)
    return "lowered"
