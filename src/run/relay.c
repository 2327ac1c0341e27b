#include "run/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/text.h"

/* What poll() promises room for in a pipe, and what a slow device takes without blocking for long. */
#define SLOW_CHUNK 4096
/* What poll() promises room for in a terminal. */
#define TERMINAL_CHUNK 1
/* How much is read when it may grow by being judged. */
#define SCRUB_CHUNK 8192
/* How long a terminal is waited for that takes nothing. */
#define PUT_BACK_MS 200

_Static_assert(SCRUB_ROOM(SCRUB_CHUNK) <= RELAY_BUFFER, "what was judged fits");

static size_t unread_by_task(int pipe_fd)
{
	int n = 0;

	return ioctl(pipe_fd, FIONREAD, &n) < 0 || n < 0 ? 0 : (size_t)n;
}

static void set_nonblocking(int fd)
{
	/* On our own end only: the flag belongs to the open file, which the other side does not share. */
	(void)fcntl(fd, F_SETFL, O_NONBLOCK | fcntl(fd, F_GETFL));
}

static enum relay_file file_kind(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return RELAY_FILE_SLOW;
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		return RELAY_FILE_PLAIN;
	if (S_ISFIFO(st.st_mode))
		return RELAY_FILE_PIPE;
	return S_ISSOCK(st.st_mode) ? RELAY_FILE_SOCKET : RELAY_FILE_SLOW;
}

void relay_out_init(struct relay_out *relay, int from_fd, int to_fd, enum policy_keep mode, uint64_t bound)
{
	*relay = (struct relay_out){.from_fd = from_fd, .own_fd = -1, .to_fd = to_fd};
	keep_init(&relay->keep, mode, bound);
	relay->kind = to_fd < 0 ? RELAY_FILE_PLAIN : file_kind(to_fd);
	relay->is_terminal = relay->kind == RELAY_FILE_SLOW && isatty(to_fd);
	/* A stopped terminal (Ctrl-S) must not stop us: the caller's own open file can't be made
	 * nonblocking, since he shares it, but another one can. */
	if (relay->kind == RELAY_FILE_SLOW) {
		char path[32];

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", to_fd);
		relay->own_fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (relay->own_fd >= 0)
			relay->to_fd = relay->own_fd;
	}
	set_nonblocking(from_fd);
}

void relay_out_scrub(struct relay_out *relay)
{
	relay->scrubs = true;
}

bool relay_out_pending(const struct relay_out *relay)
{
	return relay->start < relay->end;
}

unsigned int relay_out_poll(const struct relay_out *relay, struct pollfd *fds)
{
	if (relay_out_pending(relay)) {
		fds[0] = (struct pollfd){.fd = relay->to_fd, .events = POLLOUT};
		return 1;
	}
	if (relay->from_fd < 0)
		return 0;
	fds[0] = (struct pollfd){.fd = relay->from_fd, .events = POLLIN};
	/* A reader that goes away while the task is silent: POLLERR, asked for by no event. */
	if (relay->to_fd < 0 || relay->kind != RELAY_FILE_PIPE)
		return 1;
	fds[1] = (struct pollfd){.fd = relay->to_fd};
	return 2;
}

