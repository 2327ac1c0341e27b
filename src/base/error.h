/*
 * One error object, filled where a thing failed and printed in one place.
 *
 * Functions return 0 or -errno and fill the error that they were handed; only main and the
 * supervisor print. A child sends its error over the channel as these same fields.
 */
#ifndef CAPSULE_BASE_ERROR_H
#define CAPSULE_BASE_ERROR_H

#include <stdarg.h>

#include "base/attr.h"

#define ERROR_STAGE_MAX 16
#define ERROR_DETAIL_MAX 448
#define ERROR_HINT_MAX 448

struct error {
	int errnum;	    /* positive errno; 0 when the detail says it all */
	unsigned char exit; /* exit status that this failure earns; 0 means 125 */
	char stage[ERROR_STAGE_MAX];
	char detail[ERROR_DETAIL_MAX];
	char hint[ERROR_HINT_MAX]; /* the cure, or "" */
};

/*
 * Fills err: stage is one short word ("rootfs"), errnum a positive errno or 0, fmt what was tried
 * ("mount /proc"). Clears an earlier hint. Returns -errnum, or -EINVAL when errnum is 0, so that a
 * caller can return it as it is.
 */
int error_set(struct error *err, const char *stage, int errnum, const char *fmt, ...)
    ATTR_PRINTF(4, 5);

/* Adds the cure to an error that was set. Returns -errnum (or -EINVAL) as error_set() did. */
int error_hint(struct error *err, const char *fmt, ...) ATTR_PRINTF(2, 3);

/* Puts text before the detail: where a value came from. Returns what error_set() did. */
int error_prefix(struct error *err, const char *fmt, ...) ATTR_PRINTF(2, 3);

/* Replaces control characters (C0, DEL, C1) and what is not UTF-8 by '?': what came from a task or a file
 * name must not act on the user's terminal, and must fit into JSON. */
void error_sanitize(char *text);

#endif
