#include "tool/probe.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"

/* Nothing that is tried here takes long; a dead network's file system may. */
#define PATIENCE_MS 20000

struct outcome {
	int done;
	int r;
	struct error err;
};

void *probe_alloc(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void probe_free(void *memory, size_t size)
{
	if (memory != NULL)
		(void)munmap(memory, size);
}

/* Dies with us; the channel tells whether we died before that was said. */
static void tie(int fd)
{
	struct pollfd gone = {.fd = fd};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    (poll(&gone, 1, 0) == 1 && (gone.revents & (POLLHUP | POLLERR)) != 0))
		_exit(1);
}

static void child_main(int fd, uint64_t flags, const struct idmap *ids, probe_fn *fn, void *data,
		       struct outcome *outcome) ATTR_NORETURN;
static void child_main(int fd, uint64_t flags, const struct idmap *ids, probe_fn *fn, void *data,
		       struct outcome *outcome)
{
	char go;

	tie(fd);
	/* The id maps are written by now, or we are given up. */
	if (read(fd, &go, 1) != 1)
		_exit(1);
	if ((flags & CLONE_NEWUSER) != 0) {
		outcome->r = idmap_become(ids, &outcome->err);
		tie(fd);
	}
	if (outcome->r == 0 && fn != NULL)
		outcome->r = fn(data, &outcome->err);
	outcome->done = 1;
	_exit(0);
}

static pid_t make_child(uint64_t flags)
{
	struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};

	/* A filter may refuse clone3 and let fork pass. */
	return flags == 0 ? fork() : sys_clone3(&args);
}

/* Waits for the child's end of the channel to close, which its death does. */
static void await_end(int fd, pid_t pid, int *ret_status)
{
	struct pollfd end = {.fd = fd, .events = POLLIN};
	int n;

	do
		n = poll(&end, 1, PATIENCE_MS);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		continue;
}

int probe_run(uint64_t flags, const struct idmap *ids, probe_fn *fn, void *data, struct error *err)
{
	struct outcome *outcome = probe_alloc(sizeof(*outcome));
	int status = 0;
	int pair[2];
	int r = 0;
	pid_t pid;

	if (outcome == NULL)
		return error_set(err, "doctor", ENOMEM, "mmap");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		probe_free(outcome, sizeof(*outcome));
		return error_set(err, "doctor", errno, "socketpair");
	}
	pid = make_child(flags);
	if (pid == 0) {
		(void)close(pair[0]);
		child_main(pair[1], flags, ids, fn, data, outcome);
	}
	if (pid < 0)
		r = error_set(err, flags != 0 ? "clone" : "doctor", errno,
			      flags != 0 ? "make the namespace" : "fork");
	(void)close(pair[1]);
	if (pid > 0) {
		if ((flags & CLONE_NEWUSER) != 0)
			r = idmap_write(pid, ids, err);
		if (r == 0 && send(pair[0], "", 1, MSG_NOSIGNAL) != 1)
			r = error_set(err, "doctor", EPIPE, "start a probe");
		if (r < 0)
			(void)kill(pid, SIGKILL);
		await_end(pair[0], pid, &status);
		if (r == 0 && outcome->done == 0)
			r = WIFSIGNALED(status)
				? error_set(err, "doctor", 0, "ended by signal %d (%s)",
					    WTERMSIG(status), strsignal(WTERMSIG(status)))
				: error_set(err, "doctor", 0, "ended before it could say why");
		if (r == 0 && outcome->r < 0) {
			r = outcome->r;
			*err = outcome->err;
		}
	}
	(void)close(pair[0]);
	probe_free(outcome, sizeof(*outcome));
	return r;
}
