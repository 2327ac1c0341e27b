/* How a task is ended: it is asked where it is, told to go, and killed after the grace. */
#include <signal.h>

#include "base/clock.h"
#include "run/run.h"

/* SIGTERM to all, and SIGKILL later. */
static void bid_farewell(struct run *run)
{
	if (run->policy->limits.grace_ms == 0) {
		run_kill(run);
		run->killed = true;
		return;
	}
	run_order(run, CHANNEL_SIGNAL_ALL, SIGTERM);
	/* A stopped process would not see it. */
	run_order(run, CHANNEL_SIGNAL_ALL, SIGCONT);
	run->kill_ms = clock_ms() + run->policy->limits.grace_ms;
}

bool run_ask_stacks(struct run *run)
{
	return run->stacks.asking || stacks_ask(&run->stacks, run->watch.proc_fd, clock_ms());
}

void run_hear_stacks(struct run *run)
{
	if (!run->stacks.asking)
		return;
	/* A task that is gone or being killed says no more. */
	if (run->init_gone || run->killed)
		stacks_end(&run->stacks);
	else if (!stacks_run(&run->stacks, run->watch.proc_fd, clock_ms()) && run->ending != OUTCOME_MAX)
		bid_farewell(run);
}

void run_end(struct run *run, enum outcome why, enum limit_hit hit, uint64_t over, bool at_once)
{
	bool is_first = run->ending == OUTCOME_MAX;

	run->verdict.limits_hit |= 1U << hit;
	if (is_first) {
		run->ending = why;
		run->verdict.overshoot = over;
	}
	if (at_once) {
		run_kill(run);
		run->killed = true;
	} else if (is_first && !run_ask_stacks(run)) {
		bid_farewell(run);
	}
}
