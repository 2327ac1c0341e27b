#include "run/watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "base/usage.h"

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The kB value of a "Name:   123 kB" line. */
static bool read_kb(const char *text, const char *name, uint64_t *ret_bytes)
{
	const char *p = strstr(text, name);
	uint64_t kb;

	if (p == NULL || sscanf(p + strlen(name), "%" SCNu64, &kb) != 1)
		return false;
	*ret_bytes = kb * 1024;
	return true;
}

static uint64_t host_shmem(void)
{
	char text[4096];
	uint64_t bytes = 0;

	if (fd_read_file_at(AT_FDCWD, "/proc/meminfo", text, sizeof(text)) > 0)
		(void)read_kb(text, "\nShmem:", &bytes);
	return bytes;
}

/* Memory of TCP and UDP sockets, of the whole host: no process shows it. */
static uint64_t host_sockets(void)
{
	char text[1024];
	uint64_t pages = 0;

	if (fd_read_file_at(AT_FDCWD, "/proc/net/sockstat", text, sizeof(text)) < 0)
		return 0;
	for (const char *p = strstr(text, " mem "); p != NULL; p = strstr(p + 1, " mem ")) {
		uint64_t n;

		if (sscanf(p, " mem %" SCNu64, &n) == 1)
			pages += n;
	}
	return pages * page_size();
}

/* What the host as a whole has more of since the start, and nobody can be asked for. */
static uint64_t host_rise(const struct watch *watch)
{
	uint64_t now = host_shmem() + host_sockets();

	return now > watch->host_base_bytes ? now - watch->host_base_bytes : 0;
}

static bool is_pid(const char *name)
{
	return name[0] >= '1' && name[0] <= '9';
}

/* Calls fn for every process inside but init. Returns false when /proc can't be read. */
static bool for_each_process(const struct watch *watch, bool (*fn)(const struct watch *, const char *, void *),
			     void *data)
{
	int fd = openat(watch->proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool ok = dir != NULL;

	while (ok && (entry = readdir(dir)) != NULL)
		if (is_pid(entry->d_name) && strcmp(entry->d_name, "1") != 0)
			ok = fn(watch, entry->d_name, data);
	if (dir != NULL)
		closedir(dir);
	else
		close_fd(&fd);
	return ok;
}

static bool is_gone(int r)
{
	return r == -ENOENT || r == -ESRCH;
}

/* A process whose first thread has ended shows no memory; its other threads do. Writes the path of a
 * living thread's directory. */
static bool find_thread(const struct watch *watch, const char *pid, char *path, size_t size)
{
	AUTO_CLOSE int fd = -1;
	struct dirent *entry;
	bool found = false;
	char tasks[32];
	DIR *dir;

	(void)snprintf(tasks, sizeof(tasks), "%s/task", pid);
	fd = openat(watch->proc_fd, tasks, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(take_fd(&fd));
	while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
		if (!is_pid(entry->d_name) || strcmp(entry->d_name, pid) == 0)
			continue;
		(void)snprintf(path, size, "%s/task/%.10s", pid, entry->d_name);
		found = true;
	}
	if (dir != NULL)
		closedir(dir);
	return found;
}

static int read_statm(const struct watch *watch, const char *dir, uint64_t *ret_size, uint64_t *ret_resident)
{
	char path[64];
	char text[128];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/statm", dir);
	n = fd_read_file_at(watch->proc_fd, path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	return sscanf(text, "%" SCNu64 " %" SCNu64, ret_size, ret_resident) == 2 ? 0 : -EINVAL;
}

/* The directory in /proc that shows a process's memory: its own, or a thread's. */
static int memory_dir(const struct watch *watch, const char *pid, char *dir, size_t size, uint64_t *ret_resident)
{
	uint64_t pages = 0;
	int r;

	(void)snprintf(dir, size, "%.10s", pid);
	r = read_statm(watch, dir, &pages, ret_resident);
	if (r == 0 && pages == 0 && find_thread(watch, pid, dir, size))
		r = read_statm(watch, dir, &pages, ret_resident);
	return r;
}

static bool add_bound(const struct watch *watch, const char *pid, void *data)
{
	uint64_t resident = 0;
	char dir[48];
	int r = memory_dir(watch, pid, dir, sizeof(dir), &resident);

	if (r == 0)
		*(uint64_t *)data += resident * page_size();
	return r == 0 || is_gone(r);
}

/* Files that were counted, by inode: a tree of search.h's, since a task may open any number. */
struct inode {
	dev_t dev;
	ino_t ino;
};

static int compare_inodes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct inode));
}

