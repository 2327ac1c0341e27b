#include "policy/policy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "policy/layer.h"
#include "policy/option.h"
#include "policy/retry.h"

int policy_init(struct policy *draft, struct error *err)
{
	memset(draft, 0, sizeof(*draft));
	draft->result_fd = -1;
	return option_apply_defaults(draft, err);
}

static bool is_mode(const char *text)
{
	return strcmp(text, "ro") == 0 || strcmp(text, "rw") == 0;
}

/* "." and "..", and "//": one path has one spelling. */
static bool is_unnormal(const char *path)
{
	if (strstr(path, "//") != NULL)
		return true;
	for (const char *p = path; (p = strstr(p, "/.")) != NULL; p += 2)
		if (p[2] == '\0' || p[2] == '/' || (p[2] == '.' && (p[3] == '\0' || p[3] == '/')))
			return true;
	return false;
}

/* Guest paths that are ours to build, or that would hide what the sandbox stands on. */
static bool is_reserved_guest(const char *guest)
{
	static const char *const reserved[] = {"/proc", "/dev", "/sys", "/task", POLICY_OWN_DIR,
					       POLICY_DEFAULT_DIR};
	static const char *const whole[] = {"",	    "/etc", "/usr", "/bin", "/sbin",
					    "/lib", "/tmp", "/lib64", "/var"};
	size_t len = strlen(guest);

	while (len > 0 && guest[len - 1] == '/')
		len--;
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
		if (strlen(whole[i]) == len && memcmp(whole[i], guest, len) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		size_t n = strlen(reserved[i]);

		if (len >= n && memcmp(reserved[i], guest, n) == 0 &&
		    (guest[n] == '\0' || guest[n] == '/'))
			return true;
	}
	return false;
}

int policy_check_guest(const char *guest, struct error *err)
{
	if (!is_unnormal(guest) && !is_reserved_guest(guest))
		return 0;
	error_set(err, "usage", 0, "--bind: nothing can be shown at %s", guest);
	return error_hint(err, "give it a place of its own, as in --bind HOST:/data: outside /proc, /dev, /sys, "
			       "/task, " POLICY_DEFAULT_DIR " and the system's directories, without . or .. or //");
}

int policy_parse_bind(const char *text, struct policy_bind *ret, struct error *err)
{
	AUTO_FREE char *copy = strdup(text);
	char *part[3] = {copy, NULL, NULL};
	size_t parts = 1;
	struct policy_bind bind = {NULL, NULL, false, NULL};

	if (copy == NULL)
		return error_set(err, "usage", ENOMEM, "--bind");
	for (char *p = copy; *p != '\0'; p++) {
		if (*p != ':')
			continue;
		if (parts == 3)
			goto malformed;
		*p = '\0';
		part[parts++] = p + 1;
	}
	if (parts > 1 && is_mode(part[parts - 1])) {
		bind.writable = part[parts - 1][1] == 'w';
		parts--;
	}
	if (parts > 2 || part[0][0] == '\0' || (parts == 2 && part[1][0] != '/'))
		goto malformed;
	if (parts == 2 && policy_check_guest(part[1], err) < 0)
		return -EINVAL;
	bind.host = strdup(part[0]);
	bind.guest = parts == 2 ? strdup(part[1]) : NULL;
	if (bind.host == NULL || (parts == 2 && bind.guest == NULL)) {
		free(bind.host);
		free(bind.guest);
		return error_set(err, "usage", ENOMEM, "--bind");
	}
	*ret = bind;
	return 0;
malformed:
	error_set(err, "usage", 0, "--bind %s: not understood", text);
	return error_hint(err, "accepted: HOST[:GUEST][:ro|:rw], GUEST absolute; for example "
			       "--bind data or --bind /srv/data:/data:rw");
}

enum origin policy_origin_at(size_t profile, unsigned int line)
{
	return (enum origin)((unsigned int)(profile + 1) << 16 | line);
}

bool policy_same_place(enum origin one, enum origin other)
{
	return (unsigned int)one >> 16 == (unsigned int)other >> 16;
}

char *policy_describe_origin(const struct policy *policy, enum origin origin, char *buf,
			     size_t size)
{
	unsigned int number = origin;
	size_t profile = (number >> 16) - 1;

	if (origin == ORIGIN_DECLARED) {
		(void)snprintf(buf, size, "declared by the task");
	} else if (origin == ORIGIN_DEFAULT || origin == ORIGIN_COMMAND_LINE ||
		   profile >= policy->profile_paths.count) {
		(void)snprintf(buf, size, "%s",
			       origin == ORIGIN_DEFAULT ? "default" : "command line");
	} else {
		const char *path = policy->profile_paths.item[profile];
		size_t len = strlen(path);
		bool cut = len > 200;

		(void)snprintf(buf, size, "%s%s:%u", cut ? "..." : "",
			       cut ? path + len - 200 : path, number & 0xffff);
		error_sanitize(buf);
	}
	return buf;
}

