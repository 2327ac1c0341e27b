/* The last parts of a run: what was found, and what is handed over. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "run/advice.h"
#include "run/envelope.h"
#include "run/hint.h"
#include "run/run.h"

static uint64_t written(const struct relay_out *relay)
{
	return relay->seen;
}

bool run_take_declaration(struct run *run, json_t **ret)
{
	const struct verdict *verdict = &run->verdict;

	if (!policy_is_question(run->policy))
		return false;
	*ret = verdict->status == 0 ? json_incref(verdict->answer.value) : NULL;
	/* The next run has a mask and a descriptor of its own. */
	if (run->signal_fd >= 0 && *ret != NULL)
		(void)sigprocmask(SIG_SETMASK, &run->caller_mask, NULL);
	return *ret != NULL;
}

void run_take_peaks(struct run *run)
{
	struct verdict *verdict = &run->verdict;
	const struct relay_out *streams[] = {&run->out, &run->err, &run->tty};
	uint64_t *peaks = verdict->peaks;

	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		uint64_t bytes = written(streams[i]);

		verdict->used.output_bytes += bytes;
		if (bytes > peaks[LIMIT_HIT_OUTPUT])
			peaks[LIMIT_HIT_OUTPUT] = bytes;
	}
	peaks[LIMIT_HIT_TIMEOUT] = verdict->used.wall_ms;
	peaks[LIMIT_HIT_CPU_TIME] = verdict->used.cpu_ms;
	if (verdict->used.memory_from != METER_RUSAGE)
		peaks[LIMIT_HIT_RAM] = verdict->used.memory_peak_bytes;
	if (verdict->used.is_detailed && verdict->used.account.pids_peak != ACCOUNT_UNKNOWN)
		peaks[LIMIT_HIT_PIDS] = verdict->used.account.pids_peak;
}

void run_look_at_fresh(struct run *run)
{
	struct verdict *verdict = &run->verdict;
	struct usage full;

	watch_full(&run->watch, &full);
	if (full.bytes > 0) {
		verdict->limits_hit |= 1U << LIMIT_HIT_DISK;
		verdict->peaks[LIMIT_HIT_DISK] = full.bytes;
	}
	if (full.inodes > 0) {
		verdict->limits_hit |= 1U << LIMIT_HIT_INODES;
		verdict->peaks[LIMIT_HIT_INODES] = full.inodes;
	}
}

void run_note_signal(struct run *run, int sig)
{
	if (run->interrupted == 0 || sig == SIGINT)
		run->interrupted = sig;
	if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT)
		run->called_off = true;
}

void run_advise(struct run *run)
{
	struct verdict *verdict = &run->verdict;
	char text[TAIL_BYTES + 1];

	if (verdict->outcome == OUTCOME_FAILED) {
		hint_add(&verdict->error);
		return;
	}
	if (verdict->outcome == OUTCOME_EXITED && verdict->exit_code == 0)
		return;
	tail_text(&run->tail, text);
	advice_give(run->policy, &run->plan, text, verdict);
}

/* What a task file printed that could not be imported: on a terminal without what acts on it. */
static int print_captured(const struct run *run, struct error *err)
{
	const struct capture *said = &run->captured[1];
	AUTO_FREE char *text = NULL;
	struct scrub scrub;
	size_t len;

	if (said->len == 0)
		return 0;
	if (isatty(STDERR_FILENO) != 1)
		return envelope_write_text(STDERR_FILENO, said->bytes, said->len, err);
	text = malloc(SCRUB_ROOM(said->len) + SCRUB_RESTORE_MAX);
	if (text == NULL)
		return error_set(err, "stdio", ENOMEM, "standard error");
	scrub_init(&scrub);
	len = scrub_run(&scrub, said->bytes, said->len, text);
	len += scrub_restore(&scrub, text + len);
	return envelope_write_text(STDERR_FILENO, text, len, err);
}

static void write_verdict(struct run *run)
{
	struct verdict *verdict = &run->verdict;
	struct error err;

	if (run->plan.result_fd < 0 || verdict_write(verdict, run->policy, &run->plan, run->plan.result_fd, &err) == 0)
		return;
	log_error(&err);
	if (verdict->status == 0)
		verdict->status = 125;
}

void run_hand_over(struct run *run, int stdio_closed)
{
	const struct envelope_output output = {&run->captured[0], &run->captured[1]};
	struct verdict *verdict = &run->verdict;
	bool fails = policy_is_question(run->policy);
	bool has_result;
	struct error err;
	int r;

	write_verdict(run);
	has_result = verdict->status == 0 && verdict->answer.state == ANSWER_TAKEN;
	if (!run->policy->json && !fails && !has_result)
		return;
	/* The reader may be slow or gone. Signals end us again, so by then there is nothing left to clean up. */
	cgroup_remove(&run->cg);
	if (run->signal_fd >= 0)
		(void)sigprocmask(SIG_SETMASK, &run->caller_mask, NULL);
	if (!run->policy->json && fails)
		r = (stdio_closed & 4) != 0 ? 0 : print_captured(run, &err);
	else if ((stdio_closed & 2) != 0)
		r = error_set(&err, "json", EBADF, "write standard output");
	else if (run->policy->json)
		r = envelope_write(verdict, run->policy, &run->plan, &output, STDOUT_FILENO, &err);
	else
		r = envelope_write_result(&verdict->answer, run->out.mid_line || run->tty.mid_line, STDOUT_FILENO, &err);
	if (r == 0)
		return;
	log_error(&err);
	if (verdict->status == 0)
		verdict->status = 125;
}

void run_hear_gate(struct run *run)
{
	struct error err;

	memset(&err, 0, sizeof(err));
	if (gatekeeper_run(&run->gate, &err) == 0)
		return;
	/* Without it the task is cut off in the middle: the run has failed. */
	run->failed = true;
	run->gate_failed = true;
	run->verdict.error = err;
	close_fd(&run->gate.channel_fd);
	run_kill(run);
}

void run_end_gate(struct run *run)
{
	struct verdict *verdict = &run->verdict;
	struct error err;

	memset(&err, 0, sizeof(err));
	gatekeeper_finish(&run->gate, &err);
	/* init knows only that there is none. */
	if (run->failed && strcmp(verdict->error.stage, "gate") == 0 && err.stage[0] != '\0')
		verdict->error = err;
	verdict->network = run->gate.log;
}

void run_leave_terminal(struct run *run)
{
	relay_out_put_back(&run->out);
	relay_out_put_back(&run->err);
	relay_out_put_back(&run->tty);
	terminal_release(&run->terminal);
}
