/*
 * Cgroup code against a tree of ordinary files. What a kernel would do is added by --wrap: a new group
 * is filled with control files, a group with nothing but those can be removed, each write is logged and
 * can be made to fail.
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/text.h"
#include "stage/cgroup.h"

#define OURS "capsule-run."

static const char *const control_files[] = {
    "io.max",		"blkio.throttle.read_bps_device",
    "memory.max",	"memory.high",	"memory.swap.max",	      "memory.oom.group",   "pids.max",
    "cpu.max",		"cgroup.procs",		      "tasks",		    "memory.limit_in_bytes",
    "memory.swappiness", "memory.memsw.limit_in_bytes", "memory.oom_control", "cgroup.event_control",
    "cpu.cfs_period_us", "cpu.cfs_quota_us",	"memory.kmem.tcp.limit_in_bytes",
    "cgroup.subtree_control",
};

static struct {
	char path[PATH_MAX];
	int dir_fd;
	const char *without; /* a control file that new groups lack */
	const char *fail;    /* writes to this file fail */
	int fail_errno;
	unsigned int fail_count; /* as many times */
	int mkdir_errno;
	bool not_delegated; /* groups lack systemd's mark */
	char log[2048];
} fake;

int __real_mkdirat(int dir_fd, const char *path, mode_t mode);
int __wrap_mkdirat(int dir_fd, const char *path, mode_t mode);
int __real_unlinkat(int dir_fd, const char *path, int flags);
int __wrap_unlinkat(int dir_fd, const char *path, int flags);
int __real_fd_write_file_at(int dir_fd, const char *path, const char *text);
int __wrap_fd_write_file_at(int dir_fd, const char *path, const char *text);

ssize_t __wrap_fgetxattr(int fd, const char *name, void *value, size_t size);

ssize_t __wrap_fgetxattr(int fd, const char *name, void *value, size_t size)
{
	(void)fd;
	assert_string_equal(name, "user.delegate");
	assert_true(size >= 1);
	if (fake.not_delegated) {
		errno = ENODATA;
		return -1;
	}
	memcpy(value, "1", 1);
	return 1;
}

int __wrap_mkdirat(int dir_fd, const char *path, mode_t mode)
{
	char name[PATH_MAX];

	if (strncmp(path, OURS, strlen(OURS)) != 0)
		return __real_mkdirat(dir_fd, path, mode);
	if (fake.mkdir_errno != 0) {
		errno = fake.mkdir_errno;
		return -1;
	}
	if (__real_mkdirat(dir_fd, path, mode) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(control_files); i++) {
		if (unit_same(control_files[i], fake.without))
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", path, control_files[i]);
		unit_make(dir_fd, name, "");
	}
	return 0;
}

int __wrap_unlinkat(int dir_fd, const char *path, int flags)
{
	int fd = (flags & AT_REMOVEDIR) == 0 ? -1 : openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		(void)__real_unlinkat(fd, entry->d_name, 0);
	if (dir != NULL)
		closedir(dir);
	return __real_unlinkat(dir_fd, path, flags);
}

/* Logs "GROUP/FILE=TEXT", the group as below the tree's root and a new one's name as "*". */
int __wrap_fd_write_file_at(int dir_fd, const char *path, const char *text)
{
	char link[64];
	char group[PATH_MAX];
	size_t root = strlen(fake.path);
	size_t at = strlen(fake.log);
	ssize_t n;
	char *ours;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
	n = readlink(link, group, sizeof(group) - 1);
	assert_true(n >= (ssize_t)root);
	group[n] = '\0';
	ours = strstr(group, OURS);
	if (ours != NULL)
		(void)strcpy(ours, "*");
	if (strcmp(path, "cgroup.event_control") == 0)
		(void)snprintf(fake.log + at, sizeof(fake.log) - at, "%s/%s\n", group + root, path);
	else
		(void)snprintf(fake.log + at, sizeof(fake.log) - at, "%s/%s=%s\n", group + root, path, text);
	if (unit_same(path, fake.fail) && fake.fail_count > 0) {
		fake.fail_count--;
		return -fake.fail_errno;
	}
	return __real_fd_write_file_at(dir_fd, path, text);
}

static void fake_open(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.dir_fd = unit_temp(fake.path);
}

static void fake_close(void)
{
	unit_temp_remove(fake.path, fake.dir_fd);
}

static int create(const struct policy_limits *limits, bool privileged, struct cgroup *cg, struct error *err)
{
	char self[PATH_MAX + 8];
	char mountinfo[PATH_MAX + 16];
	struct cgroup_host host = {.mount = fake.path,
				   .self = self,
				   .mountinfo = mountinfo,
				   .privileged = privileged,
				   .disk = makedev(254, 16)};

	(void)snprintf(self, sizeof(self), "%s/self", fake.path);
	(void)snprintf(mountinfo, sizeof(mountinfo), "%s/mountinfo", fake.path);
	memset(err, 0, sizeof(*err));
	return cgroup_create(limits, &host, cg, err);
}

