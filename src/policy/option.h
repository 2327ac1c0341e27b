/*
 * The option table: one row for each parameter. The command line, --help, --print-policy and the
 * drift test read it, and a profile's keys are its names.
 */
#ifndef CAPSULE_POLICY_OPTION_H
#define CAPSULE_POLICY_OPTION_H

#include <stddef.h>

#include "policy/policy.h"

enum option_kind {
	OPTION_KIND_SIZE,
	OPTION_KIND_COUNT,
	OPTION_KIND_DURATION,
	OPTION_KIND_MILLI,
	OPTION_KIND_FLAG,
	OPTION_KIND_STRING,
	OPTION_KIND_LIST,   /* repeatable */
	OPTION_KIND_CHOICE, /* one of a few words; the field holds its number */
};

enum option_group {
	OPTION_GROUP_LIMITS,
	OPTION_GROUP_FILES,
	OPTION_GROUP_NETWORK,
	OPTION_GROUP_TASK,
	OPTION_GROUP_RUN,
	OPTION_GROUP_MAX,
};

/* What completions offer for a string or list; numbers have examples, and a metavar of small words
 * offers these. */
enum option_values {
	OPTION_VALUES_ANY,
	OPTION_VALUES_FILE,
	OPTION_VALUES_DIR,
	OPTION_VALUES_BIND,
	OPTION_VALUES_VARIABLE,
	OPTION_VALUES_LAYER,
	OPTION_VALUES_PROFILE,
	OPTION_VALUES_RETRY,
};

/* A word that stands for a number. */
struct option_word {
	const char *word; /* NULL ends a list; case does not count */
	uint64_t value;
};

struct option_row {
	const char *name;
	char letter; /* short option, or 0 */
	enum option_kind kind;
	enum option_group group;
	size_t offset; /* of the field in struct policy */
	uint64_t min;  /* bounds of a number, in the field's unit */
	uint64_t max;
	bool open; /* takes "unlimited" */
	const struct option_word *words; /* that a number takes as well, whatever its bounds; or NULL */
	const char *bare; /* the value when none is attached; NULL: there must be one */
	const char *const *choices; /* the words of a choice, then NULL */
	const char *preset; /* default, as it would be written; NULL: unset, or open */
	const char *metavar; /* NULL for a flag */
	const char *help;
	bool common;	/* in plain --help */
	bool line_only; /* makes no sense in a profile */
	enum option_values values;
	const char
	    *more; /* what --help GROUP and the manual say beyond help; whole sentences, or NULL */
};

extern const struct option_row option_table[OPTION_MAX];

/* The row with that name (len bytes, without dashes), or OPTION_MAX. */
enum option_id option_find(const char *name, size_t len);

/* The row with that letter, or OPTION_MAX. */
enum option_id option_find_letter(char letter);

/* The default as it would be written, or NULL for what is unset by default. */
const char *option_preset(const struct option_row *row);

/* Parses and stores one value; for a flag it is NULL, "yes" or "no". A list grows. -EINVAL with err
 * naming option, value and what is accepted. */
ATTR_CHECKED int option_apply(struct policy *draft, enum option_id id, const char *value,
			      enum origin origin, struct error *err);

/* Sets the default; what has none is left. */
ATTR_CHECKED int option_apply_default(struct policy *draft, enum option_id id, struct error *err);

ATTR_CHECKED int option_apply_defaults(struct policy *draft, struct error *err);

/* Prints the value as it would be written, into buf; list values are not for this. Returns buf, or
 * NULL when the option is unset. */
const char *option_format(const struct policy *policy, enum option_id id, char *buf, size_t size);

/* The value of a numeric row, in the field's unit; LIMIT_NONE when it is open. */
uint64_t option_number(const struct policy *policy, enum option_id id);

/* That unit, as programs read it: "bytes", "ms", "millicores", "count"; NULL for what is no number. */
const char *option_unit(enum option_id id);

/* The list behind a row of OPTION_KIND_LIST. */
const struct strlist *option_list(const struct policy *policy, enum option_id id);

/* The name of a group: "limits". */
const char *option_group_name(enum option_group group);

#endif
