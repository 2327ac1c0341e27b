#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tool/report.h"

static char *print(const struct report *report, int columns, bool colour, bool brief)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	report_print(report, out, columns, colour, brief);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void fill(struct report *report)
{
	struct error err;

	report_add(report, GROUP_VERDICT, "tasks", FINDING_WEAK, "%s", "start");
	report_add(report, GROUP_KERNEL, "version", FINDING_OK, "Linux %d", 6);
	error_set(&err, "script", EACCES, "x");
	report_error(report, GROUP_FILES, "sandbox", FINDING_MISSING, &err);
	report_add(report, GROUP_KERNEL, "caller", FINDING_INFO, "uid 7");
}

static void test_groups_and_columns(void **state)
{
	struct report report = {NULL, 0, false};
	AUTO_FREE char *text = NULL;

	(void)state;
	fill(&report);
	text = print(&report, 80, false, false);
	assert_string_equal(text, "Kernel\n"
				  "  ok      version            Linux 6\n"
				  "  info    caller             uid 7\n"
				  "Files\n"
				  "  missing sandbox            x: Permission denied\n"
				  "            cure:            make it readable: chmod +r\n"
				  "Verdict\n"
				  "  weak    tasks              start\n");
	report_fini(&report);
}

static void test_brief_and_colour(void **state)
{
	struct report report = {NULL, 0, false};
	AUTO_FREE char *brief = NULL;
	AUTO_FREE char *colour = NULL;

	(void)state;
	fill(&report);
	brief = print(&report, 80, false, true);
	assert_null(strstr(brief, "Kernel"));
	assert_non_null(strstr(brief, "  missing sandbox"));
	assert_non_null(strstr(brief, "  weak    tasks"));
	colour = print(&report, 80, true, false);
	assert_non_null(strstr(colour, "  \033[31mmissing \033[0msandbox "));
	assert_non_null(strstr(colour, "  \033[32mok      \033[0mversion "));
	assert_int_equal(report_count(&report, FINDING_OK), 1);
	report_fini(&report);
}

/* Lines break at blanks, and a word that is too long stands alone. */
static void test_wrapping(void **state)
{
	struct report report = {NULL, 0, false};
	AUTO_FREE char *text = NULL;

	(void)state;
	report_add(&report, GROUP_KERNEL, "x", FINDING_OK, "one two three four %s five", "aaaaaaaaaaaaaaaaaaaaaaaa");
	text = print(&report, 40, false, false);
	assert_string_equal(text, "Kernel\n"
				  "  ok      x                  one two\n"
				  "                             three four\n"
				  "                             aaaaaaaaaaaaaaaaaaaaaaaa\n"
				  "                             five\n");
	report_fini(&report);
}

static void test_json(void **state)
{
	struct report report = {NULL, 0, false};
	json_t *list;
	const char *group = NULL;
	const char *name = NULL;
	const char *text = NULL;
	const char *verdict = NULL;

	(void)state;
	fill(&report);
	report_add(&report, GROUP_PYTHON, "odd", FINDING_OK, "a\033b\xff");
	list = report_json(&report);
	assert_int_equal(json_array_size(list), 5);
	assert_int_equal(json_unpack(json_array_get(list, 2), "{s:s, s:s, s:s, s:s}", "group", &group, "name", &name,
				     "state", &verdict, "cure", &text),
			 0);
	assert_string_equal(group, "files");
	assert_string_equal(name, "sandbox");
	assert_string_equal(verdict, "missing");
	assert_string_equal(text, "make it readable: chmod +r");
	assert_true(json_is_null(json_object_get(json_array_get(list, 0), "cure")));
	assert_int_equal(json_unpack(json_array_get(list, 4), "{s:s}", "text", &text), 0);
	assert_string_equal(text, "a?b?");
	json_decref(list);
	report_fini(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_groups_and_columns),
	    cmocka_unit_test(test_brief_and_colour),
	    cmocka_unit_test(test_wrapping),
	    cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
