/*
 * Finds the Python that will run a task, by reading only: nothing found here is executed outside the
 * sandbox (a virtual environment may have been planted).
 */
#ifndef CAPSULE_PYTHON_INTERPRETER_H
#define CAPSULE_PYTHON_INTERPRETER_H

#include <limits.h>

#include "base/error.h"
#include "base/strlist.h"

struct interpreter {
	char exe[PATH_MAX];   /* what the task execs; the same path inside */
	struct strlist roots; /* directories outside /usr that it needs, shown read-only */
	unsigned int minor;   /* of Python 3.minor */
};

/*
 * Resolves --python (path, may be NULL) or the first python3 on search_path (may be NULL). A pyenv
 * shim is resolved as pyenv would, from PYENV_VERSION, .python-version files and ROOT/version. 0 or
 * -errno with err naming what was seen and what to pass; err->exit is 127 when there is none.
 */
ATTR_CHECKED int interpreter_find(const char *path, const char *search_path, struct interpreter *ret,
				  struct error *err);

void interpreter_fini(struct interpreter *interpreter);

#endif
