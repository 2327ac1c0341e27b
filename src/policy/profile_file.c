#include "policy/profile_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/suggest.h"
#include "policy/profile.h"

#define SUFFIX ".profile"

/* The profiles of profiles/, compiled in: the program serves from a build tree and as a single
 * file, too. */
static const struct {
	const char *name;
	const char *text;
} built_in[] = {
#include "profile-data.h"
};

/* The directory that is searched at that place in the order, or NULL when there is none. */
static const char *directory(unsigned int place, char buf[PATH_MAX])
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	int n = -1;

	if (place == 1)
		return CAPSULE_SYSCONFDIR "/capsule-run/profiles";
	if (config != NULL && config[0] == '/')
		n = snprintf(buf, PATH_MAX, "%s/capsule-run/profiles", config);
	else if (home != NULL && home[0] == '/')
		n = snprintf(buf, PATH_MAX, "%s/.config/capsule-run/profiles", home);
	return n < 0 || n >= PATH_MAX ? NULL : buf;
}
#define DIRECTORY_COUNT 2

static bool is_name(const char *name)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

	return name[0] != '.' && name[0] != '-' && name[0] != '\0' &&
	       name[strspn(name, letters)] == '\0';
}

/*
 * True when nobody but the owner is in the group: many systems give each user such a group and
 * umask 002. Read from the files; members that come from elsewhere make it no private group.
 */
static bool is_private_group(uid_t uid, gid_t gid)
{
	FILE *in = fopen("/etc/passwd", "re");
	char owner[256] = "";
	bool found = false;
	bool alone = true;

	for (struct passwd *user; in != NULL && (user = fgetpwent(in)) != NULL;) {
		if (user->pw_uid == uid)
			(void)snprintf(owner, sizeof(owner), "%s", user->pw_name);
		else if (user->pw_gid == gid)
			alone = false;
	}
	if (in != NULL)
		(void)fclose(in);
	in = fopen("/etc/group", "re");
	for (struct group *group; in != NULL && (group = fgetgrent(in)) != NULL;) {
		if (group->gr_gid != gid)
			continue;
		found = true;
		for (char **member = group->gr_mem; *member != NULL; member++)
			alone = alone && strcmp(*member, owner) == 0;
	}
	if (in != NULL)
		(void)fclose(in);
	return alone && found && owner[0] != '\0';
}

/* A file or directory that only root and the caller can change. path is for messages and for its
 * access list. */
static int check_trust(const struct stat *st, const char *path, struct error *err)
{
	bool others = (st->st_mode & S_IWOTH) != 0;

	if (st->st_uid != 0 && st->st_uid != getuid()) {
		error_set(err, "profile", 0, "%s: belongs to uid %u, who is neither you nor root",
			  path, st->st_uid);
		return error_hint(
		    err,
		    "who can change a profile decides what tasks see: use a copy that is yours");
	}
	if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0)
		return 0;
	/* An access list's rights show in the bits of the group. */
	if ((st->st_mode & S_IWGRP) != 0)
		others = others || getxattr(path, "system.posix_acl_access", NULL, 0) >= 0 ||
			 !is_private_group(st->st_uid, st->st_gid);
	if (!others)
		return 0;
	error_set(err, "profile", 0, "%s: others can write to it (mode %04o)", path,
		  st->st_mode & 07777);
	return error_hint(err, "who can change a profile decides what tasks see: chmod go-w %s",
			  path);
}

/* In a sticky directory anybody may put a link to a profile that was meant for something else. */
static int check_profile_links(const char *path, char ret_real[PATH_MAX], struct error *err)
{
	struct path_walk walk;
	int r = path_walk(path, true, &walk);

	if (r < 0)
		return error_set(err, "profile", -r, "%s", path);
	close_fd(&walk.fd);
	memcpy(ret_real, walk.real, PATH_MAX);
	if (!walk.by_others || walk.other == getuid())
		return 0;
	error_set(err, "profile", 0, "%s: the link %s is uid %u's, who is neither you nor root", path, walk.link,
		  walk.other);
	return error_hint(err, "name the profile itself: %s", walk.real);
}

