/*
 * Sees what the task's filter refuses; seccomp_unotify(2). It observes and never decides: exactly
 * the calls that the filter would have failed with EPERM come here, and each is answered with
 * EPERM. Nothing lets a call go on, and nothing that the task could have chosen is read but the
 * numbers of the call and its own name.
 *
 * A look costs a bounded time, a turn a bounded number of looks, and after OBSERVER_BUDGET of them
 * it only answers and counts. What nobody answers (we are dead, or gone) the kernel fails with
 * ENOSYS.
 */
#ifndef CAPSULE_RUN_OBSERVER_H
#define CAPSULE_RUN_OBSERVER_H

#include <stdbool.h>

#include "run/refusal.h"

#define OBSERVER_BUDGET 4096U /* refusals that are looked at */
#define OBSERVER_TURN	64U   /* answers before somebody else's turn */

struct observer {
	int listener_fd; /* -1: none */
	unsigned int budget;
};

/* Whether this kernel's notifications can be read here; if not, refusals says why. */
bool observer_is_possible(struct refusals *refusals);

/* Takes the listener over. */
void observer_start(struct observer *observer, int listener_fd, struct refusals *refusals);

/* Answers what waits, up to OBSERVER_TURN. */
void observer_run(struct observer *observer, struct refusals *refusals);

void observer_fini(struct observer *observer);

#endif
