/*
 * A systemd scope, asked of a peer that a child process plays: an honest one, a broken one, none at all. The groups
 * are a tree of ordinary files. What the real one does with the request is seen in tests/vm.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/dbus.h"
#include "base/fd.h"
#include "run/scope.h"

#define SLICE "/user.slice/user-1000.slice"
#define USER_MANAGER SLICE "/user@1000.service"
/* No pid is that high. */
#define DEAD_SCOPE "capsule-run-4194305-5.scope"
#define SESSION SLICE "/session-1.scope"

enum peer {
	PEER_HONEST,
	PEER_CHATTY, /* honest, among much else */
	PEER_STOPS,  /* honest, and then expects to be told of one scope that nobody will leave */
	PEER_REFUSES,
	PEER_JOB_FAILS,
	PEER_REJECTS_UID,
	PEER_SILENT,
	PEER_SILENT_AT_ONCE,
	PEER_HANGS_UP,
	PEER_NO_DBUS,
	PEER_LONG_FIELDS,
	PEER_LYING_FIELDS,
	PEER_SHORT_BODY,
	PEER_OTHER_ENDIAN,
	PEER_NONE,
};

static struct {
	char path[PATH_MAX];
	int dir_fd;
	char socket[PATH_MAX + 8];
} tree;

static void send_message(int fd, enum dbus_type type, uint32_t reply_serial, const char *member,
			 const struct dbus_writer *body)
{
	struct dbus_writer head = {.len = 4};
	size_t mark;

	memcpy(head.data, (const unsigned char[]){'l', (unsigned char)type, 0, 1}, 4);
	dbus_put_u32(&head, (uint32_t)body->len);
	dbus_put_u32(&head, 7);
	mark = dbus_put_array_begin(&head);
	if (reply_serial != 0) {
		dbus_put_align(&head, 8);
		head.data[head.len++] = 5;
		dbus_put_signature(&head, "u");
		dbus_put_u32(&head, reply_serial);
	}
	if (member != NULL) {
		dbus_put_align(&head, 8);
		head.data[head.len++] = type == DBUS_ERROR ? 4 : 3;
		dbus_put_signature(&head, "s");
		dbus_put_string(&head, member);
	}
	dbus_put_array_end(&head, mark);
	dbus_put_align(&head, 8);
	if (write(fd, head.data, head.len) != (ssize_t)head.len || write(fd, body->data, body->len) != (ssize_t)body->len)
		_exit(3);
}

static void send_job(int fd, const char *unit, const char *result)
{
	struct dbus_writer body = {.len = 0};

	dbus_put_u32(&body, 12);
	dbus_put_string(&body, "/org/freedesktop/systemd1/job/12");
	dbus_put_string(&body, unit);
	dbus_put_string(&body, result);
	send_message(fd, DBUS_SIGNAL, 0, "JobRemoved", &body);
}

static void read_line(int fd, char *buf, size_t size)
{
	size_t len = 0;

	do {
		if (len + 1 >= size || read(fd, buf + len, 1) != 1)
			_exit(4);
	} while (buf[len++] != '\n');
	buf[len] = '\0';
}

/* Reads the call and checks it; returns the unit that it names. */
static const char *read_call(int fd)
{
	static struct dbus_message call;
	struct dbus_reader reader = {.data = call.body};
	const char *unit;
	const char *mode;
	uint32_t len;

	if (dbus_receive(fd, &call, clock_ms() + 10000) < 0)
		_exit(5);
	reader.len = call.body_len;
	if (call.type != DBUS_CALL || strcmp(call.member, "StartTransientUnit") != 0 ||
	    dbus_get_string(&reader, &unit) < 0 || dbus_get_string(&reader, &mode) < 0 || strcmp(mode, "fail") != 0 ||
	    strncmp(unit, "capsule-run-", 12) != 0 || strcmp(unit + strlen(unit) - 6, ".scope") != 0)
		_exit(6);
	/* The array's length leads to the empty array of auxiliary units, and that to the body's end. */
	if (dbus_get_u32(&reader, &len) < 0)
		_exit(7);
	reader.at = (reader.at + 7) / 8 * 8 + len;
	if (dbus_get_u32(&reader, &len) < 0 || len != 0 || (reader.at + 7) / 8 * 8 != call.body_len)
		_exit(8);
	return unit;
}

