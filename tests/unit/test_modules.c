/* Where shared objects are found among packages. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strlist.h"
#include "python/modules.h"

static int note(void *data, const char *path, bool is_link, bool is_library)
{
	return strlist_addf(data, "%s%s%s", path, is_link ? " link" : "",
			    is_library ? "" : " other");
}

static bool was_found(const struct strlist *found, const char *text)
{
	for (size_t i = 0; i < found->count; i++)
		if (strcmp(found->item[i], text) == 0)
			return true;
	return false;
}

static void check_found(const struct strlist *found, const char *const *want)
{
	size_t count = 0;

	for (; want[count] != NULL; count++)
		CHECK(was_found(found, want[count]), "%s was not found", want[count]);
	for (size_t i = 0; i < found->count && found->count != count; i++)
		print_error("found: %s\n", found->item[i]);
	assert_int_equal(found->count, count);
}

static void test_by_looking(void **state)
{
	static const char *const want[] = {"top.cpython-311.so", "pkg/a.so",
					   "pkg/deep/b.so.1",	 "pkg/data link other",
					   "pkg/l.so link",	 NULL};
	struct strlist found = {NULL, 0};
	char path[PATH_MAX];
	int dir_fd = unit_temp(path);

	(void)state;
	unit_make(dir_fd, "top.cpython-311.so", "");
	unit_make(dir_fd, "top.py", "");
	unit_make(dir_fd, "pkg/a.so", "");
	unit_make(dir_fd, "pkg/a.py", "");
	unit_make(dir_fd, "pkg/deep/b.so.1", "");
	unit_make(dir_fd, "pkg/__pycache__/no.so", "");
	unit_make(dir_fd, "pkg/.hidden/no.so", "");
	unit_make(dir_fd, "pkg-1.egg-info/no.so", "");
	unit_make(dir_fd, "pkg-1.dist-info/no.so", "");
	assert_int_equal(symlinkat("a.so", dir_fd, "pkg/l.so"), 0);
	assert_int_equal(symlinkat("/", dir_fd, "pkg/data"), 0);
	assert_int_equal(mkfifoat(dir_fd, "pkg/fifo.so", 0600), 0);
	assert_int_equal(modules_find(path, note, &found), 0);
	check_found(&found, want);
	strlist_fini(&found);
	unit_temp_remove(path, dir_fd);
}

static void test_by_record(void **state)
{
	static const char *const want[] = {"pkg/a.so", "pkg/listed-only.so", "other/found.so",
					   "flat.so", NULL};
	struct strlist found = {NULL, 0};
	char path[PATH_MAX];
	int dir_fd = unit_temp(path);

	(void)state;
	unit_make(dir_fd, "pkg/a.so", "");
	unit_make(dir_fd, "pkg/unlisted.so", ""); /* the record speaks for the directory */
	unit_make(dir_fd, "other/found.so", "");
	unit_make(dir_fd, "flat.so", "");
	unit_make(dir_fd, "pkg-1.dist-info/RECORD",
		  "pkg/__init__.py,sha256=a,1\r\npkg/a.so,sha256=b,2\r\npkg/"
		  "listed-only.so,,\r\nflat.so,,\r\n"
		  "../../../bin/tool.so,,\r\n../other/x.so,,\r\n/etc/x.so,,\r\npkg/../../"
		  "x.so,,\r\n\"pkg/q,.so\",,\r\n"
		  ",,,\n\n\npkg-1.dist-info/RECORD,,");
	assert_int_equal(modules_find(path, note, &found), 0);
	check_found(&found, want);
	strlist_fini(&found);
	unit_temp_remove(path, dir_fd);
}

static int stop(void *data, const char *path, bool is_link, bool is_library)
{
	(void)path;
	(void)is_link;
	(void)is_library;
	return ++*(int *)data == 2 ? -E2BIG : 0;
}

static void test_ends(void **state)
{
	char path[PATH_MAX];
	int dir_fd = unit_temp(path);
	int count = 0;
	int lowest = unit_lowest_fd();

	(void)state;
	unit_make(dir_fd, "a/b/1.so", "");
	unit_make(dir_fd, "a/b/2.so", "");
	unit_make(dir_fd, "a/b/3.so", "");
	assert_int_equal(modules_find(path, stop, &count), -E2BIG);
	assert_int_equal(count, 2);
	assert_int_equal(modules_find("/nonexistent", stop, &count), 0);
	assert_int_equal(modules_find("/proc/self/exe", stop, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(unit_lowest_fd(), lowest);
	unit_temp_remove(path, dir_fd);
}

/* A tree of any depth ends. */
static void test_depth(void **state)
{
	struct strlist found = {NULL, 0};
	char path[PATH_MAX];
	char name[300] = "1.so";
	int dir_fd = unit_temp(path);

	(void)state;
	unit_make(dir_fd, name, "");
	for (unsigned int i = 0; i < 60; i++) {
		memmove(name + 2, name, strlen(name) + 1);
		memcpy(name, "d/", 2);
		unit_make(dir_fd, name, "");
	}
	assert_int_equal(modules_find(path, note, &found), 0);
	assert_true(found.count > 10 && found.count < 60);
	strlist_fini(&found);
	unit_temp_remove(path, dir_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_by_looking),
	    cmocka_unit_test(test_by_record),
	    cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests_name("modules", tests, NULL, NULL);
}
