/*
 * The caller's terminal, and our side of the one that the task has instead.
 *
 * The task's terminal is a pty of the sandbox's own. What it prints there is relayed like any output; this
 * file is about the other direction and about modes. The caller's terminal is left alone until the task
 * wants input: it begins in the background of its own terminal, so the kernel stops it when it reads or
 * sets modes, and init says so. Only then the terminal is held: raw, and what is typed goes to the task,
 * whose terminal does the editing, the echo and the signals. So a task that asks for nothing leaves no
 * trace: what was typed ahead is the shell's, and Ctrl-C reaches the whole job as ever. Who waits by
 * poll(2) is not stopped; so while a line lies there, it is looked for such a task (poller.h).
 *
 * Nothing is read from, and no mode set on, a terminal whose foreground process group is not ours: it is
 * looked at before each time (tcgetpgrp), and SIGTTOU keeps its default, so that a race ends in a stop and not
 * in a theft.
 *
 * A descriptor that is another terminal than the first one found is treated as any other file.
 */
#ifndef CAPSULE_RUN_TERMINAL_H
#define CAPSULE_RUN_TERMINAL_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "stage/stage.h"

#define TERMINAL_BUFFER 4096
#define TERMINAL_LOOK_MS 200

struct terminal {
	struct stage_terminal task; /* on == 0: there is none */
	int fd;	    /* an open of our own; -1: none, or hung up */
	int pty_fd; /* from init; -1: not yet */
	bool controlling; /* of our session */
	bool held;	  /* raw, and the task reads from it */
	bool ended;	  /* no more input */
	bool waits;	  /* the task does not go on yet, and gets no key until then */
	struct termios saved; /* before it was held */
	uint64_t look_ms;     /* next look; UINT64_MAX: never */
	bool suspend_typed;   /* the key that stops a job is among what was typed last */
	size_t start;	      /* what was typed and is not in the task's terminal yet */
	size_t end;
	bool unjudged; /* no keys were looked for in it */
	char buffer[TERMINAL_BUFFER];
};

/* What happened while input was moved. */
struct terminal_news {
	bool hung_up;
	bool interrupt; /* a key was typed that sends SIGINT, SIGQUIT to the task, and at the caller's terminal, too */
	bool quit;
};

/* Finds the terminal among 0, 1 and 2, and what the task's is to be like. stdio_closed is fd_secure_stdio()'s
 * answer. To be released with terminal_fini(). */
void terminal_find(struct terminal *terminal, int stdio_closed, bool no_stdin);

/* Whether its foreground process group is ours. */
bool terminal_is_ours(const struct terminal *terminal);

/* Takes it for the task, with what was typed ahead; nothing when it is not ours or is held already. From then on it
 * is given back before any signal ends us; only after SIGKILL nobody is left to do it. One terminal at a time. */
void terminal_hold(struct terminal *terminal);

/* Gives it back as it was found, when it is held and still ours. */
void terminal_release(struct terminal *terminal);

/* We were stopped by no doing of ours and go on: makes it raw again, or, when it is not ours any more, forgets
 * that it was held. */
void terminal_continue(struct terminal *terminal);

/* The task's end of input, for good. */
void terminal_end_input(struct terminal *terminal);

/* Gives the task's terminal the size of the caller's. True when that is another one. */
bool terminal_resize(struct terminal *terminal);

/* Whether it puts a carriage return before each newline, as the task's own has done already. */
bool terminal_adds_returns(const struct terminal *terminal);

/* What to wait for: fills at most two entries and returns how many. */
unsigned int terminal_poll(const struct terminal *terminal, struct pollfd *fds);

/* Moves what was typed, and looks whether there is still somebody at the other side. */
struct terminal_news terminal_run(struct terminal *terminal);

/* To be called when look_ms has come: whether the task should have the terminal though it was not stopped. */
enum terminal_sight {
	TERMINAL_QUIET,
	TERMINAL_TYPED, /* something was typed; the task may wait for it by poll(2) */
	TERMINAL_KEYED, /* the task has set up its own for single keys, ignoring SIGTTOU */
};
enum terminal_sight terminal_look(struct terminal *terminal, uint64_t now_ms);

/* The other side is gone. */
void terminal_hang_up(struct terminal *terminal);

void terminal_fini(struct terminal *terminal);

#endif
