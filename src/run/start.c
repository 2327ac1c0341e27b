/*
 * Starts a run: everything that can fail or allocate comes first, then clone3(), then the id maps and GO.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/disk.h"
#include "base/log.h"
#include "base/sys.h"
#include "python/taskfile.h"
#include "base/text.h"
#include "run/init.h"
#include "run/run.h"
#include "run/scope.h"
#include "run/tree.h"

/* For systemd to answer: under load, and with others asking at the same time, it takes seconds. */
#define SCOPE_PATIENCE_MS 10000

/* The network namespace, which takes the longest, is made by the task beside init's mounts. */
#define NAMESPACES                                                                                 \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

/* What init and the task have put in force when the exec has worked: no stage is optional. */
#define ALWAYS_LAYERS ((LAYER_BIT(LAYER_MAX) - 1) & ~LAYER_BIT(LAYER_CGROUP))

void run_kill(const struct run *run)
{
	/* ESRCH: it is gone already. */
	if (run->pidfd >= 0)
		(void)sys_pidfd_send_signal(run->pidfd, SIGKILL);
}

void run_order(const struct run *run, enum channel_type type, int sig)
{
	const struct channel_message message = {.type = type, .value = sig};

	if (!run->init_gone && channel_send(run->channel_fd, &message) < 0)
		run_kill(run);
}

static void freeze(void *data, bool stop)
{
	const struct run *run = data;
	const struct timespec moment = {.tv_nsec = 300000};

	run_order(run, CHANNEL_SIGNAL_ALL, stop ? SIGSTOP : SIGCONT);
	if (stop)
		(void)nanosleep(&moment, NULL);
}

