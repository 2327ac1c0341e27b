/*
 * The cgroup that holds a run's limits: the supervisor's side.
 *
 * A cgroup of our own is made below the caller's, whatever the version, so that the caller's limits
 * hold as well; and the task is born in it: on v2 by CLONE_INTO_CGROUP, on v1 because the supervisor
 * joins around clone() by writing "0" to `tasks` (a pid written to cgroup.procs waits for an RCU grace
 * period). A cgroup is alive as long as somebody holds a lock on its directory; dead ones are removed
 * at the next start.
 *
 * kernel: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/{memory,pids}.rst.
 */
#ifndef CAPSULE_STAGE_CGROUP_H
#define CAPSULE_STAGE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "policy/policy.h"

#define CGROUP_PARTS 5

/* Where to look; tests give a tree of their own. */
struct cgroup_host {
	const char *mount; /* "/sys/fs/cgroup" */
	const char *self;  /* "/proc/self/cgroup" */
	const char *mountinfo; /* "/proc/self/mountinfo" */
	bool privileged;   /* real root: may use the nearest ancestor that delegates (v2) */
	dev_t disk;	   /* whose rates are limited, where the policy limits any */
};

/* One directory: the only one on v2, one for each controller on v1. */
struct cgroup_part {
	const char *controller; /* v1; "" on v2 */
	int parent_fd;
	int dir_fd;    /* holds the lock */
	int former_fd; /* v1: `tasks` of the supervisor's own group */
	char name[40];
};

struct cgroup {
	int version; /* 2, 1, or 0: none is at hand */
	struct cgroup_part part[CGROUP_PARTS];
	unsigned int part_count;
	struct cgroup_part pin;	 /* v2: around part[0], where the group above is not delegated; it has no process */
	struct cgroup_part leaf; /* v2: where the supervisor went, if it had to */
	dev_t disk; /* whose rates are limited */
	int oom_fd; /* v1: eventfd that becomes readable at an OOM; -1 */
	bool is_v2;	   /* what the host has, whether or not it is at hand */
	char why_not[256]; /* version 0: what was in the way */
};

struct cgroup_stats {
	bool has_memory;
	bool has_cpu;
	uint64_t memory_peak_bytes;
	uint64_t oom_kills;  /* by whichever limit: ours, one above us, the machine's */
	bool was_at_limit;   /* the group itself had no memory left (v1: or was near that) */
	uint64_t pids_refused; /* forks that --pids refused */
	uint64_t cpu_us;
};

/* An empty one, which cgroup_remove() takes as well as any. */
void cgroup_init(struct cgroup *cg);

/*
 * Makes the cgroup and writes the limits. 0 also when none is at hand: version is 0 then and why_not
 * says why. -errno when a limit could not be written to a cgroup that was made.
 */
ATTR_CHECKED int cgroup_create(const struct policy_limits *limits, const struct cgroup_host *host,
			       struct cgroup *ret, struct error *err);

/*
 * Removes the task's group, whose processes are gone, and makes another with the same limits in its place: nothing
 * that was counted, charged or met stays. 0 or -errno; a weaker rung is never taken. No-op when none is at hand.
 */
ATTR_CHECKED int cgroup_renew(const struct policy_limits *limits, struct cgroup *cg, struct error *err);

/* v1: the calling thread joins, so that a child is born inside, and goes back. No-ops on v2. */
ATTR_CHECKED int cgroup_enter(const struct cgroup *cg, struct error *err);
ATTR_CHECKED int cgroup_leave(const struct cgroup *cg, struct error *err);

/* v2: the descriptor for CLONE_INTO_CGROUP; else -1. */
int cgroup_clone_fd(const struct cgroup *cg);

/* What the group used so far. Fields that the kernel does not offer are left 0. */
void cgroup_read(const struct cgroup *cg, struct cgroup_stats *ret);

/* What the group needs now: all that it is charged with but page cache, which is not looked at below from_bytes. False
 * when the kernel does not tell. */
bool cgroup_needs(const struct cgroup *cg, uint64_t from_bytes, uint64_t *ret_bytes);

/* True when the kernel killed because of the group's own limit: the task is out of its memory, not the machine. */
static inline bool cgroup_is_out_of_memory(const struct cgroup_stats *stats)
{
	return stats->oom_kills > 0 && stats->was_at_limit;
}

/* Removes the group once its processes are gone. Waits a little for the kernel; what is left then is
 * removed at the next start. */
void cgroup_remove(struct cgroup *cg);

#endif
