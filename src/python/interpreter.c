/*
 * A chosen program's layout is read the way CPython's getpath.py will read it when it starts inside: a
 * pyvenv.cfg one directory up makes it a virtual environment, whose `home` leads to the base; the standard
 * library is lib/python3.N beside bin.
 */
#include "python/interpreter.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "python/choose.h"
#include "python/prefix.h"
#include "python/shim.h"
#include "python/venv.h"

#define NAME "python"
#define MINOR_MIN 8U
#define VENV_DEPTH 8

static bool is_file_in(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return path_join(path, dir, name) && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int out_of_memory(struct error *err)
{
	return error_set(err, NAME, ENOMEM, "find the interpreter");
}

/* "python3.11" and its like: the minor version, and the library's name, which only free threading changes. */
static bool parse_name(const char *name, unsigned int *ret_minor, char ret_library[32])
{
	unsigned int minor;
	size_t letters;
	int n = 0;

	if (sscanf(name, "python3.%3u%n", &minor, &n) != 1)
		return false;
	name += n;
	letters = strspn(name, "tdm");
	if (name[letters] != '\0' && strchr("-.", name[letters]) == NULL)
		return false;
	*ret_minor = minor;
	(void)snprintf(ret_library, 32, "python3.%u%s", minor, memchr(name, 't', letters) != NULL ? "t" : "");
	return true;
}

/* By the one lib/python3.N of a prefix. An environment's has packages only, another one's the library. */
static bool find_library(const char *prefix, bool is_venv, struct interpreter *ret)
{
	static const char *const names[] = {"lib", "lib64"};
	unsigned int found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names) && found == 0; i++) {
		char path[PATH_MAX];
		DIR *dir = path_join(path, prefix, names[i]) ? opendir(path) : NULL;
		struct dirent *entry;

		while (dir != NULL && (entry = readdir(dir)) != NULL) {
			char library[32];
			char ignored[PATH_MAX];
			unsigned int minor;

			if (!parse_name(entry->d_name, &minor, library) || strcmp(library, entry->d_name) != 0 ||
			    (!is_venv && !prefix_find_stdlib(prefix, library, ignored)))
				continue;
			found++;
			ret->minor = minor;
			strcpy(ret->library, library);
		}
		if (dir != NULL)
			closedir(dir);
	}
	return found == 1;
}

/* What a program may be that is no CPython 3. */
static const struct {
	const char *name; /* its real name begins so */
	const char *is;
	const char *hint;
} others[] = {
    {"python2", "is Python 2; Python 3.8 or newer is needed", NULL},
    {"pypy", "is PyPy; capsule-run knows the layout of CPython only", NULL},
    {"graalpy", "is GraalPy; capsule-run knows the layout of CPython only", NULL},
    {"mise", "is a shim of mise, whose settings are not read",
     "pass the interpreter that it stands for: --python \"$(mise which python3)\""},
    {"rtx", "is a shim of rtx, whose settings are not read",
     "pass the interpreter that it stands for: --python \"$(rtx which python3)\""},
    {"uv", "is uv, not an interpreter", "pass the interpreter: --python \"$(uv python find)\""},
    {"snap", "is a snap's launcher, not an interpreter", NULL},
};

static int refuse_layout(const char *path, const char *real, const char *prefix, struct error *err)
{
	const char *name = path_base(real);
	char dir[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (strncmp(name, others[i].name, strlen(others[i].name)) != 0)
			continue;
		error_set(err, NAME, 0, "%s %s", path, others[i].is);
		return error_hint(err, "%s", others[i].hint != NULL ? others[i].hint : shim_pass_one);
	}
	(void)snprintf(dir, sizeof(dir), "%s", real);
	if (path_to_parent(dir) && is_file_in(dir, "pybuilddir.txt")) {
		error_set(err, NAME, 0, "%s lies where Python was built and is not installed", path);
		return error_hint(err, "install it (./configure --prefix=DIR, make install) and pass --python "
				       "DIR/bin/python3");
	}
	error_set(err, NAME, 0, "%s: no Python 3 (no python3.N with its library below %s/lib)", path, prefix);
	return error_hint(err, "%s", shim_pass_one);
}

static int refuse_program(const char *path, const struct program *program, struct error *err)
{
	if (program->kind == PROGRAM_SCRIPT)
		error_set(err, NAME, 0, "%s is a script (%s), not an interpreter", path, program->line);
	else if (program->kind == PROGRAM_ELF)
		error_set(err, NAME, 0, "%s is a program for %s, and no other machine's run in a sandbox", path,
			  program->foreign);
	else
		error_set(err, NAME, 0, "%s is not a program", path);
	return error_hint(err, "%s", shim_pass_one);
}

/* The prefix of a program in PREFIX/bin, when it holds the library. */
static bool find_prefix(const char *program, struct interpreter *ret)
{
	char prefix[PATH_MAX];

	strcpy(prefix, program);
	/* "/bin/python3" is "/usr/bin/python3" wherever that is a link. */
	if (!path_to_parent(prefix) || !path_to_parent(prefix) ||
	    !prefix_find_stdlib(prefix, ret->library, ret->stdlib))
		return false;
	strcpy(ret->base_prefix, prefix);
	return true;
}

