/*
 * Starts from the interpreter and the directories that it imports from, which are shown whole, and
 * follows DT_NEEDED from the program and from each extension module there. A library is looked for
 * as the dynamic linker does: run paths, /etc/ld.so.cache, the usual directories. The environment
 * (LD_LIBRARY_PATH) is the task's own affair.
 *
 * All of it may have been planted: depth, counts and lengths are bounded, only regular files are
 * opened, and a name leads no further than the full view does (view.h).
 */
#include "python/closure.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"
#include "python/elf.h"
#include "python/ldcache.h"
#include "python/modules.h"

#define NAME	      "python"
#define OBJECTS_MAX   16384U
#define RUN_PATHS_MAX 65536U

/* A file whose libraries are to be found. */
struct object {
	char *path;	 /* as the linker was given it: $ORIGIN is its directory */
	char *host;	 /* what it is on the host, links followed */
	char *run_paths; /* "DIR:DIR": DT_RPATH of those that loaded it */
};

struct closure {
	const struct interpreter *python;
	struct view view;
	struct ldcache cache;
	struct object *objects; /* a queue: those before next are done */
	size_t count;
	size_t next;
	char *run_paths;       /* the program's: they hold for its modules as well */
	struct strlist looked; /* directories that were looked through for modules */
	struct strlist
	    names; /* libraries that were looked for in the cache and the usual directories */
	void *seen_names; /* tsearch(3) of those */
	void *seen_objects;
};

/* Of each prefix: data that interpreter and libraries read at run time. */
static const char *const data_parts[] = {
    "lib/locale", /* other locales than C.UTF-8 */
    "share/zoneinfo",
    "share/terminfo",
    "lib/terminfo", /* zoneinfo; curses, readline */
    "lib/ssl/cert.pem",
    "lib/ssl/certs",
    "lib/ssl/openssl.cnf", /* Debian's OPENSSLDIR */
    "ssl/cert.pem",
    "ssl/cacert.pem",
    "ssl/openssl.cnf", /* conda's */
    "share/ca-certificates",
    "local/share/ca-certificates",
    "share/pki/ca-trust-source",
    "share/matplotlib",
    "share/fonts",
    "share/fontconfig",
    "share/mime",
};

/* What the linker or a library opens by a name that stands in no DT_NEEDED. */
static const char *const extra_libraries[] = {
    "libgcc_s.so.1",			    /* glibc: threads that end early, backtraces */
    "libnss_files.so.2", "libnss_dns.so.2", /* glibc before 2.34: accounts and hosts */
};

/* Beside libc: conversions that glibc loads, providers that OpenSSL loads. They need nothing
 * further. */
static const char *const beside_libc[] = {"gconv", "ossl-modules"};

static const char *const usual_dirs[] = {"/lib/x86_64-linux-gnu",
					 "/usr/lib/x86_64-linux-gnu",
					 "/lib/aarch64-linux-gnu",
					 "/usr/lib/aarch64-linux-gnu",
					 "/lib64",
					 "/usr/lib64",
					 "/lib",
					 "/usr/lib",
					 "/usr/local/lib"};

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool join(char *buf, const char *dir, const char *name)
{
	int n = snprintf(buf, PATH_MAX, "%s/%s", dir, name);

	return n > 0 && n < PATH_MAX;
}

/* What there is no sense in failing for: it is not there, or can't be there. */
static bool is_absent(int r)
{
	return r == -ENOENT || r == -ELOOP || r == -ENAMETOOLONG || r == -EACCES;
}

/* Shows something if it is there. 1 when it is, 0, or -errno. */
static int show(struct closure *c, const char *path, enum view_want want, struct view_entry *ret)
{
	int r = view_add(&c->view, path, want, ret);

	return r == 0 ? 1 : is_absent(r) ? 0 : r;
}

/* Puts a file into the queue, unless it has been there. */
static int enqueue(struct closure *c, const char *path, const char *host, const char *run_paths)
{
	struct object *grown;
	struct object object;

	if (tfind(path, &c->seen_objects, compare) != NULL)
		return 0;
	if (c->count == OBJECTS_MAX)
		return -E2BIG;
	object = (struct object){
	    .path = strdup(path), .host = strdup(host), .run_paths = strdup(run_paths)};
	grown = reallocarray(c->objects, c->count + 1, sizeof(*grown));
	if (grown != NULL)
		c->objects = grown;
	if (grown == NULL || object.path == NULL || object.host == NULL ||
	    object.run_paths == NULL || tsearch(object.path, &c->seen_objects, compare) == NULL) {
		free(object.path);
		free(object.host);
		free(object.run_paths);
		return -ENOMEM;
	}
	grown[c->count++] = object;
	return 0;
}