/* How many groups of ours lie in a directory. */
static unsigned int groups_in(const char *path)
{
	int fd = openat(fake.dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	unsigned int count = 0;
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		count += strncmp(entry->d_name, OURS, strlen(OURS)) == 0;
	closedir(dir);
	return count;
}

static struct policy_limits make_limits(uint64_t cpu_milli, uint64_t cpu_time_ms)
{
	return (struct policy_limits){.ram_bytes = 1ULL << 30,
				      .ram_soft_bytes = LIMIT_NONE,
				      .io_read_bps = LIMIT_NONE,
				      .io_write_bps = LIMIT_NONE,
				      .pids = 256,
				      .cpu_milli = cpu_milli,
				      .cpu_time_ms = cpu_time_ms,
				      .stall_ms = LIMIT_NONE};
}

#define V2_BOTH "memory pids\n"
#define V2_ALL "cpuset cpu io memory pids\n"
#define V2_LIMITS(group)                                                                           \
	group "/memory.max=1073741824\n" group "/memory.swap.max=0\n" group "/memory.oom.group=1\n" group          \
	      "/pids.max=256\n"

struct v2_row {
	const char *what;
	uint64_t cpu_milli;
	const char *self;
	const char *own_controllers;
	const char *own_enabled;
	const char *up_enabled; /* of the parent, which has all controllers */
	bool alone;		/* nobody else is in the caller's group */
	bool privileged;
	const char *without;
	const char *fail;
	int fail_errno;
	unsigned int fail_count;
	int mkdir_errno;
	/* Expected. */
	int r;
	int version;
	const char *says; /* why_not, or the error's detail */
	const char *log;
	bool not_delegated;
	const char *own_limit; /* memory.max of the caller's own group */
};

static const struct v2_row v2_rows[] = {
    {"delegated", LIMIT_NONE, "0::/up/own\n", V2_ALL, V2_BOTH, V2_ALL, false, false, NULL, NULL, 0, 0, 0, 0, 2, NULL,
     V2_LIMITS("/up/own/*"), false, NULL},
    {"other lines first", LIMIT_NONE, "1:name=systemd:/x\n0::/up/own\n", V2_ALL, V2_BOTH, V2_ALL, false, false, NULL,
     NULL, 0, 0, 0, 0, 2, NULL, V2_LIMITS("/up/own/*"), false, NULL},
    {"half a core", 500, "0::/up/own\n", V2_ALL, V2_ALL, V2_ALL, false, false, NULL, NULL, 0, 0, 0, 0, 2, NULL,
     V2_LIMITS("/up/own/*") "/up/own/*/cpu.max=50000 100000\n", false, NULL},
    {"two cores", 2000, "0::/up/own\n", V2_ALL, V2_ALL, V2_ALL, false, false, NULL, NULL, 0, 0, 0, 0, 2, NULL,
     V2_LIMITS("/up/own/*") "/up/own/*/cpu.max=200000 100000\n", false, NULL},
    {"enabled by us", LIMIT_NONE, "0::/up/own\n", V2_ALL, "", V2_ALL, false, false, NULL, NULL, 0, 0, 0, 0, 2, NULL,
     "/up/own/cgroup.subtree_control=+memory +pids\n" V2_LIMITS("/up/own/*"), false, NULL},
    {"cpu enabled by us", 500, "0::/up/own\n", V2_ALL, V2_BOTH, V2_ALL, false, false, NULL, NULL, 0, 0, 0, 0, 2, NULL,
     "/up/own/cgroup.subtree_control=+memory +pids +cpu\n" V2_LIMITS("/up/own/*") "/up/own/*/cpu.max=50000 100000\n", false, NULL},
    {"moved to a leaf", LIMIT_NONE, "0::/up/own\n", V2_ALL, "", V2_ALL, true, false, NULL, "cgroup.subtree_control",
     EBUSY, 1, 0, 0, 2, NULL,
     "/up/own/cgroup.subtree_control=+memory +pids\n/up/own/*/cgroup.procs=0\n"
     "/up/own/cgroup.subtree_control=+memory +pids\n" V2_LIMITS("/up/own/*"), false, NULL},
    {"not alone", LIMIT_NONE, "0::/up/own\n", V2_ALL, "", V2_ALL, false, false, NULL, "cgroup.subtree_control", EBUSY,
     9, 0, 0, 0, "other processes", "/up/own/cgroup.subtree_control=+memory +pids\n", false, NULL},
    {"may not enable", LIMIT_NONE, "0::/up/own\n", V2_ALL, "", V2_ALL, true, false, NULL, "cgroup.subtree_control",
     EACCES, 9, 0, 0, 0, "Permission denied", "/up/own/cgroup.subtree_control=+memory +pids\n", false, NULL},
    {"no pids controller", LIMIT_NONE, "0::/up/own\n", "cpu memory\n", "cpu memory\n", V2_ALL, false, false, NULL,
     NULL, 0, 0, 0, 0, 0, "no cgroup is delegated", "", false, NULL},
    {"a word is not its beginning", LIMIT_NONE, "0::/up/own\n", "memory pidsx\n", "memory pidsx\n", V2_ALL, false,
     false, NULL, NULL, 0, 0, 0, 0, 0, "no cgroup is delegated", "", false, NULL},
    {"cpuset is not cpu", 500, "0::/up/own\n", "cpuset memory pids\n", "cpuset memory pids\n", "", false, false, NULL,
     NULL, 0, 0, 0, 0, 0, "no cgroup is delegated", "", false, NULL},
    {"no line of v2", LIMIT_NONE, "4:memory:/up/own\n", V2_ALL, V2_ALL, V2_ALL, false, true, NULL, NULL, 0, 0, 0, 0, 0,
     "not in any cgroup", "", false, NULL},
    {"no lines", LIMIT_NONE, "", V2_ALL, V2_ALL, V2_ALL, false, true, NULL, NULL, 0, 0, 0, 0, 0, "not in any cgroup",
     "", false, NULL},
    {"group that is gone", LIMIT_NONE, "0::/up/gone\n", V2_ALL, V2_ALL, V2_ALL, false, false, NULL, NULL, 0, 0, 0, 0,
     0, "No such file", "", false, NULL},
    {"root goes up", LIMIT_NONE, "0::/up/own\n", V2_ALL, "", V2_BOTH, false, true, NULL, "cgroup.subtree_control",
     EBUSY, 1, 0, 0, 2, NULL, "/up/own/cgroup.subtree_control=+memory +pids\n" V2_LIMITS("/up/*"), false, NULL},
    {"a user does not go up", LIMIT_NONE, "0::/up/own\n", "", "", V2_BOTH, false, false, NULL, NULL, 0, 0, 0, 0, 0,
     "no cgroup is delegated", "", false, NULL},
    {"root writes to nobody's", LIMIT_NONE, "0::/up/own\n", V2_ALL, "", "", false, true, NULL,
     "cgroup.subtree_control", EBUSY, 9, 0, 0, 0, "no cgroup is delegated",
     "/up/own/cgroup.subtree_control=+memory +pids\n", false, NULL},
    {"root sheds no limits", LIMIT_NONE, "0::/up/own\n", V2_ALL, "", V2_BOTH, false, true, NULL,
     "cgroup.subtree_control", EBUSY, 1, 0, 0, 0, "has limits", "/up/own/cgroup.subtree_control=+memory +pids\n",
     false, "536870912\n"},
    {"a limit that is open is none", LIMIT_NONE, "0::/up/own\n", V2_ALL, "", V2_BOTH, false, true, NULL,
     "cgroup.subtree_control", EBUSY, 1, 0, 0, 2, NULL,
     "/up/own/cgroup.subtree_control=+memory +pids\n" V2_LIMITS("/up/*"), false, "max\n"},
    {"own limits bind what is below", LIMIT_NONE, "0::/up/own\n", V2_ALL, V2_BOTH, V2_BOTH, false, true, NULL, NULL, 0,
     0, 0, 0, 2, NULL, V2_LIMITS("/up/own/*"), false, "536870912\n"},
    {"pinned where systemd may change it", 500, "0::/up/own\n", V2_ALL, V2_ALL, V2_ALL, false, false, NULL, NULL, 0, 0,
     0, 0, 2, NULL,
     "/up/own/*/cgroup.subtree_control=+memory +pids +cpu\n" V2_LIMITS("/up/own/*") "/up/own/*/cpu.max=50000 100000\n",
     true, NULL},
    {"can't be pinned", LIMIT_NONE, "0::/up/own\n", V2_ALL, V2_ALL, V2_ALL, false, false, NULL,
     "cgroup.subtree_control", EACCES, 1, 0, 0, 0, "Permission denied",
     "/up/own/*/cgroup.subtree_control=+memory +pids\n", true, NULL},
    {"another namespace's group", LIMIT_NONE, "0::/../up/own\n", V2_ALL, V2_ALL, V2_ALL, false, true, NULL, NULL, 0, 0,
     0, 0, 0, "not in any cgroup", "", false, NULL},
    {"no right to make one", LIMIT_NONE, "0::/up/own\n", V2_ALL, V2_ALL, V2_ALL, false, false, NULL, NULL, 0, 0,
     EACCES, 0, 0, "Permission denied", "", false, NULL},
    {"no swap accounting", LIMIT_NONE, "0::/up/own\n", V2_ALL, V2_ALL, V2_ALL, false, false, "memory.swap.max", NULL,
     0, 0, 0, 0, 2, NULL, V2_LIMITS("/up/own/*"), false, NULL},
    {"ram refused", LIMIT_NONE, "0::/up/own\n", V2_ALL, V2_ALL, V2_ALL, false, false, NULL, "memory.max", EACCES, 1, 0,
     -EACCES, 0, "memory.max", "/up/own/*/memory.max=1073741824\n", false, NULL},
    {"swap refused", LIMIT_NONE, "0::/up/own\n", V2_ALL, V2_ALL, V2_ALL, false, false, NULL, "memory.swap.max", EPERM,
     1, 0, -EPERM, 0, "memory.swap.max", "/up/own/*/memory.max=1073741824\n/up/own/*/memory.swap.max=0\n", false, NULL},
    {"pids refused", LIMIT_NONE, "0::/up/own\n", V2_ALL, V2_ALL, V2_ALL, false, false, NULL, "pids.max", EINVAL, 1, 0,
     -EINVAL, 0, "pids.max", V2_LIMITS("/up/own/*"), false, NULL},
    {"cpu refused", 500, "0::/up/own\n", V2_ALL, V2_ALL, V2_ALL, false, false, NULL, "cpu.max", EINVAL, 1, 0, -EINVAL,
     0, "cpu.max", V2_LIMITS("/up/own/*") "/up/own/*/cpu.max=50000 100000\n", false, NULL},
    {"no pids file", LIMIT_NONE, "0::/up/own\n", V2_ALL, V2_ALL, V2_ALL, false, false, "pids.max", NULL, 0, 0, 0,
     -ENOENT, 0, "pids.max", V2_LIMITS("/up/own/*"), false, NULL},
};

static void make_v2(const struct v2_row *row)
{
	char procs[64];

	unit_make(fake.dir_fd, "self", row->self);
	unit_make(fake.dir_fd, "cgroup.controllers", V2_ALL);
	unit_make(fake.dir_fd, "cgroup.subtree_control", "");
	unit_make(fake.dir_fd, "up/cgroup.controllers", V2_ALL);
	unit_make(fake.dir_fd, "up/cgroup.subtree_control", row->up_enabled);
	unit_make(fake.dir_fd, "up/cgroup.procs", "");
	unit_make(fake.dir_fd, "up/own/cgroup.controllers", row->own_controllers);
	unit_make(fake.dir_fd, "up/own/cgroup.subtree_control", row->own_enabled);
	(void)snprintf(procs, sizeof(procs), "%d\n%s", getpid(), row->alone ? "" : "1\n");
	unit_make(fake.dir_fd, "up/own/cgroup.procs", procs);
	fake.without = row->without;
	fake.fail = row->fail;
	fake.fail_errno = row->fail_errno;
	fake.fail_count = row->fail_count;
	fake.mkdir_errno = row->mkdir_errno;
	fake.not_delegated = row->not_delegated;
	if (row->own_limit != NULL)
		unit_make(fake.dir_fd, "up/own/memory.max", row->own_limit);
}

static void test_v2(void **state)
{
	(void)state;
	for (const struct v2_row *row = v2_rows; row < v2_rows + ARRAY_SIZE(v2_rows); row++) {
		struct policy_limits limits = make_limits(row->cpu_milli, LIMIT_NONE);
		int lowest = unit_lowest_fd();
		unsigned int left = 0;
		struct cgroup cg;
		struct error err;
		int r;

		fake_open();
		make_v2(row);
		r = create(&limits, row->privileged, &cg, &err);
		CHECK(r == row->r, "%s: %d %s", row->what, r, err.detail);
		CHECK(cg.version == row->version || r < 0, "%s: version %d, %s", row->what, cg.version, cg.why_not);
		/* The tree's root answers root's climb too: its lines are not in the table. */
		CHECK(strncmp(fake.log, row->log, strlen(row->log)) == 0 &&
			  (row->privileged || strlen(fake.log) == strlen(row->log)),
		      "%s:\n%s", row->what, fake.log);
		CHECK(row->says == NULL || strstr(r < 0 ? err.detail : cg.why_not, row->says) != NULL, "%s: '%s' '%s'",
		      row->what, err.detail, cg.why_not);
		CHECK(cgroup_clone_fd(&cg) == (r == 0 && row->version == 2 ? cg.part[0].dir_fd : -1), "%s", row->what);
		if (r == 0 && row->version == 2) {
			CHECK(fcntl(cgroup_clone_fd(&cg), F_GETFD) == FD_CLOEXEC, "%s", row->what);
			CHECK((cg.leaf.dir_fd >= 0) == row->alone, "%s", row->what);
			left = row->alone ? 1 : 0; /* the leaf, in which we still are */
		}
		cgroup_remove(&cg);
		CHECK(groups_in("up/own") == left && groups_in("up") == 0 && groups_in(".") == 0, "%s: left behind",
		      row->what);
		cgroup_remove(&cg);
		fake_close();
		CHECK(unit_lowest_fd() == lowest, "%s: a descriptor was leaked", row->what);
	}
}

struct v1_row {
	const char *what;
	uint64_t cpu_milli;
	uint64_t cpu_time_ms;
	const char *self;
	const char *without;
	const char *fail;
	int fail_errno;
	int mkdir_errno;
	int r;
	int version;
	const char *says;
	unsigned int groups; /* made */
	const char *log;
	const char *mount_root; /* what of the hierarchy is mounted */
};

#define V1_SELF "9:name=systemd:/\n8:pids:/own\n4:memory:/own\n2:cpuacct:/own\n1:cpu:/own\n0::/x\n"
#define V1_RAM "/memory/own/*/memory.limit_in_bytes=1073741824\n"
#define V1_SWAP V1_RAM "/memory/own/*/memory.memsw.limit_in_bytes=1073741824\n"
#define V1_TCP "/memory/own/*/memory.kmem.tcp.limit_in_bytes=33554432\n"
#define V1_PIDS V1_SWAP V1_TCP "/pids/own/*/pids.max=256\n"
#define V1_OOM "/memory/own/*/cgroup.event_control\n"

static const struct v1_row v1_rows[] = {
    {"plain", LIMIT_NONE, LIMIT_NONE, V1_SELF, NULL, NULL, 0, 0, 0, 1, NULL, 2, V1_PIDS V1_OOM, NULL},
    {"cpu", 500, LIMIT_NONE, V1_SELF, NULL, NULL, 0, 0, 0, 1, NULL, 3,
     V1_PIDS "/cpu/own/*/cpu.cfs_period_us=100000\n/cpu/own/*/cpu.cfs_quota_us=50000\n" V1_OOM, NULL},
    {"cpu time is counted", LIMIT_NONE, 1000, V1_SELF, NULL, NULL, 0, 0, 0, 1, NULL, 3, V1_PIDS V1_OOM, NULL},
    {"both", 2000, 1000, V1_SELF, NULL, NULL, 0, 0, 0, 1, NULL, 4,
     V1_PIDS "/cpu/own/*/cpu.cfs_period_us=100000\n/cpu/own/*/cpu.cfs_quota_us=200000\n" V1_OOM, NULL},
    {"no swap accounting", LIMIT_NONE, LIMIT_NONE, V1_SELF, "memory.memsw.limit_in_bytes", NULL, 0, 0, 0, 1, NULL, 2,
     V1_SWAP "/memory/own/*/memory.swappiness=0\n" V1_TCP "/pids/own/*/pids.max=256\n" V1_OOM, NULL},
    {"swap accounting is off", LIMIT_NONE, LIMIT_NONE, V1_SELF, NULL, "memory.memsw.limit_in_bytes", EOPNOTSUPP, 0, 0,
     1, NULL, 2, V1_SWAP "/memory/own/*/memory.swappiness=0\n" V1_TCP "/pids/own/*/pids.max=256\n" V1_OOM, NULL},
    {"swap refused", LIMIT_NONE, LIMIT_NONE, V1_SELF, NULL, "memory.memsw.limit_in_bytes", EACCES, 0, -EACCES, 0,
     "memory.memsw", 0, V1_SWAP, NULL},
    {"no account of sockets", LIMIT_NONE, LIMIT_NONE, V1_SELF, "memory.kmem.tcp.limit_in_bytes", NULL, 0, 0, 0, 1,
     NULL, 2, V1_PIDS V1_OOM, NULL},
    {"sockets refused", LIMIT_NONE, LIMIT_NONE, V1_SELF, NULL, "memory.kmem.tcp.limit_in_bytes", EBUSY, 0, -EBUSY, 0,
     "kmem.tcp", 0, V1_SWAP V1_TCP, NULL},
    {"ram refused", LIMIT_NONE, LIMIT_NONE, V1_SELF, NULL, "memory.limit_in_bytes", EINVAL, 0, -EINVAL, 0,
     "memory.limit_in_bytes", 0, V1_RAM, NULL},
    {"pids refused", LIMIT_NONE, LIMIT_NONE, V1_SELF, NULL, "pids.max", EINVAL, 0, -EINVAL, 0, "pids.max", 0, V1_PIDS, NULL},
    {"no OOM events", LIMIT_NONE, LIMIT_NONE, V1_SELF, NULL, "cgroup.event_control", EINVAL, 0, -EINVAL, 0,
     "event_control", 0, V1_PIDS V1_OOM, NULL},
    {"no right to make one", LIMIT_NONE, LIMIT_NONE, V1_SELF, NULL, NULL, 0, EACCES, 0, 0, "v1 memory: Permission", 0,
     "", NULL},
    {"no pids hierarchy", LIMIT_NONE, LIMIT_NONE, "4:memory:/own\n0::/\n", NULL, NULL, 0, 0, 0, 0, "v1 pids", 0, "", NULL},
    {"names that only look alike", LIMIT_NONE, LIMIT_NONE, "4:memoryx,xmemory:/own\n", NULL, NULL, 0, 0, 0, 0,
     "v1 memory", 0, "", NULL},
    {"cpu is not there", 500, LIMIT_NONE, "8:pids:/own\n4:memory:/own\n1:cpuacct:/own\n", NULL, NULL, 0, 0, 0, 0,
     "v1 cpu", 0, "", NULL},
    /* A container without a cgroup namespace: the path is the host's, the mount's root is our group. */
    {"a host's path", LIMIT_NONE, LIMIT_NONE, "8:pids:/docker/1\n4:memory:/own\n", NULL, NULL, 0, 0, 0, 1, NULL, 2,
     V1_SWAP V1_TCP "/pids/*/pids.max=256\n" V1_OOM, "/docker/1"},
    {"below it", LIMIT_NONE, LIMIT_NONE, "8:pids:/docker/1/own\n4:memory:/own\n", NULL, NULL, 0, 0, 0, 1, NULL, 2,
     V1_PIDS V1_OOM, "/docker/1"},
    {"not what the mount shows", LIMIT_NONE, LIMIT_NONE, "8:pids:/docker/12\n4:memory:/own\n", NULL, NULL, 0, 0, 0, 0,
     "v1 pids: No such file", 0, "", "/docker/1"},
    /* The whole hierarchy is mounted and our group is not in it: its root is not ours. */
    {"a group that is gone", LIMIT_NONE, LIMIT_NONE, "8:pids:/docker/1\n4:memory:/own\n", NULL, NULL, 0, 0, 0, 0,
     "v1 pids: No such file", 0, "", "/"},
};

static const char *const v1_controllers[] = {"memory", "pids", "cpu", "cpuacct"};

static void make_v1(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(v1_controllers); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "%s/tasks", v1_controllers[i]);
		unit_make(fake.dir_fd, path, "");
		(void)snprintf(path, sizeof(path), "%s/own/tasks", v1_controllers[i]);
		unit_make(fake.dir_fd, path, "");
	}
}