/* One write that does not block. */
static ssize_t write_some(const struct relay_out *relay)
{
	struct iovec iov = {.iov_base = relay->buffer + relay->start, .iov_len = relay->end - relay->start};
	size_t chunk;
	ssize_t n;

	if (relay->kind == RELAY_FILE_PLAIN)
		return writev(relay->to_fd, &iov, 1);
	if (relay->kind == RELAY_FILE_SOCKET)
		return send(relay->to_fd, iov.iov_base, iov.iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (relay->kind == RELAY_FILE_PIPE) {
		n = pwritev2(relay->to_fd, &iov, 1, -1, RWF_NOWAIT);
		if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
			return n;
	}
	/* After POLLOUT there is room for this much. */
	struct pollfd ready = {.fd = relay->to_fd, .events = POLLOUT};

	if (poll(&ready, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	chunk = relay->own_fd >= 0 || relay->kind == RELAY_FILE_PIPE ? SLOW_CHUNK : TERMINAL_CHUNK;
	if (iov.iov_len > chunk)
		iov.iov_len = chunk;
	return writev(relay->to_fd, &iov, 1);
}

/* The reader is gone: the task's next write gets SIGPIPE, as it would have without us. A terminal that hung up
 * has no such end: what comes is lost. */
static void reader_gone(struct relay_out *relay)
{
	relay->dropped += relay->end - relay->start - relay->note + keep_discard(&relay->keep);
	relay->start = relay->end = relay->note = 0;
	relay->to_fd = -1;
	relay->is_gone = true;
	if (!relay->is_terminal)
		close_fd(&relay->from_fd);
}

static bool flush(struct relay_out *relay)
{
	while (relay_out_pending(relay)) {
		ssize_t n = write_some(relay);

		if (n > 0) {
			size_t ours = (size_t)n < relay->note ? (size_t)n : relay->note;

			relay->start += (size_t)n;
			relay->note -= ours;
			relay->passed += (size_t)n - ours;
		} else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return false;
		} else {
			/* What is lost already the task can't be told; the caller is, unless his terminal hung up. */
			if (errno != EPIPE && errno != ECONNRESET && (errno != EIO || !relay->is_terminal))
				relay->errnum = errno;
			reader_gone(relay);
		}
	}
	relay->start = relay->end = 0;
	return true;
}

/* Leaves out the CR of each CR LF. */
static size_t drop_returns(char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		if (text[i] != '\r' || i + 1 == len || text[i + 1] != '\n')
			text[n++] = text[i];
	return n;
}

/* Makes of len bytes, which lie in text or, where nobody judges, in the buffer, what goes out next. */
static void stage_output(struct relay_out *relay, char *text, size_t len)
{
	if (relay->drops_returns)
		len = drop_returns(text, len);
	if (relay->scrubs)
		len = scrub_run(&relay->scrub, text, len, relay->buffer);
	relay->start = 0;
	relay->end = len;
	if (relay->to_fd < 0) {
		if (relay->capture != NULL && capture_add(relay->capture, relay->buffer, len) < 0) {
			relay->errnum = ENOMEM;
			relay->dropped += len;
			len = 0;
		}
		relay->passed += len;
		relay->end = 0;
	}
}

/* Reads what the task wrote, as it is to be passed on, into the buffer, which is empty. As read(). */
static ssize_t take_output(struct relay_out *relay)
{
	char chunk[SCRUB_CHUNK];
	char *text = relay->scrubs ? chunk : relay->buffer;
	struct scrub *scrub = relay->scrubs ? &relay->scrub : NULL;
	ssize_t n = read(relay->from_fd, text, relay->scrubs ? sizeof(chunk) : RELAY_BUFFER);
	size_t now;

	if (n <= 0)
		return n;
	relay->seen += (uint64_t)n;
	if (relay->tail != NULL)
		tail_add(relay->tail, text, (size_t)n);
	now = keep_head(&relay->keep, scrub == NULL, text, (size_t)n);
	/* Before the scrub's state goes on, and before the buffer changes. */
	if (scrub != NULL)
		stage_output(relay, text, now);
	if (keep_rest(&relay->keep, scrub, text + now, (size_t)n - now) < 0) {
		relay->errnum = ENOMEM;
		reader_gone(relay);
	} else if (scrub == NULL) {
		stage_output(relay, text, now);
	}
	return n;
}

/* The task's side has ended: what was kept goes out. True when all of it has. */
static bool pass_kept(struct relay_out *relay)
{
	char chunk[SCRUB_CHUNK];

	if (!relay->ended) {
		keep_end(&relay->keep, relay->scrubs ? &relay->scrub : NULL);
		if (relay->buffer != NULL && (relay->to_fd >= 0 || relay->capture != NULL))
			relay->note = relay->end =
			    keep_note(&relay->keep, relay->is_terminal && !relay->drops_returns ? "\r\n" : "\n",
				      relay->buffer);
		if (relay->to_fd < 0) {
			if (relay->note > 0 && capture_add(relay->capture, relay->buffer, relay->note) < 0)
				relay->errnum = ENOMEM;
			relay->note = relay->end = 0;
		}
		relay->ended = true;
		if (!flush(relay))
			return false;
	}
	for (;;) {
		char *text = relay->scrubs ? chunk : relay->buffer;
		size_t len = keep_give(&relay->keep, text, SCRUB_CHUNK);

		if (len == 0)
			return true;
		stage_output(relay, text, len);
		if (!flush(relay))
			return false;
	}
}

void relay_out_run(struct relay_out *relay, bool last)
{
	struct pollfd gone = {.fd = relay->to_fd};

	if (relay->to_fd >= 0 && relay->kind == RELAY_FILE_PIPE && poll(&gone, 1, 0) == 1 &&
	    (gone.revents & POLLERR) != 0)
		reader_gone(relay);
	if (!flush(relay))
		return;
	if (relay->ended)
		(void)pass_kept(relay);
	/* A bounded number of turns: the other streams and the timers get theirs. */
	for (unsigned int turn = 0; turn < 16 && relay->from_fd >= 0; turn++) {
		ssize_t n;

		if (relay->buffer == NULL)
			relay->buffer = malloc(RELAY_BUFFER);
		if (relay->buffer == NULL) {
			relay->errnum = ENOMEM;
			reader_gone(relay);
			return;
		}
		n = take_output(relay);
		if (n < 0 && (errno == EINTR || (errno == EAGAIN && !last)))
			return;
		if (n <= 0) {
			close_fd(&relay->from_fd);
			(void)pass_kept(relay);
			return;
		}
		if (!flush(relay))
			return;
	}
}

uint64_t relay_out_dropped(const struct relay_out *relay)
{
	return relay->dropped + relay->keep.omitted;
}

bool relay_out_done(const struct relay_out *relay)
{
	return relay->from_fd < 0 && !relay_out_pending(relay) && relay->keep.len == 0;
}

void relay_out_put_back(struct relay_out *relay)
{
	struct pollfd ready = {.fd = relay->to_fd, .events = POLLOUT};
	char text[SCRUB_RESTORE_MAX];
	size_t len = scrub_restore(&relay->scrub, text);

	/* A terminal that is stopped has this to itself. */
	if (len == 0 || relay->to_fd < 0 || poll(&ready, 1, PUT_BACK_MS) != 1)
		return;
	(void)(write(relay->to_fd, text, len) < 0);
}

void relay_out_abandon(struct relay_out *relay)
{
	uint64_t left = relay->end - relay->start - relay->note + keep_discard(&relay->keep);

	if (relay->from_fd >= 0)
		left += unread_by_task(relay->from_fd);
	relay->dropped += left;
	relay_out_put_back(relay);
	relay_out_fini(relay);
}

void relay_out_fini(struct relay_out *relay)
{
	close_fd(&relay->from_fd);
	close_fd(&relay->own_fd);
	relay->to_fd = -1;
	relay->start = relay->end = relay->note = 0;
	(void)keep_discard(&relay->keep);
	free(relay->buffer);
	relay->buffer = NULL;
}

static enum relay_source source_kind(int fd, struct replay *replay, off_t *ret_offset)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return RELAY_SOURCE_NONE;
	if (S_ISREG(st.st_mode)) {
		*ret_offset = replay != NULL ? replay_seek(replay, fd) : lseek(fd, 0, SEEK_CUR);
		return *ret_offset < 0 ? RELAY_SOURCE_NONE : RELAY_SOURCE_FILE;
	}
	if (S_ISFIFO(st.st_mode))
		return RELAY_SOURCE_PIPE;
	return S_ISSOCK(st.st_mode) ? RELAY_SOURCE_SOCKET : RELAY_SOURCE_STREAM;
}

int relay_in_init(struct relay_in *relay, int from_fd, struct replay *replay, int *ret_task_fd, struct error *err)
{
	int fds[2];

	*relay = (struct relay_in){.from_fd = from_fd, .to_fd = -1, .peek_fd = -1, .null_fd = -1, .replay = replay};
	relay->kind = source_kind(from_fd, replay, &relay->offset);
	relay->again = replay != NULL ? replay->bytes.len : 0;
	if (relay->kind == RELAY_SOURCE_NONE) {
		relay->from_fd = -1;
		*ret_task_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		return *ret_task_fd < 0 ? error_set(err, "stdio", errno, "/dev/null") : 0;
	}
	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_set(err, "stdio", errno, "pipe");
	/* One slot: the pipe is writable again exactly when the task has read all of it, which is when
	 * the caller's copy of those bytes may be consumed. */
	if (relay->kind == RELAY_SOURCE_PIPE || relay->kind == RELAY_SOURCE_SOCKET)
		(void)fcntl(fds[1], F_SETPIPE_SZ, 4096);
	relay->to_fd = fds[1];
	set_nonblocking(relay->to_fd);
	/* A file's end must reach the task at once, and what it left in the pipe be counted later. */
	if (relay->kind == RELAY_SOURCE_FILE)
		relay->peek_fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
	*ret_task_fd = fds[0];
	return 0;
}

/* No more input: the task sees the end of it. */
static void close_input(struct relay_in *relay)
{
	close_fd(&relay->to_fd);
	relay->from_fd = -1;
}

/* A terminal of another foreground group: to read from it would stop us (SIGTTIN). */
static bool is_background_terminal(const struct relay_in *relay)
{
	return relay->kind == RELAY_SOURCE_STREAM && isatty(relay->from_fd) &&
	       tcgetpgrp(relay->from_fd) != getpgrp();
}

unsigned int relay_in_poll(const struct relay_in *relay, struct pollfd *fds)
{
	bool waiting;

	if (relay->to_fd < 0)
		return 0;
	waiting = relay->ahead > 0 || relay->start < relay->end || relay->again > 0 ||
		  relay->kind == RELAY_SOURCE_FILE;
	/* POLLERR on the task's pipe comes unasked: nobody reads it any more. */
	fds[0] = (struct pollfd){.fd = relay->to_fd, .events = waiting ? POLLOUT : 0};
	if (waiting || is_background_terminal(relay))
		return 1;
	fds[1] = (struct pollfd){.fd = relay->from_fd, .events = POLLIN};
	return 2;
}

/* Takes n bytes off the caller's pipe or socket: the task has had them. */
static void consume(struct relay_in *relay, size_t n)
{
	char sink[4096];

	if (relay->null_fd < 0 && relay->replay == NULL)
		relay->null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	while (n > 0) {
		size_t want = n < sizeof(sink) ? n : sizeof(sink);
		/* Not read(): another reader of the caller's may have taken them, and it would wait. */
		ssize_t got;

		if (relay->kind == RELAY_SOURCE_SOCKET)
			got = recv(relay->from_fd, sink, want, MSG_DONTWAIT);
		else if (relay->replay != NULL)
			got = replay_take(relay->replay, relay->from_fd, want);
		else
			got = splice(relay->from_fd, NULL, relay->null_fd, NULL, want, SPLICE_F_NONBLOCK);
		if (got <= 0)
			break;
		if (relay->kind == RELAY_SOURCE_SOCKET && relay->replay != NULL)
			replay_add(relay->replay, sink, (size_t)got);
		n -= (size_t)got;
	}
	relay->ahead = 0;
}

/* What an earlier attempt had comes first. True when the task's pipe has all of it. */
static bool gave_again(struct relay_in *relay)
{
	while (relay->given < relay->again) {
		ssize_t n = write(relay->to_fd, relay->replay->bytes.bytes + relay->given, relay->again - relay->given);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			close_input(relay);
		if (n < 0)
			return false;
		relay->given += (size_t)n;
	}
	return true;
}

static void run_peeking(struct relay_in *relay)
{
	char peek[4096];

	if (!gave_again(relay))
		return;
	for (unsigned int turn = 0; turn < 64; turn++) {
		ssize_t n;

		if (relay->ahead > 0 || relay->again > 0) {
			if (unread_by_task(relay->to_fd) > 0)
				return;
			consume(relay, relay->ahead);
			relay->again = 0;
		}
		if (relay->kind == RELAY_SOURCE_PIPE) {
			n = tee(relay->from_fd, relay->to_fd, 4096, SPLICE_F_NONBLOCK);
		} else {
			n = recv(relay->from_fd, peek, sizeof(peek), MSG_PEEK | MSG_DONTWAIT);
			if (n > 0)
				n = write(relay->to_fd, peek, (size_t)n);
		}
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			close_input(relay);
			return;
		}
		relay->ahead = (size_t)n;
	}
}

