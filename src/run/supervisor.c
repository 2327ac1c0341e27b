/*
 * One run, from plan to verdict.
 *
 * Everything that can fail or allocate happens before clone3(). Then one loop waits for init's messages
 * and death, for signals, for the streams and for deadlines. Whatever goes wrong after the clone ends in
 * run_kill(): the kernel takes the whole pid namespace with it. The exit code comes from init's waitid
 * alone and counts only after STARTED.
 */
#include "run/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sys.h"
#include "run/attempt.h"
#include "run/job.h"
#include "run/run.h"
#include "run/scan.h"
#include "run/soft.h"

#define NEVER UINT64_MAX
#define CGROUP_TICK_MS 20

/* Our side of the task's terminal: what it prints there goes to the caller's. */
static void on_terminal(struct run *run, int *pty_fd)
{
	struct terminal *terminal = &run->terminal;
	int read_fd = fcntl(*pty_fd, F_DUPFD_CLOEXEC, 3);

	if (terminal->task.on == 0 || terminal->pty_fd >= 0 || read_fd < 0) {
		close_fd(&read_fd);
		run_kill(run);
		return;
	}
	terminal->pty_fd = take_fd(pty_fd);
	relay_out_init(&run->tty, read_fd, terminal->fd, run->policy->output_keep,
		       run->policy->limits.output_bytes);
	if ((terminal->task.on & 4) != 0)
		run->tty.tail = &run->tail;
	if (!run->policy->command.raw_terminal)
		relay_out_scrub(&run->tty);
}

/* Passes on what the task has printed so far. */
static void relay_output(struct run *run)
{
	relay_out_run(&run->out, run->init_gone);
	relay_out_run(&run->err, run->init_gone);
	run->tty.drops_returns = terminal_adds_returns(&run->terminal);
	relay_out_run(&run->tty, run->init_gone);
}

/* The listener of the task's filter, or the errno for which there is none. It comes once, before the exec. */
static void on_observer(struct run *run, int errnum, int *fd)
{
	struct refusals *refusals = &run->verdict.refusals;

	if (run->verdict.started || refusals->state != REFUSALS_NONE) {
		run_kill(run);
	} else if (*fd >= 0) {
		observer_start(&run->observer, take_fd(fd), refusals);
	} else {
		refusals->state = REFUSALS_UNOBSERVED;
		refusals->errnum = errnum;
	}
}

static void on_view(struct run *run, int fds[CHANNEL_FDS])
{
	bool has_stacks = run->plan.takes_stacks;

	if (run->verdict.started) {
		run_kill(run);
		return;
	}
	watch_fini(&run->watch);
	close_fd(&run->stacks.fd);
	run->watch.proc_fd = take_fd(&fds[0]);
	run->watch.shm_fd = take_fd(&fds[1]);
	if (has_stacks)
		run->stacks.fd = take_fd(&fds[2]);
	run->watch.fresh_fd = take_fd(&fds[has_stacks ? 3 : 2]);
}

static void on_message(struct run *run)
{
	struct channel_message message;
	int fds[CHANNEL_FDS];
	int r = channel_receive(run->channel_fd, &message, fds);

	if (r <= 0) {
		if (r == 0)
			close_fd(&run->channel_fd);
		else if (r == -EBADMSG)
			run_kill(run);
		return;
	}
	switch ((enum channel_type)message.type) {
	case CHANNEL_VIEW:
		on_view(run, fds);
		break;
	case CHANNEL_OBSERVER:
		on_observer(run, message.value, &fds[0]);
		break;
	case CHANNEL_STARTED:
		run->verdict.started = true;
		if (run->policy->limits.timeline_ms != 0)
			timeline_begin(&run->verdict.timeline, run->policy->limits.timeline_ms, run->start_ms,
				       clock_ms());
		break;
	case CHANNEL_EXITED:
		run->has_status = run->verdict.started;
		run->wait_status = message.value;
		run_look_at_fresh(run);
		/* Its mounts are going: what we hold of them would make us end them later, alone. */
		watch_fini(&run->watch);
		break;
	case CHANNEL_FAILED:
		run->failed = true;
		/* It knows why; init only that there is none. */
		if (run->gate_failed)
			break;
		run->verdict.error = message.error;
		error_sanitize(run->verdict.error.stage);
		error_sanitize(run->verdict.error.detail);
		error_sanitize(run->verdict.error.hint);
		break;
	case CHANNEL_TERMINAL:
		on_terminal(run, &fds[0]);
		break;
	case CHANNEL_STOPPED:
		/* The question comes before the stop. */
		relay_output(run);
		job_stopped(run, message.value);
		break;
	case CHANNEL_TURN:
		job_has_turn(run, message.value);
		break;
	case CHANNEL_GO:
	case CHANNEL_SIGNAL:
	case CHANNEL_SIGNAL_GROUP:
	case CHANNEL_SIGNAL_ALL:
	case CHANNEL_CONFINE:
	case CHANNEL_MAX:
		run_kill(run);
		break;
	}
	for (unsigned int i = 0; i < CHANNEL_FDS; i++)
		close_fd(&fds[i]);
}