static void make_mountinfo(const char *root)
{
	struct statx st;
	char text[256];

	assert_int_equal(statx(fake.dir_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st), 0);
	(void)snprintf(text, sizeof(text),
		       "1%llu 1 0:9 /x / rw - ext4 x rw\n%llu 1 0:9 %s /sys/fs/cgroup/any rw shared:1 - cgroup c rw,pids\n",
		       (unsigned long long)st.stx_mnt_id, (unsigned long long)st.stx_mnt_id, root);
	unit_make(fake.dir_fd, "mountinfo", text);
}

static unsigned int v1_groups(void)
{
	unsigned int count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(v1_controllers); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "%s/own", v1_controllers[i]);
		count += groups_in(path) + groups_in(v1_controllers[i]);
	}
	return count;
}

static void test_v1(void **state)
{
	(void)state;
	for (const struct v1_row *row = v1_rows; row < v1_rows + ARRAY_SIZE(v1_rows); row++) {
		struct policy_limits limits = make_limits(row->cpu_milli, row->cpu_time_ms);
		int lowest = unit_lowest_fd();
		struct cgroup cg;
		struct error err;
		int r;

		fake_open();
		make_v1();
		unit_make(fake.dir_fd, "self", row->self);
		if (row->mount_root != NULL)
			make_mountinfo(row->mount_root);
		fake.without = row->without;
		fake.fail = row->fail;
		fake.fail_errno = row->fail_errno;
		fake.fail_count = 1;
		fake.mkdir_errno = row->mkdir_errno;
		r = create(&limits, true, &cg, &err);
		CHECK(r == row->r, "%s: %d %s", row->what, r, err.detail);
		CHECK(cg.version == row->version || r < 0, "%s: version %d, %s", row->what, cg.version, cg.why_not);
		CHECK(strcmp(fake.log, row->log) == 0, "%s:\n%s", row->what, fake.log);
		CHECK(row->says == NULL || strstr(r < 0 ? err.detail : cg.why_not, row->says) != NULL, "%s: '%s' '%s'",
		      row->what, err.detail, cg.why_not);
		CHECK(cgroup_clone_fd(&cg) == -1, "%s", row->what);
		CHECK(v1_groups() == row->groups, "%s: %u groups", row->what, v1_groups());
		cgroup_remove(&cg);
		CHECK(v1_groups() == 0, "%s: left behind", row->what);
		fake_close();
		CHECK(unit_lowest_fd() == lowest, "%s: a descriptor was leaked", row->what);
	}
}

