/* The command line. */
#ifndef CAPSULE_POLICY_CLI_H
#define CAPSULE_POLICY_CLI_H

#include "policy/policy.h"

enum cli_action { CLI_RUN, CLI_HELP, CLI_VERSION, CLI_PRINT_POLICY, CLI_LIST_PROFILES, CLI_DOCTOR,
		  CLI_LIST_TASKS };

/* What the command line asks for. */
struct cli {
	enum cli_action action;
	const char *topic; /* of CLI_HELP: a group or "all"; NULL: the usual options */
};

/* What is no parameter of a run, and so no row of the option table. */
struct cli_action_row {
	const char *name;
	char letter; /* or 0 */
	enum cli_action action;
	const char *metavar; /* of a value that may be left out, or NULL */
	const char *help;
	const char *more; /* as in struct option_row */
};
extern const struct cli_action_row cli_action_table[];
extern const size_t cli_action_count;

/*
 * Fills the draft: the defaults are there already, then come the profiles in their order, then the
 * other options, wherever they stand on the line. Option parsing stops at the task: what follows is
 * the task's. Options are never abbreviated (getopt_long() can't be told so, hence a parser of our
 * own). Nothing is applied, and no profile read, for what only prints: help, the version, the list.
 * 0, or -EINVAL with err->exit 2 and what is accepted.
 */
ATTR_CHECKED int cli_parse(struct policy *draft, int argc, char *const argv[], struct cli *ret,
			   struct error *err);

#endif
