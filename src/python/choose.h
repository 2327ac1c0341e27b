/* Which program is the interpreter: from what was asked and the caller's environment to one path. */
#ifndef CAPSULE_PYTHON_CHOOSE_H
#define CAPSULE_PYTHON_CHOOSE_H

#include <limits.h>

#include "base/error.h"
#include "python/program.h"

/* What may say which one; each may be NULL. */
struct interpreter_request {
	const char *python;	 /* --python: a path, or a name to look for on search_path */
	const char *venv;	 /* --venv: the directory of a virtual environment */
	const char *search_path; /* PATH */
	const char *active_venv; /* VIRTUAL_ENV */
};

/* A program whose layout nobody has looked at yet. */
struct choice {
	char path[PATH_MAX]; /* absolute, as it was named */
	struct program program;
	const char *by; /* "--venv", "--python", "VIRTUAL_ENV" or "PATH"; set on failure, too */
};

/*
 * --venv, else --python, else the active virtual environment when its programs are not on PATH at all, else
 * the first python3 on PATH, as a shell would find it; relative entries of PATH are passed over. Shims are
 * resolved by reading (shim.h). 0 or -errno with err saying what was seen and what to pass; err->exit is 127
 * when there is none, 2 when --venv and --python contradict each other.
 */
ATTR_CHECKED int choose_program(const struct interpreter_request *request, struct choice *ret,
				struct error *err);

#endif
