"""Set-id bits: none comes to lie on the host, none of the host's gives another uid."""

MODES = (0o4755, 0o2755, 0o6777)


def made_with(function):
    """Evidence when a file or directory with a set-id bit lies here afterwards."""
    def attempt(mode):
        name = "made-%o" % mode
        function(name, mode)
        bits = os.lstat(name).st_mode & 0o6000
        if bits:
            return "%s has mode %o" % (name, os.lstat(name).st_mode)
    return first_success(*[lambda m=m: attempt(m) for m in MODES])


def existing(name):
    os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o700))
    return name


@probe("EPERM", host_check="no_set_id_files")
def chmod(canary):
    return made_with(lambda name, mode: os.chmod(existing(name), mode))


@probe("EPERM", host_check="no_set_id_files")
def fchmod(canary):
    return made_with(lambda name, mode: os.fchmod(os.open(existing(name), os.O_RDONLY), mode))


@probe("EPERM", host_check="no_set_id_files")
def fchmodat(canary):
    return made_with(lambda name, mode: call("fchmodat", -100, existing(name).encode(), mode))


@probe("EPERM", host_check="no_set_id_files")
def fchmodat_with_high_bits(canary):
    """The kernel looks at 16 bits of a mode, a filter must not look at fewer or more."""
    return made_with(lambda name, mode: call("fchmodat", -100, existing(name).encode(), mode | 0xabcd << 32 | 0x10000))


@probe(("ENOSYS", "EPERM"), host_check="no_set_id_files")
def fchmodat2(canary):
    try:
        return made_with(lambda name, mode: call("fchmodat2", -100, existing(name).encode(), mode, 0))
    except Contained as how:
        if os.getppid() != 1 and "ENOSYS" in str(how):
            raise Undecided("this kernel has no fchmodat2")
        raise


@probe("EPERM", host_check="no_set_id_files")
def open_and_create(canary):
    return made_with(lambda name, mode: os.close(os.open(name, os.O_CREAT | os.O_WRONLY, mode)))


@probe("EPERM", host_check="no_set_id_files")
def openat_and_create(canary):
    return made_with(lambda name, mode: call("openat", -100, name.encode(), os.O_CREAT | os.O_WRONLY, mode))


@probe("ENOSYS", host_check="no_set_id_files")
def openat2_and_create(canary):
    def make(name, mode):
        how = struct.pack("QQQ", os.O_CREAT | os.O_WRONLY, mode, 0)
        os.close(call("openat2", -100, name.encode(), how, len(how)))
    return made_with(make)


@probe("EPERM", host_check="no_set_id_files")
def temporary_file_that_gets_a_name(canary):
    def make(name, mode):
        fd = os.open(".", os.O_TMPFILE | os.O_RDWR, mode)
        if LIBC.linkat(-100, b"/proc/self/fd/%d" % fd, -100, name.encode(), 0x400) != 0:
            raise OSError(ctypes.get_errno(), "linkat")
    return made_with(make)


@probe("EPERM", host_check="no_set_id_files")
def mknod_regular(canary):
    return made_with(lambda name, mode: os.mknod(name, stat.S_IFREG | mode))


@probe("EPERM", host_check="no_set_id_files")
def mknod_fifo(canary):
    return made_with(lambda name, mode: os.mkfifo(name, mode))


@probe("EPERM", host_check="no_set_id_files")
def mknodat_without_a_type(canary):
    return made_with(lambda name, mode: call("mknodat", -100, name.encode(), mode, 0))


@probe("nothing", host_check="no_set_id_files", no_control="the kernel itself drops set-id bits from a mkdir's mode")
def mkdir(canary):
    for mode in MODES:
        os.mkdir("dir-%o" % mode, mode)
        if os.lstat("dir-%o" % mode).st_mode & 0o6000:
            return "directory has the bits"


@probe("EPERM", host_check="no_set_id_files")
def chmod_of_a_directory(canary):
    os.mkdir("shared")
    os.chmod("shared", 0o2770)
    return oct(os.lstat("shared").st_mode) if os.lstat("shared").st_mode & 0o2000 else None


@probe("EPERM", host_check="no_set_id_files")
def creat(canary):
    if not X86_64:
        raise Undecided("aarch64 has no creat")
    return made_with(lambda name, mode: os.close(call(85, name.encode(), mode)))


def gains_a_uid(path):
    """The program, with an argument that makes it end by itself; seen once with another effective uid."""
    devices = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in range(3)]
    pid = os.posix_spawn(path, [path, "--help"], {}, file_actions=devices)
    try:
        # A program that has ended keeps its uids until it is waited for; one that sheds them first is too fast for us.
        with open("/proc/%d/status" % pid) as f:
            return int(f.read().split("Uid:")[1].split()[1]) != os.getuid()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@probe("nothing", control="user")
def run_a_set_uid_program(canary):
    programs = [path for path in ("/usr/bin/su", "/usr/bin/passwd", "/usr/bin/newgrp", "/usr/bin/chsh", "/usr/bin/gpasswd",
                                  "/usr/bin/mount", "/usr/bin/sudo") if os.path.exists(path) and os.stat(path).st_mode & stat.S_ISUID]
    if not programs:
        raise Undecided("no set-uid program here")
    for _ in range(10):
        for path in programs:
            try:
                if gains_a_uid(path):
                    return path
            except OSError as error:
                if error.errno != errno.ESRCH:
                    raise


@probe("nothing", control="user")
def privileges_can_be_gained(canary):
    with open("/proc/self/status") as f:
        status = f.read()
    if "NoNewPrivs:\t0" in status:
        return "no_new_privs is off"
