#include "policy/ceiling.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "policy/option.h"

#define NAME "declare"

const enum option_id ceiling_options[] = {OPTION_RAM, OPTION_CPU_TIME, OPTION_TIMEOUT, OPTION_MAX};

uint64_t ceiling_declared(const struct declared_task *task, enum option_id id)
{
	return id == OPTION_RAM		? task->ram_bytes
	       : id == OPTION_CPU_TIME	? task->cpu_time_ms
	       : id == OPTION_TIMEOUT	? task->wall_ms
					: LIMIT_NONE;
}

static int lower(const struct policy *policy, const struct declared_task *task, const char *option, enum option_id id,
		 uint64_t value, uint64_t *field, struct ceiling *ret, struct error *err)
{
	struct policy declared = *policy; /* for printing */
	char origin[256];
	char high[32];
	char low[32];

	if (value == LIMIT_NONE)
		return 0;
	if (value <= *field) {
		*field = value;
		ret->lowered |= 1ULL << id;
		return 0;
	}
	*(uint64_t *)(void *)((char *)&declared + option_table[id].offset) = value;
	error_set(err, NAME, 0, "task '%s' declares %s %s, but --%s is %s (%s)", task->name, option,
		  option_format(&declared, id, high, sizeof(high)), option_table[id].name,
		  option_format(policy, id, low, sizeof(low)),
		  policy_describe_origin(policy, policy->origin[id], origin, sizeof(origin)));
	return error_hint(err, "--%s %s allows it", option_table[id].name,
			  option_format(&declared, id, high, sizeof(high)));
}

/* A relative path below the caller's directory, in one spelling: "data/in" for "./data//in/". */
static bool normalize(const char *path, char *buf, size_t size)
{
	size_t len = 0;

	if (*path == '/' || strlen(path) >= size)
		return false;
	while (*path != '\0') {
		size_t part = strcspn(path, "/");

		if (part == 2 && memcmp(path, "..", 2) == 0)
			return false;
		if (part > 0 && (part != 1 || *path != '.')) {
			if (len > 0)
				buf[len++] = '/';
			memcpy(buf + len, path, part);
			len += part;
		}
		path += part + (path[part] == '/');
	}
	buf[len] = '\0';
	return len > 0;
}

/* The real path of the operator's binding that allows this, or the caller's directory where he takes what is declared.
 * NULL: nothing does. To be freed. */
static char *allowed_within(const struct policy *policy, const char *real, bool writable, bool *ret_read_only)
{
	*ret_read_only = false;
	for (size_t i = 0; i < policy->files.bind_count; i++) {
		const struct policy_bind *bind = &policy->files.binds[i];
		char *there = realpath(bind->host, NULL);

		if (there != NULL && path_is_below(real, there) && (bind->writable || !writable))
			return there;
		if (there != NULL && path_is_below(real, there))
			*ret_read_only = true;
		free(there);
	}
	return policy->command.accept_declared ? realpath(".", NULL) : NULL;
}

static int lower_file(const struct policy *policy, const struct declared_task *task, const struct declared_file *file,
		      struct ceiling *ret, struct error *err)
{
	struct policy_bind *bind = &ret->binds[ret->bind_count];
	const char *mode = file->writable ? "rw" : "ro";
	AUTO_FREE char *real = NULL;
	char path[PATH_MAX];
	bool read_only;

	if (!normalize(file->path, path, sizeof(path))) {
		error_set(err, NAME, 0, "task '%s': allowed_files %s: not below the working directory", task->name,
			  file->path);
		return error_hint(err, "accepted: relative paths without .., such as ./data; --bind shows other places");
	}
	real = realpath(path, NULL);
	if (real == NULL) {
		error_set(err, NAME, errno, "task '%s': allowed_files %s", task->name, file->path);
		return error_hint(err, "it is looked for below the directory in which capsule-run is started");
	}
	bind->within = allowed_within(policy, real, file->writable, &read_only);
	if (bind->within != NULL && !path_is_below(real, bind->within)) {
		ret->bind_count++;
		error_set(err, NAME, 0, "task '%s': allowed_files %s: leads out of the working directory", task->name,
			  file->path);
		return error_hint(err, "--bind shows other places");
	}
	if (bind->within == NULL) {
		error_set(err, NAME, 0, "task '%s' declares allowed_files %s (%s), but %s", task->name, file->path, mode,
			  read_only ? "--bind shows it read-only" : "no --bind allows it");
		return error_hint(err, "--bind %s:%s allows it, --accept-declared all that is declared", path, mode);
	}
	bind->writable = file->writable;
	bind->host = strdup(path);
	if (asprintf(&bind->guest, "/%s", path) < 0)
		bind->guest = NULL;
	ret->bind_count++;
	if (bind->host == NULL || bind->guest == NULL)
		return error_set(err, NAME, ENOMEM, "allowed_files");
	return policy_check_guest(bind->guest, err);
}

