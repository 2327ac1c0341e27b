/* Descriptors: whole reads and writes, small files of the kernel's. */
#ifndef CAPSULE_BASE_FD_H
#define CAPSULE_BASE_FD_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Writes all of it, however often write() takes a part. 0 or -errno. */
ATTR_CHECKED int fd_write_all(int fd, const void *buf, size_t len);

/* Reads until EOF or until size bytes are there. Returns the count or -errno. */
ATTR_CHECKED ssize_t fd_read_all(int fd, void *buf, size_t size);

/* Copies everything from one descriptor to another in the kernel where that works. 0 or -errno. */
ATTR_CHECKED int fd_copy_all(int from_fd, int to_fd);

/* Reads a whole small file below dir_fd as a terminated string; a longer one is -EFBIG.
 * Returns its length or -errno. */
ATTR_CHECKED ssize_t fd_read_file_at(int dir_fd, const char *path, char *buf, size_t size);

/* One write() of a text to an existing file below dir_fd (cgroup and proc files take a value in one
 * write). 0 or -errno. */
ATTR_CHECKED int fd_write_file_at(int dir_fd, const char *path, const char *text);

/* As fd_read_file_at(), for a file that holds one decimal number ("max" reads as UINT64_MAX). */
ATTR_CHECKED int fd_read_u64_at(int dir_fd, const char *path, uint64_t *ret);

/* The number after KEY and a blank in a file of "key value" lines (memory.events). -ENOENT without, and *ret is
 * left alone. */
int fd_read_key_at(int dir_fd, const char *path, const char *key, uint64_t *ret);

/* Makes sure that 0, 1 and 2 are open, /dev/null standing in for a closed one, so that no later
 * descriptor takes their place. Returns a bit mask of those that were closed, or -errno. */
ATTR_CHECKED int fd_secure_stdio(void);

#endif
