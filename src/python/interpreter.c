#include "python/interpreter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"

#define NAME "python"
#define MINOR_MIN 8U
#define FALLBACK_PATH "/usr/local/bin:/usr/bin:/bin"

static const char pass_one[] = "pass an interpreter: --python /usr/bin/python3";

enum file_kind { FILE_OTHER, FILE_ELF, FILE_SCRIPT };

static enum file_kind file_kind(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char head[4] = "";

	if (fd < 0 || fd_read_all(fd, head, sizeof(head)) != (ssize_t)sizeof(head))
		return FILE_OTHER;
	if (memcmp(head, "\177ELF", 4) == 0)
		return FILE_ELF;
	return memcmp(head, "#!", 2) == 0 ? FILE_SCRIPT : FILE_OTHER;
}

static bool is_executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Joins two parts; false when the result does not fit. */
static bool join(char *buf, const char *dir, const char *name)
{
	int n = snprintf(buf, PATH_MAX, "%s/%s", dir, name);

	return n > 0 && n < PATH_MAX;
}

/* Cuts the last component off; false when there is none left. */
static bool to_parent(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return false;
	*slash = '\0';
	return true;
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The first word of a version file of pyenv's. */
static bool read_version(const char *path, char *version, size_t size)
{
	char text[256];
	size_t len;

	if (fd_read_file_at(AT_FDCWD, path, text, sizeof(text)) < 0)
		return false;
	len = strcspn(text, " \t\r\n:");
	if (len == 0 || len >= size)
		return false;
	memcpy(version, text, len);
	version[len] = '\0';
	return true;
}

/* Which version pyenv would choose, in its own order. */
static bool pyenv_version(const char *root, char *version, size_t size)
{
	const char *named = getenv("PYENV_VERSION");
	char dir[PATH_MAX];
	char path[PATH_MAX];

	if (named != NULL && *named != '\0') {
		(void)snprintf(version, size, "%.*s", (int)strcspn(named, ":"), named);
		return true;
	}
	if (getcwd(dir, sizeof(dir)) != NULL) {
		do {
			if (join(path, dir, ".python-version") && read_version(path, version, size))
				return true;
		} while (to_parent(dir));
	}
	return join(path, root, "version") && read_version(path, version, size);
}

/* The interpreter of an installed version; "3.11" stands for the latest 3.11.x, as for pyenv. */
static bool find_version(const char *versions, const char *version, char *ret_path)
{
	size_t len = strlen(version);
	char best[256] = "";
	struct dirent *entry;
	char dir[PATH_MAX];
	DIR *list;

	if (join(dir, versions, version) && join(ret_path, dir, "bin/python3") && is_executable(ret_path))
		return true;
	list = opendir(versions);
	while (list != NULL && (entry = readdir(list)) != NULL)
		if (strncmp(entry->d_name, version, len) == 0 && entry->d_name[len] == '.' &&
		    strverscmp(entry->d_name, best) > 0)
			(void)snprintf(best, sizeof(best), "%s", entry->d_name);
	if (list != NULL)
		closedir(list);
	return *best != '\0' && join(dir, versions, best) && join(ret_path, dir, "bin/python3") &&
	       is_executable(ret_path);
}

/*
 * A pyenv shim is a script ROOT/shims/python3. Writes the interpreter it stands for. 0, -ENOENT when it
 * stands for the system's (go on searching), -EINVAL when it is no such shim.
 */
static int resolve_shim(const char *shim, char *ret_path, struct error *err)
{
	char root[PATH_MAX];
	char path[PATH_MAX];
	char version[128];

	(void)snprintf(root, sizeof(root), "%s", shim);
	if (!to_parent(root) || strcmp(strrchr(root, '/') != NULL ? strrchr(root, '/') : "", "/shims") != 0 ||
	    !to_parent(root) || !join(path, root, "versions") || !is_dir(path)) {
		error_set(err, NAME, 0, "%s is a script, not an interpreter", shim);
		return error_hint(err, "%s", pass_one);
	}
	if (!pyenv_version(root, version, sizeof(version)) || strcmp(version, "system") == 0)
		return -ENOENT;
	if (strchr(version, '/') != NULL || !find_version(path, version, ret_path)) {
		error_set(err, NAME, 0, "%s stands for pyenv's version '%s', which is not installed", shim,
			  version);
		return error_hint(err, "%s", pass_one);
	}
	return 0;
}

static int search(const char *search_path, char *ret_path, struct error *err)
{
	const char *p = search_path != NULL && *search_path != '\0' ? search_path : FALLBACK_PATH;

	for (;;) {
		size_t len = strcspn(p, ":");
		char dir[PATH_MAX];
		char candidate[PATH_MAX];

		/* A relative entry would mean: whatever lies in the current directory. */
		if (*p == '/' && len < sizeof(dir)) {
			memcpy(dir, p, len);
			dir[len] = '\0';
			if (join(candidate, dir, "python3") && is_executable(candidate)) {
				int r = 0;

				if (file_kind(candidate) == FILE_SCRIPT)
					r = resolve_shim(candidate, ret_path, err);
				else
					memcpy(ret_path, candidate, sizeof(candidate));
				if (r != -ENOENT)
					return r;
			}
		}
		if (p[len] == '\0')
			break;
		p += len + 1;
	}
	error_set(err, NAME, 0, "no python3 on PATH");
	err->exit = 127;
	return error_hint(err, "install one (Debian: apt-get install python3), or %s", pass_one);
}

/* The minor version: by the binary's own name, else by the one lib/python3.N of its prefix. */
static bool find_minor(const char *real, const char *prefix, unsigned int *ret)
{
	const char *base = strrchr(real, '/') + 1;
	char path[PATH_MAX];
	struct dirent *entry;
	unsigned int found = 0;
	int n = 0;
	DIR *dir;

	if (sscanf(base, "python3.%u%n", ret, &n) == 1)
		return true;
	dir = join(path, prefix, "lib") ? opendir(path) : NULL;
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (sscanf(entry->d_name, "python3.%u%n", ret, &n) == 1 && entry->d_name[n] == '\0')
			found++;
	if (dir != NULL)
		closedir(dir);
	return found == 1;
}

static bool is_system(const char *path)
{
	return strcmp(path, "/usr") == 0 || strncmp(path, "/usr/", 5) == 0 || strcmp(path, "/") == 0 ||
	       *path == '\0';
}

/* A directory that holds far more than an interpreter: showing it would show the user's files. */
static bool is_too_wide(const char *path)
{
	static const char *const wide[] = {"/home", "/root", "/opt", "/etc", "/var",
					   "/tmp",  "/srv",  "/mnt", "/run"};
	const char *home = getenv("HOME");

	for (size_t i = 0; i < ARRAY_SIZE(wide); i++)
		if (strcmp(path, wide[i]) == 0)
			return true;
	return (home != NULL && *home == '/' && path_is_below(home, path)) ||
	       (strncmp(path, "/home/", 6) == 0 && strchr(path + 6, '/') == NULL);
}

static int add_root(struct interpreter *ret, const char *path, struct error *err)
{
	if (is_system(path))
		return 0;
	if (is_too_wide(path)) {
		error_set(err, NAME, 0, "%s: its prefix %s holds more than an interpreter", ret->exe, path);
		return error_hint(err, "install it in a directory of its own, or %s", pass_one);
	}
	return strlist_add(&ret->roots, path) < 0 ? error_set(err, NAME, ENOMEM, "%s", path) : 0;
}

/* "home = DIR" of pyvenv.cfg: the directory of the interpreter that a virtual environment was made by. */
static bool read_venv_home(const char *config, char *ret_home)
{
	char text[4096];
	char *save = NULL;

	if (fd_read_file_at(AT_FDCWD, config, text, sizeof(text)) < 0)
		return false;
	for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, '=');

		if (value == NULL || strncmp(line, "home", 4) != 0 ||
		    strspn(line + 4, " \t") != (size_t)(value - line - 4))
			continue;
		value += 1 + strspn(value + 1, " \t");
		value[strcspn(value, "\r\n")] = '\0';
		return realpath(value, ret_home) != NULL;
	}
	return false;
}

