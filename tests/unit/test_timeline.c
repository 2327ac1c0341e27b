/* A timeline keeps its size, its peaks and its order, however long a run is. */
#include "unit.h"

#include <string.h>

#include "run/timeline.h"

static struct account_now used(uint64_t ram_bytes)
{
	return (struct account_now){.ram_bytes = ram_bytes, .cpu_ms = 0, .pids = 2};
}

/* n samples that are taken when they are due; memory is 1 but at one of them. */
static void fill(struct timeline *timeline, size_t n, size_t peak_at)
{
	uint64_t now = 5000;

	timeline_begin(timeline, 10, 4000, now);
	for (size_t i = 0; i < n; i++) {
		struct account_now now_used = used(i == peak_at ? 1000 : 1);

		assert_true(timeline->next_ms >= now);
		now = timeline->next_ms;
		timeline_add(timeline, now, &now_used);
	}
}

static void test_bounded(void **state)
{
	static const size_t lengths[] = {1, 2, 255, 256, 257, 384, 385, 512, 1000, 5000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		for (size_t peak_at = 0; peak_at < lengths[i]; peak_at += 1 + lengths[i] / 7) {
			struct timeline timeline = {0};
			uint64_t most = 0;

			fill(&timeline, lengths[i], peak_at);
			CHECK(timeline.count > 0 && timeline.count <= TIMELINE_MAX, "%zu: %zu", lengths[i], timeline.count);
			CHECK(timeline.count > TIMELINE_MAX / 2 || timeline.count == lengths[i], "%zu: %zu", lengths[i],
			      timeline.count);
			CHECK(timeline.item[0].ms >= 1000, "%zu", lengths[i]);
			for (size_t k = 0; k < timeline.count; k++) {
				CHECK(k == 0 || timeline.item[k].ms > timeline.item[k - 1].ms, "%zu: at %zu", lengths[i], k);
				if (timeline.item[k].now.ram_bytes > most)
					most = timeline.item[k].now.ram_bytes;
			}
			CHECK(most == 1000, "%zu: the peak at %zu is gone", lengths[i], peak_at);
			timeline_fini(&timeline);
		}
}

static void test_graph(void **state)
{
	static const struct {
		uint64_t values[6];
		size_t count;
		const char *ascii; /* NULL: nothing to draw */
		const char *unicode;
	} rows[] = {
	    {{0, 50, 100}, 3, "_=#", "\u2581\u2585\u2588"},
	    {{7}, 1, "#", "\u2588"},
	    {{1, 1000, 1, 1000, 1}, 5, "_#_#_", "\u2581\u2588\u2581\u2588\u2581"},
	    {{ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN}, 2, NULL, NULL},
	    {{ACCOUNT_UNKNOWN, 5}, 2, "_#", "\u2581\u2588"},
	    {{0, 0}, 2, NULL, NULL},
	    {{0}, 0, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct timeline timeline = {0};
		char buf[TIMELINE_GRAPH_MAX];
		uint64_t most = 0;

		timeline_begin(&timeline, 10, 0, 100);
		for (size_t k = 0; k < rows[i].count; k++) {
			struct account_now now = used(rows[i].values[k]);

			timeline_add(&timeline, 100 + 10 * k, &now);
		}
		CHECK(unit_same(timeline_graph(&timeline, false, &most, buf), rows[i].ascii), "row %zu: %s", i, buf);
		CHECK(unit_same(timeline_graph(&timeline, true, &most, buf), rows[i].unicode), "row %zu: %s", i, buf);
		timeline_fini(&timeline);
	}
}

/* A peak is one column of many, a pause goes on as it was. */
static void test_columns(void **state)
{
	struct timeline timeline = {0};
	struct account_now low = used(1);
	struct account_now high = used(100);
	char buf[TIMELINE_GRAPH_MAX];
	uint64_t most;

	(void)state;
	fill(&timeline, 5000, 2500);
	assert_non_null(timeline_graph(&timeline, false, &most, buf));
	assert_int_equal(strlen(buf), TIMELINE_COLUMNS);
	assert_int_equal(most, 1000);
	assert_int_equal(strspn(buf, "_") + 1 + strspn(strchr(buf, '#') + 1, "_"), TIMELINE_COLUMNS);
	timeline_fini(&timeline);
	timeline_begin(&timeline, 10, 0, 0);
	for (uint64_t k = 0; k < 10; k++)
		timeline_add(&timeline, k, &high);
	timeline_add(&timeline, 1000, &low);
	assert_non_null(timeline_graph(&timeline, false, &most, buf));
	assert_string_equal(buf, "##########_");
	timeline_fini(&timeline);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bounded),
	    cmocka_unit_test(test_graph),
	    cmocka_unit_test(test_columns),
	};

	return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
