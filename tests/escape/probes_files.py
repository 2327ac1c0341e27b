"""The host's files: neither read nor written, whatever path leads to them."""


@probe("ENOENT", canary="secret")
def read_a_file_of_the_caller(canary):
    with open(canary["secret"]) as f:
        return f.read()


@probe("ENOENT", canary="secret")
def read_through_dot_dot(canary):
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    for depth in range(1, 12):
        try:
            with open(os.open("../" * depth + canary["secret"].lstrip("/"), os.O_RDONLY, dir_fd=fd)) as f:
                return f.read()
        except OSError as error:
            last = error
    raise last


@probe("ENOENT", canary="secret")
def read_through_a_link(canary):
    os.symlink(canary["secret"], "link")
    with open("link") as f:
        return f.read()


@probe(("ENOENT", "EPERM", "EXDEV"), canary="secret")
def link_a_file_of_the_caller(canary):
    os.link(canary["secret"], "hard")
    with open("hard") as f:
        return f.read()


@probe(("ENOENT", "EACCES", "nothing"), canary="secret")
def read_through_proc_links(canary):
    def attempt(start):
        with open(start + canary["secret"]) as f:
            return f.read()
    pids = [p for p in os.listdir("/proc") if p.isdigit()] + ["self", "thread-self"]
    return first_success(*[lambda p=p, l=l: attempt("/proc/%s/%s" % (p, l)) for p in pids for l in ("root", "cwd", "cwd/../..")])


@probe(("EROFS", "ENOENT", "EACCES"), control="root")
def write_outside(canary):
    def attempt(place):
        path = os.path.join(place, "capsule-probe-%d" % os.getpid())
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.unlink(path)
        return path
    return first_success(*[lambda p=p: attempt(p) for p in ("/", "/usr", "/usr/lib", "/etc", "/var/tmp", "/tmp", "/task", "/run",
                                                            "/home", "/root", "/opt")])


@probe(("EROFS", "ENOENT", "EACCES"), canary="secret")
def write_beside_the_sandbox(canary):
    path = canary["place"] + "/capsule-probe"
    with open(path, "w") as f:
        f.write("x")
    os.unlink(path)
    return path


@probe(("EROFS", "EACCES", "EPERM", "ETXTBSY"), control="root")
def overwrite_the_interpreter(canary):
    def attempt(path):
        fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.close(fd)
        return path
    # Outside, root may open a running program's libraries for writing.
    return first_success(*[lambda p=p: attempt(p) for p in (os.__file__, json.__file__, "/proc/self/exe",
                                                            os.path.realpath(sys.executable))])


@probe(("EROFS", "EACCES", "EPERM"), control="root")
def change_metadata_of_the_runtime(canary):
    info = os.stat(json.__file__)
    return first_success(lambda: os.utime(json.__file__, ns=(info.st_atime_ns, info.st_mtime_ns)) or "utime",
                         lambda: os.chmod(json.__file__, stat.S_IMODE(info.st_mode)) or "chmod",
                         lambda: os.chown(json.__file__, info.st_uid, info.st_gid) or "chown")


@probe(("EPERM", "ENOSYS", "EOPNOTSUPP"), control="root")
def open_by_handle(canary):
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 8 + 128)
    mount_id = ctypes.c_int()
    place = next(p for p in ("/tmp", "/usr", "/") if os.path.isdir(p))
    call("name_to_handle_at", -100, place.encode(), handle, ctypes.byref(mount_id), 0)
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    opened = call("open_by_handle_at", fd, handle, os.O_RDONLY)
    os.close(opened)
    return "opened an inode by its number"


@probe("EPERM", control="root")
def change_root(canary):
    def inside():
        os.mkdir("jail")
        os.chroot("jail")
        return "chroot"
    return in_child(inside)


@probe(("EPERM", "ENOENT", "EACCES", "ENXIO"), control="root", needs="mknod")
def make_a_device(canary):
    def attempt(kind, major, minor):
        name = "node-%d-%d" % (major, minor)
        os.mknod(name, kind | 0o600, os.makedev(major, minor))
        os.unlink(name)
        return "made a device"
    return first_success(lambda: attempt(stat.S_IFCHR, 1, 3), lambda: attempt(stat.S_IFBLK, 8, 0),
                         lambda: attempt(stat.S_IFCHR, 0, 0))


@probe("nothing", control="root")
def see_block_devices(canary):
    found = [name for name in os.listdir("/dev") if stat.S_ISBLK(os.lstat("/dev/" + name).st_mode) or name in (
        "mem", "kmsg", "kvm", "fuse", "loop-control", "vda", "net")]
    return found


@probe("nothing")
def see_homes_and_runtime_directories(canary):
    return [path for path in ("/root", "/run", "/sys", "/mnt", "/boot", "/etc/shadow", "/var/lib", "/etc/machine-id")
            if os.path.lexists(path) and path not in (sys.prefix, sys.base_prefix)
            and not sys.base_prefix.startswith(path + "/")]


@probe("nothing", canary="descriptor")
def use_an_inherited_descriptor(canary):
    for fd in range(3, 1024):
        try:
            path = os.readlink("/proc/self/fd/%d" % fd)
        except OSError:
            continue
        if "capsule-test" in path or path.endswith("secret"):
            return path


@probe("nothing", canary="descriptor")
def use_a_descriptor_that_init_inherited(canary):
    """Outside, the parent shows what it passed on; inside, /proc/1 must show nothing."""
    for pid in (1, os.getppid(), "self"):
        try:
            for fd in os.listdir("/proc/%s/fd" % pid):
                path = os.readlink("/proc/%s/fd/%s" % (pid, fd))
                if "capsule-test" in path:
                    return path
        except OSError:
            pass


@probe(("EPERM", "EXDEV", "EOPNOTSUPP", "EROFS", "EACCES", "EINVAL"), control="root")
def make_a_runtime_file_immutable_or_relabel_it(canary):
    return first_success(lambda: os.setxattr(json.__file__, "trusted.capsule", b"x") or os.removexattr(
        json.__file__, "trusted.capsule") or "trusted attribute")


@probe("EPERM", control="root")
def give_a_file_capabilities(canary):
    with open("tool", "w"):
        pass
    os.setxattr("tool", "security.capability", struct.pack("<IIIII", 0x02000001, 0x2000, 0, 0, 0))
    os.unlink("tool")
    return "file capability set"


@probe(("EPERM", "EINVAL"), control="root")
def give_a_file_to_root(canary):
    with open("gift", "w"):
        pass
    return first_success(lambda: os.chown("gift", 0, 0) or "owned by root", lambda: os.chown("gift", 65534, 65534) or "other")
