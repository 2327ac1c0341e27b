#include "run/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "python/taskfile.h"
#include "run/arguments.h"
#include "run/python.h"
#include "run/tree.h"

bool plan_is_writable(const struct plan *plan, const char *path)
{
	if (path_is_below(path, POLICY_DEFAULT_DIR))
		return true;
	for (size_t i = 0; i < plan->tree_count; i++)
		if (plan->trees[i].writable && path_is_below(path, plan->trees[i].host))
			return true;
	return false;
}

/* What we write must lie where no task can: not below a directory that this one is given. */
static int check_result_place(const struct plan *plan, int result_fd, const char *option, const char *path,
			      struct error *err)
{
	char link[32];
	char real[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (fstat(result_fd, &st) < 0)
		return error_set(err, option, errno, "%s", path);
	if (S_ISDIR(st.st_mode))
		return error_set(err, option, EISDIR, "%s", path);
	if (!S_ISREG(st.st_mode))
		return 0;
	if (st.st_nlink > 1)
		return error_set(err, option, 0, "%s: has another name, which the task might reach", path);
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", result_fd);
	n = readlink(link, real, sizeof(real) - 1);
	if (n < 0)
		return error_set(err, option, errno, "%s", path);
	real[n] = '\0';
	for (char *slash = real + n; slash != NULL && slash > real; slash = strrchr(real, '/')) {
		*slash = '\0';
		if (stat(slash == real ? "/" : real, &st) < 0)
			continue;
		for (size_t i = 0; i < plan->tree_count; i++) {
			const struct stage_tree *tree = &plan->trees[i];

			if (tree->writable && tree->dev == st.st_dev && tree->ino == st.st_ino) {
				error_set(err, option, 0, "%s lies where the task can write", path);
				return error_hint(err, "choose a file outside %s", tree->host);
			}
		}
	}
	return 0;
}

/* Whether the way to a file, link by link, leads through a place of the task's. dir is where a relative
 * path starts. */
static bool passes_writable_place(const struct plan *plan, const char *dir, const char *path)
{
	AUTO_FREE char *way = NULL;
	AUTO_FREE char *real = NULL;
	size_t length;

	if (asprintf(&way, "%s/%s", *path == '/' ? "" : dir, path) < 0)
		return true;
	length = strlen(way);
	for (size_t i = 1; i < length; i++) {
		bool is_writable;

		if (way[i] != '/')
			continue;
		way[i] = '\0';
		free(real);
		real = realpath(way, NULL);
		is_writable = real != NULL && plan_is_writable(plan, real);
		way[i] = '/';
		if (is_writable)
			return true;
	}
	return false;
}

/* Before anything is made: no task may have a say in where the verdict goes. */
static int check_result_name(const struct plan *plan, const char *option, const char *path, struct error *err)
{
	AUTO_FREE char *cwd = realpath(".", NULL);
	AUTO_FREE char *dir = NULL;
	char target[PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct stat st;
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	bool refused = cwd == NULL || passes_writable_place(plan, cwd, path);

	if (!refused && n > 0) {
		target[n] = '\0';
		if (slash == NULL)
			dir = strdup(cwd);
		else if (asprintf(&dir, "%s%s%.*s", *path == '/' ? "" : cwd, *path == '/' ? "" : "/",
				  (int)(slash - path), path) < 0)
			dir = NULL;
		refused = dir == NULL || passes_writable_place(plan, dir, target);
	}
	if (refused) {
		error_set(err, option, 0, "--%s %s: lies where the task can write", option, path);
		return error_hint(err, "choose a file outside the sandbox directory");
	}
	if (n > 0 && stat(path, &st) < 0)
		return error_set(err, option, errno, "--%s %s: a link to nowhere", option, path);
	return 0;
}

static int take_result_fd(const struct policy *policy, struct plan *plan, struct error *err)
{
	int flags;

	if (policy->result_fd < 0)
		return 0;
	flags = fcntl(policy->result_fd, F_GETFL);
	if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY)
		return error_set(err, "result", 0, "--result %s: not open for writing", policy->result);
	plan->result_fd = flags < 0 ? -1 : fcntl(policy->result_fd, F_DUPFD_CLOEXEC, 3);
	return plan->result_fd < 0 ? error_set(err, "result", errno, "--result %s", policy->result) : 0;
}

/* A path that leads through the process's own descriptors, which no other user's link can do. */
static bool is_descriptor(const char *path)
{
	return path_is_below(path, "/dev/fd") || path_is_below(path, "/proc/self/fd") ||
	       strcmp(path, "/dev/stdin") == 0 || strcmp(path, "/dev/stdout") == 0;
}

/* As root: what was opened is where the path leads, and no user's link led to what is not his. */
static int check_opened(const struct plan *plan, const char *path, int fd, const char *stage, struct error *err)
{
	struct path_walk walk;
	struct stat st;
	int r;

	if (!plan->ids.privileged || is_descriptor(path) || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	r = path_walk(path, true, &walk);
	if (r < 0)
		return error_set(err, stage, -r, "%s", path);
	if (walk.st.st_dev != st.st_dev || walk.st.st_ino != st.st_ino)
		r = error_set(err, stage, ESTALE, "%s: replaced while starting", path);
	else
		r = tree_check_links(&plan->ids, path, &walk, err);
	close_fd(&walk.fd);
	return r;
}

static int open_result(const struct policy *policy, struct plan *plan, struct error *err)
{
	int r;

	if (policy->result == NULL)
		return 0;
	if (plan->result_fd < 0) {
		r = check_result_name(plan, "result", policy->result, err);
		if (r < 0)
			return r;
		/* Not truncated yet: a start that fails leaves an older verdict until ours is written. */
		plan->result_fd = open(policy->result, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
		if (plan->result_fd < 0)
			return error_set(err, "result", errno, "--result %s", policy->result);
		r = check_opened(plan, policy->result, plan->result_fd, "result", err);
	} else {
		r = 0;
	}
	if (r == 0)
		r = check_result_place(plan, plan->result_fd, "result", policy->result, err);
	/* No verdict goes where it was refused. */
	if (r < 0)
		close_fd(&plan->result_fd);
	return r;
}

/* What a task file needs beside itself. */
static int add_module(const struct policy *policy, struct plan *plan, struct error *err)
{
	bool has_arguments = policy->command.args_file != NULL && !policy_is_question(policy);
	int r = has_arguments ? arguments_read(policy->command.args_file, &plan->arguments, err) : 0;

	if (r < 0)
		return r;
	plan->module = calloc(taskfile_part_count + 1, sizeof(*plan->module));
	if (plan->module == NULL)
		return error_set(err, "script", ENOMEM, "the module capsule");
	for (size_t i = 0; i < taskfile_part_count; i++) {
		plan->module[i] = (struct stage_file){taskfile_parts[i].name, taskfile_parts[i].text};
		/* Whole pages, and the directories. */
		plan->script_bytes += strlen(taskfile_parts[i].text) + 8192;
	}
	plan->module_count = taskfile_part_count;
	if (has_arguments) {
		plan->module[plan->module_count++] = (struct stage_file){ARGUMENTS_NAME, plan->arguments};
		plan->script_bytes += strlen(plan->arguments) + 8192;
	}
	return 0;
}

/* As the verdict's file, but that lines are added to what is there. */
static int open_net_log(const struct policy *policy, struct plan *plan, struct error *err)
{
	const char *path = policy->network.log;
	int r;

	if (path == NULL || !policy_has_network(policy))
		return 0;
	r = check_result_name(plan, "net-log", path, err);
	if (r < 0)
		return r;
	plan->net_log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
	if (plan->net_log_fd < 0)
		return error_set(err, "net-log", errno, "--net-log %s", path);
	r = check_opened(plan, path, plan->net_log_fd, "net-log", err);
	return r < 0 ? r : check_result_place(plan, plan->net_log_fd, "net-log", path, err);
}

/* A script that comes from a pipe is read once, so that every attempt has it. */
static int keep_script(const char *path, struct plan *plan, struct error *err)
{
	AUTO_CLOSE int kept_fd = memfd_create("script", MFD_CLOEXEC);
	int r = kept_fd < 0 ? -errno : fd_copy_all(plan->script_fd, kept_fd);

	if (r == 0 && lseek(kept_fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r < 0)
		return error_set(err, "script", -r, "%s", path);
	close_fd(&plan->script_fd);
	plan->script_fd = take_fd(&kept_fd);
	return 0;
}

static int open_script(const struct policy *policy, struct plan *plan, struct error *err)
{
	const char *path = policy->command.target;
	AUTO_FREE char *real = NULL;
	struct stat st;
	const char *base;
	char magic[4];
	int n;
	int r;

	plan->script_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (plan->script_fd < 0 || fstat(plan->script_fd, &st) < 0) {
		error_set(err, "script", errno, "%s", path);
		err->exit = errno == ENOENT ? 127 : 126;
		return -err->errnum;
	}
	base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	if (S_ISDIR(st.st_mode)) {
		AUTO_FREE char *main_py = NULL;

		close_fd(&plan->script_fd);
		real = realpath(path, NULL);
		if (real == NULL || asprintf(&main_py, "%s/__main__.py", real) < 0)
			return error_set(err, "script", errno, "%s", path);
		if (access(main_py, R_OK) < 0) {
			error_set(err, "script", errno, "%s is a directory without __main__.py", path);
			err->exit = 127;
			return -err->errnum;
		}
		base = strrchr(real, '/') + 1;
		n = asprintf(&plan->script_guest, "/task/%s", *base == '\0' ? "root" : base);
		if (n < 0)
			return error_set(err, "script", ENOMEM, "%s", path);
		return tree_add_walked(plan, path, plan->script_guest, err);
	}
	if (check_opened(plan, path, plan->script_fd, "script", err) < 0 ||
	    (policy->retry.max > 0 && !S_ISREG(st.st_mode) && keep_script(path, plan, err) < 0))
		return -EPERM;
	if (S_ISREG(st.st_mode) && pread(plan->script_fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	    memcmp(magic, "\177ELF", sizeof(magic)) == 0) {
		error_set(err, "script", 0, "%s: a program, not Python", path);
		err->exit = 126;
		return error_hint(err, "--exec runs programs: capsule-run --exec -- %s", path);
	}
	plan->script_bytes = S_ISREG(st.st_mode) && st.st_size > 0 ? (uint64_t)st.st_size : 0;
	r = policy->command.pass == PASS_SCRIPT ? 0 : add_module(policy, plan, err);
	if (r < 0)
		return r;
	/* "3" of /dev/fd/3 or /proc/self/fd/3 is no name to show in a traceback. */
	n = asprintf(&plan->script_guest, "/task/%s", S_ISREG(st.st_mode) ? base : "script.py");
	return n < 0 ? error_set(err, "script", ENOMEM, "%s", path) : 0;
}

static int plan_command(const struct policy *policy, struct plan *plan, struct error *err)
{
	int r = 0;

	if (policy->command.kind == COMMAND_SCRIPT)
		r = open_script(policy, plan, err);
	/* A program that is not Python has an interpreter at hand when one was asked for. */
	if (r == 0 && (policy->command.kind != COMMAND_EXEC || policy->command.python != NULL ||
		       policy->command.venv != NULL))
		r = python_plan(policy, plan, err);
	if (r == 0 && policy->command.kind == COMMAND_EXEC) {
		plan->exe = strdup(policy->command.target);
		r = plan->exe == NULL ? -ENOMEM : strlist_add(&plan->argv, policy->command.target);
		if (r < 0)
			return error_set(err, "exec", ENOMEM, "argv");
	}
	for (size_t i = 0; i < policy->command.args.count && r == 0; i++)
		if (strlist_add(&plan->argv, policy->command.args.item[i]) < 0)
			r = error_set(err, "exec", ENOMEM, "argv");
	return r;
}

/* How many threads a pool of the task's should have: the cores that it may use. */
static unsigned int thread_count(const struct policy *policy)
{
	uint64_t cores = policy->limits.cpu_milli / 1000 + (policy->limits.cpu_milli % 1000 != 0);
	cpu_set_t set;
	unsigned int here = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
		here = (unsigned int)CPU_COUNT(&set);
	return cores < here ? (unsigned int)cores : here;
}

static int set_env(struct strlist *env, const char *name, const char *value)
{
	return strlist_addf(env, "%s=%s", name, value);
}

/* What a program must know of the terminal that it will have. It is the task's to believe, so any value will do. */
static int set_terminal_env(const struct policy *policy, struct strlist *env)
{
	static const char *const names[] = {"TERM", "COLORTERM"};
	int r = 0;

	if (policy_captures(policy))
		return 0;
	if (!isatty(STDOUT_FILENO) && !isatty(STDERR_FILENO) &&
	    (policy->command.no_stdin || !isatty(STDIN_FILENO)))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names) && r == 0; i++) {
		const char *value = getenv(names[i]);

		if (value != NULL)
			r = set_env(env, names[i], value);
	}
	return r;
}

/* What is first there takes itself off again (src/python/sitecustomize.py). */
static int put_first_on_module_path(struct strlist *env)
{
	static const char name[] = "PYTHONPATH=";

	for (size_t i = 0; i < env->count; i++) {
		const char *rest = env->item[i] + sizeof(name) - 1;
		char *joined;

		if (strncmp(env->item[i], name, sizeof(name) - 1) != 0)
			continue;
		if (asprintf(&joined, "%s%s%s%s", name, POLICY_OWN_DIR, *rest == '\0' ? "" : ":", rest) < 0)
			return -ENOMEM;
		free(env->item[i]);
		env->item[i] = joined;
		return 0;
	}
	return strlist_addf(env, "%s%s", name, POLICY_OWN_DIR);
}

/*
 * A Python that reads PYTHONPATH (-I does not), and a limit that somebody asked for and that is announced before it kills.
 * What every run has anyway is no reason to have every start pay for it.
 */
static bool takes_stacks(const struct policy *policy, const struct plan *plan)
{
	return plan->python_minor >= 11 &&
	       ((policy->limits.wall_ms != LIMIT_NONE && policy_is_explicit(policy, OPTION_TIMEOUT)) ||
		policy->limits.cpu_time_ms != LIMIT_NONE || policy->limits.stall_ms != LIMIT_NONE ||
		policy->limits.ram_soft_bytes != LIMIT_NONE);
}

/* The environment is built from nothing; what --env passes replaces what is ours. */
static int plan_env(const struct policy *policy, struct plan *plan, struct error *err)
{
	static const char *const pools[] = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"};
	const char *system_path = "/usr/local/bin:/usr/bin:/bin";
	struct strlist own = {NULL, 0};
	AUTO_FREE char *src = NULL;
	int r;

	if (plan->python_bin == NULL || strcmp(plan->python_bin, "/usr/bin") == 0)
		r = set_env(&own, "PATH", system_path);
	else
		r = strlist_addf(&own, "PATH=%s:%s", plan->python_bin, system_path);
	if (r == 0 && plan->venv != NULL)
		r = set_env(&own, "VIRTUAL_ENV", plan->venv);
	if (r == 0)
		r = set_env(&own, "HOME", POLICY_DEFAULT_DIR);
	if (r == 0)
		r = set_env(&own, "TMPDIR", POLICY_DEFAULT_DIR);
	if (r == 0)
		r = set_env(&own, "LANG", "C.UTF-8");
	if (r == 0)
		r = set_env(&own, "USER", "agent");
	if (r == 0)
		r = set_terminal_env(policy, &own);
	/* What was printed before a limit ended the task must not be lost in a buffer. */
	if (r == 0 && policy->command.kind != COMMAND_EXEC)
		r = set_env(&own, "PYTHONUNBUFFERED", "1");
	for (size_t i = 0; i < ARRAY_SIZE(pools) && r == 0; i++)
		r = strlist_addf(&own, "%s=%u", pools[i], thread_count(policy));
	for (size_t i = 0; i < policy->files.src.count && r == 0; i++) {
		char *real = realpath(policy->files.src.item[i], NULL);
		char *joined = NULL;

		if (real == NULL ||
		    asprintf(&joined, "%s%s%s", src == NULL ? "" : src, src == NULL ? "" : ":", real) < 0)
			r = -ENOMEM;
		free(real);
		free(src);
		src = joined;
	}
	if (r == 0 && src != NULL)
		r = set_env(&own, "PYTHONPATH", src);
	for (size_t i = 0; i < own.count && r == 0; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(own.item[i], "="), own.item[i]);
		if (strlist_env_get(&policy->command.env_set, name) == NULL)
			r = strlist_add(&plan->env, own.item[i]);
	}
	for (size_t i = 0; i < policy->command.env_set.count && r == 0; i++)
		r = strlist_add(&plan->env, policy->command.env_set.item[i]);
	if (r == 0 && plan->takes_stacks)
		r = put_first_on_module_path(&plan->env);
	strlist_fini(&own);
	return r < 0 ? error_set(err, "environ", ENOMEM, "build the environment") : 0;
}

static int plan_nofile(const struct policy *policy, struct plan *plan, struct error *err)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return error_set(err, "rlimit", errno, "getrlimit nofile");
	plan->nofile = policy->limits.nofile;
	if (plan->nofile <= lim.rlim_max)
		return 0;
	plan->nofile = lim.rlim_max;
	if (!policy_is_explicit(policy, OPTION_NOFILE))
		return 0;
	error_set(err, "rlimit", 0, "--nofile %llu: the hard limit here is %llu",
		  (unsigned long long)policy->limits.nofile, (unsigned long long)lim.rlim_max);
	return error_hint(err, "raise it (ulimit -Hn, limits.conf, LimitNOFILE=), or ask for less");
}

/* What item i of a list shows. */
static int add_bind(const struct policy *policy, struct plan *plan, enum option_id id, size_t i,
		    const struct policy_bind *bind, struct error *err)
{
	bool is_declared = policy->item_origin[id][i] == ORIGIN_DECLARED;
	const char *option = id == OPTION_SRC ? "--src" : is_declared ? "allowed_files" : "--bind";

	return tree_add_bind(plan, option, bind, err) < 0 ? policy_locate(policy, policy->item_origin[id][i], err) : 0;
}

int plan_make(const struct policy *policy, struct plan *ret, struct error *err)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->workdir_fd = ret->script_fd = ret->result_fd = ret->net_log_fd = -1;
	/* First, while no descriptor of ours can have its number. */
	r = take_result_fd(policy, ret, err);
	if (r == 0)
		r = idmap_choose(&ret->ids, err);
	if (r == 0 && !policy->files.fresh)
		r = tree_add_workdir(policy, ret, err);
	for (size_t i = 0; i < policy->files.bind_count && r == 0; i++)
		r = add_bind(policy, ret, OPTION_BIND, i, &policy->files.binds[i], err);
	for (size_t i = 0; i < policy->files.src.count && r == 0; i++) {
		const struct policy_bind src = {.host = policy->files.src.item[i]};

		r = add_bind(policy, ret, OPTION_SRC, i, &src, err);
	}
	/* As soon as the writable places are known: what fails from here on has a verdict, too. */
	if (r == 0)
		r = open_result(policy, ret, err);
	if (r == 0)
		r = open_net_log(policy, ret, err);
	if (r == 0)
		r = plan_command(policy, ret, err);
	ret->takes_stacks = takes_stacks(policy, ret);
	if (r == 0)
		r = plan_env(policy, ret, err);
	return r < 0 ? r : plan_nofile(policy, ret, err);
}

void plan_fini(struct plan *plan)
{
	for (size_t i = 0; i < plan->tree_count; i++) {
		free(plan->trees[i].host);
		free(plan->trees[i].guest);
		close_fd(&plan->trees[i].tree_fd);
	}
	free(plan->trees);
	view_parts_fini(&plan->parts);
	close_fd(&plan->workdir_fd);
	close_fd(&plan->script_fd);
	close_fd(&plan->result_fd);
	close_fd(&plan->net_log_fd);
	free(plan->script_guest);
	free(plan->module);
	free(plan->arguments);
	free(plan->exe);
	free(plan->python_bin);
	free(plan->venv);
	strlist_fini(&plan->notes);
	strlist_fini(&plan->argv);
	strlist_fini(&plan->env);
}