/* Opens step by step from the root where the path leads, so that what is checked is what is read. */
static int open_trusted(const char *path, int *ret_fd, struct error *err)
{
	AUTO_CLOSE int at_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char real[PATH_MAX];
	struct stat st;
	char *name;
	char *slash;

	if (check_profile_links(path, real, err) < 0)
		return -EINVAL;
	if (at_fd < 0)
		return error_set(err, "profile", errno, "%s", path);
	if (fstat(at_fd, &st) < 0)
		return error_set(err, "profile", errno, "stat /");
	if (check_trust(&st, "/", err) < 0)
		return -EINVAL;
	for (name = real + 1; (slash = strchr(name, '/')) != NULL; name = slash + 1) {
		int next_fd;

		*slash = '\0';
		next_fd = openat(at_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next_fd < 0 || fstat(next_fd, &st) < 0) {
			int errnum = errno;

			close_fd(&next_fd);
			return error_set(err, "profile", errnum, "%s", real);
		}
		close_fd(&at_fd);
		at_fd = next_fd;
		if (check_trust(&st, real, err) < 0)
			return -EINVAL;
		*slash = '/';
	}
	*ret_fd = openat(at_fd, *name != '\0' ? name : ".",
			 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (*ret_fd < 0)
		return error_set(err, "profile", errno, "%s", path);
	if (fstat(*ret_fd, &st) < 0)
		return error_set(err, "profile", errno, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, "profile", 0, "%s: not a regular file", path);
	return check_trust(&st, real, err);
}

/* The text is to be freed. */
static int read_file(const char *path, char **ret_text, size_t *ret_len, struct error *err)
{
	AUTO_CLOSE int fd = -1;
	AUTO_FREE char *text = malloc(PROFILE_BYTES_MAX + 1);
	ssize_t len;
	int r;

	if (text == NULL)
		return error_set(err, "profile", ENOMEM, "%s", path);
	r = open_trusted(path, &fd, err);
	if (r < 0)
		return r;
	len = fd_read_all(fd, text, PROFILE_BYTES_MAX + 1);
	if (len < 0)
		return error_set(err, "profile", (int)-len, "read %s", path);
	if (len > PROFILE_BYTES_MAX)
		return error_set(err, "profile", 0, "%s: more than %d bytes", path,
				 PROFILE_BYTES_MAX);
	*ret_text = text;
	*ret_len = (size_t)len;
	text = NULL;
	return 0;
}

static int load_file(struct policy *draft, const char *path, struct error *err)
{
	AUTO_FREE char *text = NULL;
	size_t len = 0;
	int r = read_file(path, &text, &len, err);

	return r < 0 ? r : profile_parse(draft, path, text, len, err);
}

static int load_built_in(struct policy *draft, unsigned int i, struct error *err)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "builtin:%s", built_in[i].name);
	return profile_parse(draft, name, built_in[i].text, strlen(built_in[i].text), err);
}

static int not_found(const char *name, struct error *err)
{
	char dir[PATH_MAX];
	const char *user = directory(0, dir);
	struct suggest suggest;

	suggest_init(&suggest, name, strlen(name));
	for (unsigned int i = 0; i < ARRAY_SIZE(built_in); i++)
		suggest_try(&suggest, built_in[i].name);
	error_set(err, "profile", 0, "--profile %s: no profile of that name", name);
	return error_hint(err,
			  "%s%s%scapsule-run --list-profiles shows them; %.200s%sand %s are searched; "
			  "the path of a file has a "
			  "slash in it: ./%s",
			  suggest.best[0] != '\0' ? "did you mean " : "", suggest.best,
			  suggest.best[0] != '\0' ? "? " : "", user != NULL ? user : "", user != NULL ? " " : "",
			  directory(1, NULL),
			  name);
}