static void expect_stop(int fd)
{
	struct dbus_message call;
	struct dbus_reader reader = {.data = call.body};
	struct dbus_writer body = {.len = 0};
	const char *unit;

	if (dbus_receive(fd, &call, clock_ms() + 10000) < 0)
		_exit(14);
	reader.len = call.body_len;
	if (call.type != DBUS_CALL || strcmp(call.member, "StopUnit") != 0 || dbus_get_string(&reader, &unit) < 0 ||
	    strcmp(unit, DEAD_SCOPE) != 0)
		_exit(15);
	dbus_put_string(&body, "/org/freedesktop/systemd1/job/13");
	send_message(fd, DBUS_RETURN, 2, NULL, &body);
}

static void chat(int fd)
{
	static const unsigned char long_body[20000];
	struct dbus_writer head = {.len = 4};
	struct dbus_writer empty = {.len = 0};

	send_message(fd, DBUS_SIGNAL, 0, "UnitNew", &empty);
	send_job(fd, "other.service", "failed");
	memcpy(head.data, (const unsigned char[]){'l', DBUS_SIGNAL, 0, 1}, 4);
	dbus_put_u32(&head, sizeof(long_body));
	dbus_put_u32(&head, 8);
	dbus_put_u32(&head, 0);
	if (write(fd, head.data, head.len) < 0 || write(fd, long_body, sizeof(long_body)) != sizeof(long_body))
		_exit(9);
}

static void send_bad(int fd, enum peer peer)
{
	unsigned char head[16] = {'l', DBUS_SIGNAL, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
	/* A member whose text is longer than the fields. */
	unsigned char lie[16] = {3, 1, 's', 0, 255, 255, 255, 255};

	if (peer == PEER_LONG_FIELDS)
		head[14] = 1;
	if (peer == PEER_LYING_FIELDS)
		head[12] = sizeof(lie);
	if (peer == PEER_SHORT_BODY)
		head[4] = 200;
	if (peer == PEER_OTHER_ENDIAN)
		head[0] = 'B';
	if (write(fd, head, sizeof(head)) < 0 || (peer == PEER_LYING_FIELDS && write(fd, lie, sizeof(lie)) < 0))
		_exit(10);
}

static void play(int listen_fd, enum peer peer)
{
	int fd = accept(listen_fd, NULL, NULL);
	struct dbus_writer body = {.len = 0};
	const char *unit;
	char line[128];
	char nul;

	(void)alarm(20);
	if (peer == PEER_SILENT_AT_ONCE)
		(void)pause();
	if (read(fd, &nul, 1) != 1 || nul != '\0')
		_exit(11);
	read_line(fd, line, sizeof(line));
	if (strncmp(line, "AUTH EXTERNAL 3", 15) != 0)
		_exit(12);
	if (peer == PEER_NO_DBUS) {
		(void)!write(fd, "HTTP/1.1 400 Bad Request\r\n", 26);
		_exit(0);
	}
	if (peer == PEER_REJECTS_UID) {
		(void)!write(fd, "REJECTED EXTERNAL\r\n", 19);
		_exit(0);
	}
	(void)!write(fd, "OK 0123456789abcdef\r\n", 21);
	read_line(fd, line, sizeof(line));
	if (strcmp(line, "BEGIN\r\n") != 0)
		_exit(13);
	unit = read_call(fd);
	if (peer == PEER_SILENT)
		(void)pause();
	if (peer == PEER_CHATTY)
		chat(fd);
	if (peer == PEER_HANGS_UP)
		_exit(0);
	if (peer == PEER_REFUSES) {
		dbus_put_string(&body, "Access\033 denied");
		send_message(fd, DBUS_ERROR, 1, "org.freedesktop.DBus.Error.AccessDenied", &body);
	} else if (peer >= PEER_LONG_FIELDS) {
		send_bad(fd, peer);
	} else {
		dbus_put_string(&body, "/org/freedesktop/systemd1/job/12");
		send_message(fd, DBUS_RETURN, 1, NULL, &body);
		send_job(fd, unit, peer == PEER_JOB_FAILS ? "failed" : "done");
	}
	if (peer == PEER_STOPS)
		expect_stop(fd);
	/* Nothing more is asked. */
	_exit(read(fd, &nul, 1) == 1 ? 16 : 0);
}

static pid_t start_peer(enum peer peer)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_true(strlen(tree.socket) < sizeof(address.sun_path));
	(void)strcpy(address.sun_path, tree.socket);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* Whoever listens is the peer, by the kernel's account. */
		if (listen(fd, 4) < 0 || write(ready[1], "", 1) != 1)
			_exit(2);
		play(fd, peer);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	(void)close(fd);
	return pid;
}

