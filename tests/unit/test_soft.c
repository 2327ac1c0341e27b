/* When a task is to do with less, and when it is free again. */
#include "unit.h"

#include "run/soft.h"

static void test_decide(void **state)
{
	static const struct {
		uint64_t needed_mib;
		bool was_confined;
		bool is_confined;
	} rows[] = {
	    {0, false, false},	  {950, false, false},	{991, false, false}, {992, false, true}, {1024, false, true},
	    {99999, false, true}, {1024, true, true},	{950, true, true},   {896, true, true},	 {895, true, false},
	    {0, true, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK(soft_decide(1024ULL << 20, rows[i].needed_mib << 20, rows[i].was_confined) == rows[i].is_confined,
		      "row %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_decide)};

	return cmocka_run_group_tests_name("soft", tests, NULL, NULL);
}
