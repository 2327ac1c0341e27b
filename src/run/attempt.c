#include "run/attempt.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "run/explain.h"

#define NEVER UINT64_MAX
#define PAUSE_MAX_MS 60000

_Static_assert(VERDICT_EXPLANATION_MAX == EXPLAIN_MAX, "the sentence fits");

/* An attempt that has nothing yet but what all attempts of a run share. */
static struct run blank(const struct policy *policy)
{
	struct run run = {.policy = policy,
			  .channel_fd = -1,
			  .pidfd = -1,
			  .signal_fd = -1,
			  .observer = {.listener_fd = -1},
			  .gate = {.channel_fd = -1, .inside_fd = -1, .gate_ends = {-1, -1}, .pidfd = -1},
			  .stacks = {.fd = -1},
			  .ending = OUTCOME_MAX,
			  .deadline_ms = NEVER,
			  .kill_ms = NEVER,
			  .in = {.from_fd = -1, .to_fd = -1, .peek_fd = -1, .null_fd = -1},
			  .out = {.from_fd = -1, .own_fd = -1, .to_fd = -1},
			  .err = {.from_fd = -1, .own_fd = -1, .to_fd = -1},
			  .tty = {.from_fd = -1, .own_fd = -1, .to_fd = -1},
			  .terminal = {.fd = -1, .pty_fd = -1, .look_ms = NEVER},
			  .suspend_ms = NEVER,
			  .hang_up_ms = NEVER,
			  .start_ms = clock_ms(),
			  .tick_ms = NEVER,
			  .watch = {.proc_fd = -1, .shm_fd = -1, .fresh_fd = -1, .workdir_fd = -1}};

	stall_init(&run.stall, policy->limits.stall_ms);
	answer_init(&run.verdict.answer);
	run.verdict.started_at = clock_now();
	run.verdict.timeline.next_ms = NEVER;
	return run;
}

int attempt_init(struct run *run, const struct policy *policy, struct error *err)
{
	struct verdict_attempts *attempts = &run->verdict.attempts;

	*run = blank(policy);
	run->plan.workdir_fd = run->plan.script_fd = run->plan.result_fd = run->plan.net_log_fd = -1;
	cgroup_init(&run->cg);
	replay_init(&run->replay);
	attempts->retries_max = (size_t)policy->retry.max;
	attempts->item = calloc(attempts->retries_max + 1, sizeof(*attempts->item));
	return attempts->item == NULL ? error_set(err, "supervisor", ENOMEM, "attempts") : 0;
}

void attempt_record(struct run *run)
{
	const struct verdict *verdict = &run->verdict;
	struct verdict_attempts *attempts = &run->verdict.attempts;
	struct verdict_attempt *attempt;

	if (attempts->item == NULL)
		return;
	attempt = &attempts->item[attempts->count++];
	*attempt = (struct verdict_attempt){.started_at = verdict->started_at,
					    .pause_ms = run->pause_ms,
					    .outcome = verdict->outcome,
					    .status = verdict->status,
					    .exit_code = verdict->exit_code,
					    .signal = verdict->signal,
					    .limits_hit = verdict->limits_hit,
					    .used = verdict->used,
					    .reported = verdict->reported};
	(void)explain(verdict, run->policy, attempt->explanation);
}

enum retry_cause attempt_cause(const struct verdict *verdict)
{
	switch (verdict->outcome) {
	case OUTCOME_EXITED:
		if (verdict->exit_code != 0)
			return RETRY_EXITED;
		return verdict_has_hit(verdict, LIMIT_HIT_OUTPUT) ? RETRY_OUTPUT : RETRY_MAX;
	case OUTCOME_SIGNALED:
		return RETRY_SIGNALED;
	case OUTCOME_TIMEOUT:
		return RETRY_TIMEOUT;
	case OUTCOME_CPU_TIME:
		return RETRY_CPU_TIME;
	case OUTCOME_STALL:
		return RETRY_STALL;
	case OUTCOME_OUT_OF_MEMORY:
		return RETRY_OUT_OF_MEMORY;
	case OUTCOME_DISK:
		return RETRY_DISK;
	case OUTCOME_FAILED:
	case OUTCOME_MAX:
		break;
	}
	return RETRY_MAX;
}

uint64_t attempt_pause_ms(uint64_t first_ms, size_t n, uint32_t chance)
{
	uint64_t most = first_ms > PAUSE_MAX_MS ? first_ms : PAUSE_MAX_MS;
	uint64_t pause = first_ms;

	for (size_t i = 1; i < n && pause < most; i++)
		pause *= 2;
	if (pause > most)
		pause = most;
	return pause - pause / 4 * (chance % 1001) / 1000;
}

