#include "python/choose.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "python/shim.h"
#include "python/venv.h"

#define NAME "python"
#define FALLBACK_PATH "/usr/local/bin:/usr/bin:/bin"

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Reads a program that is there, and goes through a shim. -ENOENT, without err, for one of the system's. */
static int take(const char *path, struct choice *ret, struct error *err)
{
	int r = program_read(path, &ret->program);

	if (r == 0 && ret->program.kind == PROGRAM_SCRIPT) {
		r = shim_resolve(path, ret->program.line, ret->path, err);
		if (r < 0)
			return r;
		path = ret->path;
		r = program_read(path, &ret->program);
	} else {
		strcpy(ret->path, path);
	}
	if (r == 0)
		return 0;
	error_set(err, NAME, -r, "%s", path);
	return error_hint(err, "%s", shim_pass_one);
}

/* Says where the way to a program ends that is not there or can't be executed. */
static int refuse_missing(const char *option, const char *given, const char *path, struct error *err)
{
	int errnum = access(path, X_OK) < 0 ? errno : is_dir(path) ? EISDIR : EACCES;
	char end[PATH_MAX];

	if (errnum == ENOENT && path_resolve(path, end, NULL) < 0 && strcmp(end, path) != 0)
		error_set(err, NAME, 0, "%s%s leads to %s, which is not there", option, given, end);
	else
		error_set(err, NAME, errnum, "%s%s", option, given);
	err->exit = errnum == ENOENT ? 127 : 126;
	if (errnum == EISDIR)
		error_hint(err, "a virtual environment's directory is for --venv; %s", shim_pass_one);
	else
		error_hint(err, "%s", shim_pass_one);
	return err->errnum != 0 ? -err->errnum : -EINVAL;
}

