#include "run/poller.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"

/* As many descriptors of one call are looked at. */
#define POLLED_MAX 256

/* The first terminal of a devpts, and /dev/tty; devices.txt. */
#define FIRST_PTS makedev(136, 0)
#define DEV_TTY makedev(5, 0)

static bool is_terminal(int process_fd, int fd)
{
	char path[32];
	struct stat st;

	(void)snprintf(path, sizeof(path), "fd/%d", fd);
	return fstatat(process_fd, path, &st, 0) == 0 && S_ISCHR(st.st_mode) &&
	       (st.st_rdev == FIRST_PTS || st.st_rdev == DEV_TTY);
}

/* Reads size bytes of the process's memory, or less. */
static size_t read_memory(int process_fd, uint64_t at, void *buf, size_t size)
{
	AUTO_CLOSE int fd = openat(process_fd, "mem", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread(fd, buf, size, (off_t)at);

	return n < 0 ? 0 : (size_t)n;
}

static bool polls(int process_fd, uint64_t at, uint64_t count)
{
	struct pollfd fds[POLLED_MAX];
	size_t size = sizeof(fds[0]) * (size_t)(count < POLLED_MAX ? count : POLLED_MAX);
	size_t found = read_memory(process_fd, at, fds, size) / sizeof(fds[0]);

	for (size_t i = 0; i < found; i++)
		if ((fds[i].events & POLLIN) != 0 && is_terminal(process_fd, fds[i].fd))
			return true;
	return false;
}

static bool selects(int process_fd, uint64_t count, uint64_t at)
{
	fd_set set;
	size_t size = sizeof(set);

	FD_ZERO(&set);
	if (count < FD_SETSIZE)
		size = (size_t)(count + 63) / 64 * 8;
	if (at == 0 || read_memory(process_fd, at, &set, size) != size)
		return false;
	for (int fd = 0; fd < FD_SETSIZE && (uint64_t)fd < count; fd++)
		if (FD_ISSET(fd, &set) && is_terminal(process_fd, fd))
			return true;
	return false;
}

/* Lines of "tfd: 0 events: 19 data: ..."; proc(5). */
static bool epolls(int process_fd, uint64_t epoll_fd)
{
	char path[40];
	char text[8192];
	AUTO_CLOSE int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "fdinfo/%llu", (unsigned long long)epoll_fd);
	fd = openat(process_fd, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : fd_read_all(fd, text, sizeof(text) - 1);
	if (n < 0)
		return false;
	text[n] = '\0';
	for (const char *line = strstr(text, "tfd:"); line != NULL; line = strstr(line + 4, "tfd:")) {
		unsigned int events = 0;
		int polled = -1;

		if (sscanf(line, "tfd: %d events: %x", &polled, &events) == 2 && (events & EPOLLIN) != 0 &&
		    is_terminal(process_fd, polled))
			return true;
	}
	return false;
}

/* One thread, by "NUMBER 0xARG 0xARG ..."; "running" is none. */
static bool thread_waits(int process_fd, const char *tid)
{
	unsigned long long args[2] = {0, 0};
	char path[64];
	char text[256];
	long call = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "task/%.20s/syscall", tid);
	n = fd_read_file_at(process_fd, path, text, sizeof(text));
	if (n < 0)
		return n == -EPERM || n == -EACCES;
	if (sscanf(text, "%ld 0x%llx 0x%llx", &call, &args[0], &args[1]) != 3)
		return false;
	switch (call) {
#ifdef SYS_poll
	case SYS_poll:
#endif
	case SYS_ppoll:
		return polls(process_fd, args[0], args[1]);
#ifdef SYS_select
	case SYS_select:
#endif
	case SYS_pselect6:
		return selects(process_fd, args[0], args[1]);
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
#endif
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		return epolls(process_fd, args[0]);
	default:
		return false;
	}
}

typedef bool entry_fn(int dir_fd, const char *name);

/* True when it is true for an entry whose name is a number. */
static bool any_number(int dir_fd, const char *path, entry_fn *is_true)
{
	int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool found = false;

	if (dir == NULL) {
		close_fd(&fd);
		return false;
	}
	while (!found && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			found = is_true(dir_fd, entry->d_name);
	(void)closedir(dir);
	return found;
}

static bool process_waits(int proc_fd, const char *pid)
{
	AUTO_CLOSE int process_fd = openat(proc_fd, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* init never does. */
	return process_fd >= 0 && strcmp(pid, "1") != 0 && any_number(process_fd, "task", thread_waits);
}

bool poller_waits(int proc_fd)
{
	return proc_fd >= 0 && any_number(proc_fd, ".", process_waits);
}
