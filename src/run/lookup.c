#include "run/lookup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/path.h"
#include "base/sys.h"

#define SCRIPT_GUEST "/task"

enum base { BASE_CWD, BASE_SCRIPT, BASE_MAX };

/* A directory that the caller pointed at. */
static bool find_base(const struct policy *policy, enum base which, char path[PATH_MAX])
{
	const struct policy_command *command = &policy->command;
	AUTO_FREE char *dir = NULL;
	const char *slash;

	if (which == BASE_CWD)
		return getcwd(path, PATH_MAX) != NULL && *path == '/';
	if (command->kind != COMMAND_SCRIPT)
		return false;
	slash = strrchr(command->target, '/');
	dir = slash == NULL ? strdup(".")
			    : strndup(command->target, (size_t)(slash - command->target) + 1);
	return dir != NULL && realpath(dir, path) != NULL;
}

/* Joins and takes ".", ".." and doubled slashes out, without a look at the file system. */
static bool normalize(const char *dir, const char *path, size_t len, char ret[PATH_MAX])
{
	size_t used = *path == '/' ? 0 : strlen(dir);

	if (used >= PATH_MAX)
		return false;
	memcpy(ret, dir, used);
	for (size_t at = 0; at < len;) {
		const char *part = path + at;
		const char *slash = memchr(part, '/', len - at);
		size_t n = slash == NULL ? len - at : (size_t)(slash - part);

		at += n + 1;
		if (n == 0 || (n == 1 && part[0] == '.'))
			continue;
		if (n == 2 && part[0] == '.' && part[1] == '.') {
			while (used > 0 && ret[--used] != '/')
				;
			continue;
		}
		if (used + n + 2 > PATH_MAX)
			return false;
		if (used != 1 || ret[0] != '/')
			ret[used++] = '/';
		memcpy(ret + used, part, n);
		used += n;
	}
	if (used == 0)
		ret[used++] = '/';
	ret[used] = '\0';
	return true;
}

/* Can be pasted into a shell, and into --bind, as it stands. */
static bool is_plain(const char *path)
{
	return *path == '/' && strlen(path) < LOOKUP_NAME_MAX &&
	       path[strspn(
		   path,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+,@%=-")] ==
		   '\0';
}

/* Hidden files, the system's own places, and what is called like a secret: rest, behind a slash, is
 * the part of the path that the task chose. */
static bool is_private(const char *path, const char *rest)
{
	static const char *const words[] = {"secret",  "credential", "passw", "shadow", "token",
					    "private", "key",	     "cert",  "cookie", "wallet",
					    "history", "/id_",	     ".pem",  ".p12",	".pfx",
					    ".kdbx",   ".gpg",	     ".jks"};
	static const char *const places[] = {"/etc", "/proc", "/sys",	 "/dev",
					     "/run", "/boot", "/var/run"};

	if (strstr(path, "/.") != NULL)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasestr(rest - 1, words[i]) != NULL)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (path_is_below(path, places[i]))
			return true;
	return false;
}

static bool is_shown(const struct plan *plan, const char *path)
{
	static const char *const system[] = {"/usr",   "/bin",	"/sbin", "/lib",
					     "/lib64", "/proc", "/dev"};

	for (size_t i = 0; i < ARRAY_SIZE(system); i++)
		if (path_is_below(path, system[i]))
			return true;
	for (size_t i = 0; i < plan->tree_count; i++)
		if (path_is_below(path, plan->trees[i].guest))
			return true;
	return false;
}

/* Whether a file or directory is there: its place is opened, nothing else, and no link followed.
 * Below a base no mount is crossed either: an automounter, or a server that is gone. */
static bool is_there(const char *base, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
			       .resolve =
				   RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	AUTO_CLOSE int base_fd = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (strcmp(base, "/") != 0)
		how.resolve |= RESOLVE_NO_XDEV;
	if (base_fd >= 0)
		fd = sys_openat2(base_fd, path, &how);
	return fd >= 0 && fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

/* The caller gave this very text to the task: ARG or --option=ARG. */
static bool is_argument(const struct policy *policy, const char *path, size_t len)
{
	for (size_t i = 0; i < policy->command.args.count; i++) {
		const char *arg = policy->command.args.item[i];
		const char *value = strchr(arg, '=');

		if ((strlen(arg) == len && memcmp(arg, path, len) == 0) ||
		    (value != NULL && strlen(value + 1) == len &&
		     memcmp(value + 1, path, len) == 0))
			return true;
	}
	return false;
}

/* One place on the host where it may be meant to lie. */
static enum lookup look_at(const struct plan *plan, const char *base, const char *path,
			   bool is_allowed)
{
	const char *rest = path + strlen(base) + (strcmp(base, "/") == 0 ? 0 : 1);

	if (!is_allowed || is_private(path, rest) || !is_plain(path) || path_is_wide(path))
		return LOOKUP_UNKNOWN;
	/* Where tasks write, one may have planted what is there. */
	if (plan_is_writable(plan, path) || is_shown(plan, path) || !is_there(base, rest))
		return LOOKUP_ABSENT;
	return LOOKUP_FOUND;
}

/* A part of a path of the task's that only means something beside the caller's own files: what
 * follows the sandbox directory or the script's. */
static const char *relative_part(const char *path, size_t len, size_t *ret_len,
				 enum base *ret_first)
{
	static const struct {
		const char *dir;
		enum base first;
	} table[] = {{POLICY_DEFAULT_DIR "/", BASE_CWD}, {SCRIPT_GUEST "/", BASE_SCRIPT}};

	*ret_first = BASE_CWD;
	*ret_len = len;
	if (*path != '/')
		return path;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		size_t n = strlen(table[i].dir);

		if (len > n && memcmp(path, table[i].dir, n) == 0) {
			*ret_first = table[i].first;
			*ret_len = len - n;
			return path + n;
		}
	}
	return NULL;
}

enum lookup lookup_file(const struct policy *policy, const struct plan *plan, const char *path,
			size_t len, char name[LOOKUP_NAME_MAX])
{
	size_t part_len;
	enum base first;
	const char *part = relative_part(path, len, &part_len, &first);
	bool is_given = is_argument(policy, path, len);
	enum lookup answer = LOOKUP_ABSENT;
	bool has_base = false;
	char base[PATH_MAX];
	char full[PATH_MAX];

	for (unsigned int i = first; i < BASE_MAX; i++) {
		bool is_below;

		if (!find_base(policy, i, base) || !normalize(base, part != NULL ? part : path,
							      part != NULL ? part_len : len, full))
			continue;
		has_base = true;
		is_below =
		    !path_is_wide(base) && path_is_below(full, base) && strcmp(full, base) != 0;
		/* Missing in a place that is shown: the host has nothing to add. */
		if (part == NULL && is_shown(plan, full))
			return LOOKUP_ABSENT;
		switch (look_at(plan, is_below ? base : "/", full, is_below || is_given)) {
		case LOOKUP_FOUND:
			(void)snprintf(name, LOOKUP_NAME_MAX, "%s", full);
			return LOOKUP_FOUND;
		case LOOKUP_UNKNOWN:
			answer = LOOKUP_UNKNOWN;
			break;
		case LOOKUP_ABSENT:
			break;
		}
	}
	return has_base ? answer : LOOKUP_UNKNOWN;
}

/* NAME.py, or a package of that name, in dir/inner; none that a task may have planted. */
static bool has_module(const struct plan *plan, const char *dir, const char *inner,
		       const char *module, size_t len)
{
	static const char *const ends[] = {".py", "/__init__.py"};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		char path[PATH_MAX];
		int n = snprintf(path, sizeof(path), "%s/%s%.*s%s", dir, inner, (int)len, module,
				 ends[i]);

		if (n > 0 && (size_t)n < sizeof(path) && !plan_is_writable(plan, path) &&
		    is_there(dir, path + strlen(dir) + 1))
			return true;
	}
	return false;
}