/* Where home's own program leads: home is often a directory of links (~/.local/bin). */
static bool find_by_home(const char *home, struct interpreter *ret)
{
	bool is_copy = path_is_below(ret->real_exe, ret->prefix);
	const char *const names[] = {path_base(ret->exe), ret->library, "python3"};
	char program[PATH_MAX];
	char real[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (path_join(program, home, names[i]) && path_resolve(program, real, &ret->way) == 0 &&
		    (is_copy || strcmp(real, ret->real_exe) == 0) && find_prefix(real, ret))
			return true;
	return false;
}

/*
 * The prefix that a virtual environment was made from. The file that names it may have been planted: only a
 * directory that holds this very Python is taken.
 */
static int find_base(const struct venv_config *config, struct interpreter *ret, struct error *err)
{
	struct venv_config next = *config;
	char prefix[PATH_MAX];

	/* Without home, Python goes by where its program leads. */
	if (config->home[0] == '\0' && find_prefix(ret->real_exe, ret))
		return 0;
	for (unsigned int depth = 0; depth < VENV_DEPTH && next.home[0] == '/'; depth++) {
		if (path_resolve(next.home, prefix, &ret->way) < 0 || !path_to_parent(prefix))
			break;
		if (prefix_find_stdlib(prefix, ret->library, ret->stdlib)) {
			strcpy(ret->base_prefix, prefix);
			return 0;
		}
		if (find_by_home(next.home, ret))
			return 0;
		/* Made from another environment: that one's home is the base. */
		if (venv_read(prefix, &next) < 0)
			break;
	}
	error_set(err, NAME, 0, "%s/pyvenv.cfg: its home %s holds no Python 3.%u", ret->prefix,
		  config->home[0] != '\0' ? config->home : "(none)", ret->minor);
	return error_hint(err, "the Python that it was made from is gone: make the environment anew, or %s",
			  shim_pass_one);
}

static int add_site(struct interpreter *ret, const char *prefix, const char *lib, const char *library,
		    const char *packages)
{
	return strlist_addf(&ret->sites, "%s/%s/%s/%s", prefix, lib, library, packages);
}

/* As site.py, and Debian's own, put them on sys.path. */
static int add_sites(struct interpreter *ret)
{
	bool is_debian = prefix_is_system(ret->base_prefix);
	int r = 0;

	if (ret->is_venv) {
		r = add_site(ret, ret->prefix, "lib", ret->library, "site-packages");
		if (r == 0)
			r = add_site(ret, ret->prefix, "lib64", ret->library, "site-packages");
	}
	if (r < 0 || (ret->is_venv && !ret->system_site))
		return r;
	r = add_site(ret, ret->base_prefix, "lib", ret->library, "site-packages");
	if (r == 0)
		r = add_site(ret, ret->base_prefix, "lib64", ret->library, "site-packages");
	if (r == 0 && is_debian)
		r = add_site(ret, "/usr/local", "lib", ret->library, "dist-packages");
	return r == 0 && is_debian ? add_site(ret, "/usr", "lib", "python3", "dist-packages") : r;
}

static bool is_shown(const struct strlist *roots, const char *path)
{
	for (size_t i = 0; i < roots->count; i++)
		if (path_is_below(path, roots->item[i]))
			return true;
	return prefix_is_system(path);
}

/* Leaves out what another one shows: a root below a root, a link in a root or in the system's directories. */
static int keep_needed(struct interpreter *ret)
{
	const struct strlist all = ret->roots;
	const struct path_links found = ret->links;
	struct strlist *roots = &ret->roots;
	int r = 0;

	memset(roots, 0, sizeof(*roots));
	memset(&ret->links, 0, sizeof(ret->links));
	for (size_t i = 0; i < all.count && r == 0; i++) {
		bool is_inner = false;

		for (size_t k = 0; k < all.count; k++)
			is_inner |= k != i && path_is_below(all.item[i], all.item[k]) &&
				    (k < i || strcmp(all.item[i], all.item[k]) != 0);
		r = is_inner ? 0 : strlist_add(roots, all.item[i]);
	}
	for (size_t i = 0; i < found.at.count && r == 0; i++)
		if (!is_shown(roots, found.at.item[i]))
			r = path_links_add(&ret->links, found.at.item[i], found.to.item[i]);
	for (size_t i = 0; i < ret->way.at.count && r == 0 && ret->is_venv; i++)
		if (!is_shown(roots, ret->way.at.item[i]))
			r = path_links_add(&ret->links, ret->way.at.item[i], ret->way.to.item[i]);
	strlist_fini(&(struct strlist){all.item, all.count});
	path_links_fini(&(struct path_links){found.at, found.to});
	return r;
}

static int show_prefix(struct interpreter *ret, const char *prefix, bool is_venv, struct error *err)
{
	int r = prefix_show(prefix, ret->library, ret->real_exe, is_venv, &ret->roots, &ret->links);

	return r < 0 ? error_set(err, NAME, -r, "%s", prefix) : 0;
}

/* Fills roots and links. */
static int show(const char *path, struct interpreter *ret, struct error *err)
{
	char prefix[PATH_MAX];
	char ignored[PATH_MAX];
	int r = show_prefix(ret, ret->prefix, ret->is_venv, err);

	if (r == 0 && ret->is_venv)
		r = show_prefix(ret, ret->base_prefix, false, err);
	if (r < 0)
		return r;
	/* A virtual environment's program, where home is only a directory of links. */
	if (!path_is_below(ret->real_exe, ret->prefix) && !path_is_below(ret->real_exe, ret->base_prefix) &&
	    !prefix_is_system(ret->real_exe)) {
		strcpy(prefix, ret->real_exe);
		if (!path_to_parent(prefix) || !path_to_parent(prefix) ||
		    !prefix_find_stdlib(prefix, ret->library, ignored)) {
			error_set(err, NAME, 0, "%s leads to %s, which is no Python's", path, ret->real_exe);
			return error_hint(err, "%s", shim_pass_one);
		}
		r = show_prefix(ret, prefix, false, err);
	}
	if (r == 0 && (add_sites(ret) < 0 || keep_needed(ret) < 0))
		r = out_of_memory(err);
	return r;
}

/* Whether a path is a virtual environment's program; its prefix by the name that was used. */
static int read_environment(const char *path, struct interpreter *ret, struct venv_config *config,
			    struct error *err)
{
	char dir[PATH_MAX];
	int r;

	strcpy(dir, path);
	if (!path_to_parent(dir) || !path_to_parent(dir) || strcmp(dir, "/usr") == 0 ||
	    strcmp(dir, "/usr/local") == 0)
		return 0;
	r = venv_read(dir, config);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = path_resolve(dir, ret->prefix, &ret->way);
	if (r < 0) {
		error_set(err, NAME, -r, "%s/pyvenv.cfg", dir);
		return error_hint(err, "%s", shim_pass_one);
	}
	ret->is_venv = true;
	/* The environment is found by the path that was called, not by where it leads. */
	strcpy(ret->exe, path);
	return 0;
}

static int find_version(const char *path, const struct venv_config *config, struct interpreter *ret,
			struct error *err)
{
	const char *name = path_base(ret->real_exe);
	bool is_found = parse_name(name, &ret->minor, ret->library);

	/* Anything beside a library of Python's is in such a prefix, too. */
	if (!is_found && strstr(name, "python") == NULL)
		return refuse_layout(path, ret->real_exe, ret->prefix, err);
	if (!is_found)
		is_found = find_library(ret->prefix, ret->is_venv, ret);
	if (!is_found && ret->is_venv && config->minor != 0) {
		ret->minor = config->minor;
		(void)snprintf(ret->library, sizeof(ret->library), "python3.%u", ret->minor);
		is_found = true;
	}
	if (!is_found)
		return refuse_layout(path, ret->real_exe, ret->prefix, err);
	if (ret->minor >= MINOR_MIN)
		return 0;
	error_set(err, NAME, 0, "%s is Python 3.%u; 3.%u or newer is needed", path, ret->minor, MINOR_MIN);
	return error_hint(err, "%s", shim_pass_one);
}

/* Fills everything from a path that can be executed. */
static int describe(const struct choice *found, struct interpreter *ret, struct error *err)
{
	const char *path = found->path;
	struct venv_config config = {.minor = 0};
	int r = path_resolve(path, ret->real_exe, &ret->way);

	if (r < 0) {
		error_set(err, NAME, -r, "%s", path);
		return error_hint(err, "%s", shim_pass_one);
	}
	if (found->program.kind != PROGRAM_ELF || found->program.foreign != NULL)
		return refuse_program(path, &found->program, err);
	strcpy(ret->loader, found->program.loader);
	strcpy(ret->exe, ret->real_exe);
	strcpy(ret->prefix, ret->real_exe);
	if (!path_to_parent(ret->prefix) || !path_to_parent(ret->prefix))
		strcpy(ret->prefix, "/");
	r = read_environment(path, ret, &config, err);
	if (r == 0)
		r = find_version(path, &config, ret, err);
	if (r == 0 && ret->is_venv) {
		ret->system_site = config.system_site;
		r = find_base(&config, ret, err);
	} else if (r == 0) {
		/* The system's may have its library where only it knows; all of it is shown anyway. */
		if (!find_prefix(ret->real_exe, ret) && !prefix_is_system(ret->prefix))
			return refuse_layout(path, ret->real_exe, ret->prefix, err);
		strcpy(ret->base_prefix, ret->prefix);
	}
	return r < 0 ? r : show(path, ret, err);
}

int interpreter_find(const struct interpreter_request *request, struct interpreter *ret, struct error *err)
{
	struct choice choice;
	int r;

	memset(ret, 0, sizeof(*ret));
	r = choose_program(request, &choice, err);
	ret->chosen_by = choice.by;
	return r < 0 ? r : describe(&choice, ret, err);
}

void interpreter_fini(struct interpreter *interpreter)
{
	strlist_fini(&interpreter->sites);
	strlist_fini(&interpreter->roots);
	path_links_fini(&interpreter->links);
	path_links_fini(&interpreter->way);
}
