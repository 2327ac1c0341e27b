/* One attempt of a run, and what it shares with the run's other ones (attempt.h): owned by the supervisor, shared by the
 * files that start and watch it. */
#ifndef CAPSULE_RUN_RUN_H
#define CAPSULE_RUN_RUN_H

#include <signal.h>

#include "base/capture.h"
#include "run/channel.h"
#include "run/gatekeeper.h"
#include "run/observer.h"
#include "run/plan.h"
#include "run/relay.h"
#include "run/replay.h"
#include "run/stacks.h"
#include "run/stall.h"
#include "run/terminal.h"
#include "run/verdict.h"
#include "run/watch.h"
#include "stage/cgroup.h"

struct run {
	const struct policy *policy;
	struct plan plan;
	struct cgroup cg;
	bool in_scope; /* systemd was asked for the group around it */
	char no_scope[160]; /* why systemd gave none, or "" */
	struct watch watch;
	struct observer observer;
	struct gatekeeper gate;
	struct stacks stacks;
	struct verdict verdict;
	int channel_fd;
	int pidfd;
	int signal_fd;
	pid_t init_pid;
	bool is_confined; /* --ram-soft is met at present */
	uint64_t confine_ms; /* then: when to say so once more */
	bool oom_seen; /* v1: the group met its memory limit */
	bool init_gone;
	bool has_status; /* init said how the task ended */
	int wait_status;
	bool failed; /* init said why the task did not start */
	bool gate_failed; /* the gate did, or has died */
	struct terminal terminal;
	bool takes_turn; /* init was told to give it to the task */
	struct relay_in in;
	struct relay_out out;
	struct relay_out err;
	struct tail tail; /* of standard error */
	struct capture captured[2]; /* --json: standard output and standard error */
	struct replay replay; /* with --max-retries: of standard input */
	sigset_t caller_mask; /* while signal_fd is open: what was blocked before */
	struct relay_out tty; /* what the task prints on its terminal, whatever leads there */
	uint64_t start_ms;
	uint64_t deadline_ms; /* SIGTERM for all */
	uint64_t kill_ms;     /* SIGKILL for all */
	uint64_t suspend_ms;  /* we were asked to stop: not later than this */
	uint64_t hang_up_ms;  /* the terminal is gone: SIGKILL for all, but init says how it ended */
	uint64_t tick_ms;     /* next look at the watchdogs and the cgroup */
	struct stall stall;
	bool killed;	      /* all of it, by us */
	enum outcome ending;  /* why we end it; OUTCOME_MAX: we do not */
	int interrupted;      /* a signal that was passed on (SIGINT before others), or 0 */
	bool called_off;      /* somebody wants the run to end: no other attempt */
	bool pause_ended;     /* by that */
	uint64_t pause_ms;    /* that was made before this attempt */
};

/* Notes a signal of the caller's or his terminal's. */
void run_note_signal(struct run *run, int sig);

/* Kills PID 1 of the sandbox, and so everything in it. Harmless when it is gone. */
void run_kill(const struct run *run);

/* Sends an order to init; when it can't be told, it is killed. */
void run_order(const struct run *run, enum channel_type type, int sig);

/*
 * Ends the task. The first reason wins, with what was over its limit (bytes or ms). It is asked for its stacks and then
 * bid farewell, or killed at once; a later reason that does not allow the farewell cuts it short.
 */
void run_end(struct run *run, enum outcome why, enum limit_hit hit, uint64_t over, bool at_once);

/* Asks the task for its stacks, which does not end it; what it said before is replaced. True when it may answer. */
bool run_ask_stacks(struct run *run);

/* For the loop, while run->stacks.asking: what the task answers, and the farewell if it is being ended. */
void run_hear_stacks(struct run *run);

/* The most that was found of what may have been limited, and the sum of the output. What a watchdog found on the disk
 * is there already. The usage must be. */
void run_take_peaks(struct run *run);

/* Takes what the gate tells; when it has failed or is gone, so has the run. */
void run_hear_gate(struct run *run);

/* The task is gone: ends the gate, and gives the verdict what it told. */
void run_end_gate(struct run *run);

/* Before anything is said on the caller's terminal: modes and colours as they were. */
void run_leave_terminal(struct run *run);
/* The task has ended: whether it left a --fresh directory in which nothing more fits. */
void run_look_at_fresh(struct run *run);

/* What is known to help against the end that the verdict tells. */
void run_advise(struct run *run);

/*
 * Writes the verdict's file, and prints what is handed over at the end: with --json the envelope, else a task's result,
 * or what a task file said that could not be imported. Removes the cgroup and restores the caller's signal mask before
 * it prints. A failure is reported, and no success any more.
 */
void run_hand_over(struct run *run, int stdio_closed);

/* PASS_DECLARE: true when the file said what it declares, which goes to *ret. */
bool run_take_declaration(struct run *run, json_t **ret);

/* What holds --disk and --inodes: that depends on the sandbox directory alone, not on the host. */
enum rung run_disk_rung(const struct policy *policy);

/* Resolves everything on the host: signals, plan, cgroup, rungs. 0 or -errno; nothing has started. */
ATTR_CHECKED int run_prepare(struct run *run, struct error *err);

/* The same for a further attempt: a new cgroup with the same limits, the same plan. Nothing is decided again. */
ATTR_CHECKED int run_renew(struct run *run, struct error *err);

/*
 * Clones init and lets it go. argv is the process's own, stdio_closed fd_secure_stdio()'s answer. 0 or
 * -errno; init may exist in either case (init_pid > 0).
 */
ATTR_CHECKED int run_start(struct run *run, char *argv[], int stdio_closed, struct error *err);

#endif
