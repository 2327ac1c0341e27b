/* Discovery in made-up prefixes. Nothing here can be executed: an interpreter is its first four bytes. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "python/interpreter.h"

#define ROOTS_MAX 3
#define TREE_MAX 8

/*
 * A tree: one entry a line. "E path": an interpreter; "S path": an executable script; "P path": a plain
 * file with an interpreter's bytes; "L path target": a link; "D path/": a directory; "F path text".
 * In texts, paths and expectations '@' stands for the tree's root.
 */
struct row {
	const char *what;
	const char *tree[TREE_MAX];
	const char *python;   /* --python, or NULL */
	const char *path;     /* PATH, or NULL */
	const char *pyenv;    /* PYENV_VERSION, or NULL */
	const char *home;     /* HOME; NULL: unset */
	const char *cwd;      /* NULL: the root */
	const char *exe;      /* expected; NULL: refused */
	unsigned int minor;
	const char *roots[ROOTS_MAX];
	int exit; /* refused: of the error */
	const char *says;
};

static const struct row rows[] = {
    {.what = "by its own name", .tree = {"E py/bin/python3.11"}, .python = "@/py/bin/python3.11",
     .exe = "@/py/bin/python3.11", .minor = 11, .roots = {"@/py"}},
    {.what = "through links", .tree = {"E py/bin/python3.12", "L py/bin/python3 python3.12", "L bin/python3 ../py/bin/python3"},
     .python = "@/bin/python3", .exe = "@/py/bin/python3.12", .minor = 12, .roots = {"@/py"}},
    {.what = "relative to the working directory", .tree = {"E py/bin/python3.11"}, .python = "bin/python3.11",
     .cwd = "py", .exe = "@/py/bin/python3.11", .minor = 11, .roots = {"@/py"}},
    {.what = "version by lib", .tree = {"E py/bin/python3", "D py/lib/python3.9/"}, .python = "@/py/bin/python3",
     .exe = "@/py/bin/python3", .minor = 9, .roots = {"@/py"}},
    {.what = "version by lib, other names there", .tree = {"E py/bin/python", "D py/lib/python3.10/", "D py/lib/python3.10-extra/", "D py/lib/python3/"},
     .python = "@/py/bin/python", .exe = "@/py/bin/python", .minor = 10, .roots = {"@/py"}},
    {.what = "the first on PATH", .tree = {"E a/bin/python3", "D a/lib/python3.8/", "E b/bin/python3.11"},
     .path = "@/none:@/a/bin:@/b/bin", .exe = "@/a/bin/python3", .minor = 8, .roots = {"@/a"}},
    {.what = "relative entries are ignored", .tree = {"E bin/python3", "E py/bin/python3", "D py/lib/python3.11/"},
     .path = "bin::.:./bin:@/py/bin", .exe = "@/py/bin/python3", .minor = 11, .roots = {"@/py"}},
    {.what = "what can't be executed is passed over", .tree = {"P a/bin/python3", "D b/bin/python3/", "L c/bin/python3 nowhere", "E d/bin/python3", "D d/lib/python3.11/"},
     .path = "@/a/bin:@/b/bin:@/c/bin:@/d/bin", .exe = "@/d/bin/python3", .minor = 11, .roots = {"@/d"}},
    {.what = "an environment", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "F venv/pyvenv.cfg home = @/py/bin"},
     .python = "@/venv/bin/python3", .exe = "@/venv/bin/python3", .minor = 11, .roots = {"@/venv", "@/py"}},
    {.what = "an environment's home of its own", .tree = {"E real/bin/python3.11", "D py/lib/python3.11/", "L py/bin/python3.11 @/real/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "F venv/pyvenv.cfg version = 3\nhome\t=  @/py/bin\r\nx = y"},
     .python = "@/venv/bin/python3", .exe = "@/venv/bin/python3", .minor = 11, .roots = {"@/venv", "@/py", "@/real"}},
    {.what = "an environment's home that is no key", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "F venv/pyvenv.cfg homes = /etc/ssl\nnohome = /etc/ssl\nhome"},
     .python = "@/venv/bin/python3", .exe = "@/venv/bin/python3", .minor = 11, .roots = {"@/venv", "@/py"}},
    {.what = "an environment that is planted over a home", .tree = {"E py/bin/python3.11", "L me/bin/python3 @/py/bin/python3.11", "F me/pyvenv.cfg home = @/py/bin"},
     .python = "@/me/bin/python3", .home = "@/me", .exe = NULL, .exit = 0, .says = "more than an interpreter"},
    {.what = "an environment whose home is wide", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "D me/bin/", "D me/lib/python3.11/", "F venv/pyvenv.cfg home = @/me/bin"},
     .python = "@/venv/bin/python3", .home = "@/me", .exe = NULL, .says = "more than an interpreter"},
    {.what = "an environment whose home is no Python's", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "D keys/bin/", "F venv/pyvenv.cfg home = @/keys/bin"},
     .python = "@/venv/bin/python3", .exe = NULL, .says = "holds no Python 3.11"},
    {.what = "an environment whose home is another Python's", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "D keys/bin/", "D keys/lib/python3.10/", "F venv/pyvenv.cfg home = @/keys/bin"},
     .python = "@/venv/bin/python3", .exe = NULL, .says = "holds no Python 3.11"},
    {.what = "an environment that leads elsewhere", .tree = {"X keys/bin/python3.11 \177ELF", "D py/bin/", "D py/lib/python3.11/", "L venv/bin/python3 @/keys/bin/python3.11", "F venv/pyvenv.cfg home = @/py/bin"},
     .python = "@/venv/bin/python3", .exe = NULL, .says = "which is no Python's"},
    {.what = "an environment made by copying", .tree = {"X venv/bin/python3.11 \177ELF", "D py/bin/", "D py/lib/python3.11/", "F venv/pyvenv.cfg home = @/py/bin"},
     .python = "@/venv/bin/python3.11", .exe = "@/venv/bin/python3.11", .minor = 11, .roots = {"@/venv", "@/py"}},
    {.what = "a library in lib64", .tree = {"X py/bin/python3.11 \177ELF", "F py/lib64/python3.11/os.py text"}, .python = "@/py/bin/python3.11",
     .exe = "@/py/bin/python3.11", .minor = 11, .roots = {"@/py"}},
    {.what = "no library", .tree = {"X keys/bin/python3.11 \177ELF", "F keys/lib/python3.11/other.py x"}, .python = "@/keys/bin/python3.11",
     .exe = NULL, .says = "no Python 3"},
    {.what = "a prefix that is the home", .tree = {"E me/bin/python3.11"}, .python = "@/me/bin/python3.11",
     .home = "@/me", .exe = NULL, .says = "more than an interpreter"},
    {.what = "a home that only begins like it", .tree = {"E meme/bin/python3.11"}, .python = "@/meme/bin/python3.11",
     .home = "@/me", .exe = "@/meme/bin/python3.11", .minor = 11, .roots = {"@/meme"}},
    {.what = "pyenv by variable", .tree = {"S env/shims/python3", "E env/versions/3.11.2/bin/python3.11", "L env/versions/3.11.2/bin/python3 python3.11", "F env/version 3.10.1"},
     .path = "@/env/shims", .pyenv = "3.11.2:3.9", .exe = "@/env/versions/3.11.2/bin/python3.11", .minor = 11,
     .roots = {"@/env/versions/3.11.2"}},
    {.what = "pyenv by a file above", .tree = {"S env/shims/python3", "E env/versions/3.11.2/bin/python3", "D env/versions/3.11.2/lib/python3.11/", "F proj/.python-version 3.11.2\n3.9\n", "D proj/deep/er/", "F env/version 3.10.1"},
     .path = "@/env/shims", .cwd = "proj/deep/er", .exe = "@/env/versions/3.11.2/bin/python3", .minor = 11,
     .roots = {"@/env/versions/3.11.2"}},
    {.what = "pyenv by its own file", .tree = {"S env/shims/python3", "E env/versions/3.11.2/bin/python3", "D env/versions/3.11.2/lib/python3.11/", "F env/version 3.11.2\n"},
     .python = "@/env/shims/python3", .exe = "@/env/versions/3.11.2/bin/python3", .minor = 11,
     .roots = {"@/env/versions/3.11.2"}},
    {.what = "pyenv's system goes on", .tree = {"S env/shims/python3", "D env/versions/", "F env/version system", "E py/bin/python3", "D py/lib/python3.11/"},
     .path = "@/env/shims:@/py/bin", .exe = "@/py/bin/python3", .minor = 11, .roots = {"@/py"}},
    {.what = "pyenv's system by --python", .tree = {"S env/shims/python3", "D env/versions/", "F env/version system"},
     .python = "@/env/shims/python3", .exe = NULL, .says = "shim for the system's"},
    {.what = "pyenv's version is missing", .tree = {"S env/shims/python3", "D env/versions/", "F env/version 3.11.9"},
     .path = "@/env/shims", .exe = NULL, .says = "'3.11.9', which is not installed"},
    {.what = "pyenv's version is a path", .tree = {"S env/shims/python3", "D env/versions/", "E py/bin/python3.11", "L py/bin/python3 python3.11"},
     .path = "@/env/shims", .pyenv = "../../py", .exe = NULL, .says = "not installed"},
    {.what = "a wrapper", .tree = {"S py/bin/python3"}, .path = "@/py/bin", .exe = NULL,
     .says = "a script, not an interpreter"},
    {.what = "a shim of something else", .tree = {"S env/shims/python3"}, .python = "@/env/shims/python3", .exe = NULL,
     .says = "a script, not an interpreter"},
    {.what = "too old", .tree = {"E py/bin/python3.7"}, .python = "@/py/bin/python3.7", .exe = NULL,
     .says = "Python 3.7; 3.8 or newer"},
    {.what = "as old as may be", .tree = {"E py/bin/python3.8"}, .python = "@/py/bin/python3.8",
     .exe = "@/py/bin/python3.8", .minor = 8, .roots = {"@/py"}},
    {.what = "no Python", .tree = {"E py/bin/perl"}, .python = "@/py/bin/perl", .exe = NULL, .says = "no Python 3"},
    {.what = "Python 2", .tree = {"E py/bin/python2.7", "D py/lib/python2.7/"}, .python = "@/py/bin/python2.7",
     .exe = NULL, .says = "no Python 3"},
    {.what = "two versions in lib", .tree = {"E py/bin/python3", "D py/lib/python3.9/", "D py/lib/python3.11/"},
     .python = "@/py/bin/python3", .exe = NULL, .says = "no Python 3"},
    {.what = "no program", .tree = {"X py/bin/python3.11 just text"}, .python = "@/py/bin/python3.11", .exe = NULL,
     .says = "is not a program"},
    {.what = "shorter than its magic", .tree = {"X py/bin/python3.11 a"}, .python = "@/py/bin/python3.11", .exe = NULL,
     .says = "is not a program"},
    {.what = "none on PATH", .tree = {"D empty/"}, .path = "@/empty", .exe = NULL, .exit = 127, .says = "no python3"},
    {.what = "missing", .tree = {"D empty/"}, .python = "@/empty/python3", .exe = NULL, .exit = 127,
     .says = "empty/python3"},
    {.what = "not executable", .tree = {"P py/bin/python3.11"}, .python = "@/py/bin/python3.11", .exe = NULL,
     .exit = 126, .says = "py/bin/python3.11"},
    {.what = "a directory", .tree = {"D py/bin/python3.11/"}, .python = "@/py/bin/python3.11", .exe = NULL,
     .exit = 126, .says = "py/bin/python3.11"},
    {.what = "a name", .tree = {"E py/bin/python3.11"}, .python = "python3", .path = "@/py/bin", .exe = NULL,
     .says = "not a path"},
};

