/*
 * What --json prints on standard output: one line with what the task printed and the verdict, in the shape that
 * users of capsulerun's envelope know. doc/envelope.schema.json says it all.
 */
#ifndef CAPSULE_RUN_ENVELOPE_H
#define CAPSULE_RUN_ENVELOPE_H

#include "base/capture.h"
#include "run/verdict.h"

struct envelope_output {
	const struct capture *out;
	const struct capture *err;
};

/*
 * Writes the envelope of a run to fd, which stays the caller's, and waits for a reader that is slow: signals should
 * be able to end that. 0 or -errno with err.
 */
ATTR_CHECKED int envelope_write(const struct verdict *verdict, const struct policy *policy, const struct plan *plan,
				const struct envelope_output *output, int fd, struct error *err);

/* The same for a command line that was not understood: there is no run and no verdict. */
ATTR_CHECKED int envelope_write_usage(const struct policy *policy, const struct error *why, int fd,
				      struct error *err);

#endif
