/*
 * --doctor: tries on this host what tasks need, layer by layer and rung by rung, and a whole run;
 * says what is in force, what is missing and how to get it.
 */
#ifndef CAPSULE_TOOL_DOCTOR_H
#define CAPSULE_TOOL_DOCTOR_H

#include <stdio.h>

#include "policy/policy.h"

/* The exit status. */
enum doctor_status {
	DOCTOR_HOLDS =
	    0, /* tasks start, and each limit of the policy is held as exactly as it can be */
	DOCTOR_WEAKER = 1,  /* tasks start; a watchdog stands in for a cgroup that is not at hand */
	DOCTOR_FAILS = 125, /* a task with this policy would not start */
};

/*
 * Examines this host for a frozen policy and prints the findings, as JSON with --json. Nothing
 * outside is changed and nothing stays behind. argv is the process's own; *ret_raise as supervise()
 * has it. Returns the exit status.
 */
int doctor(const struct policy *policy, char *argv[], FILE *out, int *ret_raise);

#endif
