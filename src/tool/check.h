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

/* The rungs. ids NULL: nothing can have namespaces. group_used: the run that was tried has its
 * limits held by a cgroup. own_group: the caller's cgroup v2 before that run, or "". */
void check_limits(struct report *report, const struct policy *policy, const struct idmap *ids,
		  bool group_used, const char *own_group);

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
