#include "run/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/usage.h"
#include "run/scan.h"

/* No core fills memory faster: twice what clearing pages does on the fastest that we know. */
#define FILL_BYTES_PER_MS (32ULL << 20)

/* Less than this is no news of what others have. */
#define FREED_BYTES (1ULL << 20)

/* What the host has more of than others had at the lowest so far: an upper bound of the task's share. own: what is
 * the task's for certain, or what others free would be taken for its own. */
static uint64_t rise(uint64_t now, uint64_t own, uint64_t *base)
{
	uint64_t others = now > own ? now - own : 0;

	if (others < *base)
		*base = others;
	return now > *base ? now - *base : 0;
}

static uint64_t tmpfs_bytes(int fd)
{
	struct statvfs fs;

	if (fd < 0 || fstatvfs(fd, &fs) < 0)
		return 0;
	return (uint64_t)(fs.f_blocks - fs.f_bfree) * fs.f_frsize;
}

static uint64_t own_tmpfs_bytes(const struct watch *watch)
{
	return tmpfs_bytes(watch->shm_fd) + tmpfs_bytes(watch->fresh_fd);
}

/*
 * The task's share of the host's shared memory: its tmpfs, and every shared mapping and nameless file at its
 * full length, since pages may be in neither a page table nor a name. What is mapped and has no descriptor, or
 * one in flight between sockets, can't be measured: then all of the rise is the task's.
 */
static uint64_t shmem_share(const struct watch *watch, const struct scan *sum, uint64_t host_rise)
{
	uint64_t most = sum->shared_bytes + own_tmpfs_bytes(watch);

	return sum->hidden || most > host_rise ? host_rise : most;
}

/* What the tree may need before it is counted exactly. For --ram-soft an eighth earlier, where a confined task is
 * free again: a bound, which has others' shared memory in it, must not decide. */
static uint64_t first_limit(const struct watch *watch)
{
	uint64_t soft = watch->ram_soft_bytes;

	return soft <= watch->ram_bytes ? soft - soft / 8 : watch->ram_bytes;
}

/* The next limit that this comes to. */
static uint64_t next_limit(const struct watch *watch, uint64_t total)
{
	return total < first_limit(watch)	? first_limit(watch)
	       : total < watch->ram_soft_bytes && watch->ram_soft_bytes <= watch->ram_bytes ? watch->ram_soft_bytes
											     : watch->ram_bytes;
}

/* The task can't use up the room that it has before this time: until then there is nothing to see. */
static uint64_t next_look_ms(const struct watch *watch, uint64_t at_ms, uint64_t bound)
{
	uint64_t limit = first_limit(watch);
	uint64_t room = limit > bound ? limit - bound : 0;

	return at_ms + room / (FILL_BYTES_PER_MS * watch->cores);
}

/* A process that is ending can't be stopped, nor for a moment be read: true when another look may help. */
static bool wait_for_ending(unsigned int tries)
{
	const struct timespec moment = {.tv_nsec = 300000L << tries};

	return tries < 6 && nanosleep(&moment, NULL) == 0;
}

/* Counts the stopped tree. False when it can't be read. */
static bool count_stopped(const struct watch *watch, struct scan *ret)
{
	for (unsigned int tries = 0;; tries++) {
		*ret = (struct scan){.count_memory = true, .shmem_dev = watch->shmem_dev};
		if (scan_exact(watch->proc_fd, ret))
			return true;
		if (!wait_for_ending(tries))
			return false;
	}
}

/* What the task may have of the host's shared memory. */
static uint64_t shmem_rise(struct watch *watch)
{
	struct scan sum = {.count_memory = true, .shmem_dev = watch->shmem_dev};
	uint64_t base = watch->shmem_base_bytes;
	uint64_t bytes = rise(scan_host_shmem(), own_tmpfs_bytes(watch), &watch->shmem_base_bytes);

	/* Others gave something back: what the task has in memfds would be taken for theirs. Without stopping the tree:
	 * continuing it would wake what the task has stopped itself. */
	if (watch->shmem_base_bytes + FREED_BYTES < base && scan_exact(watch->proc_fd, &sum))
		bytes = rise(scan_host_shmem(), own_tmpfs_bytes(watch) + sum.memfd_bytes, &watch->shmem_base_bytes);
	return bytes;
}

static enum watch_result check_memory(struct watch *watch, uint64_t at_ms)
{
	uint64_t limit = first_limit(watch);
	uint64_t shmem = shmem_rise(watch);
	uint64_t sockets = rise(scan_host_sockets(), 0, &watch->sockets_base_bytes);
	struct scan sum;
	uint64_t bound = shmem + sockets;
	uint64_t total;
	uint64_t started;
	bool readable;

