#include "run/hint.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/host.h"

/*
 * What a container must be started with. docker's own filter refuses, besides the namespaces (clone3 with
 * ENOSYS): mount, umount2, the fsopen and open_tree families, pivot_root, setns, sethostname and keyctl; its
 * AppArmor profile refuses mounts and writes to /proc/sys/user; its covered paths refuse a new /proc. podman's
 * filter allows all of these, its profile what AppArmor 3 knows: with AppArmor 4 no user namespace.
 */
#define DOCKER_FILTER "--security-opt seccomp=unconfined"
#define DOCKER_ALL                                                                                 \
	DOCKER_FILTER " --security-opt apparmor=unconfined --security-opt systempaths=unconfined"
#define KUBERNETES_ALL                                                                             \
	"hostUsers: false for the pod and securityContext: {procMount: Unmasked, seccompProfile: {type: " \
	"Unconfined}, appArmorProfile: {type: Unconfined}} for the container"

#define APPARMOR_SWITCH "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"

#define APPARMOR_LOAD                                                                              \
	"as root load the profile for capsule-run: cp " APPARMOR_PROFILE " /etc/apparmor.d/ && apparmor_parser -r " \
	"/etc/apparmor.d/capsule-run"
#define APPARMOR_CURE                                                                              \
	"AppArmor restricts user namespaces here (Ubuntu 23.10 and newer); " APPARMOR_LOAD ", or for every program: " \
	APPARMOR_SWITCH
#define APPARMOR_CONFINES                                                                          \
	"an AppArmor profile confines this program and refuses user namespaces, or capabilities in them; let it start " \
	"capsule-run under its own (pix), and " APPARMOR_LOAD

/* What of a unit takes calls away; examples/systemd has one that works. */
#define UNIT_CURE                                                                                  \
	"a seccomp filter of this systemd unit refuses it: leave DynamicUser=, RestrictSUIDSGID=, RestrictNamespaces= " \
	"and ProtectHostname= out, and let SystemCallFilter= hold @system-service @mount @keyring sethostname setns " \
	"unshare"

#define OTHER_DIR "pass a directory of your own with --dir DIR, or use --fresh for an empty one in memory"

static bool no_user_namespaces(void)
{
	return host_sysctl_is("/proc/sys/user/max_user_namespaces", 0);
}

static bool debian_switch_off(void)
{
	return host_sysctl_is("/proc/sys/kernel/unprivileged_userns_clone", 0);
}

static bool apparmor_restricts(void)
{
	return host_sysctl_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1);
}

static bool apparmor_restricts_github(void)
{
	return apparmor_restricts() && host_on_github();
}

static bool in_podman(void)
{
	return host_container() == HOST_CONTAINER_PODMAN;
}

static bool in_kubernetes(void)
{
	return host_container() == HOST_CONTAINER_KUBERNETES;
}

static bool in_lxc(void)
{
	return host_container() == HOST_CONTAINER_LXC;
}

static bool in_container(void)
{
	return host_container() != HOST_CONTAINER_NONE;
}

static bool lacks_sys_admin(void)
{
	return geteuid() == 0 && !host_has_capability(CAP_SYS_ADMIN);
}

static bool lacks_setuid(void)
{
	return geteuid() == 0 && !(host_has_capability(CAP_SETUID) && host_has_capability(CAP_SETGID));
}

static bool lacks_chown(void)
{
	return geteuid() == 0 && !host_has_capability(CAP_CHOWN);
}

static bool in_unit(void)
{
	return host_container() == HOST_CONTAINER_NONE && host_in_unit();
}

static bool in_filtered_unit(void)
{
	return in_unit() && host_is_filtered();
}

static bool has_user_bus(void)
{
	char path[108];

	return host_user_bus(path, sizeof(path));
}

static bool has_cgroup2(void)
{
	return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
}

static bool in_slurm(void)
{
	return getenv("SLURM_JOB_ID") != NULL;
}

/* Its own group, where it has a cgroup namespace. */
static bool in_container_with_cgroup(void)
{
	return in_container() && access("/sys/fs/cgroup/cgroup.subtree_control", W_OK) == 0;
}

