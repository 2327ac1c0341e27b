/*
 * The run as a job of the caller's shell: who has the terminal, and stopping and going on together. The task's
 * terminal stops the task (Ctrl-Z, or a read out of its turn), init says so, and then we freeze the tree and
 * stop ourselves in the same way, for our shell to see. The wall clock runs on.
 */
#ifndef CAPSULE_RUN_JOB_H
#define CAPSULE_RUN_JOB_H

#include <sys/signalfd.h>

#include "run/run.h"

/* init says that the task was stopped by this signal. */
void job_stopped(struct run *run, int sig);

/* init has done with the task's terminal what it was told, an enum channel_turn. */
void job_has_turn(struct run *run, int turn);

/* Deals with SIGTSTP, SIGCONT, SIGWINCH, and what we sent to ourselves. False: not one of those. */
bool job_signal(struct run *run, const struct signalfd_siginfo *info);

/* Moves what was typed. */
void job_run(struct run *run);

/* Deadlines that have come; returns the time of the next. */
uint64_t job_deadline(struct run *run, uint64_t now_ms);

#endif
