#include "unit.h"

#include <string.h>

#include "base/suggest.h"

static void test_nearest(void **state)
{
	static const struct {
		const char *word;
		const char *best;
	} rows[] = {
	    {"tiemout", "timeout"}, {"timout", "timeout"},	{"timeouts", "timeout"}, {"TIMEOUT", "timeout"},
	    {"rma", "ram"},	    {"rram", "ram"},		{"rem", "ram"},		 {"x", ""},
	    {"", ""},		    {"sum", "summary"},		{"su", ""},		 {"outptu", "output"},
	    {"output-kep", "output-keep"}, {"memory", ""},	{"network", ""},	 {"timeline", "timeline"},
	    {"ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt", ""},
	    {"\xff\xfe", ""},
	};
	static const char *const candidates[] = {"ram", "timeout", "timeline", "output", "output-keep", "summary", "src"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct suggest suggest;

		suggest_init(&suggest, rows[i].word, strlen(rows[i].word));
		for (size_t k = 0; k < ARRAY_SIZE(candidates); k++)
			suggest_try(&suggest, candidates[k]);
		CHECK(strcmp(suggest.best, rows[i].best) == 0, "%s: %s", rows[i].word, suggest.best);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests_name("suggest", tests, NULL, NULL);
}
