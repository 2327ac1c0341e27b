/* What a run used, each figure with who counted it. What nobody counted is unknown, never guessed. */
#ifndef CAPSULE_RUN_METER_H
#define CAPSULE_RUN_METER_H

#include <jansson.h>
#include <sys/resource.h>

#include "run/account.h"

/* METER_RUSAGE has processes that a parent waited for, and no other. */
enum meter_source { METER_NONE, METER_CGROUP, METER_WATCHDOG, METER_RUSAGE };

struct meter {
	enum meter_source cpu_from;
	enum meter_source memory_from;
	enum meter_source faults_from;
	enum meter_source io_from;
	bool is_detailed; /* the account was read */
	uint64_t wall_ms;
	uint64_t cpu_ms;
	uint64_t memory_peak_bytes;
	uint64_t output_bytes; /* what the task wrote to both streams, passed on or not */
	struct account account;
};

/* Takes init's own usage, when it was waited for; figures of a group replace it later. */
void meter_take_rusage(struct meter *meter, const struct rusage *usage);

/* Init was killed, and the task with it: nobody waited for its processes, so their usage went with them. */
void meter_forget_rusage(struct meter *meter);

/* What the watchdogs found; 0: nothing. What is known already and is more stays. */
void meter_take_watch(struct meter *meter, uint64_t peak_bytes, uint64_t cpu_ms);

/* Takes what the group has; detailed: the account, too, which costs some reads. */
void meter_take_group(struct meter *meter, const struct cgroup *cg, const struct cgroup_stats *stats, bool detailed);

/* The verdict's "usage". */
json_t *meter_json(const struct meter *meter);

/* The same in brief: wall_ms, cpu_ms, memory_peak_bytes. */
json_t *meter_brief_json(const struct meter *meter);

#endif
