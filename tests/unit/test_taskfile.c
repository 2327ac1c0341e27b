/* Which files may be task files: none is missed that imports the module in a usual way, and hardly any other asked. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "python/taskfile.h"
#include "unit.h"

static void test_may_import(void **state)
{
	static const struct {
		const char *text;
		bool may;
	} rows[] = {
	    {"from capsule import task", true},
	    {"import capsule", true},
	    {"import capsule\n", true},
	    {"import os, capsule as c\n", true},
	    {"x = 1\n\tfrom capsule import task\n", true},
	    {"x = 1\r\nfrom capsule import task\r\n", true},
	    {"try:import capsule\nexcept:pass", true},
	    {"from capsule.http import get", true},
	    {"import \\\n capsule", true},
	    {"from \\\r\n  capsule import task", true},
	    {"c = __import__('capsule')", true},
	    {"c = __import__(\n 'capsule')", true},
	    {"importlib.import_module(\"capsule\")", true},
	    {"# to import a capsule", true},
	    {"\xef\xbb\xbf" "from capsule import task", true},
	    {"", false},
	    {"capsule", false},
	    {"a capsule\nof something\nor from somewhere\nelse", false},
	    {"import capsules\nimport mycapsule\nfrom capsule_run import x\n", false},
	    {"from caps\xc3\xbcle import x\nfrom \xc3\xa4" "capsule import x", false},
	    {"importcapsule\nfromcapsule", false},
	    {"CAPSULE from", false},
	    {"import x\n\n\ncapsule = 1", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK(taskfile_may_import(rows[i].text, strlen(rows[i].text)) == rows[i].may, "'%s'", rows[i].text);
	/* An archive is no source. */
	assert_false(taskfile_may_import("PK\0from capsule import task", 26));
	assert_false(taskfile_may_import("from capsule import task\0", 25));
	/* Nothing behind the end is looked at. */
	assert_false(taskfile_may_import("from capsule import task", 11));
}

static void test_files(void **state)
{
	char path[PATH_MAX];
	char file[PATH_MAX + 8];
	int dir_fd = unit_temp(path);
	int before = unit_lowest_fd();

	(void)state;
	unit_make(dir_fd, "yes.py", "from capsule import task\n");
	unit_make(dir_fd, "no.py", "print(1)\n");
	unit_make(dir_fd, "empty.py", "");
	unit_make(dir_fd, "dir/", "");
	(void)snprintf(file, sizeof(file), "%s/yes.py", path);
	assert_true(taskfile_is_candidate(file));
	for (size_t i = 0; i < 4; i++) {
		static const char *const names[] = {"no.py", "empty.py", "dir", "missing.py"};

		(void)snprintf(file, sizeof(file), "%s/%s", path, names[i]);
		CHECK(!taskfile_is_candidate(file), "%s", names[i]);
	}
	assert_int_equal(unit_lowest_fd(), before);
	unit_temp_remove(path, dir_fd);
}

/* What is put beside a task file can start it. */
static void test_parts(void **state)
{
	bool has_main = false;
	bool has_module = false;

	(void)state;
	for (size_t i = 0; i < taskfile_part_count; i++) {
		has_main |= strcmp(taskfile_parts[i].name, "__main__.py") == 0;
		has_module |= strcmp(taskfile_parts[i].name, "capsule/__init__.py") == 0;
		CHECK(strlen(taskfile_parts[i].text) > 20, "%s", taskfile_parts[i].name);
		CHECK(taskfile_parts[i].name[0] != '/' && strstr(taskfile_parts[i].name, "..") == NULL, "%s",
		      taskfile_parts[i].name);
	}
	assert_true(has_main && has_module);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_may_import), cmocka_unit_test(test_files),
					   cmocka_unit_test(test_parts)};

	return cmocka_run_group_tests_name("taskfile", tests, NULL, NULL);
}
