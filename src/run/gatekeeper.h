/*
 * The gate's process, as the supervisor has it: started with --allow, in namespaces of its own but for the network, told
 * to end when the run is over. Its death before that ends the run.
 */
#ifndef CAPSULE_RUN_GATEKEEPER_H
#define CAPSULE_RUN_GATEKEEPER_H

#include "gate/gate.h"
#include "run/netlog.h"
#include "run/plan.h"

struct gatekeeper {
	int channel_fd; /* records come from here; -1: no gate */
	int inside_fd;	/* the end that the task and init get; closed when they have it */
	int gate_ends[2]; /* the gate's ends of both; closed when it has them */
	int pidfd;
	pid_t pid;
	struct resolve_config resolve;
	struct netlog *log; /* NULL: no gate */
};

/* Before anything is cloned: pairs, and what the host's files say of names. Does nothing without --allow. 0 or -errno. */
ATTR_CHECKED int gatekeeper_prepare(struct gatekeeper *keeper, const struct policy *policy, int log_fd,
				    struct error *err);

/* Starts it; after init was cloned. argv is the process's own. 0 or -errno. */
ATTR_CHECKED int gatekeeper_start(struct gatekeeper *keeper, const struct policy *policy, const struct plan *plan,
				  char *argv[], struct error *err);

/* Takes what it has told, a bounded number of records. 0; -errno with err: it has failed, or died. */
ATTR_CHECKED int gatekeeper_run(struct gatekeeper *keeper, struct error *err);

/* The run is over: lets it tell the rest, for a bounded time, and ends it. Harmless twice. What it failed of, if it did,
 * is put into ret_failure, whose stage must be "" before. */
void gatekeeper_finish(struct gatekeeper *keeper, struct error *ret_failure);

void gatekeeper_fini(struct gatekeeper *keeper);

#endif
