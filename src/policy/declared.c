#include "policy/declared.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "policy/option.h"

#define NAME "declare"

/* What a value was, for messages: a few of its bytes. */
static int not_understood(const struct declared_task *task, const char *option, const json_t *value, const char *accepted,
			  struct error *err)
{
	AUTO_FREE char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	error_set(err, NAME, 0, "task '%s': %s %.80s: not understood", task->name, option, text != NULL ? text : "");
	return error_hint(err, "accepted: %s", accepted);
}

/* A string without NUL, of a bounded length; or NULL. */
static const char *plain_text(const json_t *value)
{
	const char *text = json_string_value(value);

	return text != NULL && *text != '\0' && json_string_length(value) == strlen(text) &&
		       strlen(text) <= DECLARED_TEXT_MAX
		   ? text
		   : NULL;
}

static int check_range(const struct declared_task *task, const char *option, enum option_id id, uint64_t number,
		       const json_t *value, struct error *err)
{
	const struct option_row *row = &option_table[id];
	AUTO_FREE char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	if (number >= row->min && number <= row->max)
		return 0;
	error_set(err, NAME, 0, "task '%s': %s %.80s: out of range", task->name, option, text != NULL ? text : "");
	return error_hint(err, "the same bounds hold as for --%s", row->name);
}

/* "64MB", "64 mb", "64MiB", or bytes. */
static int decode_ram(const json_t *value, struct declared_task *task, struct error *err)
{
	const char *text = plain_text(value);
	char copy[DECLARED_TEXT_MAX + 1];
	size_t len = 0;
	bool understood = json_is_integer(value) && json_integer_value(value) >= 0;

	if (understood)
		task->ram_bytes = (uint64_t)json_integer_value(value);
	for (const char *p = text; p != NULL && *p != '\0'; p++)
		/* A blank between number and unit, and nowhere else. */
		if (*p != ' ' || len == 0 || !isdigit((unsigned char)p[-1]) || !isalpha((unsigned char)p[1]))
			copy[len++] = (char)toupper((unsigned char)*p);
	copy[len] = '\0';
	if (len > 2 && strcmp(copy + len - 2, "IB") == 0)
		copy[len - 2] = 'i';
	if (text != NULL)
		understood = text_parse_size(copy, &task->ram_bytes) == 0;
	if (!understood)
		return not_understood(task, "ram", value, "bytes, or a text such as 512MB, 512M, 1.5G", err);
	return check_range(task, "ram", OPTION_RAM, task->ram_bytes, value, err);
}

/* "1m 30s": numbers with units, as the humantime library reads them. */
static bool parse_time(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *names; /* between blanks */
		uint64_t us;	   /* 0: rounded up to one */
	} units[] = {{" ns nsec ", 0},
		     {" us usec ", 1},
		     {" ms msec ", 1000},
		     {" s sec second seconds ", 1000000},
		     {" m min minute minutes ", 60000000},
		     {" h hr hour hours ", 3600000000},
		     {" d day days ", 86400000000},
		     {" w week weeks ", 604800000000}};
	uint64_t sum = 0;

	for (const char *p = text; *p != '\0';) {
		uint64_t number = 0;
		char unit[16] = " ";
		size_t len = 1;
		bool found = false;

		if (!isdigit((unsigned char)*p))
			return false;
		for (; isdigit((unsigned char)*p); p++)
			if (__builtin_mul_overflow(number, 10U, &number) ||
			    __builtin_add_overflow(number, (uint64_t)(*p - '0'), &number))
				return false;
		while (*p == ' ')
			p++;
		for (; isalpha((unsigned char)*p) && len < sizeof(unit) - 2; p++)
			unit[len++] = *p;
		unit[len++] = ' ';
		unit[len] = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(units) && !found && len > 2; i++) {
			found = strstr(units[i].names, unit) != NULL;
			if (found && (units[i].us == 0 ? __builtin_add_overflow(sum, number / 1000 + 1, &sum)
						       : __builtin_mul_overflow(number, units[i].us, &number) ||
							     __builtin_add_overflow(sum, number, &sum)))
				return false;
		}
		if (!found)
			return false;
		while (*p == ' ')
			p++;
	}
	*ret_ms = sum / 1000 + (sum % 1000 != 0);
	return *text != '\0';
}

/* A number without a unit is no time: that project has it for milliseconds here and for nothing there. */
static bool parse_any_time(const char *text, uint64_t *ret_ms)
{
	size_t len = strlen(text);

	if (len == 0 || isdigit((unsigned char)text[len - 1]))
		return false;
	return parse_time(text, ret_ms) || text_parse_duration(text, ret_ms) == 0;
}

