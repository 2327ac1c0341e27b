/* The disk under a directory, by a tree that looks like /sys. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/disk.h"

static void test_no_device(void **state)
{
	dev_t disk = 7;
	int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(disk_of(fd, "/sys", &disk), -ENODEV);
	assert_int_equal(disk, 7);
	assert_int_equal(disk_of(-1, "/sys", &disk), -EBADF);
	(void)close(fd);
}

static void test_disk(void **state)
{
	char sys[PATH_MAX];
	char path[PATH_MAX];
	int sys_fd = unit_temp(sys);
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	dev_t disk = 0;

	(void)state;
	assert_int_equal(fstat(fd, &st), 0);
	if (major(st.st_dev) == 0) {
		assert_int_equal(disk_of(fd, sys, &disk), -ENODEV);
	} else {
		assert_int_equal(disk_of(fd, sys, &disk), -ENOENT);
		unit_make(sys_fd, "devices/sda/sda2/dev", "");
		unit_make(sys_fd, "dev/block/", "");
		(void)snprintf(path, sizeof(path), "dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
		assert_int_equal(symlinkat("../../devices/sda/sda2", sys_fd, path), 0);
		assert_int_equal(disk_of(fd, sys, &disk), 0);
		assert_true(disk == st.st_dev);
		unit_make(sys_fd, "devices/sda/sda2/partition", "2\n");
		assert_int_equal(disk_of(fd, sys, &disk), -ENOENT);
		unit_make(sys_fd, "devices/sda/dev", "much\n");
		assert_int_equal(disk_of(fd, sys, &disk), -EINVAL);
		unit_make(sys_fd, "devices/sda/dev", "8:16\n");
		assert_int_equal(disk_of(fd, sys, &disk), 0);
		assert_true(disk == makedev(8, 16));
	}
	(void)close(fd);
	unit_temp_remove(sys, sys_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_device), cmocka_unit_test(test_disk)};

	return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}
