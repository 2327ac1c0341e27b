#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>

#include "base/text.h"

int fd_write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t fd_read_all(int fd, void *buf, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, (char *)buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

int fd_copy_all(int from_fd, int to_fd)
{
	char buf[16384];

	for (;;) {
		ssize_t n = sendfile(to_fd, from_fd, NULL, 1U << 20);

		if (n == 0)
			return 0;
		if (n < 0 && (errno == EINVAL || errno == ENOSYS))
			break;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
	for (;;) {
		ssize_t n = fd_read_all(from_fd, buf, sizeof(buf));
		int r;

		if (n <= 0)
			return (int)n;
		r = fd_write_all(to_fd, buf, (size_t)n);
		if (r < 0)
			return r;
	}
}

ssize_t fd_read_file_at(int dir_fd, const char *path, char *buf, size_t size)
{
	/* Nonblocking: what was expected to be a file may be a FIFO that somebody planted. */
	AUTO_CLOSE int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = fd_read_all(fd, buf, size);
	if (n < 0)
		return n;
	if ((size_t)n == size)
		return -EFBIG;
	buf[n] = '\0';
	return n;
}

int fd_write_file_at(int dir_fd, const char *path, const char *text)
{
	AUTO_CLOSE int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

int fd_read_u64_at(int dir_fd, const char *path, uint64_t *ret)
{
	char buf[64];
	ssize_t n = fd_read_file_at(dir_fd, path, buf, sizeof(buf));

	if (n < 0)
		return (int)n;
	if (n > 0 && buf[n - 1] == '\n')
		buf[n - 1] = '\0';
	if (strcmp(buf, "max") == 0) {
		*ret = UINT64_MAX;
		return 0;
	}
	return text_parse_u64(buf, ret);
}

int fd_read_key_at(int dir_fd, const char *path, const char *key, uint64_t *ret)
{
	char buf[4096];
	char *save = NULL;
	size_t len = strlen(key);
	ssize_t n = fd_read_file_at(dir_fd, path, buf, sizeof(buf));

	if (n < 0)
		return (int)n;
	for (char *line = strtok_r(buf, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return text_parse_u64(line + len + 1, ret);
	return -ENOENT;
}

int fd_secure_stdio(void)
{
	int closed = 0;

	for (int fd = 0; fd <= 2; fd++) {
		int null_fd;

		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		closed |= 1 << fd;
		/* open() takes the lowest free number, which is fd: those below are open by now. */
		null_fd = open("/dev/null", O_RDWR | O_NOCTTY);
		if (null_fd < 0)
			return -errno;
	}
	return closed;
}
