"""What --runtime closure and --filter strict take away. Each control runs inside the default sandbox."""

OPTIONS = ("--runtime", "closure", "--filter", "strict")


def run_it(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return "ran %s" % argv[0] if done.returncode == 0 else None


@probe("ENOENT", control="default")
def run_a_shell(canary):
    return run_it("/bin/sh", "-c", "exit 0")


@probe("ENOENT", control="default")
def run_coreutils(canary):
    return first_success(lambda: run_it("/bin/true"), lambda: run_it("/usr/bin/env"), lambda: run_it("/bin/ls"))


@probe("nothing", control="default")
def find_other_programs(canary):
    """Everything executable but Python's own, wherever it may be."""
    found = []
    for place in ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/games", "/usr/libexec"):
        try:
            found += [n for n in os.listdir(place) if not n.startswith("python")]
        except OSError:
            pass
    return found[:5]


@probe("ENOENT", control="default")
def look_for_what_is_installed(canary):
    return first_success(*[lambda p=p: os.listdir(p)[0] for p in ("/usr/share/doc", "/usr/include", "/usr/share/perl",
                                                                  "/usr/lib/gcc", "/usr/libexec", "/usr/src")])


@probe("ENOENT", control="default")
def find_every_library(canary):
    """Whatever the dynamic linker could find on the host is there, also what no module needs."""
    with open("/etc/ld.so.cache", "rb") as f:
        words = f.read().split(b"\0")
    libraries = [w for w in words if w.startswith((b"/lib/", b"/usr/lib/")) and b".so" in w]
    for path in libraries:
        os.stat(path)
    return "%d libraries" % len(libraries)


def listen_on(family, *address):
    with socket.socket(family) as s:
        s.bind(*address)
        s.listen()
        return "listening"


@probe("EPERM", control="default")
def serve_on_loopback(canary):
    return first_success(lambda: listen_on(socket.AF_INET, ("127.0.0.1", 0)), lambda: listen_on(socket.AF_INET6, ("::1", 0)))


@probe("EPERM", control="default")
def udp_socket(canary):
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM) and "socket"


@probe("EPERM", control="default")
def route_netlink(canary):
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) and "socket"


@probe("EPERM", control="default")
def unix_datagrams(canary):
    return first_success(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) and "socket",
                         lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) and "pair")


@probe("EPERM", control="default")
def packet_filter_on_a_socket(canary):
    """A program for the kernel's compiler: SO_ATTACH_FILTER, one instruction that accepts all."""
    a, b = socket.socketpair()
    code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0xffff))
    a.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HL", 1, ctypes.addressof(code)))
    return "attached"


@probe("EPERM", control="default")
def out_of_band_on_a_unix_socket(canary):
    a, b = socket.socketpair()
    try:
        return a.send(b"x", socket.MSG_OOB) and "sent"
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            raise Undecided("this kernel has no such bytes")
        raise


@probe("EPERM", control="default")
def make_a_terminal(canary):
    return os.openpty() and "terminal"


@probe("EPERM", control="default")
def watch_shared_files(canary):
    return call(294 if X86_64 else 26, 0) >= 0 and "inotify"


@probe("EPERM", control="default")
def leave_a_fifo(canary):
    name = "fifo-%d" % os.getpid()
    os.mkfifo(name)
    os.unlink(name)
    return "fifo"


@probe("EPERM", control="default")
def lock_with_priority_inheritance(canary):
    """FUTEX_LOCK_PI of one's own word."""
    word = ctypes.c_uint(0)
    return call(202 if X86_64 else 98, ctypes.addressof(word), 6 | 128, 0, 0) == 0 and "locked"


@probe("EPERM", control="default")
def move_pages_between_files_and_pipes(canary):
    r, w = os.pipe()
    with open("/etc/passwd", "rb") as f:
        return call(275 if X86_64 else 76, f.fileno(), None, w, None, 16, 0) > 0 and "spliced"


@probe("EPERM", control="default")
def posix_timer(canary):
    timer = ctypes.c_int()
    return call(222 if X86_64 else 107, 0, None, ctypes.addressof(timer)) == 0 and "timer"


@probe("EPERM", control="default")
def move_to_another_processor(canary):
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    return "moved"


@probe("EPERM", control="default")
def run_a_program_by_descriptor(canary):
    def child():
        fd = os.open(sys.executable, os.O_RDONLY)
        os.execve(fd, [sys.executable, "-c", "import os; os._exit(0)"], {})
    pid = os.fork()
    if pid == 0:
        try:
            child()
        except OSError as error:
            os._exit(error.errno)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise OSError(code, os.strerror(code))
    return "ran"