static void test_v1_enter_and_leave(void **state)
{
	struct policy_limits limits = make_limits(LIMIT_NONE, LIMIT_NONE);
	struct cgroup cg;
	struct error err;

	(void)state;
	fake_open();
	make_v1();
	unit_make(fake.dir_fd, "self", V1_SELF);
	assert_int_equal(create(&limits, false, &cg, &err), 0);
	fake.log[0] = '\0';
	assert_int_equal(cgroup_enter(&cg, &err), 0);
	assert_string_equal(fake.log, "/memory/own/*/tasks=0\n/pids/own/*/tasks=0\n");
	assert_string_equal(unit_text(fake.dir_fd, "memory/own/tasks"), "");
	assert_int_equal(cgroup_leave(&cg, &err), 0);
	assert_string_equal(unit_text(fake.dir_fd, "memory/own/tasks"), "0");
	assert_string_equal(unit_text(fake.dir_fd, "pids/own/tasks"), "0");
	fake.fail = "tasks";
	fake.fail_errno = ENOSPC;
	fake.fail_count = 1;
	assert_int_equal(cgroup_enter(&cg, &err), -ENOSPC);
	cgroup_remove(&cg);
	fake_close();
}

static void make_joint(void)
{
	unit_make(fake.dir_fd, "memory/own/tasks", "");
	unit_make(fake.dir_fd, "pids/own/tasks", "");
	unit_make(fake.dir_fd, "cpu,cpuacct/own/tasks", "");
	assert_int_equal(symlinkat("cpu,cpuacct", fake.dir_fd, "cpu"), 0);
	assert_int_equal(symlinkat("cpu,cpuacct", fake.dir_fd, "cpuacct"), 0);
	unit_make(fake.dir_fd, "self", "8:pids:/own\n4:memory:/own\n1:cpu,cpuacct:/own\n");
}

