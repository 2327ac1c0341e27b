#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

/* As the kernel's own bound, MAXSYMLINKS. */
#define LINKS_MAX 40

int path_links_add(struct path_links *links, const char *at, const char *to)
{
	for (size_t i = 0; i < links->at.count; i++)
		if (strcmp(links->at.item[i], at) == 0)
			return 0;
	if (strlist_add(&links->at, at) < 0)
		return -ENOMEM;
	return strlist_add(&links->to, to);
}

void path_links_fini(struct path_links *links)
{
	strlist_fini(&links->at);
	strlist_fini(&links->to);
}

bool path_join(char *buf, const char *dir, const char *name)
{
	int n = snprintf(buf, PATH_MAX, "%s/%s", dir, name);

	return n > 0 && n < PATH_MAX;
}

bool path_to_parent(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return false;
	*slash = '\0';
	return true;
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* What is left to walk after a link: what the link holds, then the rest. */
static int put_before(char rest[PATH_MAX], const char *target, const char *remaining)
{
	char joined[PATH_MAX];
	int n = snprintf(joined, sizeof(joined), "%s/%s", target, remaining);

	if (n < 0 || n >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(rest, joined, (size_t)n + 1);
	return 0;
}

int path_resolve(const char *path, char ret_real[PATH_MAX], struct path_links *links)
{
	char rest[PATH_MAX];
	char target[PATH_MAX];
	const char *p = rest;
	unsigned int followed = 0;
	size_t len = 0;

	ret_real[0] = '\0';
	if (*path != '/' || strlen(path) >= sizeof(rest))
		return *path != '/' ? -EINVAL : -ENAMETOOLONG;
	strcpy(rest, path);
	while (*(p += strspn(p, "/")) != '\0') {
		size_t part = strcspn(p, "/");
		size_t parent = len;
		ssize_t n;

		if (part == 1 && p[0] == '.') {
			p += part;
			continue;
		}
		if (part == 2 && p[0] == '.' && p[1] == '.') {
			while (len > 0 && ret_real[--len] != '/')
				;
			ret_real[len] = '\0';
			p += part;
			continue;
		}
		if (len + part + 2 > PATH_MAX)
			return -ENAMETOOLONG;
		ret_real[len++] = '/';
		memcpy(ret_real + len, p, part);
		len += part;
		ret_real[len] = '\0';
		p += part;
		n = readlink(ret_real, target, sizeof(target) - 1);
		if (n < 0 && errno == EINVAL)
			continue;
		if (n < 0)
			return -errno;
		target[n] = '\0';
		if (++followed > LINKS_MAX)
			return -ELOOP;
		if (links != NULL && path_links_add(links, ret_real, target) < 0)
			return -ENOMEM;
		if (put_before(rest, target, p) < 0)
			return -ENAMETOOLONG;
		p = rest;
		len = target[0] == '/' ? 0 : parent;
		ret_real[len] = '\0';
	}
	if (len == 0)
		strcpy(ret_real, "/");
	return 0;
}

/* Links of two users at least: one of them is not the end's owner. */
struct link_owners {
	unsigned int count;
	uid_t uid[2];
	char path[2][PATH_MAX];
};

static void note_owner(struct link_owners *owners, uid_t uid, const char *dir, const char *name, size_t len)
{
	if (uid == 0 || owners->count == 2 || (owners->count == 1 && owners->uid[0] == uid))
		return;
	owners->uid[owners->count] = uid;
	(void)snprintf(owners->path[owners->count++], PATH_MAX, "%s/%.*s", dir, (int)len, name);
}

/* Opens the next component. The end of what is known is ret->fd, ret->st, ret->real. */
static int walk_into(struct path_walk *walk, const char *name, size_t len)
{
	char part[NAME_MAX + 1];
	size_t end = strlen(walk->real);
	bool up = len == 2 && memcmp(name, "..", 2) == 0;
	int fd;

	if (len > NAME_MAX || end + len + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(part, name, len);
	part[len] = '\0';
	fd = openat(walk->fd, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &walk->st) < 0) {
		int errnum = errno;

		(void)close(fd);
		return -errnum;
	}
	if (S_ISLNK(walk->st.st_mode))
		return fd;
	close_fd(&walk->fd);
	walk->fd = fd;
	if (up)
		walk->real[strrchr(walk->real, '/') == NULL ? 0 : strrchr(walk->real, '/') - walk->real] = '\0';
	else
		(void)snprintf(walk->real + end, PATH_MAX - end, "/%s", part);
	return 0;
}

static int walk_to_root(struct path_walk *walk)
{
	close_fd(&walk->fd);
	walk->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	walk->real[0] = '\0';
	return walk->fd < 0 || fstat(walk->fd, &walk->st) < 0 ? -errno : 0;
}

static int walk_all(struct path_walk *walk, char rest[PATH_MAX], bool follow_last, struct link_owners *owners)
{
	const char *p = rest;
	unsigned int followed = 0;

	while (*(p += strspn(p, "/")) != '\0') {
		char target[PATH_MAX];
		size_t part = strcspn(p, "/");
		AUTO_CLOSE int link_fd = -1;
		ssize_t n;
		int r = part == 1 && *p == '.' ? 0 : walk_into(walk, p, part);

		if (r < 0)
			return r;
		if (r == 0) {
			p += part;
			continue;
		}
		link_fd = r;
		if (++followed > LINKS_MAX || (!follow_last && p[part + strspn(p + part, "/")] == '\0'))
			return -ELOOP;
		note_owner(owners, walk->st.st_uid, walk->real, p, part);
		n = readlinkat(link_fd, "", target, sizeof(target) - 1);
		if (n < 0)
			return -errno;
		target[n] = '\0';
		if (put_before(rest, target, p + part) < 0)
			return -ENAMETOOLONG;
		p = rest;
		if (target[0] == '/' && walk_to_root(walk) < 0)
			return -errno;
	}
	/* After a link to "." and the like, of the end again. */
	return fstat(walk->fd, &walk->st) < 0 ? -errno : 0;
}

int path_walk(const char *path, bool follow_last, struct path_walk *ret)
{
	struct link_owners owners = {.count = 0};
	char rest[PATH_MAX];
	char cwd[PATH_MAX] = "";
	int n;
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->fd = -1;
	if (*path == '\0' || (*path != '/' && getcwd(cwd, sizeof(cwd)) == NULL))
		return *path == '\0' ? -ENOENT : -errno;
	n = snprintf(rest, sizeof(rest), "%s%s%s", cwd, *path == '/' ? "" : "/", path);
	if (n < 0 || (size_t)n >= sizeof(rest))
		return -ENAMETOOLONG;
	r = walk_to_root(ret);
	if (r == 0)
		r = walk_all(ret, rest, follow_last, &owners);
	if (r < 0) {
		close_fd(&ret->fd);
		return r;
	}
	if (ret->real[0] == '\0')
		strcpy(ret->real, "/");
	for (unsigned int i = 0; i < owners.count && !ret->by_others; i++) {
		ret->by_others = owners.uid[i] != ret->st.st_uid;
		ret->other = owners.uid[i];
		memcpy(ret->link, owners.path[i], PATH_MAX);
	}
	return 0;
}

int path_absolute(const char *path, char ret[PATH_MAX])
{
	char whole[PATH_MAX];
	char cwd[PATH_MAX] = "";
	size_t len = 0;
	bool goes_up = false;
	int r;

	if (*path != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
		return -errno;
	if (!path_join(whole, cwd, path))
		return -ENAMETOOLONG;
	for (const char *p = whole; *(p += strspn(p, "/")) != '\0';) {
		size_t part = strcspn(p, "/");

		if (part != 1 || *p != '.') {
			goes_up = goes_up || (part == 2 && p[0] == '.' && p[1] == '.');
			ret[len++] = '/';
			memcpy(ret + len, p, part);
			len += part;
		}
		p += part;
	}
	ret[len] = '\0';
	if (len == 0)
		strcpy(ret, "/");
	if (!goes_up)
		return 0;
	strcpy(whole, ret);
	if (strcmp(path_base(whole), "..") == 0 || !path_to_parent(whole))
		return path_resolve(whole, ret, NULL);
	r = path_resolve(whole, cwd, NULL);
	if (r < 0)
		return r;
	return path_join(whole, strcmp(cwd, "/") == 0 ? "" : cwd, path_base(ret)) ? (strcpy(ret, whole), 0)
									       : -ENAMETOOLONG;
}

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
	char real[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(wide); i++)
		if (strcmp(path, wide[i]) == 0)
			return true;
	if (strncmp(path, "/home/", 6) == 0 && strchr(path + 6, '/') == NULL)
		return true;
	/* The home may be a link, and the path what it leads to. */
	return home != NULL && *home == '/' &&
	       (path_is_below(home, path) ||
		(path_resolve(home, real, NULL) == 0 && path_is_below(real, path)));
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
