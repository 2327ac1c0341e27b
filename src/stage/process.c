/* What a process inherits and a task must not: keyring, host name, session, signals, descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/sys.h"
#include "stage/stage.h"

int stage_keyring(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	(void)policy;
	(void)ctx;
	/* ENOSYS: a kernel without keyrings has none to leak. */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		return error_set(err, "keyring", errno, "join a new session keyring");
	return 0;
}

int stage_hostname(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	static const char name[] = "capsule";

	(void)policy;
	(void)ctx;
	return sethostname(name, sizeof(name) - 1) < 0 ? error_set(err, "uts", errno, "set the host name") : 0;
}

int stage_process(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	static const unsigned long default_action[8];
	sigset_t none;

	(void)policy;
	/* The leader of a session would have no terminal, see devices.c. */
	if (ctx->terminal != NULL ? setpgid(0, 0) < 0 : setsid() < 0)
		return error_set(err, "process", errno, "make a session");
	/* The kernel's own call: signal() leaves out two that the C library keeps, which a caller may
	 * have ignored all the same. All zeros is SIG_DFL without flags on every architecture. */
	for (int sig = 1; sig < NSIG; sig++)
		if (syscall(SYS_rt_sigaction, sig, default_action, NULL, NSIG / 8) < 0 && sig != SIGKILL &&
		    sig != SIGSTOP)
			return error_set(err, "process", errno, "reset signal %d", sig);
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return error_set(err, "process", errno, "reset the signal mask");
	umask(022);
	if (getpriority(PRIO_PROCESS, 0) < 0 && setpriority(PRIO_PROCESS, 0, 0) < 0)
		return error_set(err, "process", errno, "reset the nice value");
	return 0;
}

int stage_workdir(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	char cwd[PATH_MAX];

	const char *dir = policy->files.relative_to_root ? "/" : POLICY_DEFAULT_DIR;

	(void)ctx;
	if (chdir(dir) < 0)
		return error_set(err, "process", errno, "chdir %s", dir);
	/* A working directory outside the root would read as "(unreachable)"; CVE-2024-21626. */
	if (getcwd(cwd, sizeof(cwd)) == NULL || strcmp(cwd, dir) != 0)
		return error_set(err, "process", 0, "the working directory is not %s", dir);
	return 0;
}

int stage_stdio(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	(void)policy;
	for (int i = 0; i < 3; i++)
		if (dup2(ctx->stdio_fd[i], i) < 0)
			return error_set(err, "stdio", errno, "dup2");
	if (sys_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return error_set(err, "stdio", errno, "close_range");
	if (ctx->answer_fd < 0)
		return 0;
	/* What is still needed may have the number that the task knows. */
	if (ctx->init_fd == ctx->answer_to)
		ctx->init_fd = fcntl(ctx->init_fd, F_DUPFD_CLOEXEC, ctx->answer_to + 1);
	if (ctx->init_fd < 0)
		return error_set(err, "stdio", errno, "dup");
	if (ctx->answer_fd == ctx->answer_to ? fcntl(ctx->answer_fd, F_SETFD, 0) < 0
					     : dup2(ctx->answer_fd, ctx->answer_to) < 0)
		return error_set(err, "stdio", errno, "dup2");
	return 0;
}
