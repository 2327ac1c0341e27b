/*
 * Two processes prepare the sandbox side by side: making a network namespace and loading a filter take as
 * long as all the mounts, and most machines have a second core.
 *
 *	init						task
 *	fork ------------------------------------------> network namespace, lo --fd--> (init joins it)
 *	await GO: the id maps are written
 *	credentials, PDEATHSIG, non-dumpable, wipe
 *	GO --------------------------------------------> credentials, keyring, capabilities, limits,
 *	the view: mounts, pivot_root			 streams, filter
 *	GO --------------------------------------------> working directory, execve
 *	capabilities, filter; serve
 *
 * The order in each column matters (credentials(7), prctl(2), ptrace(2)). A change of credentials clears
 * PDEATHSIG and resets dumpable, so those follow it; then one look at the channel: the supervisor may
 * have died before (getppid() is 0 in here). Non-dumpable comes after the id maps, which it would make
 * unwritable, and before anything untrusted runs. The caller's environment and argv, which init inherited,
 * are wiped before there is anybody who could read /proc/1. init's own filter comes after the fork:
 * inherited, it would govern the task.
 *
 * With a terminal the fork comes after the credentials: init makes the terminal, leads its session and is to
 * the task what a shell is to a job (stage/devices.c). It says when the task was stopped, and puts the task
 * into the foreground or itself, as the supervisor has it; who reads from a terminal out of its turn is
 * stopped by the kernel, and that is how the supervisor learns that the task wants input at all.
 *
 * PID 1 ends by _exit(): the kernel then kills everything else in the namespace (pid_namespaces(7)).
 */
#include "run/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/sys.h"
#include "run/channel.h"
#include "run/inherit.h"
#include "run/inside.h"
#include "run/scan.h"
#include "run/soft.h"

#define EXIT_FAILED 125
#define BACKSTOP_MS 1000

/* While all is to stand still: how often that is looked at, and what may go on all the same: what was in the kernel
 * when it was stopped, or ending. */
#define FREEZE_TICK_MS 10
#define FREEZE_TICK_MAX_MS 100
#define FREEZE_CPU_MS 250
#define FREEZE_AWAKE_MS 3000

/* In init, before it forks a task that is to have a terminal. */
static stage_fn *const terminal_stages[] = {stage_terminal};

/* In the task, as soon as it is forked: needs no ids. */
static stage_fn *const early_stages[] = {stage_network, stage_loopback, stage_gate};

/* In the task, when the id maps are written; beside init's, so nothing here looks at the file system. */
static stage_fn *const task_stages[] = {
    stage_keyring, stage_caps, stage_process, stage_rlimit, stage_stdio, stage_filter,
};

/* In init, beside the task's. */
static stage_fn *const view_stages[] = {
    stage_hostname, stage_root, stage_etc, stage_devices, stage_proc, stage_stacks,
    stage_trees,    stage_seal,
};

/* In the task, when the view is there. */
static stage_fn *const last_stages[] = {stage_workdir};