/* cpu and cpuacct are one hierarchy on most systems. A process is in one group of a hierarchy: with two
 * groups, joining the second would leave the first, and its limit. */
static void test_v1_joint_hierarchy(void **state)
{
	struct policy_limits limits = make_limits(500, 1000);
	struct cgroup cg;
	struct error err;

	(void)state;
	fake_open();
	make_joint();
	assert_int_equal(create(&limits, false, &cg, &err), 0);
	assert_int_equal(cg.version, 1);
	assert_int_equal(groups_in("cpu,cpuacct/own"), 1);
	cgroup_remove(&cg);
	assert_int_equal(groups_in("cpu,cpuacct/own"), 0);
	fake_close();
}

/* Another attempt's group: the old one is gone, the new one has all limits, in the same place. */
static void test_renew(void **state)
{
	(void)state;
	for (unsigned int version = 1; version <= 2; version++) {
		struct policy_limits limits = make_limits(500, 1000);
		int lowest = unit_lowest_fd();
		char first[sizeof(fake.log)];
		char name[sizeof(((struct cgroup_part *)NULL)->name)];
		struct cgroup cg;
		struct error err;

		fake_open();
		if (version == 1)
			make_joint();
		else
			make_v2(&v2_rows[2]);
		assert_int_equal(create(&limits, false, &cg, &err), 0);
		assert_int_equal(cg.version, version);
		for (unsigned int attempt = 2; attempt < 5; attempt++) {
			(void)strcpy(first, fake.log);
			(void)strcpy(name, cg.part[0].name);
			fake.log[0] = '\0';
			assert_int_equal(cgroup_renew(&limits, &cg, &err), 0);
			CHECK(strcmp(fake.log, first) == 0, "v%u:\n%s", version, fake.log);
			CHECK(strcmp(cg.part[0].name, name) != 0, "v%u", version);
			CHECK(version == 2 ? groups_in("up/own") == 1
					   : groups_in("memory/own") == 1 && groups_in("pids/own") == 1 &&
						 groups_in("cpu,cpuacct/own") == 1,
			      "v%u", version);
		}
		/* No attempt without its limits. */
		fake.fail = version == 1 ? "memory.limit_in_bytes" : "memory.max";
		fake.fail_errno = EACCES;
		fake.fail_count = 1;
		CHECK(cgroup_renew(&limits, &cg, &err) == -EACCES, "v%u", version);
		fake.mkdir_errno = ENOSPC;
		CHECK(cgroup_renew(&limits, &cg, &err) == -ENOSPC, "v%u", version);
		cgroup_remove(&cg);
		fake_close();
		CHECK(unit_lowest_fd() == lowest, "v%u: a descriptor was leaked", version);
	}
}

