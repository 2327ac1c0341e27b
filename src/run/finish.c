/* The last parts of a run: what was found, and what is handed over. */
#include <errno.h>
#include <signal.h>
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

void run_print_envelope(struct run *run, int stdio_closed)
{
	const struct envelope_output output = {&run->captured[0], &run->captured[1]};
	struct verdict *verdict = &run->verdict;
	struct error err;
	int r;

	/* The reader may be slow or gone. Signals end us again, so by then there is nothing left to clean up. */
	cgroup_remove(&run->cg);
	if (run->signal_fd >= 0)
		(void)sigprocmask(SIG_SETMASK, &run->caller_mask, NULL);
	if ((stdio_closed & 2) != 0)
		r = error_set(&err, "json", EBADF, "write standard output");
	else
		r = envelope_write(verdict, run->policy, &run->plan, &output, STDOUT_FILENO, &err);
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
