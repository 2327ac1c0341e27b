/* Names in the full view: what they lead to, what is added for them, and that nothing else can be
 * had. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "python/view.h"

static char root[PATH_MAX];

static const char *in_root(const char *text, char buf[PATH_MAX])
{
	char *end = buf;

	for (; *text != '\0'; text++)
		end += *text == '@' ? sprintf(end, "%s", root) : sprintf(end, "%c", *text);
	*end = '\0';
	return buf;
}

static void make_link(int dir_fd, const char *path, const char *target)
{
	char buf[PATH_MAX];

	assert_int_equal(symlinkat(in_root(target, buf), dir_fd, path), 0);
}

static int make_tree(void)
{
	int dir_fd = unit_temp(root);

	unit_make(dir_fd, "py/bin/python3.11", "x");
	unit_make(dir_fd, "py/lib64/x.so.1.0", "x");
	unit_make(dir_fd, "py/lib64/data/file", "x");
	unit_make(dir_fd, "py/lib64/data/deep/x.so", "x");
	unit_make(dir_fd, "secret/x.so", "x");
	make_link(dir_fd, "py/lib", "lib64");
	make_link(dir_fd, "py/lib64/x.so.1", "x.so.1.0");
	make_link(dir_fd, "py/lib64/x.so", "@/py/lib/x.so.1");
	make_link(dir_fd, "py/lib64/program.so", "../bin/python3.11");
	make_link(dir_fd, "py/lib64/loop.so", "loop.so");
	make_link(dir_fd, "py/lib64/out.so", "@/secret/x.so");
	make_link(dir_fd, "py/lib64/up.so", "../../secret/x.so");
	make_link(dir_fd, "py/lib64/round.so", "../../py/lib/x.so.1.0");
	make_link(dir_fd, "py/lib64/proc.so", "/proc/self/root@/secret/x.so");
	make_link(dir_fd, "py/lib64/etc.so", "/etc/passwd");
	make_link(dir_fd, "py/lib64/usr.so", "/usr");
	make_link(dir_fd, "py/lib64/nowhere.so", "nothing");
	make_link(dir_fd, "name", "py");
	assert_int_equal(mkfifoat(dir_fd, "py/lib64/fifo.so", 0600), 0);
	return dir_fd;
}

struct row {
	const char *path;
	enum view_want want;
	int result;
	const char *found; /* NULL: nothing is */
	const char *dirs;  /* what is added, with blanks between */
	const char *files;
	const char *links;
};