static void test_no_cgroups(void **state)
{
	struct policy_limits limits = make_limits(LIMIT_NONE, LIMIT_NONE);
	struct cgroup_stats stats;
	struct cgroup cg;
	struct error err;

	(void)state;
	fake_open();
	assert_int_equal(create(&limits, true, &cg, &err), 0);
	assert_int_equal(cg.version, 0);
	assert_non_null(strstr(cg.why_not, "no cgroups in this kernel"));
	assert_int_equal(cgroup_clone_fd(&cg), -1);
	assert_int_equal(cgroup_enter(&cg, &err), 0);
	assert_int_equal(cgroup_leave(&cg, &err), 0);
	cgroup_read(&cg, &stats);
	assert_false(stats.has_memory || stats.has_cpu);
	cgroup_remove(&cg);
	cgroup_init(&cg);
	cgroup_remove(&cg);
	fake_close();
}

/* A run that was killed may have used more controllers than the next one does. */
static void test_sweep_v1(void **state)
{
	struct policy_limits limits = make_limits(LIMIT_NONE, LIMIT_NONE);
	struct stat st;
	struct cgroup cg;
	struct error err;

	(void)state;
	fake_open();
	make_joint();
	unit_make(fake.dir_fd, "memory/own/" OURS "1.1/tasks", "");
	unit_make(fake.dir_fd, "cpu,cpuacct/own/" OURS "1.2/tasks", "");
	assert_int_equal(create(&limits, false, &cg, &err), 0);
	assert_int_equal(cg.version, 1);
	assert_int_equal(fstatat(fake.dir_fd, "memory/own/" OURS "1.1", &st, 0), -1);
	assert_int_equal(fstatat(fake.dir_fd, "cpu,cpuacct/own/" OURS "1.2", &st, 0), -1);
	cgroup_remove(&cg);
	fake_close();
}

