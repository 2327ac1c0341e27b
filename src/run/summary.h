/* --summary: the verdict for a person. */
#ifndef CAPSULE_RUN_SUMMARY_H
#define CAPSULE_RUN_SUMMARY_H

#include "run/verdict.h"

#define SUMMARY_MAX 4096

/* What the reader of a summary can be shown. */
struct summary_look {
	bool colour;
	bool unicode;
};

/* Writes one line when all is well, else a short block, into buf (SUMMARY_MAX bytes); longer is cut. A timeline is one
 * line more. Nothing in it acts on a terminal but our own colours. Returns the length. */
size_t summary_format(const struct verdict *verdict, const struct policy *policy, const struct summary_look *look,
		      char *buf);

/* Prints it on standard error, in colour where that is a terminal and nobody objects (NO_COLOR, TERM=dumb), with
 * blocks of Unicode's where the locale has them. A reader
 * that stalls is waited for as for other messages: a second. */
void summary_print(const struct verdict *verdict, const struct policy *policy);

#endif
