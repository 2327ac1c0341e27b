#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/text.h"
#include "run/relay.h"

#define BIG 400000U

/* No byte like its neighbours: a lost or doubled one shows. */
static char pattern(size_t i)
{
	return (char)('a' + (i * 31 + i / 251) % 26);
}

static void check_pattern(const char *data, size_t len, size_t from)
{
	for (size_t i = 0; i < len; i++)
		CHECK(data[i] == pattern(from + i), "byte %zu of %zu", i, len);
}

enum sink { SINK_PIPE, SINK_FILE, SINK_APPENDED, SINK_SOCKET, SINK_CLOSED, SINK_NULL };

struct output {
	struct relay_out relay;
	int write_fd; /* the task's end */
	int to_fd;    /* the caller's */
	int read_fd;  /* who looks at it */
	int temp_fd;
	char path[PATH_MAX];
	char *got;
	size_t got_len;
};

static void set_nonblocking(int fd)
{
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK | fcntl(fd, F_GETFL)), 0);
}

static void output_open(struct output *out, enum sink sink, uint64_t bound)
{
	int fds[2] = {-1, -1};

	out->temp_fd = unit_temp(out->path);
	out->to_fd = out->read_fd = -1;
	out->got = malloc(BIG);
	out->got_len = 0;
	assert_non_null(out->got);
	if (sink == SINK_PIPE)
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	if (sink == SINK_SOCKET)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	if (sink == SINK_PIPE || sink == SINK_SOCKET) {
		out->read_fd = fds[0];
		out->to_fd = fds[1];
		set_nonblocking(out->read_fd);
	} else if (sink == SINK_NULL) {
		out->to_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	} else if (sink != SINK_CLOSED) {
		unit_make(out->temp_fd, "file", sink == SINK_APPENDED ? "old" : "");
		out->to_fd = openat(out->temp_fd, "file",
				    O_WRONLY | O_CLOEXEC | (sink == SINK_APPENDED ? O_APPEND : 0));
		out->read_fd = openat(out->temp_fd, "file", O_RDONLY | O_CLOEXEC);
		if (sink == SINK_APPENDED)
			assert_int_equal(lseek(out->read_fd, 3, SEEK_SET), 3);
	}
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	out->write_fd = fds[1];
	set_nonblocking(out->write_fd);
	relay_out_init(&out->relay, fds[0], out->to_fd, KEEP_HEAD, bound);
}

static void output_drain(struct output *out)
{
	while (out->read_fd >= 0 && out->got_len < BIG) {
		ssize_t n = read(out->read_fd, out->got + out->got_len, BIG - out->got_len);

		if (n <= 0)
			break;
		out->got_len += (size_t)n;
	}
}

static void output_close(struct output *out)
{
	relay_out_fini(&out->relay);
	close_fd(&out->write_fd);
	close_fd(&out->to_fd);
	close_fd(&out->read_fd);
	unit_temp_remove(out->path, out->temp_fd);
	free(out->got);
}

/* The task writes len bytes, then ends. */
static void output_run(struct output *out, size_t len)
{
	size_t sent = 0;

	for (unsigned int turn = 0; !relay_out_done(&out->relay); turn++) {
		CHECK(turn < 100000, "%zu sent, %zu got", sent, out->got_len);
		while (sent < len) {
			char chunk[5000];
			size_t n = 0;
			ssize_t done;

			for (; n < sizeof(chunk) && sent + n < len; n++)
				chunk[n] = pattern(sent + n);
			done = write(out->write_fd, chunk, n);
			if (done < 0)
				break;
			sent += (size_t)done;
		}
		if (sent == len)
			close_fd(&out->write_fd);
		relay_out_run(&out->relay, false);
		output_drain(out);
	}
	output_drain(out);
}

