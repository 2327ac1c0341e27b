#include "run/python.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "python/closure.h"
#include "python/editable.h"
#include "python/interpreter.h"
#include "python/prefix.h"
#include "python/taskfile.h"
#include "run/tree.h"

#define NAME "python"

/* Module path, safe path and user site as the Python at hand has them: -P is there since 3.11. */
static int python_argv(const struct policy *policy, const struct interpreter *python, struct plan *plan,
		       struct error *err)
{
	const struct policy_command *command = &policy->command;
	bool has_safe_path = python->minor >= 11;
	struct strlist *argv = &plan->argv;
	int r = strlist_add(argv, python->exe);

	if (!has_safe_path && policy->files.src.count > 0) {
		error_set(err, "python", 0, "--src needs Python 3.11 or newer; %s is 3.%u", python->exe,
			  python->minor);
		return error_hint(err, "pass a newer one with --python");
	}
	/* -I ignores PYTHONUNBUFFERED. */
	if (r == 0)
		r = strlist_add(argv, has_safe_path ? "-P" : "-I");
	if (r == 0)
		r = strlist_add(argv, has_safe_path ? "-s" : "-u");
	/* A directory is put on sys.path by Python itself, in every version and with every option. */
	if (r == 0 && command->pass != PASS_SCRIPT)
		r = strlist_add(argv, TASKFILE_DIR);
	if (r == 0 && command->pass != PASS_SCRIPT)
		r = strlist_add(argv, command->pass == PASS_CONFIG    ? "config"
				       : command->pass == PASS_DECLARE ? "declare"
				       : command->pass == PASS_CALL  ? "call"
								     : "call-function");
	if (r == 0 && command->pass != PASS_SCRIPT)
		r = strlist_add(argv, command->task != NULL ? command->task : "");
	if (r == 0 && command->kind == COMMAND_SCRIPT)
		r = strlist_add(argv, plan->script_guest);
	if (r == 0 && command->kind == COMMAND_STDIN)
		r = strlist_add(argv, "-");
	if (r == 0 && (command->kind == COMMAND_CODE || command->kind == COMMAND_MODULE)) {
		r = strlist_add(argv, command->kind == COMMAND_CODE ? "-c" : "-m");
		if (r == 0)
			r = strlist_add(argv, command->target);
	}
	return r < 0 ? error_set(err, "python", ENOMEM, "argv") : 0;
}

/* Nothing that a task can change may decide which program runs next time, or be shown as read-only. */
static int refuse_writable(const struct plan *plan, const struct interpreter *python, struct error *err)
{
	const struct strlist *const lists[] = {&python->roots, &python->way.at, &python->links.at};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		for (size_t k = 0; k < lists[i]->count; k++) {
			const char *path = lists[i]->item[k];

			if (!plan_is_writable(plan, path))
				continue;
			error_set(err, NAME, 0, "%s: %s lies where tasks write", python->exe, path);
			return error_hint(err, "pass another interpreter with --python");
		}
	}
	return 0;
}

static int add_trees(struct plan *plan, const struct interpreter *python, struct error *err)
{
	size_t first = plan->tree_count;
	int r = 0;

	for (size_t i = 0; i < python->roots.count && r == 0; i++) {
		const char *path = python->roots.item[i];

		if (policy_check_guest(path, err) < 0) {
			error_set(err, NAME, 0, "%s: nothing of the host's can be shown at %s", python->exe, path);
			return error_hint(err, "install it elsewhere, or pass another one with --python");
		}
		r = tree_add(plan, path, path, false, err);
	}
	for (size_t i = 0; i < python->links.at.count && r == 0; i++)
		r = tree_add_link(plan, python->links.at.item[i], python->links.to.item[i], err);
	for (size_t i = first; i < plan->tree_count; i++)
		plan->trees[i].runtime = true;
	/* What the user binds into a prefix is put over it. */
	return r < 0 || first == plan->tree_count ? r : tree_put_first(plan, first, err);
}

/* What the interpreter can't start without must be among what is shown; by_name: by this name. */
static int need_shown(const struct plan *plan, const struct interpreter *python, const char *what,
		      const char *path, bool by_name, struct error *err)
{
	char real[PATH_MAX];
	int r;

	if (*path == '\0' || prefix_is_system(path))
		return 0;
	r = path_resolve(path, real, NULL);
	if (r < 0) {
		error_set(err, NAME, -r, "%s: its %s %s", python->exe, what, path);
		return error_hint(err, "pass another interpreter with --python");
	}
	if ((prefix_is_system(real) || tree_is_shown(plan, real)) && (!by_name || tree_is_shown(plan, path)))
		return 0;
	(void)path_to_parent(real);
	error_set(err, NAME, 0, "%s: its %s %s lies outside of its prefix %s", python->exe, what, path,
		  python->base_prefix);
	/* The stores of Nix and Guix are open to all, and each program in them needs many others. */
	if (path_is_below(real, "/nix/store") || path_is_below(real, "/gnu/store"))
		return error_hint(err, "show it as well: --bind %.10s", real);
	return error_hint(err, "show it as well: --bind %s", real);
}