static int prepare_signals(struct run *run, struct error *err)
{
	static const int handled[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
				      SIGUSR2, SIGTSTP, SIGCONT, SIGWINCH};
	sigset_t mask;

	sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(handled); i++) {
		struct sigaction action;

		/* What our caller ignores (nohup, `&` in a script) stays ignored. */
		if (sigaction(handled[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&mask, handled[i]);
	}
	if (sigprocmask(SIG_BLOCK, &mask, &run->caller_mask) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
	    signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
	    signal(SIGCHLD, SIG_DFL) == SIG_ERR)
		return error_set(err, "supervisor", errno, "block signals");
	run->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->signal_fd < 0 ? error_set(err, "supervisor", errno, "signalfd") : 0;
}

/* Both streams of the caller's lead to the same open file: one pipe keeps what is printed in order. */
static bool same_output(int stdio_closed)
{
	struct stat out;
	struct stat err;

	if ((stdio_closed & 6) != 0 || fstat(STDOUT_FILENO, &out) < 0 || fstat(STDERR_FILENO, &err) < 0)
		return false;
	return out.st_dev == err.st_dev && out.st_ino == err.st_ino &&
	       (S_ISFIFO(out.st_mode) || S_ISSOCK(out.st_mode) || S_ISCHR(out.st_mode) ||
		(S_ISREG(out.st_mode) && lseek(STDOUT_FILENO, 0, SEEK_CUR) == lseek(STDERR_FILENO, 0, SEEK_CUR)));
}

/* A pipe from the task to one of the caller's descriptors, or to memory. */
static int prepare_output(struct run *run, int stdio_closed, int fd, struct relay_out *relay,
			  int *ret_task_fd, struct error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_set(err, "stdio", errno, "pipe");
	*ret_task_fd = fds[1];
	relay_out_init(relay, fds[0], policy_captures(run->policy) || (stdio_closed & (1 << fd)) != 0 ? -1 : fd,
		       run->policy->output_keep, run->policy->limits.output_bytes);
	if (policy_captures(run->policy))
		relay->capture = &run->captured[fd - STDOUT_FILENO];
	if (relay->is_terminal && !run->policy->command.raw_terminal)
		relay_out_scrub(relay);
	return 0;
}

enum rung run_disk_rung(const struct policy *policy)
{
	return policy->files.fresh ? RUNG_TMPFS : RUNG_WATCHDOG;
}

/* What is no terminal, or another one than the task's, is a pipe. */
static int prepare_streams(struct run *run, int stdio_closed, int task_fds[3], struct error *err)
{
	unsigned int on = run->terminal.task.on;
	bool no_stdin = run->policy->command.no_stdin || (stdio_closed & 1) != 0;
	int r = 0;

	run->verdict.streams_joined = (on & 6) == 6 || ((on & 6) == 0 && !policy_captures(run->policy) && same_output(stdio_closed));
	if ((on & 1) == 0)
		r = relay_in_init(&run->in, no_stdin ? -1 : STDIN_FILENO, run->policy->retry.max > 0 ? &run->replay : NULL,
				  &task_fds[0], err);
	if (r == 0 && (on & 2) == 0)
		r = prepare_output(run, stdio_closed, STDOUT_FILENO, &run->out, &task_fds[1], err);
	if (r < 0 || (on & 4) != 0)
		return r;
	if (!run->verdict.streams_joined)
		return prepare_output(run, stdio_closed, STDERR_FILENO, &run->err, &task_fds[2], err);
	task_fds[2] = fcntl(task_fds[1], F_DUPFD_CLOEXEC, 3);
	return task_fds[2] < 0 ? error_set(err, "stdio", errno, "dup") : 0;
}

/* The hint is the scope's where it knows one, else the table's (run/hint.c). */
static int no_cgroup(const struct run *run, const char *what, struct error *err)
{
	int r = error_set(err, "cgroup", 0, "%s: %s", what, run->cg.why_not);

	return run->verdict.no_cgroup_cure != NULL ? error_hint(err, "%s", run->verdict.no_cgroup_cure) : r;
}

/* Which rung holds which limit; an option that none can hold is an error. */
static int choose_rungs(struct run *run, struct error *err)
{
	const struct policy_limits *limits = &run->policy->limits;
	enum rung *rungs = run->verdict.rungs;
	enum rung group = run->in_scope ? RUNG_SYSTEMD_SCOPE : run->cg.version == 2 ? RUNG_CGROUP_V2 : RUNG_CGROUP_V1;
	bool has_group = run->cg.version != 0;

	run->verdict.no_cgroup = has_group ? NULL : run->cg.why_not;
	run->verdict.no_scope = run->no_scope[0] != '\0' ? run->no_scope : NULL;
	rungs[OPTION_RAM] = has_group ? group : RUNG_WATCHDOG;
	rungs[OPTION_RAM_SOFT] = run->cg.version == 2 ? group : RUNG_WATCHDOG;
	rungs[OPTION_PIDS] = has_group ? group : RUNG_RLIMIT;
	rungs[OPTION_NOFILE] = rungs[OPTION_FSIZE] = RUNG_RLIMIT;
	rungs[OPTION_OUTPUT] = rungs[OPTION_OUTPUT_KEEP] = rungs[OPTION_TIMEOUT] = rungs[OPTION_STALL] = rungs[OPTION_GRACE] = RUNG_SUPERVISOR;
	rungs[OPTION_DISK] = rungs[OPTION_INODES] = run_disk_rung(run->policy);
	if (policy_limits_io(limits) && !has_group)
		return no_cgroup(run, "--io-read-bps, --io-write-bps: no cgroup can hold it here", err);
	if (limits->io_write_bps != LIMIT_NONE && run->cg.version == 1) {
		error_set(err, "cgroup", 0, "--io-write-bps: cgroup v1 can't hold it");
		return error_hint(err, "it does not see what is written by way of the page cache: leave it out, or use "
				       "cgroup v2");
	}
	rungs[OPTION_IO_READ_BPS] = rungs[OPTION_IO_WRITE_BPS] = group;
	if (limits->cpu_milli != LIMIT_NONE) {
		if (!has_group)
			return no_cgroup(run, "--cpu: no cgroup can hold it here", err);
		rungs[OPTION_CPU] = group;
	}
	rungs[OPTION_CPU_TIME] = rungs[OPTION_COMPUTE] = has_group ? group : RUNG_WATCHDOG;
	for (unsigned int i = 0; i < OPTION_MAX; i++)
		if (policy_is_open(run->policy, i))
			rungs[i] = RUNG_NONE;
	run->verdict.layers = ALWAYS_LAYERS | (has_group ? LAYER_BIT(LAYER_CGROUP) : 0);
	if ((run->policy->require_layers & ~run->verdict.layers) != 0)
		return no_cgroup(run, "--require cgroup: none is at hand", err);
	if (!has_group) {
		log_note("limits", "ram is held by a watchdog and pids by an rlimit: no cgroup is at hand");
		log_verbose("cgroup", "%s", run->cg.why_not);
	}
	return 0;
}

static int prepare_watch(struct run *run, struct error *err)
{
	const struct policy_limits *limits = &run->policy->limits;
	struct watch *watch = &run->watch;

	watch->ram_bytes = run->cg.version == 0 ? limits->ram_bytes : LIMIT_NONE;
	watch->ram_soft_bytes = limits->ram_soft_bytes;
	watch->cpu_ms = run->cg.version == 0 ? limits->cpu_time_ms : LIMIT_NONE;
	watch->disk_bytes = limits->disk_bytes;
	watch->inodes = limits->inodes;
	watch->freeze = freeze;
	watch->freeze_data = run;
	return watch_init(watch, run->plan.workdir_fd, err);
}

/* The disk with the sandbox directory. */
static int find_disk(const struct run *run, dev_t *ret, struct error *err)
{
	int r = run->plan.workdir_fd < 0 ? -ENODEV : disk_of(run->plan.workdir_fd, "/sys", ret);

	if (r == 0)
		return 0;
	error_set(err, "cgroup", -r, "--io-read-bps, --io-write-bps: find the disk under the sandbox directory%s",
		  run->policy->files.fresh ? " (--fresh: it is in memory)" : "");
	return error_hint(err, "pass a directory of a file system that has one disk, such as ext4 or xfs, with --dir DIR: "
			       "not one in memory, a network's, an overlay or btrfs");
}

/* The upper part of the ladder: a cgroup that we may write to, else one that systemd makes for us. */
static int prepare_cgroup(struct run *run, struct error *err)
{
	const struct policy_limits *limits = &run->policy->limits;
	struct cgroup_host host = {.mount = "/sys/fs/cgroup",
				   .self = "/proc/self/cgroup",
				   .mountinfo = "/proc/self/mountinfo",
				   .privileged = run->plan.ids.privileged};
	char socket[PATH_MAX];
	const struct scope_host scope = {.mount = host.mount,
					 .proc = "/proc",
					 .socket = scope_socket(host.privileged, socket, sizeof(socket)),
					 .privileged = host.privileged,
					 .patience_ms = SCOPE_PATIENCE_MS};
	struct scope_error no_scope;
	int r = policy_limits_io(limits) ? find_disk(run, &host.disk, err) : 0;

	if (r == 0)
		r = cgroup_create(limits, &host, &run->cg, err);

	if (r < 0 || run->cg.version != 0 || !run->cg.is_v2)
		return r;
	if (!scope_enter(limits, &scope, &no_scope)) {
		size_t len = strlen(run->cg.why_not);

		(void)snprintf(run->cg.why_not + len, sizeof(run->cg.why_not) - len, "; %s", no_scope.why);
		run->verdict.no_cgroup_cure = no_scope.cure;
		(void)text_copy(run->no_scope, sizeof(run->no_scope), no_scope.why, strlen(no_scope.why));
		return 0;
	}
	r = cgroup_create(limits, &host, &run->cg, err);
	run->in_scope = r == 0 && run->cg.version == 2;
	return r;
}

/* Clones init into its namespaces and its cgroup. */
static int clone_init(struct run *run, struct init_args *args, struct error *err)
{
	int into_fd = cgroup_clone_fd(&run->cg);
	struct clone_args clone_args = {
	    .flags = NAMESPACES | CLONE_PIDFD | (into_fd >= 0 ? CLONE_INTO_CGROUP : 0ULL),
	    .pidfd = (uint64_t)(uintptr_t)&run->pidfd,
	    .exit_signal = SIGCHLD,
	    .cgroup = into_fd >= 0 ? (__u64)into_fd : 0};
	int supervisor_fd = run->channel_fd;
	struct error leave_err;
	pid_t pid;
	int errnum;
	int r = cgroup_enter(&run->cg, err);

	pid = r < 0 ? -1 : sys_clone3(&clone_args);
	errnum = errno;
	if (pid == 0) {
		(void)close(supervisor_fd);
		init_main(args);
	}
	run->init_pid = pid;
	if (cgroup_leave(&run->cg, &leave_err) < 0 && r == 0) {
		run_kill(run);
		*err = leave_err;
		return -EIO;
	}
	if (r < 0)
		return r;
	return pid < 0 ? error_set(err, "clone", errnum, "make the namespaces") : 0;
}

static bool is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

int run_start(struct run *run, char *argv[], int stdio_closed, struct error *err)
{
	struct init_args args = {.policy = run->policy, .plan = &run->plan, .wipe_argv = argv};
	const struct channel_message go = {.type = CHANNEL_GO};
	int task_fds[3] = {-1, -1, -1};
	int pair[2] = {-1, -1};
	int answer_fd = -1;
	int r;

	/* With --json no stream is a terminal: what the task prints there would be beside the envelope. */
	terminal_find(&run->terminal, policy_captures(run->policy) ? 7 : stdio_closed, run->policy->command.no_stdin);
	run->stacks.task_fd = stacks_task_fd(run->plan.nofile);
	r = prepare_streams(run, stdio_closed, task_fds, err);
	(run->verdict.streams_joined ? &run->out : &run->err)->tail = &run->tail;
	/* /dev/stdout is opened anew with the task's own rights. */
	for (unsigned int i = 0; i < 3 && r == 0 && run->plan.ids.privileged; i++)
		if (is_pipe(task_fds[i]) && fchown(task_fds[i], run->plan.ids.host_uid, run->plan.ids.host_gid) < 0)
			r = error_set(err, "stdio", errno, "give the streams to the task");
	if (r == 0 && run->policy->command.pass != PASS_SCRIPT)
		r = answer_expect(&run->verdict.answer,
				  policy_is_question(run->policy) ? ANSWER_DECLARATION : ANSWER_RESULT,
				  run->policy->limits.output_bytes, &answer_fd, err);
	if (r == 0)
		r = gatekeeper_prepare(&run->gate, run->policy, run->plan.net_log_fd, err);
	if (r == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		r = error_set(err, "channel", errno, "socketpair");
	if (r == 0) {
		run->channel_fd = pair[0];
		args.channel_fd = pair[1];
		args.ctx = (struct stage_ctx){.trees = run->plan.trees,
					      .tree_count = run->plan.tree_count,
					      .runtime = run->policy->files.runtime == RUNTIME_CLOSURE
							     ? &run->plan.runtime
							     : NULL,
					      .script_fd = run->plan.script_fd,
					      .script_guest = run->plan.script_guest,
					      .script_bytes = run->plan.script_bytes,
					      .module_dir = TASKFILE_DIR,
					      .module = run->plan.module,
					      .module_count = run->plan.module_count,
					      .answer_fd = answer_fd,
					      .answer_to = TASKFILE_CHANNEL,
					      .stdio_fd = {task_fds[0], task_fds[1], task_fds[2]},
					      .terminal = run->terminal.task.on != 0 ? &run->terminal.task
										     : NULL,
					      .limit_pids = run->cg.version == 0,
					      .watch_disk = run->plan.workdir_fd >= 0 &&
							    run->policy->limits.disk_bytes != LIMIT_NONE,
					      .observe = observer_is_possible(&run->verdict.refusals),
					      .nofile = run->plan.nofile,
					      .root_fd = -1,
					      .pts_fd = -1,
					      .pty_fd = -1,
					      .tty_fd = -1,
					      .proc_fd = -1,
					      .init_fd = -1,
					      .net_fd = -1,
					      .gate_fd = run->gate.inside_fd,
					      .listener_fd = -1,
					      .host_proc_fd = -1,
					      .fresh_fd = -1,
					      .stacks_minor = run->plan.takes_stacks ? run->plan.python_minor : 0,
					      .stacks_fd = -1,
					      .shm_fd = -1};
		r = clone_init(run, &args, err);
	}
	close_fd(&pair[1]);
	close_fd(&answer_fd);
	for (unsigned int i = 0; i < 3; i++)
		close_fd(&task_fds[i]);
	if (r == 0)
		r = idmap_write(run->init_pid, &run->plan.ids, err);
	/* While init forks: nothing that is counted here is the task's yet. */
	if (r == 0)
		r = prepare_watch(run, err);
	if (r == 0)
		r = channel_send(run->channel_fd, &go) < 0 ? error_set(err, "init", EPIPE, "start") : 0;
	/* Last: it is not needed before the task's exec, for which init waits. */
	return r < 0 ? r : gatekeeper_start(&run->gate, run->policy, &run->plan, argv, err);
}

int run_prepare(struct run *run, struct error *err)
{
	/* Until here there is nothing to clean up: what opens a FIFO or a dead network's file can be interrupted. */
	int r = plan_make(run->policy, &run->plan, err);

	for (size_t i = 0; i < run->plan.notes.count && r == 0; i++)
		log_verbose("python", "%s", run->plan.notes.item[i]);
	if (r == 0)
		r = prepare_signals(run, err);
	if (r == 0)
		r = prepare_cgroup(run, err);
	return r < 0 ? r : choose_rungs(run, err);
}

int run_renew(struct run *run, struct error *err)
{
	int r = cgroup_renew(&run->policy->limits, &run->cg, err);

	/* init read it by this same descriptor. */
	if (r == 0 && run->plan.script_fd >= 0 && lseek(run->plan.script_fd, 0, SEEK_SET) < 0)
		r = error_set(err, "script", errno, "read it again");
	return r < 0 ? r : tree_renew(&run->plan, err);
}