static bool proc_is_missing(void)
{
	return access("/proc/self/stat", F_OK) < 0;
}

static bool always(void)
{
	return true;
}

/* The first row whose stage ("": any), errno (0: any), start of the detail and condition fit. */
static const struct {
	const char *stage;
	int errnum;
	const char *detail;
	bool (*when)(void);
	const char *hint;
} table[] = {
    /* Namespaces. */
    {"clone", 0, "", host_in_capsule,
     "this is inside another capsule-run, which lets nothing make namespaces: start the other task from outside"},
    {"clone", 0, "", no_user_namespaces,
     "user namespaces are switched off here; as root: sysctl -w user.max_user_namespaces=15000"},
    {"clone", EPERM, "", debian_switch_off,
     "user namespaces are for root only here; as root: sysctl -w kernel.unprivileged_userns_clone=1"},
    {"clone", EPERM, "", host_in_chroot,
     "the kernel allows no user namespace in a chroot; enter it another way: systemd-nspawn -D DIR, bwrap, or "
     "pivot_root after unshare --mount"},
    {"clone", EPERM, "", in_kubernetes, "this container forbids user namespaces; it needs " KUBERNETES_ALL},
    {"clone", EPERM, "", in_lxc,
     "this container forbids user namespaces; on its host: lxc config set NAME security.nesting=true, in Proxmox "
     "features: nesting=1"},
    {"clone", EPERM, "", in_container,
     "this container forbids user namespaces; start it with a seccomp profile that allows them: docker "
     "run " DOCKER_ALL},
    {"clone", EPERM, "", in_filtered_unit, UNIT_CURE},
    {"clone", EPERM, "", host_is_confined, APPARMOR_CONFINES},
    {"clone", EPERM, "", always,
     "user namespaces are forbidden here, by a seccomp filter, a security module, or because this is a chroot; in "
     "docker: docker run " DOCKER_ALL},
    {"clone", EACCES, "", in_kubernetes, "the container's security profile forbids user namespaces; it needs " KUBERNETES_ALL},
    {"clone", EACCES, "", in_container,
     "the container's security profile forbids user namespaces; docker run " DOCKER_ALL},
    {"clone", EACCES, "", apparmor_restricts, APPARMOR_CURE},
    {"clone", EACCES, "", host_is_confined, APPARMOR_CONFINES},
    {"clone", EACCES, "", always,
     "a security module refuses user namespaces here: allow userns_create (SELinux) or userns (AppArmor) for "
     "capsule-run"},
    {"clone", ENOSPC, "", always,
     "too many namespaces; as root raise /proc/sys/user/max_*_namespaces (this is 0 inside another sandbox)"},
    {"clone", EUSERS, "", always, "user namespaces are nested too deeply here: at most 32"},
    {"clone", EAGAIN, "", always, "too many processes for this user (ulimit -u) or cgroup (pids.max)"},
    {"init", EAGAIN, "", always, "too many processes for this user (ulimit -u) or cgroup (pids.max)"},
    {"doctor", EAGAIN, "", always, "too many processes for this user (ulimit -u) or cgroup (pids.max)"},
    {"clone", ENOSYS, "", in_kubernetes, "a seccomp filter refuses clone3; the container needs " KUBERNETES_ALL},
    {"clone", ENOSYS, "", in_filtered_unit, UNIT_CURE},
    {"clone", ENOSYS, "", host_is_filtered,
     "a seccomp filter refuses clone3, as a container's does; docker run " DOCKER_ALL},
    {"clone", ENOSYS, "", always, "clone3 is missing or filtered: Linux 5.14 or newer is needed"},
    {"clone", EINVAL, "", always,
     "this kernel lacks a kind of namespace (CONFIG_USER_NS, CONFIG_PID_NS, CONFIG_IPC_NS, CONFIG_UTS_NS, "
     "CONFIG_CGROUPS) or is too old: Linux 5.14 or newer is needed"},
    {"clone", EBUSY, "", always,
     "the cgroup that was made can't hold processes: run it in a cgroup of its own: systemd-run --user --scope "
     "-p Delegate=yes capsule-run ..."},

    /* Id maps. */
    {"idmap", ENOENT, "", proc_is_missing, "mount /proc here: mount -t proc proc /proc"},
    {"files", ENOENT, "/proc/self", proc_is_missing, "mount /proc here: mount -t proc proc /proc"},
    {"idmap", EPERM, "", apparmor_restricts_github,
     "AppArmor restricts user namespaces on this runner; in a step before: sudo " APPARMOR_SWITCH},
    {"idmap", EPERM, "", apparmor_restricts, APPARMOR_CURE},
    {"idmap", EPERM, "write", lacks_setuid,
     "root without the capabilities SETUID and SETGID can't map another id: add them (docker run --cap-add SETUID "
     "--cap-add SETGID), or run as an ordinary user (docker run --user 1000:1000)"},
    {"idmap", 0, "write", host_is_confined, APPARMOR_CONFINES},
    {"idmap", EROFS, "", always, "/proc is read-only here; as root: mount -o remount,rw /proc"},
    {"idmap", EACCES, "", always,
     "the kernel keeps the maps of a program that can't be read from its caller: chmod a+r on capsule-run itself"},

    /* The view. AppArmor lets the namespace be made, but gives no capability in it. */
    {"rootfs", 0, "make private", apparmor_restricts_github,
     "AppArmor restricts user namespaces on this runner; in a step before: sudo " APPARMOR_SWITCH},
    {"rootfs", 0, "make private", apparmor_restricts, APPARMOR_CURE},
    {"uts", EPERM, "", apparmor_restricts, APPARMOR_CURE},
    {"net", EPERM, "", apparmor_restricts, APPARMOR_CURE},
    {"caps", EPERM, "", apparmor_restricts, APPARMOR_CURE},
    {"rootfs", EACCES, "make private", in_kubernetes,
     "the container's AppArmor profile refuses mounts; it needs " KUBERNETES_ALL},
    {"rootfs", EACCES, "make private", in_container,
     "the container's security profile refuses mounts; docker run " DOCKER_ALL},
    {"rootfs", EACCES, "make private", always,
     "a security module refuses mounts in user namespaces; allow userns for capsule-run there"},
    {"rootfs", EINVAL, "pivot_root", always,
     "the root file system is an initramfs; start the system from a mounted root"},
    {"rootfs", EPERM, "", in_filtered_unit, UNIT_CURE},
    {"rootfs", EPERM, "", host_is_filtered,
     "a seccomp filter refuses mounts or pivot_root, as a container's does; docker run " DOCKER_ALL},
    {"rootfs", ENOSYS, "", always,
     "the mount calls of Linux 5.14 are missing or filtered; in a container: docker run " DOCKER_ALL},
    {"rootfs", ENODEV, "", always, "this kernel has no tmpfs (CONFIG_TMPFS)"},
    {"rootfs", ENOSPC, "", always,
     "too many mounts, or the view is out of memory: as root raise fs.mount-max, or ask for more --ram"},
    {"rootfs", EACCES, "", always,
     "the task's user can't reach that path: make it and the directories above it accessible, or choose "
     "another with --dir or --bind"},
    {"rootfs", ENOENT, "open_tree", always, "it was there a moment ago: start again"},
    {"rootfs", ESTALE, "", always, "something renames what is being shown: start again when that has ended"},
    {"devices", ENOENT, "bind /dev/", always,
     "this host's /dev lacks a node: mount a devtmpfs there, or bind the host's: mount --rbind /dev DIR/dev"},
    {"devices", ENODEV, "mount /dev/pts", always, "this kernel has no pseudo-terminals (CONFIG_UNIX98_PTYS)"},
    {"proc", EPERM, "mount /proc", in_kubernetes,
     "the kernel refuses a new /proc where the visible one is partly covered; the container needs " KUBERNETES_ALL},
    {"proc", EPERM, "mount /proc", in_podman,
     "the kernel refuses a new /proc where the visible one is partly covered; podman run --security-opt unmask=ALL"},
    {"proc", EPERM, "mount /proc", in_unit,
     "the kernel refuses a new /proc where the visible one is partly covered: leave ProtectKernelTunables=, "
     "ProtectKernelLogs= and ProtectControlGroups= out of the unit"},
    {"proc", EPERM, "mount /proc", always,
     "the kernel refuses a new /proc where the visible one is partly covered or read-only, as in a container; docker "
     "run --security-opt systempaths=unconfined, in Kubernetes: procMount: Unmasked with hostUsers: false"},
    {"proc", EACCES, "", always,
     "a security module refuses /proc, as docker's AppArmor profile does; docker run --security-opt "
     "apparmor=unconfined"},
    {"net", ENOSPC, "", always, "too many network namespaces; as root raise /proc/sys/user/max_net_namespaces"},
    {"net", EINVAL, "", always, "this kernel has no network namespaces (CONFIG_NET_NS)"},
    {"net", EPERM, "", in_filtered_unit, UNIT_CURE},
    {"net", EPERM, "", host_is_filtered, "a seccomp filter refuses it, as a container's does; docker run " DOCKER_ALL},
    {"uts", EPERM, "", in_filtered_unit, UNIT_CURE},
    {"uts", EPERM, "", host_is_filtered, "a seccomp filter refuses it, as a container's does; docker run " DOCKER_ALL},

    /* The task's own walls. */
    {"keyring", EPERM, "", in_filtered_unit, UNIT_CURE},
    {"keyring", EPERM, "", always,
     "a seccomp filter refuses keyctl, as a container's does; docker run " DOCKER_FILTER},
    {"stdio", EPERM, "", lacks_chown,
     "root without the capability CHOWN can't give streams to the task's user: run as an ordinary user (docker run "
     "--user 1000:1000), or add it (docker run --cap-add CHOWN)"},
    {"keyring", EDQUOT, "", always,
     "this user has too many keys: see /proc/key-users; as root raise kernel.keys.maxkeys"},
    {"filter", EINVAL, "", always, "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)"},
    {"filter", ENOSYS, "", always, "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)"},
    {"filter", EPERM, "", host_is_filtered,
     "the filter that governs capsule-run refuses another one; in a container: docker run " DOCKER_FILTER},

    /* What is shown. */
    {"files", EPERM, "open_tree", host_is_filtered,
     "a seccomp filter refuses open_tree, as a container's does; docker run " DOCKER_ALL},
    {"files", EPERM, "open_tree", lacks_sys_admin,
     "root without the capability SYS_ADMIN can't hand directories in; run capsule-run as an ordinary user (docker "
     "run --user 1000:1000), or with docker run --cap-add SYS_ADMIN"},
    {"files", ENOSYS, "", in_filtered_unit, UNIT_CURE},
    {"files", ENOSYS, "", always, "openat2 is filtered, or this kernel is older than Linux 5.14"},
    {"files", ENOENT, "mkdir", always, "make the directory above it first, or " OTHER_DIR},
    {"files", EROFS, "", always, "that file system is read-only: " OTHER_DIR},
    {"files", ENOSPC, "", always, "that file system is full: " OTHER_DIR},
    {"files", EDQUOT, "", always, "your quota there is used up: " OTHER_DIR},
    {"files", EACCES, "", always, "you can't write there: " OTHER_DIR},
    {"files", EPERM, "chown", always,
     "root can't hand this directory to the task's user (a network file system, or a missing capability CHOWN): "
     OTHER_DIR},

    /* Limits. */
    {"cgroup", 0, "write", always,
     "this cgroup is delegated in part only: run it outside, or in one of its own: systemd-run --user --scope -p "
     "Delegate=yes capsule-run ..."},
    {"cgroup", 0, "", in_kubernetes,
     "the pod's own limits hold besides: resources.limits; memory of one task is watched, not bounded by the kernel"},
    {"cgroup", 0, "", in_slurm,
     "Slurm gives users no cgroup to write to; the job's own limits hold besides (sbatch --mem, --cpus-per-task); memory "
     "of one task is watched, not bounded by the kernel"},
    {"cgroup", 0, "", has_user_bus,
     "systemd-run --user --scope -p Delegate=yes capsule-run ...; where your manager lacks the controllers, as root: "
     "systemctl edit user@.service with [Service] Delegate=cpu memory pids; without a login: loginctl "
     "enable-linger USER"},
    {"cgroup", 0, "", in_container_with_cgroup,
     "capsule-run must be the only process of a group that it divides: make it the container's first, or as its root "
     "make room: mkdir /sys/fs/cgroup/init; xargs -rn1 </sys/fs/cgroup/cgroup.procs "
     ">/sys/fs/cgroup/init/cgroup.procs; echo '+memory +pids +cpu' >/sys/fs/cgroup/cgroup.subtree_control"},
    {"cgroup", 0, "", in_podman,
     "give the container its cgroup to write (podman run --security-opt unmask=/sys/fs/cgroup), or bound the container "
     "itself: --memory, --pids-limit"},
    {"cgroup", 0, "", in_container,
     "give the container its cgroup to write (docker run --security-opt writable-cgroups=true), or bound the container "
     "itself: --memory, --pids-limit"},
    {"cgroup", 0, "", has_cgroup2,
     "run it in a delegated cgroup: systemd-run --user --scope -p Delegate=yes capsule-run ... (without a login, as "
     "root: loginctl enable-linger USER), a service with Delegate=yes, or as root"},
    {"cgroup", 0, "", always,
     "run it as root, or in a group of your own of cgroup v1, made by root: cgcreate -a USER -t USER -g "
     "memory,pids:capsule, then cgexec -g memory,pids:capsule capsule-run ..."},
    {"rlimit", EPERM, "", always, "a limit of the caller's is in the way: see ulimit -a"},

    /* The program. */
    {"script", EACCES, "", always, "make it readable: chmod +r"},
    {"script", ENOENT, "", always, "check the path; options come before it, its own arguments after it"},
    {"script", ENOTDIR, "", always, "check the path: something on the way is a file"},
    {"script", ELOOP, "", always, "links lead in a circle: name the file itself"},
    {"exec", ENOENT, "", always,
     "inside, only the system, the sandbox directory and what --bind shows are there"},
    {"exec", EACCES, "", always,
     "the task runs as a user of its own: the file, and the directories above it, must be open to others, and its "
     "file system not mounted noexec"},

    /* Whatever was tried. */
    {"", EMFILE, "", always, "too few descriptors: raise ulimit -n (at least 64)"},
    {"", ENFILE, "", always, "the whole machine has too many files open; as root raise fs.file-max"},
    {"", ENOMEM, "", always, "out of memory: free some, or raise the limit of this cgroup or of ulimit -v"},
};