/* True when the inode is new to the set; also when there is no memory to tell: too much, not too little. */
static bool inode_set_add(void **set, const struct stat *st)
{
	struct inode *inode = calloc(1, sizeof(*inode));
	struct inode **found;

	if (inode == NULL)
		return true;
	inode->dev = st->st_dev;
	inode->ino = st->st_ino;
	found = tsearch(inode, set, compare_inodes);
	if (found != NULL && *found == inode)
		return true;
	free(inode);
	return found == NULL;
}

struct exact {
	uint64_t own_bytes;   /* anonymous and file pages, shared ones in proportion */
	dev_t disk_dev;	      /* where open deleted files count as disk */
	uint64_t deleted_bytes;
	uint64_t deleted_inodes;
	bool count_memory;
	void *seen;
};

static bool add_thread_files(int task_fd, const char *tid, struct exact *sum)
{
	AUTO_CLOSE int fd = -1;
	struct dirent *entry;
	char path[32];
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%.10s/fd", tid);
	fd = openat(task_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return is_gone(-errno);
	dir = fdopendir(fd);
	if (dir == NULL)
		return false;
	fd = -1;
	while ((entry = readdir(dir)) != NULL) {
		struct stat st;

		if (entry->d_name[0] == '.' || fstatat(dirfd(dir), entry->d_name, &st, 0) < 0 ||
		    !S_ISREG(st.st_mode) || st.st_nlink != 0 || st.st_dev != sum->disk_dev ||
		    !inode_set_add(&sum->seen, &st))
			continue;
		sum->deleted_bytes += (uint64_t)st.st_blocks * 512;
		sum->deleted_inodes++;
	}
	closedir(dir);
	return true;
}

/* Deleted files of the sandbox directory that one of a process's threads holds open: threads need not share
 * their tables of descriptors. */
static bool add_open_files(const struct watch *watch, const char *pid, struct exact *sum)
{
	AUTO_CLOSE int fd = -1;
	struct dirent *thread;
	bool ok = true;
	char path[32];
	DIR *threads;

	(void)snprintf(path, sizeof(path), "%.10s/task", pid);
	fd = openat(watch->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return is_gone(-errno);
	threads = fdopendir(fd);
	if (threads == NULL)
		return false;
	fd = -1;
	while (ok && (thread = readdir(threads)) != NULL)
		if (is_pid(thread->d_name))
			ok = add_thread_files(dirfd(threads), thread->d_name, sum);
	closedir(threads);
	return ok;
}

static bool is_zombie(const struct watch *watch, const char *pid)
{
	char path[32];
	char text[512];
	const char *p;

	(void)snprintf(path, sizeof(path), "%.10s/stat", pid);
	if (fd_read_file_at(watch->proc_fd, path, text, sizeof(text)) < 0)
		return true;
	p = strrchr(text, ')');
	return p == NULL || p[1] == '\0' || p[2] == 'Z' || p[2] == 'X';
}

static bool add_exact(const struct watch *watch, const char *pid, void *data)
{
	struct exact *sum = data;
	uint64_t anon = 0;
	uint64_t file = 0;
	uint64_t resident = 0;
	char text[4096];
	char path[64];
	char dir[48];
	ssize_t n = 0;

	if (sum->count_memory) {
		if (memory_dir(watch, pid, dir, sizeof(dir), &resident) < 0)
			return is_zombie(watch, pid);
		(void)snprintf(path, sizeof(path), "%s/smaps_rollup", dir);
		n = fd_read_file_at(watch->proc_fd, path, text, sizeof(text));
		if (n < 0)
			return is_gone((int)n) || is_zombie(watch, pid);
		(void)read_kb(text, "\nPss_Anon:", &anon);
		(void)read_kb(text, "\nPss_File:", &file);
		sum->own_bytes += anon + file;
		return true;
	}
	return add_open_files(watch, pid, sum) || is_zombie(watch, pid);
}

static enum watch_result check_memory(struct watch *watch, uint64_t at_ms)
{
	uint64_t rise = host_rise(watch);
	struct exact sum = {.count_memory = true};
	uint64_t bound = rise;
	uint64_t total;
	uint64_t started;
	bool readable;

	readable = for_each_process(watch, add_bound, &bound);
	if (bound > watch->memory_peak_bytes && bound <= watch->ram_bytes)
		watch->memory_peak_bytes = bound;
	if (readable && bound <= watch->ram_bytes)
		return WATCH_OK;
	/* Sharing makes the bound too high for some honest tasks: count again when it rose by half of what
	 * remained, or after a while in proportion to what counting costs. */
	if (readable && bound < watch->exact_bound && at_ms < watch->next_exact_ms)
		return WATCH_OK;
	started = now_ms();
	watch->freeze(watch->freeze_data, true);
	readable = for_each_process(watch, add_exact, &sum);
	/* Shared memory may be in no mapping, no table of descriptors and no directory: all that the host has
	 * more of counts as the task's. */
	total = sum.own_bytes + rise;
	if (!readable || total > watch->ram_bytes) {
		watch->found = readable ? total : bound;
		watch->memory_peak_bytes = watch->found;
		return WATCH_OVER_MEMORY;
	}
	watch->freeze(watch->freeze_data, false);
	if (total > watch->memory_peak_bytes)
		watch->memory_peak_bytes = total;
	watch->exact_bound = bound + (watch->ram_bytes - total) / 2;
	watch->next_exact_ms = at_ms + 50 + 16 * (now_ms() - started);
	return WATCH_OK;
}

static bool add_cpu(const struct watch *watch, const char *pid, void *data)
{
	uint64_t ticks[4];
	char path[32];
	char text[1024];
	const char *p;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%.10s/stat", pid);
	n = fd_read_file_at(watch->proc_fd, path, text, sizeof(text));
	if (n < 0)
		return is_gone((int)n);
	p = strrchr(text, ')');
	/* utime, stime, cutime, cstime: fields 14 to 17 of proc(5). */
	if (p == NULL || sscanf(p + 2,
				"%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64
				" %" SCNu64,
				&ticks[0], &ticks[1], &ticks[2], &ticks[3]) != 4)
		return false;
	*(uint64_t *)data += (ticks[0] + ticks[1] + ticks[2] + ticks[3]) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	return true;
}

static bool sum_cpu(const struct watch *watch, uint64_t *ret_ms)
{
	*ret_ms = 0;
	/* init waits for orphans, so their time is with it. */
	return for_each_process(watch, add_cpu, ret_ms) && add_cpu(watch, "1", ret_ms);
}

static enum watch_result check_cpu(struct watch *watch)
{
	uint64_t ms;
	bool readable = sum_cpu(watch, &ms);

	/* The sum falls when a child ends that nobody waits for (SIGCHLD ignored): what it used stays used. A
	 * child that is being waited for may be missed by one look, not by two. */
	if (readable && ms < watch->cpu_now_ms) {
		uint64_t again;

		readable = sum_cpu(watch, &again);
		if (again > ms)
			ms = again;
		if (ms < watch->cpu_now_ms)
			watch->cpu_lost_ms += watch->cpu_now_ms - ms;
	}
	watch->cpu_now_ms = ms;
	watch->found = ms + watch->cpu_lost_ms;
	return !readable || watch->found > watch->cpu_ms ? WATCH_OVER_CPU : WATCH_OK;
}

static struct usage free_space(int fd)
{
	struct usage usage = {0, 0};
	struct statvfs fs;

	if (fstatvfs(fd, &fs) == 0) {
		usage.bytes = (uint64_t)fs.f_bfree * fs.f_frsize;
		usage.inodes = (uint64_t)fs.f_ffree;
	}
	return usage;
}

static uint64_t half(uint64_t limit, uint64_t used)
{
	return limit == LIMIT_NONE ? LIMIT_NONE : limit > used ? (limit - used) / 2 : 0;
}

static enum watch_result check_disk(struct watch *watch, uint64_t at_ms)
{
	struct usage free_now = free_space(watch->workdir_fd);
	struct usage sum = {0, 0};
	struct exact open_files = {.count_memory = false};
	uint64_t started;
	struct stat st;
	bool ok;

	/* File systems without a count of free inodes (btrfs) are walked every second. */
	if (free_now.bytes + watch->walk_margin_bytes >= watch->free_at_walk.bytes &&
	    free_now.inodes + watch->walk_margin_inodes >= watch->free_at_walk.inodes &&
	    (free_now.inodes != 0 || at_ms < watch->next_walk_ms))
		return WATCH_OK;
	started = now_ms();
	watch->freeze(watch->freeze_data, true);
	free_now = free_space(watch->workdir_fd);
	ok = fstat(watch->workdir_fd, &st) == 0 && usage_walk(watch->workdir_fd, &sum) == 0;
	open_files.disk_dev = st.st_dev;
	ok = ok && for_each_process(watch, add_exact, &open_files);
	tdestroy(open_files.seen, free);
	sum.bytes += open_files.deleted_bytes;
	sum.inodes += open_files.deleted_inodes;
	sum.bytes = sum.bytes > watch->disk_base.bytes ? sum.bytes - watch->disk_base.bytes : 0;
	sum.inodes = sum.inodes > watch->disk_base.inodes ? sum.inodes - watch->disk_base.inodes : 0;
	if (!ok || sum.bytes > watch->disk_bytes) {
		watch->found = sum.bytes;
		return WATCH_OVER_DISK;
	}
	if (sum.inodes > watch->inodes) {
		watch->found = sum.inodes;
		return WATCH_OVER_INODES;
	}
	watch->freeze(watch->freeze_data, false);
	watch->free_at_walk = free_now;
	watch->walk_margin_bytes = half(watch->disk_bytes, sum.bytes);
	watch->walk_margin_inodes = half(watch->inodes, sum.inodes);
	watch->next_walk_ms = at_ms + 1000 + 16 * (now_ms() - started);
	return WATCH_OK;
}

int watch_init(struct watch *watch, int workdir_fd, struct error *err)
{
	int r;

	watch->workdir_fd = workdir_fd;
	watch->host_base_bytes = watch->ram_bytes == LIMIT_NONE ? 0 : host_shmem() + host_sockets();
	if (workdir_fd < 0) {
		watch->disk_bytes = LIMIT_NONE;
		watch->inodes = LIMIT_NONE;
		return 0;
	}
	if (watch->disk_bytes == LIMIT_NONE && watch->inodes == LIMIT_NONE)
		return 0;
	r = usage_walk(workdir_fd, &watch->disk_base);
	if (r < 0) {
		error_set(err, "disk", -r, "count what lies in the sandbox directory");
		return error_hint(err, "clean it, pass another with --dir DIR, or use --disk unlimited "
				       "--inodes unlimited");
	}
	watch->free_at_walk = free_space(workdir_fd);
	watch->walk_margin_bytes = half(watch->disk_bytes, 0);
	watch->walk_margin_inodes = half(watch->inodes, 0);
	watch->next_walk_ms = now_ms() + 1000;
	return 0;
}

static bool watches_disk(const struct watch *watch)
{
	return watch->disk_bytes != LIMIT_NONE || watch->inodes != LIMIT_NONE;
}

bool watch_is_active(const struct watch *watch)
{
	return watch->ram_bytes != LIMIT_NONE || watch->cpu_ms != LIMIT_NONE || watches_disk(watch);
}

enum watch_result watch_check(struct watch *watch, uint64_t at_ms)
{
	enum watch_result result = WATCH_OK;

	if (watch->proc_fd < 0)
		return WATCH_OK;
	if (watch->ram_bytes != LIMIT_NONE)
		result = check_memory(watch, at_ms);
	if (result == WATCH_OK && watch->cpu_ms != LIMIT_NONE)
		result = check_cpu(watch);
	if (result == WATCH_OK && watches_disk(watch))
		result = check_disk(watch, at_ms);
	return result;
}

void watch_fini(struct watch *watch)
{
	close_fd(&watch->proc_fd);
}