static void test_out(void **state)
{
	static const struct {
		enum sink sink;
		uint64_t bound;
		size_t length;
		uint64_t passed;
	} rows[] = {
	    {SINK_PIPE, LIMIT_NONE, 0, 0},
	    {SINK_PIPE, LIMIT_NONE, 1, 1},
	    {SINK_PIPE, LIMIT_NONE, 300000, 300000},
	    {SINK_PIPE, 0, 10, 0},
	    {SINK_PIPE, 9, 10, 9},
	    {SINK_PIPE, 10, 10, 10},
	    {SINK_PIPE, 11, 10, 10},
	    {SINK_PIPE, 65536, 300000, 65536},
	    {SINK_PIPE, 65537, 300000, 65537},
	    {SINK_PIPE, 299999, 300000, 299999},
	    {SINK_FILE, LIMIT_NONE, 300000, 300000},
	    {SINK_FILE, 100001, 300000, 100001},
	    {SINK_APPENDED, LIMIT_NONE, 300000, 300000},
	    {SINK_APPENDED, 1, 300000, 1},
	    {SINK_SOCKET, LIMIT_NONE, 300000, 300000},
	    {SINK_SOCKET, 70000, 300000, 70000},
	    {SINK_CLOSED, LIMIT_NONE, 300000, 300000},
	    {SINK_CLOSED, 70000, 300000, 70000},
	    {SINK_CLOSED, 0, 5, 0},
	    {SINK_NULL, LIMIT_NONE, 300000, 300000},
	    {SINK_NULL, 70000, 300000, 70000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int lowest = unit_lowest_fd();
		struct output out;
		int flags;

		output_open(&out, rows[i].sink, rows[i].bound);
		flags = out.to_fd < 0 ? 0 : fcntl(out.to_fd, F_GETFL);
		output_run(&out, rows[i].length);
		CHECK(out.relay.passed == rows[i].passed, "row %zu: %llu", i, (unsigned long long)out.relay.passed);
		CHECK(relay_out_dropped(&out.relay) == rows[i].length - rows[i].passed, "row %zu: %llu", i,
		      (unsigned long long)relay_out_dropped(&out.relay));
		CHECK(out.read_fd < 0 || out.got_len == rows[i].passed, "row %zu: %zu", i, out.got_len);
		check_pattern(out.got, out.got_len, 0);
		/* The flags belong to an open file that the caller shares. */
		CHECK(out.to_fd < 0 || fcntl(out.to_fd, F_GETFL) == flags, "row %zu", i);
		output_close(&out);
		CHECK(unit_lowest_fd() == lowest, "row %zu: a descriptor was leaked", i);
	}
}

/* Nobody reads: the relay keeps what it has, asks for room, and never waits itself. */
static void test_out_slow_reader(void **state)
{
	static const enum sink sinks[] = {SINK_PIPE, SINK_SOCKET};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sinks); i++) {
		struct pollfd wait[2] = {{.fd = -1}, {.fd = -1}};
		struct output out;
		size_t sent = 0;

		output_open(&out, sinks[i], LIMIT_NONE);
		(void)alarm(10);
		for (unsigned int turn = 0; turn < 200; turn++) {
			char byte;

			while (sent < BIG && (byte = pattern(sent), write(out.write_fd, &byte, 1) == 1))
				sent++;
			relay_out_run(&out.relay, false);
		}
		(void)alarm(0);
		CHECK(!relay_out_done(&out.relay), "sink %zu", i);
		CHECK(relay_out_poll(&out.relay, wait) == 1 && wait[0].fd == out.to_fd && wait[0].events == POLLOUT,
		      "sink %zu", i);
		CHECK(sinks[i] != SINK_PIPE || poll(wait, 1, 0) == 0, "sink %zu: there is room", i);
		CHECK(sinks[i] != SINK_PIPE || sent < BIG, "sink %zu: the task was not held back", i);
		close_fd(&out.write_fd);
		for (unsigned int turn = 0; turn < 1000 && !relay_out_done(&out.relay); turn++) {
			output_drain(&out);
			relay_out_run(&out.relay, false);
		}
		output_drain(&out);
		CHECK(out.got_len == sent && out.relay.passed == sent, "sink %zu: %zu of %zu", i, out.got_len, sent);
		check_pattern(out.got, out.got_len, 0);
		output_close(&out);
	}
}

/* Writes to terminals that nobody reads, in parts of different sizes: how much room is left differs. */
static int write_to_stalled_terminals(void *data)
{
	static const size_t parts[] = {4096, 4000, 3333, 2049, 1777, 1000, 517, 4095};

	(void)data;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		int master_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
		char *name = master_fd < 0 || grantpt(master_fd) < 0 || unlockpt(master_fd) < 0 ? NULL
												  : ptsname(master_fd);
		int slave_fd = name == NULL ? -1 : open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
		struct relay_out relay;
		int fds[2];

		if (slave_fd < 0)
			return 77;
		if (pipe2(fds, O_CLOEXEC) < 0)
			return 1;
		relay_out_init(&relay, fds[0], slave_fd, KEEP_HEAD, LIMIT_NONE);
		set_nonblocking(fds[1]);
		for (unsigned int turn = 0; turn < 1000; turn++) {
			char part[4096];

			memset(part, 'x', sizeof(part));
			while (write(fds[1], part, parts[i]) > 0)
				;
			relay_out_run(&relay, false);
			/* Now and then a little is read, which makes room for less than a whole write. */
			if (turn % 50 == 49 && read(master_fd, part, 100) > 0)
				(void)usleep(1000);
		}
		if (relay_out_done(&relay) || relay.passed == 0)
			return 2;
		relay_out_fini(&relay);
	}
	return 0;
}