/* Shows a library and queues it. 1 when it is there, 0, or -errno. */
static int show_library(struct closure *c, const char *path, const char *run_paths)
{
	struct view_entry entry;
	int r = show(c, path, VIEW_LIBRARY, &entry);

	if (r <= 0)
		return r;
	r = enqueue(c, path, entry.host, run_paths);
	return r < 0 ? r : 1;
}

/* One entry of a run path with $ORIGIN filled in; false when it is of no use. */
static bool expand(const char *entry, size_t len, const char *origin, char ret[PATH_MAX])
{
	static const char *const tokens[] = {"$ORIGIN", "${ORIGIN}"};
	size_t at = 0;

	for (size_t i = 0; i < len;) {
		const char *text = entry + i;
		size_t taken = 1;
		size_t given = 1;

		for (size_t k = 0; k < ARRAY_SIZE(tokens) && *text == '$'; k++) {
			size_t n = strlen(tokens[k]);

			if (n <= len - i && memcmp(entry + i, tokens[k], n) == 0) {
				text = origin;
				taken = n;
				given = strlen(origin);
			}
		}
		/* $LIB and $PLATFORM: the directories that they stand for are the usual ones. */
		if (*text == '$' || at + given >= PATH_MAX)
			return false;
		memcpy(ret + at, text, given);
		at += given;
		i += taken;
	}
	ret[at] = '\0';
	return *ret == '/';
}

/* Appends the entries of a run path to "DIR:DIR", expanded. */
static int add_run_path(char **list, const char *run_path, const char *origin)
{
	for (const char *p = run_path; p != NULL && *p != '\0';) {
		size_t len = strcspn(p, ":");
		char dir[PATH_MAX];

		if (expand(p, len, origin, dir)) {
			char *longer = NULL;

			if (strlen(*list) + strlen(dir) > RUN_PATHS_MAX)
				return -E2BIG;
			if (asprintf(&longer, "%s%s%s", *list, **list == '\0' ? "" : ":", dir) < 0)
				return -ENOMEM;
			free(*list);
			*list = longer;
		}
		p += len + (p[len] == ':');
	}
	return 0;
}

/* A library in the directories of "DIR:DIR". 1 when it is there. */
static int find_in(struct closure *c, const char *dirs, const char *name, const char *run_paths)
{
	for (const char *p = dirs; *p != '\0';) {
		size_t len = strcspn(p, ":");
		char path[PATH_MAX];
		int n = snprintf(path, sizeof(path), "%.*s/%s", (int)len, p, name);
		int r = n < PATH_MAX ? show_library(c, path, run_paths) : 0;

		if (r != 0)
			return r;
		p += len + (p[len] == ':');
	}
	return 0;
}

/* Once for each name: it does not matter who asks. All variants, since the processor decides. */
static int find_by_name(struct closure *c, const char *name, const char *run_paths)
{
	uint32_t at = 0;
	int found = 0;
	int r = 0;
	const char *path;

	if (tfind(name, &c->seen_names, compare) != NULL)
		return 0;
	if (strlist_add(&c->names, name) < 0 ||
	    tsearch(c->names.item[c->names.count - 1], &c->seen_names, compare) == NULL)
		return -ENOMEM;
	while ((path = ldcache_find(&c->cache, name, &at)) != NULL && r >= 0) {
		r = show_library(c, path, run_paths);
		found |= r > 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(usual_dirs) && r >= 0 && found == 0; i++) {
		char candidate[PATH_MAX];

		r = join(candidate, usual_dirs[i], name) ? show_library(c, candidate, run_paths)
							 : 0;
		found |= r > 0;
	}
	return r < 0 ? r : found;
}

/* Finds one DT_NEEDED. own: the run path that the linker tries first, expanded. */
static int find_needed(struct closure *c, const char *name, const char *own, const char *origin,
		       const char *run_paths)
{
	char path[PATH_MAX];
	int r;

	if (strchr(name, '/') != NULL) {
		r = expand(name, strlen(name), origin, path) ? show_library(c, path, run_paths) : 0;
		return r < 0 ? r : 0;
	}
	r = find_in(c, own, name, run_paths);
	if (r == 0)
		r = find_by_name(c, name, run_paths);
	return r < 0 ? r : 0;
}

