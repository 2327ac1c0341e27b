#include "python/shim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"

#define VERSIONS_MAX 1024
#define WORD_GAPS " \t\r\n"

const char shim_pass_one[] = "pass an interpreter: --python /usr/bin/python3";

/* A tool whose shims lie in ROOT/shims. */
struct manager {
	const char *name;
	const char *installs;  /* below ROOT */
	const char *variable;  /* of the environment; wins */
	const char *file;      /* looked for from the working directory up */
	const char *key;       /* first word of the line in it that counts; NULL: all of it does */
	const char *global;    /* below ROOT; NULL: the file of that name in HOME */
	bool takes_newest;     /* "3.11" stands for the newest 3.11.x */
	const char *says;      /* what the shim must hold; NULL: its directories are enough */
};

static const struct manager managers[] = {
    {"pyenv", "versions", "PYENV_VERSION", ".python-version", NULL, "version", true, NULL},
    {"asdf", "installs/python", "ASDF_PYTHON_VERSION", ".tool-versions", "python", NULL, false, "asdf exec"},
};

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Takes the versions out of a file's text: words, without comments; with a key the rest of its line. */
static bool take_versions(const struct manager *manager, char *text, char versions[VERSIONS_MAX])
{
	char *save = NULL;

	versions[0] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		char *words = NULL;
		char *word;

		line[strcspn(line, "#")] = '\0';
		word = strtok_r(line, WORD_GAPS, &words);
		if (word != NULL && manager->key != NULL) {
			if (strcmp(word, manager->key) != 0)
				continue;
			word = strtok_r(NULL, WORD_GAPS, &words);
		}
		for (; word != NULL; word = strtok_r(NULL, WORD_GAPS, &words)) {
			size_t len = strlen(versions);
			int n = snprintf(versions + len, VERSIONS_MAX - len, "%s ", word);

			if (n < 0 || (size_t)n >= VERSIONS_MAX - len)
				return false;
		}
		if (manager->key != NULL && versions[0] != '\0')
			return true;
	}
	return versions[0] != '\0';
}

static bool read_versions(const struct manager *manager, const char *path, char versions[VERSIONS_MAX])
{
	char text[4096];

	return fd_read_file_at(AT_FDCWD, path, text, sizeof(text)) >= 0 &&
	       take_versions(manager, text, versions);
}

/* Which versions the tool would choose, in its own order; the first that has the program serves. */
static bool find_versions(const struct manager *manager, const char *root, char versions[VERSIONS_MAX])
{
	const char *named = getenv(manager->variable);
	const char *home = getenv("HOME");
	char dir[PATH_MAX];
	char path[PATH_MAX];

	if (named != NULL && *named != '\0') {
		(void)snprintf(versions, VERSIONS_MAX, "%s", named);
		for (char *p = versions; (p = strchr(p, ':')) != NULL;)
			*p = ' ';
		return true;
	}
	if (getcwd(dir, sizeof(dir)) != NULL) {
		do {
			if (path_join(path, dir, manager->file) && read_versions(manager, path, versions))
				return true;
		} while (path_to_parent(dir));
	}
	if (manager->global != NULL)
		return path_join(path, root, manager->global) && read_versions(manager, path, versions);
	return home != NULL && path_join(path, home, manager->file) && read_versions(manager, path, versions);
}

/* The name of an installation, or "3.11.7/envs/NAME": nothing that leads out of the directory. */
static bool is_version(const char *text)
{
	if (*text == '/' || *text == '\0')
		return false;
	for (const char *p = text; p != NULL; p = strchr(p, '/'), p = p != NULL ? p + 1 : NULL) {
		size_t len = strcspn(p, "/");

		if (len == 0 || (len <= 2 && strspn(p, ".") >= len))
			return false;
	}
	return true;
}

/* The newest VERSION.N in a directory. */
static bool find_newest(const char *installs, const char *version, char ret_dir[PATH_MAX])
{
	size_t len = strlen(version);
	DIR *list = opendir(installs);
	char best[256] = "";
	struct dirent *entry;

	while (list != NULL && (entry = readdir(list)) != NULL) {
		const char *name = entry->d_name;

		if (strncmp(name, version, len) == 0 && name[len] == '.' &&
		    strspn(name, "0123456789.") == strlen(name) && strverscmp(name, best) > 0)
			(void)snprintf(best, sizeof(best), "%s", name);
	}
	if (list != NULL)
		closedir(list);
	return *best != '\0' && path_join(ret_dir, installs, best);
}

static int refuse_script(const char *script, const char *line, struct error *err)
{
	error_set(err, "python", 0, "%s is a script (%s), not an interpreter", script, line);
	return error_hint(err, "pass the interpreter that it starts (its sys.executable) with --python PATH");
}

/* Looks the program up in each version that is chosen. */
static int resolve(const struct manager *manager, const char *root, const char *script, char *ret_path,
		   struct error *err)
{
	const char *program = path_base(script);
	char installs[PATH_MAX];
	char versions[VERSIONS_MAX];
	char *save = NULL;
	bool is_there = false;
	char first[128] = "";

	if (!path_join(installs, root, manager->installs))
		return error_set(err, "python", ENAMETOOLONG, "%s", script);
	if (!find_versions(manager, root, versions))
		return -ENOENT;
	for (char *version = strtok_r(versions, WORD_GAPS, &save); version != NULL;
	     version = strtok_r(NULL, WORD_GAPS, &save)) {
		char dir[PATH_MAX];
		char bin[PATH_MAX];

		if (strcmp(version, "system") == 0)
			return -ENOENT;
		if (first[0] == '\0')
			(void)snprintf(first, sizeof(first), "%s", version);
		if (!is_version(version) || !path_join(dir, installs, version) ||
		    (!is_dir(dir) && !(manager->takes_newest && find_newest(installs, version, dir))))
			continue;
		is_there = true;
		if (path_join(bin, dir, "bin") && path_join(ret_path, bin, program) && access(ret_path, X_OK) == 0)
			return 0;
	}
	if (is_there)
		error_set(err, "python", 0, "%s stands for %s's version '%s', which has no %s", script, manager->name,
			  first, program);
	else
		error_set(err, "python", 0, "%s stands for %s's version '%s', which is not installed", script,
			  manager->name, first);
	return error_hint(err, "choose an installed one (%s, a %s file), or pass an interpreter with --python",
			  manager->variable, manager->file);
}

int shim_resolve(const char *script, const char *line, char ret_path[PATH_MAX], struct error *err)
{
	char root[PATH_MAX];
	char path[PATH_MAX];
	char text[4096] = "";

	(void)snprintf(root, sizeof(root), "%s", script);
	if (!path_to_parent(root) || strcmp(path_base(root), "shims") != 0 || !path_to_parent(root))
		return refuse_script(script, line, err);
	for (size_t i = 0; i < ARRAY_SIZE(managers); i++) {
		const struct manager *manager = &managers[i];

		if (!path_join(path, root, manager->installs) || !is_dir(path))
			continue;
		if (manager->says != NULL && (fd_read_file_at(AT_FDCWD, script, text, sizeof(text)) < 0 ||
					      strstr(text, manager->says) == NULL))
			continue;
		return resolve(manager, root, script, ret_path, err);
	}
	return refuse_script(script, line, err);
}
