/* The closure of a made-up interpreter: programs and libraries here are headers without code. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elfmake.h"
#include "python/closure.h"

static char root[PATH_MAX];

static void make_elf(int dir_fd, const char *path, const char *rpath, const char *runpath,
		     const char *const needed[])
{
	struct elfmake file;
	int fd;

	unit_make(dir_fd, path, "");
	elfmake(&file, NULL, needed, rpath, runpath);
	fd = openat(dir_fd, path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0 && write(fd, &file, sizeof(file)) == sizeof(file));
	assert_int_equal(close(fd), 0);
}

#define NEEDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int make_prefix(void)
{
	int dir_fd = unit_temp(root);
	char absolute[3 * PATH_MAX];

	make_elf(dir_fd, "py/bin/python3.11", "$ORIGIN/../lib", NULL, NEEDS("libpython.so"));
	assert_int_equal(symlinkat("python3.11", dir_fd, "py/bin/python3"), 0);
	unit_make(dir_fd, "py/bin/tool", "x");
	unit_make(dir_fd, "py/include/python3.11/Python.h", "x");
	unit_make(dir_fd, "py/lib/python3.11/os.py", "");
	make_elf(dir_fd, "py/lib/libpython.so", NULL, NULL, NEEDS("libdeep.so.1"));
	make_elf(dir_fd, "py/lib/libdeep.so.1.0", NULL, NULL, NEEDS("libpython.so")); /* a circle */
	assert_int_equal(symlinkat("libdeep.so.1.0", dir_fd, "py/lib/libdeep.so.1"), 0);
	make_elf(dir_fd, "py/lib/libnobody.so", NULL, NULL, NULL);
	/* The program's DT_RPATH holds for modules, too. */
	make_elf(dir_fd, "py/lib/python3.11/lib-dynload/_m.so", NULL, NULL,
		 NEEDS("libmodule.so", "libmissing.so"));
	make_elf(dir_fd, "py/lib/libmodule.so", NULL, NULL, NULL);
	/* A wheel with its own libraries, which need one by an absolute run path, and one by a
	 * path. */
	make_elf(dir_fd, "py/lib/python3.11/site-packages/p/e.so", NULL, "${ORIGIN}/../p.libs",
		 NEEDS("libwheel.so"));
	(void)snprintf(absolute, sizeof(absolute), "::relative:$LIB:%s/py/extra", root);
	make_elf(dir_fd, "py/lib/python3.11/site-packages/p.libs/libwheel.so", NULL, absolute,
		 NEEDS("libextra.so", "$ORIGIN/../../../bypath.so"));
	make_elf(dir_fd, "py/extra/libextra.so", NULL, NULL, NEEDS("libviarunpath.so"));
	make_elf(dir_fd, "py/lib/bypath.so", NULL, NULL, NULL);
	/* A DT_RUNPATH is not inherited: this one is found nowhere. */
	make_elf(dir_fd, "py/extra/libviarunpath.so", NULL, NULL, NULL);
	/* Outside of the view, and a program. */
	(void)snprintf(absolute, sizeof(absolute), "%s/secret:%s/py/bin", root, root);
	make_elf(dir_fd, "py/lib/python3.11/site-packages/bad.so", NULL, absolute,
		 NEEDS("libsecret.so", "tool"));
	make_elf(dir_fd, "secret/libsecret.so", NULL, NULL, NULL);
	return dir_fd;
}

static bool has(const struct strlist *list, const char *name)
{
	char path[2 * PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->item[i], path) == 0)
			return true;
	return false;
}

static size_t count_own(const struct strlist *list)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		count += strncmp(list->item[i], root, strlen(root)) == 0;
	return count;
}

static void find(const char *exe, const char *const roots[], struct view_parts *ret)
{
	struct interpreter python;
	struct error err;
	char path[2 * PATH_MAX];

	memset(&python, 0, sizeof(python));
	python.minor = 11;
	(void)snprintf(python.exe, sizeof(python.exe), "%.*s/%s", (int)sizeof(python.exe) / 2, root,
		       exe);
	(void)snprintf(python.library, sizeof(python.library), "python3.11");
	python.is_venv = roots[1] != NULL;
	(void)snprintf(python.prefix, sizeof(python.prefix), "%.*s/%.20s", PATH_MAX / 2, root, *roots);
	for (; *roots != NULL; roots++) {
		(void)snprintf(path, sizeof(path), "%s/%s", root, *roots);
		assert_int_equal(strlist_add(&python.roots, path), 0);
		(void)snprintf(python.base_prefix, sizeof(python.base_prefix), "%.*s/%.20s", PATH_MAX / 2, root,
			       *roots);
	}
	memset(&err, 0, sizeof(err));
	CHECK(closure_find(&python, ret, &err) == 0, "%s", err.detail);
	interpreter_fini(&python);
}