static bool has_stdlib(const char *prefix, unsigned int minor)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/lib/python3.%u/os.py", prefix, minor);

	if (n > 0 && n < PATH_MAX && is_file(path))
		return true;
	n = snprintf(path, sizeof(path), "%s/lib64/python3.%u/os.py", prefix, minor);
	return n > 0 && n < PATH_MAX && is_file(path);
}

/*
 * What a virtual environment needs: itself, and the prefix that it was made from. The file that names the
 * latter may have been planted: only a directory that holds this very Python is shown for its sake.
 */
static int add_venv(struct interpreter *ret, const char *venv, const char *config, const char *prefix,
		    struct error *err)
{
	char home[PATH_MAX];
	int r = add_root(ret, venv, err);

	if (r < 0 || !read_venv_home(config, home) || !to_parent(home) || strcmp(home, prefix) == 0 ||
	    is_system(home))
		return r;
	if (has_stdlib(home, ret->minor))
		return add_root(ret, home, err);
	error_set(err, NAME, 0, "%s: its home %s holds no Python 3.%u", config, home, ret->minor);
	return error_hint(err, "make the environment anew, or %s", pass_one);
}

/* Fills exe, roots and minor from an existing interpreter's path. */
static int describe(const char *path, struct interpreter *ret, struct error *err)
{
	char real[PATH_MAX];
	char prefix[PATH_MAX];
	char venv[PATH_MAX];
	char config[PATH_MAX];
	bool is_venv;
	int r = 0;

	if (realpath(path, real) == NULL)
		return error_set(err, NAME, errno, "%s", path);
	if (file_kind(real) != FILE_ELF) {
		error_set(err, NAME, 0, "%s is not a program", path);
		return error_hint(err, "%s", pass_one);
	}
	memcpy(prefix, real, sizeof(prefix));
	if (!to_parent(prefix) || !to_parent(prefix))
		prefix[0] = '\0';
	memcpy(ret->exe, real, sizeof(real));
	(void)snprintf(venv, sizeof(venv), "%s", path);
	is_venv = to_parent(venv) && to_parent(venv) && join(config, venv, "pyvenv.cfg") && is_file(config);
	if (!find_minor(real, prefix, &ret->minor) ||
	    (!is_venv && !is_system(prefix) && !has_stdlib(prefix, ret->minor))) {
		error_set(err, NAME, 0, "%s: no Python 3 (no python3.N with its library below %s/lib)", path,
			  prefix);
		return error_hint(err, "%s", pass_one);
	}
	if (ret->minor < MINOR_MIN) {
		error_set(err, NAME, 0, "%s is Python 3.%u; 3.%u or newer is needed", path, ret->minor,
			  MINOR_MIN);
		return error_hint(err, "%s", pass_one);
	}
	if (is_venv) {
		/* The environment is found by the path that was called, not by where it leads. */
		(void)snprintf(ret->exe, sizeof(ret->exe), "%s", path);
		r = add_venv(ret, venv, config, prefix, err);
		/* Made by copying, its program is its own; else it leads to the prefix's. */
		if (r < 0 || strcmp(prefix, venv) == 0)
			return r;
		if (!is_system(prefix) && !has_stdlib(prefix, ret->minor)) {
			error_set(err, NAME, 0, "%s leads to %s, which is no Python's", path, real);
			return error_hint(err, "%s", pass_one);
		}
	}
	return add_root(ret, prefix, err);
}

