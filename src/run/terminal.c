#include "run/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define NEVER UINT64_MAX

/* The terminal behind a descriptor, which may be called /dev/tty; 0 for none. */
static unsigned int device_of(int fd)
{
	unsigned int dev = 0;

	return isatty(fd) && ioctl(fd, TIOCGDEV, &dev) == 0 ? dev : 0;
}

/* Not the caller's open file: its flags are shared with others. */
static int open_again(int fd)
{
	char path[32];
	int own_fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own_fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	/* It may be another user's, as after su. */
	return own_fd >= 0 ? own_fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

void terminal_find(struct terminal *terminal, int stdio_closed, bool no_stdin)
{
	struct stage_terminal *task = &terminal->task;
	unsigned int dev = 0;

	*terminal = (struct terminal){.fd = -1, .pty_fd = -1, .look_ms = NEVER};
	for (int fd = no_stdin ? 1 : 0; fd < 3; fd++) {
		unsigned int found = (stdio_closed & (1 << fd)) != 0 ? 0 : device_of(fd);

		if (found == 0 || (dev != 0 && found != dev))
			continue;
		dev = found;
		if (terminal->fd < 0)
			terminal->fd = open_again(fd);
		task->on |= 1U << fd;
	}
	if (terminal->fd < 0) {
		task->on = 0;
		return;
	}
	terminal->controlling = tcgetpgrp(terminal->fd) >= 0;
	if (terminal->controlling)
		terminal->look_ms = 0;
	(void)ioctl(terminal->fd, TIOCGWINSZ, &task->size);
	/* In the background it may be set up for a line editor, a shell's or another task's. */
	task->has_modes = terminal_is_ours(terminal) && tcgetattr(terminal->fd, &task->modes) == 0 &&
			  (task->modes.c_lflag & ICANON) != 0;
	task->modes.c_lflag &= ~(tcflag_t)TOSTOP;
}

bool terminal_is_ours(const struct terminal *terminal)
{
	return terminal->fd >= 0 && tcgetpgrp(terminal->fd) == getpgrp();
}

static bool can_read(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	return poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN) != 0;
}

/* Takes what was typed ahead. In the lines of a terminal that is not raw, nothing is the end of input. */
static void take_typed(struct terminal *terminal, bool lines, cc_t eof)
{
	while (terminal->end < sizeof(terminal->buffer) && can_read(terminal->fd)) {
		ssize_t n = read(terminal->fd, terminal->buffer + terminal->end,
				 sizeof(terminal->buffer) - terminal->end);

		if (n == 0 && lines)
			terminal->buffer[terminal->end++] = (char)eof;
		if (n <= 0)
			return;
		terminal->end += (size_t)n;
	}
}

/* Waits until the task's terminal has dealt with what was written: the kernel does that later, but before it
 * says that there is nothing to read; n_tty_poll(). */
