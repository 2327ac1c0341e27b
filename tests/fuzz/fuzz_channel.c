/*
 * What comes over the channel from inside. The first byte says how many descriptors come along (its lower
 * half) and what is put into the message's type (0x80: the input's own bytes; else one that exists); the
 * rest is the packet, made a message's length when 0x40 is set.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run/channel.h"

#define FDS_MAX 15

static int lowest_fd(void)
{
	int fd = dup(0);

	(void)close(fd);
	return fd;
}

static bool send_raw(int fd, const void *data, size_t size, unsigned int count)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[FDS_MAX] = {0};

	memset(&control, 0, sizeof(control));
	if (count > 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), fds, count * sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
}

static void receive(int fd, size_t sent, unsigned int count)
{
	struct channel_message got;
	int fds[CHANNEL_FDS];
	unsigned int taken = 0;
	int r;

	memset(&got, 0xa5, sizeof(got));
	r = channel_receive(fd, &got, fds);
	FUZZ_CHECK(r == 1 || r == 0 || r == -EBADMSG);
	FUZZ_CHECK(r != 1 || (sent == sizeof(got) && got.type < CHANNEL_MAX));
	if (r == 1) {
		FUZZ_CHECK_TEXT(got.error.stage);
		FUZZ_CHECK_TEXT(got.error.detail);
		FUZZ_CHECK_TEXT(got.error.hint);
	}
	for (unsigned int i = 0; i < CHANNEL_FDS; i++) {
		FUZZ_CHECK(fds[i] == -1 || (r == 1 && fcntl(fds[i], F_GETFD) == FD_CLOEXEC));
		taken += fds[i] >= 0;
		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
	FUZZ_CHECK(r != 1 || taken == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char packet[2 * sizeof(struct channel_message)] = {0};
	unsigned int head = size > 0 ? data[0] : 0;
	unsigned int count = head & 0x0f;
	size_t length = size > 0 ? size - 1 : 0;
	uint32_t type = (head >> 4) & 3;
	int before = lowest_fd();
	int fds[2];

	if (before < 0) {
		/* Started without standard input: there is nothing to send along. */
		FUZZ_CHECK(open("/dev/null", O_RDONLY) == 0);
		before = lowest_fd();
	}
	if (length > sizeof(packet))
		length = sizeof(packet);
	if (length > 0)
		memcpy(packet, data + 1, length);
	if ((head & 0x80) == 0)
		memcpy(packet, &type, sizeof(type));
	if ((head & 0x40) != 0)
		length = sizeof(struct channel_message);
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	if (send_raw(fds[1], packet, length, count))
		receive(fds[0], length, count);
	(void)close(fds[0]);
	(void)close(fds[1]);
	FUZZ_CHECK(lowest_fd() == before);
	return 0;
}
