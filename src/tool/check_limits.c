/* The rungs of the limits, each tried: cgroups by making one, rlimits by running into one. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/sys.h"
#include "run/host.h"
#include "stage/cgroup.h"
#include "tool/check.h"
#include "tool/probe.h"

#define MOUNT "/sys/fs/cgroup"

struct group_try {
	struct policy_limits limits;
	bool privileged;
	int version;
	char why_not[160];
};

/* Whether a process can be born in it, as a run's init is. */
static int be_born(const struct cgroup *cg, struct error *err)
{
	int into_fd = cgroup_clone_fd(cg);
	struct clone_args args = {.flags = CLONE_INTO_CGROUP,
				  .exit_signal = SIGCHLD,
				  .cgroup = into_fd >= 0 ? (__u64)into_fd : 0};
	struct error leave_err;
	int r = cgroup_enter(cg, err);
	pid_t pid = -1;

	if (r == 0) {
		pid = into_fd >= 0 ? sys_clone3(&args) : fork();
		if (pid == 0)
			_exit(0);
		if (pid < 0)
			r = error_set(err, "clone", errno, "make a process in the cgroup");
	}
	if (cgroup_leave(cg, &leave_err) < 0 && r == 0) {
		*err = leave_err;
		r = -EIO;
	}
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	return r;
}

static int make_group(void *data, struct error *err)
{
	struct group_try *try = data;
	const struct cgroup_host host = {
	    .mount = MOUNT,
	    .self = "/proc/self/cgroup",
	    .mountinfo = "/proc/self/mountinfo",
	    .privileged = try->privileged};
	struct cgroup cg;
	int r = cgroup_create(&try->limits, &host, &cg, err);

	if (r == 0 && cg.version != 0)
		r = be_born(&cg, err);
	try->version = cg.version;
	memcpy(try->why_not, cg.why_not, sizeof(try->why_not));
	cgroup_remove(&cg);
	return r;
}

/* Controllers that the caller's own group of v2 could hand on. */
static bool own_group_has_cpu(const char *own_group)
{
	char path[512];
	char text[256];
	const char *word;
	int n = snprintf(path, sizeof(path), MOUNT "%s/cgroup.controllers", own_group);

	if (n < 0 || (size_t)n >= sizeof(path) ||
	    fd_read_file_at(AT_FDCWD, path, text, sizeof(text)) < 0)
		return false;
	for (word = text; *word != '\0'; word += strcspn(word, " \n"), word += strspn(word, " \n"))
		if (strncmp(word, "cpu", 3) == 0 && strchr(" \n", word[3]) != NULL)
			return true;
	return false;
}

static void check_cpu(struct report *report, struct group_try *try, bool group_used,
		      const char *own_group)
{
	struct error err;
	int r;

	if (group_used && access(MOUNT "/cgroup.controllers", F_OK) == 0 &&
	    own_group_has_cpu(own_group)) {
		report_add(report, GROUP_LIMITS, "cpu", FINDING_OK,
			   "--cpu can be held: the controller is there");
		return;
	}
	memset(try->why_not, 0, sizeof(try->why_not));
	try->version = 0;
	try->limits.cpu_milli = 1000;
	r = probe_run(0, NULL, make_group, try, &err);
	if (r == 0 && try->version != 0)
		report_add(report, GROUP_LIMITS, "cpu", FINDING_OK, "--cpu can be held: tried");
	else if (r == 0)
		report_add(report, GROUP_LIMITS, "cpu", FINDING_INFO, "--cpu would be refused: %s",
			   try->why_not);
	else
		report_error(report, GROUP_LIMITS, "cpu", FINDING_INFO, &err);
}

static void check_cgroup(struct report *report, const struct policy *policy, bool privileged,
			 bool group_used, const char *own_group)
{
	struct group_try *try = probe_alloc(sizeof(*try));
	struct error err;
	int r = 0;

	if (try == NULL) {
		report->oom = true;
		return;
	}
	try->limits = policy->limits;
	/* Those are of one disk, which the run has looked for. */
	try->limits.io_read_bps = try->limits.io_write_bps = LIMIT_NONE;
	try->privileged = privileged;
	/* What the run could have, it took; in its place we might not be alone any more. */
	if (!group_used)
		r = probe_run(0, NULL, make_group, try, &err);
	if (group_used || (r == 0 && try->version != 0)) {
		report_add(report, GROUP_LIMITS, "cgroup", FINDING_OK,
			   "made, limited, entered and removed");
	} else {
		if (r == 0)
			error_set(&err, "cgroup", 0, "%s", try->why_not);
		report_error(report, GROUP_LIMITS, "cgroup", r < 0 ? FINDING_MISSING : FINDING_WEAK,
			     &err);
	}
	check_cpu(report, try, group_used, own_group);
	probe_free(try, sizeof(*try));
}

