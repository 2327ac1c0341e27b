#include "run/scope.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cgroupfs.h"
#include "base/clock.h"
#include "base/dbus.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/path.h"

#define MANAGER "/init.scope"
/* Who asked, and when. */
#define UNIT_FORMAT "capsule-run-%d-%ld.scope"

static bool no(struct scope_error *ret, int errnum, const char *what)
{
	(void)snprintf(ret->why, sizeof(ret->why), "%s%s%s", what, errnum != 0 ? ": " : "",
		       errnum != 0 ? strerror(errnum) : "");
	return false;
}

const char *scope_socket(bool privileged, char *buf, size_t size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (privileged)
		(void)snprintf(buf, size, "/run/systemd/private");
	else if (runtime != NULL && runtime[0] == '/')
		(void)snprintf(buf, size, "%s/systemd/private", runtime);
	else
		(void)snprintf(buf, size, "/run/user/%u/systemd/private", geteuid());
	return buf;
}

/* The v2 group of a process ("self", or a pid). */
static bool read_group(const struct scope_host *host, const char *process, char *buf, size_t size)
{
	char path[PATH_MAX];
	char text[8192];

	(void)snprintf(path, sizeof(path), "%s/%s/cgroup", host->proc, process);
	return fd_read_file_at(AT_FDCWD, path, text, sizeof(text)) >= 0 &&
	       cgroupfs_path(text, "", buf, size) != NULL;
}

/* Leaving `own` for a group below `manager` sheds limits: those of the groups that are not above both. */
static bool sheds_limits(const struct scope_host *host, const char *own, const char *manager, uint64_t pids)
{
	char group[PATH_MAX / 2];

	for ((void)snprintf(group, sizeof(group), "%s", own); !path_is_below(manager, group); *strrchr(group, '/') = '\0') {
		char path[PATH_MAX];
		AUTO_CLOSE int fd = -1;

		(void)snprintf(path, sizeof(path), "%s%s", host->mount, group);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || cgroupfs_is_limited(fd, pids))
			return true;
	}
	return false;
}

/* Whether a scope of the manager at the other end would be right, and of use. */
static bool is_worthwhile(const struct policy_limits *limits, const struct scope_host *host, int fd,
			  struct scope_error *ret)
{
	char manager[PATH_MAX / 2];
	char own[PATH_MAX / 2];
	char path[PATH_MAX];
	char name[16];
	struct ucred peer;
	socklen_t len = sizeof(peer);
	AUTO_CLOSE int manager_fd = -1;
	char *end;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return no(ret, errno, "systemd's socket");
	/* The pid is 0 when it is in no namespace of ours: we are in a container and it is outside. */
	if (peer.pid <= 0 || peer.uid != geteuid())
		return no(ret, 0, "the systemd at hand is not this user's, or outside of this container");
	(void)snprintf(name, sizeof(name), "%d", peer.pid);
	if (!read_group(host, "self", own, sizeof(own)) || !read_group(host, name, manager, sizeof(manager)))
		return no(ret, 0, "systemd is in another cgroup namespace");
	end = strrchr(manager, '/');
	if (end == NULL || strcmp(end, MANAGER) != 0)
		return no(ret, 0, "what answers on systemd's socket is no manager");
	*end = '\0';
	if (!host->privileged && (manager[0] != '/' || strncmp(own, manager, strcspn(manager + 1, "/") + 2) != 0))
		return no(ret, 0, "we are in a service's or batch system's cgroup, which a systemd scope would leave");
	if (sheds_limits(host, own, manager, limits->pids))
		return no(ret, 0, "the cgroup that we are in has limits, which a systemd scope would leave");
	(void)snprintf(path, sizeof(path), "%s%s", host->mount, manager);
	manager_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (manager_fd < 0 || !cgroupfs_has_controllers(manager_fd, "cgroup.controllers", false)) {
		ret->cure = "as root: systemctl edit user@.service, and put there: [Service] Delegate=cpu memory pids";
		return no(ret, 0, "the user's systemd has no memory and pids controllers");
	}
	if (limits->cpu_milli != LIMIT_NONE && !cgroupfs_has_controllers(manager_fd, "cgroup.controllers", true)) {
		ret->cure = "as root: systemctl edit user@.service, and put there: [Service] Delegate=cpu memory pids";
		return no(ret, 0, "the user's systemd has no cpu controller");
	}
	if (policy_limits_io(limits) && !cgroupfs_has_controllers(manager_fd, "cgroup.controllers", CGROUPFS_IO)) {
		ret->cure = "as root: systemctl edit user@.service, and put there: [Service] Delegate=cpu io memory pids";
		return no(ret, 0, "the user's systemd has no io controller");
	}
	return true;
}

static void put_text_property(struct dbus_writer *body, const char *name, const char *value)
{
	dbus_put_align(body, 8);
	dbus_put_string(body, name);
	dbus_put_signature(body, "s");
	dbus_put_string(body, value);
}

