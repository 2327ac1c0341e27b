#include "policy/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static int unknown(const char *name, const char *table, const char *key, struct error *err)
{
	error_set(err, "config", 0, "%s: [%.40s] %.80s: not understood", name, table, key);
	return error_hint(err, "accepted: [workflow] name, version, entrypoint; [tasks] default_compute, default_ram, "
			       "default_timeout, default_max_retries, default_allowed_files, default_allowed_hosts, "
			       "default_env_variables");
}

static int decode_workflow(json_t *table, const char *name, struct config *ret, struct error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(table, key, value) {
		const char *text = json_string_value(value);
		bool is_entry = strcmp(key, "entrypoint") == 0;

		if (text == NULL || *text == '\0' || strlen(text) != json_string_length(value) ||
		    (!is_entry && strcmp(key, "name") != 0 && strcmp(key, "version") != 0))
			return unknown(name, "workflow", key, err);
		if (!is_entry)
			continue;
		if (*text == '/' || strstr(text, "..") != NULL || *text == '-') {
			error_set(err, "config", 0, "%s: [workflow] entrypoint %.80s: not below the working directory", name,
				  text);
			return error_hint(err, "accepted: a relative path without ..");
		}
		ret->entrypoint = strdup(text);
		if (ret->entrypoint == NULL)
			return error_set(err, "config", ENOMEM, "%s", name);
	}
	return 0;
}

static int decode_tasks(json_t *table, const char *name, struct config *ret, struct error *err)
{
	static const char prefix[] = "default_";
	const char *key;
	json_t *value;

	json_object_foreach(table, key, value) {
		int r;

		if (strncmp(key, prefix, sizeof(prefix) - 1) != 0)
			return unknown(name, "tasks", key, err);
		r = declared_decode_option(key + sizeof(prefix) - 1, value, &ret->defaults, err);
		if (r < 0)
			return error_prefix(err, "%s: ", name);
	}
	return 0;
}

int config_decode(const json_t *value, const char *name, struct config *ret, struct error *err)
{
	const char *key;
	json_t *table;
	json_t *root = json_deep_copy(value);
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	declared_init(&ret->defaults);
	ret->defaults.name = strdup("by default");
	if (ret->defaults.name == NULL || !json_is_object(root)) {
		json_decref(root);
		return error_set(err, "config", 0, "%s: not understood", name);
	}
	json_object_foreach(root, key, table) {
		if (!json_is_object(table))
			r = unknown(name, "", key, err);
		else if (strcmp(key, "workflow") == 0)
			r = decode_workflow(table, name, ret, err);
		else if (strcmp(key, "tasks") == 0)
			r = decode_tasks(table, name, ret, err);
		else
			r = unknown(name, key, "", err);
		if (r < 0)
			break;
	}
	json_decref(root);
	return r;
}

static int copy_list(const struct strlist *from, struct strlist *to)
{
	int r = 0;

	for (size_t i = 0; i < from->count && r == 0; i++)
		r = strlist_add(to, from->item[i]);
	return r;
}

static int fill(const struct declared_task *from, struct declared_task *task)
{
	int r = 0;

	if (task->ram_bytes == LIMIT_NONE)
		task->ram_bytes = from->ram_bytes;
	if (task->cpu_time_ms == LIMIT_NONE)
		task->cpu_time_ms = from->cpu_time_ms;
	if (task->wall_ms == LIMIT_NONE)
		task->wall_ms = from->wall_ms;
	if (task->retries == LIMIT_NONE)
		task->retries = from->retries;
	if (!task->has_hosts && from->has_hosts) {
		task->has_hosts = true;
		r = copy_list(&from->hosts, &task->hosts);
	}
	if (r == 0 && !task->has_env && from->has_env) {
		task->has_env = true;
		r = copy_list(&from->env, &task->env);
	}
	if (r < 0 || task->has_files || !from->has_files)
		return r;
	task->has_files = true;
	task->files = calloc(from->file_count + 1, sizeof(*task->files));
	for (size_t i = 0; i < from->file_count && task->files != NULL; i++) {
		task->files[i] = (struct declared_file){strdup(from->files[i].path), from->files[i].writable};
		if (task->files[i].path == NULL)
			return -ENOMEM;
		task->file_count++;
	}
	return task->files == NULL ? -ENOMEM : 0;
}

int config_apply(const struct config *config, struct declared *declared, struct error *err)
{
	if (declared->entry_is_function && declared_find(declared, declared->entry) == NULL) {
		struct declared_task *grown =
		    reallocarray(declared->tasks, declared->task_count + 1, sizeof(*grown));

		if (grown == NULL)
			return error_set(err, "config", ENOMEM, "tasks");
		declared->tasks = grown;
		declared_init(&grown[declared->task_count]);
		grown[declared->task_count].name = strdup(declared->entry);
		if (grown[declared->task_count++].name == NULL)
			return error_set(err, "config", ENOMEM, "tasks");
	}
	for (size_t i = 0; i < declared->task_count; i++)
		if (fill(&config->defaults, &declared->tasks[i]) < 0)
			return error_set(err, "config", ENOMEM, "tasks");
	return 0;
}

void config_fini(struct config *config)
{
	free(config->entrypoint);
	declared_task_fini(&config->defaults);
	memset(config, 0, sizeof(*config));
}
