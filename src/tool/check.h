/* The parts of --doctor: each tries its layers and adds what it found. None changes anything
 * outside. */
#ifndef CAPSULE_TOOL_CHECK_H
#define CAPSULE_TOOL_CHECK_H

#include <stdbool.h>

#include "policy/policy.h"
#include "stage/idmap.h"
#include "tool/report.h"

/* Kernel, security modules, container, what governs the caller already. */
void check_host(struct report *report);

/* Each namespace by itself, then every stage of a run in a view that nobody sees. ids NULL: none
 * could be chosen. False when there are no namespaces. */
bool check_layers(struct report *report, const struct policy *policy, const struct idmap *ids);

/* What the run that was tried found out about cgroups. */
struct group_trial {
	bool is_used;	      /* its limits are held by one */
	const char *rung;     /* by that name, then */
	const char *no_scope; /* why systemd gave none; NULL: it was not asked */
	const char *cure;     /* or NULL */
	char own_group[256];  /* the caller's cgroup v2 before that run, or "" */
};

/* The rungs. ids NULL: nothing can have namespaces. */
void check_limits(struct report *report, const struct policy *policy, const struct idmap *ids,
		  const struct group_trial *trial);

/* Whether refused calls are seen, and why not: as the run that was tried said; NULL, NULL: there was none. */
void check_observer(struct report *report, const char *state, const char *reason);

/* The interpreter, by reading. */
void check_python(struct report *report, const struct policy *policy);

/* The sandbox directory, which is neither made nor changed. */
enum workdir {
	WORKDIR_READY,	 /* a run takes it as it is */
	WORKDIR_PENDING, /* a run would make it, or hand it over */
	WORKDIR_REFUSED, /* no run with this policy can have it */
};
enum workdir check_workdir(struct report *report, const struct policy *policy,
			   const struct idmap *ids);

#endif