#define X "@/py/lib64/x.so.1.0"
static const struct row rows[] = {
    {"@/py/bin/python3.11", VIEW_FILE, 0, "@/py/bin/python3.11", "", "@/py/bin/python3.11", ""},
    {X, VIEW_LIBRARY, 0, X, "", X, ""},
    {"@/py//lib64/./x.so.1.0", VIEW_LIBRARY, 0, X, "", X, ""},
    {"@/py/lib64/data/../x.so.1.0", VIEW_LIBRARY, 0, X, "", X, ""},
    {"@/py/lib/x.so.1.0", VIEW_LIBRARY, 0, X, "", X, "@/py/lib lib64"},
    {"@/py/lib64/x.so", VIEW_LIBRARY, 0, X, "", X,
     "@/py/lib64/x.so @/py/lib/x.so.1 @/py/lib lib64 @/py/lib64/x.so.1 x.so.1.0"},
    {"@/py/lib64/round.so", VIEW_LIBRARY, 0, X, "", X,
     "@/py/lib64/round.so ../../py/lib/x.so.1.0 @/py/lib lib64"},
    {"@/py/lib/data", VIEW_ANY, 0, "@/py/lib64/data", "@/py/lib64/data", "", "@/py/lib lib64"},
    {"@/py", VIEW_ANY, 0, "@/py", "@/py", "", ""},
    {"@/py/lib/data", VIEW_FILE, -ENOENT, NULL, "", "", "@/py/lib lib64"},
    {"@/py/bin/python3.11", VIEW_LIBRARY, -ENOENT, NULL, "", "", ""},
    {"@/py/lib64/program.so", VIEW_LIBRARY, -ENOENT, NULL, "", "",
     "@/py/lib64/program.so ../bin/python3.11"},
    {"@/py/lib64/loop.so", VIEW_LIBRARY, -ELOOP, NULL, "", "", "@/py/lib64/loop.so loop.so"},
    {"@/py/lib64/fifo.so", VIEW_ANY, -ENOENT, NULL, "", "", ""},
    {"@/py/lib64/out.so", VIEW_ANY, -ENOENT, NULL, "", "", "@/py/lib64/out.so @/secret/x.so"},
    {"@/py/lib64/up.so", VIEW_ANY, -ENOENT, NULL, "", "", "@/py/lib64/up.so ../../secret/x.so"},
    {"@/py/lib64/proc.so", VIEW_ANY, -ENOENT, NULL, "", "",
     "@/py/lib64/proc.so /proc/self/root@/secret/x.so"},
    {"@/py/lib64/etc.so", VIEW_ANY, -ENOENT, NULL, "", "", "@/py/lib64/etc.so /etc/passwd"},
    {"@/py/lib64/usr.so", VIEW_ANY, -ENOENT, NULL, "", "", "@/py/lib64/usr.so /usr"},
    {"@/py/lib64/nowhere.so", VIEW_ANY, -ENOENT, NULL, "", "", "@/py/lib64/nowhere.so nothing"},
    {"@/py/bin/python3.11/x", VIEW_ANY, -ENOENT, NULL, "", "", ""},
    {"@/py/../secret/x.so", VIEW_ANY, -ENOENT, NULL, "", "", ""},
    {"@/secret/x.so", VIEW_ANY, -ENOENT, NULL, "", "", ""},
    {"@/python", VIEW_ANY, -ENOENT, NULL, "", "", ""},
    {"@", VIEW_ANY, -ENOENT, NULL, "", "", ""},
    {"/", VIEW_ANY, -ENOENT, NULL, "", "", ""},
    {"/usr", VIEW_ANY, -ENOENT, NULL, "", "", ""},
    {"/etc/passwd", VIEW_ANY, -ENOENT, NULL, "", "", ""},
    {"/etc/alternatives", VIEW_ANY, -ENOENT, NULL, "", "", ""},
    {"/proc/self/exe", VIEW_ANY, -ENOENT, NULL, "", "", ""},
    {"/home", VIEW_ANY, -ENOENT, NULL, "", "", ""},
    {"", VIEW_ANY, -ENOENT, NULL, "", "", ""},
    {"py/bin/python3.11", VIEW_ANY, -ENOENT, NULL, "", "", ""},
};

static const char *joined(const struct strlist *list)
{
	static char text[8 * PATH_MAX];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < list->count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? " " : "",
					list->item[i]);
	return text;
}

static void check_list(const struct strlist *list, const char *want, const char *path)
{
	char buf[PATH_MAX];

	CHECK(unit_same(joined(list), in_root(want, buf)), "%s: '%s', not '%s'", path, joined(list),
	      buf);
}

static void init(struct view *view, struct strlist *roots, const char *name)
{
	struct error err;
	char buf[PATH_MAX];

	memset(roots, 0, sizeof(*roots));
	assert_int_equal(strlist_add(roots, in_root(name, buf)), 0);
	assert_int_equal(view_init(view, roots, &(const struct path_links){{NULL, 0}, {NULL, 0}}, &err), 0);
}

static void test_rows(void **state)
{
	int dir_fd = make_tree();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct view_entry entry;
		struct strlist roots;
		struct view view;
		char path[PATH_MAX];
		char found[PATH_MAX];
		int r;

		init(&view, &roots, "@/py");
		r = view_add(&view, in_root(row->path, path), row->want, &entry);
		CHECK(r == row->result, "%s: %d", path, r);
		CHECK(r < 0 || unit_same(entry.path, in_root(row->found, found)), "%s: %s", path,
		      entry.path);
		CHECK(r < 0 || unit_same(entry.host, entry.path), "%s: %s", path, entry.host);
		check_list(&view.parts.dirs, row->dirs, path);
		check_list(&view.parts.files, row->files, path);
		check_list(&view.parts.links, row->links, path);
		/* Once more: the same answer, nothing new. */
		CHECK(view_add(&view, path, row->want, &entry) == row->result, "%s, again", path);
		CHECK(view_find(&view, path, &entry) == 0 || row->result < 0, "%s, found", path);
		check_list(&view.parts.files, row->files, path);
		check_list(&view.parts.links, row->links, path);
		view_fini(&view);
		strlist_fini(&roots);
	}
	unit_temp_remove(root, dir_fd);
}

