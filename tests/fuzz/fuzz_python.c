/*
 * The small files that interpreter discovery reads: pyvenv.cfg of an environment (first byte even) and
 * pyenv's version file (odd). What is found is one of the interpreters that lie there.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "python/interpreter.h"

static char root[64];

static void make_dir(const char *name)
{
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	FUZZ_CHECK(mkdir(path, 0700) == 0);
}

static void make_file(const char *name, const void *data, size_t size)
{
	char path[160];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	FUZZ_CHECK(fd >= 0 && (size == 0 || write(fd, data, size) == (ssize_t)size));
	(void)close(fd);
}

static void link_file(const char *name, const char *target)
{
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	FUZZ_CHECK(symlink(target, path) == 0);
}

static const char *const dirs[] = {"py",	   "py/bin",	   "venv",	     "venv/bin",	  "env",
				   "env/shims",	   "env/versions", "env/versions/a", "env/versions/a/bin",
				   "py/lib", "py/lib/python3.11", "env/versions/a/lib", "env/versions/a/lib/python3.11"};
static const char *const files[] = {"py/bin/python3.11",	 "venv/bin/python3.11", "venv/pyvenv.cfg",
				    "env/versions/a/bin/python3", "env/versions/a/bin/python3.11", "env/shims/python3", "env/version",
				    "py/lib/python3.11/os.py", "env/versions/a/lib/python3.11/os.py"};

static void clean_up(void)
{
	char path[160];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", root, files[i]);
		(void)unlink(path);
	}
	for (size_t i = ARRAY_SIZE(dirs); i-- > 0;) {
		(void)snprintf(path, sizeof(path), "%s/%s", root, dirs[i]);
		(void)rmdir(path);
	}
	(void)rmdir(root);
}

static void set_up(void)
{
	(void)snprintf(root, sizeof(root), "/tmp/capsule-fuzz.XXXXXX");
	FUZZ_CHECK(mkdtemp(root) != NULL);
	(void)atexit(clean_up);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		make_dir(dirs[i]);
	make_file("py/bin/python3.11", "\177ELF", 4);
	make_file("venv/bin/python3.11", "\177ELF", 4);
	make_file("env/versions/a/bin/python3.11", "\177ELF", 4);
	link_file("env/versions/a/bin/python3", "python3.11");
	make_file("env/shims/python3", "#!/bin/sh", 9);
	make_file("py/lib/python3.11/os.py", "", 0);
	make_file("env/versions/a/lib/python3.11/os.py", "", 0);
	(void)unsetenv("PYENV_VERSION");
	(void)unsetenv("HOME");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int is_env = size > 0 && (data[0] & 1) == 0;
	struct interpreter found;
	struct error err;
	char path[160];
	int cwd_fd;
	int r;

	if (root[0] == '\0')
		set_up();
	/* pyenv looks for .python-version from the working directory up. The corpus may be named from it. */
	cwd_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(cwd_fd >= 0 && chdir(root) == 0);
	if (size > 0)
		make_file(is_env ? "venv/pyvenv.cfg" : "env/version", data + 1, size - 1);
	(void)snprintf(path, sizeof(path), "%s/%s", root, is_env ? "venv/bin/python3.11" : "env/shims/python3");
	memset(&err, 0, sizeof(err));
	r = interpreter_find(path, NULL, &found, &err);
	FUZZ_CHECK(fchdir(cwd_fd) == 0);
	(void)close(cwd_fd);
	if (r == 0) {
		FUZZ_CHECK(found.minor == 11 && (!is_env || strcmp(found.exe, path) == 0));
		FUZZ_CHECK(found.roots.count >= 1);
		for (size_t i = 0; i < found.roots.count; i++)
			FUZZ_CHECK(found.roots.item[i][0] == '/' && found.roots.item[i][1] != '\0');
	} else {
		FUZZ_CHECK(err.detail[0] != '\0');
	}
	interpreter_fini(&found);
	return 0;
}
