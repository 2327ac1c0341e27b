/*
 * What the task was refused by its filter: a bounded table of (call, argument, process) and how
 * often. Only the arguments that a refusal turns on count, and only bits that matter of those, so
 * that the same attempt is one row. What lies in the task's memory is never read.
 */
#ifndef CAPSULE_RUN_REFUSAL_H
#define CAPSULE_RUN_REFUSAL_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define REFUSAL_ROWS	     64U
#define REFUSAL_VALUES	     3U
#define REFUSAL_PROCESS_MAX  16U /* TASK_COMM_LEN */
#define REFUSAL_ARGUMENT_MAX 192U

struct refusal {
	int nr;
	uint32_t value[REFUSAL_VALUES];
	char process[REFUSAL_PROCESS_MAX]; /* the thread's own claim of its name; "": not known */
	uint64_t count;
	const char *allowed_by; /* the option with which it would have passed, or NULL */
};

enum refusals_state {
	REFUSALS_NONE,	     /* the task's filter was not loaded */
	REFUSALS_UNOBSERVED, /* there is no listener: `errnum` says why */
	REFUSALS_OBSERVED,
};

struct refusals {
	enum refusals_state state;
	int errnum;
	uint64_t total;	   /* all that were answered */
	uint64_t recorded; /* of those, what the rows count */
	size_t row_count;
	size_t last; /* the row that was counted last, when there is one */
	struct refusal rows[REFUSAL_ROWS];
};

/* Counts one more in its row, in a new one, or, where no row is free, not at all. process is a
 * terminated name, or "". Does not touch total. */
void refusals_record(struct refusals *refusals, const struct seccomp_data *data,
		     const char *process);

/* The one that was recorded last, or NULL. */
const struct refusal *refusals_last(const struct refusals *refusals);

/* The call's name; a number in buf for one without. */
const char *refusal_call(const struct refusal *refusal, char *buf, size_t size);

/* The argument in words ("AF_INET SOCK_RAW", "04755"); NULL when the call alone is refused. buf has
 * REFUSAL_ARGUMENT_MAX bytes. */
const char *refusal_argument(const struct refusal *refusal, char *buf, size_t size);

/* Why there is no observer, for a REFUSALS_UNOBSERVED. */
const char *refusals_reason(const struct refusals *refusals);

#endif