/* Groups whose owner is gone are removed at the next start; those that somebody holds are not, nor
 * what is no group of ours. */
static void test_sweep(void **state)
{
	struct policy_limits limits = make_limits(LIMIT_NONE, LIMIT_NONE);
	struct v2_row row = v2_rows[0];
	struct cgroup cg;
	struct error err;
	struct stat st;
	int lock_fd;

	(void)state;
	fake_open();
	make_v2(&row);
	unit_make(fake.dir_fd, "up/own/" OURS "1.1/cgroup.procs", "");
	unit_make(fake.dir_fd, "up/own/" OURS "3.3/" OURS "3.4/cgroup.procs", "");
	unit_make(fake.dir_fd, "up/own/" OURS "2.2/cgroup.procs", "");
	unit_make(fake.dir_fd, "up/own/other/cgroup.procs", "");
	unit_make(fake.dir_fd, "up/own/target/", "");
	assert_int_equal(symlinkat("target", fake.dir_fd, "up/own/" OURS "link"), 0);
	lock_fd = openat(fake.dir_fd, "up/own/" OURS "2.2", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(lock_fd, LOCK_EX), 0);
	assert_int_equal(create(&limits, false, &cg, &err), 0);
	assert_int_equal(cg.version, 2);
	assert_int_equal(fstatat(fake.dir_fd, "up/own/" OURS "1.1", &st, 0), -1);
	assert_int_equal(fstatat(fake.dir_fd, "up/own/" OURS "3.3", &st, 0), -1);
	assert_int_equal(fstatat(fake.dir_fd, "up/own/" OURS "2.2", &st, 0), 0);
	assert_int_equal(fstatat(fake.dir_fd, "up/own/other", &st, 0), 0);
	assert_int_equal(fstatat(fake.dir_fd, "up/own/target", &st, 0), 0);
	/* Our own is locked: a second start leaves it alone. */
	{
		struct cgroup second;

		assert_int_equal(create(&limits, false, &second, &err), 0);
		assert_int_equal(groups_in("up/own"), 4);
		cgroup_remove(&second);
	}
	(void)close(lock_fd);
	cgroup_remove(&cg);
	assert_int_equal(create(&limits, false, &cg, &err), 0);
	assert_int_equal(fstatat(fake.dir_fd, "up/own/" OURS "2.2", &st, 0), -1);
	cgroup_remove(&cg);
	fake_close();
}

