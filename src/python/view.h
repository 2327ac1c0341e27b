/*
 * A part of what a task is shown without any narrowing: names in that full view (the system's
 * directories and the interpreter's own), links followed as the task would follow them. What is
 * added is only ever a name that the full view has, so a narrowed view can't show more.
 */
#ifndef CAPSULE_PYTHON_VIEW_H
#define CAPSULE_PYTHON_VIEW_H

#include <limits.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/path.h"
#include "base/strlist.h"

/* What to show. All are absolute paths of the full view, without links on the way. */
struct view_parts {
	struct strlist dirs;
	struct strlist files;
	struct strlist links; /* a link's path, then what it says, and so on */
};

#define VIEW_KNOWN_MAX 32U

struct view {
	const struct strlist *roots; /* shown beside the system's directories; borrowed */
	const struct path_links *links; /* and the links that lead there; borrowed */
	struct strlist real_roots;   /* where they are on the host */
	struct view_parts parts;
	void *seen; /* tsearch(3): paths in parts */
	struct strlist
	    known; /* directories that things were added from, each before what it really is */
};

/* A name that was followed to its end. */
struct view_entry {
	char path[PATH_MAX]; /* in the full view, without links */
	char host[PATH_MAX];
	struct stat st;
};

/* roots and links (struct interpreter's) must outlive the view. 0 or -errno with err; to be released
 * with view_fini() in either case. */
ATTR_CHECKED int view_init(struct view *view, const struct strlist *roots,
			   const struct path_links *links, struct error *err);

/* Follows a name. 0; -ENOENT when the full view has no such thing; -ELOOP, -ENAMETOOLONG. */
ATTR_CHECKED int view_find(struct view *view, const char *path, struct view_entry *ret);

enum view_want {
	VIEW_ANY, /* a regular file or a directory */
	VIEW_FILE,
	VIEW_LIBRARY, /* a regular file whose own name has ".so" in it: never a program */
};

/*
 * The same, and adds what is found with the links on the way. What is not wanted is -ENOENT.
 * -ENOMEM, -E2BIG when there is too much.
 */
ATTR_CHECKED int view_add(struct view *view, const char *path, enum view_want want,
			  struct view_entry *ret);

/* Hands the parts over, each once: what lies in a directory that is a part is none of its own.
 * -ENOMEM. */
ATTR_CHECKED int view_take(struct view *view, struct view_parts *ret);

void view_parts_fini(struct view_parts *parts);
void view_fini(struct view *view);

#endif
