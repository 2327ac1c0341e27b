#include "base/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"

int disk_of(int fd, const char *sys, dev_t *ret)
{
	AUTO_CLOSE int device_fd = -1;
	char path[PATH_MAX];
	char text[32];
	unsigned int numbers[2];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* Numbers without a driver. */
	if (major(st.st_dev) == 0)
		return -ENODEV;
	(void)snprintf(path, sizeof(path), "%s/dev/block/%u:%u", sys, major(st.st_dev), minor(st.st_dev));
	device_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (device_fd < 0)
		return -errno;
	if (faccessat(device_fd, "partition", F_OK, 0) < 0) {
		*ret = st.st_dev;
		return 0;
	}
	/* sysfs: a partition's directory lies in its disk's. */
	n = fd_read_file_at(device_fd, "../dev", text, sizeof(text));
	if (n < 0)
		return (int)n;
	if (sscanf(text, "%u:%u", &numbers[0], &numbers[1]) != 2)
		return -EINVAL;
	*ret = makedev(numbers[0], numbers[1]);
	return 0;
}
