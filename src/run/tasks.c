#include "run/tasks.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "policy/ceiling.h"
#include "policy/config.h"
#include "policy/config_file.h"
#include "python/taskfile.h"
#include "run/supervisor.h"

#define NAME "declare"

/* What the import may use at most. Large packages take seconds to import on a busy machine. */
#define DECLARE_WALL_MS	     60000
#define DECLARE_DISK_BYTES   (16ULL << 20)
#define DECLARE_INODES	     1000
#define DECLARE_OUTPUT_BYTES (1ULL << 20)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The same task's view with nothing to write to but memory that goes, no variables, and no input. own shares what
 * policy points to. binds: as many as the policy has. */
static void make_question(const struct policy *policy, enum policy_pass pass, struct policy_bind *binds,
			  struct policy *own)
{
	*own = *policy;
	own->command.pass = pass;
	own->command.no_stdin = true;
	own->command.args = (struct strlist){NULL, 0};
	own->command.env_set = (struct strlist){NULL, 0};
	for (size_t i = 0; i < policy->files.bind_count; i++) {
		binds[i] = policy->files.binds[i];
		binds[i].writable = false;
	}
	own->files.binds = binds;
	own->files.fresh = true;
	own->output_keep = KEEP_HEAD;
	own->limits.wall_ms = least(policy->limits.wall_ms, DECLARE_WALL_MS);
	own->limits.disk_bytes = least(policy->limits.disk_bytes, DECLARE_DISK_BYTES);
	own->limits.fsize_bytes = least(policy->limits.fsize_bytes, DECLARE_DISK_BYTES);
	own->limits.inodes = least(policy->limits.inodes, DECLARE_INODES);
	own->limits.output_bytes = least(policy->limits.output_bytes, DECLARE_OUTPUT_BYTES);
	own->limits.stall_ms = LIMIT_NONE;
	own->retry.max = 0;
}

struct asker {
	const struct policy *policy;
	char **argv;
	int stdio_closed;
	int *ret_status;
	int *ret_raise;
};

/* What the interpreter inside says of a file. 0; 1: it failed, was reported, and *ret_status is what to exit with. */
static int ask(const struct asker *asker, enum policy_pass pass, char *file, json_t **ret, struct error *err)
{
	const struct policy *policy = asker->policy;
	AUTO_FREE struct policy_bind *binds = calloc(policy->files.bind_count + 1, sizeof(*binds));
	struct policy own;

	if (binds == NULL)
		return error_set(err, NAME, ENOMEM, "%s", file);
	make_question(policy, pass, binds, &own);
	own.command.target = file;
	*asker->ret_status = supervise(&own, asker->argv, asker->stdio_closed, ret, asker->ret_raise);
	if (*ret != NULL)
		return 0;
	if (*asker->ret_raise != 0)
		return 1;
	if (pass == PASS_CONFIG) {
		error_set(err, NAME, 0, "%s: could not be read", file);
		error_hint(err, "it is read by the Python that tasks get: TOML needs 3.11, or tomli installed");
	} else {
		error_set(err, NAME, 0, "%s: what its tasks declare could not be read", file);
		error_hint(err, "the file is imported first, without variables, input and writable files: what needs those "
				"belongs into a task");
	}
	log_error(err);
	return 1;
}

static int read_config(const struct asker *asker, const char *name, struct config *ret, struct error *err)
{
	AUTO_FREE char *file = strdup(name);
	json_t *said = NULL;
	int r = file == NULL ? error_set(err, NAME, ENOMEM, "%s", name) : ask(asker, PASS_CONFIG, file, &said, err);

	if (r == 0)
		r = config_decode(said, name, ret, err);
	json_decref(said);
	return r;
}

/* No file was named: what is run is the entry point. */
static int take_entrypoint(struct policy *policy, const struct config *config, struct error *err)
{
	if (config->entrypoint == NULL) {
		error_set(err, "usage", 0, "no task given, and %s names no workflow.entrypoint", policy->command.target);
		return error_hint(err, "capsule-run [OPTION]... TASK.py [ARG]...");
	}
	free(policy->command.target);
	policy->command.target = strdup(config->entrypoint);
	policy->command.from_config = false;
	return policy->command.target == NULL ? error_set(err, NAME, ENOMEM, "%s", config->entrypoint) : 0;
}

