/* The ends of a run after which a task may be tried again, by the names that --retry-on knows. */
#ifndef CAPSULE_POLICY_RETRY_H
#define CAPSULE_POLICY_RETRY_H

#include <stdint.h>

#include "base/attr.h"

/* The verdict's outcomes but `failed`, which is never tried again; and output that was cut. */
enum retry_cause {
	RETRY_EXITED, /* with another status than 0 */
	RETRY_SIGNALED,
	RETRY_TIMEOUT,
	RETRY_CPU_TIME,
	RETRY_STALL,
	RETRY_OUT_OF_MEMORY,
	RETRY_DISK,
	RETRY_OUTPUT,
	RETRY_MAX,
};

#define RETRY_BIT(cause) (1U << (cause))

/* "cpu-time". */
const char *retry_name(enum retry_cause cause);

/*
 * Sets the bits of a comma-separated list of names; "failure" stands for exited and signaled, "any" for all. 0, or
 * -EINVAL with *mask as it was, *ret_bad pointing at what is no name and *ret_len its length.
 */
ATTR_CHECKED int retry_parse_list(const char *text, uint32_t *mask, const char **ret_bad, int *ret_len);

/* All of them, for messages. */
const char *retry_list(void);

#endif
