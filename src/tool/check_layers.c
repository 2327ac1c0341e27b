/*
 * Tries the layers with a run's own code: each namespace by itself, so that one that is missing is
 * named, then the stages in the order of a run, in a sandbox that nothing runs in.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "stage/stage.h"
#include "tool/check.h"
#include "tool/probe.h"

/* The first is the ground of all others. */
static const struct {
	const char *name;
	uint64_t flag;
} namespaces[] = {
    {"user", 0},
    {"mount", CLONE_NEWNS},
    {"pid", CLONE_NEWPID},
    {"net", CLONE_NEWNET},
    {"ipc", CLONE_NEWIPC},
    {"uts", CLONE_NEWUTS},
    {"cgroupns", CLONE_NEWCGROUP},
};

/* What a run does, in its order. A stage that stands on a failed one is not tried. */
enum step {
	STEP_HOSTNAME,
	STEP_NETWORK,
	STEP_LOOPBACK,
	STEP_ROOT,
	STEP_ETC,
	STEP_DEVICES,
	STEP_PROC,
	STEP_SEAL,
	STEP_KEYRING,
	STEP_CAPS,
	STEP_RLIMIT,
	STEP_FILTER,
	STEP_MAX,
};

#define AFTER(step) (1U << (step))

static const struct {
	stage_fn *run;
	enum finding_group group;
	const char *name;
	const char *text; /* when it works */
	unsigned int needs;
} steps[] = {
    [STEP_HOSTNAME] = {stage_hostname, GROUP_NAMESPACES, "hostname", "its own", 0},
    [STEP_NETWORK] = {stage_network, GROUP_NAMESPACES, "network", "empty", 0},
    [STEP_LOOPBACK] = {stage_loopback, GROUP_NAMESPACES, "loopback", "up", AFTER(STEP_NETWORK)},
    [STEP_ROOT] = {stage_root, GROUP_FILES, "root",
		   "a new tmpfs; the system's directories cloned into it", 0},
    [STEP_ETC] = {stage_etc, GROUP_FILES, "etc", "a small one, with what libraries need",
		  AFTER(STEP_ROOT)},
    [STEP_DEVICES] = {stage_devices, GROUP_FILES, "dev",
		      "six nodes, /dev/shm, its own pseudo-terminals", AFTER(STEP_ROOT)},
    [STEP_PROC] = {stage_proc, GROUP_FILES, "proc", "its own, masked", AFTER(STEP_ROOT)},
    [STEP_SEAL] = {stage_seal, GROUP_FILES, "seal",
		   "read-only, and the host's tree is gone (pivot_root)", AFTER(STEP_DEVICES)},
    [STEP_KEYRING] = {stage_keyring, GROUP_FILTER, "keyring", "an empty one", 0},
    [STEP_CAPS] = {stage_caps, GROUP_FILTER, "capabilities", "all dropped, and the drop was tried",
		   0},
    [STEP_RLIMIT] = {stage_rlimit, GROUP_LIMITS, "rlimits", "set", 0},
    [STEP_FILTER] = {stage_filter, GROUP_FILTER, "seccomp",
		     "no_new_privs, and the task's filter bites", 0},
};
_Static_assert(ARRAY_SIZE(steps) == STEP_MAX, "one row for each step");

struct step_result {
	int tried;
	int r;
	struct error err;
};

struct layers {
	const struct policy *policy;
	struct step_result *results; /* STEP_MAX of them, shared with the child */
	bool is_sandbox;	     /* in the namespaces: everything; else what needs none */
};

static bool stands(const struct step_result *results, unsigned int needs)
{
	for (unsigned int i = 0; i < STEP_MAX; i++)
		if ((needs & (1U << i)) != 0 && (results[i].tried == 0 || results[i].r < 0))
			return false;
	return true;
}