/* podman has docker's options, but for one by another name. */
static void set_hint(struct error *err, const char *text)
{
	static const struct {
		const char *docker;
		const char *podman;
	} words[] = {{"docker run", "podman run"}, {"systempaths=unconfined", "unmask=ALL"}};
	char own[ERROR_HINT_MAX];
	bool podman = in_podman();
	size_t len = 0;

	while (*text != '\0' && len + 1 < sizeof(own)) {
		size_t i = 0;

		while (podman && i < ARRAY_SIZE(words) && strncmp(text, words[i].docker, strlen(words[i].docker)) != 0)
			i++;
		if (!podman || i == ARRAY_SIZE(words)) {
			own[len++] = *text++;
			continue;
		}
		len += (size_t)snprintf(own + len, sizeof(own) - len, "%s", words[i].podman);
		text += strlen(words[i].docker);
	}
	own[len < sizeof(own) ? len : sizeof(own) - 1] = '\0';
	error_hint(err, "%s", own);
}

void hint_add(struct error *err)
{
	if (err->hint[0] != '\0' || err->stage[0] == '\0')
		return;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if ((table[i].stage[0] == '\0' || strcmp(table[i].stage, err->stage) == 0) &&
		    (table[i].errnum == 0 || table[i].errnum == err->errnum) &&
		    strncmp(err->detail, table[i].detail, strlen(table[i].detail)) == 0 && table[i].when()) {
			set_hint(err, table[i].hint);
			return;
		}
	}
}
