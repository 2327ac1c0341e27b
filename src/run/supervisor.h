/* Runs one policy from clone to verdict. */
#ifndef CAPSULE_RUN_SUPERVISOR_H
#define CAPSULE_RUN_SUPERVISOR_H

#include "policy/policy.h"
#include "run/verdict.h"

/*
 * Prepares, starts and watches the task, reports on standard error and writes the result file. argv is
 * the process's own, which init wipes in its copy. stdio_closed is fd_secure_stdio()'s answer. Returns
 * the exit status; *ret_raise is a signal that the caller should die of instead, or 0.
 *
 * With PASS_DECLARE, and then only, ret_declared is not NULL: *ret_declared is what the file declares, the caller's to
 * release, and nothing was printed or written; or NULL after a failure, which was reported as that of any run.
 *
 * Blocks every signal that it handles; to be called once, single-threaded. Needs no privilege where
 * user namespaces are allowed.
 */
int supervise(const struct policy *policy, char *argv[], int stdio_closed, json_t **ret_declared, int *ret_raise);

#endif