static int run_stages(stage_fn *const *stages, size_t count, const struct policy *policy,
		      struct stage_ctx *ctx, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		int r = stages[i](policy, ctx, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static void fail(int channel_fd, const struct error *err) ATTR_NORETURN;
static void fail(int channel_fd, const struct error *err)
{
	struct channel_message message = {.type = CHANNEL_FAILED, .error = *err};

	if (channel_send(channel_fd, &message) < 0)
		_exit(EXIT_FAILED + 1);
	_exit(EXIT_FAILED);
}

static int await_go(int channel_fd, struct error *err)
{
	struct channel_message message;
	int fds[CHANNEL_FDS];
	int r = channel_receive(channel_fd, &message, fds);

	/* The supervisor is gone: nobody to tell. */
	if (r == 0)
		_exit(EXIT_FAILED);
	if (r < 0 || message.type != CHANNEL_GO)
		return error_set(err, "init", r < 0 ? -r : EBADMSG, "wait for the supervisor");
	return 0;
}

static int tie_to_supervisor(int channel_fd, struct error *err)
{
	struct pollfd gone = {.fd = channel_fd};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return error_set(err, "init", errno, "PR_SET_PDEATHSIG");
	if (poll(&gone, 1, 0) == 1 && (gone.revents & (POLLHUP | POLLERR)) != 0)
		_exit(EXIT_FAILED);
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return error_set(err, "init", errno, "PR_SET_DUMPABLE");
	return 0;
}

/* Gives away what can answer the filter's questions, or says why there is nothing. */
static int hand_over_listener(struct stage_ctx *ctx, struct error *err)
{
	const struct channel_message none = {.type = CHANNEL_OBSERVER, .value = ctx->listener_errnum};
	int r = 0;

	if (ctx->listener_fd >= 0)
		r = channel_send_fds(ctx->init_fd, CHANNEL_OBSERVER, &ctx->listener_fd, 1);
	else if (ctx->observe)
		r = channel_send(ctx->init_fd, &none);
	close_fd(&ctx->listener_fd);
	return r < 0 ? error_set(err, "filter", -r, "hand over the listener") : 0;
}

static int hand_over_network(const struct stage_ctx *ctx, struct error *err)
{
	int r = channel_send_fds(ctx->init_fd, CHANNEL_VIEW, &ctx->net_fd, 1);

	return r < 0 ? error_set(err, "net", -r, "hand over the network namespace") : 0;
}

static void task_main(struct init_args *args, int init_fd) ATTR_NORETURN;
static void task_main(struct init_args *args, int init_fd)
{
	const struct plan *plan = args->plan;
	struct stage_ctx *ctx = &args->ctx;
	struct error err;

	memset(&err, 0, sizeof(err));
	(void)close(args->channel_fd);
	close_fd(&ctx->pty_fd);
	close_fd(&ctx->tty_fd);
	ctx->init_fd = init_fd;
	/* The root, which pivot_root() exchanges for every process that stands in it. */
	if (chdir("/") < 0)
		error_set(&err, "task", errno, "chdir /");
	else if (run_stages(early_stages, ARRAY_SIZE(early_stages), args->policy, ctx, &err) == 0 &&
		 hand_over_network(ctx, &err) == 0 && await_go(ctx->init_fd, &err) == 0 &&
		 idmap_become(&plan->ids, &err) == 0 &&
		 run_stages(task_stages, ARRAY_SIZE(task_stages), args->policy, ctx, &err) == 0 &&
		 hand_over_listener(ctx, &err) == 0 &&
		 await_go(ctx->init_fd, &err) == 0 &&
		 run_stages(last_stages, ARRAY_SIZE(last_stages), args->policy, ctx, &err) == 0) {
		/* execvpe() looks PATH up in environ. */
		environ = plan->env.item;
		(void)execvpe(plan->exe, plan->argv.item, plan->env.item);
		error_set(&err, "exec", errno, "%s", plan->exe);
		err.exit = errno == ENOENT ? 127 : 126;
	}
	fail(ctx->init_fd, &err);
}

/* What the task says next. 1 with a message, 0 when its end was closed, -ECANCELED with its error. */
static int hear_task(int task_fd, struct channel_message *ret, int fds[CHANNEL_FDS], struct error *err)
{
	int r = channel_receive(task_fd, ret, fds);

	if (r == 1 && ret->type == CHANNEL_FAILED) {
		*err = ret->error;
		return -ECANCELED;
	}
	return r < 0 ? error_set(err, "task", -r, "wait for the task") : r;
}

/* Takes the network namespace that the task made. */
static int join_network(int task_fd, struct error *err)
{
	struct channel_message message;
	int fds[CHANNEL_FDS];
	int r = hear_task(task_fd, &message, fds, err);

	if (r < 0)
		return r;
	if (r == 0 || message.type != CHANNEL_VIEW || fds[0] < 0)
		return error_set(err, "task", 0, "ended before it could say why");
	r = setns(fds[0], CLONE_NEWNET) < 0 ? error_set(err, "net", errno, "join the network namespace") : 0;
	for (unsigned int i = 0; i < CHANNEL_FDS; i++)
		close_fd(&fds[i]);
	return r;
}

/* Lets the task go on. When it is gone, its last words say why. */
static int send_go(int task_fd, struct error *err)
{
	const struct channel_message go = {.type = CHANNEL_GO};
	struct channel_message message;
	int fds[CHANNEL_FDS];
	int r = channel_send(task_fd, &go);

	if (r == 0)
		return 0;
	/* A task that lives waits for it, and would say nothing. */
	if (r != -EPIPE && r != -ECONNRESET)
		return error_set(err, "init", -r, "let the task go on");
	do {
		r = hear_task(task_fd, &message, fds, err);
		for (unsigned int i = 0; i < CHANNEL_FDS; i++)
			close_fd(&fds[i]);
	} while (r == 1);
	return r < 0 ? r : error_set(err, "task", 0, "ended before it could say why");
}

/* Learns whether the task's exec worked; what comes before is for the supervisor. */
static int await_exec(int task_fd, int channel_fd, struct error *err)
{
	struct channel_message message;
	int fds[CHANNEL_FDS];
	int r = hear_task(task_fd, &message, fds, err);

	if (r == 1 && message.type == CHANNEL_OBSERVER) {
		r = fds[0] >= 0 ? channel_send_fds(channel_fd, CHANNEL_OBSERVER, fds, 1)
				: channel_send(channel_fd, &message);
		for (unsigned int i = 0; i < CHANNEL_FDS; i++)
			close_fd(&fds[i]);
		if (r < 0)
			return error_set(err, "init", -r, "hand over the listener");
		r = hear_task(task_fd, &message, fds, err);
	}
	/* 0: its end was closed by the exec. */
	return r == 1 ? error_set(err, "task", 0, "said something unexpected") : r;
}

/* Forks the task, which begins with its network. Returns its pid, and our end of its channel. */
static pid_t fork_task(struct init_args *args, int *ret_task_fd, struct error *err)
{
	int pair[2];
	pid_t pid;

	args->ctx.host_proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (args->ctx.host_proc_fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, "init", errno, "prepare the task");
	pid = fork();
	if (pid < 0)
		return error_set(err, "init", errno, "fork the task");
	if (pid == 0) {
		(void)close(pair[0]);
		task_main(args, pair[1]);
	}
	(void)close(pair[1]);
	*ret_task_fd = pair[0];
	return pid;
}

/* As fork_task(), with a terminal: the task is a job of ours, in the background. */
static pid_t fork_job(struct init_args *args, int *ret_task_fd, struct error *err)
{
	struct stage_ctx *ctx = &args->ctx;
	pid_t pid;

	if (run_stages(terminal_stages, ARRAY_SIZE(terminal_stages), args->policy, ctx, err) < 0)
		return -1;
	if (channel_send_fds(args->channel_fd, CHANNEL_TERMINAL, &ctx->pty_fd, 1) < 0)
		return error_set(err, "init", EPIPE, "hand over the terminal");
	pid = fork_task(args, ret_task_fd, err);
	close_fd(&ctx->pty_fd);
	/* Here and in the task: whoever comes first. */
	if (pid > 0 && setpgid(pid, pid) < 0)
		return error_set(err, "init", errno, "setpgid");
	return pid;
}

/* Builds the view while the task prepares itself, and lets it exec. */
static int start_task(struct init_args *args, int task_fd, struct error *err)
{
	struct stage_ctx *ctx = &args->ctx;
	int r = send_go(task_fd, err);

	if (r == 0)
		r = run_stages(view_stages, ARRAY_SIZE(view_stages), args->policy, ctx, err);
	if (r == 0)
		r = join_network(task_fd, err);
	if (r == 0 && channel_send_fds(args->channel_fd, CHANNEL_VIEW,
				       (int[]){ctx->proc_fd, ctx->shm_fd, ctx->stacks_fd, ctx->fresh_fd}, 4) < 0)
		r = error_set(err, "init", EPIPE, "hand over the view");
	if (r == 0)
		r = inside_await_gate(ctx->gate_fd, err);
	if (r == 0)
		r = send_go(task_fd, err);
	/* Beside the exec; the task can't reach a non-dumpable init, and a failure ends both. */
	if (r == 0)
		r = stage_caps(args->policy, ctx, err);
	return r < 0 ? r : await_exec(task_fd, args->channel_fd, err);
}

/* What init serves. */
struct service {
	int channel_fd;
	int signal_fd;
	int tty_fd; /* the task's terminal, or -1 */
	int gate_fd; /* to the gate, or -1 */
	pid_t task;
	pid_t init_group;
	pid_t last_group; /* who was in the foreground before init */
	int proc_fd;
	bool frozen;
	uint64_t freeze_look_ms; /* the next look, and the pause before the one after */
	uint64_t freeze_tick_ms;
	uint64_t freeze_awake_ms; /* how long something was awake, and the tree's CPU time when it was frozen */
	uint64_t freeze_cpu_ms;
};

static void freeze(struct service *service)
{
	service->frozen = true;
	service->freeze_tick_ms = FREEZE_TICK_MS;
	service->freeze_look_ms = clock_ms() + FREEZE_TICK_MS;
	service->freeze_awake_ms = 0;
	service->freeze_cpu_ms = UINT64_MAX;
}

/* What the tree has used. What init itself has is left out: it goes on. */
static uint64_t tree_cpu_ms(const struct service *service, bool *ret_awake)
{
	struct timespec own = {.tv_sec = 0};
	uint64_t own_ms;
	uint64_t ms;

	/* What can't be read may be awake. */
	if (!scan_cpu(service->proc_fd, &ms, ret_awake)) {
		*ret_awake = true;
		return service->freeze_cpu_ms;
	}
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
	own_ms = (uint64_t)own.tv_sec * 1000 + (uint64_t)own.tv_nsec / 1000000;
	return ms > own_ms ? ms - own_ms : 0;
}

/*
 * A process can have itself continued: by a timer, a descriptor or a parent's death that sends it SIGCONT. The
 * supervisor may be stopped as well, so here is who sees it. It is stopped again, and one that has had enough of
 * that ends the run: nobody holds its limits meanwhile.
 */
static void keep_frozen(struct service *service)
{
	uint64_t now = clock_ms();
	struct error err;
	bool awake = false;
	uint64_t cpu_ms;

	if (!service->frozen || now < service->freeze_look_ms)
		return;
	cpu_ms = tree_cpu_ms(service, &awake);
	if (cpu_ms < service->freeze_cpu_ms)
		service->freeze_cpu_ms = cpu_ms;
	(void)kill(-1, SIGSTOP);
	if (awake)
		service->freeze_awake_ms += service->freeze_tick_ms;
	if (service->freeze_awake_ms > FREEZE_AWAKE_MS || cpu_ms - service->freeze_cpu_ms > FREEZE_CPU_MS) {
		memset(&err, 0, sizeof(err));
		error_set(&err, "job", 0, "the task went on while it was stopped");
		fail(service->channel_fd, &err);
	}
	service->freeze_tick_ms = awake ? FREEZE_TICK_MS : service->freeze_tick_ms * 2;
	if (service->freeze_tick_ms > FREEZE_TICK_MAX_MS)
		service->freeze_tick_ms = FREEZE_TICK_MAX_MS;
	/* A large tree takes long to look at. */
	now = clock_ms() + 4 * (clock_ms() - now);
	service->freeze_look_ms = now + service->freeze_tick_ms;
}

/* The task was stopped. SIGSTOP is how all of it is frozen from outside, and no news there. */
static void report_stop(const struct service *service, int sig)
{
	const struct channel_message message = {.type = CHANNEL_STOPPED, .value = sig};

	if (sig != SIGSTOP && channel_send(service->channel_fd, &message) < 0)
		_exit(EXIT_FAILED);
}

/* Reaps what has ended. Returns true, with the wait status, when the task's main process has. */
static bool reap(const struct service *service, int *ret_status)
{
	int flags = WNOHANG | __WALL | (service->tty_fd >= 0 ? WUNTRACED : 0);

	for (;;) {
		int status = 0;
		pid_t pid = waitpid(-1, &status, flags);

		if (pid <= 0)
			return false;
		if (pid != service->task)
			continue;
		if (!WIFSTOPPED(status)) {
			*ret_status = status;
			return true;
		}
		report_stop(service, WSTOPSIG(status));
	}
}

/* SIGCONT makes the kernel forget a stop that is not reported yet, and one that is still to come: nothing that was
 * typed is lost. */
static void go_on(struct service *service)
{
	siginfo_t info = {.si_pid = 0};
	bool stops = false;

	if (service->tty_fd >= 0) {
		if (waitid(P_PID, (id_t)service->task, &info, WSTOPPED | WNOHANG | __WALL) == 0 && info.si_pid != 0)
			report_stop(service, info.si_status);
		stops = scan_has_pending(service->proc_fd, service->task, SIGTSTP);
	}
	(void)kill(-1, SIGCONT);
	service->frozen = false;
	if (stops)
		(void)kill(-service->task, SIGTSTP);
}

static void signal_all(struct service *service, int sig)
{
	if (sig == SIGCONT) {
		go_on(service);
		return;
	}
	(void)kill(-1, sig);
	if (sig == SIGSTOP)
		freeze(service);
}

/* Puts a process group into the foreground of the task's terminal. */
static void give_turn(struct service *service, int turn)
{
	const struct channel_message done = {.type = CHANNEL_TURN, .value = turn};
	pid_t now = tcgetpgrp(service->tty_fd);

	if (now != service->init_group)
		service->last_group = now;
	if (turn == CHANNEL_TURN_GO)
		go_on(service);
	else if (turn == CHANNEL_TURN_INIT)
		(void)tcsetpgrp(service->tty_fd, service->init_group);
	/* A group can be gone by now. */
	else if (turn == CHANNEL_TURN_TASK || tcsetpgrp(service->tty_fd, service->last_group) < 0)
		(void)tcsetpgrp(service->tty_fd, service->task);
	if (channel_send(service->channel_fd, &done) < 0)
		_exit(EXIT_FAILED);
}


static void obey(struct service *service, const struct channel_message *message)
{
	/* ESRCH: ended meanwhile; SIGCHLD tells. */
	if (message->type == CHANNEL_SIGNAL)
		(void)kill(service->task, message->value);
	else if (message->type == CHANNEL_SIGNAL_GROUP)
		(void)kill(-service->task, message->value);
	else if (message->type == CHANNEL_SIGNAL_ALL)
		signal_all(service, message->value);
	else if (message->type == CHANNEL_TURN && service->tty_fd >= 0)
		give_turn(service, message->value);
	else if (message->type == CHANNEL_CONFINE)
		soft_confine(service->proc_fd, message->value != 0);
}

/* When to end it whatever the supervisor does: a task may have found a way to keep it busy. */
static uint64_t backstop_ms(const struct policy_limits *limits)
{
	return limits->wall_ms == LIMIT_NONE ? LIMIT_NONE
					     : clock_ms() + limits->wall_ms + limits->grace_ms + BACKSTOP_MS;
}

static int until(uint64_t end_ms)
{
	uint64_t now = clock_ms();

	if (end_ms == LIMIT_NONE)
		return -1;
	if (end_ms <= now)
		return 0;
	return end_ms - now > 3600000 ? 3600000 : (int)(end_ms - now);
}

static void serve(struct service *service, uint64_t end_ms) ATTR_NORETURN;
static void serve(struct service *service, uint64_t end_ms)
{
	struct pollfd fds[] = {{.fd = service->channel_fd, .events = POLLIN},
			       {.fd = service->signal_fd, .events = POLLIN},
			       {.fd = service->gate_fd, .events = POLLIN}};
	struct channel_message message = {.type = CHANNEL_EXITED};
	int none[CHANNEL_FDS];

	for (;;) {
		struct signalfd_siginfo info;
		int status = 0;
		int timeout;

		/* A look before the first wait: the task may have ended already. */
		if (reap(service, &status)) {
			message.value = status;
			(void)(channel_send(service->channel_fd, &message) < 0);
			_exit(0);
		}
		keep_frozen(service);
		if (service->frozen && service->freeze_look_ms < end_ms)
			timeout = until(service->freeze_look_ms);
		else
			timeout = until(end_ms);
		if ((poll(fds, ARRAY_SIZE(fds), timeout) < 0 && errno != EINTR) ||
		    (end_ms != LIMIT_NONE && clock_ms() >= end_ms))
			_exit(EXIT_FAILED);
		if ((fds[1].revents & POLLIN) != 0 && read(service->signal_fd, &info, sizeof(info)) < 0 &&
		    errno != EAGAIN)
			_exit(EXIT_FAILED);
		if (fds[2].revents != 0) {
			inside_stock_gate(&service->gate_fd);
			fds[2].fd = service->gate_fd;
		}
		if (fds[0].revents != 0) {
			struct channel_message order;

			if (channel_receive(service->channel_fd, &order, none) <= 0)
				_exit(EXIT_FAILED);
			obey(service, &order);
		}
	}
}

void init_main(struct init_args *args)
{
	const struct channel_message started = {.type = CHANNEL_STARTED};
	bool has_terminal = args->ctx.terminal != NULL;
	struct service service = {.channel_fd = args->channel_fd};
	struct error err;
	int task_fd = -1;
	sigset_t mask;

	memset(&err, 0, sizeof(err));
	/* PID 1 gets no signal from inside that it has no handler for; from outside only SIGKILL counts. */
	sigfillset(&mask);
	if (sigprocmask(SIG_SETMASK, &mask, NULL) < 0 || inherit_close(args, &err) < 0)
		fail(args->channel_fd, &err);
	if (!has_terminal)
		service.task = fork_task(args, &task_fd, &err);
	if (service.task < 0 || await_go(args->channel_fd, &err) < 0 ||
	    idmap_become(&args->plan->ids, &err) < 0)
		fail(args->channel_fd, &err);
	if (has_terminal)
		service.task = fork_job(args, &task_fd, &err);
	if (service.task < 0 || tie_to_supervisor(args->channel_fd, &err) < 0)
		fail(args->channel_fd, &err);
	inherit_wipe(args->wipe_argv, "capsule-init");
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	service.signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (service.signal_fd < 0) {
		error_set(&err, "init", errno, "signalfd");
		fail(args->channel_fd, &err);
	}
	if (start_task(args, task_fd, &err) < 0)
		fail(args->channel_fd, &err);
	if (channel_send(args->channel_fd, &started) < 0)
		_exit(EXIT_FAILED);
	(void)close(task_fd);
	service.proc_fd = take_fd(&args->ctx.proc_fd);
	inherit_close_setup(&args->ctx);
	service.gate_fd = take_fd(&args->ctx.gate_fd);
	service.tty_fd = args->ctx.tty_fd;
	service.init_group = getpgrp();
	service.last_group = service.task;
	if (stage_filter_init(args->policy, &args->ctx, &err) < 0)
		fail(args->channel_fd, &err);
	serve(&service, backstop_ms(&args->policy->limits));
}
