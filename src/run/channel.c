#include "run/channel.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

int channel_send(int fd, const struct channel_message *message)
{
	ssize_t n;

	do
		n = send(fd, message, sizeof(*message), MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == sizeof(*message) ? 0 : -EIO;
}

int channel_send_fds(int fd, enum channel_type type, const int *fds, unsigned int count)
{
	int there[CHANNEL_FDS];
	unsigned int n = 0;
	struct channel_message message = {.type = type};
	struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(CHANNEL_FDS * sizeof(int))];
	} control = {.buf = {0}};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	for (unsigned int i = 0; i < count && i < CHANNEL_FDS; i++)
		if (fds[i] >= 0)
			there[n++] = fds[i];
	message.value = (int32_t)n;
	msg.msg_controllen = CMSG_SPACE(n * sizeof(int));

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(cmsg), there, n * sizeof(int));
	return sendmsg(fd, &msg, MSG_NOSIGNAL) == (ssize_t)sizeof(message) ? 0 : -errno;
}

/* Takes the descriptors of a message; false when there are more than any message of ours has. */
static bool take_fds(struct msghdr *msg, int ret_fds[CHANNEL_FDS])
{
	size_t taken = 0;
	bool fits = true;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg != NULL; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
			if (taken < CHANNEL_FDS) {
				ret_fds[taken++] = fd;
			} else {
				(void)close(fd);
				fits = false;
			}
		}
	}
	return fits;
}

static int refuse(int fds[CHANNEL_FDS], int r)
{
	for (unsigned int i = 0; i < CHANNEL_FDS; i++)
		close_fd(&fds[i]);
	return r;
}

int channel_receive(int fd, struct channel_message *ret, int ret_fds[CHANNEL_FDS])
{
	struct channel_message message;
	struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(CHANNEL_FDS * sizeof(int))];
	} control;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	ssize_t n;
	bool fits;

	for (unsigned int i = 0; i < CHANNEL_FDS; i++)
		ret_fds[i] = -1;
	/* ECONNRESET is told once, before the peer's last messages: it left some of ours unread. */
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return -errno;
	fits = take_fds(&msg, ret_fds);
	if (n == 0)
		return refuse(ret_fds, 0);
	if (!fits || (size_t)n != sizeof(message) || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
	    message.type >= CHANNEL_MAX)
		return refuse(ret_fds, -EBADMSG);
	message.error.stage[ERROR_STAGE_MAX - 1] = '\0';
	message.error.detail[ERROR_DETAIL_MAX - 1] = '\0';
	message.error.hint[ERROR_HINT_MAX - 1] = '\0';
	*ret = message;
	return 1;
}
