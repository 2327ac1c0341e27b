#include "run/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"

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

bool scan_has_pending(int proc_fd, pid_t pid, int sig)
{
	char path[32];
	char text[4096];
	const char *p;

	(void)snprintf(path, sizeof(path), "%d/status", (int)pid);
	if (fd_read_file_at(proc_fd, path, text, sizeof(text)) < 0)
		return false;
	p = strstr(text, "\nShdPnd:\t");
	return p != NULL && (strtoull(p + 9, NULL, 16) >> (sig - 1) & 1) != 0;
}

uint64_t scan_host_shmem(void)
{
	struct sysinfo info;

	/* /proc/meminfo's Shmem, without the reading. What can't be read counts as over. */
	return sysinfo(&info) < 0 ? UINT64_MAX / 4 : (uint64_t)info.sharedram * info.mem_unit;
}

uint64_t scan_host_sockets(void)
{
	char text[1024];
	uint64_t pages = 0;

	/* As above; a host that never shows it has the same figure at the start, and so no rise. */
	if (fd_read_file_at(AT_FDCWD, "/proc/net/sockstat", text, sizeof(text)) < 0)
		return UINT64_MAX / 4;
	for (const char *p = strstr(text, " mem "); p != NULL; p = strstr(p + 1, " mem ")) {
		uint64_t n;

		if (sscanf(p, " mem %" SCNu64, &n) == 1)
			pages += n;
	}
	return pages * page_size();
}

static bool is_pid(const char *name)
{
	return name[0] >= '1' && name[0] <= '9';
}