static int read_declared(const struct asker *asker, const struct config *config, struct declared *ret, struct error *err)
{
	json_t *said = NULL;
	int r = ask(asker, PASS_DECLARE, asker->policy->command.target, &said, err);

	if (r == 0)
		r = declared_decode(said, ret, err);
	json_decref(said);
	return r == 0 && ret->is_task_file && config != NULL ? config_apply(config, ret, err) : r;
}

int tasks_read(struct policy *policy, char *argv[], int stdio_closed, struct declared *ret, int *ret_status,
	       int *ret_raise, struct error *err)
{
	const struct asker asker = {policy, argv, stdio_closed, ret_status, ret_raise};
	bool from_config = policy->command.from_config;
	struct config config;
	const char *name;
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	memset(&config, 0, sizeof(config));
	if (policy->command.kind != COMMAND_SCRIPT || (!from_config && !taskfile_is_candidate(policy->command.target)))
		return 0;
	name = config_find();
	if (name != NULL)
		r = read_config(&asker, name, &config, err);
	if (r == 0 && from_config)
		r = take_entrypoint(policy, &config, err);
	if (r == 0 && (!from_config || taskfile_is_candidate(policy->command.target)))
		r = read_declared(&asker, name != NULL ? &config : NULL, ret, err);
	config_fini(&config);
	return r;
}

static void note_dropped(const struct ceiling *ceiling, const char *task)
{
	for (size_t i = 0; i < ceiling->dropped.count; i++)
		log_note(NAME, "%s is not passed on: task '%s' does not declare it", ceiling->dropped.item[i], task);
	for (size_t i = 0; i < ceiling->unset.count; i++)
		log_note(NAME, "task '%s' declares the variable %s, which is not set here", task, ceiling->unset.item[i]);
}

/* "first, second, ..." */
static void list_names(const struct declared *declared, char *buf, size_t size)
{
	size_t len = 0;

	(void)snprintf(buf, size, "none");
	for (size_t i = 0; i < declared->task_count && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i > 0 ? ", " : "", declared->tasks[i].name);
}

static int no_entry(const struct policy *policy, const struct declared *declared, struct error *err)
{
	char names[256];

	list_names(declared, names, sizeof(names));
	if (policy->command.task == NULL) {
		error_set(err, NAME, 0, "%s: has no task and no main()", policy->command.target);
		return error_hint(err, "a task is a function below @task; python3 runs a file that has none");
	}
	error_set(err, "usage", 0, "--task %s: %s has no such task", policy->command.task, policy->command.target);
	return error_hint(err, "its tasks: %s", names);
}

/* The entry's declaration becomes part of the policy. */
static int lower_policy(struct policy *policy, const struct declared *declared, struct error *err)
{
	const struct declared_task *task;
	struct ceiling ceiling;
	int r = 0;

	if (declared->entry == NULL)
		return no_entry(policy, declared, err);
	task = declared_find(declared, declared->entry);
	free(policy->command.task);
	policy->command.task = strdup(declared->entry);
	if (policy->command.task == NULL)
		return error_set(err, NAME, ENOMEM, "%s", declared->entry);
	policy->command.pass = declared->entry_is_function ? PASS_CALL_FUNCTION : PASS_CALL;
	if (task == NULL)
		return 0;
	r = ceiling_lower(policy, task, &ceiling, err);
	if (r == 0) {
		note_dropped(&ceiling, task->name);
		r = ceiling_apply(&ceiling, policy, err);
	}
	ceiling_fini(&ceiling);
	return r;
}

int tasks_prepare(struct policy *policy, char *argv[], int stdio_closed, int *ret_status, int *ret_raise,
		  struct error *err)
{
	struct declared declared;
	int r = tasks_read(policy, argv, stdio_closed, &declared, ret_status, ret_raise, err);

	if (r == 0 && declared.is_task_file)
		r = lower_policy(policy, &declared, err);
	else if (r == 0 && (policy->command.task != NULL || policy->command.args_file != NULL)) {
		error_set(err, "usage", 0, "--%s: what is run is no task file",
			  policy->command.task != NULL ? "task" : "args-file");
		r = error_hint(err, "a task file is a Python file that imports capsule");
	}
	declared_fini(&declared);
	return r;
}
