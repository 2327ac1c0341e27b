/*
 * The gate: carries the connections of a task to the hosts that it was allowed, in a process of its own.
 *
 * It has sockets that were made inside the task's network namespace (policy/inside.h), and makes those that lead out in
 * its own, the host's. It answers the task's questions for names, listens on the addresses that it gave in answer,
 * and connects, after it has judged the address that it connects to, what comes in there.
 */
#ifndef CAPSULE_GATE_GATE_H
#define CAPSULE_GATE_GATE_H

#include "gate/inject.h"
#include "gate/record.h"
#include "gate/resolve.h"
#include "policy/allow.h"

struct gate_config {
	const struct allow_set *rules;
	struct allow_budget budget; /* in all */
	const struct resolve_config *resolve;
	const struct gate_inject *inject; /* NULL: nothing is handed over */
	uint64_t descriptors; /* how many this process may have: RLIMIT_NOFILE */
	bool tells_all; /* each connection and request is told of; else what was refused, and sums */
	int channel_fd;	/* to the supervisor: records go out; its end ends the gate */
	int inside_fd;	/* to init: sockets come in */
};

/* Serves until the supervisor has shut its end of the channel down, or is gone; then tells the rest and returns 0. -errno
 * with err: it could not go on. Needs no privilege and no file. */
ATTR_CHECKED int gate_serve(const struct gate_config *config, struct error *err);

#endif