/* Calls fn for every process inside but init. Returns false when /proc can't be read. */
static bool for_each_process(int proc_fd, bool (*fn)(int, const char *, void *),
			     void *data)
{
	int fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool ok = dir != NULL;

	while (ok && (entry = readdir(dir)) != NULL)
		if (is_pid(entry->d_name) && strcmp(entry->d_name, "1") != 0)
			ok = fn(proc_fd, entry->d_name, data);
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
static bool find_thread(int proc_fd, const char *pid, char *path, size_t size)
{
	AUTO_CLOSE int fd = -1;
	struct dirent *entry;
	bool found = false;
	char tasks[32];
	DIR *dir;

	(void)snprintf(tasks, sizeof(tasks), "%s/task", pid);
	fd = openat(proc_fd, tasks, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

static int read_statm(int proc_fd, const char *dir, uint64_t *ret_size, uint64_t *ret_resident)
{
	char path[64];
	char text[128];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/statm", dir);
	n = fd_read_file_at(proc_fd, path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	return sscanf(text, "%" SCNu64 " %" SCNu64, ret_size, ret_resident) == 2 ? 0 : -EINVAL;
}

/* The directory in /proc that shows a process's memory: its own, or a thread's. */
static int memory_dir(int proc_fd, const char *pid, char *dir, size_t size, uint64_t *ret_resident)
{
	uint64_t pages = 0;
	int r;

	(void)snprintf(dir, size, "%.10s", pid);
	r = read_statm(proc_fd, dir, &pages, ret_resident);
	if (r == 0 && pages == 0 && find_thread(proc_fd, pid, dir, size))
		r = read_statm(proc_fd, dir, &pages, ret_resident);
	return r;
}

static bool add_bound(int proc_fd, const char *pid, void *data)
{
	uint64_t resident = 0;
	char dir[48];
	int r = memory_dir(proc_fd, pid, dir, sizeof(dir), &resident);

	if (r == 0)
		*(uint64_t *)data += resident * page_size();
	return r == 0 || is_gone(r);
}

/* Files or parts of files that were counted: a tree of search.h's, since a task may open any number. */
struct inode {
	dev_t dev;
	ino_t ino;
	uint64_t offset;
	uint64_t length; /* 0: the whole file */
};

static int compare_inodes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct inode));
}

/* True when it is new to the set; also when there is no memory to tell: too much, not too little. */
static bool inode_set_add(void **set, const struct inode *new)
{
	struct inode *inode = malloc(sizeof(*inode));
	struct inode **found;

	if (inode == NULL)
		return true;
	memcpy(inode, new, sizeof(*inode));
	found = tsearch(inode, set, compare_inodes);
	if (found != NULL && *found == inode)
		return true;
	free(inode);
	return found == NULL;
}

/* Whether a UNIX socket's queue holds descriptors that were sent and not received. */
static bool holds_descriptors(int task_fd, const char *tid, const char *fd_name)
{
	char path[48];
	char text[512];
	unsigned int count = 0;
	const char *p;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%.10s/fdinfo/%.10s", tid, fd_name);
	n = fd_read_file_at(task_fd, path, text, sizeof(text));
	if (n < 0)
		return !is_gone((int)n);
	p = strstr(text, "scm_fds:");
	return p != NULL && sscanf(p, "scm_fds: %u", &count) == 1 && count > 0;
}

/* A thread that is ending has no memory any more and then closes its files. Until it is a zombie its descriptors are
 * root's to read, and where its CPU is limited that may last. */
static bool is_ending(int task_fd, const char *tid)
{
	uint64_t pages = 0;
	uint64_t resident = 0;
	char dir[16];
	int r;

	(void)snprintf(dir, sizeof(dir), "%.10s", tid);
	r = read_statm(task_fd, dir, &pages, &resident);
	return r == 0 ? pages == 0 : is_gone(r);
}

static bool add_thread_files(int task_fd, const char *tid, struct scan *sum)
{
	AUTO_CLOSE int fd = -1;
	struct dirent *entry;
	char path[32];
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%.10s/fd", tid);
	fd = openat(task_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return is_gone(-errno) || is_ending(task_fd, tid);
	dir = fdopendir(fd);
	if (dir == NULL)
		return false;
	fd = -1;
	while ((entry = readdir(dir)) != NULL) {
		struct stat st;

		if (entry->d_name[0] == '.' || fstatat(dirfd(dir), entry->d_name, &st, 0) < 0)
			continue;
		if (S_ISSOCK(st.st_mode) && sum->count_memory && holds_descriptors(task_fd, tid, entry->d_name))
			sum->hidden = true;
		if (!S_ISREG(st.st_mode) || st.st_nlink != 0 ||
		    !inode_set_add(&sum->seen, &(struct inode){.dev = st.st_dev, .ino = st.st_ino}))
			continue;
		if (sum->count_memory) {
			sum->shared_bytes += (uint64_t)st.st_blocks * 512;
			if (st.st_dev == sum->shmem_dev)
				sum->memfd_bytes += (uint64_t)st.st_blocks * 512;
			continue;
		}
		if (st.st_dev != sum->disk_dev)
			continue;
		sum->deleted_bytes += (uint64_t)st.st_blocks * 512;
		sum->deleted_inodes++;
	}
	closedir(dir);
	return true;
}

/* Deleted files of the sandbox directory that one of a process's threads holds open: threads need not share
 * their tables of descriptors. */
static bool add_open_files(int proc_fd, const char *pid, struct scan *sum)
{
	AUTO_CLOSE int fd = -1;
	struct dirent *thread;
	bool ok = true;
	char path[32];
	DIR *threads;

	(void)snprintf(path, sizeof(path), "%.10s/task", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

/* Nothing of the process is left but its status: one whose first thread alone has ended reads as Z as well. */
static bool is_zombie(int proc_fd, const char *pid)
{
	char path[32];
	char text[512];
	const char *p;
	unsigned int threads = 0;
	char state = 0;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%.10s/stat", pid);
	n = fd_read_file_at(proc_fd, path, text, sizeof(text));
	if (n < 0)
		return is_gone((int)n);
	p = strrchr(text, ')');
	/* state and num_threads: fields 3 and 20 of proc(5). */
	if (p == NULL || sscanf(p + 1,
				" %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %u", &state,
				&threads) != 2)
		return false;
	return (state == 'Z' || state == 'X') && threads <= 1;
}

/* Shared mappings of memory; shared mappings of files on disk are cache. Of the kernel's own shared memory a
 * private mapping shows as much as a shared one, and neither how much there is: that only a descriptor tells. */
static bool add_shared_mappings(int proc_fd, const char *dir, struct scan *sum)
{
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	char path[64];
	FILE *maps;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/maps", dir);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	maps = fd < 0 ? NULL : fdopen(fd, "re");
	if (maps == NULL) {
		bool gone = fd < 0 && is_gone(-errno);

		close_fd(&fd);
		return gone;
	}
	while (getline(&line, &size, maps) > 0) {
		unsigned long start;
		unsigned long end;
		unsigned long long offset;
		unsigned long long ino;
		struct inode part;
		unsigned int major;
		unsigned int minor;
		char mode[5];

		/* Only the kernel's unnamed file systems (major 0) hold memory. */
		if (sscanf(line, "%lx-%lx %4s %llx %x:%x %llu", &start, &end, mode, &offset, &major, &minor, &ino) !=
			7 ||
		    major != 0)
			continue;
		part = (struct inode){.dev = makedev(major, minor), .ino = (ino_t)ino};
		if (part.dev == sum->shmem_dev && ino != 0)
			(void)inode_set_add(&sum->mapped, &part);
		part.offset = offset;
		part.length = end - start;
		if (mode[3] == 's' && inode_set_add(&sum->seen, &part))
			sum->shared_bytes += part.length;
	}
	(void)fclose(maps);
	return true;
}

/* Sockets of the task's own network namespace, whose memory only the host's total shows. */
static bool has_inet_sockets(int proc_fd, const char *dir)
{
	char path[64];
	char text[1024];
	unsigned int tcp = 0;
	unsigned int udp = 0;
	const char *p;

	(void)snprintf(path, sizeof(path), "%s/net/sockstat", dir);
	if (fd_read_file_at(proc_fd, path, text, sizeof(text)) < 0)
		return true;
	p = strstr(text, "TCP: inuse ");
	if (p == NULL || sscanf(p, "TCP: inuse %u", &tcp) != 1)
		return true;
	p = strstr(text, "UDP: inuse ");
	return tcp > 0 || p == NULL || sscanf(p, "UDP: inuse %u", &udp) != 1 || udp > 0;
}

static bool add_exact(int proc_fd, const char *pid, void *data)
{
	struct scan *sum = data;
	uint64_t anon = 0;
	uint64_t file = 0;
	uint64_t resident = 0;
	char text[4096];
	char path[64];
	char dir[48];
	ssize_t n = 0;

	if (sum->count_memory) {
		if (memory_dir(proc_fd, pid, dir, sizeof(dir), &resident) < 0)
			return is_zombie(proc_fd, pid);
		(void)snprintf(path, sizeof(path), "%s/smaps_rollup", dir);
		n = fd_read_file_at(proc_fd, path, text, sizeof(text));
		if (n < 0)
			return is_gone((int)n) || is_zombie(proc_fd, pid);
		(void)read_kb(text, "\nPss_Anon:", &anon);
		(void)read_kb(text, "\nPss_File:", &file);
		sum->own_bytes += anon + file;
		if (!add_shared_mappings(proc_fd, dir, sum))
			return is_zombie(proc_fd, pid);
		sum->inet_sockets = sum->inet_sockets || has_inet_sockets(proc_fd, dir);
	}
	return add_open_files(proc_fd, pid, sum) || is_zombie(proc_fd, pid);
}

struct activity {
	uint64_t cpu_ms;
	bool awake;
};

/* By the state in "PID (NAME) S ...": stopped, traced, ended, or asleep in the kernel, where it stops when it wakes.
 * Of a process whose first thread has ended another one tells. */
static bool is_awake(int proc_fd, const char *pid, char state)
{
	char path[64];
	char dir[48];
	char text[1024];
	const char *p;

	if (state != 'Z' || !find_thread(proc_fd, pid, dir, sizeof(dir)))
		return strchr("TtZXxD", state) == NULL;
	(void)snprintf(path, sizeof(path), "%s/stat", dir);
	if (fd_read_file_at(proc_fd, path, text, sizeof(text)) < 0)
		return false;
	p = strrchr(text, ')');
	return p != NULL && p[1] == ' ' && strchr("TtZXxD", p[2]) == NULL;
}

static bool add_activity(int proc_fd, const char *pid, void *data)
{
	struct activity *sum = data;
	uint64_t ticks[4];
	char state;
	char path[32];
	char text[1024];
	const char *p;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%.10s/stat", pid);
	n = fd_read_file_at(proc_fd, path, text, sizeof(text));
	if (n < 0)
		return is_gone((int)n);
	p = strrchr(text, ')');
	/* utime, stime, cutime, cstime: fields 14 to 17 of proc(5). */
	if (p == NULL || sscanf(p + 2,
				"%c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64
				" %" SCNu64,
				&state, &ticks[0], &ticks[1], &ticks[2], &ticks[3]) != 5)
		return false;
	sum->cpu_ms += (ticks[0] + ticks[1] + ticks[2] + ticks[3]) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	sum->awake = sum->awake || is_awake(proc_fd, pid, state);
	return true;
}

bool scan_cpu(int proc_fd, uint64_t *ret_ms, bool *ret_awake)
{
	struct activity sum = {.cpu_ms = 0};
	bool readable = for_each_process(proc_fd, add_activity, &sum);

	if (ret_awake != NULL)
		*ret_awake = sum.awake;
	/* init waits for orphans, so their time is with it. */
	readable = readable && add_activity(proc_fd, "1", &sum);
	*ret_ms = sum.cpu_ms;
	return readable;
}

struct data_visit {
	void (*fn)(pid_t pid, uint64_t data_bytes);
};

static bool visit_data(int proc_fd, const char *pid, void *data)
{
	const struct data_visit *visit = data;
	uint64_t resident;
	uint64_t number;
	uint64_t pages;
	char path[64];
	char text[128];
	char dir[48];

	if (memory_dir(proc_fd, pid, dir, sizeof(dir), &resident) < 0 || text_parse_u64(pid, &number) < 0)
		return true;
	(void)snprintf(path, sizeof(path), "%s/statm", dir);
	/* size, resident, shared, text, lib, data */
	if (fd_read_file_at(proc_fd, path, text, sizeof(text)) >= 0 &&
	    sscanf(text, "%*u %*u %*u %*u %*u %" SCNu64, &pages) == 1)
		visit->fn((pid_t)number, pages * page_size());
	return true;
}

void scan_data(int proc_fd, void (*fn)(pid_t pid, uint64_t data_bytes))
{
	struct data_visit visit = {fn};

	(void)for_each_process(proc_fd, visit_data, &visit);
}

/* Each thread is a directory, and so a link of task's. */
static bool add_threads(int proc_fd, const char *pid, void *data)
{
	char path[32];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%.10s/task", pid);
	if (fstatat(proc_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return is_gone(-errno);
	*(uint64_t *)data += st.st_nlink > 2 ? st.st_nlink - 2 : 0;
	return true;
}

bool scan_threads(int proc_fd, uint64_t *sum)
{
	return for_each_process(proc_fd, add_threads, sum);
}

bool scan_memory_bound(int proc_fd, uint64_t *sum)
{
	return for_each_process(proc_fd, add_bound, sum);
}

dev_t scan_shmem_dev(void)
{
	AUTO_CLOSE int fd = memfd_create("", MFD_CLOEXEC);
	struct stat st;

	return fd < 0 || fstat(fd, &st) < 0 ? 0 : st.st_dev;
}

/* Looks for one that no descriptor shows. */
static void look_for_hidden(const void *node, VISIT visit, void *data)
{
	struct scan *sum = data;

	if ((visit == preorder || visit == leaf) &&
	    tfind(*(struct inode *const *)node, &sum->seen, compare_inodes) == NULL)
		sum->hidden = true;
}

bool scan_exact(int proc_fd, struct scan *sum)
{
	bool readable = for_each_process(proc_fd, add_exact, sum);

	sum->hidden = sum->hidden || (sum->count_memory && sum->shmem_dev == 0);
	twalk_r(sum->mapped, look_for_hidden, sum);
	tdestroy(sum->mapped, free);
	tdestroy(sum->seen, free);
	sum->mapped = sum->seen = NULL;
	return readable;
}
