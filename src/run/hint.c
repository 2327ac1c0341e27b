#include "run/hint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

/* True when a sysctl exists and has this value. */
static bool sysctl_is(const char *path, uint64_t value)
{
	uint64_t now;

	return fd_read_u64_at(AT_FDCWD, path, &now) == 0 && now == value;
}

static bool no_user_namespaces(void)
{
	return sysctl_is("/proc/sys/user/max_user_namespaces", 0);
}

static bool debian_switch_off(void)
{
	return sysctl_is("/proc/sys/kernel/unprivileged_userns_clone", 0);
}

static bool apparmor_restricts(void)
{
	return sysctl_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1);
}

static bool in_container(void)
{
	return access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0;
}

/* A root directory that is no mount's root was put there by chroot(2). */
static bool in_chroot(void)
{
	struct statx st;

	return statx(AT_FDCWD, "/", 0, STATX_TYPE, &st) == 0 &&
	       (st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0;
}

static bool is_filtered(void)
{
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2;
}

static bool always(void)
{
	return true;
}

/* The first row whose stage, errno (0: any), start of the detail and condition fit. */
static const struct {
	const char *stage;
	int errnum;
	const char *detail;
	bool (*when)(void);
	const char *hint;
} table[] = {
    {"clone", 0, "", no_user_namespaces,
     "user namespaces are switched off here; as root: sysctl user.max_user_namespaces=15000"},
    {"clone", 0, "", debian_switch_off,
     "user namespaces are for root only here; as root: sysctl kernel.unprivileged_userns_clone=1"},
    {"clone", EPERM, "", in_chroot,
     "the kernel allows no user namespace in a chroot; enter it another way: systemd-nspawn -D DIR, or "
     "pivot_root after unshare --mount"},
    {"clone", EPERM, "", in_container,
     "this container forbids user namespaces; start it with a seccomp profile that allows them: docker run "
     "--security-opt seccomp=unconfined --security-opt systempaths=unconfined (or --privileged)"},
    {"clone", EPERM, "", always,
     "user namespaces are forbidden here, by a container's seccomp profile, a security module, or because this "
     "is a chroot; in docker: --security-opt seccomp=unconfined --security-opt systempaths=unconfined"},
    {"clone", ENOSPC, "", always,
     "too many namespaces; as root raise /proc/sys/user/max_*_namespaces (this is 0 inside another sandbox)"},
    {"clone", EAGAIN, "", always, "too many processes for this user (ulimit -u) or cgroup (pids.max)"},
    {"clone", ENOSYS, "", is_filtered,
     "a seccomp filter refuses clone3, as a container's does; in docker: --security-opt seccomp=unconfined "
     "--security-opt systempaths=unconfined"},
    {"idmap", ENOENT, "read /proc", always, "mount /proc here: mount -t proc proc /proc"},
    {"clone", ENOSYS, "", always, "clone3 is missing or filtered: Linux 5.14 or newer is needed"},
    {"idmap", EPERM, "", apparmor_restricts,
     "AppArmor restricts user namespaces here; as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0, "
     "or load a profile that allows userns for capsule-run"},
    {"rootfs", 0, "make private", apparmor_restricts,
     "AppArmor restricts user namespaces here; as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0, "
     "or load a profile that allows userns for capsule-run"},
    {"rootfs", EACCES, "make private", always,
     "a security module refuses mounts in user namespaces; allow userns for capsule-run there"},
    {"rootfs", EINVAL, "pivot_root", always,
     "the root file system is an initramfs; start the system from a mounted root"},
    {"proc", EPERM, "mount /proc", always,
     "the kernel refuses a new /proc where the visible one is partly covered, as in a container; in docker: "
     "--security-opt systempaths=unconfined, in Kubernetes: procMount: Unmasked"},
    {"rootfs", EACCES, "", always,
     "the task's user can't reach that path: make it and the directories above it accessible, or choose "
     "another with --dir or --bind"},
    {"script", EACCES, "", always, "make it readable: chmod +r"},
    {"script", ENOENT, "", always, "check the path; options come before it, its own arguments after it"},
    {"exec", ENOENT, "", always,
     "inside, only the system, the sandbox directory and what --bind shows are there"},
    {"exec", EACCES, "", always,
     "the task runs as a user of its own: the file, and the directories above it, must be open to others"},
};

void hint_add(struct error *err)
{
	if (err->hint[0] != '\0')
		return;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (strcmp(table[i].stage, err->stage) == 0 &&
		    (table[i].errnum == 0 || table[i].errnum == err->errnum) &&
		    strncmp(err->detail, table[i].detail, strlen(table[i].detail)) == 0 && table[i].when()) {
			error_hint(err, "%s", table[i].hint);
			return;
		}
	}
}
