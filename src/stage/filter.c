/*
 * Loads the seccomp programs that profiles/mkfilter compiled; seccomp(2), "SECCOMP_SET_MODE_FILTER".
 *
 * Where refusals are observed, the answer EPERM becomes a notification (seccomp_unotify(2)), which the supervisor
 * answers with EPERM; run/observer.h. ENOSYS stays the kernel's own answer: it is what the C library falls back
 * on, as often as a thread is made. When the listener is gone, the kernel answers ENOSYS: refused, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "filter-data.h"
#include "stage/stage.h"

#define NAME "filter"

/* Not in Debian 12's headers for every flavour. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define REFUSED	 (SECCOMP_RET_ERRNO | EPERM)
#define NOTIFIED (SECCOMP_RET_USER_NOTIF | EPERM)

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

static int set_program(const struct sock_filter *program, size_t count, unsigned long flags)
{
	struct sock_fprog prog = {.len = (unsigned short)count,
				  /* The kernel only reads it. */
				  .filter = (struct sock_filter *)(uintptr_t)program};

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static int set_no_new_privs(struct error *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return error_set(err, NAME, errno, "set no_new_privs");
	return 0;
}

static int load(const struct sock_filter *program, size_t count, struct error *err)
{
	if (set_program(program, count, 0) < 0)
		return error_set(err, NAME, errno, "load %zu instructions", count);
	return 0;
}

static void replace_answer(struct sock_filter *program, size_t count, uint32_t old, uint32_t new)
{
	for (size_t i = 0; i < count; i++)
		if (program[i].code == (BPF_RET | BPF_K) && program[i].k == old)
			program[i].k = new;
}

/* As load(), with a listener where the kernel gives one. */
static int load_observed(struct sock_filter *program, size_t count, struct stage_ctx *ctx, struct error *err)
{
	replace_answer(program, count, REFUSED, NOTIFIED);
	/* Killable: no signal makes a call that was seen start again. Linux 5.19. */
	ctx->listener_fd =
	    set_program(program, count,
			SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	if (ctx->listener_fd < 0 && errno == EINVAL)
		ctx->listener_fd = set_program(program, count, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	if (ctx->listener_fd >= 0)
		return 0;
	ctx->listener_errnum = errno;
	replace_answer(program, count, NOTIFIED, REFUSED);
	return load(program, count, err);
}

/* What a program answers, which the kernel took as it is; a part of one may come to its end without an answer. */
static uint32_t judge(const struct sock_filter *program, size_t count, const struct seccomp_data *data,
		      uint32_t otherwise)
{
	uint32_t value = 0;

	for (size_t i = 0; i < count; i++) {
		const struct sock_filter *f = &program[i];

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&value, (const char *)data + f->k, sizeof(value));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			value &= f->k;
			break;
		case BPF_JMP | BPF_JA:
			i += f->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			i += value == f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			i += value >= f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			i += (value & f->k) != 0 ? f->jt : f->jf;
			break;
		case BPF_RET | BPF_K:
			return f->k;
		default:
			return SECCOMP_RET_KILL_PROCESS;
		}
	}
	return otherwise;
}

bool stage_filter_default_allows(const struct seccomp_data *data)
{
	return judge(spare_init, ARRAY_SIZE(spare_init), data, SECCOMP_RET_ALLOW) == SECCOMP_RET_ALLOW &&
	       judge(FILTER_TASK, ARRAY_SIZE(FILTER_TASK), data, SECCOMP_RET_KILL_PROCESS) == SECCOMP_RET_ALLOW;
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
	count += filter->count;
	r = set_no_new_privs(err);
	if (r == 0)
		r = ctx->observe ? load_observed(program, count, ctx, err) : load(program, count, err);
	if (r < 0)
		return r;
	/* A filter that does not bite ends the start. Without one this would be EINVAL; nobody is asked, so nobody
	 * must be there to answer yet. */
	if (syscall(SYS_clone3, NULL, 0) == 0 || errno != ENOSYS)
		return error_set(err, NAME, 0, "the filter was loaded but does not refuse clone3");
	return 0;
}

int stage_filter_init(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	int r = set_no_new_privs(err);

	(void)policy;
	(void)ctx;
	return r < 0 ? r : load(FILTER_INIT, ARRAY_SIZE(FILTER_INIT), err);
}

int stage_filter_gate(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	int r = set_no_new_privs(err);

	(void)policy;
	(void)ctx;
	if (r == 0)
		r = load(FILTER_GATE, ARRAY_SIZE(FILTER_GATE), err);
	if (r < 0)
		return r;
	if (syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY) >= 0 || errno != EPERM)
		return error_set(err, NAME, 0, "the filter was loaded but does not refuse openat");
	return 0;
}
