#include "run/soft.h"

#include <sys/resource.h>

#include "base/clock.h"
#include "run/run.h"
#include "run/scan.h"

/* What a process may still take: for a traceback, for leaving in order. */
#define HEADROOM_BYTES (2ULL << 20)

/* How often the processes are looked through while they are confined. */
#define AGAIN_MS 100

/* RLIMIT_DATA counts pages (mm/mmap.c, may_expand_vm), so the bits below are free: they tell ours from a task's. */
#define PAGE_BITS 0xfffULL
#define MARK	  0xca5ULL

bool soft_decide(uint64_t limit_bytes, uint64_t needed_bytes, bool was_confined)
{
	return needed_bytes >= limit_bytes - limit_bytes / (was_confined ? 8 : 32);
}

/* Nobody is killed for what init could not be told now: the next look tells it. */
static bool tell_init(const struct run *run, bool confine)
{
	const struct channel_message order = {.type = CHANNEL_CONFINE, .value = confine ? 1 : 0};

	return !run->init_gone && channel_send(run->channel_fd, &order) == 0;
}

void soft_check(struct run *run)
{
	uint64_t limit = run->policy->limits.ram_soft_bytes;
	uint64_t *peak = &run->verdict.peaks[LIMIT_HIT_RAM_SOFT];
	uint64_t needed = run->watch.needed_bytes;
	uint64_t now = clock_ms();
	bool confine;

	if (limit == LIMIT_NONE || !run->verdict.started)
		return;
	if (run->cg.version != 0 && !cgroup_needs(&run->cg, limit / 2, &needed))
		return;
	if (needed > *peak)
		*peak = needed;
	confine = soft_decide(limit, needed, run->is_confined);
	if (confine && !verdict_has_hit(&run->verdict, LIMIT_HIT_RAM_SOFT)) {
		run->verdict.limits_hit |= 1U << LIMIT_HIT_RAM_SOFT;
		(void)run_ask_stacks(run);
	}
	/* While it lasts now and then again: a process may have been made by one that was not confined yet. */
	if ((confine != run->is_confined || (confine && now >= run->confine_ms)) && tell_init(run, confine)) {
		run->is_confined = confine;
		run->confine_ms = now + AGAIN_MS;
	}
}

static void confine(pid_t pid, uint64_t data_bytes)
{
	uint64_t most = ((data_bytes + HEADROOM_BYTES) & ~PAGE_BITS) | MARK;
	struct rlimit limit;

	if (prlimit(pid, RLIMIT_DATA, NULL, &limit) < 0 || limit.rlim_cur <= most ||
	    (limit.rlim_cur & PAGE_BITS) == MARK)
		return;
	limit.rlim_cur = most;
	/* ESRCH: it has ended. */
	(void)prlimit(pid, RLIMIT_DATA, &limit, NULL);
}

static void release(pid_t pid, uint64_t data_bytes)
{
	struct rlimit limit;

	(void)data_bytes;
	if (prlimit(pid, RLIMIT_DATA, NULL, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
	    (limit.rlim_cur & PAGE_BITS) != MARK)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)prlimit(pid, RLIMIT_DATA, &limit, NULL);
}

void soft_confine(int proc_fd, bool on)
{
	scan_data(proc_fd, on ? confine : release);
}
