#include "run/timeline.h"

#include <stdlib.h>
#include <string.h>

#define LEVELS 8U

void timeline_begin(struct timeline *timeline, uint64_t interval_ms, uint64_t start_ms, uint64_t now_ms)
{
	timeline->item = calloc(TIMELINE_MAX, sizeof(*timeline->item));
	timeline->interval_ms = interval_ms;
	timeline->start_ms = start_ms;
	timeline->next_ms = timeline->item != NULL ? now_ms : UINT64_MAX;
}

static uint64_t memory_of(const struct timeline_sample *sample)
{
	return sample->now.ram_bytes == ACCOUNT_UNKNOWN ? 0 : sample->now.ram_bytes;
}

static void thin_out(struct timeline *timeline)
{
	struct timeline_sample *item = timeline->item;

	for (size_t i = 0; i < TIMELINE_MAX / 2; i++)
		item[i] = item[2 * i + (memory_of(&item[2 * i]) < memory_of(&item[2 * i + 1]))];
	timeline->count = TIMELINE_MAX / 2;
	timeline->interval_ms *= 2;
}

void timeline_add(struct timeline *timeline, uint64_t now_ms, const struct account_now *now)
{
	if (timeline->count == TIMELINE_MAX)
		thin_out(timeline);
	timeline->item[timeline->count++] =
	    (struct timeline_sample){.ms = now_ms - timeline->start_ms, .now = *now};
	timeline->next_ms = now_ms + timeline->interval_ms;
}

static json_t *known(uint64_t value)
{
	return value == ACCOUNT_UNKNOWN ? json_null() : json_integer((json_int_t)value);
}

json_t *timeline_json(const struct timeline *timeline)
{
	json_t *list;

	if (timeline->item == NULL)
		return json_null();
	list = json_array();
	for (size_t i = 0; i < timeline->count; i++) {
		const struct timeline_sample *sample = &timeline->item[i];

		(void)json_array_append_new(list, json_pack("{s:I, s:o, s:o, s:o}", "ms", (json_int_t)sample->ms,
							    "ram_bytes", known(sample->now.ram_bytes), "cpu_ms",
							    known(sample->now.cpu_ms), "pids",
							    known(sample->now.pids)));
	}
	return list;
}

char *timeline_graph(const struct timeline *timeline, bool unicode, uint64_t *ret_most, char *buf)
{
	static const char *const blocks[LEVELS] = {"\u2581", "\u2582", "\u2583", "\u2584",
						   "\u2585", "\u2586", "\u2587", "\u2588"};
	static const char letters[LEVELS + 1] = "_.:-=+*#";
	size_t columns = timeline->count < TIMELINE_COLUMNS ? timeline->count : TIMELINE_COLUMNS;
	uint64_t values[TIMELINE_COLUMNS] = {0};
	uint64_t first = columns > 0 ? timeline->item[0].ms : 0;
	uint64_t span = columns > 0 ? timeline->item[timeline->count - 1].ms - first + 1 : 1;
	uint64_t most = 0;
	size_t len = 0;
	size_t last = 0;

	for (size_t i = 0; i < timeline->count; i++) {
		uint64_t value = memory_of(&timeline->item[i]);
		size_t column = (size_t)((timeline->item[i].ms - first) * columns / span);

		for (; last < column; last++)
			values[last + 1] = values[last];
		/* The first one of a column replaces what went on. */
		if (i == 0 || (timeline->item[i - 1].ms - first) * columns / span != column || value > values[column])
			values[column] = value;
		if (value > most)
			most = value;
	}
	if (most == 0)
		return NULL;
	for (size_t i = 0; i < columns; i++) {
		size_t level = (size_t)((double)values[i] / (double)most * (LEVELS - 1) + 0.5);

		if (unicode) {
			memcpy(buf + len, blocks[level], 3);
			len += 3;
		} else {
			buf[len++] = letters[level];
		}
	}
	buf[len] = '\0';
	*ret_most = most;
	return buf;
}

void timeline_fini(struct timeline *timeline)
{
	free(timeline->item);
	timeline->item = NULL;
	timeline->count = 0;
	timeline->next_ms = UINT64_MAX;
}
