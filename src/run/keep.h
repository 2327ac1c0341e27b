/*
 * What of a bounded stream is passed on when it is longer than its bound: its head, its tail, or both.
 *
 * The head goes out as it comes. Behind it a ring of what is left of the bound holds what came last, and what
 * falls out of it is left out. No UTF-8 character is cut: one that the head has no room for goes into the ring
 * whole, and the tail begins with a whole one. Where escape sequences are judged, what is left out is judged as
 * well, unseen, so that the tail does not begin inside of one. Memory: the ring, touched as far as it is filled.
 */
#ifndef CAPSULE_RUN_KEEP_H
#define CAPSULE_RUN_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "policy/policy.h"
#include "run/scrub.h"

/* Room for keep_note(). */
#define KEEP_NOTE_MAX 96

struct keep {
	enum policy_keep mode;
	uint64_t head; /* bytes that may still go out as they come; LIMIT_NONE for all */
	size_t room;   /* size of the ring */
	char *ring;    /* when first needed */
	size_t start;  /* of what it holds */
	size_t len;
	uint64_t omitted;
	bool mid_line; /* the head did not end a line */
};

/* bound: bytes in all, LIMIT_NONE, or, with tail and both, at most POLICY_KEEP_MAX. */
void keep_init(struct keep *keep, enum policy_keep mode, uint64_t bound);

/* How many of len bytes from the task, counted from the first, go out as they come. whole: characters are not
 * to be cut; false where a scrub sees to that. What is behind them is for keep_rest(). */
size_t keep_head(struct keep *keep, bool whole, const char *bytes, size_t len);

/* Copies what the head has no room for, or leaves it out. scrub: the stream's, which has seen the head; NULL when
 * nobody judges. -ENOMEM when there is no memory for the ring. */
ATTR_CHECKED int keep_rest(struct keep *keep, struct scrub *scrub, const char *bytes, size_t len);

/* The stream has ended: leaves out what the tail must not begin with. Once, before keep_note() and keep_give(). */
void keep_end(struct keep *keep, struct scrub *scrub);

/* The line that stands for what was left out between head and tail, into buf; returns its length, 0 for none.
 * line_end: at most two bytes. */
size_t keep_note(const struct keep *keep, const char *line_end, char buf[KEEP_NOTE_MAX]);

/* After the stream's end: takes at most len of the bytes that were kept, oldest first. Returns how many. */
size_t keep_give(struct keep *keep, char *buf, size_t len);

/* Frees the ring. Returns how many bytes were in it. */
size_t keep_discard(struct keep *keep);

#endif
