/*
 * What interpreter discovery reads. The first byte says which file the rest is. What is found is one of the
 * interpreters that lie there, and what is shown for it are their prefixes.
 */
#include "fuzz.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "python/editable.h"
#include "python/interpreter.h"

static char root[64];

/* The file that is fuzzed, and the interpreter that leads there. */
static const struct {
	const char *file;
	const char *python;
} targets[] = {
    {"venv/pyvenv.cfg", "venv/bin/python3.11"},
    {"env/version", "env/shims/python3"},
    {"asdf/.tool-versions", "asdf/shims/python3"},
    {"some/bin/python3.11", "some/bin/python3.11"},
    {"py/lib/python3.11/site-packages/a.pth", NULL},
    {"py/lib/python3.11/site-packages/__editable___a_finder.py", NULL},
};

static const char *const dirs[] = {"py",
				   "py/bin",
				   "py/lib",
				   "py/lib/python3.11",
				   "py/lib/python3.11/site-packages",
				   "venv",
				   "venv/bin",
				   "env",
				   "env/shims",
				   "env/versions",
				   "env/versions/a",
				   "env/versions/a/bin",
				   "env/versions/a/lib",
				   "env/versions/a/lib/python3.11",
				   "asdf",
				   "asdf/shims",
				   "asdf/installs",
				   "asdf/installs/python",
				   "asdf/installs/python/a",
				   "asdf/installs/python/a/bin",
				   "asdf/installs/python/a/lib",
				   "asdf/installs/python/a/lib/python3.11",
				   "some",
				   "some/bin",
				   "some/lib",
				   "some/lib/python3.11"};
static const char *const programs[] = {"py/bin/python3.11", "venv/bin/python3.11", "env/versions/a/bin/python3.11",
				       "asdf/installs/python/a/bin/python3.11"};
static const char *const links[] = {"env/versions/a/bin/python3", "asdf/installs/python/a/bin/python3"};
static const char *const texts[][2] = {{"env/shims/python3", "#!/bin/sh"},
				       {"asdf/shims/python3", "#!/bin/sh\nexec asdf exec python3"},
				       {"py/lib/python3.11/os.py", ""},
				       {"env/versions/a/lib/python3.11/os.py", ""},
				       {"asdf/installs/python/a/lib/python3.11/os.py", ""},
				       {"some/lib/python3.11/os.py", ""}};

static const char *in_root(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void make_file(const char *name, const void *data, size_t size)
{
	int fd = open(in_root(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	FUZZ_CHECK(fd >= 0 && (size == 0 || write(fd, data, size) == (ssize_t)size));
	(void)close(fd);
}

static void clean_up(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		(void)unlink(in_root(targets[i].file));
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		(void)unlink(in_root(programs[i]));
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		(void)unlink(in_root(links[i]));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		(void)unlink(in_root(texts[i][0]));
	for (size_t i = ARRAY_SIZE(dirs); i-- > 0;)
		(void)rmdir(in_root(dirs[i]));
	(void)rmdir(root);
}

static void set_up(void)
{
	Elf64_Ehdr header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
#if defined(__x86_64__)
			     .e_machine = EM_X86_64};
#else
			     .e_machine = EM_AARCH64};
#endif

	(void)snprintf(root, sizeof(root), "/tmp/capsule-fuzz.XXXXXX");
	FUZZ_CHECK(mkdtemp(root) != NULL);
	(void)atexit(clean_up);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		FUZZ_CHECK(mkdir(in_root(dirs[i]), 0700) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		make_file(programs[i], &header, sizeof(header));
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		FUZZ_CHECK(symlink("python3.11", in_root(links[i])) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		make_file(texts[i][0], texts[i][1], strlen(texts[i][1]));
	(void)unsetenv("PYENV_VERSION");
	(void)unsetenv("ASDF_PYTHON_VERSION");
	(void)setenv("HOME", in_root("asdf"), 1);
}

static void check_interpreter(const char *python)
{
	struct interpreter found;
	struct error err;
	char path[256];
	int r;

	(void)snprintf(path, sizeof(path), "%s", in_root(python));
	memset(&err, 0, sizeof(err));
	r = interpreter_find(&(struct interpreter_request){.python = path}, &found, &err);
	if (r == 0) {
		FUZZ_CHECK(found.minor == 11 && path_is_below(found.exe, root));
		FUZZ_CHECK(found.roots.count >= 1);
		for (size_t i = 0; i < found.roots.count; i++)
			FUZZ_CHECK(path_is_below(found.roots.item[i], root) && strcmp(found.roots.item[i], root) != 0);
		FUZZ_CHECK(strlen(found.loader) == 0 || found.loader[0] == '/');
	} else {
		FUZZ_CHECK(err.detail[0] != '\0' && err.hint[0] != '\0');
	}
	interpreter_fini(&found);
}

static void check_editable(void)
{
	struct strlist found = {NULL, 0};
	struct stat st;

	FUZZ_CHECK(editable_find(in_root("py/lib/python3.11/site-packages"), &found) == 0);
	for (size_t i = 0; i < found.count; i++)
		FUZZ_CHECK(found.item[i][0] == '/' && stat(found.item[i], &st) == 0 && S_ISDIR(st.st_mode));
	strlist_fini(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t which = size > 0 ? data[0] % ARRAY_SIZE(targets) : 0;
	int cwd_fd;

	if (root[0] == '\0')
		set_up();
	/* Version files are looked for from the working directory up. The corpus may be named from it. */
	cwd_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(cwd_fd >= 0 && chdir(root) == 0);
	make_file(targets[which].file, size > 0 ? data + 1 : data, size > 0 ? size - 1 : 0);
	if (targets[which].python != NULL)
		check_interpreter(targets[which].python);
	else
		check_editable();
	FUZZ_CHECK(fchdir(cwd_fd) == 0);
	(void)close(cwd_fd);
	return 0;
}