static void run_file(struct relay_in *relay)
{
	if (relay->buffer == NULL)
		relay->buffer = malloc(RELAY_BUFFER);
	while (relay->buffer != NULL) {
		ssize_t n = pread(relay->from_fd, relay->buffer, RELAY_BUFFER,
				  relay->offset + (off_t)relay->written);

		if (n > 0)
			n = write(relay->to_fd, relay->buffer, (size_t)n);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0)
			break;
		relay->written += (uint64_t)n;
	}
	close_fd(&relay->to_fd);
}

static void run_stream(struct relay_in *relay)
{
	if (!gave_again(relay))
		return;
	relay->again = 0;
	if (relay->buffer == NULL)
		relay->buffer = malloc(RELAY_BUFFER);
	while (relay->buffer != NULL) {
		struct pollfd ready = {.fd = relay->from_fd, .events = POLLIN};
		ssize_t n;

		while (relay->start < relay->end) {
			n = write(relay->to_fd, relay->buffer + relay->start, relay->end - relay->start);
			if (n < 0 && (errno == EAGAIN || errno == EINTR))
				return;
			if (n < 0) {
				close_input(relay);
				return;
			}
			relay->start += (size_t)n;
		}
		if (poll(&ready, 1, 0) == 0 || is_background_terminal(relay))
			return;
		n = read(relay->from_fd, relay->buffer, SLOW_CHUNK);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0)
			break;
		if (relay->replay != NULL)
			replay_add(relay->replay, relay->buffer, (size_t)n);
		relay->start = 0;
		relay->end = (size_t)n;
	}
	close_input(relay);
}