/* org.freedesktop.systemd1(5): StartTransientUnit(s name, s mode, a(sv) properties, a(sa(sv)) aux). */
static void put_request(struct dbus_writer *body, const char *unit)
{
	size_t properties;

	dbus_put_string(body, unit);
	dbus_put_string(body, "fail");
	properties = dbus_put_array_begin(body);
	put_text_property(body, "Description", "capsule-run's task");
	/* Without it a scope whose process was killed by a limit would stay, as failed. */
	put_text_property(body, "CollectMode", "inactive-or-failed");
	dbus_put_align(body, 8);
	dbus_put_string(body, "Delegate");
	dbus_put_signature(body, "b");
	dbus_put_u32(body, 1);
	dbus_put_align(body, 8);
	dbus_put_string(body, "PIDs");
	dbus_put_signature(body, "au");
	/* 0 is whoever asks, as the kernel names him to systemd: right in any pid namespace. */
	dbus_put_u32(body, sizeof(uint32_t));
	dbus_put_u32(body, 0);
	dbus_put_array_end(body, properties);
	dbus_put_array_end(body, dbus_put_array_begin(body));
}

/* Waits for the end of the job that starts the unit. */
static bool await_job(int fd, const char *unit, uint64_t deadline_ms, struct scope_error *ret)
{
	struct dbus_message message;
	char what[128];

	for (;;) {
		struct dbus_reader reader = {.data = message.body};
		const char *text;
		const char *result;
		uint32_t id;
		int r = dbus_receive(fd, &message, deadline_ms);

		if (r < 0)
			return no(ret, -r, "no answer from systemd");
		reader.len = message.body_len;
		if (message.type == DBUS_ERROR && message.reply_serial == 1) {
			(void)snprintf(what, sizeof(what), "systemd refuses a scope: %s",
				       dbus_get_string(&reader, &text) == 0 ? text : message.error);
			error_sanitize(what);
			return no(ret, 0, what);
		}
		if (message.type != DBUS_SIGNAL || strcmp(message.member, "JobRemoved") != 0)
			continue;
		/* Number, object, unit, result. */
		if (dbus_get_u32(&reader, &id) < 0 || dbus_get_string(&reader, &text) < 0 ||
		    dbus_get_string(&reader, &text) < 0 || dbus_get_string(&reader, &result) < 0)
			return no(ret, EPROTO, "no answer from systemd");
		if (strcmp(text, unit) != 0)
			continue;
		if (strcmp(result, "done") == 0)
			return true;
		(void)snprintf(what, sizeof(what), "systemd could not start the scope: %s", result);
		error_sanitize(what);
		return no(ret, 0, what);
	}
}

static int call(int fd, uint32_t serial, const char *member, const char *signature, const struct dbus_writer *body,
		uint64_t deadline_ms)
{
	return dbus_call(fd, serial, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", member, signature,
			 body, deadline_ms);
}

/* Has a scope stopped, and waits for the answer: unread, the request could be lost with the connection. */
static void stop(int fd, const char *unit, uint32_t serial, uint64_t deadline_ms)
{
	struct dbus_writer body = {.len = 0};
	struct dbus_message message = {.reply_serial = 0};
	int r;

	dbus_put_string(&body, unit);
	dbus_put_string(&body, "replace");
	r = call(fd, serial, "StopUnit", "ss", &body, deadline_ms);
	while (r == 0 && message.reply_serial != serial)
		r = dbus_receive(fd, &message, deadline_ms);
}

/* systemd waits for a scope's last process to leave. Who was killed before he came to be in it never leaves: his
 * scope stays, empty, until somebody says so. */
static void sweep(const struct scope_host *host, int fd, uint64_t deadline_ms)
{
	char own[PATH_MAX / 2];
	char path[PATH_MAX];
	struct dirent *entry;
	uint32_t serial = 1;
	DIR *dir;

	if (!read_group(host, "self", own, sizeof(own)) || strrchr(own, '/') == NULL)
		return;
	*strrchr(own, '/') = '\0';
	(void)snprintf(path, sizeof(path), "%s%s", host->mount, own);
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		int end = 0;
		pid_t pid;

		if (sscanf(entry->d_name, UNIT_FORMAT "%n", &pid, &(long){0}, &end) == 2 && end > 0 &&
		    entry->d_name[end] == '\0' && pid > 0 && kill(pid, 0) < 0 && errno == ESRCH)
			stop(fd, entry->d_name, ++serial, deadline_ms);
	}
	if (dir != NULL)
		closedir(dir);
}

bool scope_enter(const struct policy_limits *limits, const struct scope_host *host, struct scope_error *ret)
{
	uint64_t deadline_ms = clock_ms() + host->patience_ms;
	struct dbus_writer body = {.len = 0};
	AUTO_CLOSE int fd = -1;
	struct timespec now;
	char unit[64];
	int r;

	memset(ret, 0, sizeof(*ret));
	fd = dbus_connect(host->socket, deadline_ms);
	if (fd == -ENOENT || fd == -ECONNREFUSED || fd == -ENOTDIR)
		return no(ret, 0, "no systemd runs for this user");
	if (fd < 0)
		return no(ret, -fd, "connect to the user's systemd");
	if (!is_worthwhile(limits, host, fd, ret))
		return false;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(unit, sizeof(unit), UNIT_FORMAT, getpid(), now.tv_nsec);
	put_request(&body, unit);
	r = call(fd, 1, "StartTransientUnit", "ssa(sv)a(sa(sv))", &body, deadline_ms);
	if (r < 0)
		return no(ret, -r, "ask systemd for a scope");
	if (!await_job(fd, unit, deadline_ms, ret))
		return false;
	sweep(host, fd, deadline_ms);
	return true;
}
