#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

bool path_is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strcmp(dir, "/") == 0 ||
	       (strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/'));
}

bool path_is_wide(const char *path)
{
	static const char *const wide[] = {"/",	   "/home", "/root", "/opt", "/etc", "/var", "/usr",
					   "/tmp", "/srv",  "/mnt",  "/run", "/media", "/boot"};
	const char *home = getenv("HOME");

	for (size_t i = 0; i < ARRAY_SIZE(wide); i++)
		if (strcmp(path, wide[i]) == 0)
			return true;
	return (home != NULL && *home == '/' && path_is_below(home, path)) ||
	       (strncmp(path, "/home/", 6) == 0 && strchr(path + 6, '/') == NULL);
}

int path_make_dirs(const char *path, const char *stage, struct error *err)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return error_set(err, stage, ENAMETOOLONG, "%s", path);
	for (size_t i = 1; i <= len; i++) {
		struct stat st;

		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) == 0)
			continue;
		if (errno != EEXIST)
			return error_set(err, stage, errno, "mkdir /%s", part);
		if (lstat(part, &st) < 0)
			return error_set(err, stage, errno, "stat /%s", part);
		if (!S_ISDIR(st.st_mode))
			return error_set(err, stage, 0, "/%s: /%s is no directory in the task's view", path,
					 part);
	}
	return 0;
}

int path_make_file(const char *path, const char *stage, struct error *err)
{
	AUTO_CLOSE int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);

	return fd < 0 ? error_set(err, stage, errno, "create /%s", path) : 0;
}

int path_make_target(const char *path, bool directory, const char *stage, struct error *err)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct stat st;
	int r = 0;

	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) == directory && !S_ISLNK(st.st_mode))
		return 0;
	if (directory)
		return path_make_dirs(path, stage, err);
	if (slash != NULL) {
		(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
		r = path_make_dirs(parent, stage, err);
	}
	return r < 0 ? r : path_make_file(path, stage, err);
}
