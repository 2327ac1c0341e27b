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

/* Prints a task's result as one line of JSON, in ASCII; nothing for null. mid_line: behind text without an end. */
ATTR_CHECKED int envelope_write_result(const struct answer *answer, bool mid_line, int fd, struct error *err);

/* Writes text, and waits for a reader that is slow. */
ATTR_CHECKED int envelope_write_text(int fd, const char *text, size_t len, struct error *err);

/* The same for a command line that was not understood: there is no run and no verdict. */
ATTR_CHECKED int envelope_write_usage(const struct policy *policy, const struct error *why, int fd,
				      struct error *err);

#endif
