/* The command line: options up to the task, then the task and its arguments. */
#ifndef CAPSULE_POLICY_CLI_H
#define CAPSULE_POLICY_CLI_H

#include <stdio.h>

#include "policy/policy.h"

enum cli_action { CLI_RUN, CLI_HELP, CLI_VERSION, CLI_PRINT_POLICY, CLI_DOCTOR };

/*
 * Fills the draft from argv. Option parsing stops at the task: what follows is the task's. Options are
 * never abbreviated (getopt_long() can't be told so, hence a parser of our own). 0, or -EINVAL with
 * err->exit 2 and what is accepted.
 */
ATTR_CHECKED int cli_parse(struct policy *draft, int argc, char *const argv[],
			   enum cli_action *ret_action, struct error *err);

/* --help: the options by group, from the table. */
void cli_print_help(FILE *out);

/* --print-policy: "name = value" lines in the syntax of a profile, the origin of each as a comment. */
void cli_print_policy(const struct policy *policy, FILE *out);

#endif
