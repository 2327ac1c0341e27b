/*
 * --ram-soft: what is done before --ram ends a task.
 *
 * The supervisor looks at every tick what the task needs: all that it is charged with but page cache, which the kernel
 * takes back when somebody needs it. When that comes to the limit, within a 32nd, no process gets more private memory:
 * init lowers the soft value of each one's RLIMIT_DATA to what it has by then and a little for its last words, so that
 * malloc() fails and Python raises MemoryError. An eighth below the limit they are free again. Address space that was
 * reserved before and is not used is no matter: no limit is lowered until the memory itself is there.
 *
 * On cgroup v2 memory.high stands at the same limit: the kernel takes back the task's cache there, and slows it down.
 * What a process takes in one piece, or shares, gets past this, as far as --ram.
 */
#ifndef CAPSULE_RUN_SOFT_H
#define CAPSULE_RUN_SOFT_H

#include <stdbool.h>
#include <stdint.h>

struct run;

/* The supervisor's look; does nothing without the option or before the task has started. */
void soft_check(struct run *run);

/* What follows from a look: whether processes are to be confined, as they were or were not. */
bool soft_decide(uint64_t limit_bytes, uint64_t needed_bytes, bool was_confined);

/* init's part: gives every other process that limit, or takes it back. A process that is gone or that has a stricter
 * one of its own is left alone. No right is needed: they have our uid. */
void soft_confine(int proc_fd, bool confine);

#endif