static int follow_needed(struct closure *c, const char *path, const struct elf_info *info,
			 const char *loaders)
{
	AUTO_FREE char *origin = strdup(path);
	AUTO_FREE char *own = strdup("");
	AUTO_FREE char *inherited = strdup("");
	int r = 0;

	if (origin == NULL || own == NULL || inherited == NULL)
		return -ENOMEM;
	*strrchr(origin, '/') = '\0';
	/* DT_RPATH also holds for what is loaded further on, unless there is a DT_RUNPATH. */
	if (info->runpath != NULL)
		r = add_run_path(&own, info->runpath, origin);
	else
		r = add_run_path(&inherited, info->rpath, origin);
	if (r == 0)
		r = add_run_path(&inherited, loaders, origin);
	for (size_t i = 0; i < info->needed.count && r == 0; i++)
		r = find_needed(c, info->needed.item[i], info->runpath != NULL ? own : inherited,
				origin, inherited);
	if (c->run_paths == NULL) {
		c->run_paths = inherited;
		inherited = NULL;
	}
	return r;
}

static bool is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Works off the queue. */
static int follow_objects(struct closure *c)
{
	int r = 0;

	while (c->next < c->count && r == 0) {
		/* The array may move, what it points to does not. */
		const struct object object = c->objects[c->next++];
		const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
					     .resolve = RESOLVE_NO_SYMLINKS};
		AUTO_CLOSE int fd = sys_openat2(AT_FDCWD, object.host, &how);
		struct elf_info info;

		/* What is no ELF file, or not ours to read, needs nothing. */
		if (fd < 0 || !is_regular(fd) || elf_read(fd, &info) < 0)
			continue;
		r = follow_needed(c, object.path, &info, object.run_paths);
		if (r == 0 && info.interpreter != NULL)
			r = show_library(c, info.interpreter, "");
		elf_fini(&info);
		r = r > 0 ? 0 : r;
	}
	return r;
}

/* Nothing where the program itself could not be read. */
static const char *program_run_paths(const struct closure *c)
{
	return c->run_paths != NULL ? c->run_paths : "";
}

/* A directory that is looked through, by its name in the view and on the host. */
struct place {
	struct closure *closure;
	struct view_entry dir;
};

/* A link leads on to a library or to data; to nothing else. */
static int follow_link(struct closure *c, const char *path, bool is_library)
{
	struct view_entry entry;
	int r = view_find(&c->view, path, &entry);

	if (r < 0)
		return is_absent(r) ? 0 : r;
	if (is_library)
		r = show_library(c, path, program_run_paths(c));
	else if (path_is_below(entry.path, "/usr/share") && strcmp(entry.path, "/usr/share") != 0)
		r = show(c, path, VIEW_ANY, &entry);
	return r < 0 ? r : 0;
}

static int take_module(void *data, const char *name, bool is_link, bool is_library)
{
	const struct place *place = data;
	char path[PATH_MAX];
	char host[PATH_MAX];

	if (!join(path, place->dir.path, name) || !join(host, place->dir.host, name))
		return 0;
	return is_link ? follow_link(place->closure, path, is_library)
		       : enqueue(place->closure, path, host, program_run_paths(place->closure));
}

/* Shows a directory that is imported from, and looks for modules that need libraries. 1 when it is
 * there. */
static int show_modules(struct closure *c, const char *dir, const char *name)
{
	struct place place = {.closure = c};
	char path[PATH_MAX];
	int r = join(path, dir, name) ? show(c, path, VIEW_ANY, &place.dir) : 0;

	if (r <= 0 || !S_ISDIR(place.dir.st.st_mode))
		return r < 0 ? r : 0;
	for (size_t i = 0; i < c->looked.count; i++)
		if (strcmp(c->looked.item[i], place.dir.path) == 0)
			return 1;
	r = strlist_add(&c->looked, place.dir.path);
	if (r == 0)
		r = modules_find(place.dir.host, take_module, &place);
	return r < 0 ? r : 1;
}

/* lib/python3.N of a prefix, or of an environment, which has no standard library. */
static int show_library_dir(struct closure *c, const char *prefix, const char *lib,
			    const char **ret_home)
{
	static const char *const modules[] = {"lib-dynload", "site-packages", "dist-packages"};
	char path[PATH_MAX];
	char name[PATH_MAX];
	struct view_entry entry;
	int n = snprintf(path, sizeof(path), "%s/%s/%s", prefix, lib, c->python->library);
	int r = n > 0 && n < PATH_MAX ? show(c, path, VIEW_ANY, &entry) : 0;

	if (r <= 0)
		return r;
	if (join(name, path, "os.py") && view_find(&c->view, name, &entry) == 0)
		*ret_home = prefix;
	for (size_t i = 0; i < ARRAY_SIZE(modules) && r >= 0; i++)
		r = show_modules(c, path, modules[i]);
	return r;
}

static int show_data(struct closure *c, const char *prefix)
{
	char path[PATH_MAX];
	struct view_entry entry;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(data_parts) && r >= 0; i++)
		if (join(path, prefix, data_parts[i]))
			r = show(c, path, VIEW_ANY, &entry);
	return r;
}

