/*
 * What a task file declares, decoded. It comes from the sandbox as JSON, so it is hostile: known keys, known types,
 * bounded counts and texts. A value that is not understood is an error, never a limit less.
 */
#ifndef CAPSULE_POLICY_DECLARED_H
#define CAPSULE_POLICY_DECLARED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strlist.h"

#define DECLARED_TASKS_MAX 1000
#define DECLARED_ITEMS_MAX 100
#define DECLARED_TEXT_MAX  255

/* How much of the `capsule` project's fuel is a millisecond of CPU time; and the least that any fuel gives, since a
 * Python that starts has used some. */
#define DECLARED_FUEL_PER_MS 10000
#define DECLARED_FUEL_MIN_MS 1000

struct declared_file {
	char *path; /* as declared */
	bool writable;
};

/* The options of one task. What was not declared is LIMIT_NONE, or has no list. */
struct declared_task {
	char *name;
	uint64_t ram_bytes;
	uint64_t cpu_time_ms;
	uint64_t wall_ms;
	uint64_t retries;
	bool has_files;
	struct declared_file *files;
	size_t file_count;
	bool has_hosts;
	struct strlist hosts;
	bool has_env;
	struct strlist env;
};

struct declared {
	bool is_task_file;
	bool entry_is_function; /* main(), which is no task */
	char *entry; /* NULL: there is none */
	struct declared_task *tasks;
	size_t task_count;
};

/* A task that declares nothing. */
void declared_init(struct declared_task *task);

/* Adds one option, by its name in the decorator. 0, or -errno with err as declared_decode() has it. */
ATTR_CHECKED int declared_decode_option(const char *key, const json_t *value, struct declared_task *task,
					struct error *err);

void declared_task_fini(struct declared_task *task);

/* 0, or -errno with err naming the task, the option, the value and what is accepted. Release *ret in either case. */
ATTR_CHECKED int declared_decode(const json_t *value, struct declared *ret, struct error *err);

/* The task with that name, or NULL. */
const struct declared_task *declared_find(const struct declared *declared, const char *name);

void declared_fini(struct declared *declared);

#endif