struct row {
	const char *what;
	enum peer peer;
	const char *own;     /* NULL: in a login session */
	const char *manager; /* NULL: where it is */
	const char *limited; /* a file with a limit, or NULL */
	const char *controllers;
	uint64_t cpu_milli;
	bool entered;
	const char *says;
	bool privileged;
};

#define ALL "cpu memory pids\n"

static const struct row rows[] = {
    {"honest", PEER_HONEST, NULL, NULL, NULL, ALL, LIMIT_NONE, true, NULL, false},
    {"honest, with cpu", PEER_HONEST, NULL, NULL, NULL, ALL, 500, true, NULL, false},
    {"scopes of the dead are stopped", PEER_STOPS, NULL, NULL, NULL, ALL, LIMIT_NONE, true, NULL, false},
    {"honest, among other news", PEER_CHATTY, NULL, NULL, NULL, ALL, LIMIT_NONE, true, NULL, false},
    {"from a user's own service", PEER_HONEST, USER_MANAGER "/app.slice/x.service", NULL, NULL, ALL, LIMIT_NONE, true,
     NULL, false},
    {"from another user's session", PEER_HONEST, "/user.slice/user-0.slice/session-1.scope", NULL, NULL, ALL, LIMIT_NONE,
     true, NULL, false},
    {"limits of both stay", PEER_HONEST, NULL, NULL, SLICE "/memory.max", ALL, LIMIT_NONE, true, NULL, false},
    {"refused", PEER_REFUSES, NULL, NULL, NULL, ALL, LIMIT_NONE, false, "Access? denied", false},
    {"job fails", PEER_JOB_FAILS, NULL, NULL, NULL, ALL, LIMIT_NONE, false, "could not start the scope: failed", false},
    {"other uid", PEER_REJECTS_UID, NULL, NULL, NULL, ALL, LIMIT_NONE, false, "Permission denied", false},
    {"silent", PEER_SILENT, NULL, NULL, NULL, ALL, LIMIT_NONE, false, "timed out", false},
    {"never says a word", PEER_SILENT_AT_ONCE, NULL, NULL, NULL, ALL, LIMIT_NONE, false, "timed out", false},
    {"hangs up", PEER_HANGS_UP, NULL, NULL, NULL, ALL, LIMIT_NONE, false, "reset", false},
    {"speaks no D-Bus", PEER_NO_DBUS, NULL, NULL, NULL, ALL, LIMIT_NONE, false, "Permission denied", false},
    {"fields without end", PEER_LONG_FIELDS, NULL, NULL, NULL, ALL, LIMIT_NONE, false, "Protocol error", false},
    {"fields that lie", PEER_LYING_FIELDS, NULL, NULL, NULL, ALL, LIMIT_NONE, false, "Protocol error", false},
    {"body that does not come", PEER_SHORT_BODY, NULL, NULL, NULL, ALL, LIMIT_NONE, false, "timed out", false},
    {"other byte order", PEER_OTHER_ENDIAN, NULL, NULL, NULL, ALL, LIMIT_NONE, false, "Protocol error", false},
    {"nobody there", PEER_NONE, NULL, NULL, NULL, ALL, LIMIT_NONE, false, "no systemd runs", false},
    {"a batch system's group", PEER_HONEST, "/system.slice/slurmstepd.scope/job_1", NULL, NULL, ALL, LIMIT_NONE, false,
     "batch system", false},
    {"a slice that begins alike", PEER_HONEST, "/user.slicer/x", NULL, NULL, ALL, LIMIT_NONE, false, "batch system", false},
    {"a container's root", PEER_HONEST, "/", NULL, NULL, ALL, LIMIT_NONE, false, "batch system", false},
    {"another cgroup namespace", PEER_HONEST, NULL, "/../../user@1000.service/init.scope", NULL, ALL, LIMIT_NONE, false,
     "another cgroup namespace", false},
    {"no manager", PEER_HONEST, NULL, SESSION, NULL, ALL, LIMIT_NONE, false, "no manager", false},
    {"memory is limited", PEER_HONEST, NULL, NULL, SESSION "/memory.max", ALL, LIMIT_NONE, false, "has limits", false},
    {"memory is throttled", PEER_HONEST, NULL, NULL, SESSION "/memory.high", ALL, LIMIT_NONE, false, "has limits", false},
    {"cpu is limited", PEER_HONEST, NULL, NULL, SESSION "/cpu.max", ALL, LIMIT_NONE, false, "has limits", false},
    {"cpus are chosen", PEER_HONEST, NULL, NULL, SESSION "/cpuset.cpus", ALL, LIMIT_NONE, false, "has limits", false},
    {"disks are limited", PEER_HONEST, NULL, NULL, SESSION "/io.max", ALL, LIMIT_NONE, false, "has limits", false},
    {"processes are limited", PEER_HONEST, NULL, NULL, SESSION "/pids.max", ALL, LIMIT_NONE, false, "has limits", false},
    {"a level above is limited", PEER_HONEST, USER_MANAGER "/app.slice/x.service", NULL,
     USER_MANAGER "/app.slice/memory.max", ALL, LIMIT_NONE, false, "has limits", false},
    {"no pids controller", PEER_HONEST, NULL, NULL, NULL, "cpu memory\n", LIMIT_NONE, false, "no memory and pids", false},
    {"no cpu controller", PEER_HONEST, NULL, NULL, NULL, "memory pids\n", 500, false, "no cpu controller", false},
    {"no cpu controller is needed", PEER_HONEST, NULL, NULL, NULL, "memory pids\n", LIMIT_NONE, true, NULL, false},
    {"root's own systemd", PEER_HONEST, "/system.slice/x.service", "/init.scope", NULL, ALL, LIMIT_NONE, true, NULL, true},
    {"root's limits stay", PEER_HONEST, "/system.slice/x.service", "/init.scope", "/system.slice/memory.max", ALL,
     LIMIT_NONE, false, "has limits", true},
};

