/* The interpreter and the sandbox directory: what a task needs of the caller's own files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "python/interpreter.h"
#include "run/python.h"
#include "run/tree.h"
#include "tool/check.h"
#include "tool/probe.h"

void check_python(struct report *report, const struct policy *policy)
{
	struct interpreter python;
	struct error err;
	const struct interpreter_request request = python_request(policy);
	int r = interpreter_find(&request, &python, &err);

	if (r < 0) {
		report_error(report, GROUP_PYTHON, "interpreter", FINDING_MISSING, &err);
	} else {
		report_add(report, GROUP_PYTHON, "interpreter", FINDING_OK, "%s, Python 3.%u (by %s)",
			   python.exe, python.minor, python.chosen_by);
		for (size_t i = 0; i < python.roots.count; i++)
			report_add(report, GROUP_PYTHON, "prefix", FINDING_INFO,
				   "%s is shown, read-only", python.roots.item[i]);
		if (python.minor < 11)
			report_add(report, GROUP_PYTHON, "src", FINDING_INFO,
				   "--src needs Python 3.11 or newer");
	}
	interpreter_fini(&python);
}

/* As for a --dir of another user's, on that file system. */
static int map_owner(void *data, struct error *err)
{
	const struct idmap *ids = data;
	AUTO_CLOSE int tree_fd = open_tree(AT_FDCWD, "/tmp", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	/* Whoever the owner is: what counts is whether the file system takes a map. */
	struct stat st = {.st_uid = 1000, .st_gid = 1000};

	return tree_fd < 0 ? error_set(err, "files", errno, "open_tree /tmp")
			   : tree_map_owner(tree_fd, "/tmp", &st, ids, err);
}

/* Root hands directories in as mounts; false when it can't. */
static bool check_mounts(struct report *report, const struct idmap *ids)
{
	struct idmap copy = *ids;
	struct error err;

	if (!ids->privileged)
		return true;
	if (probe_run(0, NULL, map_owner, &copy, &err) == 0) {
		report_add(report, GROUP_FILES, "id-mapped", FINDING_OK,
			   "/tmp takes a map: another user's --dir works");
		return true;
	}
	if (strncmp(err.detail, "open_tree", 9) == 0) {
		report_error(report, GROUP_FILES, "mounts", FINDING_MISSING, &err);
		return false;
	}
	report_error(report, GROUP_FILES, "id-mapped", FINDING_INFO, &err);
	return true;
}

enum workdir check_workdir(struct report *report, const struct policy *policy,
			   const struct idmap *ids)
{
	const char *dir = policy->files.dir;
	bool has_mounts = check_mounts(report, ids);
	bool exists = false;
	struct error err;
	struct stat st;

	if (policy->files.fresh) {
		report_add(report, GROUP_FILES, "sandbox", FINDING_OK,
			   "an empty one in memory (--fresh)");
		return WORKDIR_READY;
	}
	if (tree_check_workdir(policy, ids, &exists, &err) < 0) {
		report_error(report, GROUP_FILES, "sandbox", FINDING_MISSING, &err);
		return WORKDIR_REFUSED;
	}
	if (!exists || stat(dir, &st) < 0) {
		report_add(report, GROUP_FILES, "sandbox", FINDING_OK,
			   "%s is not there; the first run makes it", dir);
		return has_mounts ? WORKDIR_PENDING : WORKDIR_REFUSED;
	}
	report_add(report, GROUP_FILES, "sandbox", FINDING_OK, "%s, of uid %u, mode %04o", dir,
		   st.st_uid, st.st_mode & 07777);
	if (!has_mounts)
		return WORKDIR_REFUSED;
	return ids->privileged && st.st_uid == 0 ? WORKDIR_PENDING : WORKDIR_READY;
}
