/* What init sends is decoded as hostile: nothing but a whole, known message gets through, and no
 * descriptor stays behind. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "run/channel.h"

#define HOSTILE_FDS 8

struct pair {
	int ours;
	int theirs;
};

static void open_pair(struct pair *pair)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	pair->ours = fds[0];
	pair->theirs = fds[1];
}

static void close_pair(struct pair *pair)
{
	close_fd(&pair->ours);
	close_fd(&pair->theirs);
}

/* Sends any bytes with any number of descriptors of /dev/null. */
static void send_raw(int fd, const void *data, size_t len, unsigned int count)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	int fds[HOSTILE_FDS];
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(fds))];
	} control;
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	memset(&control, 0, sizeof(control));
	for (unsigned int i = 0; i < count; i++) {
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		assert_true(fds[i] >= 0);
	}
	if (count > 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), fds, count * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), len);
	for (unsigned int i = 0; i < count; i++)
		(void)close(fds[i]);
}

static void test_round_trip(void **state)
{
	struct pair pair;
	struct channel_message got;
	int fds[CHANNEL_FDS];

	(void)state;
	open_pair(&pair);
	for (uint32_t type = 0; type < CHANNEL_MAX; type++) {
		struct channel_message sent = {.type = type, .value = -7 - (int32_t)type};

		error_set(&sent.error, "rootfs", EPERM, "mount %u", type);
		error_hint(&sent.error, "hint %u", type);
		assert_int_equal(channel_send(pair.theirs, &sent), 0);
		memset(&got, 0, sizeof(got));
		assert_int_equal(channel_receive(pair.ours, &got, fds), 1);
		assert_int_equal(got.type, type);
		assert_int_equal(got.value, sent.value);
		assert_int_equal(got.error.errnum, EPERM);
		assert_string_equal(got.error.stage, sent.error.stage);
		assert_string_equal(got.error.detail, sent.error.detail);
		assert_string_equal(got.error.hint, sent.error.hint);
		for (unsigned int i = 0; i < CHANNEL_FDS; i++)
			assert_int_equal(fds[i], -1);
	}
	assert_int_equal(channel_receive(pair.ours, &got, fds), -EAGAIN);
	close_pair(&pair);
}

static void test_descriptors(void **state)
{
	(void)state;
	for (unsigned int count = 1; count <= CHANNEL_FDS; count++) {
		int lowest = unit_lowest_fd();
		struct channel_message got;
		struct pair pair;
		int fds[CHANNEL_FDS];
		int sent[CHANNEL_FDS];

		open_pair(&pair);
		for (unsigned int i = 0; i < count; i++) {
			int ends[2];

			assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
			sent[i] = ends[0];
			(void)close(ends[1]);
		}
		assert_int_equal(channel_send_fds(pair.theirs, CHANNEL_VIEW, sent, count), 0);
		assert_int_equal(channel_receive(pair.ours, &got, fds), 1);
		assert_int_equal(got.type, CHANNEL_VIEW);
		assert_int_equal(got.value, count);
		for (unsigned int i = 0; i < CHANNEL_FDS; i++) {
			struct stat one;
			struct stat two;

			if (i >= count) {
				assert_int_equal(fds[i], -1);
				continue;
			}
			assert_int_equal(fstat(sent[i], &one), 0);
			assert_int_equal(fstat(fds[i], &two), 0);
			assert_true(one.st_ino == two.st_ino);
			assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
			(void)close(sent[i]);
			(void)close(fds[i]);
		}
		close_pair(&pair);
		assert_int_equal(unit_lowest_fd(), lowest);
	}
}

