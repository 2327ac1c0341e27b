/*
 * What --doctor found: a list of findings in groups, printed for a person or as JSON. Texts may
 * hold names of other people's files; they are made harmless when they come in.
 */
#ifndef CAPSULE_TOOL_REPORT_H
#define CAPSULE_TOOL_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

enum finding_group {
	GROUP_KERNEL,
	GROUP_NAMESPACES,
	GROUP_FILTER,
	GROUP_LIMITS,
	GROUP_PYTHON,
	GROUP_FILES,
	GROUP_VERDICT,
	GROUP_MAX,
};

enum finding_state {
	FINDING_OK,
	FINDING_INFO,	 /* a fact, good or bad for nothing by itself */
	FINDING_UNTRIED, /* what it stands on is missing */
	FINDING_WEAK,	 /* works, but less than elsewhere */
	FINDING_MISSING, /* tasks need it and it is not there */
	FINDING_STATE_MAX,
};

struct finding {
	enum finding_group group;
	enum finding_state state;
	const char *name; /* static: one or two words, stable: the JSON's id is GROUP.NAME */
	char *text;
	char *cure; /* NULL: none, or none is known */
};

struct report {
	struct finding *items;
	size_t count;
	bool oom; /* something could not be kept */
};

/* Adds a finding without a cure. */
void report_add(struct report *report, enum finding_group group, const char *name,
		enum finding_state state, const char *fmt, ...) ATTR_PRINTF(5, 6);

/* Adds what an error says, with its hint or the one that a failing start would get. */
void report_error(struct report *report, enum finding_group group, const char *name,
		  enum finding_state state, const struct error *err);

/* How many findings have that state. */
size_t report_count(const struct report *report, enum finding_state state);

/* Prints for a person, in that many columns, in colour or not. brief: only what is wrong, and the
 * verdict. */
void report_print(const struct report *report, FILE *out, int columns, bool colour, bool brief);

/* The findings as a JSON array, or NULL when out of memory. */
json_t *report_json(const struct report *report);

void report_fini(struct report *report);

#endif
