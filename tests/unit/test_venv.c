/* The small files of virtual environments: pyvenv.cfg, and what leads to editable packages. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "python/editable.h"
#include "python/venv.h"

static const struct {
	const char *text;
	const char *home;
	unsigned int minor;
	bool system_site;
} rows[] = {
    {"", "", 0, false},
    {"home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n", "/usr/bin", 11, false},
    {"HOME=/usr/bin\r\nInclude-System-Site-Packages\t=\tTRUE\r\nversion_info=3.12.1.final.0", "/usr/bin", 12, true},
    {"home = /one\nhome = /two\nversion_info = 3.9\nversion = 3.10\n", "/one", 9, false},
    {"home = /with = and  blanks \n", "/with = and  blanks", 0, false},
    {"homes = /x\n home\nx home = /y\n= /z\n", "", 0, false},
    {"version = 2.7.18\nversion_info = 3.8.1\n", "", 8, false},
    {"version = 3.\nversion_info = 3.99999\ninclude-system-site-packages = yes\n", "", 999, false},
    {"home\t=\n", "", 0, false},
};

static void test_config(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct venv_config config;
		char text[256];

		strcpy(text, rows[i].text);
		venv_parse(text, &config);
		CHECK(strcmp(config.home, rows[i].home) == 0, "row %zu: home '%s'", i, config.home);
		CHECK(config.minor == rows[i].minor, "row %zu: 3.%u", i, config.minor);
		CHECK(config.system_site == rows[i].system_site, "row %zu", i);
	}
}

static void test_editable(void **state)
{
	char root[PATH_MAX];
	char path[PATH_MAX];
	char text[4 * PATH_MAX];
	struct strlist found = {NULL, 0};
	int fd = unit_temp(root);

	(void)state;
	unit_make(fd, "one/x.py", "");
	unit_make(fd, "two/pkg/x.py", "");
	unit_make(fd, "three/pkg/x.py", "");
	unit_make(fd, "four/x.py", "");
	unit_make(fd, "site/own/x.py", "");
	(void)snprintf(text, sizeof(text), "# /tmp\nimport os; x = '/usr'\n%s/one\n%s/one\n../four\nown\nnone\n%s/one/x.py\n",
		       root, root, root);
	unit_make(fd, "site/a.pth", text);
	(void)snprintf(text, sizeof(text),
		       "import sys\nMAPPING: dict[str, str] = {'pkg': '%s/two/pkg', 'b': \"%s/three/pkg\", 'c': 'x'}\n"
		       "NAMESPACES = {'d': ['%s/four/x']}\n",
		       root, root, root);
	unit_make(fd, "site/__editable___a_finder.py", text);
	unit_make(fd, "site/b.py", "/usr\n");
	assert_true(path_join(path, root, "site"));
	assert_int_equal(editable_find(path, &found), 0);
	/* In the order of the directory. */
	assert_int_equal(found.count, 4);
	for (size_t i = 0; i < found.count; i++) {
		const char *name = found.item[i] + strlen(root);

		CHECK(strcmp(name, "/one") == 0 || strcmp(name, "/two") == 0 || strcmp(name, "/three") == 0 ||
			  strcmp(name, "/four") == 0,
		      "%s", found.item[i]);
	}
	strlist_fini(&found);
	assert_true(path_join(path, root, "none"));
	assert_int_equal(editable_find(path, &found), 0);
	assert_int_equal(found.count, 0);
	unit_temp_remove(root, fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_config),
	    cmocka_unit_test(test_editable),
	};

	return cmocka_run_group_tests_name("venv", tests, NULL, NULL);
}
