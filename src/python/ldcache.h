/* /etc/ld.so.cache: where the dynamic linker finds a library by its name. ld.so(8), ldconfig(8). */
#ifndef CAPSULE_PYTHON_LDCACHE_H
#define CAPSULE_PYTHON_LDCACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct ldcache {
	char *data; /* the file, a NUL behind it */
	size_t size;
	size_t base;	/* where the entries' offsets count from */
	size_t entries; /* offset of the first entry */
	uint32_t count;
	uint32_t *buckets; /* hash table over the names: entry + 1, or 0 */
	uint32_t *next;
};

/* Reads the cache. A machine without one, and a file that is not understood, have no entries: 0.
 * -ENOMEM. To be released with ldcache_fini() in either case. */
ATTR_CHECKED int ldcache_load(const char *path, struct ldcache *ret);

/*
 * The paths of a library of this machine's kind, one a call: at starts as 0 and is the call's own.
 * NULL when there are no more. There are several where a machine has variants for newer processors.
 */
const char *ldcache_find(const struct ldcache *cache, const char *name, uint32_t *at);

void ldcache_fini(struct ldcache *cache);

#endif
