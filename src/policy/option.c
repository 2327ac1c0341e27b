#include "policy/option.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The offset of a field; does not compile when the field's type is not the row's. */
#define FIELD(type, field)                                                                         \
	(offsetof(struct policy, field) +                                                          \
	 0 * sizeof(char[_Generic(&((struct policy *)NULL)->field, type *: 1)]))

#define NUMBER(kind_, field, min_, max_, open_, preset_, metavar_)                                 \
	.kind = OPTION_KIND_##kind_, .offset = FIELD(uint64_t, field), .min = (min_),              \
	.max = (max_), .open = (open_), .preset = (preset_), .metavar = (metavar_)
#define FLAG(field) .kind = OPTION_KIND_FLAG, .offset = FIELD(bool, field)
#define STRING(field, preset_, metavar_)                                                           \
	.kind = OPTION_KIND_STRING, .offset = FIELD(char *, field), .preset = (preset_),           \
	.metavar = (metavar_)
#define LIST(field, metavar_)                                                                      \
	.kind = OPTION_KIND_LIST, .offset = FIELD(struct strlist, field), .metavar = (metavar_)

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)
#define EIB (1ULL << 60)
#define YEAR_MS (366ULL * 86400000)

const struct option_row option_table[OPTION_MAX] = {
    [OPTION_RAM] = {"ram", 0, .group = OPTION_GROUP_LIMITS,
		    NUMBER(SIZE, limits.ram_bytes, 4 * MIB, EIB, false, "1G", "SIZE"),
		    .help = "memory of the task, tmpfs and cache included"},
    [OPTION_PIDS] = {"pids", 0, .group = OPTION_GROUP_LIMITS,
		     NUMBER(COUNT, limits.pids, 2, 4194304, false, "256", "N"),
		     .help = "processes and threads"},
    [OPTION_CPU] = {"cpu", 0, .group = OPTION_GROUP_LIMITS,
		    NUMBER(MILLI, limits.cpu_milli, 10, 10000000, true, NULL, "CORES"),
		    .help = "cores, such as 2 or 0.5 (needs a cgroup)"},
    [OPTION_CPU_TIME] = {"cpu-time", 0, .group = OPTION_GROUP_LIMITS,
			 NUMBER(DURATION, limits.cpu_time_ms, 10, YEAR_MS, true, NULL, "TIME"),
			 .help = "CPU time of the whole task"},
    [OPTION_TIMEOUT] = {"timeout", 't', .group = OPTION_GROUP_LIMITS,
			NUMBER(DURATION, limits.wall_ms, 10, YEAR_MS, true, "10m", "TIME"),
			.help = "wall-clock time: SIGTERM, then SIGKILL"},
    [OPTION_GRACE] = {"grace", 0, .group = OPTION_GROUP_LIMITS,
		      NUMBER(DURATION, limits.grace_ms, 0, YEAR_MS, false, "1s", "TIME"),
		      .help = "time between the two"},
    [OPTION_NOFILE] = {"nofile", 0, .group = OPTION_GROUP_LIMITS,
		       NUMBER(COUNT, limits.nofile, 16, 1048576, false, "1024", "N"),
		       .help = "open files of each process"},
    [OPTION_FSIZE] = {"fsize", 0, .group = OPTION_GROUP_LIMITS,
		      NUMBER(SIZE, limits.fsize_bytes, 0, EIB, true, "1G", "SIZE"),
		      .help = "size of each file"},
    [OPTION_OUTPUT] = {"output", 0, .group = OPTION_GROUP_LIMITS,
		       NUMBER(SIZE, limits.output_bytes, 0, EIB, true, "16M", "SIZE"),
		       .help = "bytes on stdout and stderr; more is dropped"},
    [OPTION_DISK] = {"disk", 0, .group = OPTION_GROUP_LIMITS,
		     NUMBER(SIZE, limits.disk_bytes, 64 * KIB, EIB, true, "1G", "SIZE"),
		     .help = "growth of the sandbox directory"},
    [OPTION_INODES] = {"inodes", 0, .group = OPTION_GROUP_LIMITS,
		       NUMBER(COUNT, limits.inodes, 16, 1ULL << 32, true, "20000", "N"),
		       .help = "new files in the sandbox directory"},
    [OPTION_DIR] = {"dir", 'd', .group = OPTION_GROUP_FILES,
		    STRING(files.dir, POLICY_DEFAULT_DIR, "DIR"),
		    .help = "the writable one, shown as " POLICY_DEFAULT_DIR},
    [OPTION_FRESH] = {"fresh", 0, .group = OPTION_GROUP_FILES, FLAG(files.fresh),
		      .help = "an empty one in memory instead, gone after"},
    [OPTION_BIND] = {"bind", 'b', .group = OPTION_GROUP_FILES,
		     LIST(files.bind, "HOST[:GUEST][:rw]"),
		     .help = "show a file or directory; read-only, same path"},
    [OPTION_SRC] = {"src", 0, .group = OPTION_GROUP_FILES, LIST(files.src, "DIR"),
		    .help = "show a project read-only and import from it"},
    [OPTION_PYTHON] = {"python", 0, .group = OPTION_GROUP_TASK,
		       STRING(command.python, NULL, "PATH"),
		       .help = "the interpreter (default: PATH's python3)"},
    [OPTION_ENV] = {"env", 'e', .group = OPTION_GROUP_TASK, LIST(command.env, "NAME[=VALUE]"),
		    .help = "pass a variable; nothing else is passed"},
    [OPTION_NO_STDIN] = {"no-stdin", 'n', .group = OPTION_GROUP_TASK, FLAG(command.no_stdin),
			 .help = "empty standard input"},
    [OPTION_RAW_TERMINAL] = {"raw-terminal", 0, .group = OPTION_GROUP_TASK, FLAG(command.raw_terminal),
			     .help = "let its escape sequences act on your terminal"},
    [OPTION_RESULT] = {"result", 0, .group = OPTION_GROUP_RUN, STRING(result, NULL, "FILE|fd:N"),
		       .help = "write the verdict as JSON"},
    [OPTION_REQUIRE] = {"require", 0, .group = OPTION_GROUP_RUN,
			LIST(require, "LAYER[,LAYER]"),
			.help = "do not start without these layers (cgroup, ...)"},
    [OPTION_QUIET] = {"quiet", 'q', .group = OPTION_GROUP_RUN, FLAG(quiet),
		      .help = "errors only"},
    [OPTION_VERBOSE] = {"verbose", 'v', .group = OPTION_GROUP_RUN, FLAG(verbose),
			.help = "say what is done and what the task used"},
};

