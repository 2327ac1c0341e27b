/*
 * The attempts of a run: one, and with --max-retries more while they end as --retry-on says. Each is a struct run that
 * begins anew; what they share is carried over here and nowhere else. The verdict is the last one's, and lists all.
 *
 * An attempt that capsule-run could not start or lost (outcome failed) is never repeated: what the host refuses it
 * refuses again, and no attempt begins with less than was asked for.
 */
#ifndef CAPSULE_RUN_ATTEMPT_H
#define CAPSULE_RUN_ATTEMPT_H

#include "run/run.h"

/* Begins the first attempt of a run. To be released with attempt_fini(). -ENOMEM is the only failure. */
ATTR_CHECKED int attempt_init(struct run *run, const struct policy *policy, struct error *err);

/* Enters the attempt that has ended, whose verdict is complete, in the list. */
void attempt_record(struct run *run);

/*
 * After attempt_record(): whether there is a next one. Then its pause is over, what the last one held is released, and
 * run is as new; run_renew() is next. Else run is as it was, and the verdict says why, if one was wanted. Says on
 * standard error what it does. A signal that asks us to end ends the pause.
 */
bool attempt_next(struct run *run);

/* Which of --retry-on's causes a verdict is, or RETRY_MAX for none. */
enum retry_cause attempt_cause(const struct verdict *verdict);

/* The pause before retry number n (from 1): first_ms, doubled each time up to a minute or first_ms, and by chance (any
 * number) up to a quarter less. */
uint64_t attempt_pause_ms(uint64_t first_ms, size_t n, uint32_t chance);

/* Releases all that the run holds. */
void attempt_fini(struct run *run);

#endif
