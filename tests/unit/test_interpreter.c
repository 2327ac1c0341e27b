/* Discovery in made-up prefixes. Nothing here can be executed: an interpreter is the header of a program. */
#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "python/interpreter.h"

#define ROOTS_MAX 12
#define LINKS_MAX 4
#define TREE_MAX 20

/*
 * A tree: one entry a line. "E path": an interpreter; "B path": one without its library; "S path text": an
 * executable script; "P path": an interpreter that can't be executed; "X path text": an executable file;
 * "M path": a program for another machine; "I path": one of 32 bits; "L path target": a link; "D path/": a
 * directory (lib/python3.N with its library); "F path text".
 * In texts, paths and expectations '@' stands for the tree's root.
 */
struct row {
	const char *what;
	const char *tree[TREE_MAX];
	const char *python;   /* --python, or NULL */
	const char *venv;     /* --venv, or NULL */
	const char *path;     /* PATH, or NULL */
	const char *active;   /* VIRTUAL_ENV, or NULL */
	const char *pyenv;    /* PYENV_VERSION, or NULL */
	const char *home;     /* HOME; NULL: unset */
	const char *cwd;      /* NULL: the root */
	const char *exe;      /* expected; NULL: refused */
	unsigned int minor;
	const char *roots[ROOTS_MAX];
	const char *links[LINKS_MAX]; /* "path target" */
	const char *prefix; /* where it matters */
	const char *base;
	const char *by;
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
    {.what = "an environment that is planted over a home", .tree = {"E py/bin/python3.11", "L me/bin/python3 @/py/bin/python3.11", "F me/pyvenv.cfg home = @/py/bin", "D me/.ssh/", "D me/lib/other/", "F me/bin/tool text", "D me/share/"},
     .python = "@/me/bin/python3", .home = "@/me", .exe = "@/me/bin/python3", .minor = 11, .roots = {"@/me/pyvenv.cfg", "@/py"}, .links = {"@/me/bin/python3 @/py/bin/python3.11"}},
    {.what = "an environment whose home is wide", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/me/bin/python3.11", "L me/bin/python3.11 @/py/bin/python3.11", "D me/lib/python3.11/", "D me/.ssh/", "F venv/pyvenv.cfg home = @/me/bin"},
     .python = "@/venv/bin/python3", .home = "@/me", .exe = "@/venv/bin/python3", .minor = 11, .roots = {"@/venv", "@/me/lib/python3.11", "@/py"}, .links = {"@/me/bin/python3.11 @/py/bin/python3.11"}},
    {.what = "a prefix that is the home", .tree = {"E me/bin/python3.11", "L me/bin/python3 python3.11", "F me/bin/tool x", "F me/lib/libpython3.11.so.1.0 x", "L me/lib/libpython3.11.so libpython3.11.so.1.0", "F me/lib/other.so x", "D me/share/x/"}, .python = "@/me/bin/python3",
     .home = "@/me", .exe = "@/me/bin/python3.11", .minor = 11, .roots = {"@/me/bin/python3.11", "@/me/lib/python3.11", "@/me/lib/libpython3.11.so.1.0"},
     .links = {"@/me/bin/python3 python3.11", "@/me/lib/libpython3.11.so libpython3.11.so.1.0"}},
    {.what = "a prefix that is above the home", .tree = {"E all/bin/python3.11", "D all/me/"}, .python = "@/all/bin/python3.11",
     .home = "@/all/me", .exe = "@/all/bin/python3.11", .minor = 11, .roots = {"@/all/bin/python3.11", "@/all/lib/python3.11"}},
    {.what = "a prefix that is a home through a link", .tree = {"E real/bin/python3.11", "L me @/real"}, .python = "@/me/bin/python3.11",
     .home = "@/me", .exe = "@/real/bin/python3.11", .minor = 11, .roots = {"@/real/bin/python3.11", "@/real/lib/python3.11"}},
    {.what = "~/.local", .tree = {"E x/.local/bin/python3.11", "D x/.local/share/keyrings/"}, .python = "@/x/.local/bin/python3.11",
     .exe = "@/x/.local/bin/python3.11", .minor = 11, .roots = {"@/x/.local/bin/python3.11", "@/x/.local/lib/python3.11"}},
    {.what = "a prefix with a file beside", .tree = {"E py/bin/python3.11", "F py/secret.txt x", "D py/share/", "D py/include/", "F py/etc/passwords x", "D py/etc/fonts/"}, .python = "@/py/bin/python3.11",
     .exe = "@/py/bin/python3.11", .minor = 11, .roots = {"@/py/bin", "@/py/lib", "@/py/include", "@/py/share", "@/py/etc/fonts"}},
    {.what = "a prefix that holds other things", .tree = {"E work/bin/python3.11", "D work/project/", "D work/share/", "F work/bin/tool x"}, .python = "@/work/bin/python3.11",
     .exe = "@/work/bin/python3.11", .minor = 11, .roots = {"@/work/bin/python3.11", "@/work/lib/python3.11"}},
    {.what = "a prefix with what comes along", .tree = {"E py/bin/python3.11", "F py/.lock x", "F py/.gitignore x", "F py/CACHEDIR.TAG x", "F py/LICENSE.txt x"}, .python = "@/py/bin/python3.11",
     .exe = "@/py/bin/python3.11", .minor = 11, .roots = {"@/py"}},
    {.what = "conda's", .tree = {"E c/bin/python3.11", "L c/bin/python python3.11", "D c/conda-meta/", "D c/envs/x/", "D c/pkgs/", "F c/.condarc token", "D c/etc/conda/", "F c/ssl/cacert.pem x", "F c/ssl/private/key x", "D c/x86_64-conda-linux-gnu/", "D c/project/"},
     .python = "@/c/bin/python", .exe = "@/c/bin/python3.11", .minor = 11, .roots = {"@/c/bin", "@/c/lib", "@/c/x86_64-conda-linux-gnu", "@/c/ssl/cacert.pem"}},
    {.what = "conda's environment", .tree = {"E c/bin/python3.11", "E c/envs/x/bin/python3.12", "L c/envs/x/bin/python3 python3.12", "D c/envs/x/conda-meta/", "D c/conda-meta/"},
     .python = "@/c/envs/x/bin/python3", .exe = "@/c/envs/x/bin/python3.12", .minor = 12, .roots = {"@/c/envs/x/bin", "@/c/envs/x/lib"}},
    {.what = "an environment in a project", .tree = {"E py/bin/python3.11", "L proj/bin/python3 @/py/bin/python3.11", "D proj/.git/", "F proj/.env SECRET", "D proj/src/", "F proj/lib/python3.11/site-packages/x.py x", "L proj/lib64 lib", "F proj/pyvenv.cfg home = @/py/bin"},
     .venv = "@/proj", .exe = "@/proj/bin/python3", .minor = 11, .roots = {"@/proj/bin", "@/proj/lib", "@/proj/pyvenv.cfg", "@/py"}, .links = {"@/proj/lib64 lib"}, .by = "--venv"},
    {.what = "an environment with a password", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "F venv/pip.conf password", "F venv/pyvenv.cfg home = @/py/bin"},
     .venv = "@/venv", .exe = "@/venv/bin/python3", .minor = 11, .roots = {"@/venv/bin", "@/venv/pyvenv.cfg", "@/py"}},
    {.what = "an environment whose lib leads to secrets", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "D secrets/", "L venv/lib @/secrets", "F venv/x x", "F venv/pyvenv.cfg home = @/py/bin"},
     .venv = "@/venv", .exe = "@/venv/bin/python3", .minor = 11, .roots = {"@/venv/bin", "@/venv/pyvenv.cfg", "@/py"}, .links = {"@/venv/lib @/secrets"}},
    {.what = "an environment by a chain of links", .tree = {"E py/bin/python3.11", "L links/python3.11 ../py/bin/python3.11", "L venv/bin/python python3", "L venv/bin/python3 @/links/python3.11", "F venv/pyvenv.cfg home = @/links"},
     .python = "@/venv/bin/python", .exe = "@/venv/bin/python", .minor = 11, .roots = {"@/venv", "@/py"}, .links = {"@/links/python3.11 ../py/bin/python3.11"}, .prefix = "@/venv", .base = "@/py"},
    {.what = "an environment behind a link", .tree = {"E py/bin/python3.11", "L data/venv/bin/python3 @/py/bin/python3.11", "F data/venv/pyvenv.cfg home = @/py/bin", "L me/venv ../data/venv"},
     .python = "@/me/venv/bin/python3", .home = "@/me", .exe = "@/me/venv/bin/python3", .minor = 11, .roots = {"@/data/venv", "@/py"}, .links = {"@/me/venv ../data/venv"}, .prefix = "@/data/venv"},
    {.what = "a link to an environment's program is none", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "F venv/pyvenv.cfg home = @/py/bin", "L links/python3 @/venv/bin/python3"},
     .python = "@/links/python3", .exe = "@/py/bin/python3.11", .minor = 11, .roots = {"@/py"}},
    {.what = "an environment of an environment", .tree = {"E py/bin/python3.11", "L one/bin/python3 @/py/bin/python3.11", "F one/pyvenv.cfg home = @/py/bin", "B two/bin/python3", "F two/pyvenv.cfg home = @/one/bin\nversion_info = 3.11.2.final.0"},
     .venv = "@/two", .exe = "@/two/bin/python3", .minor = 11, .roots = {"@/two", "@/py"}, .links = {"@/one/bin/python3 @/py/bin/python3.11"}, .base = "@/py"},
    {.what = "environments of each other", .tree = {"B one/bin/python3.11", "F one/pyvenv.cfg home = @/two/bin", "B two/bin/python3.11", "L two/bin/python3 python3.11", "F two/pyvenv.cfg home = @/one/bin"},
     .venv = "@/two", .exe = NULL, .says = "holds no Python 3.11"},
    {.what = "an environment of a copied home", .tree = {"E py/bin/python3.11", "L me/bin/python3 @/py/bin/python3.11", "D me/keys/", "B venv/bin/python3", "D venv/lib/python3.11/site-packages/", "F venv/pyvenv.cfg home = @/me/bin"},
     .venv = "@/venv", .home = "@/me", .exe = "@/venv/bin/python3", .minor = 11, .roots = {"@/venv", "@/py"}, .links = {"@/me/bin/python3 @/py/bin/python3.11"}, .base = "@/py"},
    {.what = "an environment whose base is gone", .tree = {"L venv/bin/python3 @/gone/bin/python3.11", "F venv/pyvenv.cfg home = @/gone/bin"},
     .venv = "@/venv", .exe = NULL, .exit = 127, .says = "leads to"},
    {.what = "a copied environment whose base is gone", .tree = {"B venv/bin/python3.11", "F venv/pyvenv.cfg home = @/gone/bin"},
     .python = "@/venv/bin/python3.11", .exe = NULL, .says = "holds no Python 3.11"},
    {.what = "uv's", .tree = {"E uv/cpython-3.12.1/bin/python3.12", "L uv/cpython-3.12 cpython-3.12.1", "L venv/bin/python @/uv/cpython-3.12/bin/python3.12", "L venv/bin/python3 python", "F venv/.lock x", "F venv/.gitignore *", "F venv/pyvenv.cfg home = @/uv/cpython-3.12/bin\nimplementation = CPython\nuv = 0.5\nversion_info = 3.12.1\ninclude-system-site-packages = false"},
     .venv = "@/venv", .exe = "@/venv/bin/python3", .minor = 12, .roots = {"@/venv", "@/uv/cpython-3.12.1"}, .links = {"@/uv/cpython-3.12 cpython-3.12.1"}, .base = "@/uv/cpython-3.12.1"},
    {.what = "free threading", .tree = {"E py/bin/python3.13t", "D py/lib/python3.13/"}, .python = "@/py/bin/python3.13t", .exe = "@/py/bin/python3.13t", .minor = 13, .roots = {"@/py"}},
    {.what = "free threading, by lib", .tree = {"E py/bin/python3", "D py/lib/python3.13t/"}, .python = "@/py/bin/python3", .exe = "@/py/bin/python3", .minor = 13, .roots = {"@/py"}},
    {.what = "free threading without its library", .tree = {"B py/bin/python3.13t", "D py/lib/python3.13/"}, .python = "@/py/bin/python3.13t", .exe = NULL, .says = "no Python 3"},
    {.what = "a debug build", .tree = {"B py/bin/python3.13d", "D py/lib/python3.13/"}, .python = "@/py/bin/python3.13d", .exe = "@/py/bin/python3.13d", .minor = 13, .roots = {"@/py"}},
    {.what = "the active environment, not on PATH", .tree = {"E py/bin/python3.11", "L py/bin/python3 python3.11", "L venv/bin/python3 @/py/bin/python3.11", "F venv/pyvenv.cfg home = @/py/bin"},
     .path = "@/py/bin", .active = "@/venv", .exe = "@/venv/bin/python3", .minor = 11, .roots = {"@/venv", "@/py"}, .by = "VIRTUAL_ENV"},
    {.what = "the active environment, later on PATH", .tree = {"E py/bin/python3.11", "L py/bin/python3 python3.11", "L venv/bin/python3 @/py/bin/python3.11", "F venv/pyvenv.cfg home = @/py/bin"},
     .path = "@/py/bin:@/venv/bin/", .active = "@/venv/", .exe = "@/py/bin/python3.11", .minor = 11, .roots = {"@/py"}, .by = "PATH"},
    {.what = "an active environment that is gone", .tree = {"E py/bin/python3.11", "L py/bin/python3 python3.11"},
     .path = "@/venv/bin:@/py/bin", .active = "@/venv", .exe = "@/py/bin/python3.11", .minor = 11, .roots = {"@/py"}},
    {.what = "an active environment that is broken", .tree = {"E py/bin/python3.11", "L py/bin/python3 python3.11", "L venv/bin/python3 @/gone", "F venv/pyvenv.cfg home = @/"},
     .path = "@/venv/bin:@/py/bin", .active = "@/venv", .exe = NULL, .exit = 127, .says = "leads to"},
    {.what = "an active environment and --python", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "F venv/pyvenv.cfg home = @/py/bin"},
     .python = "@/py/bin/python3.11", .active = "@/venv", .exe = "@/py/bin/python3.11", .minor = 11, .roots = {"@/py"}, .by = "--python"},
    {.what = "--venv with python only", .tree = {"E py/bin/python3.11", "L venv/bin/python @/py/bin/python3.11", "F venv/pyvenv.cfg home = @/py/bin"},
     .venv = "venv/", .exe = "@/venv/bin/python", .minor = 11, .roots = {"@/venv", "@/py"}},
    {.what = "--venv going up", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "F venv/pyvenv.cfg home = @/py/bin", "D proj/deep/"},
     .venv = "../../venv", .cwd = "proj/deep", .exe = "@/venv/bin/python3", .minor = 11, .roots = {"@/venv", "@/py"}},
    {.what = "--python going up", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "F venv/pyvenv.cfg home = @/py/bin", "D proj/deep/"},
     .python = ".././../venv/bin//python3", .cwd = "proj/deep", .exe = "@/venv/bin/python3", .minor = 11, .roots = {"@/venv", "@/py"}},
    {.what = "--venv that is none", .tree = {"E py/bin/python3.11"}, .venv = "@/py", .exe = NULL, .says = "no virtual environment"},
    {.what = "--venv that is not there", .tree = {"D py/"}, .venv = "@/venv", .exe = NULL, .exit = 127, .says = "--venv"},
    {.what = "--venv that is a file", .tree = {"F venv x"}, .venv = "@/venv", .exe = NULL, .exit = 126, .says = "--venv"},
    {.what = "both, the same", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "L venv/bin/python3.11 python3", "F venv/pyvenv.cfg home = @/py/bin", "L other @/venv"},
     .venv = "@/other", .python = "@/venv/bin/python3.11", .exe = "@/venv/bin/python3.11", .minor = 11, .roots = {"@/venv", "@/py"}},
    {.what = "both, different", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "F venv/pyvenv.cfg home = @/py/bin"},
     .venv = "@/venv", .python = "@/py/bin/python3.11", .exe = NULL, .exit = 2, .says = "is not a program of --venv"},
    {.what = "by a name", .tree = {"E a/bin/python3.11", "L a/bin/python3 python3.11", "E b/bin/python3.12"},
     .python = "python3.12", .path = "@/a/bin:@/b/bin", .exe = "@/b/bin/python3.12", .minor = 12, .roots = {"@/b"}},
    {.what = "by a name that is not there", .tree = {"E a/bin/python3.11"}, .python = "python3.12", .path = "@/a/bin", .exe = NULL, .exit = 127, .says = "no python3.12 on PATH"},
    {.what = "an environment whose home is no Python's", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "D keys/bin/", "F venv/pyvenv.cfg home = @/keys/bin"},
     .python = "@/venv/bin/python3", .exe = NULL, .says = "holds no Python 3.11"},
    {.what = "an environment whose home is another Python's", .tree = {"E py/bin/python3.11", "L venv/bin/python3 @/py/bin/python3.11", "D keys/bin/", "D keys/lib/python3.10/", "F venv/pyvenv.cfg home = @/keys/bin"},
     .python = "@/venv/bin/python3", .exe = NULL, .says = "holds no Python 3.11"},
    {.what = "an environment that leads elsewhere", .tree = {"B keys/bin/python3.11", "D py/bin/", "D py/lib/python3.11/", "L venv/bin/python3 @/keys/bin/python3.11", "F venv/pyvenv.cfg home = @/py/bin"},
     .python = "@/venv/bin/python3", .exe = NULL, .says = "which is no Python's"},
    {.what = "an environment made by copying", .tree = {"B venv/bin/python3.11", "D py/bin/", "D py/lib/python3.11/", "F venv/pyvenv.cfg home = @/py/bin"},
     .python = "@/venv/bin/python3.11", .exe = "@/venv/bin/python3.11", .minor = 11, .roots = {"@/venv", "@/py"}},
    {.what = "a library in lib64", .tree = {"B py/bin/python3.11", "F py/lib64/python3.11/os.py text"}, .python = "@/py/bin/python3.11",
     .exe = "@/py/bin/python3.11", .minor = 11, .roots = {"@/py"}},
    {.what = "no library", .tree = {"B keys/bin/python3.11", "F keys/lib/python3.11/other.py x"}, .python = "@/keys/bin/python3.11",
     .exe = NULL, .says = "no Python 3"},
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
    {.what = "pyenv's second version has the program", .tree = {"S env/shims/python3.12", "E env/versions/3.11.2/bin/python3.11", "E env/versions/3.12.1/bin/python3.12"},
     .python = "python3.12", .path = "@/env/shims", .pyenv = "3.11.2:3.12.1", .exe = "@/env/versions/3.12.1/bin/python3.12", .minor = 12, .roots = {"@/env/versions/3.12.1"}},
    {.what = "pyenv's version lacks the program", .tree = {"S env/shims/python3.12", "E env/versions/3.11.2/bin/python3.11"},
     .python = "python3.12", .path = "@/env/shims", .pyenv = "3.11.2", .exe = NULL, .says = "'3.11.2', which has no python3.12"},
    {.what = "pyenv's newest", .tree = {"S env/shims/python3", "E env/versions/3.11.9/bin/python3", "D env/versions/3.11.9/lib/python3.11/", "E env/versions/3.11.10/bin/python3", "D env/versions/3.11.10/lib/python3.11/", "D env/versions/3.11.11-dev/", "D env/versions/3.110.1/"},
     .path = "@/env/shims", .pyenv = "3.11", .exe = "@/env/versions/3.11.10/bin/python3", .minor = 11, .roots = {"@/env/versions/3.11.10"}},
    {.what = "pyenv-virtualenv's", .tree = {"S env/shims/python3", "E env/versions/3.11.2/bin/python3.11", "L env/versions/3.11.2/envs/mine/bin/python3 @/env/versions/3.11.2/bin/python3.11", "F env/versions/3.11.2/envs/mine/pyvenv.cfg home = @/env/versions/3.11.2/bin", "L env/versions/mine 3.11.2/envs/mine", "F .python-version # a comment\nmine"},
     .path = "@/env/shims", .exe = "@/env/versions/mine/bin/python3", .minor = 11, .roots = {"@/env/versions/3.11.2/envs/mine", "@/env/versions/3.11.2/bin", "@/env/versions/3.11.2/lib"}, .links = {"@/env/versions/mine 3.11.2/envs/mine"}, .base = "@/env/versions/3.11.2"},
    {.what = "pyenv-virtualenv's long name", .tree = {"S env/shims/python3", "E env/versions/3.11.2/bin/python3.11", "L env/versions/3.11.2/envs/mine/bin/python3 @/env/versions/3.11.2/bin/python3.11", "F env/versions/3.11.2/envs/mine/pyvenv.cfg home = @/env/versions/3.11.2/bin"},
     .path = "@/env/shims", .pyenv = "3.11.2/envs/mine", .exe = "@/env/versions/3.11.2/envs/mine/bin/python3", .minor = 11, .roots = {"@/env/versions/3.11.2/envs/mine", "@/env/versions/3.11.2/bin", "@/env/versions/3.11.2/lib"}},
    {.what = "asdf's", .tree = {"S asdf/shims/python3 #!/usr/bin/env bash\nexec asdf exec \"python3\" \"$@\"", "E asdf/installs/python/3.11.2/bin/python3.11", "L asdf/installs/python/3.11.2/bin/python3 python3.11", "F .tool-versions nodejs 20\npython 3.11.2 # mine\n"},
     .path = "@/asdf/shims", .exe = "@/asdf/installs/python/3.11.2/bin/python3.11", .minor = 11, .roots = {"@/asdf/installs/python/3.11.2"}},
    {.what = "asdf's, by HOME", .tree = {"S asdf/shims/python3 #!/bin/sh\nexec asdf exec python3", "E asdf/installs/python/3.11.2/bin/python3.11", "L asdf/installs/python/3.11.2/bin/python3 python3.11", "F me/.tool-versions python 3.9.1 3.11.2", "F .tool-versions nodejs 20"},
     .path = "@/asdf/shims", .home = "@/me", .exe = "@/asdf/installs/python/3.11.2/bin/python3.11", .minor = 11, .roots = {"@/asdf/installs/python/3.11.2"}},
    {.what = "asdf's system goes on", .tree = {"S asdf/shims/python3 #!/bin/sh\nexec asdf exec python3", "D asdf/installs/python/", "F .tool-versions python system", "E py/bin/python3.11", "L py/bin/python3 python3.11"},
     .path = "@/asdf/shims:@/py/bin", .exe = "@/py/bin/python3.11", .minor = 11, .roots = {"@/py"}},
    {.what = "asdf's version is a path", .tree = {"S asdf/shims/python3 #!/bin/sh\nexec asdf exec python3", "D asdf/installs/python/", "F .tool-versions python path:/opt/x"},
     .path = "@/asdf/shims", .exe = NULL, .says = "'path:/opt/x', which is not installed"},
    {.what = "what only looks like asdf's", .tree = {"S asdf/shims/python3", "D asdf/installs/python/"}, .path = "@/asdf/shims", .exe = NULL, .says = "is a script (/bin/sh)"},
    {.what = "mise's", .tree = {"E mise/bin/mise", "L shims/python3 @/mise/bin/mise"}, .path = "@/shims", .exe = NULL, .says = "a shim of mise"},
    {.what = "PyPy", .tree = {"E pypy/bin/pypy3.10", "L pypy/bin/python3 pypy3.10", "D pypy/lib/pypy3.10/"}, .path = "@/pypy/bin", .exe = NULL, .says = "is PyPy"},
    {.what = "a 32-bit program", .tree = {"I py/bin/python3.11", "D py/lib/python3.11/"}, .python = "@/py/bin/python3.11", .exe = NULL, .says = "for 32-bit x86"},
    {.what = "another machine's", .tree = {"M py/bin/python3.11", "D py/lib/python3.11/"}, .python = "@/py/bin/python3.11", .exe = NULL, .says = "for RISC-V"},
    {.what = "built and not installed", .tree = {"B src/python", "F src/pybuilddir.txt x", "D src/Lib/"}, .python = "@/src/python", .exe = NULL, .says = "was built and is not installed"},
    {.what = "a broken link", .tree = {"L bin/python3 @/gone/python3.11"}, .python = "@/bin/python3", .exe = NULL, .exit = 127, .says = "leads to"},
    {.what = "links in a circle", .tree = {"L bin/python3 python", "L bin/python python3"}, .python = "@/bin/python3", .exe = NULL, .exit = 126, .says = "bin/python3"},
    {.what = "a header that is cut off", .tree = {"X py/bin/python3.11 \177ELF", "D py/lib/python3.11/"}, .python = "@/py/bin/python3.11", .exe = NULL, .says = "is not a program"},
    {.what = "a wrapper", .tree = {"S py/bin/python3"}, .path = "@/py/bin", .exe = NULL,
     .says = "a script (/bin/sh), not an interpreter"},
    {.what = "a shim of something else", .tree = {"S env/shims/python3"}, .python = "@/env/shims/python3", .exe = NULL,
     .says = "a script (/bin/sh), not an interpreter"},
    {.what = "too old", .tree = {"E py/bin/python3.7"}, .python = "@/py/bin/python3.7", .exe = NULL,
     .says = "Python 3.7; 3.8 or newer"},
    {.what = "as old as may be", .tree = {"E py/bin/python3.8"}, .python = "@/py/bin/python3.8",
     .exe = "@/py/bin/python3.8", .minor = 8, .roots = {"@/py"}},
    {.what = "no Python", .tree = {"E py/bin/perl"}, .python = "@/py/bin/perl", .exe = NULL, .says = "no Python 3"},
    {.what = "another program of a Python's prefix", .tree = {"E py/bin/perl", "D py/lib/python3.11/"}, .python = "@/py/bin/perl", .exe = NULL, .says = "no Python 3"},
    {.what = "Python 2", .tree = {"E py/bin/python2.7", "D py/lib/python2.7/"}, .python = "@/py/bin/python2.7",
     .exe = NULL, .says = "is Python 2;"},
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
	(void)snprintf(library, sizeof(library), "%.*slib/python3.%d%s/os.py", prefix, path, atoi(name + 9),
		       name[9 + strspn(name + 9, "0123456789")] == 't' ? "t" : "");
	unit_make(fd, library, "");
}

