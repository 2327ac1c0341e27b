#include "unit.h"

#include <stdio.h>

#include "base/strlist.h"

static void test_grows_and_ends(void **state)
{
	struct strlist list = {NULL, 0};
	char text[] = "first";

	(void)state;
	assert_int_equal(strlist_add(&list, text), 0);
	text[0] = 'F';
	assert_string_equal(list.item[0], "first"); /* a copy */
	for (size_t i = 1; i < 1000; i++) {
		char want[16];

		assert_int_equal(strlist_addf(&list, "%s-%zu", "item", i), 0);
		(void)snprintf(want, sizeof(want), "item-%zu", i);
		assert_int_equal(list.count, i + 1);
		assert_string_equal(list.item[i], want);
		assert_null(list.item[i + 1]);
	}
	strlist_fini(&list);
	assert_null(list.item);
	assert_int_equal(list.count, 0);
	strlist_fini(&list);
	assert_int_equal(strlist_add(&list, "again"), 0);
	assert_string_equal(list.item[0], "again");
	strlist_fini(&list);
}

static void test_env_get(void **state)
{
	static const char *const entries[] = {"FIRST=f", "A=1", "AB=2", "A=3", "EMPTY=", "E=x=y", "BARE", "=odd"};
	static const struct {
		const char *name;
		const char *value;
	} rows[] = {
	    {"FIRST", "f"}, {"A", "3"}, {"AB", "2"}, {"EMPTY", ""}, {"E", "x=y"}, {"BARE", NULL}, {"B", NULL}, {"", "odd"},
	    {"ABC", NULL},
	};
	struct strlist list = {NULL, 0};

	(void)state;
	assert_null(strlist_env_get(&list, "A"));
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		assert_int_equal(strlist_add(&list, entries[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK(unit_same(strlist_env_get(&list, rows[i].name), rows[i].value), "%s", rows[i].name);
	strlist_fini(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_grows_and_ends),
	    cmocka_unit_test(test_env_get),
	};

	return cmocka_run_group_tests_name("strlist", tests, NULL, NULL);
}
