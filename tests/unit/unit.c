#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"

bool unit_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

int unit_temp(char path[PATH_MAX])
{
	const char *base = getenv("TMPDIR");
	char template[PATH_MAX];
	int fd;

	(void)snprintf(template, sizeof(template), "%s/capsule-unit.XXXXXX",
		       base != NULL && *base == '/' ? base : "/tmp");
	assert_non_null(mkdtemp(template));
	assert_non_null(realpath(template, path));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void unit_temp_remove(const char *path, int dir_fd)
{
	(void)close(dir_fd);
	assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void unit_make(int dir_fd, const char *path, const char *text)
{
	char part[PATH_MAX];
	int fd;

	for (size_t i = 0; path[i] != '\0'; i++) {
		if (path[i] != '/' || i == 0)
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		CHECK(mkdirat(dir_fd, part, 0755) == 0 || errno == EEXIST, "mkdir %s", part);
		if (path[i + 1] == '\0')
			return;
	}
	fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CHECK(fd >= 0, "create %s", path);
	CHECK(fd_write_all(fd, text, strlen(text)) == 0, "write %s", path);
	(void)close(fd);
}

const char *unit_text(int dir_fd, const char *path)
{
	static char text[4096];

	return fd_read_file_at(dir_fd, path, text, sizeof(text)) < 0 ? NULL : text;
}

int unit_lowest_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	(void)close(fd);
	return fd;
}

int unit_run_powerless(int (*function)(void *), void *data)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)alarm(10);
		if (syscall(SYS_capset, &header, none) < 0)
			_exit(99);
		_exit(function(data));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}
