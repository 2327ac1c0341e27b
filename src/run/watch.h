/*
 * Watchdogs: what holds a limit where the kernel offers nothing better. The supervisor calls
 * watch_check() every WATCH_TICK_MS.
 *
 * Memory without a cgroup: a cheap upper bound (resident sizes, and what the host has more of in Shmem and
 * socket memory) each tick, or less often while the task could not fill the room that it has. Only when that
 * passes the limit, the tree is stopped and counted exactly. CPU time without a cgroup: the sum over the tree.
 * Disk on a real directory: statvfs each tick; only when free space or free inodes fell by half of what
 * remains of the limit, the tree is stopped and the directory walked, files that are deleted but open
 * included. What can't be read counts as over the limit.
 */
#ifndef CAPSULE_RUN_WATCH_H
#define CAPSULE_RUN_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/usage.h"

#define WATCH_TICK_MS 10

enum watch_result { WATCH_OK, WATCH_OVER_MEMORY, WATCH_OVER_CPU, WATCH_OVER_DISK, WATCH_OVER_INODES };

struct watch {
	/* Limits, LIMIT_NONE for what is not watched. */
	uint64_t ram_bytes;
	uint64_t ram_soft_bytes; /* only beside ram_bytes: from an eighth below needed_bytes is exact */
	uint64_t cpu_ms;
	uint64_t disk_bytes;
	uint64_t inodes;
	/* The sandbox, from CHANNEL_VIEW; owned. */
	int proc_fd;
	int shm_fd;
	int fresh_fd; /* root of the --fresh tmpfs, or -1 */
	int workdir_fd; /* borrowed; -1 when not watched */
	/* Stops (true) or continues every process inside. */
	void (*freeze)(void *data, bool stop);
	void *freeze_data;
	/* State. */
	uint64_t shmem_base_bytes; /* of others on the host, the lowest so far */
	uint64_t sockets_base_bytes;
	uint64_t memory_peak_bytes;
	uint64_t needed_bytes; /* at the last look */
	unsigned int cores; /* of the machine */
	dev_t shmem_dev;    /* of the kernel's own shared memory */
	uint64_t next_look_ms; /* memory: before this it can't have passed its limit */
	uint64_t next_exact_ms;
	uint64_t exact_bound; /* upper bound at which to count exactly again */
	struct usage disk_base;
	struct usage free_at_walk;
	uint64_t walk_margin_bytes;
	uint64_t walk_margin_inodes;
	uint64_t next_walk_ms;
	/* What was found over the limit, and by how much. */
	uint64_t found;
	uint64_t cpu_now_ms;  /* at the last look, and what vanished since the start */
	uint64_t cpu_lost_ms;
};

/* Takes the first measurements, before the task exists. workdir_fd -1: no disk to watch. */
ATTR_CHECKED int watch_init(struct watch *watch, int workdir_fd, struct error *err);

/* True when there is anything to watch. */
bool watch_is_active(const struct watch *watch);

/* One tick at a monotonic time. */
enum watch_result watch_check(struct watch *watch, uint64_t now_ms);

/* What lies in the --fresh directory, when nothing more fits into it: bytes, and files. 0: there is room, or no such
 * directory. A refusal itself can't be seen. */
void watch_full(const struct watch *watch, struct usage *ret);

void watch_fini(struct watch *watch);

#endif
