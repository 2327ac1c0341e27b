#include <errno.h>
#include <sys/resource.h>

#include "stage/stage.h"

static int limit(__rlimit_resource_t resource, const char *name, uint64_t value, struct error *err)
{
	rlim_t n = value == LIMIT_NONE ? RLIM_INFINITY : (rlim_t)value;
	struct rlimit lim;

	/* A hard limit that is already lower stays: it is the host's, and it is stricter. */
	if (getrlimit(resource, &lim) < 0)
		return error_set(err, "rlimit", errno, "getrlimit %s", name);
	if (lim.rlim_max < n)
		n = lim.rlim_max;
	lim.rlim_cur = n;
	lim.rlim_max = n;
	return setrlimit(resource, &lim) < 0 ? error_set(err, "rlimit", errno, "setrlimit %s", name) : 0;
}

int stage_rlimit(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	const struct policy_limits *limits = &policy->limits;
	/* Whole seconds, and never before the exact limit of the supervisor. */
	uint64_t cpu_s = limits->cpu_time_ms == LIMIT_NONE ? LIMIT_NONE : limits->cpu_time_ms / 1000 + 2;
	int r = limit(RLIMIT_NOFILE, "nofile", ctx->nofile, err);

	if (r == 0)
		r = limit(RLIMIT_FSIZE, "fsize", limits->fsize_bytes, err);
	if (r == 0)
		r = limit(RLIMIT_CPU, "cpu", cpu_s, err);
	if (r == 0)
		r = limit(RLIMIT_CORE, "core", 0, err);
	if (r == 0)
		r = limit(RLIMIT_MSGQUEUE, "msgqueue", 0, err);
	if (r == 0)
		r = limit(RLIMIT_RTPRIO, "rtprio", 0, err);
	if (r == 0)
		r = limit(RLIMIT_NICE, "nice", 0, err);
	/* Counted in our user namespace alone, so exact for this sandbox; user_namespaces(7), ucounts. */
	if (r == 0 && ctx->limit_pids)
		r = limit(RLIMIT_NPROC, "nproc", limits->pids, err);
	return r;
}
