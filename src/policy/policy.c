#include "policy/policy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "policy/layer.h"
#include "policy/option.h"

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
	static const char *const reserved[] = {"/proc", "/dev", "/sys", "/task", POLICY_DEFAULT_DIR};
	static const char *const whole[] = {"",	    "/etc", "/usr", "/bin", "/sbin",
					    "/lib", "/tmp", "/lib64"};
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
	struct policy_bind bind = {NULL, NULL, false};

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
			return r;
		files->bind_count++;
	}
	return 0;
}

static int finalize_env(struct policy *draft, char *const environ_in[], struct error *err)
{
	struct policy_command *command = &draft->command;

	for (size_t i = 0; i < command->env.count; i++) {
		const char *text = command->env.item[i];
		size_t len = strcspn(text, "=");
		const char *entry = text[len] == '=' ? text : NULL;

		if (!text_is_env_name(text, len)) {
			error_set(err, "usage", 0, "--env %s: not a variable's name", text);
			return error_hint(err, "accepted: NAME (its value here is passed on) or NAME=VALUE");
		}
		for (char *const *e = environ_in; entry == NULL && *e != NULL; e++)
			if (strncmp(*e, text, len) == 0 && (*e)[len] == '=')
				entry = *e;
		if (entry == NULL) {
			error_set(err, "usage", 0, "--env %s: no such variable here", text);
			return error_hint(err, "set it, or give a value: --env %s=VALUE", text);
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
		return error_hint(err, "accepted: a file's path, or fd:N for an open descriptor, as in "
				       "--result fd:3 3>verdict.json");
	}
	draft->result_fd = (int)fd;
	return 0;
}

static int finalize_require(struct policy *draft, struct error *err)
{
	for (size_t i = 0; i < draft->require.count; i++) {
		const char *bad = NULL;
		int len = 0;

		if (layer_parse_list(draft->require.item[i], &draft->require_layers, &bad, &len) < 0) {
			error_set(err, "usage", 0, "--require %s: no layer is named '%.*s'",
				  draft->require.item[i], len, bad);
			return error_hint(err, "accepted: %s", layer_list());
		}
	}
	return 0;
}

int policy_finalize(struct policy *draft, char *const environ_in[], struct error *err)
{
	int r = finalize_binds(draft, err);

	if (r == 0)
		r = finalize_env(draft, environ_in, err);
	if (r == 0)
		r = finalize_result(draft, err);
	if (r == 0)
		r = finalize_require(draft, err);
	if (r < 0)
		return r;
	finalize_python(draft);
	if (draft->quiet && draft->verbose)
		return error_set(err, "usage", 0, "--quiet and --verbose exclude each other");
	if (draft->files.fresh && draft->origin[OPTION_DIR] != ORIGIN_DEFAULT)
		return error_set(err, "usage", 0, "--fresh and --dir exclude each other: --fresh is an "
						  "empty directory in memory");
	if (draft->command.kind == COMMAND_EXEC && draft->files.src.count > 0) {
		error_set(err, "usage", 0, "--src is for Python tasks, not for --exec");
		return error_hint(err, "--bind DIR shows a directory to any program");
	}
	if (draft->command.kind == COMMAND_EXEC && draft->files.runtime == RUNTIME_CLOSURE) {
		error_set(err, "usage", 0, "--runtime closure is for Python tasks, not for --exec");
		return error_hint(err, "--runtime system shows /usr, and so other programs");
	}
	/* Every disk limit bounds one file as well. */
	if (draft->limits.fsize_bytes > draft->limits.disk_bytes)
		draft->limits.fsize_bytes = draft->limits.disk_bytes;
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
	}
	free(policy->files.binds);
	free(policy->files.dir);
	strlist_fini(&policy->files.bind);
	strlist_fini(&policy->files.src);
	free(policy->command.target);
	free(policy->command.python);
	free(policy->command.venv);
	strlist_fini(&policy->command.args);
	strlist_fini(&policy->command.env);
	strlist_fini(&policy->command.env_set);
	free(policy->result);
	strlist_fini(&policy->require);
	memset(policy, 0, sizeof(*policy));
}