static void check_base(const struct view_parts *parts)
{
	static const char *const files[] = {"py/bin/python3.11",     "py/lib/libpython.so",
					    "py/lib/libdeep.so.1.0", "py/lib/libmodule.so",
					    "py/extra/libextra.so",  "py/lib/bypath.so"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		CHECK(has(&parts->files, files[i]), "%s", files[i]);
	assert_true(has(&parts->dirs, "py/lib/python3.11"));
	assert_true(has(&parts->links, "py/bin/python3"));
	assert_true(has(&parts->links, "py/lib/libdeep.so.1"));
}

static void test_prefix(void **state)
{
	int dir_fd = make_prefix();
	struct view_parts parts;
	int lowest = unit_lowest_fd();

	(void)state;
	find("py/bin/python3", NEEDS("py"), &parts);
	check_base(&parts);
	assert_int_equal(count_own(&parts.files), 6);
	assert_int_equal(count_own(&parts.dirs), 1);
	assert_int_equal(count_own(&parts.links), 2);
	assert_int_equal(unit_lowest_fd(), lowest);
	view_parts_fini(&parts);
	unit_temp_remove(root, dir_fd);
}

static void test_environment(void **state)
{
	int dir_fd = make_prefix();
	struct view_parts parts;

	(void)state;
	unit_make(dir_fd, "venv/pyvenv.cfg", "home = elsewhere\n");
	unit_make(dir_fd, "venv/bin/activate", "x");
	unit_make(dir_fd, "venv/bin/shell", "x");
	assert_int_equal(symlinkat("../../py/bin/python3", dir_fd, "venv/bin/python3"), 0);
	assert_int_equal(symlinkat("shell", dir_fd, "venv/bin/python"), 0);
	unit_make(dir_fd, "venv/lib/python3.11/site-packages/x.py", "");
	assert_int_equal(symlinkat("lib", dir_fd, "venv/lib64"), 0);
	make_elf(dir_fd, "venv/lib/python3.11/site-packages/x.so", NULL, NULL,
		 NEEDS("libnobody.so"));
	find("venv/bin/python3", NEEDS("venv", "py"), &parts);
	check_base(&parts);
	assert_true(has(&parts.dirs, "venv/lib/python3.11"));
	assert_true(has(&parts.files, "venv/pyvenv.cfg"));
	assert_true(has(&parts.files, "py/lib/libnobody.so"));
	assert_true(has(&parts.links, "venv/bin/python3"));
	assert_true(has(&parts.links, "venv/lib64"));
	assert_false(has(&parts.files, "venv/bin/activate"));
	for (size_t i = 0; i < parts.dirs.count; i++)
		CHECK(strstr(parts.dirs.item[i], "dist-packages") == NULL, "%s",
		      parts.dirs.item[i]);
	view_parts_fini(&parts);
	unit_temp_remove(root, dir_fd);
}

static void test_no_library(void **state)
{
	struct interpreter python;
	struct view_parts parts;
	struct error err;
	int dir_fd = unit_temp(root);

	(void)state;
	make_elf(dir_fd, "py/bin/python3.999", NULL, NULL, NULL);
	memset(&python, 0, sizeof(python));
	python.minor = 999;
	(void)snprintf(python.library, sizeof(python.library), "python3.999");
	(void)snprintf(python.base_prefix, sizeof(python.base_prefix), "%.*s/py", PATH_MAX / 2, root);
	(void)snprintf(python.exe, sizeof(python.exe), "%.*s/py/bin/python3.999",
		       (int)sizeof(python.exe) / 2, root);
	assert_int_equal(strlist_addf(&python.roots, "%s/py", root), 0);
	assert_true(closure_find(&python, &parts, &err) < 0);
	assert_non_null(strstr(err.detail, "python3.999"));
	assert_non_null(strstr(err.hint, "--runtime system"));
	interpreter_fini(&python);
	unit_temp_remove(root, dir_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_prefix),
	    cmocka_unit_test(test_environment),
	    cmocka_unit_test(test_no_library),
	};

	return cmocka_run_group_tests_name("closure", tests, NULL, NULL);
}
