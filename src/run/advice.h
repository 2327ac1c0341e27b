/* One hint for a task that did not succeed, and what it said itself: one table. */
#ifndef CAPSULE_RUN_ADVICE_H
#define CAPSULE_RUN_ADVICE_H

#include "run/verdict.h"

/*
 * Fills verdict->reported and verdict->hint for a task that has ended without success, from the
 * facts in the verdict and from the last of what it wrote to standard error, text (as tail_text()
 * makes it). Looks at a few of the caller's files (see run/lookup.h), reads none.
 */
void advice_give(const struct policy *policy, const struct plan *plan, const char *text,
		 struct verdict *verdict);

#endif