void relay_in_run(struct relay_in *relay)
{
	struct pollfd gone = {.fd = relay->to_fd};

	if (relay->to_fd < 0)
		return;
	if (poll(&gone, 1, 0) == 1 && (gone.revents & POLLERR) != 0) {
		relay_in_finish(relay);
		return;
	}
	switch (relay->kind) {
	case RELAY_SOURCE_PIPE:
	case RELAY_SOURCE_SOCKET:
		run_peeking(relay);
		break;
	case RELAY_SOURCE_FILE:
		run_file(relay);
		break;
	case RELAY_SOURCE_STREAM:
		run_stream(relay);
		break;
	case RELAY_SOURCE_NONE:
		break;
	}
}

void relay_in_finish(struct relay_in *relay)
{
	if (relay->kind == RELAY_SOURCE_FILE && relay->peek_fd >= 0) {
		size_t unread = unread_by_task(relay->peek_fd);

		/* The task can open the pipe's other side by /proc/self/fd/0 and add to it. */
		if (unread > relay->written)
			unread = (size_t)relay->written;
		/* A file that was replaced by a shorter one is the caller's business: seeking is not reading. */
		(void)lseek(relay->from_fd, relay->offset + (off_t)(relay->written - unread), SEEK_SET);
	} else if (relay->ahead > 0 && relay->to_fd >= 0) {
		size_t unread = unread_by_task(relay->to_fd);

		consume(relay, unread < relay->ahead ? relay->ahead - unread : 0);
	}
	close_fd(&relay->peek_fd);
	close_fd(&relay->null_fd);
	close_fd(&relay->to_fd);
	relay->kind = RELAY_SOURCE_NONE;
	relay->from_fd = -1;
}

void relay_in_fini(struct relay_in *relay)
{
	relay_in_finish(relay);
	free(relay->buffer);
	relay->buffer = NULL;
}
