#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "run/host.h"
#include "tool/check.h"

#define KERNEL_MAJOR 5
#define KERNEL_MINOR 14

static void check_version(struct report *report)
{
	struct utsname name;
	struct error err;
	int major = 0;
	int minor = 0;

	if (uname(&name) < 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2) {
		report_add(report, GROUP_KERNEL, "version", FINDING_INFO, "unknown");
		return;
	}
	if (major > KERNEL_MAJOR || (major == KERNEL_MAJOR && minor >= KERNEL_MINOR)) {
		report_add(report, GROUP_KERNEL, "version", FINDING_OK, "Linux %s, %s",
			   name.release, name.machine);
		return;
	}
	error_set(&err, "kernel", 0, "Linux %s, %s", name.release, name.machine);
	error_hint(&err, "Linux %d.%d or newer is needed", KERNEL_MAJOR, KERNEL_MINOR);
	report_error(report, GROUP_KERNEL, "version", FINDING_MISSING, &err);
}

static void check_place(struct report *report)
{
	enum host_container container = host_container();

	if (container != HOST_CONTAINER_NONE)
		report_add(report, GROUP_KERNEL, "container", FINDING_INFO,
			   "%s, by the marks that it leaves", host_container_name(container));
	if (host_in_chroot())
		report_add(report, GROUP_KERNEL, "chroot", FINDING_INFO,
			   "the root directory was put there by chroot");
	if (host_in_capsule())
		report_add(report, GROUP_KERNEL, "nested", FINDING_INFO,
			   "this is inside another capsule-run");
	if (host_on_github())
		report_add(report, GROUP_KERNEL, "ci", FINDING_INFO, "a step of GitHub Actions");
}

/* The first line of a small file, or NULL when it can't be read. */
static const char *first_line(const char *path, char *buf, size_t size)
{
	if (fd_read_file_at(AT_FDCWD, path, buf, size) < 0)
		return NULL;
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

static void check_modules(struct report *report)
{
	char text[256];
	uint64_t value;

	if (first_line("/sys/kernel/security/lsm", text, sizeof(text)) != NULL)
		report_add(report, GROUP_KERNEL, "security-modules", FINDING_INFO, "%s", text);
	if (first_line("/proc/self/attr/apparmor/current", text, sizeof(text)) != NULL &&
	    *text != '\0')
		report_add(report, GROUP_KERNEL, "apparmor", FINDING_INFO, "this process is %s",
			   text);
	if (fd_read_u64_at(AT_FDCWD, "/sys/fs/selinux/enforce", &value) == 0) {
		const char *mode = value == 1 ? "enforcing" : "permissive";

		report_add(report, GROUP_KERNEL, "selinux", FINDING_INFO, "%s", mode);
	}
	if (fd_read_u64_at(AT_FDCWD, "/proc/sys/kernel/yama/ptrace_scope", &value) == 0)
		report_add(report, GROUP_KERNEL, "yama", FINDING_INFO,
			   "ptrace_scope %llu; tasks can't trace whatever it is",
			   (unsigned long long)value);
}

/* Switches that explain a failure below; what they come to is tried there. */
static void check_switches(struct report *report)
{
	static const struct {
		const char *name;
		const char *path;
	} switches[] = {
	    {"user.max_user_namespaces", "/proc/sys/user/max_user_namespaces"},
	    {"kernel.unprivileged_userns_clone", "/proc/sys/kernel/unprivileged_userns_clone"},
	    {"kernel.apparmor_restrict_unprivileged_userns",
	     "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"},
	};
	char list[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
		uint64_t value;

		if (fd_read_u64_at(AT_FDCWD, switches[i].path, &value) == 0)
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s=%llu",
						len == 0 ? "" : ", ", switches[i].name,
						(unsigned long long)value);
	}
	report_add(report, GROUP_KERNEL, "switches", FINDING_INFO, "%s",
		   len == 0 ? "none to be seen" : list);
}

/* What lies over parts of /proc: the kernel then refuses a new one to who could uncover it that
 * way. */
static void check_covers(struct report *report)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	char list[256] = "";
	size_t len = 0;

	while (mounts != NULL && (entry = getmntent(mounts)) != NULL)
		/* An empty directory made for a mount may be covered: binfmt_misc's. */
		if (strncmp(entry->mnt_dir, "/proc/", 6) == 0 &&
		    strstr(entry->mnt_dir, "/binfmt_misc") == NULL && len < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
						len == 0 ? "" : ", ", entry->mnt_dir);
	if (mounts != NULL)
		endmntent(mounts);
	if (len > 0)
		report_add(report, GROUP_KERNEL, "proc", FINDING_INFO, "partly covered: %s%s", list,
			   len >= sizeof(list) ? "..." : "");
}

static void check_caller(struct report *report)
{
	char map[64];
	unsigned int inside;
	unsigned int outside;
	unsigned int count;
	bool whole =
	    first_line("/proc/self/uid_map", map, sizeof(map)) == NULL ||
	    (sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && count == 4294967295U);

	report_add(report, GROUP_KERNEL, "caller", FINDING_INFO, "uid %u%s%s%s%s", getuid(),
		   whole ? "" : ", in a user namespace",
		   getuid() == 0 && !host_has_capability(CAP_SYS_ADMIN)
		       ? ", without the capability SYS_ADMIN"
		       : "",
		   prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? ", no_new_privs" : "",
		   host_is_filtered() ? ", under a seccomp filter" : "");
}

void check_host(struct report *report)
{
	check_version(report);
	check_place(report);
	check_modules(report);
	check_switches(report);
	check_covers(report);
	check_caller(report);
}