/* As when a terminal's window hangs: write() would wait for room for all of it. */
static void test_out_stalled_terminal(void **state)
{
	int status = unit_run_powerless(write_to_stalled_terminals, NULL);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	CHECK(!WIFSIGNALED(status), "the relay waited until signal %d", WTERMSIG(status));
	assert_int_equal(status, 0);
}

static void test_out_reader_gone(void **state)
{
	static const enum sink sinks[] = {SINK_PIPE, SINK_SOCKET};

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(sinks); i++) {
		struct output out;

		output_open(&out, sinks[i], LIMIT_NONE);
		assert_int_equal(write(out.write_fd, "abc", 3), 3);
		relay_out_run(&out.relay, false);
		close_fd(&out.read_fd);
		assert_int_equal(write(out.write_fd, "defg", 4), 4);
		relay_out_run(&out.relay, false);
		CHECK(relay_out_done(&out.relay), "sink %zu", i);
		/* The task is told, as it would have been without us. */
		CHECK(write(out.write_fd, "h", 1) < 0 && errno == EPIPE, "sink %zu", i);
		CHECK(out.relay.passed == 3, "sink %zu: %llu", i, (unsigned long long)out.relay.passed);
		relay_out_run(&out.relay, false);
		output_close(&out);
	}
}

/* A task that is silent: the reader's leaving is noticed without a byte. */
static void test_out_reader_gone_silently(void **state)
{
	struct pollfd wait[2];
	struct output out;

	(void)state;
	output_open(&out, SINK_PIPE, LIMIT_NONE);
	assert_int_equal(relay_out_poll(&out.relay, wait), 2);
	assert_int_equal(poll(wait, 2, 0), 0);
	close_fd(&out.read_fd);
	assert_int_equal(poll(wait, 2, 0), 1);
	relay_out_run(&out.relay, false);
	assert_true(relay_out_done(&out.relay));
	output_close(&out);
}

static void test_out_full_device(void **state)
{
	struct output out;
	int full_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	if (full_fd < 0)
		skip();
	output_open(&out, SINK_CLOSED, LIMIT_NONE);
	out.relay.to_fd = full_fd;
	assert_int_equal(write(out.write_fd, "abc", 3), 3);
	relay_out_run(&out.relay, false);
	assert_true(relay_out_done(&out.relay));
	assert_int_equal(out.relay.passed, 0);
	assert_int_equal(relay_out_dropped(&out.relay), 3);
	output_close(&out);
	(void)close(full_fd);
}

enum source { SOURCE_FILE, SOURCE_PIPE, SOURCE_SOCKET };

struct input {
	struct relay_in relay;
	int from_fd; /* the caller's input */
	int feed_fd; /* who fills it; -1 for a file */
	int task_fd;
	int temp_fd;
	char path[PATH_MAX];
};

static void feed(struct input *in, size_t from, size_t len, size_t chunk)
{
	char buf[8192];

	for (size_t done = 0; done < len;) {
		size_t n = 0;

		for (; n < chunk && n < sizeof(buf) && done + n < len; n++)
			buf[n] = pattern(from + done + n);
		assert_int_equal(fd_write_all(in->feed_fd, buf, n), 0);
		done += n;
	}
}

