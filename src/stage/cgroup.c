#include "stage/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/cgroupfs.h"
#include "base/fd.h"

#define NAME "cgroup"
#define PREFIX "capsule-run."

/* v1: TCP's buffers may have this part of --ram, beside --ram. */
#define TCP_SHARE 32

static void part_init(struct cgroup_part *part)
{
	memset(part, 0, sizeof(*part));
	part->parent_fd = part->dir_fd = part->former_fd = -1;
	part->controller = "";
}

static void part_close(struct cgroup_part *part)
{
	close_fd(&part->parent_fd);
	close_fd(&part->dir_fd);
	close_fd(&part->former_fd);
}

void cgroup_init(struct cgroup *cg)
{
	memset(cg, 0, sizeof(*cg));
	for (unsigned int i = 0; i < CGROUP_PARTS; i++)
		part_init(&cg->part[i]);
	part_init(&cg->pin);
	part_init(&cg->leaf);
	cg->oom_fd = -1;
}

static void cgroup_close(struct cgroup *cg)
{
	for (unsigned int i = 0; i < CGROUP_PARTS; i++)
		part_close(&cg->part[i]);
	part_close(&cg->pin);
	part_close(&cg->leaf);
	close_fd(&cg->oom_fd);
}

static int why_not(struct cgroup *cg, const char *what, int errnum)
{
	(void)snprintf(cg->why_not, sizeof(cg->why_not), "%s%s%s", what, errnum != 0 ? ": " : "",
		       errnum != 0 ? strerror(errnum) : "");
	return 0;
}