/* What the operator shows and the task does not ask for. */
static int note_dropped_binds(const struct policy *policy, struct ceiling *ret)
{
	int r = 0;

	for (size_t i = 0; i < policy->files.bind_count && r == 0; i++) {
		AUTO_FREE char *there = realpath(policy->files.binds[i].host, NULL);
		bool is_used = false;

		for (size_t k = 0; k < ret->bind_count && there != NULL; k++)
			is_used |= strcmp(ret->binds[k].within, there) == 0;
		if (!is_used)
			r = strlist_addf(&ret->dropped, "--bind %s", policy->files.binds[i].host);
	}
	return r;
}

static int lower_files(const struct policy *policy, const struct declared_task *task, struct ceiling *ret,
		       struct error *err)
{
	if (!task->has_files)
		return 0;
	ret->has_files = true;
	ret->binds = calloc(task->file_count + 1, sizeof(*ret->binds));
	if (ret->binds == NULL)
		return error_set(err, NAME, ENOMEM, "allowed_files");
	for (size_t i = 0; i < task->file_count; i++) {
		int r = lower_file(policy, task, &task->files[i], ret, err);

		if (r < 0)
			return r;
	}
	return note_dropped_binds(policy, ret) < 0 ? error_set(err, NAME, ENOMEM, "allowed_files") : 0;
}

static bool declares(const struct declared_task *task, const char *entry)
{
	size_t len = strcspn(entry, "=");

	for (size_t i = 0; i < task->env.count; i++)
		if (strlen(task->env.item[i]) == len && memcmp(task->env.item[i], entry, len) == 0)
			return true;
	return false;
}

static int lower_variable(const struct policy *policy, const struct declared_task *task, const char *name,
			  struct ceiling *ret, struct error *err)
{
	const char *value = strlist_env_get(&policy->command.env_set, name);
	int r;

	if (value == NULL && !policy->command.accept_declared) {
		error_set(err, NAME, 0, "task '%s' declares env_variables %s, but no --env passes it", task->name, name);
		return error_hint(err, "--env %s passes it, --accept-declared all that is declared", name);
	}
	if (value == NULL)
		value = getenv(name);
	r = value != NULL ? strlist_addf(&ret->env_set, "%s=%s", name, value) : strlist_add(&ret->unset, name);
	return r < 0 ? error_set(err, NAME, ENOMEM, "env_variables") : 0;
}

static int lower_env(const struct policy *policy, const struct declared_task *task, struct ceiling *ret,
		     struct error *err)
{
	const struct strlist *given = &policy->command.env_set;
	int r = 0;

	if (!task->has_env)
		return 0;
	ret->has_env = true;
	for (size_t i = 0; i < task->env.count && r == 0; i++)
		r = lower_variable(policy, task, task->env.item[i], ret, err);
	for (size_t i = 0; i < given->count && r == 0; i++)
		if (!declares(task, given->item[i]) &&
		    strlist_addf(&ret->dropped, "--env %.*s", (int)strcspn(given->item[i], "="), given->item[i]) < 0)
			r = error_set(err, NAME, ENOMEM, "env_variables");
	return r;
}

/* What --allow lets through is not narrowed by a declaration yet; one that is not held is refused. */
static int lower_hosts(const struct declared_task *task, struct error *err)
{
	if (task->hosts.count == 0)
		return 0;
	error_set(err, NAME, 0, "task '%s' declares allowed_hosts %s, which is not understood yet", task->name,
		  task->hosts.item[0]);
	return error_hint(err, "leave allowed_hosts out of the file, and pass --allow for each host that it may reach");
}