static void make_tree(const struct row *row, pid_t pid)
{
	char path[PATH_MAX];
	char text[PATH_MAX];

	(void)snprintf(text, sizeof(text), "0::%s\n", row->own == NULL ? SESSION : row->own);
	unit_make(tree.dir_fd, "proc/self/cgroup", text);
	(void)snprintf(path, sizeof(path), "proc/%d/cgroup", pid);
	(void)snprintf(text, sizeof(text), "0::%s\n", row->manager == NULL ? USER_MANAGER "/init.scope" : row->manager);
	unit_make(tree.dir_fd, path, text);
	(void)snprintf(path, sizeof(path), "cgroup%s/", row->own == NULL ? SESSION : row->own);
	unit_make(tree.dir_fd, path, "");
	unit_make(tree.dir_fd, "cgroup" SESSION "/memory.max", "max\n");
	unit_make(tree.dir_fd, "cgroup" SESSION "/cpu.max", "max 100000\n");
	unit_make(tree.dir_fd, "cgroup" SESSION "/pids.max", "4000\n");
	unit_make(tree.dir_fd, "cgroup" SESSION "/cpuset.cpus", "\n");
	unit_make(tree.dir_fd, "cgroup" SESSION "/io.max", "");
	unit_make(tree.dir_fd, "cgroup" USER_MANAGER "/cgroup.controllers", row->controllers);
	unit_make(tree.dir_fd, "cgroup/cgroup.controllers", row->controllers);
	if (row->peer == PEER_STOPS)
		unit_make(tree.dir_fd, "cgroup" SLICE "/" DEAD_SCOPE "/", "");
	(void)snprintf(path, sizeof(path), "cgroup" SLICE "/capsule-run-%d-5.scope/", getpid());
	unit_make(tree.dir_fd, path, "");
	unit_make(tree.dir_fd, "cgroup" SLICE "/capsule-run-4194305-5.scope.d/", "");
	unit_make(tree.dir_fd, "cgroup" SLICE "/other-4194305-5.scope/", "");
	if (row->limited != NULL) {
		(void)snprintf(path, sizeof(path), "cgroup%s", row->limited);
		unit_make(tree.dir_fd, path, "100\n");
	}
}

