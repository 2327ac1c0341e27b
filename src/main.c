/* parse -> finalize -> supervise or examine -> report; nothing else. */
#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/sys.h"
#include "policy/cli.h"
#include "policy/help.h"
#include "policy/profile.h"
#include "policy/profile_file.h"
#include "run/envelope.h"
#include "run/supervisor.h"
#include "run/tasks.h"
#include "tool/doctor.h"
#include "tool/list_tasks.h"

static int report(const struct error *err, int status)
{
	log_error(err);
	return err->exit != 0 ? err->exit : status;
}

/* A run that was asked for in words that are not understood: with --json its caller reads that, too. */
static int report_usage(const struct policy *policy, enum cli_action action, const struct error *why)
{
	struct error err;

	if (policy->json && action == CLI_RUN && envelope_write_usage(policy, why, STDOUT_FILENO, &err) < 0)
		log_error(&err);
	return report(why, 2);
}

static int run(struct policy *policy, int argc, char *argv[], int stdio_closed, int *ret_raise)
{
	struct cli cli = {CLI_RUN, NULL};
	struct error err;
	int status = 125;
	int r;

	if (policy_init(policy, &err) < 0)
		return report(&err, 125);
	if (cli_parse(policy, argc, argv, &cli, &err) < 0)
		return report_usage(policy, cli.action, &err);
	if (cli.action == CLI_HELP)
		help_print(stdout, cli.topic);
	if (cli.action == CLI_LIST_PROFILES)
		profile_list(stdout);
	if (cli.action == CLI_VERSION)
		printf("capsule-run %s\n", PACKAGE_VERSION);
	if (cli.action == CLI_HELP || cli.action == CLI_LIST_PROFILES || cli.action == CLI_VERSION)
		return fflush(stdout) == 0 ? 0 : 125;
	if (policy_finalize(policy, environ, &err) < 0)
		return report_usage(policy, cli.action, &err);
	if (cli.action == CLI_PRINT_POLICY) {
		profile_print(policy, stdout);
		return fflush(stdout) == 0 ? 0 : 125;
	}
	log_set_level(policy->quiet ? LOG_QUIET : policy->verbose ? LOG_VERBOSE : LOG_NORMAL);
	if (cli.action == CLI_LIST_TASKS) {
		r = list_tasks(policy, argv, stdio_closed, stdout, &status, ret_raise, &err);
		return r < 0 ? report(&err, 2) : status;
	}
	if (cli.action == CLI_DOCTOR)
		return doctor(policy, argv, stdout, ret_raise);
	r = tasks_prepare(policy, argv, stdio_closed, &status, ret_raise, &err);
	if (r < 0)
		return report_usage(policy, cli.action, &err);
	return r > 0 ? status : supervise(policy, argv, stdio_closed, NULL, ret_raise);
}

int main(int argc, char *argv[])
{
	struct policy policy;
	struct error err;
	int raise_signal = 0;
	int stdio_closed = fd_secure_stdio();
	int status;

	if (stdio_closed < 0)
		return 125;
	/* Inherited descriptors stay with this process. */
	if (sys_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
		error_set(&err, "start", errno, "close_range");
		error_hint(&err, "Linux 5.14 or newer is needed");
		return report(&err, 125);
	}
	if (argc < 1 || getauxval(AT_SECURE) != 0 || getuid() != geteuid() || getgid() != getegid()) {
		error_set(&err, "start", 0, "refusing to run with set-id privileges");
		error_hint(&err, "capsule-run needs none: chmod u-s,g-s");
		return report(&err, 125);
	}
	status = run(&policy, argc, argv, stdio_closed, &raise_signal);
	policy_fini(&policy);
	if (raise_signal != 0) {
		/* A shell that waits for us stops its loop when we die of the signal, too. */
		sigset_t mask;

		sigemptyset(&mask);
		sigaddset(&mask, raise_signal);
		(void)signal(raise_signal, SIG_DFL);
		(void)raise(raise_signal);
		(void)sigprocmask(SIG_UNBLOCK, &mask, NULL);
	}
	return status;
}
