/*
 * The rung "systemd scope": the user's systemd, or the system's for root, is asked for a transient scope with a cgroup
 * that is delegated to us, and moves the supervisor there. Then it is as on any delegated cgroup v2. systemd removes the
 * scope when its last process has ended, however that came about.
 *
 * It costs some milliseconds, so it is asked for only where no cgroup is at hand.
 */
#ifndef CAPSULE_RUN_SCOPE_H
#define CAPSULE_RUN_SCOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "policy/policy.h"

/* Where to look; tests give a tree and a peer of their own. */
struct scope_host {
	const char *mount;  /* "/sys/fs/cgroup" */
	const char *proc;   /* "/proc" */
	const char *socket; /* systemd's own: "/run/user/UID/systemd/private" */
	bool privileged;    /* real root: it is the system's that is asked */
	uint64_t patience_ms;
};

/* Why there is none: what was in the way, and the cure where there is one. */
struct scope_error {
	char why[160];
	const char *cure; /* or NULL */
};

/* The manager's socket: the system's for real root, else the user's, below $XDG_RUNTIME_DIR or in logind's own
 * directory for the caller. Returns buf. */
const char *scope_socket(bool privileged, char *buf, size_t size);

/*
 * Moves the calling process into a new scope. True when it is there. False says why; then the process is where it
 * was, unless systemd said nothing in time. No right is needed but to have a user manager.
 *
 * It is not asked for where leaving the caller's group would get around what put us there: one with limits of its
 * own, or for a user one outside of the users' sessions (a batch system's, a service's).
 */
bool scope_enter(const struct policy_limits *limits, const struct scope_host *host, struct scope_error *ret);

#endif