static bool is_source(const struct policy *policy, const char *dir)
{
	for (size_t i = 0; i < policy->files.src.count; i++) {
		AUTO_FREE char *real = realpath(policy->files.src.item[i], NULL);

		if (real != NULL && path_is_below(dir, real))
			return true;
	}
	return false;
}

static bool in_venv(const struct plan *plan, const char *base, const char *module, size_t len,
		    char dir[LOOKUP_NAME_MAX])
{
	static const char *const names[] = {".venv", "venv"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		/* The one of this Python's version before others. */
		for (unsigned int minor = 7; minor < 32; minor++) {
			char inner[64];
			int n;

			(void)snprintf(inner, sizeof(inner), "%s/lib/python3.%u/site-packages/",
				       names[i], minor == 7 ? plan->python_minor : minor);
			if (!has_module(plan, base, inner, module, len))
				continue;
			n = snprintf(dir, LOOKUP_NAME_MAX, "%s/%s", base, names[i]);
			return n > 0 && n < LOOKUP_NAME_MAX && is_plain(dir) &&
			       (plan->exe == NULL || !path_is_below(plan->exe, dir));
		}
	}
	return false;
}

static bool in_user_site(const struct plan *plan, const char *module, size_t len)
{
	const char *home = getenv("HOME");
	char inner[64];

	(void)snprintf(inner, sizeof(inner), ".local/lib/python3.%u/site-packages/",
		       plan->python_minor);
	return home != NULL && *home == '/' && has_module(plan, home, inner, module, len);
}

enum lookup_module lookup_module(const struct policy *policy, const struct plan *plan,
				 const char *module, size_t len, char dir[LOOKUP_NAME_MAX])
{
	bool is_script = policy->command.kind == COMMAND_SCRIPT;
	char base[PATH_MAX];

	for (unsigned int i = 0; i < BASE_MAX; i++) {
		/* Where the task looks for modules first, when they are shown. */
		bool is_first = (i == BASE_SCRIPT) == is_script;

		if (!find_base(policy, i, base))
			continue;
		if (is_first && !is_source(policy, base) &&
		    has_module(plan, base, "", module, len)) {
			if (path_is_wide(base))
				return LOOKUP_MODULE_CROWDED;
			(void)snprintf(dir, LOOKUP_NAME_MAX, "%s", is_plain(base) ? base : "DIR");
			return LOOKUP_MODULE_BESIDE;
		}
		if (in_venv(plan, base, module, len, dir))
			return LOOKUP_MODULE_VENV;
	}
	return in_user_site(plan, module, len) ? LOOKUP_MODULE_USER_SITE : LOOKUP_MODULE_ABSENT;
}