int interpreter_find(const char *path, const char *search_path, struct interpreter *ret, struct error *err)
{
	char found[PATH_MAX];
	char absolute[PATH_MAX];
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	if (path == NULL) {
		r = search(search_path, found, err);
		return r < 0 ? r : describe(found, ret, err);
	}
	if (strchr(path, '/') == NULL) {
		error_set(err, NAME, 0, "--python %s: not a path", path);
		return error_hint(err, "%s", pass_one);
	}
	if (*path == '/') {
		(void)snprintf(absolute, sizeof(absolute), "%s", path);
	} else {
		char cwd[PATH_MAX];

		if (getcwd(cwd, sizeof(cwd)) == NULL || !join(absolute, cwd, path))
			return error_set(err, NAME, errno, "--python %s", path);
	}
	if (!is_executable(absolute)) {
		int errnum = access(absolute, X_OK) < 0 ? errno : is_dir(absolute) ? EISDIR : EACCES;

		error_set(err, NAME, errnum, "--python %s", path);
		err->exit = errnum == ENOENT ? 127 : 126;
		return error_hint(err, "%s", pass_one);
	}
	if (file_kind(absolute) == FILE_SCRIPT) {
		r = resolve_shim(absolute, found, err);
		if (r == -ENOENT) {
			error_set(err, NAME, 0, "--python %s: a shim for the system's interpreter", path);
			return error_hint(err, "%s", pass_one);
		}
		return r < 0 ? r : describe(found, ret, err);
	}
	return describe(absolute, ret, err);
}

void interpreter_fini(struct interpreter *interpreter)
{
	strlist_fini(&interpreter->roots);
}
