#include "stage/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "stage/stage.h"

#define NAME "idmap"

/*
 * The uid and gid of root's tasks. From 1879048192 to 2147352575 no account, subordinate range or
 * container of systemd's lies (systemd, "Users, Groups, UIDs and GIDs"); this one spells "pyth".
 */
#define IDMAP_TASK_ID 0x70797468U

/* The id that root's tasks get, by the lines "inside outside count" of /proc/self/uid_map. */
static int choose_mapped(const char *path, unsigned int *ret_id)
{
	char text[4096];
	char *save = NULL;
	unsigned int highest = 0;
	ssize_t n = fd_read_file_at(AT_FDCWD, path, text, sizeof(text));

	if (n < 0)
		return (int)n;
	for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		unsigned int inside;
		unsigned int outside;
		unsigned int count;

		if (sscanf(line, "%u %u %u", &inside, &outside, &count) != 3 || count == 0)
			return -EINVAL;
		if (IDMAP_TASK_ID >= inside && IDMAP_TASK_ID - inside < count) {
			*ret_id = IDMAP_TASK_ID;
			return 0;
		}
		if (inside + (count - 1) > highest)
			highest = inside + (count - 1);
	}
	*ret_id = highest;
	return 0;
}

/*
 * No id but the caller's own is mapped. That is fine when uid 0 here is some ordinary user of the host's; sysctl
 * files belong to the host's root, so they tell.
 */
static int refuse_host_root(struct error *err)
{
	struct stat st;

	if (stat("/proc/sys/kernel", &st) < 0)
		return error_set(err, NAME, errno, "stat /proc/sys/kernel");
	if (st.st_uid != 0)
		return 0;
	error_set(err, NAME, 0, "this user namespace maps the host's root and nobody else");
	return error_hint(err, "the task would own files as root: run capsule-run outside of it, or map more ids "
			       "(unshare --map-auto)");
}

int idmap_choose(struct idmap *ret, struct error *err)
{
	unsigned int uid = 0;
	unsigned int gid = 0;
	int r = 0;

	ret->host_uid = getuid();
	ret->host_gid = getgid();
	ret->privileged = false;
	if (getuid() != 0)
		return 0;
	r = choose_mapped("/proc/self/uid_map", &uid);
	if (r == 0)
		r = choose_mapped("/proc/self/gid_map", &gid);
	if (r < 0)
		return error_set(err, NAME, -r, "read /proc/self/uid_map");
	if (uid == 0 || gid == 0)
		return refuse_host_root(err);
	ret->host_uid = uid;
	ret->host_gid = gid;
	ret->privileged = true;
	return 0;
}

static int write_map(int proc_fd, const char *file, unsigned int inside, unsigned int outside,
		     struct error *err)
{
	char line[48];
	int r;

	(void)snprintf(line, sizeof(line), "%u %u 1\n", inside, outside);
	r = fd_write_file_at(proc_fd, file, line);
	return r < 0 ? error_set(err, NAME, -r, "write %s", file) : 0;
}

int idmap_write(pid_t child, const struct idmap *map, struct error *err)
{
	char path[32];
	AUTO_CLOSE int proc_fd = -1;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d", child);
	proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd < 0)
		return error_set(err, NAME, errno, "open %s", path);
	/* Without privilege the kernel wants setgroups(2) gone before it takes a gid map. */
	if (!map->privileged) {
		r = fd_write_file_at(proc_fd, "setgroups", "deny");
		if (r < 0)
			return error_set(err, NAME, -r, "write setgroups");
	}
	r = write_map(proc_fd, "gid_map", STAGE_GID, map->host_gid, err);
	return r < 0 ? r : write_map(proc_fd, "uid_map", STAGE_UID, map->host_uid, err);
}

int idmap_become(const struct idmap *map, struct error *err)
{
	if (map->privileged && setgroups(0, NULL) < 0)
		return error_set(err, "credentials", errno, "setgroups");
	if (setresgid(STAGE_GID, STAGE_GID, STAGE_GID) < 0 || setresuid(STAGE_UID, STAGE_UID, STAGE_UID) < 0)
		return error_set(err, "credentials", errno, "become uid %d", STAGE_UID);
	return 0;
}
