/* What of the host's file system a task is shown: judged here, mounted by the stages. */
#ifndef CAPSULE_RUN_TREE_H
#define CAPSULE_RUN_TREE_H

#include <sys/stat.h>

#include "base/path.h"
#include "run/plan.h"

/* Adds one file or directory by its real path. */
ATTR_CHECKED int tree_add(struct plan *plan, const char *real, const char *guest, bool writable,
			  struct error *err);

/*
 * Adds a file or directory that a path of the caller's leads to, read-only. As root no user's link may lead to
 * what is not that user's.
 */
ATTR_CHECKED int tree_add_walked(struct plan *plan, const char *path, const char *guest, struct error *err);

/* That rule, for a path that was walked. */
ATTR_CHECKED int tree_check_links(const struct idmap *ids, const char *path, const struct path_walk *walk,
				  struct error *err);

/* Adds a symbolic link at a path without links, holding a text. */
ATTR_CHECKED int tree_add_link(struct plan *plan, const char *guest, const char *target, struct error *err);

/* Moves what was added last, from this index on, before all else: later trees are put over earlier ones. */
ATTR_CHECKED int tree_put_first(struct plan *plan, size_t from, struct error *err);

/* True when a path without links is among what was added: by its name inside, with the same file behind it. */
bool tree_is_shown(const struct plan *plan, const char *path);

/* Adds what an option ("--bind" or "--src") shows. Refuses "/", kernel file systems, sockets and devices. */
ATTR_CHECKED int tree_add_bind(struct plan *plan, const char *option, const struct policy_bind *bind,
			       struct error *err);

/*
 * As root, once init has mounted what was made: makes all of it again, of the same files and directories. ESTALE when one
 * of them was replaced. No-op for an ordinary user, whose trees init opens itself.
 */
ATTR_CHECKED int tree_renew(struct plan *plan, struct error *err);

/*
 * Opens (the default one: makes) the sandbox directory and adds it. It must be a real directory of the
 * caller's own. For root it must end up with the task's uid: root's own is handed over, another user's
 * keeps its owner behind an id-mapped mount.
 */
ATTR_CHECKED int tree_add_workdir(const struct policy *policy, struct plan *plan, struct error *err);

/* Judges the sandbox directory as tree_add_workdir() would, and changes nothing. *ret_exists: it is there; the default
 * one need not be, if it could be made. */
ATTR_CHECKED int tree_check_workdir(const struct policy *policy, const struct idmap *ids, bool *ret_exists,
				    struct error *err);

/* Gives a detached mount of the directory host, which has an owner of st's, to the task's id: an id-mapped mount. Root
 * only. */
ATTR_CHECKED int tree_map_owner(int tree_fd, const char *host, const struct stat *st, const struct idmap *ids,
				struct error *err);

#endif