static void input_open(struct input *in, enum source source, size_t length, size_t chunk)
{
	int fds[2] = {-1, -1};
	struct error err;

	in->temp_fd = unit_temp(in->path);
	in->feed_fd = -1;
	if (source == SOURCE_FILE) {
		in->feed_fd = openat(in->temp_fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		in->from_fd = openat(in->temp_fd, "file", O_RDONLY | O_CLOEXEC);
	} else {
		if (source == SOURCE_PIPE) {
			assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
			/* Room for all that feed() writes, however its pages are filled. */
			assert_true(fcntl(fds[1], F_SETPIPE_SZ, 1 << 18) >= 0);
		} else {
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
		}
		in->from_fd = fds[0];
		in->feed_fd = fds[1];
	}
	feed(in, 0, length, chunk);
	if (source == SOURCE_FILE)
		close_fd(&in->feed_fd);
	assert_int_equal(relay_in_init(&in->relay, in->from_fd, NULL, &in->task_fd, &err), 0);
	set_nonblocking(in->task_fd);
}

static void input_close(struct input *in)
{
	relay_in_fini(&in->relay);
	close_fd(&in->task_fd);
	close_fd(&in->from_fd);
	close_fd(&in->feed_fd);
	unit_temp_remove(in->path, in->temp_fd);
}

/* The task reads want bytes, step at a time. Returns what it got before the end. */
static size_t task_reads(struct input *in, size_t from, size_t want, size_t step)
{
	size_t got = 0;

	for (unsigned int turn = 0; turn < 100000 && got < want; turn++) {
		char buf[8192];
		size_t n = want - got < step ? want - got : step;
		ssize_t r;

		relay_in_run(&in->relay);
		r = read(in->task_fd, buf, n < sizeof(buf) ? n : sizeof(buf));
		if (r == 0)
			break;
		if (r < 0)
			continue;
		check_pattern(buf, (size_t)r, from + got);
		got += (size_t)r;
	}
	return got;
}

/* What the caller still finds in its input. */
static size_t left_to_caller(struct input *in, size_t from)
{
	size_t got = 0;
	char buf[8192];
	ssize_t n;

	set_nonblocking(in->from_fd);
	while ((n = read(in->from_fd, buf, sizeof(buf))) > 0) {
		check_pattern(buf, (size_t)n, from + got);
		got += (size_t)n;
	}
	return got;
}

static void test_in(void **state)
{
	static const struct {
		enum source source;
		size_t length;
		size_t chunk; /* as it was written */
		size_t taken; /* by the task */
		size_t step;
	} rows[] = {
	    {SOURCE_FILE, 10, 10, 0, 1},	      {SOURCE_FILE, 10, 10, 1, 1},
	    {SOURCE_FILE, 10, 10, 10, 10},	      {SOURCE_FILE, 300000, 8192, 0, 1},
	    {SOURCE_FILE, 300000, 8192, 5000, 100},   {SOURCE_FILE, 300000, 8192, 65536, 8192},
	    {SOURCE_FILE, 300000, 8192, 200001, 777}, {SOURCE_FILE, 300000, 8192, 300000, 8192},
	    {SOURCE_FILE, 0, 1, 0, 1},		      {SOURCE_PIPE, 18, 6, 0, 1},
	    {SOURCE_PIPE, 18, 6, 1, 1},		      {SOURCE_PIPE, 18, 6, 6, 6},
	    {SOURCE_PIPE, 18, 6, 7, 7},		      {SOURCE_PIPE, 18, 18, 7, 7},
	    {SOURCE_PIPE, 18, 18, 18, 5},	      {SOURCE_PIPE, 60000, 5000, 4096, 4096},
	    {SOURCE_PIPE, 60000, 5000, 4097, 4096},   {SOURCE_PIPE, 60000, 8192, 33333, 1000},
	    {SOURCE_PIPE, 60000, 8192, 60000, 8192},  {SOURCE_SOCKET, 18, 6, 0, 1},
	    {SOURCE_SOCKET, 18, 6, 7, 7},	      {SOURCE_SOCKET, 60000, 5000, 4097, 1000},
	    {SOURCE_SOCKET, 60000, 5000, 60000, 8192},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int lowest = unit_lowest_fd();
		struct input in;
		size_t left;
		int flags;

		input_open(&in, rows[i].source, rows[i].length, rows[i].chunk);
		flags = fcntl(in.from_fd, F_GETFL);
		relay_in_run(&in.relay);
		CHECK(task_reads(&in, 0, rows[i].taken, rows[i].step) == rows[i].taken, "row %zu", i);
		relay_in_finish(&in.relay);
		CHECK(fcntl(in.from_fd, F_GETFL) == flags, "row %zu", i);
		left = left_to_caller(&in, rows[i].taken);
		CHECK(left == rows[i].length - rows[i].taken, "row %zu: %zu left", i, left);
		input_close(&in);
		CHECK(unit_lowest_fd() == lowest, "row %zu: a descriptor was leaked", i);
	}
}

/* The task's end closed before we look again: the same bytes are left as with relay_in_finish() alone. */
static void test_in_task_closes(void **state)
{
	(void)state;
	for (enum source source = SOURCE_FILE; source <= SOURCE_SOCKET; source++) {
		struct input in;

		input_open(&in, source, 1000, 1000);
		relay_in_run(&in.relay);
		assert_int_equal(task_reads(&in, 0, 300, 300), 300);
		close_fd(&in.task_fd);
		relay_in_run(&in.relay);
		relay_in_run(&in.relay);
		relay_in_finish(&in.relay);
		CHECK(left_to_caller(&in, 300) == 700, "source %u", source);
		input_close(&in);
	}
}

static void test_in_end(void **state)
{
	(void)state;
	for (enum source source = SOURCE_FILE; source <= SOURCE_SOCKET; source++) {
		struct pollfd wait[2];
		struct input in;
		char byte;

		input_open(&in, source, 100, 100);
		close_fd(&in.feed_fd);
		assert_int_equal(task_reads(&in, 0, 200, 50), 100);
		relay_in_run(&in.relay);
		CHECK(read(in.task_fd, &byte, 1) == 0, "source %u", source);
		CHECK(relay_in_poll(&in.relay, wait) == 0, "source %u", source);
		input_close(&in);
	}
}

/* No end while the writer lives, and bytes that come late are seen. */
static void test_in_late(void **state)
{
	(void)state;
	for (enum source source = SOURCE_PIPE; source <= SOURCE_SOCKET; source++) {
		struct pollfd wait[2];
		struct input in;
		char byte;

		input_open(&in, source, 0, 1);
		relay_in_run(&in.relay);
		CHECK(read(in.task_fd, &byte, 1) < 0 && errno == EAGAIN, "source %u", source);
		CHECK(relay_in_poll(&in.relay, wait) == 2 && poll(wait, 2, 0) == 0, "source %u", source);
		feed(&in, 0, 10, 10);
		CHECK(poll(wait, 2, 0) == 1, "source %u", source);
		assert_int_equal(task_reads(&in, 0, 10, 10), 10);
		input_close(&in);
	}
}

static void test_in_offset(void **state)
{
	struct input in;
	struct error err;

	(void)state;
	input_open(&in, SOURCE_FILE, 1000, 1000);
	relay_in_fini(&in.relay);
	close_fd(&in.task_fd);
	assert_int_equal(lseek(in.from_fd, 100, SEEK_SET), 100);
	assert_int_equal(relay_in_init(&in.relay, in.from_fd, NULL, &in.task_fd, &err), 0);
	set_nonblocking(in.task_fd);
	assert_int_equal(task_reads(&in, 100, 50, 50), 50);
	relay_in_finish(&in.relay);
	assert_int_equal(lseek(in.from_fd, 0, SEEK_CUR), 150);
	input_close(&in);
}

static void test_in_none(void **state)
{
	struct relay_in relay;
	struct pollfd wait[2];
	struct error err;
	int task_fd = -1;
	char byte;

	(void)state;
	assert_int_equal(relay_in_init(&relay, -1, NULL, &task_fd, &err), 0);
	assert_int_equal(read(task_fd, &byte, 1), 0);
	assert_int_equal(relay_in_poll(&relay, wait), 0);
	relay_in_run(&relay);
	relay_in_finish(&relay);
	relay_in_fini(&relay);
	(void)close(task_fd);
}

static int steal_and_finish(void *data)
{
	struct input *in = data;
	char buf[200];

	/* Somebody who shares the caller's pipe was quicker. */
	if (read(in->from_fd, buf, sizeof(buf)) != 100)
		return 1;
	relay_in_run(&in->relay);
	relay_in_finish(&in->relay);
	return 0;
}

static void test_in_stolen(void **state)
{
	(void)state;
	for (enum source source = SOURCE_PIPE; source <= SOURCE_SOCKET; source++) {
		struct input in;
		int status;

		input_open(&in, source, 100, 100);
		assert_int_equal(task_reads(&in, 0, 50, 50), 50);
		status = unit_run_powerless(steal_and_finish, &in);
		CHECK(status == 0, "source %u: wait status 0x%x", source, (unsigned int)status);
		input_close(&in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_out),
	    cmocka_unit_test(test_out_slow_reader),
	    cmocka_unit_test(test_out_stalled_terminal),
	    cmocka_unit_test(test_out_reader_gone),
	    cmocka_unit_test(test_out_reader_gone_silently),
	    cmocka_unit_test(test_out_full_device),
	    cmocka_unit_test(test_in),
	    cmocka_unit_test(test_in_task_closes),
	    cmocka_unit_test(test_in_end),
	    cmocka_unit_test(test_in_late),
	    cmocka_unit_test(test_in_offset),
	    cmocka_unit_test(test_in_none),
	    cmocka_unit_test(test_in_stolen),
	};

	return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
