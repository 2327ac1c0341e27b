"""What every probe stands on. This text is put in front of a file of probes, and the whole runs as one script:

    python3 SCRIPT PROBE '{"canary": ...}'

once outside of the sandbox, where it must print ESCAPED (the positive control), and once inside, where it must print
CONTAINED and one of the errno names that the probe allows.

A probe is a function of one argument, the canaries that the host side set up. It returns evidence when the boundary was
crossed, returns nothing (or raises Contained) when it was not, and lets OSError through: its errno is the answer.
"""
import ctypes
import errno
import json
import os
import platform
import signal
import socket
import stat
import struct
import subprocess
import sys

PROBES = {}
# Of capsule-run, for the probes of a file that sets it: what is contained only then.
OPTIONS = ()
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
X86_64 = platform.machine() == "x86_64"

# (x86-64, aarch64); newer calls have one number everywhere.
CALLS = {
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "unshare": (272, 97), "setns": (308, 268), "clone": (56, 220), "clone3": (435, 435),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fspick": (433, 433),
    "mount_setattr": (442, 442), "openat": (257, 56), "openat2": (437, 437), "fchmodat2": (452, 452),
    "mknodat": (259, 33), "fchmodat": (268, 53), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "kcmp": (312, 272), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "io_uring_setup": (425, 425), "bpf": (321, 280),
    "userfaultfd": (323, 282), "perf_event_open": (298, 241), "shmget": (29, 194), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180), "prlimit64": (302, 261), "kexec_load": (246, 104),
    "init_module": (175, 105), "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224),
    "swapoff": (168, 225), "acct": (163, 89), "syslog": (103, 116), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "personality": (135, 92), "fanotify_init": (300, 262), "quotactl": (179, 60),
    "seccomp": (317, 277), "chroot": (161, 51), "vhangup": (153, 58), "setdomainname": (171, 162),
}


class Contained(Exception):
    """Held back, by something other than an errno."""


class Undecided(Exception):
    """This machine lacks what the probe needs."""


def call(name, *args):
    """A system call by name. Raises OSError; arguments may be numbers, bytes, or ctypes objects."""
    ctypes.set_errno(0)
    number = CALLS[name][0 if X86_64 else 1] if isinstance(name, str) else name
    result = LIBC.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(name))
    return result


def probe(errnos=(), control="same", canary=None, needs=None, no_control=None, host_check=None):
    """Registers a probe.

    errnos: what may refuse it; empty when it must end without an error (nothing found, nothing happened).
    control: how the same code runs outside, where it must escape: "same" as the same user; "namespaces" with every
        capability in new user, mount, network, IPC, UTS and pid namespaces; "root" needs real root; "user" as an
        ordinary user; "default" inside the sandbox, without the OPTIONS of the file.
    no_control: why a control is impossible; it stands in the test's output.
    canary: names what the host side sets up before. host_check: names a look at the host afterwards.
    """

    def register(function):
        assert control in ("same", "namespaces", "root", "user", "default", None)
        PROBES[function.__name__] = dict(function=function, errnos=(errnos,) if isinstance(errnos, str) else errnos,
                                         control=None if no_control else control, no_control=no_control,
                                         canary=canary, needs=needs, host_check=host_check)
        return function

    return register


def first_success(*attempts):
    """Tries several ways in: evidence of the first that works, else the errors of all."""
    errors = set()
    for attempt in attempts:
        try:
            evidence = attempt()
            if evidence:
                return evidence
        except OSError as error:
            errors.add(errno.errorcode.get(error.errno, str(error.errno)))
    raise Contained(" ".join(sorted(errors)) or "nothing")


def in_child(function):
    """Calls it in a child, whose fate it may change. Returns what it returned; signals are Contained."""
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(read_fd)
            try:
                answer = ["value", function()]
            except OSError as error:
                answer = ["errno", error.errno]
            except (Contained, Undecided) as error:
                answer = [type(error).__name__, str(error)]
            os.write(write_fd, json.dumps(answer).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(write_fd)
    with os.fdopen(read_fd) as f:
        text = f.read()
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        raise Contained(signal.Signals(os.WTERMSIG(status)).name)
    kind, value = json.loads(text)
    if kind == "errno":
        raise OSError(value, os.strerror(value))
    if kind != "value":
        raise {"Contained": Contained, "Undecided": Undecided}[kind](value)
    return value


def run_probe(name, canaries):
    signal.alarm(30)
    entry = PROBES[name]
    try:
        evidence = entry["function"](canaries)
        line = "ESCAPED: %s" % (evidence,) if evidence else "CONTAINED: nothing"
    except OSError as error:
        line = "CONTAINED: %s" % errno.errorcode.get(error.errno, error)
    except Contained as how:
        line = "CONTAINED: %s" % how
    except Undecided as why:
        line = "UNDECIDED: %s" % why
    os.write(1, ("\n" + line.replace("\n", " ")[:500] + "\n").encode("utf-8", "backslashreplace"))
    os._exit(0)
