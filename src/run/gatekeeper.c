#include "run/gatekeeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/sys.h"
#include "run/inherit.h"

/* All but the network, which is the host's. */
#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

#define RECORDS_AT_A_TURN 64
#define FAREWELL_MS	  1000
#define MEMORY_MAX	  (512ULL << 20)

/* Where its two descriptors are, above 0, 1 and 2. */
#define CHANNEL_FD 3
#define INSIDE_FD  4

int gatekeeper_prepare(struct gatekeeper *keeper, const struct policy *policy, int log_fd, struct error *err)
{
	int channel[2];
	int inside[2];

	if (!policy_has_network(policy))
		return 0;
	keeper->log = netlog_new(log_fd);
	if (keeper->log == NULL)
		return error_set(err, "gate", ENOMEM, "prepare");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
		return error_set(err, "gate", errno, "socketpair");
	keeper->channel_fd = channel[0];
	keeper->gate_ends[0] = channel[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, inside) < 0)
		return error_set(err, "gate", errno, "socketpair");
	keeper->inside_fd = inside[0];
	keeper->gate_ends[1] = inside[1];
	return resolve_read_config(&keeper->resolve, err);
}

static int set_limits(uint64_t *ret_descriptors, struct error *err)
{
	static const struct {
		__rlimit_resource_t resource;
		rlim_t most;
	} limits[] = {{RLIMIT_CORE, 0}, {RLIMIT_FSIZE, 0}, {RLIMIT_NPROC, 0}, {RLIMIT_DATA, MEMORY_MAX}};
	struct rlimit limit;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if (getrlimit(limits[i].resource, &limit) < 0)
			return error_set(err, "gate", errno, "getrlimit");
		if (limit.rlim_max > limits[i].most)
			limit.rlim_max = limits[i].most;
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(limits[i].resource, &limit) < 0)
			return error_set(err, "gate", errno, "setrlimit");
	}
	/* As many connections as the caller may have files. */
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return error_set(err, "gate", errno, "getrlimit");
	limit.rlim_cur = limit.rlim_max;
	*ret_descriptors = limit.rlim_cur;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? error_set(err, "gate", errno, "setrlimit") : 0;
}

/* 0, 1 and 2 lead nowhere; of all that the supervisor has open two are left. */
static int keep_descriptors(const struct gatekeeper *keeper, struct error *err)
{
	/* First above all others, so that none is in another's place. */
	int channel_fd = fcntl(keeper->gate_ends[0], F_DUPFD, INSIDE_FD + 1);
	int inside_fd = fcntl(keeper->gate_ends[1], F_DUPFD, INSIDE_FD + 1);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (channel_fd < 0 || inside_fd < 0 || null_fd < 0)
		return error_set(err, "gate", errno, "keep descriptors");
	for (int fd = 0; fd < 3; fd++)
		if (null_fd != fd && dup2(null_fd, fd) < 0)
			return error_set(err, "gate", errno, "dup2");
	if (dup2(channel_fd, CHANNEL_FD) < 0 || dup2(inside_fd, INSIDE_FD) < 0 ||
	    sys_close_range(INSIDE_FD + 1, ~0U, 0) < 0)
		return error_set(err, "gate", errno, "close descriptors");
	return 0;
}

