/*
 * What a task declares, held against what the operator allows. The command line, profiles and defaults are the ceiling:
 * a limit can be lowered, and of files, variables and hosts a part be taken. More is an error that names both values;
 * --accept-declared allows what is declared of files and variables. What is not declared stays as it is allowed.
 */
#ifndef CAPSULE_POLICY_CEILING_H
#define CAPSULE_POLICY_CEILING_H

#include "policy/declared.h"
#include "policy/policy.h"

/* What is left of the ceiling for one task. */
struct ceiling {
	struct policy_limits limits;
	uint64_t lowered; /* 1 << enum option_id of those that the task declares */
	uint64_t retries;
	bool has_files;
	struct policy_bind *binds;
	size_t bind_count;
	bool has_env;
	struct strlist env_set; /* NAME=VALUE */
	struct strlist unset;	/* accepted variables that are not set here */
	struct strlist dropped; /* what the operator allows and the task does not declare: "--bind data", "--env NAME" */
};

/* For a finalized policy. 0 or -errno with err; release *ret in either case. */
ATTR_CHECKED int ceiling_lower(const struct policy *policy, const struct declared_task *task, struct ceiling *ret,
			       struct error *err);

/* The limits that a task can declare: their options, then OPTION_MAX. */
extern const enum option_id ceiling_options[];

/* What a task declares for one of them, or LIMIT_NONE. */
uint64_t ceiling_declared(const struct declared_task *task, enum option_id id);

/* Makes it the policy, between policy_finalize() and the run. Takes what ceiling holds. */
ATTR_CHECKED int ceiling_apply(struct ceiling *ceiling, struct policy *policy, struct error *err);

void ceiling_fini(struct ceiling *ceiling);

#endif