static void check_systemd(struct report *report)
{
	char path[108];

	if (host_user_bus(path, sizeof(path)))
		report_add(report, GROUP_LIMITS, "systemd", FINDING_INFO,
			   "a user manager's bus: %s", path);
	else if (access("/run/systemd/system", F_OK) == 0)
		report_add(report, GROUP_LIMITS, "systemd", FINDING_INFO,
			   "runs, but no user manager of yours does");
	else
		report_add(report, GROUP_LIMITS, "systemd", FINDING_INFO, "does not run here");
}

/* The rung between: a scope that systemd was asked for. Not asked again: the answer is the run's. */
static void check_scope(struct report *report, const struct group_trial *trial)
{
	struct error err;

	if (trial->is_used && strcmp(trial->rung, "systemd-scope") == 0) {
		report_add(report, GROUP_LIMITS, "scope", FINDING_OK, "systemd was asked for one, and gave it");
	} else if (trial->is_used) {
		report_add(report, GROUP_LIMITS, "scope", FINDING_INFO, "systemd was not asked: %s is at hand",
			   trial->rung);
	} else if (trial->no_scope != NULL) {
		error_set(&err, "cgroup", 0, "systemd gave none: %s", trial->no_scope);
		if (trial->cure != NULL)
			error_hint(&err, "%s", trial->cure);
		report_error(report, GROUP_LIMITS, "scope", FINDING_INFO, &err);
	} else if (access(MOUNT "/cgroup.controllers", F_OK) < 0) {
		report_add(report, GROUP_LIMITS, "scope", FINDING_INFO,
			   "systemd was not asked: no cgroup v2 is mounted at " MOUNT);
	} else {
		report_add(report, GROUP_LIMITS, "scope", FINDING_INFO, "systemd was not asked");
	}
}

/* In a user namespace of its own, where the limit counts that alone: two more, and not a third. */
static int meet_nproc(void *data, struct error *err)
{
	const struct rlimit lim = {.rlim_cur = 3, .rlim_max = 3};
	int made = 0;
	int hold[2];
	pid_t pid = 0;

	(void)data;
	if (pipe2(hold, O_CLOEXEC) < 0 || setrlimit(RLIMIT_NPROC, &lim) < 0)
		return error_set(err, "rlimit", errno, "setrlimit nproc");
	while (made < 4 && (pid = fork()) > 0)
		made++;
	if (pid == 0) {
		char c;

		(void)close(hold[1]);
		/* Until the parent has seen what it came for. */
		(void)(read(hold[0], &c, 1) < 0);
		_exit(0);
	}
	(void)close(hold[1]);
	for (int i = 0; i < made; i++)
		(void)wait(NULL);
	return made == 2
		   ? 0
		   : error_set(err, "rlimit", 0,
			       "processes are not counted for each sandbox: %d of 2 could be made",
			       made);
}

/* What the memory watchdog reads. */
static void check_watchdog(struct report *report)
{
	char text[4096];

	if (fd_read_file_at(AT_FDCWD, "/proc/self/smaps_rollup", text, sizeof(text)) < 0)
		report_add(report, GROUP_LIMITS, "watchdog", FINDING_MISSING,
			   "/proc/self/smaps_rollup can't be read: %s (CONFIG_PROC_PAGE_MONITOR)",
			   strerror(errno));
	else
		report_add(report, GROUP_LIMITS, "watchdog", FINDING_OK,
			   "there; where nothing better is, it looks every 10 ms");
}

void check_limits(struct report *report, const struct policy *policy, const struct idmap *ids,
		  const struct group_trial *trial)
{
	struct error err;

	check_cgroup(report, policy, getuid() == 0 && (ids == NULL || ids->privileged),
		     trial->is_used, trial->own_group);
	check_systemd(report);
	check_scope(report, trial);
	if (ids != NULL && probe_run(CLONE_NEWUSER, ids, meet_nproc, NULL, &err) == 0)
		report_add(report, GROUP_LIMITS, "nproc", FINDING_OK,
			   "bounds the processes of one sandbox exactly");
	else if (ids != NULL)
		report_error(report, GROUP_LIMITS, "nproc", FINDING_MISSING, &err);
	else
		report_add(report, GROUP_LIMITS, "nproc", FINDING_UNTRIED,
			   "there are no namespaces for it");
	check_watchdog(report);
}
