"""Who asks for a sandbox in tests/vm's guest, and how he comes to be there. Read on the host, too, for the names."""
import os
import shlex
import shutil
import subprocess
import time

USER = "tester"
ROOTFS = "/srv/container"
# What comes from the guest itself, as a base image would have it.
SHARED = ("/usr", "/opt/capsule")
SLURM = """ClusterName=capsule
SlurmctldHost=%(host)s
SlurmUser=slurm
AuthType=auth/munge
CredType=cred/munge
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdSpoolDir=/var/lib/slurm/slurmd
ProctrackType=proctrack/cgroup
TaskPlugin=task/affinity,task/cgroup
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
SlurmctldTimeout=3600
SlurmdTimeout=3600
MessageTimeout=100
UnkillableStepTimeout=600
NodeName=%(host)s CPUs=2 RealMemory=1600
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
CGROUPS = """CgroupPlugin=%s
ConstrainCores=yes
ConstrainRAMSpace=yes
ConstrainSwapSpace=yes
AllowedSwapSpace=0
"""


class Cell:
    """One kind of place. rung: what holds --ram there."""

    def __init__(self, help, rung, wrap, prepare=lambda: None):
        self.help, self.rung, self.wrap, self.prepare = help, rung, wrap, prepare


def login(name):
    """A login session by PAM, as ssh's or a terminal's: a scope of its own, and for a user his user manager."""
    return lambda argv: ["su", "-l", name, "-c", shlex.join(argv)]


def service(argv):
    """A service of the user's manager, to which a cgroup is delegated."""
    return login(USER)(["systemd-run", "--user", "--quiet", "--wait", "--pipe", "--collect", "-p", "Delegate=yes"] + argv)


def podman(*options, allow=("seccomp=unconfined", "apparmor=unconfined")):
    """What the manual asks a container's owner for, and nothing besides."""
    options += tuple("--security-opt=" + what for what in allow)
    shared = [word for path in SHARED for word in ("-v", "%s:%s:ro" % (path, path))]
    return ["podman", "run", "--rm", "-i", "--network=none", "--log-driver=none",
            "--tmpfs=/tmp:mode=1777,exec", *options, *shared, "--rootfs", ROOTFS]


def container(argv):
    return podman("--security-opt=unmask=/proc/*", "--user=1000:1000") + argv


# A group that holds processes can't be divided: who wants more than one program in a container makes one for itself.
DIVIDE = ("mkdir /sys/fs/cgroup/init; xargs -rn1 </sys/fs/cgroup/cgroup.procs >/sys/fs/cgroup/init/cgroup.procs; "
          "echo '+memory +pids +cpu' >/sys/fs/cgroup/cgroup.subtree_control && exec \"$@\"")


def divided_container(argv):
    return podman("--security-opt=unmask=ALL", "--cap-add=SYS_ADMIN") + ["sh", "-c", DIVIDE, "sh"] + argv


def make_rootfs():
    if os.path.isdir(ROOTFS):
        return
    os.makedirs(ROOTFS)
    for name in os.listdir("/"):
        if os.path.islink("/" + name):
            os.symlink(os.readlink("/" + name), os.path.join(ROOTFS, name))
    for name in ("dev", "etc", "home/" + USER, "opt/capsule", "proc", "root", "run", "sys", "tmp", "usr", "var/tmp"):
        os.makedirs(os.path.join(ROOTFS, name))
    for name in ("passwd", "group", "nsswitch.conf", "ld.so.cache", "alternatives", "ssl", "localtime", "services"):
        source, target = os.path.join("/etc", name), os.path.join(ROOTFS, "etc", name)
        if os.path.isdir(source):
            shutil.copytree(source, target, symlinks=True)
        elif os.path.exists(source):
            shutil.copy(source, target, follow_symlinks=False)


def slurm(argv):
    """A step of a job, which has a cgroup with limits of its own."""
    return login(USER)(["srun", "--quiet", "--mem=1200M", "--cpus-per-task=2"] + argv)


def answers(argv, text=""):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode == 0 and text in done.stdout


def start_slurm():
    if os.path.exists("/etc/slurm/slurm.conf"):
        return
    for name, text in (("slurm.conf", SLURM % {"host": os.uname().nodename}), ("cgroup.conf", CGROUPS % "autodetect")):
        with open("/etc/slurm/" + name, "w") as f:
            f.write(text)
    for name in ("slurmctld", "slurmd"):
        os.makedirs("/var/lib/slurm/" + name, exist_ok=True)
        shutil.chown("/var/lib/slurm/" + name, "slurm", "slurm")
    # What asks for "any address" (AI_ADDRCONFIG) is told none where there is but a loopback one.
    subprocess.run(["ip", "address", "replace", "192.0.2.1/32", "dev", "lo"], check=True)
    subprocess.run(["systemctl", "restart", "munge", "slurmctld", "slurmd"], check=True)
    end = time.monotonic() + 600
    while not answers(["sinfo", "--noheader", "--format=%t"], "idle"):
        if time.monotonic() > end:
            raise OSError("Slurm did not become ready")
        time.sleep(1)


CELLS = {
    "user": Cell("an ordinary user in a login session", "systemd-scope", login(USER)),
    "root": Cell("root in a login session", "cgroup-v2", login("root")),
    "service": Cell("an ordinary user's service with Delegate=yes", "systemd-scope", service),
    "system": Cell("root in a system service, without a session", "cgroup-v2", lambda argv: argv),
    "nobody": Cell("an ordinary user without a session or user manager", "watchdog",
                   lambda argv: ["setpriv", "--reuid=65000", "--regid=65000", "--clear-groups"] + argv),
    "container": Cell("an ordinary user in a container whose cgroup can't be written to", "watchdog", container, make_rootfs),
    "container-cgroup": Cell("a container's root, with a cgroup to write to", "cgroup-v2", divided_container, make_rootfs),
    "slurm": Cell("an ordinary user in a Slurm job", "watchdog", slurm, start_slurm),
}