/* Shows what Python has in a prefix, which may be an environment's. *ret_home: where the standard
 * library is. */
static int show_prefix(struct closure *c, const char *prefix, const char **ret_home)
{
	unsigned int minor = c->python->minor;
	char program[32];
	char archive[32];
	const char *const names[] = {"pyvenv.cfg", "bin/python", "bin/python3", program, archive};
	char path[PATH_MAX];
	struct view_entry entry;
	int r = show_library_dir(c, prefix, "lib", ret_home);

	if (r >= 0)
		r = show_library_dir(c, prefix, "lib64", ret_home);
	(void)snprintf(program, sizeof(program), "bin/python3.%u", minor);
	(void)snprintf(archive, sizeof(archive), "lib/python3%u.zip", minor);
	for (size_t i = 0; i < ARRAY_SIZE(names) && r >= 0; i++)
		if (join(path, prefix, names[i]))
			r = show(c, path, VIEW_FILE, &entry);
	return r < 0 ? r : 0;
}

/* Where the system's interpreter finds packages beside its own prefix: Debian, Fedora. */
static int show_system_packages(struct closure *c)
{
	static const struct {
		const char *lib;
		const char *packages;
	} names[] = {
	    {"lib", "dist-packages"}, {"lib", "site-packages"}, {"lib64", "site-packages"}};
	int r = show_modules(c, "/usr/lib/python3", "dist-packages");

	for (size_t i = 0; i < ARRAY_SIZE(names) && r >= 0; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "%s/python3.%u/%s", names[i].lib,
			       c->python->minor, names[i].packages);
		r = show_modules(c, "/usr/local", name);
	}
	return r;
}

static int show_beside_libc(struct closure *c)
{
	uint32_t at = 0;
	const char *libc = ldcache_find(&c->cache, "libc.so.6", &at);
	AUTO_FREE char *dir = libc == NULL ? NULL : strdup(libc);
	char path[PATH_MAX];
	struct view_entry entry;
	int r = 0;

	if (dir == NULL)
		return 0;
	*strrchr(dir, '/') = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(beside_libc) && r >= 0; i++)
		if (join(path, dir, beside_libc[i]))
			r = show(c, path, VIEW_ANY, &entry);
	return r;
}

static int find_all(struct closure *c)
{
	const char *home = NULL;
	struct view_entry exe;
	int r = view_add(&c->view, c->python->exe, VIEW_FILE, &exe);

	if (r == 0)
		r = enqueue(c, exe.path, exe.host, "");
	/* The program first: its run paths are to be known. */
	if (r == 0)
		r = follow_objects(c);
	if (r == 0 && c->python->is_venv)
		r = show_prefix(c, c->python->prefix, &home);
	if (r >= 0)
		r = show_prefix(c, c->python->base_prefix, &home);
	if (r >= 0 && home == NULL)
		return -ENOENT;
	if (r >= 0 && strcmp(home, "/usr") != 0)
		r = show_data(c, home);
	if (r >= 0)
		r = show_data(c, "/usr");
	if (r >= 0 && strcmp(home, "/usr") == 0 && (!c->python->is_venv || c->python->system_site))
		r = show_system_packages(c);
	if (r >= 0)
		r = show_beside_libc(c);
	for (size_t i = 0; i < ARRAY_SIZE(extra_libraries) && r >= 0; i++)
		r = find_by_name(c, extra_libraries[i], "");
	return r < 0 ? r : follow_objects(c);
}

static void forget(void *key)
{
	(void)key;
}

static void closure_fini(struct closure *c)
{
	tdestroy(c->seen_names, forget);
	tdestroy(c->seen_objects, forget);
	strlist_fini(&c->looked);
	strlist_fini(&c->names);
	for (size_t i = 0; i < c->count; i++) {
		free(c->objects[i].path);
		free(c->objects[i].host);
		free(c->objects[i].run_paths);
	}
	free(c->objects);
	free(c->run_paths);
	ldcache_fini(&c->cache);
	view_fini(&c->view);
}

int closure_find(const struct interpreter *python, struct view_parts *ret, struct error *err)
{
	struct closure c = {.python = python};
	int r = view_init(&c.view, &python->roots, &python->links, err);

	if (r == 0) {
		r = ldcache_load("/etc/ld.so.cache", &c.cache);
		if (r == 0)
			r = find_all(&c);
		if (r == 0)
			r = view_take(&c.view, ret);
		if (r < 0) {
			error_set(err, NAME, r == -E2BIG ? 0 : -r, "--runtime closure: %s%s",
				  python->exe,
				  r == -E2BIG ? " needs more files than can be shown" : "");
			r = error_hint(err, "--runtime system shows /usr as a whole");
		}
	}
	closure_fini(&c);
	return r;
}
