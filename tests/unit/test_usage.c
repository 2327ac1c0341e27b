#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/usage.h"

#define DEPTH 3000U

static struct usage naive;

static int add_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)path;
	(void)flag;
	if (ftw->level > 0) {
		naive.bytes += (uint64_t)st->st_blocks * 512;
		naive.inodes++;
	}
	return 0;
}

static void test_counts(void **state)
{
	char path[PATH_MAX];
	int fd = unit_temp(path);
	int lowest = unit_lowest_fd();
	struct usage usage = {0, 0};
	char text[20001];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	unit_make(fd, "a/b/c/file", text);
	unit_make(fd, "a/one", "1");
	unit_make(fd, "a/empty/", "");
	unit_make(fd, "a/b2/...", text);
	unit_make(fd, "z", text);
	/* Links count once each, and none is followed. */
	assert_int_equal(linkat(fd, "z", fd, "a/hard", 0), 0);
	assert_int_equal(symlinkat("/", fd, "root"), 0);
	assert_int_equal(symlinkat("a", fd, "dir"), 0);
	assert_int_equal(symlinkat("missing", fd, "dangling"), 0);
	assert_int_equal(mkfifoat(fd, "fifo", 0600), 0);

	naive = usage;
	assert_int_equal(nftw(path, add_one, 16, FTW_PHYS), 0);
	assert_int_equal(naive.inodes, 14);
	assert_int_equal(usage_walk(fd, &usage), 0);
	assert_int_equal(usage.inodes, naive.inodes);
	assert_int_equal(usage.bytes, naive.bytes);
	assert_true(usage.bytes >= 4 * 20000);
	assert_int_equal(unit_lowest_fd(), lowest);
	unit_temp_remove(path, fd);
}

static void test_empty(void **state)
{
	char path[PATH_MAX];
	int fd = unit_temp(path);
	struct usage usage = {0, 0};
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(usage_walk(fd, &usage), 0);
	assert_int_equal(usage.bytes, 0);
	assert_int_equal(usage.inodes, 0);
	assert_int_equal(usage_walk(null_fd, &usage), -ENOTDIR);
	(void)close(null_fd);
	unit_temp_remove(path, fd);
}

static int walk_with_few_fds(void *data)
{
	const struct rlimit few = {.rlim_cur = 24, .rlim_max = 24};
	struct usage usage = {0, 0};
	int fd = *(int *)data;

	if (setrlimit(RLIMIT_NOFILE, &few) < 0)
		return 1;
	if (usage_walk(fd, &usage) != 0)
		return 2;
	return usage.inodes == 2 * DEPTH ? 0 : 3;
}

/* Far deeper than PATH_MAX and than any limit on descriptors. */
static void test_deep(void **state)
{
	char path[PATH_MAX];
	int fd = unit_temp(path);
	int at_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	int status;

	(void)state;
	for (unsigned int i = 0; i < DEPTH; i++) {
		int next_fd;

		assert_int_equal(mkdirat(at_fd, "deep", 0755), 0);
		unit_make(at_fd, "file", "");
		next_fd = openat(at_fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next_fd >= 0);
		(void)close(at_fd);
		at_fd = next_fd;
	}
	status = unit_run_powerless(walk_with_few_fds, &fd);
	for (unsigned int i = 0; i < DEPTH; i++) {
		int up_fd = openat(at_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_int_equal(unlinkat(up_fd, "deep", AT_REMOVEDIR), 0);
		assert_int_equal(unlinkat(up_fd, "file", 0), 0);
		(void)close(at_fd);
		at_fd = up_fd;
	}
	(void)close(at_fd);
	unit_temp_remove(path, fd);
	CHECK(status == 0, "wait status 0x%x", (unsigned int)status);
}

static int walk_closed(void *data)
{
	static const char *const names[] = {"closed", "outer", "outer/closed"};
	struct usage usage = {0, 0};
	int fd = *(int *)data;
	struct stat before[ARRAY_SIZE(names)];
	struct stat after;

	if (fstatat(fd, "closed", &before[0], 0) < 0 || fstatat(fd, "outer", &before[1], 0) < 0)
		return 1;
	if (usage_walk(fd, &usage) != 0)
		return 2;
	/* closed, closed/sub, closed/sub/file, closed/file, outer, outer/file */
	if (usage.inodes != 6)
		return 3;
	for (unsigned int i = 0; i < 2; i++)
		if (fstatat(fd, names[i], &after, 0) < 0 || after.st_mode != before[i].st_mode)
			return 4;
	return 0;
}

/* A directory that its owner may not read, list or enter is counted all the same, and left as it was. */
static void test_closed_directories(void **state)
{
	static const mode_t modes[] = {0000, 0100, 0200, 0300, 0400, 0444, 0600, 0500, 0700, 01000, 02070};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		char path[PATH_MAX];
		int fd = unit_temp(path);
		int status;

		unit_make(fd, "closed/sub/file", "x");
		unit_make(fd, "closed/file", "x");
		unit_make(fd, "outer/file", "x");
		assert_int_equal(fchmodat(fd, "closed/sub", modes[i], 0), 0);
		assert_int_equal(fchmodat(fd, "closed", modes[i], 0), 0);
		assert_int_equal(fchmodat(fd, "outer", modes[i], 0), 0);
		status = unit_run_powerless(walk_closed, &fd);
		assert_int_equal(fchmodat(fd, "closed", 0700, 0), 0);
		assert_int_equal(fchmodat(fd, "closed/sub", 0700, 0), 0);
		assert_int_equal(fchmodat(fd, "outer", 0700, 0), 0);
		unit_temp_remove(path, fd);
		CHECK(status == 0, "mode %o: wait status 0x%x", modes[i], (unsigned int)status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_deep),
	    cmocka_unit_test(test_closed_directories),
	};

	return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
