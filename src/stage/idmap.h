/* User and group id maps of the new user namespace: the parent's side, and the child's. user_namespaces(7). */
#ifndef CAPSULE_STAGE_IDMAP_H
#define CAPSULE_STAGE_IDMAP_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* Who the task is on the host. */
struct idmap {
	uid_t host_uid;
	gid_t host_gid;
	bool privileged; /* written with privilege: groups can be shed, the ids are not the caller's */
};

/*
 * Chooses the host ids. An ordinary user: his own. Root: IDMAP_TASK_ID where this namespace maps it,
 * else the highest id that it maps; where it maps none but the caller's (unshare -r), the caller's own,
 * as for an ordinary user. Never fails open: host uid 0 is chosen only when uid 0 here is some
 * ordinary user of the host's and there is no other.
 */
ATTR_CHECKED int idmap_choose(struct idmap *ret, struct error *err);

/* Writes uid_map, setgroups and gid_map of a child that waits. */
ATTR_CHECKED int idmap_write(pid_t child, const struct idmap *map, struct error *err);

/* In the child, once the maps are written: sheds the groups where that can be, and becomes STAGE_UID. A change of
 * credentials: it clears PDEATHSIG. */
ATTR_CHECKED int idmap_become(const struct idmap *map, struct error *err);

#endif
