/* What init inherits from the supervisor, whose memory it is a copy of, and must not keep. */
#ifndef CAPSULE_RUN_INHERIT_H
#define CAPSULE_RUN_INHERIT_H

#include "run/init.h"

/* Closes the descriptors that the plan did not open: before the fork, so that the task has none of them either. 0
 * or -errno with err. */
ATTR_CHECKED int inherit_close(struct init_args *args, struct error *err);

/* Overwrites argv and environment of the caller, and names the process. argv is the supervisor's own. */
void inherit_wipe(char **argv, const char *name);

/* Closes in init what only the set-up needed. The streams are the task's: a copy here would hold them open. */
void inherit_close_setup(struct stage_ctx *ctx);

#endif