static int decode_timeout(const json_t *value, struct declared_task *task, struct error *err)
{
	const char *text = plain_text(value);

	if (text == NULL || !parse_any_time(text, &task->wall_ms))
		return not_understood(task, "timeout", value, "a text with a unit, such as 500ms, 30s, 1m 30s, 1h", err);
	return check_range(task, "timeout", OPTION_TIMEOUT, task->wall_ms, value, err);
}

/* A name, a time, or fuel. */
static int decode_compute(const json_t *value, struct declared_task *task, struct error *err)
{
	const char *text = plain_text(value);
	uint64_t fuel = 0;

	if (json_is_integer(value) && json_integer_value(value) > 0) {
		fuel = (uint64_t)json_integer_value(value);
	} else if (text != NULL && text_parse_u64(text, &fuel) < 0) {
		for (const struct option_word *w = option_table[OPTION_COMPUTE].words; w->word != NULL; w++)
			if (strcasecmp(w->word, text) == 0)
				task->cpu_time_ms = w->value;
		if (task->cpu_time_ms == LIMIT_NONE)
			(void)(parse_any_time(text, &task->cpu_time_ms) || true);
	}
	if (fuel > 0) {
		task->cpu_time_ms = fuel / DECLARED_FUEL_PER_MS + (fuel % DECLARED_FUEL_PER_MS != 0);
		if (task->cpu_time_ms < DECLARED_FUEL_MIN_MS)
			task->cpu_time_ms = DECLARED_FUEL_MIN_MS;
	}
	if (task->cpu_time_ms == LIMIT_NONE)
		return not_understood(task, "compute", value,
				      "LOW, MEDIUM, HIGH, a time such as 30s, or a whole number of fuel", err);
	return check_range(task, "compute", OPTION_CPU_TIME, task->cpu_time_ms, value, err);
}

static int decode_retries(const json_t *value, struct declared_task *task, struct error *err)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return not_understood(task, "max_retries", value, "a whole number, 0 or more", err);
	task->retries = (uint64_t)json_integer_value(value);
	return 0;
}

static bool decode_file(const json_t *value, struct declared_file *ret)
{
	static const struct {
		const char *word;
		bool writable;
	} modes[] = {{"ro", false}, {"read-only", false}, {"rw", true}, {"read-write", true}};
	const json_t *mode = json_object_get(value, "mode");
	const char *path = plain_text(json_is_object(value) ? json_object_get(value, "path") : value);
	bool found = mode == NULL;

	/* That project's default. */
	ret->writable = true;
	for (size_t i = 0; i < ARRAY_SIZE(modes) && json_is_string(mode); i++)
		if (strcasecmp(json_string_value(mode), modes[i].word) == 0) {
			ret->writable = modes[i].writable;
			found = true;
		}
	if (path == NULL || !found || json_object_size(value) > (mode != NULL ? 2 : 1))
		return false;
	ret->path = strdup(path);
	return ret->path != NULL;
}

static int decode_files(const json_t *value, struct declared_task *task, struct error *err)
{
	static const char accepted[] = "a list of \"./DIR\" and {\"path\": \"./DIR\", \"mode\": \"ro\"}; mode is ro, "
				       "read-only, rw or read-write";
	size_t count = json_array_size(value);

	if (!json_is_array(value) || count > DECLARED_ITEMS_MAX)
		return not_understood(task, "allowed_files", value, accepted, err);
	task->has_files = true;
	task->files = calloc(count + 1, sizeof(*task->files));
	if (task->files == NULL)
		return error_set(err, NAME, ENOMEM, "allowed_files");
	for (size_t i = 0; i < count; i++, task->file_count++)
		if (!decode_file(json_array_get(value, i), &task->files[i]))
			return not_understood(task, "allowed_files", json_array_get(value, i), accepted, err);
	return 0;
}

static int decode_texts(const json_t *value, const struct declared_task *task, const char *option, bool are_names,
			struct strlist *ret, struct error *err)
{
	static const char names[] = "a list of names of variables";
	static const char hosts[] = "a list of hosts, such as \"api.example.com\"";

	if (!json_is_array(value) || json_array_size(value) > DECLARED_ITEMS_MAX)
		return not_understood(task, option, value, are_names ? names : hosts, err);
	for (size_t i = 0; i < json_array_size(value); i++) {
		const char *text = plain_text(json_array_get(value, i));

		if (text == NULL || (are_names && !text_is_env_name(text, strlen(text))))
			return not_understood(task, option, json_array_get(value, i), are_names ? names : hosts, err);
		if (strlist_add(ret, text) < 0)
			return error_set(err, NAME, ENOMEM, "%s", option);
	}
	return 0;
}