	readable = scan_memory_bound(watch->proc_fd, &bound);
	if (bound > watch->memory_peak_bytes && bound <= watch->ram_bytes)
		watch->memory_peak_bytes = bound;
	if (readable && bound < limit) {
		watch->needed_bytes = bound;
		watch->next_look_ms = next_look_ms(watch, at_ms, bound);
		return WATCH_OK;
	}
	/* Sharing makes the bound too high for some honest tasks: count again when it rose by half of what
	 * remained, or after a while in proportion to what counting costs. */
	if (readable && bound < watch->exact_bound && at_ms < watch->next_exact_ms)
		return WATCH_OK;
	started = clock_ms();
	watch->freeze(watch->freeze_data, true);
	readable = count_stopped(watch, &sum);
	shmem = rise(scan_host_shmem(), own_tmpfs_bytes(watch) + sum.memfd_bytes, &watch->shmem_base_bytes);
	total = sum.own_bytes + shmem_share(watch, &sum, shmem) + (sum.inet_sockets ? sockets : 0);
	watch->needed_bytes = total;
	if (!readable || total > watch->ram_bytes) {
		watch->found = readable ? total : bound;
		watch->memory_peak_bytes = watch->found;
		return WATCH_OVER_MEMORY;
	}
	watch->freeze(watch->freeze_data, false);
	if (total > watch->memory_peak_bytes)
		watch->memory_peak_bytes = total;
	watch->exact_bound = bound + (next_limit(watch, total) - total) / 2;
	watch->next_exact_ms = at_ms + 50 + 16 * (clock_ms() - started);
	return WATCH_OK;
}

static enum watch_result check_cpu(struct watch *watch)
{
	uint64_t ms;
	bool readable = scan_cpu(watch->proc_fd, &ms, NULL);

	/* The sum falls when a child ends that nobody waits for (SIGCHLD ignored): what it used stays used. A
	 * child that is being waited for may be missed by one look, not by two. */
	if (readable && ms < watch->cpu_now_ms) {
		uint64_t again;

		readable = scan_cpu(watch->proc_fd, &again, NULL);
		if (again > ms)
			ms = again;
		if (ms < watch->cpu_now_ms)
			watch->cpu_lost_ms += watch->cpu_now_ms - ms;
	}
	watch->cpu_now_ms = ms;
	watch->found = ms + watch->cpu_lost_ms;
	return !readable || watch->found > watch->cpu_ms ? WATCH_OVER_CPU : WATCH_OK;
}

static struct usage free_space(int fd)
{
	struct usage usage = {0, 0};
	struct statvfs fs;

	if (fstatvfs(fd, &fs) == 0) {
		usage.bytes = (uint64_t)fs.f_bfree * fs.f_frsize;
		usage.inodes = (uint64_t)fs.f_ffree;
	}
	return usage;
}

static uint64_t half(uint64_t limit, uint64_t used)
{
	return limit == LIMIT_NONE ? LIMIT_NONE : limit > used ? (limit - used) / 2 : 0;
}

/* Whether a count of what is free fell by no more than the margin, which may be LIMIT_NONE. */
static bool is_within(uint64_t now, uint64_t then, uint64_t margin)
{
	return now >= then || then - now <= margin;
}

/* What the sandbox directory has more of than before the run, nameless files included. */
static bool count_growth(const struct watch *watch, struct usage *ret)
{
	struct scan open_files = {.count_memory = false};
	struct stat st;

	if (fstat(watch->workdir_fd, &st) < 0 || usage_walk(watch->workdir_fd, ret) < 0)
		return false;
	open_files.disk_dev = st.st_dev;
	if (!scan_exact(watch->proc_fd, &open_files))
		return false;
	ret->bytes += open_files.deleted_bytes;
	ret->inodes += open_files.deleted_inodes;
	ret->bytes = ret->bytes > watch->disk_base.bytes ? ret->bytes - watch->disk_base.bytes : 0;
	ret->inodes = ret->inodes > watch->disk_base.inodes ? ret->inodes - watch->disk_base.inodes : 0;
	return true;
}

static enum watch_result check_disk(struct watch *watch, uint64_t at_ms)
{
	struct usage free_now = free_space(watch->workdir_fd);
	struct usage sum = {0, 0};
	uint64_t started = clock_ms();
	bool due = at_ms >= watch->next_walk_ms;
	bool ok;

