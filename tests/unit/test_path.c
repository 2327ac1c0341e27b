/* Paths of the host's: what realpath(3) finds is found, and the links on the way are told. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"

/* Paths are below a tree in which d/f and d/e/f are files, up -> ../T/d, abs -> T/d/e, chain -> up, loop ->
 * loop, gone -> nowhere, d/e/back -> ../../d, top -> / */
static const struct {
	const char *path;
	int result;
	const char *real;  /* with '@' for the tree; on failure where the way ended */
	const char *links; /* names of those that it led through */
} rows[] = {
    {"@/d/f", 0, "@/d/f", ""},
    {"@//d/./e//f", 0, "@/d/e/f", ""},
    {"@/d/e/../f", 0, "@/d/f", ""},
    {"@/up/f", 0, "@/d/f", "up"},
    {"@/abs/f", 0, "@/d/e/f", "abs"},
    {"@/abs/../f", 0, "@/d/f", "abs"},
    {"@/chain/e/back/e/f", 0, "@/d/e/f", "chain up d/e/back"},
    {"@/up/e/back/../up/f", 0, "@/d/f", "up d/e/back"},
    {"@/top/etc/..", 0, "/", "top"},
    {"@/loop", -ELOOP, "@/loop", "loop"},
    {"@/gone/x", -ENOENT, "@/nowhere", "gone"},
    {"@/d/none", -ENOENT, "@/d/none", ""},
    {"@/d/f/x", -ENOTDIR, "@/d/f/x", ""},
    {"/", 0, "/", ""},
    {"/..//../", 0, "/", ""},
    {"relative", -EINVAL, "", ""},
};

static void fill(int fd)
{
	static const char *const links[][2] = {{"up", "./d"},	      {"chain", "up"},	{"loop", "loop"},
					       {"gone", "nowhere"},   {"top", "/"},	{"d/e/back", "../../d"}};

	unit_make(fd, "d/f", "");
	unit_make(fd, "d/e/f", "");
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		assert_int_equal(symlinkat(links[i][1], fd, links[i][0]), 0);
}

static void expand(const char *text, const char *root, char buf[PATH_MAX])
{
	(void)snprintf(buf, PATH_MAX, "%s%s", *text == '@' ? root : "", *text == '@' ? text + 1 : text);
}

static void test_resolve(void **state)
{
	char root[PATH_MAX];
	char abs[PATH_MAX];
	int fd = unit_temp(root);

	(void)state;
	fill(fd);
	assert_true(path_join(abs, root, "d/e"));
	assert_int_equal(symlinkat(abs, fd, "abs"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct path_links links = {{NULL, 0}, {NULL, 0}};
		char path[PATH_MAX];
		char want[PATH_MAX];
		char real[PATH_MAX];
		char names[PATH_MAX] = "";
		int r;

		expand(rows[i].path, root, path);
		expand(rows[i].real, root, want);
		r = path_resolve(path, real, &links);
		CHECK(r == rows[i].result, "%s: %d", rows[i].path, r);
		CHECK(strcmp(real, want) == 0, "%s: %s", rows[i].path, real);
		for (size_t k = 0; k < links.at.count; k++) {
			char target[PATH_MAX];
			ssize_t n = readlink(links.at.item[k], target, sizeof(target));

			CHECK(n > 0 && strncmp(target, links.to.item[k], (size_t)n) == 0, "%s: %s", rows[i].path,
			      links.at.item[k]);
			(void)snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
				       k == 0 ? "" : " ", links.at.item[k] + strlen(root) + 1);
		}
		CHECK(strcmp(names, rows[i].links) == 0, "%s: through '%s'", rows[i].path, names);
		/* The libc's own opinion. */
		if (r == 0)
			CHECK(realpath(path, want) != NULL && strcmp(real, want) == 0, "%s: %s", rows[i].path, want);
		CHECK(path_resolve(path, real, NULL) == r, "%s: without links", rows[i].path);
		path_links_fini(&links);
	}
	unit_temp_remove(root, fd);
}

static void test_too_long(void **state)
{
	char path[PATH_MAX + 16];
	char real[PATH_MAX];

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(path_resolve(path, real, NULL), -ENAMETOOLONG);
	assert_int_equal(path_absolute(path, real), -ENAMETOOLONG);
	assert_int_equal(path_absolute(path + 1, real), -ENAMETOOLONG);
	assert_false(path_join(real, path, ""));
}

/* A home that is a link is one by both of its names. */
static void test_wide(void **state)
{
	static const char *const wide[] = {"/", "/usr", "/home", "/home/x", "@/home", "@/real/me", "@/real", "@"};
	static const char *const narrow[] = {"/home/x/y", "@/home/project", "@/real/me/project", "@/real/you", "/usr/x"};
	char root[PATH_MAX / 2];
	char path[PATH_MAX];
	int fd = unit_temp(path);

	(void)state;
	assert_true(strlen(path) < sizeof(root));
	strcpy(root, path);
	assert_int_equal(mkdirat(fd, "real", 0755), 0);
	assert_int_equal(mkdirat(fd, "real/me", 0755), 0);
	assert_int_equal(symlinkat("real/me", fd, "home"), 0);
	assert_true(path_join(path, root, "home"));
	assert_int_equal(setenv("HOME", path, 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wide); i++) {
		expand(wide[i], root, path);
		CHECK(path_is_wide(path), "%s", path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(narrow); i++) {
		expand(narrow[i], root, path);
		CHECK(!path_is_wide(path), "%s", path);
	}
	unit_temp_remove(root, fd);
}

static void test_absolute(void **state)
{
	static const struct {
		const char *path;
		const char *want;
	} cases[] = {
	    {"@/d/f", "@/d/f"},	  {"d/f", "@/d/f"},	{"./d//./f/", "@/d/f"}, {"up/f", "@/up/f"},
	    {"up/../f", "@/f"},	  {"up/../up", "@/up"}, {"abs/../f", "@/d/f"},	{"..", "!"},
	    {"d/..", "@"},	  {".", "@"},		{"/", "/"},		{"/..", "/"},
	    {"/../etc", "/etc"},  {"/.", "/"},
	};
	char root[PATH_MAX];
	char path[PATH_MAX];
	char want[PATH_MAX];
	char got[PATH_MAX];
	int fd = unit_temp(root);

	(void)state;
	fill(fd);
	assert_true(path_join(path, root, "d/e"));
	assert_int_equal(symlinkat(path, fd, "abs"), 0);
	assert_int_equal(chdir(root), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		expand(cases[i].path, root, path);
		expand(cases[i].want, root, want);
		if (cases[i].want[0] == '!')
			(void)snprintf(want, sizeof(want), "%.*s", (int)(strrchr(root, '/') - root), root);
		assert_int_equal(path_absolute(path, got), 0);
		CHECK(strcmp(got, want) == 0, "%s: %s", cases[i].path, got);
	}
	assert_true(path_absolute("none/../x", got) < 0);
	assert_int_equal(chdir("/"), 0);
	unit_temp_remove(root, fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_resolve),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_wide),
	    cmocka_unit_test(test_absolute),
	};

	return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
