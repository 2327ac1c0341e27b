/*
 * The record of a run: what ended the task, what it used, what held its limits. Facts are filled by the
 * supervisor; nothing in it comes from the task's output but what stands in `reported`.
 */
#ifndef CAPSULE_RUN_VERDICT_H
#define CAPSULE_RUN_VERDICT_H

#include <stdbool.h>

#include "policy/layer.h"
#include "policy/policy.h"
#include "policy/retry.h"
#include "python/traceback.h"
#include "run/answer.h"
#include "run/meter.h"
#include "run/netlog.h"
#include "run/plan.h"
#include "run/refusal.h"
#include "run/stacks.h"
#include "run/timeline.h"

/* What ended the task. */
enum outcome {
	OUTCOME_EXITED,
	OUTCOME_SIGNALED,
	OUTCOME_TIMEOUT,
	OUTCOME_CPU_TIME,
	OUTCOME_STALL,
	OUTCOME_OUT_OF_MEMORY,
	OUTCOME_DISK,
	OUTCOME_FAILED, /* capsule-run could not run it, or lost it */
	OUTCOME_MAX,
};

/* What it met on the way. */
enum limit_hit {
	LIMIT_HIT_TIMEOUT,
	LIMIT_HIT_CPU_TIME,
	LIMIT_HIT_STALL,
	LIMIT_HIT_RAM,
	LIMIT_HIT_RAM_SOFT,
	LIMIT_HIT_PIDS,
	LIMIT_HIT_OUTPUT,
	LIMIT_HIT_DISK,
	LIMIT_HIT_INODES,
	LIMIT_HIT_MAX,
};

/* The way a limit is held. */
enum rung {
	RUNG_NONE, /* open, or of no use in this run */
	RUNG_CGROUP_V2,
	RUNG_SYSTEMD_SCOPE, /* a cgroup v2 that systemd was asked for */
	RUNG_CGROUP_V1,
	RUNG_RLIMIT,
	RUNG_TMPFS,
	RUNG_SUPERVISOR,
	RUNG_WATCHDOG,
	RUNG_MAX,
};

struct verdict_stream {
	uint64_t passed;
	uint64_t dropped;
	uint64_t neutralised; /* escape sequences that a terminal did not get */
	int errnum; /* of a write to the caller's file that failed, or 0 */
};

#define VERDICT_EXPLANATION_MAX (ERROR_DETAIL_MAX + 192)

/* One attempt of a run, in brief. */
struct verdict_attempt {
	uint64_t started_at; /* ms since 1970 */
	uint64_t pause_ms;   /* before it */
	enum outcome outcome;
	int status;
	int exit_code;
	int signal;
	uint32_t limits_hit;
	struct meter used;
	struct traceback reported;
	char explanation[VERDICT_EXPLANATION_MAX];
};

struct verdict_attempts {
	struct verdict_attempt *item; /* room for retries_max + 1 */
	size_t count;		      /* the last one is what the verdict is about */
	size_t retries_max;
	const char *obstacle; /* why one more that was wanted was not made, or NULL */
};

struct verdict {
	enum outcome outcome;
	uint32_t limits_hit; /* 1 << enum limit_hit */
	uint64_t started_at; /* ms since 1970 */
	bool started;
	int exit_code; /* -1: none */
	int signal;    /* 0: none */
	int status;    /* what capsule-run exits with */
	uint64_t peaks[LIMIT_HIT_MAX]; /* the most that was found, in the unit of the option; 0: unknown */
	struct meter used;
	uint64_t overshoot;	   /* bytes, ms or files over a watched limit */
	struct verdict_stream out;
	struct verdict_stream err;
	bool streams_joined;
	uint32_t layers; /* LAYER_BIT()s in force */
	enum rung rungs[OPTION_MAX];
	const char *no_cgroup; /* the run's own: why no cgroup holds limits; NULL: one does, or it never came to that */
	const char *no_scope;  /* the same for systemd's scope; NULL also when it was not asked for one */
	const char *no_cgroup_cure; /* or NULL */
	struct error error; /* OUTCOME_FAILED */
	struct refusals refusals;
	struct answer answer; /* of a task file; .value is the task's result, or the file's declaration */
	const struct netlog *network; /* what the gate told; NULL: the task had no network */
	struct traceback reported; /* what the task says of its end, its own claim; type "": nothing */
	struct verdict_attempts attempts;
	struct timeline timeline;
	const struct stacks *stacks; /* where it was at its deadline, or NULL; borrowed */
	char hint[ERROR_HINT_MAX]; /* for a task that did not succeed, or "" */
};

const char *rung_name(enum rung rung);
const char *limit_hit_name(enum limit_hit hit);

const char *outcome_name(enum outcome outcome);

bool verdict_has_hit(const struct verdict *verdict, enum limit_hit hit);

/* The option whose limit was met. */
enum option_id limit_hit_option(enum limit_hit hit);

/* The exit status that a verdict earns, as --help lists them. */
int verdict_status(const struct verdict *verdict);

/* The verdict as doc/verdict.schema.json says, or NULL without memory. */
json_t *verdict_json(const struct verdict *verdict, const struct policy *policy, const struct plan *plan);

/* Writes the verdict as JSON to fd, which stays the caller's. 0 or -errno. */
ATTR_CHECKED int verdict_write(const struct verdict *verdict, const struct policy *policy,
			       const struct plan *plan, int fd, struct error *err);

/* Says on standard error what a user must know: a limit that ended the task, output that was cut; on a
 * terminal the hint, too. With --summary that says it all. */
void verdict_report(const struct verdict *verdict, const struct policy *policy);

#endif
