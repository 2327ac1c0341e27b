/* What a cgroup counted beyond what limits need: read once, at a run's end; and, for --timeline, what it holds now. */
#ifndef CAPSULE_RUN_ACCOUNT_H
#define CAPSULE_RUN_ACCOUNT_H

#include "stage/cgroup.h"

/* What the kernel does not tell of this group. */
#define ACCOUNT_UNKNOWN UINT64_MAX

struct account {
	uint64_t user_us;
	uint64_t system_us;
	uint64_t throttled_us; /* held back by --cpu */
	uint64_t page_faults;  /* the major ones included */
	uint64_t major_faults;
	uint64_t pids_peak;
	uint64_t read_bytes; /* from block devices */
	uint64_t written_bytes;
};

/* Each ACCOUNT_UNKNOWN where the group does not count it. */
struct account_now {
	uint64_t ram_bytes;
	uint64_t cpu_ms; /* so far */
	uint64_t pids;	 /* processes and threads, our init included */
};

/* Reads a group of any version; of version 0 all is unknown. Cannot fail. */
void account_read(const struct cgroup *cg, struct account *ret);

/* The same for what is used at this moment. */
void account_read_now(const struct cgroup *cg, struct account_now *ret);

#endif