static const char *const group_titles[] = {
    [OPTION_GROUP_LIMITS] = "Limits",
    [OPTION_GROUP_FILES] = "Files",
    [OPTION_GROUP_TASK] = "Task",
    [OPTION_GROUP_RUN] = "Run",
};

_Static_assert(ARRAY_SIZE(group_titles) == OPTION_GROUP_MAX, "one title for each group");

const char *option_group_title(enum option_group group)
{
	return group_titles[group];
}

enum option_id option_find(const char *name, size_t len)
{
	unsigned int i;

	for (i = 0; i < OPTION_MAX; i++)
		if (strlen(option_table[i].name) == len &&
		    memcmp(option_table[i].name, name, len) == 0)
			break;
	return i;
}

enum option_id option_find_letter(char letter)
{
	unsigned int i;

	for (i = 0; i < OPTION_MAX; i++)
		if (option_table[i].letter == letter)
			break;
	return i;
}

static void *field(struct policy *policy, const struct option_row *row)
{
	return (char *)policy + row->offset;
}

static const void *const_field(const struct policy *policy, const struct option_row *row)
{
	return (const char *)policy + row->offset;
}

static int parse_number(const struct option_row *row, const char *value, uint64_t *ret)
{
	switch (row->kind) {
	case OPTION_KIND_SIZE:
		return text_parse_size(value, ret);
	case OPTION_KIND_DURATION:
		return text_parse_duration(value, ret);
	case OPTION_KIND_MILLI:
		return text_parse_milli(value, ret);
	case OPTION_KIND_COUNT:
		return text_parse_u64(value, ret);
	case OPTION_KIND_FLAG:
	case OPTION_KIND_STRING:
	case OPTION_KIND_LIST:
		break;
	}
	return -EINVAL;
}