int policy_locate(const struct policy *policy, enum origin origin, struct error *err)
{
	char place[256];

	if (origin == ORIGIN_DEFAULT || origin >= ORIGIN_COMMAND_LINE)
		return err->errnum > 0 ? -err->errnum : -EINVAL;
	return error_prefix(err,
			    "%s: ", policy_describe_origin(policy, origin, place, sizeof(place)));
}

bool policy_is_explicit(const struct policy *policy, enum option_id id)
{
	const struct option_row *row = &option_table[id];
	const char *preset = option_preset(row);
	const char *value;
	char buf[32];

	if (policy->origin[id] == ORIGIN_DEFAULT)
		return false;
	value = option_format(policy, id, buf, sizeof(buf));
	if (row->kind != OPTION_KIND_FLAG && policy->origin[id] == ORIGIN_COMMAND_LINE)
		return true;
	return value != NULL && (preset == NULL || strcmp(value, preset) != 0);
}

static int finalize_binds(struct policy *draft, struct error *err)
{
	struct policy_files *files = &draft->files;

	if (files->bind.count == 0)
		return 0;
	files->binds = calloc(files->bind.count, sizeof(*files->binds));
	if (files->binds == NULL)
		return error_set(err, "usage", ENOMEM, "--bind");
	for (size_t i = 0; i < files->bind.count; i++) {
		int r = policy_parse_bind(files->bind.item[i], &files->binds[i], err);

		if (r < 0)
			return policy_locate(draft, draft->item_origin[OPTION_BIND][i], err);
		files->bind_count++;
	}
	return 0;
}

static int finalize_env(struct policy *draft, char *const environ_in[], struct error *err)
{
	struct policy_command *command = &draft->command;

	for (size_t i = 0; i < command->env.count; i++) {
		enum origin origin = draft->item_origin[OPTION_ENV][i];
		const char *text = command->env.item[i];
		size_t len = strcspn(text, "=");
		const char *entry = text[len] == '=' ? text : NULL;

		if (!text_is_env_name(text, len)) {
			error_set(err, "usage", 0, "--env %s: not a variable's name", text);
			error_hint(err,
				   "accepted: NAME (its value here is passed on) or NAME=VALUE");
			return policy_locate(draft, origin, err);
		}
		for (char *const *e = environ_in; entry == NULL && *e != NULL; e++)
			if (strncmp(*e, text, len) == 0 && (*e)[len] == '=')
				entry = *e;
		if (entry == NULL) {
			error_set(err, "usage", 0, "--env %s: no such variable here", text);
			error_hint(err, "set it, or give a value: --env %s=VALUE", text);
			return policy_locate(draft, origin, err);
		}
		if (strlist_add(&command->env_set, entry) < 0)
			return error_set(err, "usage", ENOMEM, "--env");
	}
	return 0;
}

/* Where a profile names one interpreter and the command line another, the latter is meant. */
static void finalize_python(struct policy *draft)
{
	struct policy_command *command = &draft->command;

	if (command->python == NULL || command->venv == NULL)
		return;
	if (draft->origin[OPTION_PYTHON] < draft->origin[OPTION_VENV]) {
		free(command->python);
		command->python = NULL;
		draft->origin[OPTION_PYTHON] = ORIGIN_DEFAULT;
	} else if (draft->origin[OPTION_VENV] < draft->origin[OPTION_PYTHON]) {
		free(command->venv);
		command->venv = NULL;
		draft->origin[OPTION_VENV] = ORIGIN_DEFAULT;
	}
}

static int finalize_result(struct policy *draft, struct error *err)
{
	uint64_t fd;

	if (draft->result == NULL || strncmp(draft->result, "fd:", 3) != 0)
		return 0;
	if (text_parse_u64(draft->result + 3, &fd) < 0 || fd > INT_MAX) {
		error_set(err, "usage", 0, "--result %s: not a descriptor", draft->result);
		error_hint(err, "accepted: a file's path, or fd:N for an open descriptor, as in "
				"--result fd:3 3>verdict.json");
		return policy_locate(draft, draft->origin[OPTION_RESULT], err);
	}
	draft->result_fd = (int)fd;
	return 0;
}

