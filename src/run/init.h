/*
 * PID 1 of the sandbox: runs the stages, forks the task, reaps, forwards signals, and ends. It is a copy
 * of the supervisor made by clone3() and never returns.
 */
#ifndef CAPSULE_RUN_INIT_H
#define CAPSULE_RUN_INIT_H

#include "run/plan.h"
#include "stage/stage.h"

struct init_args {
	const struct policy *policy;
	const struct plan *plan;
	struct stage_ctx ctx;
	int channel_fd;
	char **wipe_argv; /* the caller's argv and environment, to be wiped: /proc/1 shows them */
};

void init_main(struct init_args *args) ATTR_NORETURN;

#endif
