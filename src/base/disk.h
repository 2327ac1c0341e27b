/* Which disk a file lies on. */
#ifndef CAPSULE_BASE_DISK_H
#define CAPSULE_BASE_DISK_H

#include <sys/types.h>

#include "base/attr.h"

/*
 * The number of the whole disk under the file system of fd: of a partition the disk that it is a part of. sys is
 * where /sys is. 0 or -errno: -ENODEV when the file system has no device of its own (one in memory, a network's, an
 * overlay, btrfs, which spreads over several).
 */
ATTR_CHECKED int disk_of(int fd, const char *sys, dev_t *ret);

#endif
