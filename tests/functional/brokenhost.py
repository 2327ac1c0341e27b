"""Hosts on which capsule-run can't start, made for one process: each is a function for preexec_fn.

What they change lies in namespaces of that process's own; the host is left alone.
"""
import ctypes
import os
import platform
import resource
import shutil
import struct

import harness

# Numbers of the system calls that are refused, by machine.
CALLS = {
    "x86_64": {"clone": 56, "unshare": 272, "clone3": 435, "mount": 165, "umount2": 166, "pivot_root": 155,
               "setns": 308, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
               "mount_setattr": 442, "sethostname": 170, "keyctl": 250, "seccomp": 317},
    "aarch64": {"clone": 220, "unshare": 97, "clone3": 435, "mount": 40, "umount2": 39, "pivot_root": 41,
                "setns": 268, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
                "mount_setattr": 442, "sethostname": 161, "keyctl": 219, "seccomp": 277},
}
NAMESPACE_FLAGS = 0x7E020000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_CAPBSET_DROP = 38, 22, 2, 24
CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN = 6, 7, 21
EPERM, ENOSYS = 1, 38
LD_NR, LD_ARG0_LOW = (0x20, 0, 0, 0), (0x20, 0, 0, 16)
ALLOW = (0x06, 0, 0, 0x7FFF0000)


def answer(number):
    return (0x06, 0, 0, 0x00050000 | number)


def call(name):
    return CALLS[platform.machine()][name]


def load(program):
    """Loads a seccomp program, a list of (code, jt, jf, k)."""
    code = b"".join(struct.pack("=HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    prog = Program(len(program), ctypes.cast(buffer, ctypes.c_void_p))
    harness.LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if harness.LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(prog), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def refusing(*names, number=EPERM):
    """A filter that refuses these calls and nothing else."""

    def enter():
        program = [LD_NR]
        for name in names:
            program += [(0x15, 0, 1, call(name)), answer(number)]
        load(program + [ALLOW])

    return enter


def docker_filter():
    """What docker's own filter does to what capsule-run needs, for who has no CAP_SYS_ADMIN."""
    program = [LD_NR, (0x15, 0, 1, call("clone3")), answer(ENOSYS)]
    for name in ("unshare", "mount", "umount2", "pivot_root", "setns", "open_tree", "move_mount", "fsopen", "fsconfig",
                 "fsmount", "mount_setattr", "sethostname", "keyctl"):
        program += [(0x15, 0, 1, call(name)), answer(EPERM)]
    program += [(0x15, 0, 3, call("clone")), LD_ARG0_LOW, (0x45, 0, 1, NAMESPACE_FLAGS), answer(EPERM), ALLOW]
    load(program)


def user_limit(name, value=0):
    """A user namespace of one's own with this number in /proc/sys/user."""

    def enter():
        harness.private_mounts(user=True)
        with open("/proc/sys/user/" + name, "w") as f:
            f.write(str(value))

    return enter


def covered_proc():
    harness.private_mounts()
    harness.mount("tmpfs", "/proc/fs", "tmpfs", 0)


def no_proc():
    harness.private_mounts()
    harness.mount("tmpfs", "/proc", "tmpfs", 0)


def read_only_proc():
    # nosuid, nodev, noexec: what the host's has must stay.
    flags = os.statvfs("/proc").f_flag & 0xE
    harness.private_mounts()
    harness.mount(None, "/proc", None, harness.MS_REMOUNT | harness.MS_BIND | harness.MS_RDONLY | flags)


def read_only_tmp():
    harness.private_mounts()
    harness.mount("tmpfs", "/tmp", "tmpfs", harness.MS_RDONLY)


def without_device(place, name):
    """A /dev that lacks one node. place: an empty directory."""

    def enter():
        harness.private_mounts()
        harness.mount("tmpfs", place, "tmpfs", 0)
        for node in {"null", "zero", "full", "random", "urandom", "tty"} - {name}:
            with open(os.path.join(place, node), "w"):
                pass
            harness.mount("/dev/" + node, os.path.join(place, node), None, harness.MS_BIND)
        harness.mount(place, "/dev", None, harness.MS_BIND | harness.MS_REC)

    return enter


def chroot(place):
    """A plain chroot with the system's /usr. place: an empty directory; the program is /capsule-run there."""

    def enter():
        harness.private_mounts()
        harness.mount("tmpfs", place, "tmpfs", 0)
        root = os.path.join(place, "root")
        for name in ("", "usr", "proc", "dev", "tmp"):
            os.mkdir(os.path.join(root, name))
        for name in ("bin", "lib", "lib64", "sbin"):
            if os.path.islink("/" + name):
                os.symlink("usr/" + name, os.path.join(root, name))
        for name in ("usr", "proc", "dev"):
            harness.mount("/" + name, os.path.join(root, name), None, harness.MS_BIND | harness.MS_REC)
        shutil.copy(harness.CAPSULE_RUN, os.path.join(root, "capsule-run"))
        os.chmod(os.path.join(root, "capsule-run"), 0o755)
        os.chroot(root)
        os.chdir("/")

    return enter


def without_capabilities(*capabilities):
    """Root that has lost some, as in a container."""

    def enter():
        for capability in capabilities:
            if harness.LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "PR_CAPBSET_DROP")

    return enter


def limited(what, value):
    return lambda: resource.setrlimit(what, (value, value))