/* Makes and locks a group below part->parent_fd. 0 or -errno. */
static int part_create(struct cgroup_part *part)
{
	/* A sweeper may take a group between mkdir and flock: then make another. */
	for (unsigned int try = 0; try < 8; try++) {
		struct timespec now;
		struct stat st;

		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		(void)snprintf(part->name, sizeof(part->name), PREFIX "%d.%09ld", getpid(), now.tv_nsec);
		if (mkdirat(part->parent_fd, part->name, 0755) < 0) {
			if (errno == EEXIST)
				continue;
			return -errno;
		}
		part->dir_fd = openat(part->parent_fd, part->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (part->dir_fd >= 0 && flock(part->dir_fd, LOCK_EX | LOCK_NB) == 0 &&
		    fstatat(part->parent_fd, part->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return 0;
		close_fd(&part->dir_fd);
	}
	return -EAGAIN;
}

static void part_remove(struct cgroup_part *part)
{
	if (part->dir_fd < 0)
		return;
	cgroupfs_remove(part->parent_fd, part->name);
	part_close(part);
}

static int write_limit(const struct cgroup_part *part, const char *file, uint64_t value, struct error *err)
{
	char text[32];
	int r;

	if (value == LIMIT_NONE)
		(void)snprintf(text, sizeof(text), "max");
	else
		(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	r = fd_write_file_at(part->dir_fd, file, text);
	return r < 0 ? error_set(err, NAME, -r, "write %s to %s", text, file) : 0;
}

/* The caller's own group of one v1 controller, or -errno. */
static int open_own_v1(const struct cgroup_host *host, const char *self, const char *controller)
{
	char path[PATH_MAX];
	char own[PATH_MAX / 2];
	char below[PATH_MAX / 2];
	AUTO_CLOSE int mount_fd = -1;
	int fd;
	int r;

	if (cgroupfs_path(self, controller, own, sizeof(own)) == NULL)
		return -ENOENT;
	(void)snprintf(path, sizeof(path), "%s/%s", host->mount, controller);
	mount_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mount_fd < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), ".%s", own);
	fd = openat(mount_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	r = cgroupfs_below_mount(host->mountinfo, mount_fd, own, below, sizeof(below));
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), ".%s", below);
	fd = openat(mount_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int limit_io(const struct cgroup *cg, const struct cgroup_part *part, const struct policy_limits *limits,
		    struct error *err)
{
	int r = cgroupfs_set_rates(part->dir_fd, cg->is_v2, cg->disk, limits->io_read_bps, limits->io_write_bps);

	return r < 0 ? error_set(err, NAME, -r, "limit the rates of device %u:%u", major(cg->disk), minor(cg->disk)) : 0;
}

static int limit_v1(struct cgroup *cg, const struct policy_limits *limits, struct error *err)
{
	for (unsigned int i = 0; i < cg->part_count; i++) {
		const struct cgroup_part *part = &cg->part[i];
		int r = 0;

		if (strcmp(part->controller, "memory") == 0) {
			r = write_limit(part, "memory.limit_in_bytes", limits->ram_bytes, err);
			/* Swap off. Without swap accounting swappiness keeps the group's pages out of it. */
			if (r == 0 &&
			    write_limit(part, "memory.memsw.limit_in_bytes", limits->ram_bytes, err) < 0)
				r = err->errnum == ENOENT || err->errnum == EOPNOTSUPP
					? write_limit(part, "memory.swappiness", 0, err)
					: -err->errnum;
			/* TCP's buffers have an account of their own, without a limit until one is written. */
			if (r == 0 &&
			    write_limit(part, "memory.kmem.tcp.limit_in_bytes", limits->ram_bytes / TCP_SHARE, err) < 0 &&
			    err->errnum != ENOENT)
				r = -err->errnum;
		} else if (strcmp(part->controller, "pids") == 0) {
			r = write_limit(part, "pids.max", limits->pids, err);
		} else if (strcmp(part->controller, "cpu") == 0) {
			r = write_limit(part, "cpu.cfs_period_us", 100000, err);
			if (r == 0)
				r = write_limit(part, "cpu.cfs_quota_us", limits->cpu_milli * 100, err);
		} else if (strcmp(part->controller, "blkio") == 0) {
			r = limit_io(cg, part, limits, err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* An OOM kill takes one process; this descriptor tells us to end the rest. */
static int watch_oom_v1(struct cgroup *cg, const struct cgroup_part *memory, struct error *err)
{
	AUTO_CLOSE int control_fd = openat(memory->dir_fd, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	char text[32];
	int r;

	cg->oom_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (control_fd < 0 || cg->oom_fd < 0)
		return error_set(err, NAME, errno, "watch memory.oom_control");
	(void)snprintf(text, sizeof(text), "%d %d", cg->oom_fd, control_fd);
	r = fd_write_file_at(memory->dir_fd, "cgroup.event_control", text);
	return r < 0 ? error_set(err, NAME, -r, "write cgroup.event_control") : 0;
}

/* Two controllers may be mounted as one hierarchy (cpu,cpuacct): one group serves both. Joining a second
 * one there would leave the first. 1 when it is shared, 0 when it is not, or -errno. */
static int share_part(struct cgroup *cg, unsigned int index)
{
	struct cgroup_part *part = &cg->part[index];
	struct stat mine;
	struct stat other;

	if (fstat(part->parent_fd, &mine) < 0)
		return -errno;
	for (unsigned int i = 0; i < index; i++) {
		const struct cgroup_part *first = &cg->part[i];

		if (fstat(first->parent_fd, &other) < 0)
			return -errno;
		if (other.st_dev != mine.st_dev || other.st_ino != mine.st_ino)
			continue;
		part->dir_fd = fcntl(first->dir_fd, F_DUPFD_CLOEXEC, 3);
		close_fd(&part->former_fd);
		part->former_fd = fcntl(first->former_fd, F_DUPFD_CLOEXEC, 3);
		memcpy(part->name, first->name, sizeof(part->name));
		return part->dir_fd >= 0 && part->former_fd >= 0 ? 1 : -EMFILE;
	}
	return 0;
}

/* A dead run's groups of controllers that not every run uses, before the one that tells of it: memory's is made first
 * and removed last. */
static void sweep_more(const struct cgroup_host *host, const char *self)
{
	static const char *const controllers[] = {"cpu", "cpuacct", "blkio"};

	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
		AUTO_CLOSE int parent_fd = open_own_v1(host, self, controllers[i]);

		if (parent_fd >= 0)
			cgroupfs_sweep(parent_fd, PREFIX);
	}
}

static int create_v1(const struct policy_limits *limits, const struct cgroup_host *host, const char *self,
		     struct cgroup *cg, struct error *err)
{
	const char *wanted[CGROUP_PARTS] = {"memory", "pids"};
	unsigned int count = 2;
	int r;

	if (limits->cpu_milli != LIMIT_NONE)
		wanted[count++] = "cpu";
	if (limits->cpu_time_ms != LIMIT_NONE || limits->stall_ms != LIMIT_NONE || limits->timeline_ms != 0)
		wanted[count++] = "cpuacct";
	if (limits->io_read_bps != LIMIT_NONE)
		wanted[count++] = "blkio";
	for (unsigned int i = 0; i < count; i++) {
		struct cgroup_part *part = &cg->part[i];
		char what[64];

		cg->part_count = i + 1;
		part->controller = wanted[i];
		(void)snprintf(what, sizeof(what), "cgroup v1 %s", wanted[i]);
		part->parent_fd = open_own_v1(host, self, wanted[i]);
		if (part->parent_fd < 0) {
			r = part->parent_fd;
			part->parent_fd = -1;
			return why_not(cg, what, -r);
		}
		r = share_part(cg, i);
		if (r < 0)
			return why_not(cg, what, -r);
		if (r > 0)
			continue;
		part->former_fd = openat(part->parent_fd, "tasks", O_WRONLY | O_CLOEXEC);
		if (part->former_fd < 0)
			return why_not(cg, what, errno);
		if (i == 0 && cgroupfs_has_dead(part->parent_fd, PREFIX))
			sweep_more(host, self);
		cgroupfs_sweep(part->parent_fd, PREFIX);
		r = part_create(part);
		if (r < 0)
			return why_not(cg, what, -r);
	}
	cg->version = 1;
	r = limit_v1(cg, limits, err);
	return r < 0 ? r : watch_oom_v1(cg, &cg->part[0], err);
}

/* The controllers that these limits need beside memory and pids. */
static unsigned int needs_more(const struct policy_limits *limits)
{
	return (limits->cpu_milli != LIMIT_NONE ? CGROUPFS_CPU : 0) | (policy_limits_io(limits) ? CGROUPFS_IO : 0);
}

static int enable(int dir_fd, unsigned int more)
{
	char text[48];

	(void)snprintf(text, sizeof(text), "+memory +pids%s%s", (more & CGROUPFS_CPU) != 0 ? " +cpu" : "",
		       (more & CGROUPFS_IO) != 0 ? " +io" : "");
	return fd_write_file_at(dir_fd, "cgroup.subtree_control", text);
}

/* Makes the controllers usable in groups below dir_fd. A group that holds processes can't hand them
 * on ("no internal processes"): when we are the only one, we move to a leaf. */
static int delegate(struct cgroup *cg, int dir_fd, unsigned int more)
{
	int r;

	if (cgroupfs_has_controllers(dir_fd, "cgroup.subtree_control", more))
		return 0;
	if (!cgroupfs_has_controllers(dir_fd, "cgroup.controllers", more))
		return -ENOENT;
	r = enable(dir_fd, more);
	if (r != -EBUSY || !cgroupfs_is_alone(dir_fd))
		return r;
	part_close(&cg->leaf);
	cg->leaf.parent_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	if (cg->leaf.parent_fd < 0)
		return -errno;
	r = part_create(&cg->leaf);
	if (r == 0)
		r = fd_write_file_at(cg->leaf.dir_fd, "cgroup.procs", "0");
	return r < 0 ? r : enable(dir_fd, more);
}

/*
 * The group below which ours is made: the caller's own. A login session's scope holds its shell and so can hand
 * nothing on: root goes up to the nearest group that already does. Nothing is written there but our own group:
 * whose it is, systemd's mostly, decides what it hands on. A group whose limits we would shed ends the way.
 */
static int open_parent_v2(struct cgroup *cg, const struct cgroup_host *host, const char *own,
			  const struct policy_limits *limits)
{
	unsigned int more = needs_more(limits);
	char path[PATH_MAX];
	size_t base = (size_t)snprintf(path, sizeof(path), "%s%s", host->mount, own);
	AUTO_CLOSE int fd = -1;
	int first;

	if (base >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	first = fd < 0 ? -errno : delegate(cg, fd, more);
	while (first < 0 && host->privileged && fd >= 0 && strlen(path) > strlen(host->mount)) {
		if (cgroupfs_is_limited(fd, limits->pids)) {
			(void)why_not(cg, "the cgroup that we are in has limits, and other processes", 0);
			return first;
		}
		*strrchr(path, '/') = '\0';
		close_fd(&fd);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && cgroupfs_has_controllers(fd, "cgroup.subtree_control", more))
			first = 0;
	}
	return first < 0 ? first : take_fd(&fd);
}

/*
 * In a group that is not delegated, systemd may switch controllers off whenever its units change (daemon-reload),
 * and with them would go our limits, in silence. The kernel refuses that while a child of the group hands them on.
 */
static int pin_controllers(struct cgroup *cg, unsigned int more)
{
	struct cgroup_part *part = &cg->part[0];
	int r;

	cg->pin.parent_fd = take_fd(&part->parent_fd);
	r = part_create(&cg->pin);
	if (r == 0)
		r = enable(cg->pin.dir_fd, more);
	if (r < 0)
		return r;
	part->parent_fd = fcntl(cg->pin.dir_fd, F_DUPFD_CLOEXEC, 3);
	return part->parent_fd < 0 ? -errno : 0;
}

static int limit_v2(struct cgroup *cg, const struct policy_limits *limits, struct error *err)
{
	const struct cgroup_part *part = &cg->part[0];
	int r = write_limit(part, "memory.max", limits->ram_bytes, err);

	/* ENOENT: a kernel without swap accounting has no swap file here to write to. */
	if (r == 0 && write_limit(part, "memory.swap.max", 0, err) < 0 && err->errnum != ENOENT)
		return -err->errnum;
	if (r == 0 && limits->ram_soft_bytes != LIMIT_NONE)
		r = write_limit(part, "memory.high", limits->ram_soft_bytes, err);
	if (r == 0)
		r = write_limit(part, "memory.oom.group", 1, err);
	if (r == 0)
		r = write_limit(part, "pids.max", limits->pids, err);
	if (r == 0 && limits->cpu_milli != LIMIT_NONE) {
		char text[48];

		(void)snprintf(text, sizeof(text), "%llu 100000",
			       (unsigned long long)limits->cpu_milli * 100);
		r = fd_write_file_at(part->dir_fd, "cpu.max", text);
		if (r < 0)
			r = error_set(err, NAME, -r, "write %s to cpu.max", text);
	}
	if (r == 0 && policy_limits_io(limits))
		r = limit_io(cg, part, limits, err);
	return r;
}

static int create_v2(const struct policy_limits *limits, const struct cgroup_host *host, const char *self,
		     struct cgroup *cg, struct error *err)
{
	struct cgroup_part *part = &cg->part[0];
	char own[PATH_MAX / 2];
	int r;

	if (cgroupfs_path(self, "", own, sizeof(own)) == NULL)
		return why_not(cg, "not in any cgroup", 0);
	part->parent_fd = open_parent_v2(cg, host, own, limits);
	if (part->parent_fd < 0) {
		r = part->parent_fd;
		part->parent_fd = -1;
		if (cg->why_not[0] != '\0')
			return 0;
		if (r == -EBUSY)
			return why_not(cg, "no cgroup is delegated to us alone: this one holds other processes", 0);
		return why_not(cg, "no cgroup is delegated to us", -r);
	}
	cgroupfs_sweep(part->parent_fd, PREFIX);
	r = cgroupfs_is_delegated(part->parent_fd) ? 0 : pin_controllers(cg, needs_more(limits));
	if (r == 0)
		r = part_create(part);
	if (r < 0)
		return why_not(cg, "make a cgroup", -r);
	cg->part_count = 1;
	cg->version = 2;
	return limit_v2(cg, limits, err);
}

int cgroup_create(const struct policy_limits *limits, const struct cgroup_host *host, struct cgroup *ret,
		  struct error *err)
{
	char self[8192];
	char probe[PATH_MAX];
	ssize_t n = fd_read_file_at(AT_FDCWD, host->self, self, sizeof(self));
	int r;

	cgroup_init(ret);
	ret->disk = host->disk;
	if (n < 0)
		return why_not(ret, "no cgroups in this kernel", (int)-n);
	(void)snprintf(probe, sizeof(probe), "%s/cgroup.controllers", host->mount);
	ret->is_v2 = access(probe, F_OK) == 0;
	if (ret->is_v2)
		r = create_v2(limits, host, self, ret, err);
	else
		r = create_v1(limits, host, self, ret, err);
	if (r < 0 || ret->version == 0) {
		for (unsigned int i = CGROUP_PARTS; i-- > 0;)
			part_remove(&ret->part[i]);
		part_remove(&ret->pin);
		/* We may be in the leaf: the next start sweeps it. */
		cgroup_close(ret);
	}
	return r;
}

/* The group of one controller anew, in the place of the one before. */
static int part_renew(struct cgroup *cg, unsigned int index)
{
	int r = cg->version == 1 ? share_part(cg, index) : 0;

	return r != 0 ? (r < 0 ? r : 0) : part_create(&cg->part[index]);
}

int cgroup_renew(const struct policy_limits *limits, struct cgroup *cg, struct error *err)
{
	int r = 0;

	if (cg->version == 0)
		return 0;
	close_fd(&cg->oom_fd);
	for (unsigned int i = cg->part_count; i-- > 0;) {
		cgroupfs_remove(cg->part[i].parent_fd, cg->part[i].name);
		close_fd(&cg->part[i].dir_fd);
	}
	for (unsigned int i = 0; i < cg->part_count && r == 0; i++)
		r = part_renew(cg, i);
	if (r < 0)
		return error_set(err, NAME, -r, "make the next attempt's group");
	if (cg->version == 2)
		return limit_v2(cg, limits, err);
	r = limit_v1(cg, limits, err);
	return r < 0 ? r : watch_oom_v1(cg, &cg->part[0], err);
}

int cgroup_enter(const struct cgroup *cg, struct error *err)
{
	for (unsigned int i = 0; cg->version == 1 && i < cg->part_count; i++) {
		int r = fd_write_file_at(cg->part[i].dir_fd, "tasks", "0");

		if (r < 0)
			return error_set(err, NAME, -r, "join %s", cg->part[i].controller);
	}
	return 0;
}

int cgroup_leave(const struct cgroup *cg, struct error *err)
{
	for (unsigned int i = 0; cg->version == 1 && i < cg->part_count; i++)
		if (write(cg->part[i].former_fd, "0", 1) != 1)
			return error_set(err, NAME, errno, "go back to the former %s group",
					 cg->part[i].controller);
	return 0;
}

int cgroup_clone_fd(const struct cgroup *cg)
{
	return cg->version == 2 ? cg->part[0].dir_fd : -1;
}

static void read_v1(const struct cgroup *cg, struct cgroup_stats *ret)
{
	for (unsigned int i = 0; i < cg->part_count; i++) {
		const struct cgroup_part *part = &cg->part[i];
		uint64_t ns;

		if (strcmp(part->controller, "memory") == 0) {
			ret->has_memory = fd_read_u64_at(part->dir_fd, "memory.max_usage_in_bytes",
							 &ret->memory_peak_bytes) == 0;
			(void)fd_read_key_at(part->dir_fd, "memory.oom_control", "oom_kill", &ret->oom_kills);
			ret->was_at_limit = cgroupfs_was_at_limit_v1(part->dir_fd);
		} else if (strcmp(part->controller, "pids") == 0) {
			(void)fd_read_key_at(part->dir_fd, "pids.events", "max", &ret->pids_refused);
		} else if (strcmp(part->controller, "cpuacct") == 0 &&
			   fd_read_u64_at(part->dir_fd, "cpuacct.usage", &ns) == 0) {
			ret->has_cpu = true;
			ret->cpu_us = ns / 1000;
		}
	}
}

void cgroup_read(const struct cgroup *cg, struct cgroup_stats *ret)
{
	int dir_fd = cg->part[0].dir_fd;
	uint64_t ooms;

	memset(ret, 0, sizeof(*ret));
	if (cg->version == 1) {
		read_v1(cg, ret);
	} else if (cg->version == 2) {
		/* memory.peak is there since Linux 5.19. */
		ret->has_memory = fd_read_u64_at(dir_fd, "memory.peak", &ret->memory_peak_bytes) == 0;
		(void)fd_read_key_at(dir_fd, "memory.events", "oom_kill", &ret->oom_kills);
		ret->was_at_limit = fd_read_key_at(dir_fd, "memory.events", "oom", &ooms) == 0 && ooms > 0;
		(void)fd_read_key_at(dir_fd, "pids.events", "max", &ret->pids_refused);
		ret->has_cpu = fd_read_key_at(dir_fd, "cpu.stat", "usage_usec", &ret->cpu_us) == 0;
	}
}

bool cgroup_needs(const struct cgroup *cg, uint64_t from_bytes, uint64_t *ret_bytes)
{
	/* v1: the first is memory's. */
	return cgroupfs_needed(cg->part[0].dir_fd, cg->version == 2 ? "memory.current" : "memory.usage_in_bytes",
			       from_bytes, ret_bytes);
}

void cgroup_remove(struct cgroup *cg)
{
	for (unsigned int i = CGROUP_PARTS; i-- > 0;)
		part_remove(&cg->part[i]);
	part_remove(&cg->pin);
	/* The supervisor's own leaf is busy until it ends: swept at the next start. */
	part_close(&cg->leaf);
	close_fd(&cg->oom_fd);
	cg->version = 0;
}
