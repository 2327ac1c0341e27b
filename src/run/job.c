#include "run/job.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "run/poller.h"

#define NEVER UINT64_MAX

/* How long the task has to put its screen in order when capsule-run is asked to stop. */
#define STOP_PATIENCE_MS 200

/* Begins to hold the terminal: the task, which stands still, is given its turn first, or a key would find nobody
 * to interrupt. */
static void hold(struct run *run, enum channel_turn turn)
{
	run->takes_turn = true;
	run_order(run, CHANNEL_TURN, (int)turn);
}

void job_has_turn(struct run *run, int turn)
{
	if (turn == CHANNEL_TURN_GO) {
		run->terminal.waits = false;
		return;
	}
	if (!run->takes_turn)
		return;
	run->takes_turn = false;
	terminal_hold(&run->terminal);
	/* It was taken from us meanwhile: the task is stopped again when it reads. */
	if (!run->terminal.held)
		run_order(run, CHANNEL_TURN, CHANNEL_TURN_INIT);
	/* A key that stops the task would be undone by what lets it go on. */
	run->terminal.waits = true;
	run_order(run, CHANNEL_TURN, CHANNEL_TURN_GO);
}

/*
 * Stops us, or with us all of the caller's job. False when that can't be: nobody would continue a process
 * group that is orphaned, so the kernel does not stop it (setpgid(2)).
 */
static bool stop_self(int sig, bool whole_job)
{
	static const struct timespec now;
	sigset_t set;
	sigset_t before;

	sigemptyset(&set);
	sigaddset(&set, SIGCONT);
	while (sigtimedwait(&set, NULL, &now) > 0)
		continue;
	sigemptyset(&set);
	sigaddset(&set, sig);
	(void)kill(whole_job ? 0 : getpid(), sig);
	/* Here. */
	(void)sigprocmask(SIG_UNBLOCK, &set, &before);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return sigpending(&set) == 0 && sigismember(&set, SIGCONT) == 1;
}

/* whole_job only for a key of the caller's terminal: what the task does by itself is no business of our caller. */
static void suspend(struct run *run, int sig, bool whole_job)
{
	struct terminal *terminal = &run->terminal;
	bool wants = sig == SIGTTIN || sig == SIGTTOU;
	bool held = terminal->held;
	bool stopped = false;

	run->suspend_ms = NEVER;
	terminal->suspend_typed = false;
	run_order(run, CHANNEL_SIGNAL_ALL, SIGSTOP);
	terminal_release(terminal);
	/* A terminal of another session, or none: there is no job to stop. */
	if (!wants || terminal->controlling)
		stopped = stop_self(sig, whole_job);
	if ((held || wants) && !terminal->ended && terminal_is_ours(terminal)) {
		hold(run, wants ? CHANNEL_TURN_TASK : CHANNEL_TURN_BACK);
		return;
	}
	if (stopped) {
		run_order(run, CHANNEL_TURN, CHANNEL_TURN_INIT);
	} else if (wants) {
		if (!terminal->ended && terminal->fd >= 0)
			log_note("terminal", "not in the foreground of its terminal: the task gets no input");
		terminal_end_input(terminal);
		run_order(run, CHANNEL_TURN, CHANNEL_TURN_TASK);
	}
	run_order(run, CHANNEL_SIGNAL_ALL, SIGCONT);
}

void job_stopped(struct run *run, int sig)
{
	struct terminal *terminal = &run->terminal;
	/* A key reached our whole group already when it was not us who read it. */
	bool asked = run->suspend_ms != NEVER;

	if (sig != SIGTSTP && sig != SIGTTIN && sig != SIGTTOU)
		return;
	/* Told late, too: what was continued before it had its turn was stopped once more. */
	if (sig != SIGTSTP && !terminal->ended && terminal_is_ours(terminal))
		hold(run, CHANNEL_TURN_TASK);
	else
		suspend(run, sig, sig == SIGTSTP && terminal->suspend_typed && !asked);
}

bool job_signal(struct run *run, const struct signalfd_siginfo *info)
{
	bool by_key = info->ssi_code == SI_KERNEL;

	switch ((int)info->ssi_signo) {
	case SIGTSTP:
		if (run->terminal.task.on != 0 && run->verdict.started && !run->init_gone) {
			run_order(run, by_key ? CHANNEL_SIGNAL_GROUP : CHANNEL_SIGNAL, SIGTSTP);
			run->suspend_ms = clock_ms() + STOP_PATIENCE_MS;
		} else {
			suspend(run, SIGTSTP, false);
		}
		return true;
	case SIGCONT:
		if (run->terminal.held) {
			terminal_continue(&run->terminal);
			if (!run->terminal.held)
				run_order(run, CHANNEL_TURN, CHANNEL_TURN_INIT);
		}
		/* Its size may have changed while we did not look. */
		break;
	case SIGWINCH:
		break;
	default:
		/* What job_run() told the rest of the job; the task knows. */
		return info->ssi_code == SI_USER && info->ssi_pid == (uint32_t)getpid();
	}
	/* In the background of its terminal the task is not told by the kernel. */
	if (terminal_resize(&run->terminal) && !run->terminal.held)
		run_order(run, CHANNEL_SIGNAL_GROUP, SIGWINCH);
	return true;
}

/* As a shell does when its terminal goes: SIGHUP, and the end for who does not heed it. */
static void hang_up(struct run *run)
{
	struct sigaction action;

	terminal_hang_up(&run->terminal);
	run->called_off = true;
	/* nohup. */
	if (sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
		return;
	run_order(run, CHANNEL_SIGNAL_ALL, SIGHUP);
	run_order(run, CHANNEL_SIGNAL_ALL, SIGCONT);
	run->hang_up_ms = clock_ms() + run->policy->limits.grace_ms;
}

/* What a key does to the task it does, at any other program's prompt, to the whole job. */
static void tell_job(struct run *run, int sig)
{
	run_note_signal(run, sig);
	(void)kill(0, sig);
}

void job_run(struct run *run)
{
	struct terminal_news news = terminal_run(&run->terminal);

	if (news.hung_up)
		hang_up(run);
	if (news.interrupt)
		tell_job(run, SIGINT);
	if (news.quit)
		tell_job(run, SIGQUIT);
}

/* A task that wants the terminal is stopped by the kernel; this is about those that are not. */
static void look(struct run *run, uint64_t now_ms)
{
	enum terminal_sight sight = terminal_look(&run->terminal, now_ms);

	if (run->takes_turn || sight == TERMINAL_QUIET ||
	    (sight == TERMINAL_TYPED && !poller_waits(run->watch.proc_fd)))
		return;
	/* Its modes must not change while they are worked with. */
	run_order(run, CHANNEL_SIGNAL_GROUP, SIGSTOP);
	hold(run, CHANNEL_TURN_BACK);
}

uint64_t job_deadline(struct run *run, uint64_t now_ms)
{
	struct terminal *terminal = &run->terminal;
	uint64_t next;

	if (run->init_gone)
		return NEVER;
	if (now_ms >= run->suspend_ms)
		suspend(run, SIGTSTP, false);
	if (now_ms >= run->hang_up_ms) {
		run->hang_up_ms = NEVER;
		run_order(run, CHANNEL_SIGNAL_ALL, SIGKILL);
	}
	if (now_ms >= terminal->look_ms)
		look(run, now_ms);
	next = run->suspend_ms < run->hang_up_ms ? run->suspend_ms : run->hang_up_ms;
	return terminal->look_ms < next ? terminal->look_ms : next;
}