/* What the task prints is kept in memory, and standard output is the envelope's. */
static int finalize_json(struct policy *draft, struct error *err)
{
	if (!draft->json || draft->command.kind == COMMAND_NONE)
		return 0;
	if (draft->limits.output_bytes == LIMIT_NONE) {
		error_set(err, "usage", 0, "--output unlimited: not with --json, which keeps the output in memory");
		error_hint(err, "--output SIZE bounds each stream");
		return policy_locate(draft, draft->origin[OPTION_OUTPUT], err);
	}
	if (draft->result_fd == STDOUT_FILENO) {
		error_set(err, "usage", 0, "--result fd:1: not with --json, which has standard output to itself");
		error_hint(err, "the verdict is in what --json prints; --result FILE writes it once more");
		return policy_locate(draft, draft->origin[OPTION_RESULT], err);
	}
	return 0;
}

static int finalize_arguments(struct policy *draft, struct error *err)
{
	if (draft->command.args_file == NULL || draft->command.args.count == 0)
		return 0;
	error_set(err, "usage", 0, "--args-file: not with arguments on the command line");
	return error_hint(err, "put all of them into the file, or behind the task's name");
}

static int finalize_require(struct policy *draft, struct error *err)
{
	for (size_t i = 0; i < draft->require.count; i++) {
		const char *bad = NULL;
		int len = 0;

		if (layer_parse_list(draft->require.item[i], &draft->require_layers, &bad, &len) < 0) {
			error_set(err, "usage", 0, "--require %s: no layer is named '%.*s'",
				  draft->require.item[i], len, bad);
			error_hint(err, "accepted: %s", layer_list());
			return policy_locate(draft, draft->item_origin[OPTION_REQUIRE][i], err);
		}
	}
	return 0;
}

/* What was asked for and can't come about is an error; a profile may prepare it for who asks for retries. */
static int finalize_retry(struct policy *draft, struct error *err)
{
	static const enum option_id needy[] = {OPTION_RETRY_ON, OPTION_RETRY_DELAY};
	const char *bad = NULL;
	int len = 0;

	if (retry_parse_list(draft->retry.on, &draft->retry.causes, &bad, &len) < 0) {
		error_set(err, "usage", 0, "--retry-on %s: '%.*s' is no end that can be tried again", draft->retry.on,
			  len, bad);
		error_hint(err, "accepted: %s", retry_list());
		return policy_locate(draft, draft->origin[OPTION_RETRY_ON], err);
	}
	for (size_t i = 0; i < ARRAY_SIZE(needy) && draft->origin[OPTION_MAX_RETRIES] == ORIGIN_DEFAULT; i++) {
		if (draft->origin[needy[i]] != ORIGIN_COMMAND_LINE)
			continue;
		error_set(err, "usage", 0, "--%s: without --max-retries nothing is tried again",
			  option_table[needy[i]].name);
		return error_hint(err, "--max-retries N says how often, as in --max-retries 2");
	}
	return 0;
}

/* What is kept for the end lies in memory. */
static int finalize_output(struct policy *draft, struct error *err)
{
	enum origin keep = draft->origin[OPTION_OUTPUT_KEEP];
	enum origin bound = draft->origin[OPTION_OUTPUT];
	char buf[32];

	if (draft->output_keep == KEEP_HEAD || draft->limits.output_bytes <= POLICY_KEEP_MAX)
		return 0;
	error_set(err, "usage", 0, "--output-keep %s: --output %s is more than is kept",
		  option_format(draft, OPTION_OUTPUT_KEEP, NULL, 0),
		  option_format(draft, OPTION_OUTPUT, buf, sizeof(buf)));
	error_hint(err, "with it --output is at most %s",
		   text_format_size(POLICY_KEEP_MAX, buf, sizeof(buf)));
	return policy_locate(draft, keep > bound ? keep : bound, err);
}

/* Of two options that exclude each other the later one wins; in one place they are an error. */
static int exclude(struct policy *draft, enum option_id one, enum option_id other, const char *why,
		   struct error *err)
{
	enum origin a = draft->origin[one];
	enum origin b = draft->origin[other];

	if (!policy_is_explicit(draft, one) || !policy_is_explicit(draft, other))
		return 0;
	if (!policy_same_place(a, b))
		return option_apply_default(draft, a > b ? other : one, err);
	error_set(err, "usage", 0, "--%s and --%s exclude each other%s", option_table[one].name,
		  option_table[other].name, why);
	return policy_locate(draft, a > b ? a : b, err);
}

/* --compute is another way to say --cpu-time: put in force is the latter. Both are printed, so both may be said when
 * they say the same. */
static int finalize_compute(struct policy *draft, struct error *err)
{
	struct policy_limits *limits = &draft->limits;
	int r = 0;

	if (limits->compute_ms != limits->cpu_time_ms)
		r = exclude(draft, OPTION_CPU_TIME, OPTION_COMPUTE, ": both are a limit of CPU time", err);
	if (r < 0 || limits->compute_ms == LIMIT_NONE)
		return r;
	limits->cpu_time_ms = limits->compute_ms;
	draft->origin[OPTION_CPU_TIME] = draft->origin[OPTION_COMPUTE];
	return 0;
}

