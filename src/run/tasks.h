/*
 * Task files. Before the task runs, the file is imported in a sandbox of its own: the task's view, but nothing to
 * write to, no variables, and little time. What it declares then lowers the policy. A file that only looks like a task
 * file is a plain script.
 */
#ifndef CAPSULE_RUN_TASKS_H
#define CAPSULE_RUN_TASKS_H

#include "policy/declared.h"
#include "policy/policy.h"

/*
 * Makes of a finalized policy for a script what the run needs, if that script is a task file. 0: supervise() is next.
 * 1: all is over, as *ret_status says, and reported. -errno with err: the file declares what is not allowed or not
 * understood; nothing has run but the import. argv, stdio_closed and ret_raise as for supervise().
 */
ATTR_CHECKED int tasks_prepare(struct policy *policy, char *argv[], int stdio_closed, int *ret_status, int *ret_raise,
			       struct error *err);

/*
 * Finds out, for a finalized policy, what is run where that is the configuration's to say, imports the script, and says
 * what its tasks declare; ret->is_task_file is false for a plain
 * script. 0 with *ret, 1 and -errno as for tasks_prepare(). Release *ret in each case.
 */
ATTR_CHECKED int tasks_read(struct policy *policy, char *argv[], int stdio_closed, struct declared *ret,
			    int *ret_status, int *ret_raise, struct error *err);

#endif
