/*
 * Tries something in a child process, so that neither its failure nor what it changes stays with
 * us. A child dies with its parent and after a while by itself.
 */
#ifndef CAPSULE_TOOL_PROBE_H
#define CAPSULE_TOOL_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "stage/idmap.h"

/* Runs in the child. 0 or -errno with err filled. */
typedef int probe_fn(void *data, struct error *err);

/* Memory that a probe's child shares with us, zeroed; NULL when there is none. Release with
 * probe_free(). */
void *probe_alloc(size_t size);
void probe_free(void *memory, size_t size);

/*
 * Runs fn in a child of fork(2) when flags is 0, else of clone3(2) with these namespaces;
 * CLONE_NEWUSER gets the id maps of a run, and the child becomes the sandbox's user. fn NULL:
 * making it is all. 0 or -errno with err as the stage of a run would fill it.
 */
ATTR_CHECKED int probe_run(uint64_t flags, const struct idmap *ids, probe_fn *fn, void *data,
			   struct error *err);

#endif