static bool is_executable(const char *path)
{
	struct stat st;

	return access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The program of a virtual environment. option is what it was asked by, for messages. */
static int choose_venv(const char *option, const char *venv, struct choice *ret, struct error *err)
{
	static const char *const names[] = {"bin/python3", "bin/python"};
	struct venv_config config;
	char dir[PATH_MAX];
	char path[PATH_MAX];
	int r = path_absolute(venv, dir);

	if (r == 0)
		r = venv_read(dir, &config);
	if (r == -ENOENT && is_dir(dir)) {
		error_set(err, NAME, 0, "%s%s: no virtual environment (no pyvenv.cfg in it)", option, venv);
		return error_hint(err, "make one: python3 -m venv DIR; an interpreter without one, such as conda's, is "
				       "passed with --python %s/bin/python3", venv);
	}
	if (r == -ENOENT && access(dir, F_OK) == 0)
		r = -ENOTDIR;
	if (r < 0) {
		error_set(err, NAME, -r, "%s%s", option, venv);
		err->exit = r == -ENOENT ? 127 : 126;
		error_hint(err, "make one: python3 -m venv DIR, or %s", shim_pass_one);
		return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (path_join(path, dir, names[i]) && is_executable(path))
			return take(path, ret, err);
	if (!path_join(path, dir, names[0]))
		return error_set(err, NAME, ENAMETOOLONG, "%s%s", option, venv);
	r = refuse_missing("", path, path, err);
	error_hint(err, "the Python that it was made from is gone: make the environment anew, or %s", shim_pass_one);
	return r;
}

/* Takes the next entry off a PATH; relative ones, which would mean the current directory, are passed over.
 * False at its end. */
static bool next_dir(const char **search_path, char ret_dir[PATH_MAX])
{
	const char *p = *search_path;

	while (p != NULL) {
		size_t len = strcspn(p, ":");
		const char *dir = p;

		p = p[len] == ':' ? p + len + 1 : NULL;
		if (*dir != '/' || len >= PATH_MAX)
			continue;
		while (len > 1 && dir[len - 1] == '/')
			len--;
		memcpy(ret_dir, dir, len);
		ret_dir[len] = '\0';
		*search_path = p;
		return true;
	}
	return false;
}

static bool is_on_path(const char *search_path, const char *bin)
{
	char dir[PATH_MAX];

	while (next_dir(&search_path, dir))
		if (strcmp(dir, bin) == 0)
			return true;
	return false;
}

/* The programs of VIRTUAL_ENV; false when it is not set, or to nothing that can be one. */
static bool active_bin(const struct interpreter_request *request, char ret_bin[PATH_MAX])
{
	char dir[PATH_MAX];

	return request->active_venv != NULL && *request->active_venv == '/' &&
	       path_absolute(request->active_venv, dir) == 0 && path_join(ret_bin, dir, "bin");
}

/* The first program of that name on PATH. */
static int search(const struct interpreter_request *request, const char *name, struct choice *ret,
		  struct error *err)
{
	const char *p = request->search_path;
	char active[PATH_MAX];
	char dir[PATH_MAX];
	char path[PATH_MAX];
	bool is_active = active_bin(request, active);

	if (p == NULL || *p == '\0')
		p = FALLBACK_PATH;
	while (next_dir(&p, dir)) {
		struct stat st;
		int r;

		if (!path_join(path, dir, name))
			continue;
		if (access(path, X_OK) < 0) {
			/* The shell would go on, and the task would miss its packages. */
			if (is_active && strcmp(dir, active) == 0 && lstat(path, &st) == 0)
				return choose_venv("VIRTUAL_ENV=", request->active_venv, ret, err);
			continue;
		}
		r = take(path, ret, err);
		if (r == -ENOENT || (r == 0 && ret->program.kind == PROGRAM_NONE))
			continue;
		return r;
	}
	error_set(err, NAME, 0, "no %s on PATH", name);
	err->exit = 127;
	return error_hint(err, "install one (Debian: apt-get install python3), or %s", shim_pass_one);
}

static int choose_python(const struct interpreter_request *request, struct choice *ret, struct error *err)
{
	const char *python = request->python;
	char path[PATH_MAX];
	int r;

	if (strchr(python, '/') == NULL)
		return search(request, python, ret, err);
	r = path_absolute(python, path);
	if (r < 0 || access(path, X_OK) < 0)
		return refuse_missing("--python ", python, r < 0 ? python : path, err);
	r = take(path, ret, err);
	if (r == 0 && ret->program.kind == PROGRAM_NONE)
		return refuse_missing("--python ", python, path, err);
	if (r != -ENOENT)
		return r;
	error_set(err, NAME, 0, "--python %s: a shim for the system's interpreter", python);
	return error_hint(err, "%s", shim_pass_one);
}

/* With both, --python must be a program of that environment. */
static int choose_both(const struct interpreter_request *request, struct choice *ret, struct error *err)
{
	char asked[PATH_MAX];
	char other[PATH_MAX];
	char real[PATH_MAX];
	int r = choose_venv("--venv ", request->venv, ret, err);

	if (r < 0)
		return r;
	strcpy(other, ret->path);
	r = choose_python(request, ret, err);
	if (r < 0)
		return r;
	strcpy(asked, ret->path);
	if (path_to_parent(asked) && path_to_parent(other) && path_resolve(asked, real, NULL) == 0 &&
	    path_resolve(other, asked, NULL) == 0 && strcmp(real, asked) == 0)
		return 0;
	error_set(err, NAME, 0, "--python %s is not a program of --venv %s", request->python, request->venv);
	err->exit = 2;
	return error_hint(err, "pass one of the two");
}

int choose_program(const struct interpreter_request *request, struct choice *ret, struct error *err)
{
	char bin[PATH_MAX];
	char config[PATH_MAX];

	ret->by = request->venv != NULL ? "--venv" : request->python != NULL ? "--python" : "PATH";
	if (request->venv != NULL && request->python != NULL)
		return choose_both(request, ret, err);
	if (request->venv != NULL)
		return choose_venv("--venv ", request->venv, ret, err);
	if (request->python != NULL)
		return choose_python(request, ret, err);
	/* Set and not on PATH, as uv and runners of tests leave it. One that is gone is nobody's. */
	if (active_bin(request, bin) && !is_on_path(request->search_path, bin) &&
	    path_join(config, request->active_venv, "pyvenv.cfg") && access(config, F_OK) == 0) {
		ret->by = "VIRTUAL_ENV";
		return choose_venv("VIRTUAL_ENV=", request->active_venv, ret, err);
	}
	return search(request, "python3", ret, err);
}
