#include "run/tasks.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "policy/ceiling.h"
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
static void make_declare_policy(const struct policy *policy, struct policy_bind *binds, struct policy *own)
{
	*own = *policy;
	own->command.pass = PASS_DECLARE;
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
}

int tasks_read(const struct policy *policy, char *argv[], int stdio_closed, struct declared *ret, int *ret_status,
	       int *ret_raise, struct error *err)
{
	AUTO_FREE struct policy_bind *binds = calloc(policy->files.bind_count + 1, sizeof(*binds));
	json_t *said = NULL;
	struct policy own;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (policy->command.kind != COMMAND_SCRIPT || !taskfile_is_candidate(policy->command.target))
		return 0;
	if (binds == NULL)
		return error_set(err, NAME, ENOMEM, "%s", policy->command.target);
	make_declare_policy(policy, binds, &own);
	*ret_status = supervise(&own, argv, stdio_closed, &said, ret_raise);
	if (said == NULL) {
		if (*ret_raise == 0) {
			error_set(err, NAME, 0, "%s: what its tasks declare could not be read", policy->command.target);
			error_hint(err, "the file is imported first, without variables, input and writable files: what "
					"needs those belongs into a task");
			log_error(err);
		}
		return 1;
	}
	r = declared_decode(said, ret, err);
	json_decref(said);
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
	task = declared->entry_is_function ? NULL : declared_find(declared, declared->entry);
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
