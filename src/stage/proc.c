/* A private /proc of the new pid namespace, and two walls that need it while it is writable. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "stage/stage.h"

#define NAME "proc"

/* What covers a directory that must not be listed, and a file that must not be read. */
#define EMPTY_DIR "var/empty"
#define CLOSED_FILE "var/closed"

/* Limits of this user namespace. The first is a second wall behind the filter's: it can have no
 * children. The other is a number that the host counts for each user, who would run out of it. */
static const struct {
	const char *path;
	const char *value;
} sysctls[] = {
    {"proc/sys/user/max_user_namespaces", "0"},
    {"proc/sys/user/max_inotify_instances", "64"},
};

/* Kernel internals and facts about the host that a task has no use for; runc's list and ours. What
 * only root may read (kcore, kmsg, timer_list) needs no mask: no task is root. */
static const struct {
	const char *path;
	bool directory;
} masked[] = {
    {"proc/acpi", true},     {"proc/asound", true},	 {"proc/bus", true},	   {"proc/scsi", true},
    {"proc/cmdline", false}, {"proc/interrupts", false}, {"proc/kallsyms", false}, {"proc/key-users", false},
    {"proc/keys", false},    {"proc/latency_stats", false}, {"proc/modules", false},
};

int stage_proc(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	AUTO_CLOSE int closed_fd = -1;
	int r;

	(void)policy;
	if (mkdir("proc", 0755) < 0 || mkdir("var", 0755) < 0 || mkdir(EMPTY_DIR, 0755) < 0)
		return error_set(err, NAME, errno, "mkdir /proc");
	closed_fd = open(CLOSED_FILE, O_CREAT | O_WRONLY | O_CLOEXEC, 0);
	if (closed_fd < 0)
		return error_set(err, NAME, errno, "create /" CLOSED_FILE);
	if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return error_set(err, NAME, errno, "mount /proc");
	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
		r = fd_write_file_at(AT_FDCWD, sysctls[i].path, sysctls[i].value);
		if (r < 0)
			return error_set(err, NAME, -r, "write /%s", sysctls[i].path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(masked); i++) {
		const char *cover = masked[i].directory ? EMPTY_DIR : CLOSED_FILE;

		if (mount(cover, masked[i].path, NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
			return error_set(err, NAME, errno, "mask /%s", masked[i].path);
	}
	ctx->proc_fd = open("proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ctx->proc_fd < 0 ? error_set(err, NAME, errno, "open /proc") : 0;
}