int profile_load(struct policy *draft, const char *name, struct error *err)
{
	char dir[PATH_MAX];

	if (draft->profile_paths.count == POLICY_PROFILES_MAX)
		return error_set(err, "profile", 0, "--profile %s: at most %d are read", name,
				 POLICY_PROFILES_MAX);
	if (strchr(name, '/') != NULL)
		return load_file(draft, name, err);
	if (!is_name(name)) {
		error_set(err, "profile", 0, "--profile %s: not a profile's name", name);
		return error_hint(err, "accepted: letters, digits, and _ . - within; or a path, "
				       "which has a slash in it");
	}
	for (unsigned int place = 0; place < DIRECTORY_COUNT; place++) {
		char path[PATH_MAX];
		struct stat st;
		const char *where = directory(place, dir);
		int n =
		    where == NULL ? -1 : snprintf(path, sizeof(path), "%s/%s" SUFFIX, where, name);

		/* What is there and can't be used is an error, not a reason to take the next. */
		if (n >= 0 && (size_t)n < sizeof(path) &&
		    (lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR)))
			return load_file(draft, path, err);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(built_in); i++)
		if (strcmp(built_in[i].name, name) == 0)
			return load_built_in(draft, i, err);
	return not_found(name, err);
}

/* Tries a profile and says what is in it, or why it can't be used. */
static void describe(const char *path, unsigned int i, char *buf, size_t size)
{
	AUTO_FREE char *text = NULL;
	struct policy draft;
	struct error err;
	size_t len = 0;
	int r = policy_init(&draft, &err);

	if (r == 0 && path != NULL) {
		r = read_file(path, &text, &len, &err);
		if (r == 0)
			r = profile_parse(&draft, path, text, len, &err);
	} else if (r == 0) {
		text = strdup(built_in[i].text);
		r = text == NULL ? error_set(&err, "profile", ENOMEM, "%s", built_in[i].name)
				 : load_built_in(&draft, i, &err);
		len = text == NULL ? 0 : strlen(text);
	}
	if (r == 0) {
		profile_description(text, len, buf, size);
	} else {
		(void)snprintf(buf, size, "not usable: %s%s%s", err.detail,
			       err.errnum > 0 ? ": " : "",
			       err.errnum > 0 ? strerror(err.errnum) : "");
		error_sanitize(buf);
	}
	policy_fini(&draft);
}

/* One line, unless a place that is searched earlier has the same name. */
static void list_one(FILE *out, struct strlist *names, const char *name, const char *path,
		     unsigned int i)
{
	char where[PATH_MAX];
	char text[ERROR_DETAIL_MAX + 64];
	bool shadowed = false;

	for (size_t k = 0; k < names->count; k++)
		shadowed = shadowed || strcmp(names->item[k], name) == 0;
	(void)snprintf(where, sizeof(where), "%s", path != NULL ? path : "built in");
	error_sanitize(where);
	describe(path, i, text, sizeof(text));
	fprintf(out, "%-15s %s%s\n%16s%s\n", name, where,
		shadowed ? " (shadowed by the one above)" : "", "", text);
	/* Without memory the mark alone is lost. */
	if (strlist_add(names, name) < 0)
		return;
}

static int is_profile_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > strlen(SUFFIX) && strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX) == 0 &&
	       is_name(entry->d_name);
}

void profile_list(FILE *out)
{
	struct strlist names = {NULL, 0};
	char dir[PATH_MAX];

	for (unsigned int place = 0; place < DIRECTORY_COUNT; place++) {
		const char *where = directory(place, dir);
		struct dirent **entry = NULL;
		int count = where == NULL ? 0 : scandir(where, &entry, is_profile_file, alphasort);

		for (int k = 0; k < count; k++) {
			char path[PATH_MAX];
			char name[NAME_MAX + 1];

			(void)snprintf(name, sizeof(name), "%.*s",
				       (int)(strlen(entry[k]->d_name) - strlen(SUFFIX)),
				       entry[k]->d_name);
			if (snprintf(path, sizeof(path), "%s/%s", where, entry[k]->d_name) <
			    (int)sizeof(path))
				list_one(out, &names, name, path, 0);
			free(entry[k]);
		}
		free(entry);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(built_in); i++)
		list_one(out, &names, built_in[i].name, NULL, i);
	strlist_fini(&names);
}
