#include "run/stacks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/sys.h"
#include "base/tail.h"
#include "stage/stage.h"

/* SIGRTMAX to every C library: the highest that there is. */
#define ASK_SIGNAL 64

/* For the first byte of a process; between two looks whether it is through; for all of them. */
#define FIRST_MS 100
#define QUIET_MS 10
#define TOTAL_MS 300

unsigned int stacks_task_fd(uint64_t nofile)
{
	return (unsigned int)(nofile < 1024 ? nofile : 1024) - 1;
}

/* Signal sets of /proc/PID/status, as hexadecimal masks: true when any of those named has the signal. */
static bool has_signal(const char *status, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *line = strstr(status, names[i]);
		unsigned long long mask;

		if (line != NULL && sscanf(line + strlen(names[i]), "%llx", &mask) == 1 &&
		    (mask >> (ASK_SIGNAL - 1) & 1) != 0)
			return true;
	}
	return false;
}

static bool read_status(int proc_fd, int pid, char *text, size_t size)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "%d/status", pid);
	return fd_read_file_at(proc_fd, path, text, size) > 0;
}

static bool can_be_asked(const struct stacks *stacks, int proc_fd, int pid)
{
	static const char *const caught[] = {"\nSigCgt:"};
	char text[4096];
	char path[48];
	ssize_t n;

	if (!read_status(proc_fd, pid, text, sizeof(text)) || !has_signal(text, caught, ARRAY_SIZE(caught)))
		return false;
	(void)snprintf(path, sizeof(path), "%d/fd/%u", pid, stacks->task_fd);
	n = readlinkat(proc_fd, path, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	return strcmp(text, STAGE_STACKS_FIFO) == 0;
}

/* The signal has not arrived yet, or its handler, which keeps it out, still runs. */
static bool is_busy(int proc_fd, int pid)
{
	static const char *const sets[] = {"\nSigPnd:", "\nShdPnd:", "\nSigBlk:"};
	char text[4096];

	return read_status(proc_fd, pid, text, sizeof(text)) && has_signal(text, sets, ARRAY_SIZE(sets));
}

static DIR *open_dir(int dir_fd, const char *path)
{
	int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir == NULL)
		close_fd(&fd);
	return dir;
}

/* The next entry that is a number above the given one; 0 at the end. */
static int next_number(DIR *dir, int above)
{
	const struct dirent *entry;

	while ((entry = readdir(dir)) != NULL) {
		int number = atoi(entry->d_name);

		if (number > above)
			return number;
	}
	return 0;
}

/* What "TID (NAME) STATE ..." says; a name may hold anything. */
static void read_thread(int proc_fd, struct stacks_thread *thread)
{
	char path[64];
	char text[512];
	const char *name;
	char *end;

	thread->state = '?';
	(void)snprintf(path, sizeof(path), "%d/task/%d/stat", thread->pid, thread->tid);
	if (fd_read_file_at(proc_fd, path, text, sizeof(text)) <= 0)
		return;
	name = strchr(text, '(');
	end = strrchr(text, ')');
	if (name == NULL || end == NULL || end < name || end[1] != ' ' || end[2] == '\0')
		return;
	thread->state = end[2];
	*end = '\0';
	(void)snprintf(thread->name, sizeof(thread->name), "%s", name + 1);
	error_sanitize(thread->name);
	(void)snprintf(path, sizeof(path), "%d/task/%d/wchan", thread->pid, thread->tid);
	/* "0": it runs, or the kernel does not tell us. */
	if (fd_read_file_at(proc_fd, path, text, sizeof(text)) <= 0 || strcmp(text, "0") == 0)
		return;
	(void)snprintf(thread->wait, sizeof(thread->wait), "%.*s", (int)sizeof(thread->wait) - 1, text);
	error_sanitize(thread->wait);
}

static void read_process(struct stacks *stacks, int proc_fd, int pid)
{
	char path[32];
	DIR *dir;
	int tid;

	(void)snprintf(path, sizeof(path), "%d/task", pid);
	dir = open_dir(proc_fd, path);
	if (dir == NULL)
		return;
	while (stacks->thread_count < STACKS_THREADS && (tid = next_number(dir, 0)) > 0) {
		struct stacks_thread *thread = &stacks->threads[stacks->thread_count++];

		thread->pid = pid;
		thread->tid = tid;
		read_thread(proc_fd, thread);
	}
	(void)closedir(dir);
}

/* All but init's, the first ones first. */
static void read_threads(struct stacks *stacks, int proc_fd)
{
	DIR *dir = open_dir(proc_fd, ".");
	int pid;

	stacks->threads = calloc(STACKS_THREADS, sizeof(*stacks->threads));
	while (dir != NULL && stacks->threads != NULL && (pid = next_number(dir, 1)) > 0)
		read_process(stacks, proc_fd, pid);
	if (dir != NULL)
		(void)closedir(dir);
}

