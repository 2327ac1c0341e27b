#include "tool/list_tasks.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "policy/ceiling.h"
#include "policy/option.h"
#include "run/tasks.h"

#define TASKS_VERSION 1

/* One task: what it declares, and what is left of the policy for it. */
struct row {
	const struct policy *policy;
	const struct declared_task *task;
	const struct ceiling *ceiling; /* NULL: it declares too much */
	const struct error *refusal;
	bool is_entry;
};

static const char *format_limit(const struct policy *policy, enum option_id id, uint64_t value, char *buf, size_t size)
{
	struct policy copy = *policy; /* for printing */

	*(uint64_t *)(void *)((char *)&copy + option_table[id].offset) = value;
	return option_format(&copy, id, buf, size);
}

static uint64_t limit_of(const struct policy_limits *limits, enum option_id id)
{
	const struct policy copy = {.limits = *limits};

	return option_number(&copy, id);
}

static void print_list(FILE *out, const char *name, const struct strlist *list)
{
	fprintf(out, "  %-14s", name);
	for (size_t i = 0; i < list->count; i++) {
		char text[DECLARED_TEXT_MAX + 1];

		(void)snprintf(text, sizeof(text), "%s", list->item[i]);
		error_sanitize(text);
		fprintf(out, " %s", text);
	}
	fprintf(out, "%s\n", list->count == 0 ? " none" : "");
}

static void print_text(const struct row *row, FILE *out)
{
	const struct declared_task *task = row->task;
	char buf[32];
	char high[32];

	fprintf(out, "%s%s\n", task->name, row->is_entry ? " (the entry)" : "");
	for (const enum option_id *id = ceiling_options; *id != OPTION_MAX; id++) {
		const char *allowed = option_format(row->policy, *id, high, sizeof(high));
		uint64_t value = ceiling_declared(task, *id);

		if (value == LIMIT_NONE)
			fprintf(out, "  %-14s %s\n", option_table[*id].name, allowed);
		else
			fprintf(out, "  %-14s %s, of %s\n", option_table[*id].name,
				format_limit(row->policy, *id, value, buf, sizeof(buf)), allowed);
	}
	if (task->retries != LIMIT_NONE)
		fprintf(out, "  %-14s %llu\n", "max_retries", (unsigned long long)task->retries);
	if (task->has_files) {
		fprintf(out, "  allowed_files ");
		for (size_t i = 0; i < task->file_count; i++) {
			char text[DECLARED_TEXT_MAX + 1];

			(void)snprintf(text, sizeof(text), "%s", task->files[i].path);
			error_sanitize(text);
			fprintf(out, " %s (%s)", text, task->files[i].writable ? "rw" : "ro");
		}
		fprintf(out, "%s\n", task->file_count == 0 ? " none" : "");
	}
	if (task->has_hosts)
		print_list(out, "allowed_hosts", &task->hosts);
	if (task->has_env)
		print_list(out, "env_variables", &task->env);
	if (row->ceiling == NULL) {
		struct error clean = *row->refusal;

		error_sanitize(clean.detail);
		error_sanitize(clean.hint);
		fprintf(out, "  refused: %s\n    %s\n", clean.detail, clean.hint);
	}
}

static json_t *list_json(bool is_there, const struct strlist *list)
{
	json_t *array = is_there ? json_array() : json_null();

	for (size_t i = 0; i < list->count && is_there; i++)
		(void)json_array_append_new(array, json_string(list->item[i]));
	return array;
}

static json_t *number_json(uint64_t value)
{
	return value == LIMIT_NONE ? json_null() : json_integer((json_int_t)value);
}

static json_t *declared_json(const struct declared_task *task)
{
	json_t *files = task->has_files ? json_array() : json_null();

	for (size_t i = 0; i < task->file_count; i++)
		(void)json_array_append_new(files, json_pack("{s:s, s:s}", "path", task->files[i].path, "mode",
							     task->files[i].writable ? "rw" : "ro"));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "ram_bytes", number_json(task->ram_bytes), "cpu_time_ms",
			 number_json(task->cpu_time_ms), "timeout_ms", number_json(task->wall_ms), "max_retries",
			 number_json(task->retries), "allowed_files", files, "allowed_hosts",
			 list_json(task->has_hosts, &task->hosts), "env_variables",
			 list_json(task->has_env, &task->env));
}

