/*
 * Paths: how the host's are resolved, and places in a tree that is being built. There, paths are relative to
 * the working directory, the root of that tree, and no link is followed.
 */
#ifndef CAPSULE_BASE_PATH_H
#define CAPSULE_BASE_PATH_H

#include <stdbool.h>

#include <limits.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/strlist.h"

/* Symbolic links, each with its own place (absolute, no link in it) and the text that it holds. */
struct path_links {
	struct strlist at;
	struct strlist to;
};

/* Adds one unless there is one at this place. -ENOMEM. */
ATTR_CHECKED int path_links_add(struct path_links *links, const char *at, const char *to);

void path_links_fini(struct path_links *links);

/*
 * As realpath(3), for an absolute path, and adds the links that the way led through (links may be NULL).
 * 0, or -errno: then ret_real is where the way ended, the missing component included.
 */
ATTR_CHECKED int path_resolve(const char *path, char ret_real[PATH_MAX], struct path_links *links);

/* Where a path leads, component by component, each opened once: what is judged is what is held. */
struct path_walk {
	int fd; /* O_PATH, of the end; -1 after a failure */
	struct stat st;
	char real[PATH_MAX]; /* its name, without links */
	bool by_others;	     /* a link on the way belongs to neither root nor the end's owner */
	uid_t other;
	char link[PATH_MAX]; /* that link */
};

/*
 * Walks a path, which may be relative. follow_last: a link at its end is followed, too; else that is -ELOOP.
 * 0 or -errno. ret->fd is the caller's to close.
 */
ATTR_CHECKED int path_walk(const char *path, bool follow_last, struct path_walk *ret);

/*
 * Makes a path absolute, without "//", "/." and a slash at its end. Links stay as they are named, unless the
 * path goes up from one ("link/.."): then all but the last component is resolved. 0 or -errno.
 */
ATTR_CHECKED int path_absolute(const char *path, char ret[PATH_MAX]);

/* "DIR/NAME" into a buffer of PATH_MAX; false when it does not fit. */
ATTR_CHECKED bool path_join(char *buf, const char *dir, const char *name);

/* Cuts the last component off; false, and nothing is changed, when that would leave nothing. */
bool path_to_parent(char *path);

/* The last component. */
const char *path_base(const char *path);

/* True when path is dir or lies below it; both absolute and in one spelling. */
bool path_is_below(const char *path, const char *dir);

/*
 * True for a directory that holds far more than one project's files: "/", the system's top-level ones,
 * /home and the homes in it, the caller's home and what lies above it. Absolute, in one spelling.
 */
bool path_is_wide(const char *path);

/* Makes a directory and its parents; those that exist must be directories. err names stage. */
ATTR_CHECKED int path_make_dirs(const char *path, const char *stage, struct error *err);

/* Makes an empty file, mode 0444; one that exists is left. */
ATTR_CHECKED int path_make_file(const char *path, const char *stage, struct error *err);

/* Makes the directory or file that a mount will cover, unless it is there. */
ATTR_CHECKED int path_make_target(const char *path, bool directory, const char *stage,
				  struct error *err);

#endif