static void test_hostile(void **state)
{
	static const struct {
		const char *what;
		size_t length; /* 0: the right one */
		uint32_t type;
		unsigned int count; /* descriptors that come along */
		int r;
	} rows[] = {
	    {"one byte", 1, CHANNEL_STARTED, 0, -EBADMSG},
	    {"a byte short", sizeof(struct channel_message) - 1, CHANNEL_STARTED, 0, -EBADMSG},
	    {"a byte long", sizeof(struct channel_message) + 1, CHANNEL_STARTED, 0, -EBADMSG},
	    {"twice as long", 2 * sizeof(struct channel_message), CHANNEL_STARTED, 0, -EBADMSG},
	    {"first unknown type", 0, CHANNEL_MAX, 0, -EBADMSG},
	    {"type that is negative", 0, UINT32_MAX, 0, -EBADMSG},
	    {"last known type", 0, CHANNEL_MAX - 1, 0, 1},
	    {"short with descriptors", 8, CHANNEL_VIEW, 2, -EBADMSG},
	    {"unknown type with descriptors", 0, CHANNEL_MAX, CHANNEL_FDS, -EBADMSG},
	    {"one descriptor too many", 0, CHANNEL_VIEW, CHANNEL_FDS + 1, -EBADMSG},
	    {"many descriptors", 0, CHANNEL_VIEW, HOSTILE_FDS, -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned char data[2 * sizeof(struct channel_message)] = {0};
		size_t length = rows[i].length != 0 ? rows[i].length : sizeof(struct channel_message);
		int lowest = unit_lowest_fd();
		struct channel_message got = {.type = 77};
		struct pair pair;
		int fds[CHANNEL_FDS] = {99, 99, 99, 99};
		int r;

		open_pair(&pair);
		memcpy(data, &rows[i].type, sizeof(rows[i].type));
		send_raw(pair.theirs, data, length, rows[i].count);
		r = channel_receive(pair.ours, &got, fds);
		CHECK(r == rows[i].r, "%s: %d", rows[i].what, r);
		CHECK(got.type == (r == 1 ? rows[i].type : 77), "%s", rows[i].what);
		for (unsigned int k = 0; k < CHANNEL_FDS; k++)
			CHECK(fds[k] == -1, "%s: descriptor %u is %d", rows[i].what, k, fds[k]);
		close_pair(&pair);
		CHECK(unit_lowest_fd() == lowest, "%s: a descriptor was leaked", rows[i].what);
	}
}

/* A packet of no bytes reads as the end; what came with it must not stay open. */
static void test_empty_packet(void **state)
{
	int lowest = unit_lowest_fd();
	struct channel_message got;
	struct pair pair;
	int fds[CHANNEL_FDS];

	(void)state;
	open_pair(&pair);
	send_raw(pair.theirs, "", 0, 2);
	assert_true(channel_receive(pair.ours, &got, fds) <= 0);
	for (unsigned int i = 0; i < CHANNEL_FDS; i++)
		assert_int_equal(fds[i], -1);
	close_pair(&pair);
	assert_int_equal(unit_lowest_fd(), lowest);
}

static void test_unterminated(void **state)
{
	struct channel_message sent;
	struct channel_message got;
	struct pair pair;
	int fds[CHANNEL_FDS];

	(void)state;
	open_pair(&pair);
	memset(&sent, 'A', sizeof(sent));
	sent.type = CHANNEL_FAILED;
	send_raw(pair.theirs, &sent, sizeof(sent), 0);
	assert_int_equal(channel_receive(pair.ours, &got, fds), 1);
	assert_int_equal(strnlen(got.error.stage, ERROR_STAGE_MAX), ERROR_STAGE_MAX - 1);
	assert_int_equal(strnlen(got.error.detail, ERROR_DETAIL_MAX), ERROR_DETAIL_MAX - 1);
	assert_int_equal(strnlen(got.error.hint, ERROR_HINT_MAX), ERROR_HINT_MAX - 1);
	close_pair(&pair);
}

static void test_peer_gone(void **state)
{
	struct channel_message message = {.type = CHANNEL_GO};
	struct channel_message got;
	struct pair pair;
	int fds[CHANNEL_FDS];
	int null_fd;

	(void)state;
	open_pair(&pair);
	assert_int_equal(channel_send(pair.theirs, &message), 0);
	close_fd(&pair.theirs);
	assert_int_equal(channel_receive(pair.ours, &got, fds), 1); /* what was sent arrives */
	assert_int_equal(channel_receive(pair.ours, &got, fds), 0);
	assert_int_equal(channel_send(pair.ours, &message), -EPIPE); /* and no SIGPIPE */
	close_pair(&pair);

	/* A peer that dies with unread messages: ECONNRESET. */
	open_pair(&pair);
	assert_int_equal(channel_send(pair.ours, &message), 0);
	close_fd(&pair.theirs);
	assert_int_equal(channel_receive(pair.ours, &got, fds), 0);
	close_pair(&pair);

	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(channel_receive(null_fd, &got, fds), -ENOTSOCK);
	assert_int_equal(channel_send(null_fd, &message), -ENOTSOCK);
	assert_int_equal(channel_send_fds(null_fd, CHANNEL_VIEW, &null_fd, 1), -ENOTSOCK);
	(void)close(null_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),	 cmocka_unit_test(test_descriptors),
	    cmocka_unit_test(test_hostile),	 cmocka_unit_test(test_empty_packet),
	    cmocka_unit_test(test_unterminated), cmocka_unit_test(test_peer_gone),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
