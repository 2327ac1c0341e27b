/*
 * capsule.toml, Capsule.toml, or [tool.capsule] of pyproject.toml: the entry point of a directory of tasks and what its
 * tasks declare by default. As hostile as a task file, and no more than that: it can only lower what is allowed.
 * No library reads TOML here: the interpreter inside does.
 */
#ifndef CAPSULE_POLICY_CONFIG_H
#define CAPSULE_POLICY_CONFIG_H

#include "policy/declared.h"

struct config {
	char *entrypoint;	       /* or NULL */
	struct declared_task defaults; /* of options that a task leaves out */
};

/* What the interpreter inside made of the file called name: {"workflow": {...}, "tasks": {...}}. 0, or -errno with err
 * naming the file, the key and the value. Release *ret in either case. */
ATTR_CHECKED int config_decode(const json_t *value, const char *name, struct config *ret, struct error *err);

/* Gives each task what it leaves out. main() of a file whose entry is no task becomes a task with just that. */
ATTR_CHECKED int config_apply(const struct config *config, struct declared *declared, struct error *err);

void config_fini(struct config *config);

#endif
