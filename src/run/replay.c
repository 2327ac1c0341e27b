#include "run/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

void replay_init(struct replay *replay)
{
	*replay = (struct replay){.pipe_fd = {-1, -1}};
}

off_t replay_seek(struct replay *replay, int fd)
{
	off_t offset = replay->has_offset ? lseek(fd, replay->offset, SEEK_SET) : lseek(fd, 0, SEEK_CUR);

	if (offset < 0)
		return -errno;
	replay->has_offset = true;
	replay->offset = offset;
	return offset;
}

void replay_add(struct replay *replay, const void *bytes, size_t len)
{
	if (replay->lost)
		return;
	if (len > REPLAY_MAX - replay->bytes.len || capture_add(&replay->bytes, bytes, len) < 0) {
		replay->lost = true;
		capture_fini(&replay->bytes);
	}
}

ssize_t replay_take(struct replay *replay, int pipe_fd, size_t len)
{
	char buf[4096];
	ssize_t n;

	if (replay->pipe_fd[0] < 0 && pipe2(replay->pipe_fd, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	/* Not read(): another reader of the caller's may have taken them, and it would wait. */
	n = splice(pipe_fd, NULL, replay->pipe_fd[1], NULL, len < sizeof(buf) ? len : sizeof(buf), SPLICE_F_NONBLOCK);
	if (n > 0) {
		n = read(replay->pipe_fd[0], buf, (size_t)n);
		if (n > 0)
			replay_add(replay, buf, (size_t)n);
	}
	return n;
}

void replay_fini(struct replay *replay)
{
	capture_fini(&replay->bytes);
	close_fd(&replay->pipe_fd[0]);
	close_fd(&replay->pipe_fd[1]);
}
