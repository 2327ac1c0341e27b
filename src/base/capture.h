/* Bytes that are kept in memory until somebody wants them. Who adds bounds them. */
#ifndef CAPSULE_BASE_CAPTURE_H
#define CAPSULE_BASE_CAPTURE_H

#include <stddef.h>

#include "base/attr.h"

/* {0} is an empty one. */
struct capture {
	char *bytes; /* followed by a NUL, which is none of them; NULL while there are none */
	size_t len;
	size_t room;
};

/* Adds len bytes. 0, or -ENOMEM with nothing added. */
ATTR_CHECKED int capture_add(struct capture *capture, const void *bytes, size_t len);

/* How many bytes are no UTF-8: each would become one U+FFFD. */
size_t capture_count_bad(const struct capture *capture);

/* A copy in which U+FFFD stands for each byte that is no UTF-8; *ret_len is its length. The caller frees it. NULL
 * without memory. */
char *capture_utf8(const struct capture *capture, size_t *ret_len);

/* All bytes as base64 (RFC 4648, padded). The caller frees it. NULL without memory. */
char *capture_base64(const struct capture *capture);

void capture_fini(struct capture *capture);

#endif