/* Why a next attempt that is wanted can't be made, or NULL. */
static const char *obstacle(const struct run *run)
{
	if (run->called_off)
		return "a signal or the end of the terminal asked for the end";
	if (run->out.is_gone || run->err.is_gone || run->tty.is_gone)
		return "nobody takes the output any more";
	if (run->replay.lost)
		return "the task read more of its input than is kept for another attempt (16M)";
	return NULL;
}

/* Waits in a state in which Ctrl-Z stops us as it stops any program. False when a signal asked us to end. */
static bool pause_for(struct run *run, uint64_t ms)
{
	uint64_t end = clock_ms() + ms;
	sigset_t stops;
	sigset_t mask;

	sigemptyset(&stops);
	sigaddset(&stops, SIGTSTP);
	sigaddset(&stops, SIGCONT);
	(void)sigprocmask(SIG_UNBLOCK, &stops, &mask);
	while (!run->called_off) {
		struct pollfd ready = {.fd = run->signal_fd, .events = POLLIN};
		uint64_t now = clock_ms();
		struct signalfd_siginfo info;
		uint64_t left = now < end ? end - now : 0;
		int n = poll(&ready, 1, left > 3600000 ? 3600000 : (int)left);

		if (n == 0 && clock_ms() >= end)
			break;
		/* What we sent to our job was dealt with. */
		while (n > 0 && read(run->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
			if (info.ssi_signo != SIGWINCH && (info.ssi_code != SI_USER || info.ssi_pid != (uint32_t)getpid()))
				run_note_signal(run, (int)info.ssi_signo);
	}
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	run->pause_ended = run->called_off;
	return !run->called_off;
}

/* What one attempt holds. */
static void release(struct run *run)
{
	relay_in_fini(&run->in);
	relay_out_fini(&run->out);
	relay_out_fini(&run->err);
	relay_out_fini(&run->tty);
	tail_fini(&run->tail);
	answer_fini(&run->verdict.answer);
	capture_fini(&run->captured[0]);
	capture_fini(&run->captured[1]);
	terminal_fini(&run->terminal);
	watch_fini(&run->watch);
	observer_fini(&run->observer);
	gatekeeper_fini(&run->gate);
	stacks_fini(&run->stacks);
	timeline_fini(&run->verdict.timeline);
	close_fd(&run->channel_fd);
	close_fd(&run->pidfd);
}

static void begin_next(struct run *run, uint64_t pause_ms)
{
	struct run next = blank(run->policy);

	release(run);
	next.plan = run->plan;
	next.cg = run->cg;
	next.in_scope = run->in_scope;
	next.signal_fd = run->signal_fd;
	next.caller_mask = run->caller_mask;
	next.replay = run->replay;
	next.pause_ms = pause_ms;
	next.verdict.attempts = run->verdict.attempts;
	next.verdict.layers = run->verdict.layers;
	memcpy(next.verdict.rungs, run->verdict.rungs, sizeof(next.verdict.rungs));
	*run = next;
}

bool attempt_next(struct run *run)
{
	struct verdict_attempts *attempts = &run->verdict.attempts;
	enum retry_cause cause = attempt_cause(&run->verdict);
	uint64_t pause_ms;
	uint32_t chance = 0;
	char text[32];

	if (attempts->count == 0 || attempts->count > attempts->retries_max || cause == RETRY_MAX ||
	    (run->policy->retry.causes & RETRY_BIT(cause)) == 0)
		return false;
	attempts->obstacle = obstacle(run);
	if (attempts->obstacle == NULL) {
		/* Without chance it is the whole pause. */
		(void)(getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0);
		pause_ms = attempt_pause_ms(run->policy->retry.delay_ms, attempts->count, chance);
		log_note("retry", "attempt %zu of %zu: %s, status %d; the next one %s%s", attempts->count,
			 attempts->retries_max + 1, retry_name(cause), run->verdict.status,
			 pause_ms > 0 ? "in " : "now",
			 pause_ms > 0 ? explain_number(OPTION_RETRY_DELAY, pause_ms, text, sizeof(text)) : "");
		if (pause_for(run, pause_ms)) {
			begin_next(run, pause_ms);
			return true;
		}
		attempts->obstacle = obstacle(run);
	}
	log_note("retry", "attempt %zu of %zu was the last: %s", attempts->count, attempts->retries_max + 1,
		 attempts->obstacle);
	return false;
}

void attempt_fini(struct run *run)
{
	release(run);
	replay_fini(&run->replay);
	free(run->verdict.attempts.item);
	cgroup_remove(&run->cg);
	plan_fini(&run->plan);
	close_fd(&run->signal_fd);
}