/* Where nobody said how often, the file may: each attempt has the limits of one. */
static int lower_retries(const struct policy *policy, const struct declared_task *task, struct ceiling *ret,
			 struct error *err)
{
	const struct option_row *row = &option_table[OPTION_MAX_RETRIES];
	uint64_t allowed = policy_is_explicit(policy, OPTION_MAX_RETRIES) ? policy->retry.max : row->max;

	ret->retries = task->retries == LIMIT_NONE ? policy->retry.max : task->retries;
	if (task->retries == LIMIT_NONE || task->retries <= allowed)
		return 0;
	error_set(err, NAME, 0, "task '%s' declares max_retries %llu, but --max-retries is at most %llu", task->name,
		  (unsigned long long)task->retries, (unsigned long long)allowed);
	return error_hint(err, "--max-retries %llu allows it", (unsigned long long)task->retries);
}

int ceiling_lower(const struct policy *policy, const struct declared_task *task, struct ceiling *ret, struct error *err)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->limits = policy->limits;
	r = lower(policy, task, "ram", OPTION_RAM, task->ram_bytes, &ret->limits.ram_bytes, ret, err);
	/* Below the lower limit the soft one means nothing. */
	if (ret->limits.ram_soft_bytes > ret->limits.ram_bytes)
		ret->limits.ram_soft_bytes = LIMIT_NONE;
	if (r == 0)
		r = lower(policy, task, "compute", OPTION_CPU_TIME, task->cpu_time_ms, &ret->limits.cpu_time_ms, ret,
			  err);
	if (r == 0)
		r = lower(policy, task, "timeout", OPTION_TIMEOUT, task->wall_ms, &ret->limits.wall_ms, ret, err);
	if (r == 0)
		r = lower_retries(policy, task, ret, err);
	if (r == 0)
		r = lower_files(policy, task, ret, err);
	if (r == 0)
		r = lower_env(policy, task, ret, err);
	return r < 0 ? r : lower_hosts(task, err);
}

static void free_binds(struct policy_bind *binds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(binds[i].host);
		free(binds[i].guest);
		free(binds[i].within);
	}
	free(binds);
}

int ceiling_apply(struct ceiling *ceiling, struct policy *policy, struct error *err)
{
	struct policy_files *files = &policy->files;

	policy->limits = ceiling->limits;
	if (policy->retry.max != ceiling->retries) {
		policy->retry.max = ceiling->retries;
		policy->origin[OPTION_MAX_RETRIES] = ORIGIN_DECLARED;
	}
	for (unsigned int i = 0; i < OPTION_MAX; i++)
		if ((ceiling->lowered & (1ULL << i)) != 0)
			policy->origin[i] = ORIGIN_DECLARED;
	if (ceiling->has_files) {
		enum origin *origins = calloc(ceiling->bind_count + 1, sizeof(*origins));

		if (origins == NULL)
			return error_set(err, NAME, ENOMEM, "allowed_files");
		for (size_t i = 0; i < ceiling->bind_count; i++)
			origins[i] = ORIGIN_DECLARED;
		free(policy->item_origin[OPTION_BIND]);
		policy->item_origin[OPTION_BIND] = origins;
		strlist_fini(&files->bind);
		free_binds(files->binds, files->bind_count);
		files->binds = ceiling->binds;
		files->bind_count = ceiling->bind_count;
		ceiling->binds = NULL;
		ceiling->bind_count = 0;
		files->relative_to_root = files->bind_count > 0;
	}
	if (ceiling->has_env) {
		strlist_fini(&policy->command.env_set);
		policy->command.env_set = ceiling->env_set;
		ceiling->env_set = (struct strlist){NULL, 0};
	}
	return 0;
}

void ceiling_fini(struct ceiling *ceiling)
{
	free_binds(ceiling->binds, ceiling->bind_count);
	strlist_fini(&ceiling->env_set);
	strlist_fini(&ceiling->unset);
	strlist_fini(&ceiling->dropped);
	memset(ceiling, 0, sizeof(*ceiling));
}