static int finalize_ram(struct policy *draft, struct error *err)
{
	enum origin soft = draft->origin[OPTION_RAM_SOFT];
	enum origin hard = draft->origin[OPTION_RAM];
	char buf[2][32];

	if (draft->limits.ram_soft_bytes == LIMIT_NONE || draft->limits.ram_soft_bytes <= draft->limits.ram_bytes)
		return 0;
	error_set(err, "usage", 0, "--ram-soft %s: more than --ram %s",
		  option_format(draft, OPTION_RAM_SOFT, buf[0], sizeof(buf[0])),
		  option_format(draft, OPTION_RAM, buf[1], sizeof(buf[1])));
	error_hint(err, "what comes before --ram is at most as much: lower the one or raise the other");
	return policy_locate(draft, soft > hard ? soft : hard, err);
}

int policy_finalize(struct policy *draft, char *const environ_in[], struct error *err)
{
	int r = finalize_binds(draft, err);

	if (r == 0)
		r = finalize_env(draft, environ_in, err);
	if (r == 0)
		r = policy_finalize_network(draft, err);
	if (r == 0)
		r = finalize_result(draft, err);
	if (r == 0)
		r = finalize_json(draft, err);
	if (r == 0)
		r = finalize_arguments(draft, err);
	if (r == 0)
		r = finalize_require(draft, err);
	if (r == 0)
		r = finalize_retry(draft, err);
	if (r == 0)
		r = finalize_output(draft, err);
	if (r == 0)
		r = finalize_ram(draft, err);
	if (r == 0)
		r = finalize_compute(draft, err);
	if (r == 0)
		r = exclude(draft, OPTION_QUIET, OPTION_VERBOSE, "", err);
	if (r == 0)
		r = exclude(draft, OPTION_FRESH, OPTION_DIR,
			    ": --fresh is an empty directory in memory", err);
	if (r < 0)
		return r;
	finalize_python(draft);
	if (draft->command.kind == COMMAND_EXEC && draft->files.src.count > 0) {
		error_set(err, "usage", 0, "--src is for Python tasks, not for --exec");
		error_hint(err, "--bind DIR shows a directory to any program");
		return policy_locate(draft, draft->item_origin[OPTION_SRC][0], err);
	}
	if (draft->command.kind == COMMAND_EXEC && draft->files.runtime == RUNTIME_CLOSURE) {
		error_set(err, "usage", 0, "--runtime closure is for Python tasks, not for --exec");
		error_hint(err, "--runtime system shows /usr, and so other programs");
		return policy_locate(draft, draft->origin[OPTION_RUNTIME], err);
	}
	/* Every disk limit bounds one file as well. */
	if (draft->limits.fsize_bytes > draft->limits.disk_bytes) {
		draft->limits.fsize_bytes = draft->limits.disk_bytes;
		draft->origin[OPTION_FSIZE] = draft->origin[OPTION_DISK];
	}
	return 0;
}

bool policy_is_open(const struct policy *policy, enum option_id id)
{
	const struct option_row *row = &option_table[id];

	return row->open && *(const uint64_t *)(const void *)((const char *)policy + row->offset) == LIMIT_NONE;
}

void policy_fini(struct policy *policy)
{
	for (size_t i = 0; i < policy->files.bind_count; i++) {
		free(policy->files.binds[i].host);
		free(policy->files.binds[i].guest);
		free(policy->files.binds[i].within);
	}
	free(policy->files.binds);
	free(policy->files.dir);
	strlist_fini(&policy->files.bind);
	strlist_fini(&policy->files.src);
	strlist_fini(&policy->network.allow);
	strlist_fini(&policy->network.allow_file);
	strlist_fini(&policy->network.bytes);
	strlist_fini(&policy->network.connections);
	strlist_fini(&policy->network.rate);
	free(policy->network.log);
	allow_fini(&policy->network.rules);
	free(policy->command.target);
	free(policy->command.task);
	free(policy->command.args_file);
	free(policy->command.python);
	free(policy->command.venv);
	strlist_fini(&policy->command.args);
	strlist_fini(&policy->command.env);
	strlist_fini(&policy->command.env_set);
	free(policy->result);
	free(policy->retry.on);
	strlist_fini(&policy->require);
	strlist_fini(&policy->profiles);
	strlist_fini(&policy->profile_paths);
	for (unsigned int i = 0; i < OPTION_MAX; i++)
		free(policy->item_origin[i]);
	memset(policy, 0, sizeof(*policy));
}