	/* And now and then in any case: what others free hides what the task takes, and some file systems
	 * (btrfs) don't count free inodes. */
	if (is_within(free_now.bytes, watch->free_at_walk.bytes, watch->walk_margin_bytes) &&
	    is_within(free_now.inodes, watch->free_at_walk.inodes, watch->walk_margin_inodes)) {
		if (!due)
			return WATCH_OK;
		/* Without stopping the tree: continuing it would wake what the task has stopped itself. */
		ok = count_growth(watch, &sum);
		watch->next_walk_ms = at_ms + 1000 + 16 * (clock_ms() - started);
		if (ok && sum.bytes <= watch->disk_bytes && sum.inodes <= watch->inodes)
			return WATCH_OK;
	}
	watch->freeze(watch->freeze_data, true);
	free_now = free_space(watch->workdir_fd);
	ok = count_growth(watch, &sum);
	for (unsigned int tries = 0; !ok && wait_for_ending(tries); tries++)
		ok = count_growth(watch, &sum);
	if (!ok || sum.bytes > watch->disk_bytes) {
		watch->found = sum.bytes;
		return WATCH_OVER_DISK;
	}
	if (sum.inodes > watch->inodes) {
		watch->found = sum.inodes;
		return WATCH_OVER_INODES;
	}
	watch->freeze(watch->freeze_data, false);
	watch->free_at_walk = free_now;
	watch->walk_margin_bytes = half(watch->disk_bytes, sum.bytes);
	watch->walk_margin_inodes = half(watch->inodes, sum.inodes);
	watch->next_walk_ms = at_ms + 1000 + 16 * (clock_ms() - started);
	return WATCH_OK;
}

int watch_init(struct watch *watch, int workdir_fd, struct error *err)
{
	int r;

	watch->workdir_fd = workdir_fd;
	if (watch->ram_bytes != LIMIT_NONE) {
		watch->shmem_base_bytes = scan_host_shmem();
		watch->sockets_base_bytes = scan_host_sockets();
		watch->cores = (unsigned int)get_nprocs();
		watch->shmem_dev = scan_shmem_dev();
		watch->next_look_ms = next_look_ms(watch, clock_ms(), 0);
	}
	if (workdir_fd < 0) {
		watch->disk_bytes = LIMIT_NONE;
		watch->inodes = LIMIT_NONE;
		return 0;
	}
	if (watch->disk_bytes == LIMIT_NONE && watch->inodes == LIMIT_NONE)
		return 0;
	r = usage_walk(workdir_fd, &watch->disk_base);
	if (r < 0) {
		error_set(err, "disk", -r, "count what lies in the sandbox directory");
		return error_hint(err, "clean it, pass another with --dir DIR, or use --disk unlimited "
				       "--inodes unlimited");
	}
	watch->free_at_walk = free_space(workdir_fd);
	watch->walk_margin_bytes = half(watch->disk_bytes, 0);
	watch->walk_margin_inodes = half(watch->inodes, 0);
	watch->next_walk_ms = clock_ms() + 1000;
	return 0;
}

static bool watches_disk(const struct watch *watch)
{
	return watch->disk_bytes != LIMIT_NONE || watch->inodes != LIMIT_NONE;
}

bool watch_is_active(const struct watch *watch)
{
	return watch->ram_bytes != LIMIT_NONE || watch->cpu_ms != LIMIT_NONE || watches_disk(watch);
}

enum watch_result watch_check(struct watch *watch, uint64_t at_ms)
{
	enum watch_result result = WATCH_OK;

	if (watch->proc_fd < 0)
		return WATCH_OK;
	if (watch->ram_bytes != LIMIT_NONE && at_ms >= watch->next_look_ms)
		result = check_memory(watch, at_ms);
	if (result == WATCH_OK && watch->cpu_ms != LIMIT_NONE)
		result = check_cpu(watch);
	if (result == WATCH_OK && watches_disk(watch))
		result = check_disk(watch, at_ms);
	return result;
}

void watch_full(const struct watch *watch, struct usage *ret)
{
	struct statvfs fs;

	*ret = (struct usage){0, 0};
	if (watch->fresh_fd < 0 || fstatvfs(watch->fresh_fd, &fs) < 0)
		return;
	if (fs.f_blocks > 0 && fs.f_bfree == 0)
		ret->bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
	if (fs.f_files > 0 && fs.f_ffree == 0)
		ret->inodes = (uint64_t)fs.f_files - 1; /* itself */
}

void watch_fini(struct watch *watch)
{
	close_fd(&watch->proc_fd);
	close_fd(&watch->shm_fd);
	close_fd(&watch->fresh_fd);
}
