/* The last bytes of a stream, at constant memory. */
#ifndef CAPSULE_BASE_TAIL_H
#define CAPSULE_BASE_TAIL_H

#include <stddef.h>
#include <stdint.h>

#define TAIL_BYTES 8192

/* {0} is an empty one. */
struct tail {
	char *bytes; /* a ring of TAIL_BYTES, when first needed */
	uint64_t total;
};

/* Adds what came. Copies at most TAIL_BYTES; without memory nothing is kept. */
void tail_add(struct tail *tail, const void *bytes, size_t len);

/*
 * Writes what is kept as text: whole lines from the first one that is complete, CR LF and CR as
 * ends of lines, escape sequences left out, other control characters but tabs and what is not UTF-8
 * as '?'.
 */
void tail_text(const struct tail *tail, char buf[TAIL_BYTES + 1]);

/* Does that to a string; to is from or lies before it, and gets no longer. */
void tail_clean(char *to, const char *from);

void tail_fini(struct tail *tail);

#endif