/* The name that is shown may be a link outside of the view: it is a directory there. */
static void test_root_by_another_name(void **state)
{
	int dir_fd = make_tree();
	struct view_entry entry;
	struct strlist roots;
	struct view view;
	char buf[PATH_MAX];

	(void)state;
	init(&view, &roots, "@/name");
	assert_int_equal(view_add(&view, in_root("@/name/lib/x.so.1", buf), VIEW_LIBRARY, &entry),
			 0);
	assert_string_equal(entry.path, in_root("@/name/lib64/x.so.1.0", buf));
	assert_string_equal(entry.host, in_root(X, buf));
	check_list(&view.parts.files, "@/name/lib64/x.so.1.0", "name");
	check_list(&view.parts.links, "@/name/lib lib64 @/name/lib64/x.so.1 x.so.1.0", "name");
	/* An absolute link into the place itself leads nowhere in the full view. */
	assert_int_equal(view_add(&view, in_root("@/name/lib64/x.so", buf), VIEW_LIBRARY, &entry),
			 -ENOENT);
	view_fini(&view);
	strlist_fini(&roots);
	unit_temp_remove(root, dir_fd);
}

/* What lies in a directory that is shown needs no part of its own, in whatever order they come. */
static void test_each_once(void **state)
{
	static const char *const orders[][2] = {{"@/py/lib64/data/deep/x.so", "@/py/lib64/data"},
						{"@/py/lib64/data", "@/py/lib64/data/deep/x.so"}};
	int dir_fd = make_tree();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		struct view_parts parts;
		struct view_entry entry;
		struct strlist roots;
		struct view view;
		char buf[PATH_MAX];

		init(&view, &roots, "@/py");
		for (size_t k = 0; k < 2; k++)
			assert_int_equal(
			    view_add(&view, in_root(orders[i][k], buf), VIEW_ANY, &entry), 0);
		assert_int_equal(view_take(&view, &parts), 0);
		check_list(&parts.dirs, "@/py/lib64/data", "dirs");
		check_list(&parts.files, "", "files");
		view_parts_fini(&parts);
		view_fini(&view);
		strlist_fini(&roots);
	}
	unit_temp_remove(root, dir_fd);
}

/* The system's own directories are there without being named. */
static void test_system(void **state)
{
	struct strlist roots = {NULL, 0};
	struct view_entry entry;
	struct error err;
	struct view view;

	(void)state;
	assert_int_equal(view_init(&view, &roots, &(const struct path_links){{NULL, 0}, {NULL, 0}}, &err), 0);
	assert_int_equal(view_add(&view, "/bin/sh", VIEW_FILE, &entry), 0);
	assert_true(view.parts.files.count == 1 && access(view.parts.files.item[0], X_OK) == 0);
	for (size_t i = 0; i < view.parts.links.count; i += 2)
		CHECK(strncmp(view.parts.links.item[i], "/etc/", 5) != 0 &&
			  strcmp(view.parts.links.item[i], "/bin") != 0,
		      "%s", view.parts.links.item[i]);
	view_fini(&view);
	assert_int_equal(strlist_add(&roots, "/nonexistent/root"), 0);
	assert_int_equal(view_init(&view, &roots, &(const struct path_links){{NULL, 0}, {NULL, 0}}, &err), -ENOENT);
	view_fini(&view);
	strlist_fini(&roots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_root_by_another_name),
	    cmocka_unit_test(test_each_once),
	    cmocka_unit_test(test_system),
	};

	return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