/* What it would run with. Variables without their values. */
static json_t *left_json(const struct policy *policy, const struct ceiling *ceiling)
{
	const struct policy_bind *binds = ceiling->has_files ? ceiling->binds : policy->files.binds;
	size_t bind_count = ceiling->has_files ? ceiling->bind_count : policy->files.bind_count;
	const struct strlist *env = ceiling->has_env ? &ceiling->env_set : &policy->command.env_set;
	json_t *files = json_array();
	json_t *names = json_array();

	for (size_t i = 0; i < bind_count; i++)
		(void)json_array_append_new(files, json_pack("{s:s, s:s?, s:s}", "host", binds[i].host, "guest",
							     binds[i].guest, "mode", binds[i].writable ? "rw" : "ro"));
	for (size_t i = 0; i < env->count; i++)
		(void)json_array_append_new(names, json_stringn(env->item[i], strcspn(env->item[i], "=")));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "ram_bytes",
			 number_json(limit_of(&ceiling->limits, OPTION_RAM)), "cpu_time_ms",
			 number_json(limit_of(&ceiling->limits, OPTION_CPU_TIME)), "timeout_ms",
			 number_json(limit_of(&ceiling->limits, OPTION_TIMEOUT)), "files", files, "hosts", json_array(),
			 "env_variables", names);
}

static json_t *row_json(const struct row *row)
{
	struct error clean = *row->refusal;

	error_sanitize(clean.detail);
	error_sanitize(clean.hint);
	return json_pack("{s:s, s:b, s:o, s:o, s:o}", "name", row->task->name, "entry", row->is_entry ? 1 : 0, "declared",
			 declared_json(row->task), "left",
			 row->ceiling == NULL ? json_null() : left_json(row->policy, row->ceiling), "refused",
			 row->ceiling != NULL ? json_null()
					      : json_pack("{s:s, s:s}", "what", clean.detail, "hint", clean.hint));
}

static int print_rows(const struct policy *policy, const struct declared *declared, FILE *out, int *ret_status)
{
	json_t *tasks = json_array();
	json_t *root;
	int r = 0;

	*ret_status = 0;
	for (size_t i = 0; i < declared->task_count; i++) {
		const struct declared_task *task = &declared->tasks[i];
		struct error refusal = {.errnum = 0};
		struct ceiling ceiling;
		bool is_allowed = ceiling_lower(policy, task, &ceiling, &refusal) == 0;
		const struct row row = {policy, task, is_allowed ? &ceiling : NULL, &refusal,
					declared->entry != NULL && !declared->entry_is_function &&
					    strcmp(declared->entry, task->name) == 0};

		if (!is_allowed)
			*ret_status = 1;
		if (policy->json)
			r |= json_array_append_new(tasks, row_json(&row));
		else
			print_text(&row, out);
		ceiling_fini(&ceiling);
	}
	if (policy->json) {
		root = json_pack("{s:i, s:s?, s:s, s:o}", "capsule_run_tasks", TASKS_VERSION, "entry", declared->entry,
				 "entry_kind",
				 declared->entry == NULL	? "none"
				 : declared->entry_is_function ? "function"
								: "task",
				 "tasks", tasks);
		r |= root == NULL ? -1 : json_dumpf(root, out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		json_decref(root);
		r |= fputc('\n', out) == EOF ? -1 : 0;
	} else {
		json_decref(tasks);
		if (declared->entry_is_function)
			fprintf(out, "main() (the entry; no task)\n");
		else if (declared->task_count == 0)
			fprintf(out, "no tasks\n");
	}
	return r != 0 || fflush(out) != 0 ? -EIO : 0;
}

int list_tasks(struct policy *policy, char *argv[], int stdio_closed, FILE *out, int *ret_status, int *ret_raise,
	       struct error *err)
{
	struct declared declared;
	int r = tasks_read(policy, argv, stdio_closed, &declared, ret_status, ret_raise, err);

	if (r == 0 && !declared.is_task_file) {
		error_set(err, "usage", 0, "--list-tasks: %s is no task file", policy->command.target);
		r = error_hint(err, "a task file is a Python file that imports capsule");
	} else if (r == 0 && print_rows(policy, &declared, out, ret_status) < 0) {
		r = error_set(err, "tasks", EIO, "print the tasks");
		err->exit = 125;
	}
	declared_fini(&declared);
	return r < 0 ? r : 0;
}
