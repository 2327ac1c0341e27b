/* The interpreter and the sandbox directory: what a task needs of the caller's own files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "python/interpreter.h"
#include "run/tree.h"
#include "tool/check.h"

void check_python(struct report *report, const struct policy *policy)
{
	struct interpreter python;
	struct error err;
	int r = interpreter_find(policy->command.python, getenv("PATH"), &python, &err);

	if (r < 0) {
		report_error(report, GROUP_PYTHON, "interpreter", FINDING_MISSING, &err);
	} else {
		report_add(report, GROUP_PYTHON, "interpreter", FINDING_OK, "%s, Python 3.%u (%s)", python.exe,
			   python.minor,
			   policy->command.python != NULL ? "named by --python" : "the first python3 on PATH");
		for (size_t i = 0; i < python.roots.count; i++)
			report_add(report, GROUP_PYTHON, "prefix", FINDING_INFO, "%s is shown, read-only",
				   python.roots.item[i]);
		if (python.minor < 11)
			report_add(report, GROUP_PYTHON, "src", FINDING_INFO, "--src needs Python 3.11 or newer");
	}
	interpreter_fini(&python);
}

bool check_workdir(struct report *report, const struct policy *policy, const struct idmap *ids)
{
	const char *dir = policy->files.dir;
	bool exists = false;
	struct error err;
	struct stat st;

	if (policy->files.fresh) {
		report_add(report, GROUP_FILES, "sandbox", FINDING_OK, "an empty one in memory (--fresh)");
		return true;
	}
	if (tree_check_workdir(policy, ids, &exists, &err) < 0) {
		report_error(report, GROUP_FILES, "sandbox", FINDING_MISSING, &err);
		return false;
	}
	if (!exists)
		report_add(report, GROUP_FILES, "sandbox", FINDING_OK, "%s is not there; the first run makes it", dir);
	else if (stat(dir, &st) == 0)
		report_add(report, GROUP_FILES, "sandbox", FINDING_OK, "%s, of uid %u, mode %04o", dir, st.st_uid,
			   st.st_mode & 07777);
	return true;
}
