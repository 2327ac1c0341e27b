/*
 * What of an installation is shown to a task.
 *
 * A prefix that holds nothing but a Python is shown as it is, by one mount. Of one that holds other things as
 * well, the parts that belong to a Python are; and where nothing says that those are a Python's alone (/opt,
 * ~/.local, a home directory), the interpreter and its library only. What a user has beside them stays unseen.
 */
#ifndef CAPSULE_PYTHON_PREFIX_H
#define CAPSULE_PYTHON_PREFIX_H

#include <stdbool.h>

#include "base/path.h"

/* True for what every task sees: /usr, /bin, /lib... */
bool prefix_is_system(const char *path);

/* True for a directory that many things share, whatever lies in it now. path has no link in it. */
bool prefix_is_shared(const char *path);

/* "DIR/lib/LIBRARY" or "DIR/lib64/LIBRARY", the one that holds os.py. LIBRARY is "python3.11". */
ATTR_CHECKED bool prefix_find_stdlib(const char *dir, const char *library, char ret[PATH_MAX]);

/*
 * Adds what must be shown of a prefix: directories and files to roots, links to links. dir has no link in it;
 * library is "python3.11"; exe is its interpreter, no link in it, or NULL; is_venv: it has a pyvenv.cfg.
 * Adds nothing for the system's. 0, -ENOMEM or another -errno when dir can't be read.
 */
ATTR_CHECKED int prefix_show(const char *dir, const char *library, const char *exe, bool is_venv,
			     struct strlist *roots, struct path_links *links);

#endif