int declared_decode_option(const char *key, const json_t *value, struct declared_task *task,
			   struct error *err)
{
	if (strcmp(key, "ram") == 0)
		return decode_ram(value, task, err);
	if (strcmp(key, "timeout") == 0)
		return decode_timeout(value, task, err);
	if (strcmp(key, "compute") == 0)
		return decode_compute(value, task, err);
	if (strcmp(key, "max_retries") == 0)
		return decode_retries(value, task, err);
	if (strcmp(key, "allowed_files") == 0)
		return decode_files(value, task, err);
	if (strcmp(key, "allowed_hosts") == 0) {
		task->has_hosts = true;
		return decode_texts(value, task, key, false, &task->hosts, err);
	}
	if (strcmp(key, "env_variables") == 0) {
		task->has_env = true;
		return decode_texts(value, task, key, true, &task->env, err);
	}
	return error_set(err, NAME, 0, "task '%s': no such option: %.80s", task->name, key);
}

void declared_init(struct declared_task *task)
{
	memset(task, 0, sizeof(*task));
	task->ram_bytes = task->cpu_time_ms = task->wall_ms = task->retries = LIMIT_NONE;
}

/* Names are printed and compared: one spelling, nothing that acts on a terminal. */
static bool is_task_name(const char *name)
{
	for (const char *p = name; p != NULL && *p != '\0'; p += text_utf8_length(p))
		if (text_utf8_length(p) == 0 || text_is_control(p))
			return false;
	return name != NULL;
}

static int decode_task(const json_t *value, struct declared_task *task, struct error *err)
{
	const char *name = plain_text(json_object_get(value, "name"));
	json_t *options = json_object_get(value, "options");
	const char *key;
	json_t *option;

	declared_init(task);
	if (!is_task_name(name) || !json_is_object(options))
		return error_set(err, NAME, 0, "a task without a name of at most %d bytes", DECLARED_TEXT_MAX);
	task->name = strdup(name);
	if (task->name == NULL)
		return error_set(err, NAME, ENOMEM, "tasks");
	json_object_foreach(options, key, option) {
		int r = declared_decode_option(key, option, task, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int declared_decode(const json_t *value, struct declared *ret, struct error *err)
{
	const json_t *tasks = json_object_get(value, "tasks");
	const json_t *entry = json_object_get(value, "entry");
	const char *kind = plain_text(json_object_get(entry, "kind"));
	const char *name = plain_text(json_object_get(entry, "name"));

	memset(ret, 0, sizeof(*ret));
	ret->is_task_file = json_is_true(json_object_get(value, "capsule"));
	if (json_is_false(json_object_get(value, "capsule")))
		return 0;
	if (!ret->is_task_file || !json_is_array(tasks) ||
	    (!json_is_null(entry) && (kind == NULL || !is_task_name(name))))
		return error_set(err, NAME, 0, "the file did not say which tasks it has");
	if (json_array_size(tasks) > DECLARED_TASKS_MAX)
		return error_set(err, NAME, 0, "more than %d tasks", DECLARED_TASKS_MAX);
	ret->entry_is_function = kind != NULL && strcmp(kind, "function") == 0;
	ret->entry = name == NULL ? NULL : strdup(name);
	ret->tasks = calloc(json_array_size(tasks) + 1, sizeof(*ret->tasks));
	if ((ret->entry == NULL && name != NULL) || ret->tasks == NULL)
		return error_set(err, NAME, ENOMEM, "tasks");
	for (size_t i = 0; i < json_array_size(tasks); i++) {
		struct declared_task *task = &ret->tasks[ret->task_count++];
		int r = decode_task(json_array_get(tasks, i), task, err);

		if (r < 0)
			return r;
		if (declared_find(ret, task->name) != task)
			return error_set(err, NAME, 0, "two tasks are named '%s'", task->name);
	}
	if (ret->entry != NULL && !ret->entry_is_function && declared_find(ret, ret->entry) == NULL)
		return error_set(err, NAME, 0, "the file did not say which tasks it has");
	return 0;
}

const struct declared_task *declared_find(const struct declared *declared, const char *name)
{
	for (size_t i = 0; i < declared->task_count; i++)
		if (declared->tasks[i].name != NULL && strcmp(declared->tasks[i].name, name) == 0)
			return &declared->tasks[i];
	return NULL;
}

void declared_task_fini(struct declared_task *task)
{
	for (size_t i = 0; i < task->file_count; i++)
		free(task->files[i].path);
	free(task->files);
	free(task->name);
	strlist_fini(&task->hosts);
	strlist_fini(&task->env);
	declared_init(task);
}

void declared_fini(struct declared *declared)
{
	for (size_t i = 0; i < declared->task_count; i++)
		declared_task_fini(&declared->tasks[i]);
	free(declared->tasks);
	free(declared->entry);
	memset(declared, 0, sizeof(*declared));
}
