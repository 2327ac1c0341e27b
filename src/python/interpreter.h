/*
 * Finds the Python that will run a task, by reading only: nothing found here is executed outside the
 * sandbox (a virtual environment may have been planted).
 */
#ifndef CAPSULE_PYTHON_INTERPRETER_H
#define CAPSULE_PYTHON_INTERPRETER_H

#include <limits.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/path.h"
#include "base/strlist.h"
#include "python/choose.h"

/*
 * All paths are absolute and, exe and what is in links apart, have no link in them: Python itself may report
 * a prefix by another name, which leads there through links.
 */
struct interpreter {
	char exe[PATH_MAX];	    /* what the task execs; the same path inside. Of a virtual environment it is
				     * as it was named: Python finds the environment by it */
	char real_exe[PATH_MAX];    /* the file that runs; not always in base_prefix */
	char loader[PATH_MAX];	    /* its PT_INTERP, as it is named there; "": static */
	char prefix[PATH_MAX];	    /* sys.prefix: of the virtual environment, else as base_prefix */
	char base_prefix[PATH_MAX]; /* sys.base_prefix: holds the standard library */
	char stdlib[PATH_MAX];	    /* BASE_PREFIX/lib/python3.N; "" when a system's has it elsewhere */
	char library[32];	    /* its last component: "python3.13t" */
	struct strlist sites;	    /* directories of packages, in sys.path's order; they need not be there */
	bool is_venv;
	bool system_site; /* a virtual environment that has its base's packages, too */
	unsigned int minor; /* of Python 3.minor */
	const char *chosen_by; /* as struct choice says */
	/*
	 * What must be shown read-only besides the system's directories: roots are directories and files;
	 * links lead from the names by which Python goes to those.
	 */
	struct strlist roots;
	struct path_links links;
	struct path_links way; /* every link that discovery went through: who can write there chooses */
};

/*
 * Chooses a program (choose.h) and reads its layout. 0 or -errno with err naming what was seen and what to
 * pass; err->exit is 127 when there is none. Must be released with interpreter_fini() in either case.
 */
ATTR_CHECKED int interpreter_find(const struct interpreter_request *request, struct interpreter *ret,
				  struct error *err);

void interpreter_fini(struct interpreter *interpreter);

#endif