static bool output_done(const struct run *run)
{
	return relay_out_done(&run->out) && relay_out_done(&run->err) && relay_out_done(&run->tty);
}

static uint64_t output_passed(const struct run *run)
{
	return run->out.passed + run->err.passed + run->tty.passed;
}

/* Nobody takes the rest of the output: it is cut, and no run whose output was cut exits 0. */
static void give_up_output(struct run *run)
{
	if (!output_done(run))
		run->verdict.limits_hit |= 1U << LIMIT_HIT_OUTPUT;
	relay_out_abandon(&run->out);
	relay_out_abandon(&run->err);
	relay_out_abandon(&run->tty);
}

static void on_signal(struct run *run)
{
	struct signalfd_siginfo info;

	while (read(run->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		int sig = (int)info.ssi_signo;

		if (job_signal(run, &info))
			continue;
		run_note_signal(run, sig);
		/* Before the exec there is nobody to decide: it ends. */
		if (!run->verdict.started)
			run_kill(run);
		else
			/* A key of the terminal's is for the whole group, as without us. */
			run_order(run, info.ssi_code == SI_KERNEL ? CHANNEL_SIGNAL_GROUP : CHANNEL_SIGNAL, sig);
		/* The task is gone and the reader of its output stalls: the user has had enough. */
		if (run->init_gone)
			give_up_output(run);
	}
}

/* How long a reader that takes nothing is waited for when the task is gone and its time is over. */
static uint64_t patience_ms(const struct run *run)
{
	return run->policy->limits.grace_ms > 200 ? run->policy->limits.grace_ms : 200;
}

static void on_init_death(struct run *run)
{
	struct rusage usage;
	int status = 0;

	/* Everything that it said is in the channel; its end is, too. */
	while (run->channel_fd >= 0 && !run->init_gone) {
		struct pollfd more = {.fd = run->channel_fd, .events = POLLIN};

		if (poll(&more, 1, 0) != 1)
			break;
		on_message(run);
	}
	memset(&usage, 0, sizeof(usage));
	if (wait4(run->init_pid, &status, 0, &usage) < 0)
		return;
	run->init_gone = true;
	/* A task that was ended does not wait for its reader either. */
	if (run->ending != OUTCOME_MAX)
		run->kill_ms = clock_ms() + patience_ms(run);
	meter_take_rusage(&run->verdict.used, &usage);
	relay_in_finish(&run->in);
	answer_finish(&run->verdict.answer, run->ending != OUTCOME_MAX);
}

static void check_cgroup(struct run *run)
{
	struct cgroup_stats stats;
	uint64_t limit_ms = run->policy->limits.cpu_time_ms;

	cgroup_read(&run->cg, &stats);
	if (cgroup_is_out_of_memory(&stats))
		run_end(run, OUTCOME_OUT_OF_MEMORY, LIMIT_HIT_RAM, 0, true);
	if (limit_ms != LIMIT_NONE && stats.has_cpu && stats.cpu_us / 1000 >= limit_ms)
		run_end(run, OUTCOME_CPU_TIME, LIMIT_HIT_CPU_TIME, stats.cpu_us / 1000 - limit_ms, false);
}

static uint64_t excess(uint64_t found, uint64_t limit)
{
	return found > limit ? found - limit : 0;
}

/* v1: an OOM, perhaps without a kill. The count is read so that the next one is news. */
static void on_oom_event(struct run *run)
{
	uint64_t count;

	/* The event comes before the kill: from now on the group is looked at by every tick. */
	if (read(run->cg.oom_fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		run->oom_seen = true;
	check_cgroup(run);
	if (run->tick_ms > clock_ms() + CGROUP_TICK_MS)
		run->tick_ms = clock_ms() + CGROUP_TICK_MS;
}

static void check_watch(struct run *run, uint64_t now)
{
	struct watch *watch = &run->watch;

	switch (watch_check(watch, now)) {
	case WATCH_OVER_MEMORY:
		run_end(run, OUTCOME_OUT_OF_MEMORY, LIMIT_HIT_RAM, excess(watch->found, watch->ram_bytes), true);
		break;
	case WATCH_OVER_CPU:
		run_end(run, OUTCOME_CPU_TIME, LIMIT_HIT_CPU_TIME, excess(watch->found, watch->cpu_ms), false);
		break;
	case WATCH_OVER_DISK:
		run->verdict.peaks[LIMIT_HIT_DISK] = watch->found;
		run_end(run, OUTCOME_DISK, LIMIT_HIT_DISK, excess(watch->found, watch->disk_bytes), true);
		break;
	case WATCH_OVER_INODES:
		run->verdict.peaks[LIMIT_HIT_INODES] = watch->found;
		run_end(run, OUTCOME_DISK, LIMIT_HIT_INODES, excess(watch->found, watch->inodes), true);
		break;
	case WATCH_OK:
		break;
	}
}

/* The counter of the group that holds it, else the sum over its processes; what can't be read is no sign of life. */
static void check_stall(struct run *run, uint64_t now)
{
	bool excused = !run->verdict.started || run->ending != OUTCOME_MAX || relay_out_pending(&run->out) ||
		       relay_out_pending(&run->err) || relay_out_pending(&run->tty);
	uint64_t cpu_ms = run->stall.cpu_ms;
	struct cgroup_stats stats;
	uint64_t sum;

	cgroup_read(&run->cg, &stats);
	if (stats.has_cpu)
		cpu_ms = stats.cpu_us / 1000;
	else if (run->watch.proc_fd >= 0 && scan_cpu(run->watch.proc_fd, &sum, NULL))
		cpu_ms = sum;
	if (stall_look(&run->stall, now, cpu_ms, run->out.seen + run->err.seen + run->tty.seen, excused))
		run_end(run, OUTCOME_STALL, LIMIT_HIT_STALL, 0, false);
}

/* What the group does not count is the sum over the processes, as far as they can be read. */
static void take_sample(struct run *run, uint64_t now)
{
	int proc_fd = run->watch.proc_fd;
	struct account_now used;
	uint64_t sum = 0;

	account_read_now(&run->cg, &used);
	if (used.ram_bytes == ACCOUNT_UNKNOWN && proc_fd >= 0 && scan_memory_bound(proc_fd, &sum))
		used.ram_bytes = sum;
	if (used.cpu_ms == ACCOUNT_UNKNOWN && proc_fd >= 0 && scan_cpu(proc_fd, &sum, NULL))
		used.cpu_ms = sum;
	sum = 1;
	if (used.pids == ACCOUNT_UNKNOWN && proc_fd >= 0 && scan_threads(proc_fd, &sum))
		used.pids = sum;
	timeline_add(&run->verdict.timeline, now, &used);
}

/* Deadlines that have come; returns the time of the next. */
static uint64_t check_deadlines(struct run *run)
{
	uint64_t now = clock_ms();
	uint64_t next;

	/* What is being killed can't be looked at any more, and that is no limit that was met. */
	bool looks = !run->init_gone && !run->killed;

	if (looks && now >= run->tick_ms) {
		bool watches = watch_is_active(&run->watch);

		/* Before its exec the task can't be read: it is a copy of init still. */
		if (watches && run->verdict.started)
			check_watch(run, now);
		soft_check(run);
		if (run->oom_seen || (run->cg.version != 0 && run->policy->limits.cpu_time_ms != LIMIT_NONE))
			check_cgroup(run);
		/* Looking may have taken long, and the deadline may have come meanwhile. */
		now = clock_ms();
		run->tick_ms = now + (watches ? WATCH_TICK_MS : CGROUP_TICK_MS);
	}
	if (looks && now >= run->stall.next_ms)
		check_stall(run, now);
	if (looks && now >= run->verdict.timeline.next_ms)
		take_sample(run, now);
	if (now >= run->deadline_ms) {
		run->deadline_ms = NEVER;
		if (!run->init_gone)
			run_end(run, OUTCOME_TIMEOUT, LIMIT_HIT_TIMEOUT, 0, false);
		else
			run->kill_ms = now + patience_ms(run);
	}
	if (now >= run->kill_ms) {
		run->kill_ms = NEVER;
		run_kill(run);
		/* Nobody takes the rest of the output: it is given up. */
		if (run->init_gone)
			give_up_output(run);
	}
	next = job_deadline(run, now);
	if (run->stacks.asking && run->stacks.look_ms < next)
		next = run->stacks.look_ms;
	if (run->deadline_ms < next)
		next = run->deadline_ms;
	if (run->kill_ms < next)
		next = run->kill_ms;
	if (!looks || run->killed)
		return next;
	if (run->stall.next_ms < next)
		next = run->stall.next_ms;
	if (run->verdict.timeline.next_ms < next)
		next = run->verdict.timeline.next_ms;
	return run->tick_ms < next ? run->tick_ms : next;
}

static int poll_timeout(uint64_t next)
{
	uint64_t now = clock_ms();

	if (next == NEVER)
		return -1;
	if (next <= now)
		return 0;
	return next - now > 3600000 ? 3600000 : (int)(next - now);
}

static bool finished(const struct run *run)
{
	return run->init_gone && output_done(run);
}

static void loop(struct run *run)
{
	while (!finished(run)) {
		struct pollfd fds[20] = {
		    {.fd = run->channel_fd, .events = POLLIN},
		    {.fd = run->init_gone ? -1 : run->pidfd, .events = POLLIN},
		    {.fd = run->signal_fd, .events = POLLIN},
		    {.fd = run->init_gone ? -1 : run->cg.oom_fd, .events = POLLIN},
		    {.fd = run->observer.listener_fd, .events = POLLIN},
		    {.events = POLLIN},
		    {.fd = run->init_gone ? -1 : run->gate.channel_fd, .events = POLLIN},
		};
		unsigned int n = 7;
		uint64_t passed;
		uint64_t next = check_deadlines(run);

		if (finished(run))
			break;
		/* That may have begun just now. */
		fds[5].fd = run->stacks.asking ? run->stacks.fd : -1;
		n += relay_in_poll(&run->in, fds + n);
		n += relay_out_poll(&run->out, fds + n);
		n += relay_out_poll(&run->err, fds + n);
		n += relay_out_poll(&run->tty, fds + n);
		n += terminal_poll(&run->terminal, fds + n);
		n += answer_poll(&run->verdict.answer, fds + n);
		if (poll(fds, n, poll_timeout(next)) < 0 && errno != EINTR) {
			run_kill(run);
			continue;
		}
		if (fds[0].revents != 0)
			on_message(run);
		if (fds[1].revents != 0)
			on_init_death(run);
		if (fds[2].revents != 0)
			on_signal(run);
		if (fds[3].revents != 0)
			on_oom_event(run);
		if (fds[4].revents != 0)
			observer_run(&run->observer, &run->verdict.refusals);
		answer_run(&run->verdict.answer, run->ending != OUTCOME_MAX);
		if (fds[6].revents != 0)
			run_hear_gate(run);
		run_hear_stacks(run);
		relay_in_run(&run->in);
		job_run(run);
		passed = output_passed(run);
		relay_output(run);
		/* A slow reader is no stalled one. */
		if (run->init_gone && run->kill_ms != NEVER && output_passed(run) > passed)
			run->kill_ms = clock_ms() + patience_ms(run);
	}
}

static struct verdict_stream stream_record(const struct relay_out *relay)
{
	return (struct verdict_stream){.passed = relay->passed,
				       .dropped = relay_out_dropped(relay),
				       .neutralised = relay->scrub.neutralised,
				       .errnum = relay->errnum};
}

/* --ram is not to blame. */
static void lost_to_the_host(struct error *err)
{
	error_set(err, "init", 0,
		  "the kernel killed the sandbox: memory ran out in the machine or in a cgroup around it");
	error_hint(err, "the task was below its --ram; run fewer at once, or give each a --ram that the machine has");
}

/* Facts to outcome, in one place. */
static void conclude(struct run *run)
{
	struct verdict *verdict = &run->verdict;
	struct cgroup_stats stats;

	cgroup_read(&run->cg, &stats);
	if (!run->has_status)
		meter_forget_rusage(&verdict->used);
	meter_take_watch(&verdict->used, run->watch.memory_peak_bytes, run->watch.cpu_now_ms + run->watch.cpu_lost_ms);
	meter_take_group(&verdict->used, &run->cg, &stats,
			 run->plan.result_fd >= 0 || run->policy->json || run->policy->summary);
	if (stats.pids_refused > 0)
		verdict->limits_hit |= 1U << LIMIT_HIT_PIDS;
	if (cgroup_is_out_of_memory(&stats))
		verdict->limits_hit |= 1U << LIMIT_HIT_RAM;
	verdict->out = stream_record((run->terminal.task.on & 2) != 0 ? &run->tty : &run->out);
	verdict->err = stream_record((run->terminal.task.on & 6) == 4 ? &run->tty : &run->err);
	if (run->out.keep.omitted + run->err.keep.omitted + run->tty.keep.omitted > 0 || verdict->answer.over_bound)
		verdict->limits_hit |= 1U << LIMIT_HIT_OUTPUT;
	run_take_peaks(run);
	verdict->exit_code = -1;
	if (run->failed) {
		verdict->outcome = OUTCOME_FAILED;
	} else if (run->ending != OUTCOME_MAX) {
		verdict->outcome = run->ending;
	} else if (cgroup_is_out_of_memory(&stats)) {
		verdict->outcome = OUTCOME_OUT_OF_MEMORY;
	} else if (!run->has_status) {
		verdict->outcome = OUTCOME_FAILED;
		if (run->interrupted != 0 && !verdict->started)
			error_set(&verdict->error, "init", 0, "signal %d before the task started",
				  run->interrupted);
		else if (stats.oom_kills > 0)
			lost_to_the_host(&verdict->error);
		else
			error_set(&verdict->error, "init", 0, "the sandbox was killed from outside");
	} else if (WIFSIGNALED(run->wait_status)) {
		verdict->outcome = OUTCOME_SIGNALED;
		verdict->signal = WTERMSIG(run->wait_status);
	} else {
		verdict->outcome = OUTCOME_EXITED;
		verdict->exit_code = WEXITSTATUS(run->wait_status);
	}
	/* A deadline's SIGTERM may have been answered by an orderly end. */
	if (run->has_status && verdict->exit_code < 0 && WIFEXITED(run->wait_status))
		verdict->exit_code = WEXITSTATUS(run->wait_status);
	if (run->has_status && WIFSIGNALED(run->wait_status))
		verdict->signal = WTERMSIG(run->wait_status);
	verdict->status = verdict_status(verdict);
}

/* One attempt, from its first descriptor to its facts. */
static void attempt(struct run *run, bool is_first, char *argv[], int stdio_closed)
{
	struct verdict *verdict = &run->verdict;
	uint64_t wall_ms = run->policy->limits.wall_ms;
	int r = is_first ? run_prepare(run, &verdict->error) : run_renew(run, &verdict->error);

	if (r == 0) {
		if (wall_ms != LIMIT_NONE)
			run->deadline_ms = run->start_ms + wall_ms;
		r = run_start(run, argv, stdio_closed, &verdict->error);
		if (r < 0)
			run_kill(run);
		if (watch_is_active(&run->watch) || run->policy->limits.cpu_time_ms != LIMIT_NONE ||
		    run->policy->limits.ram_soft_bytes != LIMIT_NONE)
			run->tick_ms = run->start_ms;
		run->failed = r < 0;
		run->init_gone = run->init_pid <= 0;
		if (!run->init_gone || r == 0)
			loop(run);
		run_leave_terminal(run);
	}
	run_end_gate(run);
	verdict->used.wall_ms = clock_ms() - run->start_ms;
	if (r < 0) {
		verdict->outcome = OUTCOME_FAILED;
		verdict->exit_code = -1;
		verdict->status = verdict_status(verdict);
	} else {
		conclude(run);
	}
	verdict->stacks = &run->stacks;
	run_advise(run);
}

int supervise(const struct policy *policy, char *argv[], int stdio_closed, json_t **ret_declared, int *ret_raise)
{
	struct run run;
	struct verdict *verdict = &run.verdict;
	struct error err;
	bool is_first = true;

	*ret_raise = 0;
	if (attempt_init(&run, policy, &err) < 0) {
		log_error(&err);
		return 125;
	}
	do {
		attempt(&run, is_first, argv, stdio_closed);
		attempt_record(&run);
		is_first = false;
	} while (attempt_next(&run));
	if (run_take_declaration(&run, ret_declared)) {
		attempt_fini(&run);
		return 0;
	}
	run_hand_over(&run, stdio_closed);
	/* Last: standard error may be a pipe that nobody reads. */
	verdict_report(verdict, policy);
	if (run.interrupted == SIGINT && (verdict->signal == SIGINT || !verdict->started || run.pause_ended))
		*ret_raise = SIGINT;
	attempt_fini(&run);
	return verdict->status;
}