static const char *format_number(const struct option_row *row, uint64_t value, char *buf, size_t size)
{
	switch (row->kind) {
	case OPTION_KIND_SIZE:
		return text_format_size(value, buf, size);
	case OPTION_KIND_DURATION:
		return text_format_duration(value, buf, size);
	case OPTION_KIND_MILLI:
		return text_format_milli(value, buf, size);
	case OPTION_KIND_COUNT:
	case OPTION_KIND_FLAG:
	case OPTION_KIND_STRING:
	case OPTION_KIND_LIST:
		break;
	}
	(void)snprintf(buf, size, "%llu", (unsigned long long)value);
	return buf;
}

static const char *example_of(enum option_kind kind)
{
	switch (kind) {
	case OPTION_KIND_SIZE:
		return "bytes, or a number with K, M, G, T (512M, 512MiB, 1.5G)";
	case OPTION_KIND_DURATION:
		return "a number with ms, s, m, h (500ms, 30s, 5m, 1h)";
	case OPTION_KIND_MILLI:
		return "a number of cores, such as 2 or 0.5";
	case OPTION_KIND_COUNT:
	case OPTION_KIND_FLAG:
	case OPTION_KIND_STRING:
	case OPTION_KIND_LIST:
		break;
	}
	return "a whole number";
}

static int apply_number(struct policy *draft, const struct option_row *row, const char *value,
			struct error *err)
{
	uint64_t number = LIMIT_NONE;
	char low[32];
	char high[32];

	if (row->open && strcmp(value, "unlimited") == 0) {
		*(uint64_t *)field(draft, row) = LIMIT_NONE;
		return 0;
	}
	if (parse_number(row, value, &number) < 0) {
		error_set(err, "usage", 0, "--%s %s: not understood", row->name, value);
		return error_hint(err, "accepted: %s%s", example_of(row->kind),
				  row->open ? ", or unlimited" : "");
	}
	if (number < row->min || number > row->max) {
		error_set(err, "usage", 0, "--%s %s: out of range", row->name, value);
		return error_hint(err, "accepted: %s to %s%s",
				  format_number(row, row->min, low, sizeof(low)),
				  format_number(row, row->max, high, sizeof(high)),
				  row->open ? ", or unlimited" : "");
	}
	*(uint64_t *)field(draft, row) = number;
	return 0;
}

static int apply_string(struct policy *draft, const struct option_row *row, const char *value,
			struct error *err)
{
	char **text = field(draft, row);

	if (*value == '\0')
		return error_set(err, "usage", 0, "--%s: an empty value", row->name);
	free(*text);
	*text = strdup(value);
	return *text == NULL ? error_set(err, "usage", ENOMEM, "--%s", row->name) : 0;
}

int option_apply(struct policy *draft, enum option_id id, const char *value, enum origin origin,
		 struct error *err)
{
	const struct option_row *row = &option_table[id];
	int r = 0;

	if (row->kind == OPTION_KIND_FLAG)
		*(bool *)field(draft, row) = true;
	else if (row->kind == OPTION_KIND_STRING)
		r = apply_string(draft, row, value, err);
	else if (row->kind != OPTION_KIND_LIST)
		r = apply_number(draft, row, value, err);
	else if (*value == '\0')
		r = error_set(err, "usage", 0, "--%s: an empty value", row->name);
	else if (strlist_add(field(draft, row), value) < 0)
		r = error_set(err, "usage", ENOMEM, "--%s", row->name);
	if (r == 0)
		draft->origin[id] = origin;
	return r;
}

int option_apply_defaults(struct policy *draft, struct error *err)
{
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		const struct option_row *row = &option_table[i];
		const char *preset = row->preset != NULL ? row->preset : row->open ? "unlimited" : NULL;
		int r = preset == NULL ? 0 : option_apply(draft, i, preset, ORIGIN_DEFAULT, err);

		if (r < 0)
			return r;
	}
	return 0;
}

const char *option_format(const struct policy *policy, enum option_id id, char *buf, size_t size)
{
	const struct option_row *row = &option_table[id];
	uint64_t value;

	if (row->kind == OPTION_KIND_FLAG)
		return *(const bool *)const_field(policy, row) ? "yes" : "no";
	if (row->kind == OPTION_KIND_STRING)
		return *(char *const *)const_field(policy, row);
	if (row->kind == OPTION_KIND_LIST)
		return NULL;
	value = *(const uint64_t *)const_field(policy, row);
	return value == LIMIT_NONE ? "unlimited" : format_number(row, value, buf, size);
}

const struct strlist *option_list(const struct policy *policy, enum option_id id)
{
	return const_field(policy, &option_table[id]);
}