/* Replaces each '@'. */
static const char *expand(const char *text, const char *root, char buf[PATH_MAX])
{
	size_t len = 0;

	if (text == NULL)
		return NULL;
	for (; *text != '\0'; text++) {
		const char *part = *text == '@' ? root : text;
		size_t n = *text == '@' ? strlen(root) : 1;

		assert_true(len + n < PATH_MAX);
		memcpy(buf + len, part, n);
		len += n;
	}
	buf[len] = '\0';
	return buf;
}

/* The library of DIR/python3.N, where DIR is bin or lib: what a prefix is known by. */
static void put_library(int fd, const char *path)
{
	const char *name = strstr(path, "/python3.");
	char library[PATH_MAX];
	int prefix;

	if (name == NULL || name - path < 3)
		return;
	prefix = (int)(name - path) - 3;
	(void)snprintf(library, sizeof(library), "%.*slib/python3.%d/os.py", prefix, path, atoi(name + 9));
	unit_make(fd, library, "");
}

static void make_entry(int fd, const char *root, const char *entry)
{
	char text[PATH_MAX];
	char *rest;
	char *path;

	(void)expand(entry, root, text);
	path = text + 2;
	rest = strchr(path, ' ');
	if (rest != NULL)
		*rest++ = '\0';
	if (text[0] == 'L') {
		unit_make(fd, path, "");
		assert_int_equal(unlinkat(fd, path, 0), 0);
		assert_int_equal(symlinkat(rest, fd, path), 0);
		return;
	}
	unit_make(fd, path, rest != NULL ? rest : text[0] == 'S' ? "#!/bin/sh\nexit 99\n" : "\177ELF\002\001\001");
	if (text[0] == 'E' || text[0] == 'D')
		put_library(fd, path);
	if (strchr("ESX", text[0]) != NULL)
		assert_int_equal(fchmodat(fd, path, 0755, 0), 0);
}