static int run_steps(void *data, struct error *err)
{
	const struct layers *layers = data;
	struct stage_ctx ctx = {.script_fd = -1,
				.stdio_fd = {-1, -1, -1},
				.limit_pids = true,
				.watch_disk = true,
				.nofile = 64,
				.root_fd = -1,
				.shm_fd = -1,
				.pts_fd = -1,
				.init_fd = -1,
				.net_fd = -1,
				.fresh_fd = -1,
				.proc_fd = -1};

	(void)err;
	ctx.host_proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (unsigned int i = 0; i < STEP_MAX; i++) {
		struct step_result *result = &layers->results[i];
		bool needs_sandbox = steps[i].group != GROUP_FILTER || i == STEP_CAPS;

		if ((needs_sandbox && !layers->is_sandbox) ||
		    !stands(layers->results, steps[i].needs))
			continue;
		result->r = steps[i].run(layers->policy, &ctx, &result->err);
		result->tried = 1;
	}
	return 0;
}

static void report_steps(struct report *report, const struct step_result *results, bool is_sandbox)
{
	for (unsigned int i = 0; i < STEP_MAX; i++) {
		if (results[i].tried != 0 && results[i].r == 0)
			report_add(report, steps[i].group, steps[i].name, FINDING_OK, "%s",
				   steps[i].text);
		else if (results[i].tried != 0)
			report_error(report, steps[i].group, steps[i].name, FINDING_MISSING,
				     &results[i].err);
		else
			report_add(report, steps[i].group, steps[i].name, FINDING_UNTRIED, "%s",
				   is_sandbox ? "what it stands on is missing"
					      : "there are no namespaces for it");
	}
}

/* With user notification a supervisor can be told of refused calls; only one listener can watch a
 * process. */
static int load_listener(void *data, struct error *err)
{
	struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog prog = {.len = ARRAY_SIZE(allow), .filter = allow};

	(void)data;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog) <
		0)
		return error_set(err, "filter", errno, "user notification");
	return 0;
}

void check_observer(struct report *report, const char *state, const char *reason)
{
	struct error err;
	bool is_on = state != NULL && strcmp(state, "on") == 0;

	if (state == NULL)
		is_on = probe_run(0, NULL, load_listener, NULL, &err) == 0;
	if (is_on)
		report_add(report, GROUP_FILTER, "observer", FINDING_OK,
			   "refused calls are recorded (seccomp user notification)");
	else
		report_add(report, GROUP_FILTER, "observer", FINDING_INFO,
			   "calls are refused, but not recorded: %s",
			   state == NULL ? strerror(err.errnum) : reason);
}

static void check_extras(struct report *report)
{
	long abi;

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi > 0)
		report_add(report, GROUP_FILTER, "landlock", FINDING_INFO, "ABI %ld; not used yet",
			   abi);
	else
		report_add(report, GROUP_FILTER, "landlock", FINDING_INFO,
			   "not there: %s; not used yet", strerror(errno));
}

bool check_layers(struct report *report, const struct policy *policy, const struct idmap *ids)
{
	const size_t size = STEP_MAX * sizeof(struct step_result);
	struct layers layers = {.policy = policy, .results = probe_alloc(size)};
	uint64_t flags = 0;
	struct error err;
	int r = 0;

	if (layers.results == NULL) {
		report->oom = true;
		return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(namespaces) && ids != NULL; i++) {
		if (probe_run(CLONE_NEWUSER | namespaces[i].flag, ids, NULL, NULL, &err) < 0) {
			report_error(report, GROUP_NAMESPACES, namespaces[i].name, FINDING_MISSING,
				     &err);
			r = -1;
			/* The others would say the same. */
			if (namespaces[i].flag == 0)
				break;
			continue;
		}
		report_add(report, GROUP_NAMESPACES, namespaces[i].name, FINDING_OK, "made");
		if (namespaces[i].flag != CLONE_NEWNET)
			flags |= namespaces[i].flag;
	}
	layers.is_sandbox = ids != NULL && r == 0;
	if (probe_run(layers.is_sandbox ? CLONE_NEWUSER | flags : 0, ids, run_steps, &layers,
		      &err) < 0)
		report_error(report, GROUP_NAMESPACES, "sandbox", FINDING_MISSING, &err);
	else
		report_steps(report, layers.results, layers.is_sandbox);
	check_extras(report);
	probe_free(layers.results, size);
	return layers.is_sandbox;
}