static void find_processes(struct stacks *stacks, int proc_fd)
{
	DIR *dir = open_dir(proc_fd, ".");
	int pid;

	while (dir != NULL && stacks->pid_count < STACKS_PROCESSES && (pid = next_number(dir, 1)) > 0)
		if (can_be_asked(stacks, proc_fd, pid))
			stacks->pids[stacks->pid_count++] = pid;
	if (dir != NULL)
		(void)closedir(dir);
}

/* What a task may have left there before it was asked: not more than a pipe holds at most. */
static void drop_older(const struct stacks *stacks)
{
	char buf[4096];

	for (unsigned int i = 0; i < (1U << 20) / sizeof(buf); i++)
		if (read(stacks->fd, buf, sizeof(buf)) <= 0)
			return;
}

/* Signals the next one that is there still. */
static bool ask_next(struct stacks *stacks, int proc_fd, uint64_t now_ms)
{
	while (stacks->next < stacks->pid_count) {
		int pid = stacks->pids[stacks->next++];
		char name[16];
		AUTO_CLOSE int fd = -1;

		/* Of a process in /proc the kernel takes its directory as a pidfd; pidfd_send_signal(2). */
		(void)snprintf(name, sizeof(name), "%d", pid);
		fd = openat(proc_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || !can_be_asked(stacks, proc_fd, pid) || sys_pidfd_send_signal(fd, ASK_SIGNAL) < 0)
			continue;
		stacks->has_answer = false;
		stacks->look_ms = now_ms + FIRST_MS;
		return true;
	}
	return false;
}

/* What came of an earlier question. */
static void forget(struct stacks *stacks)
{
	free(stacks->text);
	free(stacks->threads);
	*stacks = (struct stacks){.fd = stacks->fd, .task_fd = stacks->task_fd};
}

bool stacks_ask(struct stacks *stacks, int proc_fd, uint64_t now_ms)
{
	forget(stacks);
	if (proc_fd < 0)
		return false;
	if (stacks->fd >= 0)
		find_processes(stacks, proc_fd);
	if (stacks->pid_count > 0)
		stacks->text = malloc(STACKS_BYTES + 1);
	if (stacks->text != NULL) {
		drop_older(stacks);
		stacks->end_ms = now_ms + TOTAL_MS;
		stacks->asking = ask_next(stacks, proc_fd, now_ms);
	}
	if (!stacks->asking)
		read_threads(stacks, proc_fd);
	return stacks->asking;
}

static void add(struct stacks *stacks, const char *bytes, size_t len)
{
	size_t room = STACKS_BYTES - stacks->len;

	if (len > room)
		len = room;
	memcpy(stacks->text + stacks->len, bytes, len);
	stacks->len += len;
}

/* With several processes each text has its process's number. */
static void add_heading(struct stacks *stacks)
{
	char line[48];
	int n = snprintf(line, sizeof(line), "%sProcess %d:\n", stacks->len > 0 ? "\n" : "",
			 stacks->pids[stacks->next - 1]);

	if (stacks->pid_count > 1)
		add(stacks, line, (size_t)n);
}

/* Reads what is there. False when no process has the FIFO open any more. */
static bool take(struct stacks *stacks, uint64_t now_ms)
{
	char buf[4096];
	ssize_t n = 1;

	while (stacks->len < STACKS_BYTES && (n = read(stacks->fd, buf, sizeof(buf))) > 0) {
		if (!stacks->has_answer)
			add_heading(stacks);
		stacks->has_answer = true;
		stacks->look_ms = now_ms + QUIET_MS;
		add(stacks, buf, (size_t)n);
	}
	return n != 0;
}

void stacks_end(struct stacks *stacks)
{
	stacks->asking = false;
	if (stacks->len == 0) {
		free(stacks->text);
		stacks->text = NULL;
	}
	if (stacks->text == NULL)
		return;
	for (size_t i = 0; i < stacks->len; i++)
		if (stacks->text[i] == '\0')
			stacks->text[i] = '?';
	stacks->text[stacks->len] = '\0';
	tail_clean(stacks->text, stacks->text);
}

bool stacks_run(struct stacks *stacks, int proc_fd, uint64_t now_ms)
{
	bool goes_on = take(stacks, now_ms) && stacks->len < STACKS_BYTES && now_ms < stacks->end_ms;

	if (goes_on && now_ms >= stacks->look_ms) {
		if (stacks->has_answer && is_busy(proc_fd, stacks->pids[stacks->next - 1]))
			stacks->look_ms = now_ms + QUIET_MS;
		else
			goes_on = ask_next(stacks, proc_fd, now_ms);
	}
	if (goes_on)
		return true;
	stacks_end(stacks);
	if (stacks->text == NULL && proc_fd >= 0)
		read_threads(stacks, proc_fd);
	return false;
}

void stacks_fini(struct stacks *stacks)
{
	forget(stacks);
	close_fd(&stacks->fd);
}
