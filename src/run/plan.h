/*
 * Everything about a run that can fail or allocate, resolved on the host with the caller's rights before
 * anything is cloned: directories, bindings, interpreter, script, argv, environment, result file.
 */
#ifndef CAPSULE_RUN_PLAN_H
#define CAPSULE_RUN_PLAN_H

#include "policy/policy.h"
#include "python/view.h"
#include "stage/idmap.h"
#include "stage/stage.h"

struct plan {
	struct idmap ids;
	struct stage_tree *trees;
	size_t tree_count;
	struct view_parts parts;      /* with --runtime closure */
	struct stage_runtime runtime; /* the same, as the stages take it */
	int workdir_fd; /* the sandbox directory on the host; -1 with --fresh */
	int script_fd;
	char *script_guest;
	uint64_t script_bytes;
	struct stage_file *module; /* of a task file: the module capsule and what starts it */
	size_t module_count;
	char *arguments; /* --args-file's text, or NULL */
	char *exe; /* what the task execs, as a path inside or a name for PATH */
	unsigned int python_minor; /* of Python 3.minor; 0 with --exec */
	char *python_bin; /* the interpreter's directory, first on PATH; NULL: none is at hand */
	char *venv;	  /* the virtual environment's directory, or NULL */
	struct strlist notes; /* on the interpreter, for --verbose */
	struct strlist argv;
	bool takes_stacks; /* the task is a Python that can be asked for its stacks, and may have to be */
	struct strlist env;
	uint64_t nofile;
	int result_fd; /* the verdict's file, or -1 */
	int net_log_fd; /* --net-log, or -1 */
};

/* Fills a plan for a frozen policy. 0 or -errno with err; err->exit tells 126 and 127 from 125. The plan
 * must be released with plan_fini() in either case. */
ATTR_CHECKED int plan_make(const struct policy *policy, struct plan *ret, struct error *err);

/* True when a real path lies in a directory that the task may write to, by its name inside or outside. */
bool plan_is_writable(const struct plan *plan, const char *path);

void plan_fini(struct plan *plan);

#endif
