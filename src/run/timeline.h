/*
 * --timeline: what a task used over time, in samples of one size of memory. When there is no room for another one, of
 * each two neighbours the one with more memory stays, and samples are taken half as often: a peak that was seen stays,
 * and so does each figure.
 */
#ifndef CAPSULE_RUN_TIMELINE_H
#define CAPSULE_RUN_TIMELINE_H

#include <jansson.h>
#include <stdbool.h>

#include "run/account.h"

#define TIMELINE_MAX 256

/* The widest graph, and room for it. */
#define TIMELINE_COLUMNS 48
#define TIMELINE_GRAPH_MAX (TIMELINE_COLUMNS * 3 + 1)

struct timeline_sample {
	uint64_t ms; /* since the attempt's start */
	struct account_now now;
};

struct timeline {
	uint64_t interval_ms;
	uint64_t start_ms;
	uint64_t next_ms; /* the next sample; UINT64_MAX: none */
	struct timeline_sample *item; /* room for TIMELINE_MAX; NULL: no timeline */
	size_t count;
};

/* Takes samples from now on, of an attempt that began at start_ms. interval_ms is not 0. Without memory there are none. */
void timeline_begin(struct timeline *timeline, uint64_t interval_ms, uint64_t start_ms, uint64_t now_ms);

/* Adds what is used now, and says when to look again. */
void timeline_add(struct timeline *timeline, uint64_t now_ms, const struct account_now *now);

/* The verdict's "timeline": null where none was asked for. */
json_t *timeline_json(const struct timeline *timeline);

/*
 * Memory over time as one line of blocks of Unicode's or ASCII's, the highest being *ret_most. Columns are of one width
 * in time; where nobody looked the one before goes on. Returns buf (TIMELINE_GRAPH_MAX bytes), or NULL when nothing is
 * known.
 */
char *timeline_graph(const struct timeline *timeline, bool unicode, uint64_t *ret_most, char *buf);

void timeline_fini(struct timeline *timeline);

#endif
