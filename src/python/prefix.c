#include "python/prefix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What a prefix has that a Python in it can need. */
static const char *const shown[] = {
    "bin", "lib", "lib32", "lib64", "libexec", "include", "share", "man", "pyvenv.cfg",
    /* Of conda's packages: Qt, compilers, CUDA. */
    "plugins", "qml", "resources", "translations", "mkspecs", "phrasebooks", "fonts", "compiler_compat",
    "targets", "nvvm", "*-conda*-linux-gnu",
};

/* What is usual in a prefix and not needed: settings, other environments, what may hold a password. */
static const char *const passed_over[] = {
    "etc", "ssl", "var", "sbin", "conda-meta", "condabin", "shell", "envs", "pkgs", "doc", "docs", "info",
    "build", "licenses", "cmake", "__pycache__",
};

/* Small files that say nothing and come with a fresh environment or build: no reason for many mounts. */
static const char *const harmless[] = {".gitignore", ".lock", "CACHEDIR.TAG", "LICENSE*", "README*", "BUILD"};

/* Of those that are passed over, what is needed. OpenSSL looks for certificates here; fontconfig for fonts. */
static const char *const shown_within[] = {"ssl/cert.pem", "ssl/cacert.pem", "ssl/certs", "ssl/openssl.cnf",
					   "etc/fonts"};

static bool is_listed(const char *const list[], size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (fnmatch(list[i], name, 0) == 0)
			return true;
	return false;
}

bool prefix_is_system(const char *path)
{
	static const char *const system[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};

	for (size_t i = 0; i < ARRAY_SIZE(system); i++)
		if (path_is_below(path, system[i]))
			return true;
	return *path == '\0' || strcmp(path, "/") == 0;
}

bool prefix_is_shared(const char *path)
{
	return path_is_wide(path) || strcmp(path, "/var/tmp") == 0 || strcmp(path, "/opt/local") == 0 ||
	       strcmp(path_base(path), ".local") == 0;
}

bool prefix_find_stdlib(const char *dir, const char *library, char ret[PATH_MAX])
{
	static const char *const names[] = {"lib", "lib64"};
	char landmark[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int n = snprintf(ret, PATH_MAX, "%s/%s/%s", dir, names[i], library);

		/* The landmark that Python itself looks for. */
		if (n > 0 && n < PATH_MAX && path_join(landmark, ret, "os.py") && stat(landmark, &st) == 0 &&
		    S_ISREG(st.st_mode))
			return true;
	}
	ret[0] = '\0';
	return false;
}

static bool is_link(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Adds a place: a directory or file, or, when it is a link, the link alone; nothing when it is not there. */
static int add_place(const char *path, struct strlist *roots, struct path_links *links)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n >= 0) {
		target[n] = '\0';
		return path_links_add(links, path, target);
	}
	return errno == EINVAL ? strlist_add(roots, path) : 0;
}

static int add_below(const char *dir, const char *name, struct strlist *roots, struct path_links *links)
{
	char path[PATH_MAX];

	return path_join(path, dir, name) ? add_place(path, roots, links) : -ENAMETOOLONG;
}

/* Adds what matches a pattern in a directory, which need not be there. */
static int add_matching(const char *dir, const char *pattern, struct strlist *roots, struct path_links *links)
{
	DIR *list = opendir(dir);
	struct dirent *entry;
	int r = 0;

	while (r == 0 && list != NULL && (entry = readdir(list)) != NULL)
		if (fnmatch(pattern, entry->d_name, 0) == 0)
			r = add_below(dir, entry->d_name, roots, links);
	if (list != NULL)
		closedir(list);
	return r;
}

/* The interpreter, its other names, its libraries, and nothing else. */
static int show_narrow(const char *dir, const char *library, const char *exe, struct strlist *roots,
		       struct path_links *links)
{
	static const char *const libs[] = {"lib", "lib64"};
	static const char *const names[] = {"python", "python3"};
	char path[PATH_MAX];
	int r = add_below(dir, "pyvenv.cfg", roots, links);

	if (r == 0 && exe != NULL && path_is_below(exe, dir))
		r = strlist_add(roots, exe);
	for (size_t i = 0; i < ARRAY_SIZE(names) && r == 0; i++) {
		int n = snprintf(path, sizeof(path), "%s/bin/%s", dir, names[i]);

		if (n > 0 && n < PATH_MAX && is_link(path))
			r = add_place(path, roots, links);
	}
	for (size_t i = 0; i < ARRAY_SIZE(libs) && r == 0; i++) {
		if (!path_join(path, dir, libs[i]))
			return -ENAMETOOLONG;
		/* lib64 is a link to lib in a virtual environment. */
		if (is_link(path)) {
			r = add_place(path, roots, links);
			continue;
		}
		r = add_below(path, library, roots, links);
		if (r == 0)
			r = add_matching(path, "libpython3*.so*", roots, links);
	}
	return r;
}

static int show_parts(const char *dir, struct strlist *roots, struct path_links *links)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(shown) && r == 0; i++)
		r = strchr(shown[i], '*') != NULL ? add_matching(dir, shown[i], roots, links)
						  : add_below(dir, shown[i], roots, links);
	for (size_t i = 0; i < ARRAY_SIZE(shown_within) && r == 0; i++)
		r = add_below(dir, shown_within[i], roots, links);
	return r;
}

static bool is_directory(const char *dir, const struct dirent *entry)
{
	char path[PATH_MAX];
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return path_join(path, dir, entry->d_name) && lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int prefix_show(const char *dir, const char *library, const char *exe, bool is_venv, struct strlist *roots,
		struct path_links *links)
{
	bool is_marked = is_venv;
	bool is_clean = true;
	bool has_foreign = false;
	struct dirent *entry;
	DIR *list;

	if (prefix_is_system(dir))
		return 0;
	if (prefix_is_shared(dir))
		return show_narrow(dir, library, exe, roots, links);
	list = opendir(dir);
	if (list == NULL)
		return -errno;
	while ((entry = readdir(list)) != NULL) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    is_listed(shown, ARRAY_SIZE(shown), name) ||
		    (is_listed(harmless, ARRAY_SIZE(harmless), name) && !is_directory(dir, entry)))
			continue;
		is_clean = false;
		is_marked = is_marked || strcmp(name, "conda-meta") == 0;
		if (!is_listed(passed_over, ARRAY_SIZE(passed_over), name) && is_directory(dir, entry))
			has_foreign = true;
	}
	closedir(list);
	if (is_clean)
		return strlist_add(roots, dir);
	return has_foreign && !is_marked ? show_narrow(dir, library, exe, roots, links)
					 : show_parts(dir, roots, links);
}
