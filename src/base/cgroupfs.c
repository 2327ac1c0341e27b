#include "base/cgroupfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#define NEAR_LIMIT_BYTES (512 * 1024)

const char *cgroupfs_path(const char *text, const char *controller, char *buf, size_t size)
{
	size_t want = strlen(controller);

	for (const char *line = text; *line != '\0';) {
		const char *end = strchrnul(line, '\n');
		const char *list = strchr(line, ':');
		const char *path = list == NULL ? NULL : strchr(list + 1, ':');

		if (path != NULL && path < end) {
			for (const char *name = list + 1; name <= path; name += strcspn(name, ",:") + 1) {
				size_t len = strcspn(name, ",:");

				if (len == want && memcmp(name, controller, len) == 0) {
					(void)snprintf(buf, size, "%.*s", (int)(end - path - 1), path + 1);
					/* Above the root of our cgroup namespace: nothing that is mounted here. */
					return strncmp(buf, "/..", 3) == 0 ? NULL : buf;
				}
			}
		}
		line = *end == '\0' ? end : end + 1;
	}
	return NULL;
}

int cgroupfs_below_mount(const char *mountinfo, int mount_fd, const char *path, char *buf, size_t size)
{
	FILE *file = fopen(mountinfo, "re");
	AUTO_FREE char *line = NULL;
	size_t room = 0;
	struct statx st;
	int r = -ENOENT;

	if (file == NULL)
		return -errno;
	if (statx(mount_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		r = -errno;
	while (r == -ENOENT && getline(&line, &room, file) >= 0) {
		unsigned long long id;
		const char *root;
		size_t len;
		int at = 0;

		/* ID, parent, device, root, ... */
		if (sscanf(line, "%llu %*u %*u:%*u %n", &id, &at) != 1 || at == 0 || id != st.stx_mnt_id)
			continue;
		root = line + at;
		len = strcspn(root, " \n");
		if (len > 1 && strncmp(path, root, len) == 0 && (path[len] == '/' || path[len] == '\0')) {
			(void)snprintf(buf, size, "%s", path + len);
			r = 0;
		}
		break;
	}
	(void)fclose(file);
	return r;
}

static bool has_word(const char *text, const char *word)
{
	size_t want = strlen(word);

	for (const char *p = text; *p != '\0';) {
		size_t len = strcspn(p, " \n");

		if (len == want && memcmp(p, word, len) == 0)
			return true;
		p += len;
		p += strspn(p, " \n");
	}
	return false;
}

bool cgroupfs_has_controllers(int dir_fd, const char *file, unsigned int more)
{
	char text[512];

	return fd_read_file_at(dir_fd, file, text, sizeof(text)) >= 0 && has_word(text, "memory") &&
	       has_word(text, "pids") && ((more & CGROUPFS_CPU) == 0 || has_word(text, "cpu")) &&
	       ((more & CGROUPFS_IO) == 0 || has_word(text, "io"));
}

bool cgroupfs_is_limited(int dir_fd, uint64_t pids)
{
	static const char *const files[] = {"memory.max", "memory.high", "cpu.max", "cpuset.cpus", "io.max"};
	char text[4096];
	uint64_t most;

	/* A file that is not there limits nothing (its controller is not on), nor does an empty one. */
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		ssize_t n = fd_read_file_at(dir_fd, files[i], text, sizeof(text));

		if (n == -EFBIG || (n > 0 && strcmp(text, "\n") != 0 && strncmp(text, "max", 3) != 0))
			return true;
	}
	return fd_read_u64_at(dir_fd, "pids.max", &most) == 0 && most < pids;
}

void cgroupfs_remove(int parent_fd, const char *name)
{
	const struct timespec pause = {.tv_nsec = 500000};

	for (unsigned int try = 0; try < 200; try++) {
		if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno != EBUSY)
			break;
		(void)nanosleep(&pause, NULL);
	}
}

void cgroupfs_sweep(int parent_fd, const char *prefix)
{
	int fd = openat(parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (dir == NULL) {
		close_fd(&fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		AUTO_CLOSE int group_fd = -1;

		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		group_fd = openat(parent_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (group_fd < 0 || flock(group_fd, LOCK_EX | LOCK_NB) < 0)
			continue;
		cgroupfs_sweep(group_fd, prefix);
		cgroupfs_remove(parent_fd, entry->d_name);
	}
	closedir(dir);
}

bool cgroupfs_has_dead(int parent_fd, const char *prefix)
{
	int fd = openat(parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool found = false;

	if (dir == NULL) {
		close_fd(&fd);
		return false;
	}
	while (!found && (entry = readdir(dir)) != NULL) {
		AUTO_CLOSE int group_fd = -1;

		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		group_fd = openat(parent_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		found = group_fd >= 0 && flock(group_fd, LOCK_EX | LOCK_NB) == 0;
	}
	closedir(dir);
	return found;
}

bool cgroupfs_is_alone(int dir_fd)
{
	char text[64];
	char mine[16];

	(void)snprintf(mine, sizeof(mine), "%d\n", getpid());
	return fd_read_file_at(dir_fd, "cgroup.procs", text, sizeof(text)) >= 0 && strcmp(text, mine) == 0;
}

bool cgroupfs_is_delegated(int dir_fd)
{
	char value;

	return fgetxattr(dir_fd, "user.delegate", &value, sizeof(value)) == 1 && value == '1';
}

bool cgroupfs_was_at_limit_v1(int memory_fd)
{
	static const struct {
		const char *most;
		const char *limit;
	} files[] = {{"memory.memsw.max_usage_in_bytes", "memory.memsw.limit_in_bytes"},
		     {"memory.max_usage_in_bytes", "memory.limit_in_bytes"}};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		uint64_t limit;
		uint64_t most;

		if (fd_read_u64_at(memory_fd, files[i].most, &most) == 0 &&
		    fd_read_u64_at(memory_fd, files[i].limit, &limit) == 0 && most + NEAR_LIMIT_BYTES >= limit)
			return true;
	}
	return false;
}

bool cgroupfs_needed(int memory_fd, const char *file, uint64_t from_bytes, uint64_t *ret_bytes)
{
	static const char *const cache[] = {"inactive_file", "active_file"};
	uint64_t bytes;
	uint64_t used;

	if (fd_read_u64_at(memory_fd, file, &used) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(cache) && used >= from_bytes; i++)
		if (fd_read_key_at(memory_fd, "memory.stat", cache[i], &bytes) == 0)
			used -= bytes < used ? bytes : used;
	*ret_bytes = used;
	return true;
}

static const char *rate_text(uint64_t rate, char *buf, size_t size)
{
	if (rate == UINT64_MAX)
		(void)snprintf(buf, size, "max");
	else
		(void)snprintf(buf, size, "%" PRIu64, rate);
	return buf;
}

int cgroupfs_set_rates(int dir_fd, bool is_v2, dev_t device, uint64_t read_bps, uint64_t write_bps)
{
	char rates[2][32];
	char text[96];

	(void)rate_text(read_bps, rates[0], sizeof(rates[0]));
	(void)rate_text(write_bps, rates[1], sizeof(rates[1]));
	if (is_v2)
		(void)snprintf(text, sizeof(text), "%u:%u rbps=%s wbps=%s", major(device), minor(device), rates[0],
			       rates[1]);
	else
		(void)snprintf(text, sizeof(text), "%u:%u %s", major(device), minor(device), rates[0]);
	return fd_write_file_at(dir_fd, is_v2 ? "io.max" : "blkio.throttle.read_bps_device", text);
}