static void set_env(const char *name, const char *value)
{
	if (value != NULL)
		assert_int_equal(setenv(name, value, 1), 0);
	else
		assert_int_equal(unsetenv(name), 0);
}

static void check_found(const struct row *row, const char *root, const struct interpreter *found)
{
	char want[PATH_MAX];
	size_t count = 0;

	CHECK(unit_same(found->exe, expand(row->exe, root, want)), "%s: %s", row->what, found->exe);
	CHECK(found->minor == row->minor, "%s: 3.%u", row->what, found->minor);
	for (; count < ROOTS_MAX && row->roots[count] != NULL; count++)
		CHECK(count < found->roots.count &&
			  unit_same(found->roots.item[count], expand(row->roots[count], root, want)),
		      "%s: root %zu of %zu", row->what, count, found->roots.count);
	CHECK(found->roots.count == count, "%s: %zu roots", row->what, found->roots.count);
}

static void test_rows(void **state)
{
	(void)state;
	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		int lowest = unit_lowest_fd();
		struct interpreter found;
		struct error err = {0};
		char root[PATH_MAX];
		char one[PATH_MAX];
		char two[PATH_MAX];
		char home[PATH_MAX];
		char cwd[PATH_MAX + 32];
		int fd = unit_temp(root);
		int r;

		for (size_t i = 0; i < TREE_MAX && row->tree[i] != NULL; i++)
			make_entry(fd, root, row->tree[i]);
		set_env("PYENV_VERSION", row->pyenv);
		set_env("HOME", expand(row->home, root, home));
		(void)snprintf(cwd, sizeof(cwd), "%s/%s", root, row->cwd != NULL ? row->cwd : "");
		CHECK(chdir(cwd) == 0, "%s: %s", row->what, cwd);
		errno = ENOENT; /* stale; what is reported must not be this */
		r = interpreter_find(expand(row->python, root, one), expand(row->path, root, two), &found, &err);
		if (row->exe != NULL) {
			CHECK(r == 0, "%s: %s", row->what, err.detail);
			check_found(row, root, &found);
		} else {
			CHECK(r < 0, "%s: %s", row->what, found.exe);
			CHECK(strstr(err.detail, row->says) != NULL, "%s: '%s'", row->what, err.detail);
			CHECK(err.exit == row->exit, "%s: exit %d", row->what, err.exit);
			CHECK(row->exit == 127 || err.errnum != ENOENT, "%s: says that it is missing", row->what);
			CHECK(strstr(err.hint, "--python") != NULL, "%s: '%s'", row->what, err.hint);
		}
		interpreter_fini(&found);
		assert_int_equal(chdir("/"), 0);
		unit_temp_remove(root, fd);
		CHECK(unit_lowest_fd() == lowest, "%s: a descriptor was leaked", row->what);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests_name("interpreter", tests, NULL, NULL);
}
