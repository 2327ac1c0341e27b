/* Loads the seccomp programs that profiles/mkfilter compiled; seccomp(2), "SECCOMP_SET_MODE_FILTER". */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "filter-data.h"
#include "stage/stage.h"

#define NAME "filter"

/*
 * Put before the task's program where a watchdog holds --disk: fallocate(2) takes a whole disk in one
 * call, faster than anything that looks on. EOPNOTSUPP is what a file system says that lacks it, and
 * what the C library falls back on by writing.
 */
static const struct sock_filter no_fallocate[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fallocate, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
};

/* What --filter names. */
static const struct filter {
	const struct sock_filter *program;
	size_t count;
} filters[] = {
    [POLICY_FILTER_DEFAULT] = {FILTER_TASK, ARRAY_SIZE(FILTER_TASK)},
    [POLICY_FILTER_STRICT] = {FILTER_STRICT, ARRAY_SIZE(FILTER_STRICT)},
};

#define LONGEST                                                                                    \
	(ARRAY_SIZE(FILTER_TASK) > ARRAY_SIZE(FILTER_STRICT) ? ARRAY_SIZE(FILTER_TASK)             \
							     : ARRAY_SIZE(FILTER_STRICT))

#define ARGUMENT(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]))

/*
 * Put before it always: init has the task's uid, so the kernel would let the task starve it, and a SIGKILL
 * takes effect when its target runs. A pid that is not 1 can't be said in the filter's data.
 */
static const struct sock_filter spare_init[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_setscheduler, 3, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_setparam, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_setaffinity, 1, 0),
    BPF_STMT(BPF_JMP | BPF_JA, 2),
    ARGUMENT(0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 9, 10),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setpriority, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioprio_set, 3, 0),
    BPF_STMT(BPF_JMP | BPF_JA, 7),
    ARGUMENT(0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2 /* PRIO_USER */, 4, 2),
    ARGUMENT(0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 3 /* IOPRIO_WHO_USER */, 2, 0),
    ARGUMENT(1),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
};

static int load(const struct sock_filter *program, size_t count, struct error *err)
{
	struct sock_fprog prog = {.len = (unsigned short)count,
				  /* The kernel only reads it. */
				  .filter = (struct sock_filter *)(uintptr_t)program};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return error_set(err, NAME, errno, "set no_new_privs");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return error_set(err, NAME, errno, "load %zu instructions", count);
	return 0;
}

int stage_filter(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	const struct filter *filter = &filters[policy->command.filter];
	struct sock_filter program[ARRAY_SIZE(no_fallocate) + ARRAY_SIZE(spare_init) + LONGEST];
	size_t count = 0;
	int r;

	if (ctx->watch_disk) {
		memcpy(program, no_fallocate, sizeof(no_fallocate));
		count = ARRAY_SIZE(no_fallocate);
	}
	memcpy(program + count, spare_init, sizeof(spare_init));
	count += ARRAY_SIZE(spare_init);
	memcpy(program + count, filter->program, filter->count * sizeof(*program));
	r = load(program, count + filter->count, err);
	if (r < 0)
		return r;
	/* A filter that does not bite ends the start. Without one this would be ENOSPC, by proc.c. */
	if (syscall(SYS_unshare, CLONE_NEWUSER) == 0 || errno != EPERM)
		return error_set(err, NAME, 0, "the filter was loaded but does not refuse unshare");
	return 0;
}

int stage_filter_init(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	(void)policy;
	(void)ctx;
	return load(FILTER_INIT, ARRAY_SIZE(FILTER_INIT), err);
}
