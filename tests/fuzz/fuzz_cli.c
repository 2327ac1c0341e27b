/* A command line, one argument a line, then policy_finalize() and both printers. */
#include "fuzz.h"

#include <errno.h>
#include <stdio.h>

#include "policy/cli.h"
#include "policy/help.h"
#include "policy/option.h"
#include "policy/profile.h"

#define ARGS_MAX 64

static void check_run(const struct policy *policy, int argc)
{
	FUZZ_CHECK(policy->command.kind != COMMAND_NONE);
	FUZZ_CHECK((policy->command.target == NULL) == (policy->command.kind == COMMAND_STDIN));
	FUZZ_CHECK(policy->command.args.count < (size_t)argc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *null;
	char *text = fuzz_text(data, size);
	char *environ_in[] = {(char *)(uintptr_t) "HOME=/h", NULL};
	char *argv[ARGS_MAX + 2] = {(char *)(uintptr_t) "capsule-run"};
	struct cli cli = {CLI_RUN, NULL};
	struct policy policy;
	struct error err;
	int argc = 1;

	if (null == NULL)
		null = fopen("/dev/null", "w");
	for (char *line = text; line != NULL && argc <= ARGS_MAX; argc++) {
		argv[argc] = line;
		line = strchr(line, '\n');
		if (line != NULL)
			*line++ = '\0';
	}
	FUZZ_CHECK(null != NULL && policy_init(&policy, &err) == 0);
	memset(&err, 0, sizeof(err));
	if (cli_parse(&policy, argc, argv, &cli, &err) < 0) {
		FUZZ_CHECK(err.exit == 2 && err.detail[0] != '\0' && err.stage[0] != '\0');
		FUZZ_CHECK_TEXT(err.detail);
	} else {
		if (cli.action == CLI_HELP)
			help_print(null, cli.topic);
		if (cli.action == CLI_RUN)
			check_run(&policy, argc);
		if (policy_finalize(&policy, environ_in, &err) == 0) {
			FUZZ_CHECK(policy.limits.fsize_bytes <= policy.limits.disk_bytes);
			FUZZ_CHECK(policy.files.bind_count == policy.files.bind.count);
			FUZZ_CHECK(policy.command.env_set.count == policy.command.env.count);
			profile_print(&policy, null);
		} else {
			FUZZ_CHECK(err.detail[0] != '\0');
		}
	}
	policy_fini(&policy);
	free(text);
	return 0;
}