static void test_scope(void **state)
{
	(void)state;
	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		const struct policy_limits limits = {.ram_bytes = 1 << 30, .pids = 256, .cpu_milli = row->cpu_milli,
						     .io_read_bps = LIMIT_NONE, .io_write_bps = LIMIT_NONE};
		bool times_out = row->says != NULL && strcmp(row->says, "timed out") == 0;
		int lowest = unit_lowest_fd();
		char mount[PATH_MAX + 8];
		char proc[PATH_MAX + 8];
		struct scope_host host = {.mount = mount, .proc = proc, .socket = tree.socket, .privileged = row->privileged};
		struct scope_error err;
		pid_t pid = 0;
		int status = 0;
		bool entered;

		tree.dir_fd = unit_temp(tree.path);
		(void)snprintf(mount, sizeof(mount), "%s/cgroup", tree.path);
		(void)snprintf(proc, sizeof(proc), "%s/proc", tree.path);
		(void)snprintf(tree.socket, sizeof(tree.socket), "%s/bus", tree.path);
		/* Hang protection for those that answer. */
		host.patience_ms = times_out ? 100 : 20000;
		if (row->peer != PEER_NONE)
			pid = start_peer(row->peer);
		make_tree(row, pid);
		entered = scope_enter(&limits, &host, &err);
		CHECK(entered == row->entered, "%s: %s", row->what, err.why);
		CHECK(row->says == NULL || strstr(err.why, row->says) != NULL, "%s: %s", row->what, err.why);
		CHECK((err.cure != NULL) == (row->says != NULL && strstr(row->says, "controller") != NULL) ||
			  strstr(err.why, "pids controllers") != NULL,
		      "%s", row->what);
		if (pid != 0) {
			if (times_out)
				(void)kill(pid, SIGKILL);
			assert_int_equal(waitpid(pid, &status, 0), pid);
			/* A peer that was asked was asked well; 4: it was not asked. */
			CHECK(times_out || (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 4 ||
								  WEXITSTATUS(status) == 5)),
			      "%s: the peer's status is %d", row->what, status);
			CHECK(!entered || status == 0, "%s: the peer's status is %d", row->what, status);
		}
		unit_temp_remove(tree.path, tree.dir_fd);
		CHECK(unit_lowest_fd() == lowest, "%s: a descriptor was leaked", row->what);
	}
}

static void test_socket(void **state)
{
	char buf[64];
	char own[64];

	(void)state;
	(void)snprintf(own, sizeof(own), "/run/user/%u/systemd/private", geteuid());
	assert_int_equal(setenv("XDG_RUNTIME_DIR", "/run/elsewhere", 1), 0);
	assert_string_equal(scope_socket(false, buf, sizeof(buf)), "/run/elsewhere/systemd/private");
	assert_string_equal(scope_socket(true, buf, sizeof(buf)), "/run/systemd/private");
	assert_int_equal(setenv("XDG_RUNTIME_DIR", "relative", 1), 0);
	assert_string_equal(scope_socket(false, buf, sizeof(buf)), own);
	assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
	assert_string_equal(scope_socket(false, buf, sizeof(buf)), own);
}

/* Laid out by hand from the specification. */
static void test_marshalling(void **state)
{
	static const unsigned char expected[] = {
	    2, 0, 0, 0, 'a', 'b', 0,					 /* "ab" */
	    1, 's', 0,							 /* signature */
	    0, 0, 16, 0, 0, 0,						 /* array of 16 bytes */
	    1, 0, 0, 0, 'c', 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0,		 /* ("c", 5), padded */
	    0, 0, 0, 0, 0, 0, 0, 0,					 /* empty array, with padding */
	};
	struct dbus_writer writer = {.len = 0};
	struct dbus_reader reader = {.data = writer.data};
	const char *text;
	uint32_t number;
	size_t mark;

	(void)state;
	dbus_put_string(&writer, "ab");
	dbus_put_signature(&writer, "s");
	mark = dbus_put_array_begin(&writer);
	dbus_put_string(&writer, "c");
	dbus_put_u32(&writer, 5);
	dbus_put_align(&writer, 8);
	dbus_put_array_end(&writer, mark);
	dbus_put_array_end(&writer, dbus_put_array_begin(&writer));
	assert_int_equal(writer.len, sizeof(expected));
	assert_memory_equal(writer.data, expected, sizeof(expected));
	assert_false(writer.full);
	reader.len = writer.len;
	assert_int_equal(dbus_get_string(&reader, &text), 0);
	assert_string_equal(text, "ab");
	reader.at = 16;
	assert_int_equal(dbus_get_string(&reader, &text), 0);
	assert_string_equal(text, "c");
	assert_int_equal(dbus_get_u32(&reader, &number), 0);
	assert_int_equal(number, 5);
	reader.len = 3;
	reader.at = 0;
	assert_int_equal(dbus_get_u32(&reader, &number), -EPROTO);
	while (!writer.full)
		dbus_put_string(&writer, "more than there is room for");
	assert_true(writer.len <= sizeof(writer.data));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_scope),
	    cmocka_unit_test(test_socket),
	    cmocka_unit_test(test_marshalling),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("scope", tests, NULL, NULL);
}
