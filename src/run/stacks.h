/*
 * Where a task was when its time was over: the stacks that its Python processes tell when asked, else the state of each
 * thread, as the kernel tells it.
 *
 * Who can be asked is seen from outside, in the sandbox's /proc: a process that catches the signal and has the FIFO open
 * where sitecustomize.py puts it. Any other would die of the signal. They are asked one after the other, as they all write
 * to one FIFO. All of it is bounded in bytes and time, and what comes is the task's claim.
 */
#ifndef CAPSULE_RUN_STACKS_H
#define CAPSULE_RUN_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define STACKS_BYTES 65536
#define STACKS_PROCESSES 16
#define STACKS_THREADS 64

struct stacks_thread {
	int pid; /* inside */
	int tid;
	char state;    /* proc_pid_stat(5); or '?' */
	char name[64]; /* the task's own word */
	char wait[64]; /* the kernel's function that it waits in, or "" */
};

struct stacks {
	int fd;		      /* what is written to the FIFO, nonblocking, or -1; owned */
	unsigned int task_fd; /* the number that it has in a process */
	bool asking;
	char *text; /* what came, clean once nobody is asked any more; NULL: nothing */
	struct stacks_thread *threads; /* instead of that */
	size_t thread_count;
	/* State. */
	size_t len;
	int pids[STACKS_PROCESSES];
	size_t pid_count;
	size_t next;	 /* of those */
	bool has_answer; /* from the one that was asked last */
	uint64_t look_ms;
	uint64_t end_ms; /* of all */
};

/* The number that sitecustomize.py gives to the FIFO in a process that may have so many files open. */
unsigned int stacks_task_fd(uint64_t nofile);

/*
 * Asks at a monotonic time, and forgets what was said before; proc_fd is the sandbox's /proc. True: stacks_run() is to be called until it says that
 * nothing more comes, when stacks->fd is readable and at stacks->look_ms. False: nobody can be asked, and what the kernel
 * knows is there already.
 */
bool stacks_ask(struct stacks *stacks, int proc_fd, uint64_t now_ms);

/* Takes what came. False when that was all; then there is a text, or else there are threads. */
bool stacks_run(struct stacks *stacks, int proc_fd, uint64_t now_ms);

/* Ends it where it is: the task is gone. */
void stacks_end(struct stacks *stacks);

void stacks_fini(struct stacks *stacks);

#endif
