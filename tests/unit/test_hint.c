/* The host is replaced by --wrap: a row says how it is. */
#include "unit.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "run/hint.h"
#include "run/host.h"

enum {
	NO_USERNS = 1,
	DEBIAN_OFF = 2,
	APPARMOR = 4,
	CHROOT = 8,
	FILTERED = 16,
	NESTED = 32,
	GITHUB = 64,
	USER_BUS = 128,
	NO_CAPABILITY = 256,
	UNIT = 512,
	CONFINED = 1024,
	OWN_CGROUP = 2048,
	SLURM = 4096,
};

static unsigned int host;
static enum host_container container;

enum host_container __wrap_host_container(void);
bool __wrap_host_sysctl_is(const char *path, uint64_t value);
bool __wrap_host_in_chroot(void);
bool __wrap_host_is_filtered(void);
bool __wrap_host_is_confined(void);
bool __wrap_host_in_capsule(void);
bool __wrap_host_on_github(void);
bool __wrap_host_in_unit(void);
bool __wrap_host_has_capability(int capability);
bool __wrap_host_user_bus(char *buf, int size);
uid_t __wrap_geteuid(void);
int __wrap_access(const char *path, int mode);

enum host_container __wrap_host_container(void)
{
	return container;
}

bool __wrap_host_sysctl_is(const char *path, uint64_t value)
{
	if (strcmp(path, "/proc/sys/user/max_user_namespaces") == 0)
		return value == 0 && (host & NO_USERNS) != 0;
	if (strcmp(path, "/proc/sys/kernel/unprivileged_userns_clone") == 0)
		return value == 0 && (host & DEBIAN_OFF) != 0;
	return strcmp(path, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 0 && value == 1 &&
	       (host & APPARMOR) != 0;
}

bool __wrap_host_in_chroot(void)
{
	return (host & CHROOT) != 0;
}

bool __wrap_host_is_filtered(void)
{
	return (host & FILTERED) != 0;
}

bool __wrap_host_is_confined(void)
{
	return (host & CONFINED) != 0;
}

bool __wrap_host_in_capsule(void)
{
	return (host & NESTED) != 0;
}

bool __wrap_host_on_github(void)
{
	return (host & GITHUB) != 0;
}

bool __wrap_host_in_unit(void)
{
	return (host & UNIT) != 0;
}

bool __wrap_host_has_capability(int capability)
{
	(void)capability;
	return (host & NO_CAPABILITY) == 0;
}

bool __wrap_host_user_bus(char *buf, int size)
{
	(void)buf;
	(void)size;
	return (host & USER_BUS) != 0;
}

uid_t __wrap_geteuid(void)
{
	return 0;
}

/* No cgroup v2, no /proc. */
int __wrap_access(const char *path, int mode)
{
	(void)mode;
	if ((host & OWN_CGROUP) != 0 && strcmp(path, "/sys/fs/cgroup/cgroup.subtree_control") == 0)
		return 0;
	errno = ENOENT;
	return -1;
}

static void test_rows(void **state)
{
	static const struct {
		const char *stage;
		int errnum;
		const char *detail;
		unsigned int host;
		enum host_container container;
		const char *says; /* NULL: no hint */
	} rows[] = {
	    {"clone", EPERM, "x", NESTED | NO_USERNS, 0, "inside another capsule-run"},
	    {"clone", EPERM, "x", NO_USERNS, 0, "user.max_user_namespaces"},
	    {"clone", ENOSPC, "x", NO_USERNS, 0, "user.max_user_namespaces"},
	    {"clone", EPERM, "x", DEBIAN_OFF, 0, "unprivileged_userns_clone"},
	    {"clone", EPERM, "x", CHROOT, HOST_CONTAINER_DOCKER, "systemd-nspawn"},
	    {"clone", EPERM, "x", 0, HOST_CONTAINER_DOCKER, "docker run --security-opt seccomp=unconfined"},
	    {"clone", EPERM, "x", 0, HOST_CONTAINER_OTHER, "this container"},
	    {"clone", EPERM, "x", 0, HOST_CONTAINER_KUBERNETES, "hostUsers: false"},
	    {"clone", EPERM, "x", 0, HOST_CONTAINER_PODMAN, "podman run"},
	    {"clone", EPERM, "x", 0, HOST_CONTAINER_LXC, "nesting"},
	    {"clone", EPERM, "x", 0, 0, "security-opt"},
	    {"clone", EPERM, "x", UNIT, 0, "security-opt"},
	    {"clone", EPERM, "x", UNIT | FILTERED, 0, "RestrictNamespaces="},
	    {"clone", EPERM, "x", UNIT | FILTERED, HOST_CONTAINER_DOCKER, "docker run"},
	    {"clone", ENOSYS, "x", UNIT | FILTERED, 0, "@system-service"},
	    {"clone", EACCES, "x", 0, 0, "userns_create"},
	    {"clone", EACCES, "x", CONFINED, 0, "as root load the profile"},
	    {"clone", EPERM, "x", CONFINED, 0, "as root load the profile"},
	    {"clone", EPERM, "x", CONFINED, HOST_CONTAINER_DOCKER, "docker run"},
	    {"clone", EACCES, "x", APPARMOR, 0, "Ubuntu"},
	    {"clone", EACCES, "x", CONFINED, HOST_CONTAINER_PODMAN, "podman run --security-opt seccomp=unconfined"},
	    {"clone", EACCES, "x", CONFINED, HOST_CONTAINER_DOCKER, "docker run"},
	    {"clone", EACCES, "x", 0, HOST_CONTAINER_KUBERNETES, "appArmorProfile"},
	    {"clone", ENOSPC, "x", 0, 0, "too many namespaces"},
	    {"clone", EUSERS, "x", 0, 0, "too deeply"},
	    {"clone", EAGAIN, "x", 0, 0, "ulimit -u"},
	    {"init", EAGAIN, "fork the task", 0, 0, "ulimit -u"},
	    {"doctor", EAGAIN, "fork", 0, 0, "ulimit -u"},
	    {"clone", ENOSYS, "x", FILTERED, HOST_CONTAINER_KUBERNETES, "hostUsers"},
	    {"clone", ENOSYS, "x", FILTERED, 0, "seccomp filter refuses clone3"},
	    {"clone", ENOSYS, "x", FILTERED, HOST_CONTAINER_PODMAN,
	     "podman run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt unmask=ALL"},
	    {"clone", ENOSYS, "x", 0, 0, "Linux 5.14"},
	    {"clone", EINVAL, "x", 0, 0, "CONFIG_USER_NS"},
	    {"clone", EBUSY, "x", 0, 0, "Delegate=yes"},
	    {"idmap", ENOENT, "read /proc/self/uid_map", 0, 0, "mount -t proc"},
	    {"files", ENOENT, "/proc/self/mounts", 0, 0, "mount -t proc"},
	    {"idmap", EPERM, "write uid_map", APPARMOR | GITHUB, 0, "sudo sysctl -w kernel.apparmor_restrict"},
	    {"idmap", EPERM, "write uid_map", APPARMOR, 0, "/etc/apparmor.d/"},
	    {"idmap", EPERM, "write uid_map", NO_CAPABILITY, 0, "SETUID"},
	    {"idmap", EPERM, "write uid_map", CONFINED, 0, "apparmor_parser"},
	    {"idmap", EACCES, "write setgroups", CONFINED, 0, "apparmor_parser"},
	    {"idmap", EPERM, "write uid_map", 0, 0, NULL},
	    {"idmap", EROFS, "write setgroups", 0, 0, "remount,rw"},
	    {"idmap", EACCES, "write setgroups", 0, 0, "chmod a+r"},
	    {"rootfs", EACCES, "make private", APPARMOR | GITHUB, 0, "on this runner"},
	    {"rootfs", EACCES, "make private", APPARMOR, 0, "apparmor_parser"},
	    {"uts", EPERM, "x", APPARMOR, 0, "apparmor_parser"},
	    {"net", EPERM, "x", APPARMOR, 0, "apparmor_parser"},
	    {"caps", EPERM, "x", APPARMOR, 0, "apparmor_parser"},
	    {"rootfs", EACCES, "make private", 0, HOST_CONTAINER_KUBERNETES, "appArmorProfile"},
	    {"rootfs", EACCES, "make private", 0, HOST_CONTAINER_DOCKER, "apparmor=unconfined"},
	    {"rootfs", EACCES, "make private", 0, 0, "security module"},
	    {"rootfs", EINVAL, "pivot_root", 0, 0, "initramfs"},
	    {"rootfs", EPERM, "pivot_root /", FILTERED, 0, "seccomp"},
	    {"rootfs", EPERM, "mount /x", 0, 0, NULL},
	    {"rootfs", ENOSYS, "open_tree /", 0, 0, "Linux 5.14"},
	    {"rootfs", ENODEV, "make a tmpfs", 0, 0, "CONFIG_TMPFS"},
	    {"rootfs", ENOSPC, "mount /x", 0, 0, "fs.mount-max"},
	    {"rootfs", EACCES, "mount /x", 0, 0, "--dir or --bind"},
	    {"rootfs", ENOENT, "open_tree /x", 0, 0, "start again"},
	    {"rootfs", ESTALE, "/x: replaced", 0, 0, "renames"},
	    {"devices", ENOENT, "bind /dev/full", 0, 0, "devtmpfs"},
	    {"devices", ENODEV, "mount /dev/pts", 0, 0, "CONFIG_UNIX98_PTYS"},
	    {"proc", EPERM, "mount /proc", 0, 0, "systempaths"},
	    {"proc", EPERM, "mount /proc", UNIT, 0, "ProtectKernelTunables="},
	    {"proc", EPERM, "mount /proc", 0, HOST_CONTAINER_KUBERNETES, "hostUsers: false for the pod"},
	    {"proc", EPERM, "mount /proc", 0, HOST_CONTAINER_PODMAN, "unmask=ALL"},
	    {"proc", EACCES, "write /proc/sys/user/x", 0, 0, "apparmor=unconfined"},
	    {"proc", EPERM, "mask", 0, 0, NULL},
	    {"net", ENOSPC, "x", 0, 0, "max_net_namespaces"},
	    {"net", EINVAL, "x", 0, 0, "CONFIG_NET_NS"},
	    {"net", EPERM, "x", FILTERED, 0, "seccomp"},
	    {"uts", EPERM, "x", FILTERED, 0, "seccomp"},
	    {"uts", EPERM, "set the host name", FILTERED, HOST_CONTAINER_PODMAN, "podman run"},
	    {"uts", EPERM, "set the host name", UNIT | FILTERED, 0, "ProtectHostname="},
	    {"stdio", EPERM, "give the streams to the task", NO_CAPABILITY, 0, "--user 1000:1000"},
	    {"keyring", EPERM, "x", 0, 0, "keyctl"},
	    {"keyring", EPERM, "x", UNIT | FILTERED, 0, "@keyring"},
	    {"keyring", EDQUOT, "x", 0, 0, "maxkeys"},
	    {"filter", EINVAL, "x", 0, 0, "CONFIG_SECCOMP_FILTER"},
	    {"filter", ENOSYS, "x", 0, 0, "CONFIG_SECCOMP_FILTER"},
	    {"filter", EPERM, "x", FILTERED, 0, "another one"},
	    {"files", EPERM, "open_tree /x", FILTERED | NO_CAPABILITY, 0, "seccomp"},
	    {"files", EPERM, "open_tree /x", NO_CAPABILITY, 0, "SYS_ADMIN"},
	    {"files", ENOSYS, "/x", 0, 0, "openat2"},
	    {"files", ENOSYS, "/x", UNIT | FILTERED, 0, "RestrictSUIDSGID="},
	    {"files", ENOENT, "mkdir /tmp/x", 0, 0, "directory above"},
	    {"files", EROFS, "mkdir /tmp/x", 0, 0, "read-only"},
	    {"files", ENOSPC, "mkdir /tmp/x", 0, 0, "full"},
	    {"files", EDQUOT, "mkdir /tmp/x", 0, 0, "quota"},
	    {"files", EACCES, "mkdir /tmp/x", 0, 0, "can't write"},
	    {"files", EPERM, "chown /tmp/x", 0, 0, "CHOWN"},
	    {"cgroup", EACCES, "write 1 to memory.max", 0, HOST_CONTAINER_DOCKER, "delegated in part"},
	    {"cgroup", 0, "x", USER_BUS, HOST_CONTAINER_KUBERNETES, "resources.limits"},
	    {"cgroup", 0, "x", USER_BUS, HOST_CONTAINER_DOCKER, "systemctl edit user@.service"},
	    {"cgroup", 0, "x", 0, HOST_CONTAINER_DOCKER, "writable-cgroups"},
	    {"cgroup", 0, "x", 0, HOST_CONTAINER_PODMAN, "podman run --security-opt unmask=/sys/fs/cgroup)"},
	    {"cgroup", 0, "x", OWN_CGROUP, HOST_CONTAINER_DOCKER, "the container's first"},
	    {"cgroup", 0, "x", OWN_CGROUP, 0, "cgcreate"},
	    {"cgroup", 0, "x", USER_BUS | SLURM, 0, "the job's own limits"},
	    {"cgroup", 0, "x", 0, 0, "cgcreate"},
	    {"rlimit", EPERM, "x", 0, 0, "ulimit -a"},
	    {"script", EACCES, "x.py", 0, 0, "chmod +r"},
	    {"script", ENOENT, "x.py", 0, 0, "check the path"},
	    {"script", ENOTDIR, "x.py", 0, 0, "is a file"},
	    {"script", ELOOP, "x.py", 0, 0, "circle"},
	    {"exec", ENOENT, "x", 0, 0, "--bind"},
	    {"exec", EACCES, "x", 0, 0, "noexec"},
	    {"stdio", EMFILE, "pipe", 0, 0, "ulimit -n"},
	    {"clone", ENFILE, "x", 0, 0, "fs.file-max"},
	    {"clone", ENOMEM, "x", 0, 0, "out of memory"},
	    {"usage", 0, "x", 0, 0, NULL},
	    {"", EMFILE, "", NO_USERNS | NESTED, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err;

		host = rows[i].host;
		container = rows[i].container;
		if ((host & SLURM) != 0)
			(void)setenv("SLURM_JOB_ID", "7", 1);
		else
			(void)unsetenv("SLURM_JOB_ID");
		error_set(&err, rows[i].stage, rows[i].errnum, "%s", rows[i].detail);
		hint_add(&err);
		if (rows[i].says == NULL)
			CHECK(err.hint[0] == '\0', "row %zu: '%s'", i, err.hint);
		else
			CHECK(strstr(err.hint, rows[i].says) != NULL, "row %zu (%s): '%s'", i, rows[i].says, err.hint);
		CHECK(strlen(err.hint) < ERROR_HINT_MAX - 1, "row %zu was cut", i);
		CHECK(strcmp(err.detail, rows[i].detail) == 0 && err.errnum == rows[i].errnum, "row %zu", i);
	}
	host = 0;
	container = HOST_CONTAINER_NONE;
}

static void test_keeps_a_hint(void **state)
{
	struct error err;

	(void)state;
	error_set(&err, "exec", ENOENT, "x");
	error_hint(&err, "known better");
	hint_add(&err);
	assert_string_equal(err.hint, "known better");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_keeps_a_hint),
	};

	return cmocka_run_group_tests_name("hint", tests, NULL, NULL);
}
