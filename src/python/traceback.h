/*
 * What a Python program printed about the exception that ended it. All of it is the program's own
 * claim: good for a hint, never for a decision.
 */
#ifndef CAPSULE_PYTHON_TRACEBACK_H
#define CAPSULE_PYTHON_TRACEBACK_H

#include <stddef.h>

/* One exception; every text is UTF-8, terminated, without control characters but line ends and tabs
 * in message. What does not fit is cut. */
struct traceback {
	char type[96];	    /* "ValueError", "json.decoder.JSONDecodeError" */
	char message[512];  /* its further lines, too */
	char file[256];	    /* of the innermost frame, or "" */
	char code[128];	    /* that frame's line of source, or "" */
	unsigned long line; /* 0: unknown */
};

/*
 * Reads text as tail_text() makes it. ret[0] is the last exception that was reported at top level
 * (one of the main thread before one of another thread or process; "Exception ignored" is none),
 * the next ones are what it was caused by, newest first, and the first exceptions of a group. Knows
 * the forms of CPython 3.8 to 3.14: chains, syntax errors, groups, notes. Returns how many were
 * filled, at most max.
 */
size_t traceback_parse(const char *text, struct traceback *ret, size_t max);

#endif
