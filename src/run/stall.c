#include "run/stall.h"

#include "base/text.h"

#define LOOKS	     16
#define INTERVAL_MIN 20
#define INTERVAL_MAX 1000

static uint64_t interval_ms(const struct stall *stall)
{
	uint64_t ms = stall->limit_ms / LOOKS;

	return ms < INTERVAL_MIN ? INTERVAL_MIN : ms > INTERVAL_MAX ? INTERVAL_MAX : ms;
}

void stall_init(struct stall *stall, uint64_t limit_ms)
{
	*stall = (struct stall){.limit_ms = limit_ms, .next_ms = limit_ms == LIMIT_NONE ? UINT64_MAX : 0};
}

bool stall_look(struct stall *stall, uint64_t now_ms, uint64_t cpu_ms, uint64_t bytes, bool excused)
{
	uint64_t most = 2 * interval_ms(stall);
	uint64_t since = stall->last_ms == 0 ? 0 : now_ms - stall->last_ms;

	stall->last_ms = now_ms;
	stall->next_ms = now_ms + interval_ms(stall);
	if (excused)
		return false;
	/* A look that came far too late: nobody ran, the task neither, or the machine was busy with others. */
	stall->idle_ms += since < most ? since : most;
	/* The sum of a tree falls when one of it has ended that nobody waited for. */
	if (bytes != stall->bytes || cpu_ms < stall->cpu_ms || cpu_ms - stall->cpu_ms > stall->limit_ms / 100) {
		stall->idle_ms = 0;
		stall->cpu_ms = cpu_ms;
		stall->bytes = bytes;
	}
	return stall->idle_ms >= stall->limit_ms;
}