/* An empty root that can't be written to. */
static int leave_files(struct error *err)
{
	AUTO_CLOSE int fs_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
	AUTO_CLOSE int root_fd = -1;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_set(err, "gate", errno, "make mounts private");
	if (fs_fd < 0 || fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "nr_inodes", "2", 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_set(err, "gate", errno, "make an empty tmpfs");
	root_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC,
			  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (root_fd < 0 || move_mount(root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    fchdir(root_fd) < 0)
		return error_set(err, "gate", errno, "mount an empty tmpfs");
	/* As stage/rootfs.c does it. */
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
		return error_set(err, "gate", errno, "leave the file system");
	return 0;
}

/* The maps are written; then what stands in the same order as in init. */
static int confine(const struct plan *plan, const struct policy *policy, char *argv[], uint64_t *ret_descriptors,
		   struct error *err)
{
	struct stage_ctx ctx = {.gate_fd = -1};
	struct pollfd gone = {.fd = CHANNEL_FD};
	char go;
	int r;

	if (recv(CHANNEL_FD, &go, 1, 0) != 1)
		_exit(125);
	r = idmap_become(&plan->ids, err);
	if (r < 0)
		return r;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return error_set(err, "gate", errno, "prctl");
	if (poll(&gone, 1, 0) == 1 && (gone.revents & (POLLHUP | POLLERR)) != 0)
		_exit(125);
	inherit_wipe(argv, "capsule-gate");
	r = leave_files(err);
	if (r == 0)
		r = set_limits(ret_descriptors, err);
	if (r == 0)
		r = stage_caps(policy, &ctx, err);
	return r < 0 ? r : stage_filter_gate(policy, &ctx, err);
}

static void gate_main(const struct gatekeeper *keeper, const struct policy *policy, const struct plan *plan,
		      char *argv[]) ATTR_NORETURN;
static void gate_main(const struct gatekeeper *keeper, const struct policy *policy, const struct plan *plan,
		      char *argv[])
{
	struct gate_config config = {.rules = &policy->network.rules,
				     .budget = policy->network.budget,
				     .resolve = &keeper->resolve,
				     .tells_all = keeper->log->log_fd >= 0 || policy->json,
				     .channel_fd = CHANNEL_FD,
				     .inside_fd = INSIDE_FD};
	struct gate_record record;
	sigset_t mask;
	int r;

	memset(&record, 0, sizeof(record));
	sigfillset(&mask);
	if (sigprocmask(SIG_SETMASK, &mask, NULL) < 0)
		r = error_set(&record.error, "gate", errno, "block signals");
	else
		r = keep_descriptors(keeper, &record.error);
	if (r == 0)
		r = confine(plan, policy, argv, &config.descriptors, &record.error);
	if (r == 0)
		r = gate_serve(&config, &record.error);
	if (r == 0)
		_exit(0);
	record.type = GATE_RECORD_FAILED;
	if (send(CHANNEL_FD, &record, sizeof(record), MSG_NOSIGNAL) < 0)
		_exit(126);
	_exit(125);
}

int gatekeeper_start(struct gatekeeper *keeper, const struct policy *policy, const struct plan *plan, char *argv[],
		     struct error *err)
{
	struct clone_args args = {.flags = NAMESPACES | CLONE_PIDFD,
				  .pidfd = (uint64_t)(uintptr_t)&keeper->pidfd,
				  .exit_signal = SIGCHLD};
	int r;

	if (keeper->channel_fd < 0)
		return 0;
	keeper->pid = sys_clone3(&args);
	if (keeper->pid == 0)
		gate_main(keeper, policy, plan, argv);
	if (keeper->pid < 0)
		return error_set(err, "gate", errno, "make its namespaces");
	close_fd(&keeper->gate_ends[0]);
	close_fd(&keeper->gate_ends[1]);
	close_fd(&keeper->inside_fd);
	r = idmap_write(keeper->pid, &plan->ids, err);
	if (r < 0)
		return r;
	return send(keeper->channel_fd, "", 1, MSG_NOSIGNAL) != 1 ? error_set(err, "gate", errno, "start") : 0;
}

/* One record. 1; 0: none is there; -EPIPE: there will be none; -ECANCELED with err: it has failed. */
static int take_record(struct gatekeeper *keeper, struct error *err)
{
	struct gate_record record;
	ssize_t n = recv(keeper->channel_fd, &record, sizeof(record), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
	if (n == 0)
		return -EPIPE;
	if (!gate_record_check(&record, (size_t)n)) {
		error_set(err, "gate", EBADMSG, "said something unexpected");
		return -ECANCELED;
	}
	if (record.type == GATE_RECORD_FAILED) {
		*err = record.error;
		return -ECANCELED;
	}
	netlog_take(keeper->log, &record);
	return 1;
}

int gatekeeper_run(struct gatekeeper *keeper, struct error *err)
{
	for (int i = 0; i < RECORDS_AT_A_TURN; i++) {
		int r = take_record(keeper, err);

		if (r == 0)
			return 0;
		if (r == -EPIPE)
			return error_set(err, "gate", 0, "the process that carries the task's connections has died");
		if (r < 0)
			return r;
	}
	return 0;
}

void gatekeeper_finish(struct gatekeeper *keeper, struct error *ret_failure)
{
	uint64_t end_ms = clock_ms() + FAREWELL_MS;
	struct error err;
	int status;

	if (keeper->pid <= 0)
		return;
	memset(&err, 0, sizeof(err));
	if (keeper->channel_fd >= 0)
		(void)shutdown(keeper->channel_fd, SHUT_WR);
	while (keeper->channel_fd >= 0 && !keeper->log->is_whole) {
		struct pollfd more = {.fd = keeper->channel_fd, .events = POLLIN};
		uint64_t now_ms = clock_ms();
		int r;

		if (now_ms >= end_ms || poll(&more, 1, (int)(end_ms - now_ms)) < 0)
			break;
		r = take_record(keeper, &err);
		if (r == -ECANCELED)
			*ret_failure = err;
		if (r < 0)
			break;
	}
	(void)sys_pidfd_send_signal(keeper->pidfd, SIGKILL);
	while (waitpid(keeper->pid, &status, 0) < 0 && errno == EINTR)
		;
	keeper->pid = 0;
}

void gatekeeper_fini(struct gatekeeper *keeper)
{
	struct error err;

	gatekeeper_finish(keeper, &err);
	close_fd(&keeper->channel_fd);
	close_fd(&keeper->inside_fd);
	close_fd(&keeper->gate_ends[0]);
	close_fd(&keeper->gate_ends[1]);
	close_fd(&keeper->pidfd);
	resolve_config_fini(&keeper->resolve);
	netlog_free(keeper->log);
	keeper->log = NULL;
}
