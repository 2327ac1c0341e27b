#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "python/traceback.h"

#define HEADER "Traceback (most recent call last):\n"
#define FRAME  "  File \"/task/t.py\", line 3, in f\n    open('x')\n    ^^^^^^^^^\n"
#define CHAIN  "\nDuring handling of the above exception, another exception occurred:\n\n"
#define CAUSE  "\nThe above exception was the direct cause of the following exception:\n\n"
#define ONE    HEADER FRAME

static void test_rows(void **state)
{
	static const struct {
		const char *text;
		size_t count;
		const char *type; /* of the first */
		const char *message;
		const char *file;
		unsigned long line;
		const char *second; /* type of the next, or NULL */
	} rows[] = {
	    {"", 0, NULL, NULL, NULL, 0, NULL},
	    {"some output\nValueError: no traceback\n", 0, NULL, NULL, NULL, 0, NULL},
	    {ONE "ValueError: bad\n", 1, "ValueError", "bad", "/task/t.py", 3, NULL},
	    {ONE "ValueError: bad", 1, "ValueError", "bad", "/task/t.py", 3, NULL},
	    {"output\n" ONE "KeyboardInterrupt\n", 1, "KeyboardInterrupt", "", "/task/t.py", 3, NULL},
	    {ONE "a.b.E: x: y\n", 1, "a.b.E", "x: y", "/task/t.py", 3, NULL},
	    {ONE "__main__.f.<locals>.E: x\n", 1, "__main__.f.<locals>.E", "x", "/task/t.py", 3, NULL},
	    {ONE "\303\211rreur: \303\251\n", 1, "\303\211rreur", "\303\251", "/task/t.py", 3, NULL},
	    {ONE "E: one\n two\n\nthree\n\n\n", 1, "E", "one\n two\n\nthree", "/task/t.py", 3, NULL},
	    {ONE "E: x\nA note.\n", 1, "E", "x\nA note.", "/task/t.py", 3, NULL},
	    /* The innermost frame, with or without source; repeated ones. */
	    {ONE "  File \"<string>\", line 12, in <module>\nE: x\n", 1, "E", "x", "<string>", 12, NULL},
	    {ONE "  [Previous line repeated 996 more times]\nRecursionError: deep\n", 1, "RecursionError", "deep",
	     "/task/t.py", 3, NULL},
	    {HEADER "  File \"a\", line 1, in b\", line 2, in f\nE: x\n", 1, "E", "x", "a\", line 1, in b", 2, NULL},
	    {HEADER "  File \"a\", line 99999999999999, in f\nE: x\n", 1, "E", "x", "", 0, NULL},
	    {HEADER "  File \"a\", line 1x\nE: x\n", 1, "E", "x", "", 0, NULL},
	    /* Something else came between. */
	    {ONE "12:00 a log line\nINFO:root:x\nE: x\n", 1, "E", "x", "/task/t.py", 3, NULL},
	    /* Syntax errors have no header of their own. */
	    {"  File \"/task/t.py\", line 1\n    def f(:\n          ^\nSyntaxError: invalid syntax\n", 1,
	     "SyntaxError", "invalid syntax", "/task/t.py", 1, NULL},
	    {ONE "  File \"/x/bad.py\", line 7\n    def f(:\n          ^\nSyntaxError: invalid syntax\n", 1,
	     "SyntaxError", "invalid syntax", "/x/bad.py", 7, NULL},
	    /* Chains: the last is what ended it. */
	    {ONE "KeyError: 'k'\n" CHAIN ONE "ValueError: v\n", 2, "ValueError", "v", "/task/t.py", 3, "KeyError"},
	    {ONE "KeyError: 'k'\n" CAUSE ONE "ValueError: v\n", 2, "ValueError", "v", "/task/t.py", 3, "KeyError"},
	    {ONE "A: 1\n" CHAIN ONE "B: 2\n" CHAIN ONE "C: 3\n", 3, "C", "3", "/task/t.py", 3, "B"},
	    {ONE "A: 1\n" CHAIN ONE "B: 2\n" CHAIN ONE "C: 3\n" CHAIN ONE "D: 4\n", 3, "D", "4", "/task/t.py", 3,
	     "C"},
	    {ONE "A: 1\n" ONE "B: 2\n", 1, "B", "2", "/task/t.py", 3, NULL},
	    {ONE "A: 1\n" CHAIN "but no traceback\n" ONE "B: 2\n", 1, "B", "2", "/task/t.py", 3, NULL},
	    /* A worker's, as multiprocessing quotes it. */
	    {"multiprocessing.pool.RemoteTraceback: \n\"\"\"\n" ONE "E: x\n\"\"\"\n" CAUSE ONE "E: y\n", 2, "E", "y",
	     "/task/t.py", 3, "E"},
	    /* Of threads and children only when there is no other. */
	    {"Exception in thread Thread-1 (f):\n" ONE "E: x\n", 1, "E", "x", "/task/t.py", 3, NULL},
	    {ONE "Main: m\nException in thread Thread-1 (f):\n" ONE "E: x\n", 1, "Main", "m", "/task/t.py", 3, NULL},
	    {"Exception in thread Thread-1 (f):\n" ONE "E: x\n" ONE "Main: m\n", 1, "Main", "m", "/task/t.py", 3,
	     NULL},
	    {"Exception in thread A:\n" ONE "E: 1\n\nException in thread B:\n" ONE "F: 2\n", 1, "F", "2",
	     "/task/t.py", 3, NULL},
	    {"Exception in thread A:\n" ONE "E: 1\n" CHAIN ONE "F: 2\n", 2, "F", "2", "/task/t.py", 3, "E"},
	    {ONE "Main: m\nException in thread A:\n" ONE "E: 1\n" CHAIN ONE "F: 2\n", 1, "Main", "m", "/task/t.py",
	     3, NULL},
	    {"Process Process-1:\n" ONE "E: x\n", 1, "E", "x", "/task/t.py", 3, NULL},
	    {ONE "Main: m\nProcess Process-1:\n" ONE "E: x\n", 1, "Main", "m", "/task/t.py", 3, NULL},
	    /* What is ignored ended nothing. */
	    {"Exception ignored in: <f>\n" ONE "E: x\n", 0, NULL, NULL, NULL, 0, NULL},
	    {ONE "Main: m\nException ignored in: <f>\n" ONE "E: x\n", 1, "Main", "m", "/task/t.py", 3, NULL},
	    {ONE "Main: m\nException ignored in: <f>\nBrokenPipeError: [Errno 32] Broken pipe\n", 1, "Main", "m",
	     "/task/t.py", 3, NULL},
	    /* logging's own complaint shows where it was called from. */
	    {ONE "Main: m\n--- Logging error ---\n" ONE "E: x\nCall stack:\n" FRAME "Message: 'x'\n", 1, "Main",
	     "m", "/task/t.py", 3, NULL},
	    {"a line\nCall stack:\n" FRAME "Message: 'x'\n", 0, NULL, NULL, NULL, 0, NULL},
	    /* The beginning was cut off. */
	    {"    source\n" FRAME "E: x\n", 1, "E", "x", "/task/t.py", 3, NULL},
	    /* Groups. */
	    {"  + Exception Group Traceback (most recent call last):\n"
	     "  |   File \"/task/t.py\", line 5, in <module>\n"
	     "  |     raise ExceptionGroup('eg', [])\n"
	     "  | ExceptionGroup: eg (2 sub-exceptions)\n"
	     "  +-+---------------- 1 ----------------\n"
	     "    | ValueError: 1\n"
	     "    +---------------- 2 ----------------\n"
	     "    | Traceback (most recent call last):\n"
	     "    |   File \"/task/u.py\", line 9, in g\n"
	     "    |     x\n"
	     "    | TypeError: 2\n"
	     "    +------------------------------------\n",
	     3, "ExceptionGroup", "eg (2 sub-exceptions)", "/task/t.py", 5, "ValueError"},
	    {"  + Exception Group Traceback (most recent call last):\n"
	     "  |   File \"/task/t.py\", line 5, in <module>\n"
	     "  | ExceptionGroup: eg (1 sub-exception)\n"
	     "  +-+---------------- 1 ----------------\n"
	     "    | ValueError: 1\n"
	     "    +------------------------------------\n" CHAIN ONE "Last: x\n",
	     3, "Last", "x", "/task/t.py", 3, "ExceptionGroup"},
	    {"  + Exception Group Traceback (most recent call last):\nplain\n", 0, NULL, NULL, NULL, 0, NULL},
	    /* Fakes and fragments. */
	    {HEADER, 0, NULL, NULL, NULL, 0, NULL},
	    {HEADER HEADER HEADER, 0, NULL, NULL, NULL, 0, NULL},
	    {ONE ": x\n", 0, NULL, NULL, NULL, 0, NULL},
	    {ONE "not a type: x\n", 0, NULL, NULL, NULL, 0, NULL},
	    {"  File \"", 0, NULL, NULL, NULL, 0, NULL},
	    {"  File \"\", line 1\nE: x\n", 0, NULL, NULL, NULL, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct traceback got[3];
		size_t count = traceback_parse(rows[i].text, got, ARRAY_SIZE(got));

		CHECK(count == rows[i].count, "row %zu: %zu", i, count);
		if (count == 0)
			continue;
		CHECK(unit_same(got[0].type, rows[i].type), "row %zu: '%s'", i, got[0].type);
		CHECK(unit_same(got[0].message, rows[i].message), "row %zu: '%s'", i, got[0].message);
		CHECK(unit_same(got[0].file, rows[i].file), "row %zu: '%s'", i, got[0].file);
		CHECK(got[0].line == rows[i].line, "row %zu: %lu", i, got[0].line);
		if (rows[i].second != NULL)
			CHECK(unit_same(got[1].type, rows[i].second), "row %zu: '%s'", i, got[1].type);
	}
}

static void test_source_line(void **state)
{
	struct traceback got;

	(void)state;
	assert_int_equal(traceback_parse(ONE "E: x\n", &got, 1), 1);
	assert_string_equal(got.code, "open('x')");
	assert_int_equal(traceback_parse(ONE "  File \"b\", line 1, in g\nE: x\n", &got, 1), 1);
	assert_string_equal(got.code, "");
	assert_int_equal(traceback_parse(ONE "E: x\n", &got, 0), 0);
}

/* Texts of any length end inside their fields, between characters. */
static void test_bounds(void **state)
{
	static char text[20000];

	(void)state;
	for (size_t len = 0; len < 700; len++) {
		struct traceback got;
		size_t used = 0;

		used += (size_t)sprintf(text + used, HEADER "  File \"");
		for (size_t i = 0; i < len; i++)
			used += (size_t)sprintf(text + used, "\303\251");
		used += (size_t)sprintf(text + used, "\", line 1, in f\n    ");
		for (size_t i = 0; i < len; i++)
			used += (size_t)sprintf(text + used, "\346\227\245");
		used += (size_t)sprintf(text + used, "\nE: ");
		for (size_t i = 0; i < len; i++)
			used += (size_t)sprintf(text + used, "\346\227\245");
		(void)sprintf(text + used, "\n\360\237\230\200\360\237\230\200\n");
		assert_int_equal(traceback_parse(text, &got, 1), 1);
		CHECK(strlen(got.file) == (len * 2 > 254 ? 254 : len * 2), "%zu: %zu", len, strlen(got.file));
		CHECK(strlen(got.code) == (len * 3 > 126 ? 126 : len * 3), "%zu: %zu", len, strlen(got.code));
		CHECK(strlen(got.message) < sizeof(got.message), "%zu", len);
		CHECK(len * 3 > 500 || strlen(got.message) == len * 3 + 9, "%zu: %zu", len, strlen(got.message));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_source_line),
	    cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests_name("traceback", tests, NULL, NULL);
}
