/* --list-tasks: what a task file declares, and what is left of it. */
#ifndef CAPSULE_TOOL_LIST_TASKS_H
#define CAPSULE_TOOL_LIST_TASKS_H

#include <stdio.h>

#include "policy/policy.h"

/*
 * Imports the script of a finalized policy and prints its tasks on out, for people or, with policy->json, as JSON.
 * *ret_status is 0 when each could be run so, 1 when some declares more than is allowed, or that of an import that
 * failed, which was reported. -errno with err when the file is no task file or is not understood.
 */
ATTR_CHECKED int list_tasks(struct policy *policy, char *argv[], int stdio_closed, FILE *out, int *ret_status,
			    int *ret_raise, struct error *err);

#endif