/* A program's header and its loader's path. */
static void put_program(int fd, const char *path, char kind)
{
	static const char loader[] = "/lib64/ld-linux-x86-64.so.2";
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr segment;
		char loader[sizeof(loader)];
	} file = {.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
#if defined(__x86_64__)
			     .e_machine = EM_X86_64,
#else
			     .e_machine = EM_AARCH64,
#endif
			     .e_phoff = sizeof(Elf64_Ehdr),
			     .e_phentsize = sizeof(Elf64_Phdr),
			     .e_phnum = 1},
		  .segment = {.p_type = PT_INTERP, .p_offset = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr), .p_filesz = sizeof(loader)}};
	int file_fd = openat(fd, path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	memcpy(file.loader, loader, sizeof(loader));
	if (kind == 'M')
		file.header.e_machine = EM_RISCV;
	if (kind == 'I') {
		file.header.e_machine = EM_386;
		file.header.e_ident[EI_CLASS] = ELFCLASS32;
	}
	assert_true(file_fd >= 0);
	assert_int_equal(write(file_fd, &file, sizeof(file)), sizeof(file));
	(void)close(file_fd);
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
	unit_make(fd, path, rest != NULL ? rest : text[0] == 'S' ? "#!/bin/sh\nexit 99\n" : "");
	if (strchr("EBPMI", text[0]) != NULL)
		put_program(fd, path, text[0]);
	if (text[0] == 'E' || text[0] == 'D')
		put_library(fd, path);
	if (strchr("EBSXMI", text[0]) != NULL)
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
	char link[2 * PATH_MAX];
	size_t count = 0;

	CHECK(unit_same(found->exe, expand(row->exe, root, want)), "%s: %s", row->what, found->exe);
	CHECK(row->prefix == NULL || unit_same(found->prefix, expand(row->prefix, root, want)), "%s: prefix %s",
	      row->what, found->prefix);
	CHECK(row->base == NULL || unit_same(found->base_prefix, expand(row->base, root, want)), "%s: base prefix %s",
	      row->what, found->base_prefix);
	CHECK(row->by == NULL || unit_same(found->chosen_by, row->by), "%s: by %s", row->what, found->chosen_by);
	CHECK(path_is_below(found->stdlib, found->base_prefix), "%s: library %s", row->what, found->stdlib);
	CHECK(found->minor == row->minor, "%s: 3.%u", row->what, found->minor);
	for (; count < ROOTS_MAX && row->roots[count] != NULL; count++)
		CHECK(count < found->roots.count &&
			  unit_same(found->roots.item[count], expand(row->roots[count], root, want)),
		      "%s: root %zu of %zu: %s", row->what, count, found->roots.count,
		      count < found->roots.count ? found->roots.item[count] : "");
	CHECK(found->roots.count == count, "%s: %zu roots, one is %s", row->what, found->roots.count, found->roots.item[count]);
	for (count = 0; count < LINKS_MAX && row->links[count] != NULL; count++) {
		if (count < found->links.at.count)
			(void)snprintf(link, sizeof(link), "%s %s", found->links.at.item[count], found->links.to.item[count]);
		CHECK(count < found->links.at.count && unit_same(link, expand(row->links[count], root, want)),
		      "%s: link %zu of %zu: %s", row->what, count, found->links.at.count, link);
	}
	CHECK(found->links.at.count == count, "%s: %zu links, one is %s", row->what, found->links.at.count,
	      found->links.at.item[count]);
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
		char three[PATH_MAX];
		char four[PATH_MAX];
		struct interpreter_request request;
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
		request = (struct interpreter_request){.python = expand(row->python, root, one),
						       .search_path = expand(row->path, root, two),
						       .venv = expand(row->venv, root, three),
						       .active_venv = expand(row->active, root, four)};
		r = interpreter_find(&request, &found, &err);
		if (row->exe != NULL) {
			CHECK(r == 0, "%s: %s", row->what, err.detail);
			check_found(row, root, &found);
		} else {
			CHECK(r < 0, "%s: %s", row->what, found.exe);
			CHECK(strstr(err.detail, row->says) != NULL, "%s: '%s'", row->what, err.detail);
			CHECK(err.exit == row->exit, "%s: exit %d", row->what, err.exit);
			CHECK(row->exit == 127 || err.errnum != ENOENT, "%s: says that it is missing", row->what);
			CHECK(strstr(err.hint, "--python") != NULL || row->exit == 2, "%s: '%s'", row->what, err.hint);
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
