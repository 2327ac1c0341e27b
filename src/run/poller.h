/*
 * Whether a task waits for its terminal by poll(2), select(2) or epoll(7). Who reads from a terminal out of his
 * turn is stopped by the kernel, who only waits is not: this is looked up in /proc, where a thread's system call
 * and its arguments can be read. All that is found there is the task's to choose; what it gets by it is
 * its own input.
 */
#ifndef CAPSULE_RUN_POLLER_H
#define CAPSULE_RUN_POLLER_H

#include <stdbool.h>

/* proc_fd is the sandbox's own /proc. Also true where the kernel does not let us look. Needs the rights of
 * ptrace(2) over the task, which its sandbox's owner has. */
bool poller_waits(int proc_fd);

#endif
