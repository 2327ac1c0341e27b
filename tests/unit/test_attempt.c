#include "unit.h"

#include <string.h>

#include "policy/retry.h"
#include "run/attempt.h"

static void test_pause(void **state)
{
	static const struct {
		uint64_t first_ms;
		size_t n;
		uint32_t chance;
		uint64_t pause_ms;
	} rows[] = {
	    {1000, 1, 0, 1000},	    {1000, 2, 0, 2000},	      {1000, 6, 0, 32000},     {1000, 7, 0, 60000},
	    {1000, 100, 0, 60000},  {0, 1, 1000, 0},	      {0, 100, 1000, 0},       {3600000, 1, 0, 3600000},
	    {3600000, 9, 0, 3600000}, {1000, 1, 1000, 750},   {1000, 1, 500, 875},     {1000, 1, 1001, 1000},
	    {1000, 100, 1000, 45000}, {1, 1, 1000, 1},	      {60000, 2, 0, 60000},    {40000, 2, 0, 60000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t pause_ms = attempt_pause_ms(rows[i].first_ms, rows[i].n, rows[i].chance);

		CHECK(pause_ms == rows[i].pause_ms, "row %zu: %llu", i, (unsigned long long)pause_ms);
	}
}

/* The words of --retry-on are the verdict's. */
static void test_causes(void **state)
{
	(void)state;
	for (unsigned int outcome = 0; outcome < OUTCOME_MAX; outcome++) {
		struct verdict verdict = {.outcome = outcome, .exit_code = outcome == OUTCOME_EXITED ? 1 : -1};
		enum retry_cause cause = attempt_cause(&verdict);

		if (outcome == OUTCOME_FAILED)
			assert_int_equal(cause, RETRY_MAX);
		else
			assert_string_equal(retry_name(cause), outcome_name(outcome));
	}
	assert_int_equal(attempt_cause(&(struct verdict){.outcome = OUTCOME_EXITED}), RETRY_MAX);
	assert_int_equal(attempt_cause(&(struct verdict){.outcome = OUTCOME_EXITED,
							 .limits_hit = 1U << LIMIT_HIT_OUTPUT}),
			 RETRY_OUTPUT);
	assert_string_equal(retry_name(RETRY_OUTPUT), limit_hit_name(LIMIT_HIT_OUTPUT));
}

static void test_list(void **state)
{
	static const struct {
		const char *text;
		uint32_t causes; /* 0: refused */
		const char *bad;
	} rows[] = {
	    {"failure", RETRY_BIT(RETRY_EXITED) | RETRY_BIT(RETRY_SIGNALED), NULL},
	    {"any", RETRY_BIT(RETRY_MAX) - 1, NULL},
	    {"oom", RETRY_BIT(RETRY_OUT_OF_MEMORY), NULL},
	    {"timeout,stall,timeout", RETRY_BIT(RETRY_TIMEOUT) | RETRY_BIT(RETRY_STALL), NULL},
	    {"disk,failure",
	     RETRY_BIT(RETRY_DISK) | RETRY_BIT(RETRY_EXITED) | RETRY_BIT(RETRY_SIGNALED), NULL},
	    {"", 0, ""},
	    {"oom,", 0, ""},
	    {",oom", 0, ""},
	    {"failed", 0, "failed"},
	    {"oom,Timeout", 0, "Timeout"},
	    {"oom, stall", 0, " stall"},
	    {"fail", 0, "fail"},
	    {"failures", 0, "failures"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t mask = 0;
		const char *bad = NULL;
		int len = -1;
		int r = retry_parse_list(rows[i].text, &mask, &bad, &len);

		CHECK((r == 0) == (rows[i].causes != 0) && mask == rows[i].causes, "%s: %d, 0x%x", rows[i].text, r, mask);
		if (rows[i].bad != NULL)
			CHECK(len == (int)strlen(rows[i].bad) && strncmp(bad, rows[i].bad, strlen(rows[i].bad)) == 0,
			      "%s: '%.*s'", rows[i].text, len, bad);
	}
	for (unsigned int i = 0; i < RETRY_MAX; i++)
		assert_non_null(strstr(retry_list(), retry_name(i)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pause),
	    cmocka_unit_test(test_causes),
	    cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests_name("attempt", tests, NULL, NULL);
}