static void settle(int pty_fd)
{
	AUTO_CLOSE int peer_fd = ioctl(pty_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (peer_fd >= 0)
		(void)can_read(peer_fd);
}

static void write_typed(struct terminal *terminal, size_t end)
{
	while (terminal->start < end) {
		ssize_t n = write(terminal->pty_fd, terminal->buffer + terminal->start, end - terminal->start);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		/* Nobody is left to take it. */
		if (n <= 0)
			terminal->start = end = terminal->end;
		else
			terminal->start += (size_t)n;
	}
	if (terminal->start == terminal->end)
		terminal->start = terminal->end = 0;
}

/* What was typed ahead the caller's terminal has shown already: the task's does not show it again. */
static void write_shown(struct terminal *terminal, size_t end)
{
	struct termios modes;
	struct termios silent;
	bool shows;

	if (terminal->start == end)
		return;
	shows = (terminal->saved.c_lflag & ECHO) != 0 && tcgetattr(terminal->pty_fd, &modes) == 0 &&
		(modes.c_lflag & ECHO) != 0;
	if (shows) {
		silent = modes;
		silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
		(void)tcsetattr(terminal->pty_fd, TCSANOW, &silent);
	}
	write_typed(terminal, end);
	if (shows) {
		settle(terminal->pty_fd);
		(void)tcsetattr(terminal->pty_fd, TCSANOW, &modes);
	}
}

/* What a signal handler finds. */
static const struct terminal *volatile rescued;

static void rescue(int sig)
{
	const struct terminal *terminal = rescued;

	if (terminal != NULL && terminal->held && terminal_is_ours(terminal))
		(void)tcsetattr(terminal->fd, TCSANOW, &terminal->saved);
	/* The handler is gone: this one ends us. */
	(void)raise(sig);
}

/* Signals that would end us with the terminal raw; those that the supervisor handles are blocked. */
static void set_rescue(const struct terminal *terminal)
{
	static const int deadly[] = {SIGABRT, SIGALRM,	 SIGBUS,  SIGFPE,  SIGILL,    SIGIO,   SIGPROF,
				     SIGPWR,  SIGSEGV,	 SIGSYS,  SIGTRAP, SIGVTALRM, SIGXCPU, SIGSTKFLT};
	struct sigaction action = {.sa_handler = rescue, .sa_flags = (int)SA_RESETHAND};
	struct sigaction old;

	rescued = terminal;
	for (size_t i = 0; i < ARRAY_SIZE(deadly) && terminal != NULL; i++)
		if (sigaction(deadly[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			(void)sigaction(deadly[i], &action, NULL);
}

static bool is_key(const struct termios *modes, int which, unsigned char byte)
{
	return byte != _POSIX_VDISABLE && byte == modes->c_cc[which] && (modes->c_lflag & ISIG) != 0;
}

static bool is_any_key(const struct termios *modes, unsigned char byte)
{
	return is_key(modes, VINTR, byte) || is_key(modes, VQUIT, byte) || is_key(modes, VSUSP, byte);
}

/* TCSANOW: anything else waits for a terminal that may be stopped by Ctrl-S. */
static bool make_raw(const struct terminal *terminal)
{
	struct termios raw = terminal->saved;

	cfmakeraw(&raw);
	/* The line's own parameters are nobody's business here. */
	raw.c_cflag = terminal->saved.c_cflag;
	return tcsetattr(terminal->fd, TCSANOW, &raw) == 0;
}

void terminal_hold(struct terminal *terminal)
{
	size_t from;

	if (terminal->held || terminal->ended || terminal->pty_fd < 0 || !terminal_is_ours(terminal) ||
	    tcgetattr(terminal->fd, &terminal->saved) < 0)
		return;
	if ((terminal->saved.c_lflag & ICANON) != 0)
		take_typed(terminal, true, terminal->saved.c_cc[VEOF]);
	set_rescue(terminal);
	terminal->held = make_raw(terminal);
	if (!terminal->held)
		return;
	log_set_raw(true);
	/* A line that is not finished. What is a key came after it, or it would have been one. */
	from = terminal->end;
	take_typed(terminal, false, 0);
	while (from < terminal->end && !is_any_key(&terminal->saved, (unsigned char)terminal->buffer[from]))
		from++;
	terminal->unjudged = from < terminal->end;
	write_shown(terminal, from);
}

void terminal_release(struct terminal *terminal)
{
	/* Once more, should a stop come between (SIGTTOU) and another one have it when we go on. */
	while (terminal->held && terminal_is_ours(terminal) &&
	       tcsetattr(terminal->fd, TCSANOW, &terminal->saved) < 0 && errno == EINTR)
		continue;
	terminal->held = false;
	log_set_raw(false);
}

void terminal_continue(struct terminal *terminal)
{
	if (!terminal->held)
		return;
	if (terminal_is_ours(terminal)) {
		(void)make_raw(terminal);
	} else {
		terminal->held = false;
		log_set_raw(false);
	}
}

void terminal_end_input(struct terminal *terminal)
{
	struct termios modes;

	if (terminal->ended)
		return;
	terminal->ended = true;
	terminal->look_ms = NEVER;
	if (terminal->pty_fd < 0 || tcgetattr(terminal->pty_fd, &modes) < 0 ||
	    terminal->end == sizeof(terminal->buffer))
		return;
	terminal->buffer[terminal->end++] = (char)modes.c_cc[VEOF];
	write_typed(terminal, terminal->end);
}

bool terminal_resize(struct terminal *terminal)
{
	struct winsize size;
	struct winsize *known = &terminal->task.size;

	if (terminal->fd < 0 || terminal->pty_fd < 0 || ioctl(terminal->fd, TIOCGWINSZ, &size) < 0 ||
	    memcmp(&size, known, sizeof(size)) == 0)
		return false;
	*known = size;
	return ioctl(terminal->pty_fd, TIOCSWINSZ, &size) == 0;
}

bool terminal_adds_returns(const struct terminal *terminal)
{
	struct termios modes;

	return !terminal->held && terminal->fd >= 0 && tcgetattr(terminal->fd, &modes) == 0 &&
	       (modes.c_oflag & (OPOST | ONLCR)) == (OPOST | ONLCR);
}

unsigned int terminal_poll(const struct terminal *terminal, struct pollfd *fds)
{
	unsigned int n = 0;
	bool is_full = terminal->start < terminal->end;
	bool reads = terminal->held && !terminal->waits && !is_full && terminal_is_ours(terminal);

	/* Its end is told unasked. */
	if (terminal->fd >= 0)
		fds[n++] = (struct pollfd){.fd = terminal->fd, .events = reads ? POLLIN : 0};
	if (is_full && !terminal->waits && terminal->pty_fd >= 0)
		fds[n++] = (struct pollfd){.fd = terminal->pty_fd, .events = POLLOUT};
	return n;
}

/*
 * Which keys are among what was typed. The task chooses what its own terminal makes of them: what is done to the
 * caller's job needs the key of the caller's, too. To stop, a task may read the key itself, as editors do.
 */
static void find_keys(struct terminal *terminal, struct terminal_news *news)
{
	struct termios modes;
	bool known = tcgetattr(terminal->pty_fd, &modes) == 0;

	terminal->unjudged = false;
	terminal->suspend_typed = false;
	for (size_t i = terminal->start; i < terminal->end; i++) {
		unsigned char byte = (unsigned char)terminal->buffer[i];

		terminal->suspend_typed |= is_key(&terminal->saved, VSUSP, byte);
		news->interrupt |=
		    known && is_key(&terminal->saved, VINTR, byte) && is_key(&modes, VINTR, byte);
		news->quit |= known && is_key(&terminal->saved, VQUIT, byte) && is_key(&modes, VQUIT, byte);
	}
}

struct terminal_news terminal_run(struct terminal *terminal)
{
	struct terminal_news news = {false, false, false};
	struct pollfd seen = {.fd = terminal->fd, .events = POLLIN};
	ssize_t n;

	if (terminal->fd < 0 || terminal->pty_fd < 0)
		return news;
	if (!terminal->waits && terminal->unjudged)
		find_keys(terminal, &news);
	if (!terminal->waits)
		write_typed(terminal, terminal->end);
	if (poll(&seen, 1, 0) < 1)
		return news;
	news.hung_up = (seen.revents & (POLLHUP | POLLERR)) != 0;
	if (news.hung_up || !terminal->held || terminal->waits || (seen.revents & POLLIN) == 0 || terminal->start < terminal->end ||
	    !terminal_is_ours(terminal))
		return news;
	n = read(terminal->fd, terminal->buffer, sizeof(terminal->buffer));
	if (n > 0) {
		terminal->start = 0;
		terminal->end = (size_t)n;
		find_keys(terminal, &news);
		write_typed(terminal, terminal->end);
	} else if (n == 0 || errno == EIO) {
		news.hung_up = true;
	}
	return news;
}

enum terminal_sight terminal_look(struct terminal *terminal, uint64_t now_ms)
{
	struct termios modes;

	terminal->look_ms = now_ms + TERMINAL_LOOK_MS;
	if (terminal->held || terminal->ended || terminal->pty_fd < 0 || !terminal_is_ours(terminal))
		return TERMINAL_QUIET;
	if (tcgetattr(terminal->pty_fd, &modes) == 0 && (modes.c_lflag & ICANON) == 0)
		return TERMINAL_KEYED;
	return (terminal->task.on & 1) != 0 && can_read(terminal->fd) ? TERMINAL_TYPED : TERMINAL_QUIET;
}

void terminal_hang_up(struct terminal *terminal)
{
	terminal->held = false;
	log_set_raw(false);
	terminal_end_input(terminal);
	close_fd(&terminal->fd);
}

void terminal_fini(struct terminal *terminal)
{
	terminal_release(terminal);
	set_rescue(NULL);
	close_fd(&terminal->fd);
	close_fd(&terminal->pty_fd);
}
