/* The interpreter's part of a plan: what is shown for it, and how it is called. */
#ifndef CAPSULE_RUN_PYTHON_H
#define CAPSULE_RUN_PYTHON_H

#include "python/choose.h"
#include "run/plan.h"

/* What is looked for: the policy's options and the caller's PATH and VIRTUAL_ENV. Its strings are borrowed. */
struct interpreter_request python_request(const struct policy *policy);

/*
 * Finds the interpreter, adds what must be shown of it, and unless the policy's command is no Python sets exe
 * and fills argv up to the task's own arguments. The trees where the task may write must have been added.
 * 0 or -errno with err.
 */
ATTR_CHECKED int python_plan(const struct policy *policy, struct plan *plan, struct error *err);

#endif
