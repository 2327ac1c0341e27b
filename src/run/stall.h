/*
 * --stall: a task that does nothing for so long. Nothing is no output and less than a hundredth of one core's time
 * (timers and heartbeats are not work), summed over that span. Whatever it waits for, input included, it stalls: it
 * could feign to wait for input for ever. Time does not count while the caller does not take its output, which is
 * the caller's stall, nor while capsule-run itself was stopped. Looked at sixteen times a span, so that a task ends
 * up to a sixteenth late and never early.
 */
#ifndef CAPSULE_RUN_STALL_H
#define CAPSULE_RUN_STALL_H

#include <stdbool.h>
#include <stdint.h>

struct stall {
	uint64_t limit_ms;
	uint64_t next_ms; /* the next look; UINT64_MAX: none */
	uint64_t last_ms;
	uint64_t idle_ms; /* since it last did something */
	uint64_t cpu_ms;  /* what it had used then */
	uint64_t bytes;	  /* and printed */
};

/* limit_ms: LIMIT_NONE for no limit. */
void stall_init(struct stall *stall, uint64_t limit_ms);

/*
 * One look, at a monotonic time: what the task has used and printed so far. excused: this time does not count.
 * True when it has done nothing for as long as the limit.
 */
bool stall_look(struct stall *stall, uint64_t now_ms, uint64_t cpu_ms, uint64_t bytes, bool excused);

#endif
