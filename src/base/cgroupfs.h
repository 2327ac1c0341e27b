/* What the kernel's cgroup files say, for whoever has to choose a group: paths, controllers, limits. */
#ifndef CAPSULE_BASE_CGROUPFS_H
#define CAPSULE_BASE_CGROUPFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

/* The path of a controller ("" for v2's "0::PATH") in the text of /proc/PID/cgroup: buf, or NULL when it has none or
 * lies outside of our cgroup namespace. */
const char *cgroupfs_path(const char *text, const char *controller, char *buf, size_t size);

/*
 * Where a process's group lies below a hierarchy's mount. That is `path`, unless the mount shows a part of the
 * hierarchy only and the path is the whole one's, as in a container without a cgroup namespace. mountinfo names
 * /proc/self/mountinfo, mount_fd is the mount's directory. 0, or -ENOENT when the mount does not show it.
 */
ATTR_CHECKED int cgroupfs_below_mount(const char *mountinfo, int mount_fd, const char *path, char *buf, size_t size);

/* Controllers that not every run needs. */
#define CGROUPFS_CPU 1U
#define CGROUPFS_IO  2U

/* True when a file of controllers (cgroup.controllers, cgroup.subtree_control) has memory and pids, and these. */
bool cgroupfs_has_controllers(int dir_fd, const char *file, unsigned int more);

/* True when this process is the only one in the group. */
bool cgroupfs_is_alone(int dir_fd);

/* True with systemd's mark of a group in which it lets be what others do. */
bool cgroupfs_is_delegated(int dir_fd);

/* Whether a v1 group has been at its memory limit. failcnt stays 0 in newer kernels; a group that could not get one
 * page more has been within a few of its limit, as pages come in batches. */
bool cgroupfs_was_at_limit_v1(int memory_fd);

/* What a group is charged with (that file) but its page cache; below from_bytes, which costs less, cache included. False
 * when the kernel does not tell. */
bool cgroupfs_needed(int memory_fd, const char *file, uint64_t from_bytes, uint64_t *ret_bytes);

/*
 * Limits what a group reads from and writes to a block device, in bytes a second; UINT64_MAX: no limit. On v1 reads
 * alone: it does not know whose the pages are that the kernel writes later. 0 or -errno.
 */
ATTR_CHECKED int cgroupfs_set_rates(int dir_fd, bool is_v2, dev_t device, uint64_t read_bps, uint64_t write_bps);

/* True when a v2 group has limits of its own that a process would shed by leaving it: on memory, CPU or
 * block devices, or on processes below `pids`. */
bool cgroupfs_is_limited(int dir_fd, uint64_t pids);

/* Removes a group, waiting a little for processes that are still ending. */
void cgroupfs_remove(int parent_fd, const char *name);

/* Removes the groups with that prefix whose owner is gone: nobody holds a flock on their directory. */
void cgroupfs_sweep(int parent_fd, const char *prefix);

/* True when there is such a group. */
bool cgroupfs_has_dead(int parent_fd, const char *prefix);

/* True when this process is the only one in the group. */
bool cgroupfs_is_alone(int dir_fd);

/* systemd's mark of a group in which it lets be what others do. */
bool cgroupfs_is_delegated(int dir_fd);

#endif
