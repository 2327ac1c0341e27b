/* Finds the shared objects among Python's modules: by what installers recorded, else by looking. */
#ifndef CAPSULE_PYTHON_MODULES_H
#define CAPSULE_PYTHON_MODULES_H

#include <stdbool.h>

#include "base/attr.h"

/*
 * What was found: a path below the directory that was asked about. A link that is no library may
 * lead anywhere. Returns 0, or -errno, which ends the search.
 */
typedef int modules_fn(void *data, const char *path, bool is_link, bool is_library);

/*
 * Looks through a directory of modules and packages (lib-dynload, site-packages), which dir names
 * on the host. What a *.dist-info/RECORD there lists is taken from it: reading is ten times faster
 * than looking, and whoever falsifies one misses libraries. A directory that is not there has no
 * modules.
 */
ATTR_CHECKED int modules_find(const char *dir, modules_fn *found, void *data);

#endif