static void test_read(void **state)
{
	struct policy_limits limits = make_limits(LIMIT_NONE, 1000);
	struct cgroup_stats stats;
	struct v2_row row = v2_rows[0];
	struct cgroup cg;
	struct error err;

	(void)state;
	fake_open();
	make_v2(&row);
	assert_int_equal(create(&limits, false, &cg, &err), 0);
	cgroup_read(&cg, &stats);
	assert_false(stats.has_memory || stats.has_cpu);
	unit_make(cg.part[0].dir_fd, "memory.peak", "123456789012\n");
	unit_make(cg.part[0].dir_fd, "memory.events", "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n");
	unit_make(cg.part[0].dir_fd, "pids.events", "max 7\n");
	unit_make(cg.part[0].dir_fd, "cpu.stat", "usage_usec 8\nuser_usec 9\n");
	cgroup_read(&cg, &stats);
	assert_true(stats.has_memory && stats.has_cpu);
	assert_int_equal(stats.memory_peak_bytes, 123456789012);
	assert_int_equal(stats.oom_kills, 5);
	assert_true(cgroup_is_out_of_memory(&stats));
	/* Memory ran out in the machine, or in a group above. */
	unit_make(cg.part[0].dir_fd, "memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 5\n");
	cgroup_read(&cg, &stats);
	assert_false(cgroup_is_out_of_memory(&stats));
	assert_int_equal(stats.pids_refused, 7);
	assert_int_equal(stats.cpu_us, 8);
	cgroup_remove(&cg);
	fake_close();

	fake_open();
	make_v1();
	unit_make(fake.dir_fd, "self", V1_SELF);
	assert_int_equal(create(&limits, false, &cg, &err), 0);
	assert_int_equal(cg.part_count, 3);
	unit_make(cg.part[0].dir_fd, "memory.max_usage_in_bytes", "4096\n");
	unit_make(cg.part[0].dir_fd, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
	unit_make(cg.part[1].dir_fd, "pids.events", "max 2\n");
	unit_make(cg.part[2].dir_fd, "cpuacct.usage", "5000000\n");
	cgroup_read(&cg, &stats);
	assert_true(stats.has_memory && stats.has_cpu);
	assert_int_equal(stats.memory_peak_bytes, 4096);
	assert_int_equal(stats.oom_kills, 3);
	assert_false(cgroup_is_out_of_memory(&stats));
	unit_make(cg.part[0].dir_fd, "memory.limit_in_bytes", "67108864\n");
	unit_make(cg.part[0].dir_fd, "memory.max_usage_in_bytes", "66000000\n");
	cgroup_read(&cg, &stats);
	assert_false(cgroup_is_out_of_memory(&stats));
	unit_make(cg.part[0].dir_fd, "memory.max_usage_in_bytes", "67104768\n");
	cgroup_read(&cg, &stats);
	assert_true(cgroup_is_out_of_memory(&stats));
	/* With swap counted it is that limit which is met. */
	unit_make(cg.part[0].dir_fd, "memory.max_usage_in_bytes", "4096\n");
	unit_make(cg.part[0].dir_fd, "memory.memsw.limit_in_bytes", "67108864\n");
	unit_make(cg.part[0].dir_fd, "memory.memsw.max_usage_in_bytes", "67108864\n");
	cgroup_read(&cg, &stats);
	assert_true(cgroup_is_out_of_memory(&stats));
	assert_int_equal(stats.pids_refused, 2);
	assert_int_equal(stats.cpu_us, 5000);
	cgroup_remove(&cg);
	fake_close();
}

/* Rates of a disk need a controller of their own, on v1 for what is read alone. */
static void test_io_limits(void **state)
{
	static const struct {
		uint64_t read;
		uint64_t write;
		const char *v2;
		const char *v1;
	} rows[] = {
	    {1 << 20, LIMIT_NONE, "/up/own/*/io.max=254:16 rbps=1048576 wbps=max\n",
	     "/blkio/own/*/blkio.throttle.read_bps_device=254:16 1048576\n"},
	    {1 << 20, 65536, "/up/own/*/io.max=254:16 rbps=1048576 wbps=65536\n",
	     "/blkio/own/*/blkio.throttle.read_bps_device=254:16 1048576\n"},
	    {LIMIT_NONE, 65536, "/up/own/*/io.max=254:16 rbps=max wbps=65536\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy_limits limits = make_limits(LIMIT_NONE, LIMIT_NONE);
		struct v2_row row = v2_rows[0];
		struct cgroup cg;
		struct error err;

		limits.io_read_bps = rows[i].read;
		limits.io_write_bps = rows[i].write;
		fake_open();
		row.own_enabled = V2_ALL;
		make_v2(&row);
		assert_int_equal(create(&limits, false, &cg, &err), 0);
		CHECK(cg.version == 2 && strstr(fake.log, rows[i].v2) != NULL, "row %zu:\n%s", i, fake.log);
		cgroup_remove(&cg);
		fake_close();

		/* Not handed on yet: it is asked for as well. */
		fake_open();
		row.own_enabled = "";
		make_v2(&row);
		assert_int_equal(create(&limits, false, &cg, &err), 0);
		CHECK(strstr(fake.log, "/up/own/cgroup.subtree_control=+memory +pids +io\n") != NULL, "row %zu:\n%s", i,
		      fake.log);
		cgroup_remove(&cg);
		fake_close();

		fake_open();
		row.own_controllers = row.own_enabled = V2_BOTH;
		make_v2(&row);
		assert_int_equal(create(&limits, false, &cg, &err), 0);
		CHECK(cg.version == 0, "row %zu:\n%s", i, fake.log);
		fake_close();

		fake_open();
		make_v1();
		unit_make(fake.dir_fd, "self", "8:pids:/own\n7:blkio:/own\n4:memory:/own\n");
		unit_make(fake.dir_fd, "blkio/own/tasks", "");
		assert_int_equal(create(&limits, false, &cg, &err), 0);
		CHECK(cg.version == 1 && (rows[i].v1 == NULL) == (strstr(fake.log, "blkio") == NULL), "row %zu:\n%s", i,
		      fake.log);
		CHECK(rows[i].v1 == NULL || strstr(fake.log, rows[i].v1) != NULL, "row %zu:\n%s", i, fake.log);
		cgroup_remove(&cg);
		CHECK(rows[i].v1 == NULL || groups_in("blkio/own") == 0, "row %zu", i);
		fake_close();
	}
}

/* Only where it was asked for, and below the limit that it comes before. */
static void test_soft_limit(void **state)
{
	struct policy_limits limits = make_limits(LIMIT_NONE, LIMIT_NONE);
	struct v2_row row = v2_rows[0];
	struct cgroup cg;
	struct error err;
	uint64_t needed = 7;

	(void)state;
	limits.ram_soft_bytes = 900ULL << 20;
	fake_open();
	make_v2(&row);
	assert_int_equal(create(&limits, false, &cg, &err), 0);
	assert_non_null(strstr(fake.log, "/up/own/*/memory.high=943718400\n"));
	assert_false(cgroup_needs(&cg, 150000, &needed));
	assert_int_equal(needed, 7);
	unit_make(cg.part[0].dir_fd, "memory.current", "1000000\n");
	assert_true(cgroup_needs(&cg, 150000, &needed));
	assert_int_equal(needed, 1000000);
	unit_make(cg.part[0].dir_fd, "memory.stat", "anon 5\nfile 9\ninactive_file 300000\nactive_file 50000\n");
	assert_true(cgroup_needs(&cg, 150000, &needed));
	assert_int_equal(needed, 650000);
	unit_make(cg.part[0].dir_fd, "memory.current", "149999\n");
	assert_true(cgroup_needs(&cg, 150000, &needed));
	assert_int_equal(needed, 149999);
	/* The two are not read at one moment. */
	unit_make(cg.part[0].dir_fd, "memory.current", "200000\n");
	assert_true(cgroup_needs(&cg, 150000, &needed));
	assert_int_equal(needed, 0);
	cgroup_remove(&cg);
	fake.log[0] = '\0';
	fake.fail = "memory.high";
	fake.fail_errno = EINVAL;
	fake.fail_count = 1;
	assert_int_equal(create(&limits, false, &cg, &err), -EINVAL);
	assert_non_null(strstr(err.detail, "memory.high"));
	fake_close();

	fake_open();
	make_v1();
	unit_make(fake.dir_fd, "self", V1_SELF);
	assert_int_equal(create(&limits, false, &cg, &err), 0);
	assert_string_equal(fake.log, V1_PIDS V1_OOM);
	unit_make(cg.part[0].dir_fd, "memory.usage_in_bytes", "4096\n");
	assert_true(cgroup_needs(&cg, 150000, &needed));
	assert_int_equal(needed, 4096);
	cgroup_remove(&cg);
	fake_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_soft_limit),
	    cmocka_unit_test(test_io_limits),
	    cmocka_unit_test(test_v2),
	    cmocka_unit_test(test_v1),
	    cmocka_unit_test(test_v1_enter_and_leave),
	    cmocka_unit_test(test_v1_joint_hierarchy),
	    cmocka_unit_test(test_renew),
	    cmocka_unit_test(test_no_cgroups),
	    cmocka_unit_test(test_sweep),
	    cmocka_unit_test(test_sweep_v1),
	    cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