/* Whether others may do this: as root the task is nobody that the files know. */
static bool is_open(const struct plan *plan, const struct stat *st, mode_t mode)
{
	return (st->st_mode & mode) == mode ||
	       (st->st_uid == plan->ids.host_uid && ((st->st_mode >> 6) & mode) == mode);
}

/* Root's interpreter may be closed to the task's user. From the place that is shown down to the file. */
static int need_open(const struct plan *plan, const char *file, mode_t mode, struct error *err)
{
	size_t start = 0;

	for (size_t i = 0; i < plan->tree_count; i++)
		if (!plan->trees[i].link && path_is_below(file, plan->trees[i].guest))
			start = strlen(plan->trees[i].guest);
	for (size_t end = start; start != 0 && end <= strlen(file); end++) {
		char part[PATH_MAX];
		struct stat st;

		if (file[end] != '/' && file[end] != '\0')
			continue;
		memcpy(part, file, end);
		part[end] = '\0';
		if (stat(part, &st) < 0)
			return error_set(err, NAME, errno, "%s", part);
		if (is_open(plan, &st, S_ISDIR(st.st_mode) ? S_IXOTH : mode))
			continue;
		error_set(err, NAME, 0, "%s is closed to the task's user (uid %u)", part, plan->ids.host_uid);
		return error_hint(err, "open it to others: chmod -R go+rX %s; or run capsule-run as its owner",
				  part);
	}
	return 0;
}

static int check_access(const struct plan *plan, const struct interpreter *python, struct error *err)
{
	char landmark[PATH_MAX];
	int r = need_shown(plan, python, "library", python->stdlib, false, err);

	if (r == 0)
		r = need_shown(plan, python, "loader", python->loader, true, err);
	if (r < 0 || !plan->ids.privileged)
		return r;
	r = need_open(plan, python->real_exe, S_IROTH | S_IXOTH, err);
	if (r == 0 && path_join(landmark, python->stdlib, "os.py"))
		r = need_open(plan, landmark, S_IROTH, err);
	return r;
}

/* For --verbose: which Python, why, and which of its packages will be missed. */
static int note(struct plan *plan, const struct interpreter *python)
{
	struct strlist editable = {NULL, 0};
	int r = strlist_addf(&plan->notes, "Python 3.%u of %s (%s)%s%s", python->minor, python->exe,
			     python->chosen_by, python->is_venv ? ", made from " : "",
			     python->is_venv ? python->base_prefix : "");

	for (size_t i = 0; i < python->sites.count && r == 0; i++)
		r = editable_find(python->sites.item[i], &editable);
	for (size_t i = 0; i < editable.count && r == 0; i++) {
		const char *path = editable.item[i];

		if (!prefix_is_system(path) && !tree_is_shown(plan, path))
			r = strlist_addf(&plan->notes,
					 "a package is imported from %s, which is not shown: pass --bind %s", path,
					 path);
	}
	strlist_fini(&editable);
	return r;
}

static int set_directories(struct plan *plan, const struct interpreter *python)
{
	const char *slash = strrchr(python->exe, '/');
	char *bin = strndup(python->exe, (size_t)(slash - python->exe));

	plan->python_bin = bin;
	if (bin == NULL)
		return -ENOMEM;
	if (python->is_venv) {
		plan->venv = strndup(bin, (size_t)(strrchr(bin, '/') - bin));
		return plan->venv == NULL ? -ENOMEM : 0;
	}
	return 0;
}

struct interpreter_request python_request(const struct policy *policy)
{
	return (struct interpreter_request){
	    .python = policy->command.python,
	    .venv = policy->command.venv,
	    .search_path = getenv("PATH"),
	    .active_venv = getenv("VIRTUAL_ENV"),
	};
}

int python_plan(const struct policy *policy, struct plan *plan, struct error *err)
{
	const struct interpreter_request request = python_request(policy);
	struct interpreter python;
	int r = interpreter_find(&request, &python, err);

	if (r == 0)
		r = refuse_writable(plan, &python, err);
	if (r == 0)
		r = add_trees(plan, &python, err);
	if (r == 0)
		r = check_access(plan, &python, err);
	if (r == 0 && policy->files.runtime == RUNTIME_CLOSURE) {
		r = closure_find(&python, &plan->parts, err);
		plan->runtime = (struct stage_runtime){.dirs = &plan->parts.dirs,
						       .files = &plan->parts.files,
						       .links = &plan->parts.links};
	}
	if (r == 0 && policy->command.kind != COMMAND_EXEC) {
		r = python_argv(policy, &python, plan, err);
		plan->python_minor = python.minor;
		plan->exe = strdup(python.exe);
		if (r == 0 && plan->exe == NULL)
			r = error_set(err, NAME, ENOMEM, "%s", python.exe);
	}
	if (r == 0 && (set_directories(plan, &python) < 0 || (policy->verbose && note(plan, &python) < 0)))
		r = error_set(err, NAME, ENOMEM, "%s", python.exe);
	interpreter_fini(&python);
	return r;
}
