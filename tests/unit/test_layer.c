#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/layer.h"

#define TWO (LAYER_BIT(LAYER_CGROUP) | LAYER_BIT(LAYER_NET))

static void test_names(void **state)
{
	char all[256] = "";
	uint32_t mask = 0;
	const char *bad = NULL;
	int len = 0;

	(void)state;
	for (unsigned int i = 0; i < LAYER_MAX; i++) {
		const char *name = layer_name(i);
		uint32_t one = 0;

		CHECK(name[strspn(name, "abcdefghijklmnopqrstuvwxyz-")] == '\0', "'%s'", name);
		CHECK(layer_parse_list(name, &one, &bad, &len) == 0 && one == LAYER_BIT(i), "%s", name);
		CHECK(strstr(layer_list(), name) != NULL, "%s is not in '%s'", name, layer_list());
		(void)snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i == 0 ? "" : ",", name);
	}
	assert_int_equal(layer_parse_list(all, &mask, &bad, &len), 0);
	assert_int_equal(mask, LAYER_BIT(LAYER_MAX) - 1);
	/* The last name is whole: the static text did not run out. */
	assert_string_equal(layer_list() + strlen(layer_list()) - strlen(layer_name(LAYER_MAX - 1)),
			    layer_name(LAYER_MAX - 1));
}

static void test_lists(void **state)
{
	static const struct {
		const char *text;
		const char *bad; /* NULL: accepted */
		uint32_t mask;
	} rows[] = {
	    {"cgroup", NULL, LAYER_BIT(LAYER_CGROUP)},
	    {"cgroup,net", NULL, TWO},
	    {"net,cgroup,net", NULL, TWO},
	    {"cgroupns", NULL, LAYER_BIT(LAYER_CGROUP_NS)},
	    {"", "", 0},
	    {",", "", 0},
	    {"net,", "", 0},
	    {",net", "", 0},
	    {"net,,cgroup", "", 0},
	    {"cgrou", "cgrou", 0},
	    {"cgroupx", "cgroupx", 0},
	    {"net, cgroup", " cgroup", 0},
	    {"NET", "NET", 0},
	    {"net,bogus,cgroup", "bogus", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *bad = NULL;
		uint32_t mask = 0;
		int len = -1;
		int r = layer_parse_list(rows[i].text, &mask, &bad, &len);

		if (rows[i].bad == NULL) {
			CHECK(r == 0 && mask == rows[i].mask, "'%s'", rows[i].text);
			continue;
		}
		CHECK(r == -EINVAL && len == (int)strlen(rows[i].bad), "'%s': %d bytes", rows[i].text, len);
		CHECK(strncmp(bad, rows[i].bad, (size_t)len) == 0, "'%s': '%s'", rows[i].text, bad);
	}
}

static void test_adds_to_mask(void **state)
{
	uint32_t mask = LAYER_BIT(LAYER_CGROUP);
	const char *bad;
	int len;

	(void)state;
	assert_int_equal(layer_parse_list("net", &mask, &bad, &len), 0);
	assert_int_equal(mask, TWO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_adds_to_mask),
	};

	return cmocka_run_group_tests_name("layer", tests, NULL, NULL);
}
