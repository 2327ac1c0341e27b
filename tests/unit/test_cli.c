#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/cli.h"
#include "policy/help.h"
#include "policy/option.h"

#define ARGS_MAX 12

struct row {
	const char *argv[ARGS_MAX]; /* without the program's name */
	enum cli_action action;
	enum command_kind kind;
	const char *target;
	const char *args;    /* joined by '|' */
	enum option_id id;   /* an option to look at; OPTION_RAM with value NULL: none */
	const char *value;   /* as option_format() prints it, lists joined by '|' */
};

static int parse(struct policy *policy, const char *const words[ARGS_MAX], struct cli *cli, struct error *err)
{
	char *argv[ARGS_MAX + 2] = {(char *)(uintptr_t) "capsule-run"};
	int argc = 1;

	for (; words[argc - 1] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	assert_int_equal(policy_init(policy, err), 0);
	return cli_parse(policy, argc, argv, cli, err);
}

static void join(const struct strlist *list, char *buf, size_t size)
{
	buf[0] = '\0';
	for (size_t i = 0; i < list->count; i++)
		(void)snprintf(buf + strlen(buf), size - strlen(buf), "%s%s", i == 0 ? "" : "|", list->item[i]);
}

static void test_accepted(void **state)
{
	static const struct row rows[] = {
	    /* The task ends the options: the rest is the task's, whatever it looks like. */
	    {{"t.py"}, CLI_RUN, COMMAND_SCRIPT, "t.py", "", 0, NULL},
	    {{"t.py", "--ram", "2G"}, CLI_RUN, COMMAND_SCRIPT, "t.py", "--ram|2G", OPTION_RAM, "1G"},
	    {{"t.py", "--", "-q"}, CLI_RUN, COMMAND_SCRIPT, "t.py", "--|-q", OPTION_QUIET, "no"},
	    {{"t.py", "--help"}, CLI_RUN, COMMAND_SCRIPT, "t.py", "--help", 0, NULL},
	    {{"--ram", "2G", "t.py", "a"}, CLI_RUN, COMMAND_SCRIPT, "t.py", "a", OPTION_RAM, "2G"},
	    {{"--", "t.py"}, CLI_RUN, COMMAND_SCRIPT, "t.py", "", 0, NULL},
	    {{"--", "--ram"}, CLI_RUN, COMMAND_SCRIPT, "--ram", "", OPTION_RAM, "1G"},
	    {{"-q", "--", "-c", "x"}, CLI_RUN, COMMAND_SCRIPT, "-c", "x", OPTION_QUIET, "yes"},
	    {{"-"}, CLI_RUN, COMMAND_STDIN, NULL, "", 0, NULL},
	    {{"-", "-q"}, CLI_RUN, COMMAND_STDIN, NULL, "-q", OPTION_QUIET, "no"},
	    {{"--", "-", "a"}, CLI_RUN, COMMAND_STDIN, NULL, "a", 0, NULL},
	    {{"-c", "print(1)"}, CLI_RUN, COMMAND_CODE, "print(1)", "", 0, NULL},
	    {{"-cprint(1)", "a"}, CLI_RUN, COMMAND_CODE, "print(1)", "a", 0, NULL},
	    {{"-c", "x", "-q", "--ram", "2G"}, CLI_RUN, COMMAND_CODE, "x", "-q|--ram|2G", OPTION_QUIET, "no"},
	    {{"-c", "--help"}, CLI_RUN, COMMAND_CODE, "--help", "", 0, NULL},
	    {{"-c", ""}, CLI_RUN, COMMAND_CODE, "", "", 0, NULL},
	    {{"-m", "http.server", "8000"}, CLI_RUN, COMMAND_MODULE, "http.server", "8000", 0, NULL},
	    {{"-mtimeit", "-n", "1"}, CLI_RUN, COMMAND_MODULE, "timeit", "-n|1", OPTION_NO_STDIN, "no"},
	    {{"--exec", "--", "ls", "-l"}, CLI_RUN, COMMAND_EXEC, "ls", "-l", 0, NULL},
	    {{"--exec", "ls", "-l"}, CLI_RUN, COMMAND_EXEC, "ls", "-l", 0, NULL},
	    {{"--exec", "--", "ls", "--"}, CLI_RUN, COMMAND_EXEC, "ls", "--", 0, NULL},
	    {{"--exec", "--", "-odd"}, CLI_RUN, COMMAND_EXEC, "-odd", "", 0, NULL},
	    {{"--exec", "--", "--"}, CLI_RUN, COMMAND_EXEC, "--", "", 0, NULL},
	    /* Attached and separate values. */
	    {{"--ram=2G", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_RAM, "2G"},
	    {{"--timeout", "30s", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_TIMEOUT, "30s"},
	    {{"-t", "30s", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_TIMEOUT, "30s"},
	    {{"-t30s", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_TIMEOUT, "30s"},
	    {{"-n", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_NO_STDIN, "yes"},
	    {{"-e", "A=b=c", "-eB=", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_ENV, "A=b=c|B="},
	    {{"--env=A==", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_ENV, "A=="},
	    {{"-b", "x", "--bind", "y:/y", "-bz", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_BIND, "x|y:/y|z"},
	    {{"--dir", "-odd", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_DIR, "-odd"},
	    {{"--dir", "--", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_DIR, "--"},
	    {{"--ram", "2G", "--ram=3G", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_RAM, "3G"},
	    {{"--fresh", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_FRESH, "yes"},
	    {{"--fresh=yes", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_FRESH, "yes"},
	    {{"--fresh", "--fresh=no", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_FRESH, "no"},
	    {{"--fresh", "no"}, CLI_RUN, COMMAND_SCRIPT, "no", "", OPTION_FRESH, "yes"},
	    /* Profiles come before the other options, wherever they stand. */
	    {{"--profile", "strict", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_RAM, "512M"},
	    {{"--ram", "2G", "--profile", "strict", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_RAM, "2G"},
	    {{"--profile=strict", "--ram=2G", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_PIDS, "64"},
	    {{"--profile", "strict", "--profile", "ci", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_RAM, "4G"},
	    {{"--profile", "ci", "--profile", "strict", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_RAM, "512M"},
	    {{"--profile", "ci", "--profile", "strict", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_GRACE, "10s"},
	    {{"t", "--profile", "strict"}, CLI_RUN, COMMAND_SCRIPT, "t", "--profile|strict", OPTION_RAM, "1G"},
	    /* What is no run. */
	    {{"--list-profiles", "--profile", "./none"}, CLI_LIST_PROFILES, COMMAND_NONE, NULL, "", 0, NULL},
	    {{"--profile", "./none", "--help"}, CLI_HELP, COMMAND_NONE, NULL, "", 0, NULL},
	    {{"--help", "limits"}, CLI_HELP, COMMAND_NONE, NULL, "", 0, NULL},
	    {{"--help"}, CLI_HELP, COMMAND_NONE, NULL, "", 0, NULL},
	    {{"-h", "--bogus"}, CLI_HELP, COMMAND_NONE, NULL, "", 0, NULL},
	    {{"-q", "--version", "x"}, CLI_VERSION, COMMAND_NONE, NULL, "", 0, NULL},
	    {{"-V"}, CLI_VERSION, COMMAND_NONE, NULL, "", 0, NULL},
	    {{"--print-policy"}, CLI_PRINT_POLICY, COMMAND_NONE, NULL, "", 0, NULL},
	    {{"--print-policy", "--ram", "2G"}, CLI_PRINT_POLICY, COMMAND_NONE, NULL, "", OPTION_RAM, "2G"},
	    {{"--doctor"}, CLI_DOCTOR, COMMAND_NONE, NULL, "", OPTION_JSON, "no"},
	    {{"--doctor", "--json"}, CLI_DOCTOR, COMMAND_NONE, NULL, "", OPTION_JSON, "yes"},
	    {{"--json", "t"}, CLI_RUN, COMMAND_SCRIPT, "t", "", OPTION_JSON, "yes"},
	    {{"--json", "--ram", "2G", "--doctor"}, CLI_DOCTOR, COMMAND_NONE, NULL, "", OPTION_RAM, "2G"},
	    {{"--doctor", "--help", "limits"}, CLI_HELP, COMMAND_NONE, NULL, "", 0, NULL},
	    {{"--print-policy", "t.py", "a"}, CLI_PRINT_POLICY, COMMAND_SCRIPT, "t.py", "a", 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct cli cli = {CLI_RUN, NULL};
		struct policy policy;
		struct error err;
		char args[256];
		char buf[256];

		CHECK(parse(&policy, row->argv, &cli, &err) == 0, "row %zu: %s", i, err.detail);
		CHECK(cli.action == row->action, "row %zu", i);
		CHECK(policy.command.kind == row->kind, "row %zu", i);
		CHECK(unit_same(policy.command.target, row->target), "row %zu: '%s'", i, policy.command.target);
		join(&policy.command.args, args, sizeof(args));
		CHECK(strcmp(args, row->args) == 0, "row %zu: '%s'", i, args);
		if (row->value != NULL && option_table[row->id].kind == OPTION_KIND_LIST) {
			join(option_list(&policy, row->id), buf, sizeof(buf));
			CHECK(strcmp(buf, row->value) == 0, "row %zu: '%s'", i, buf);
		} else if (row->value != NULL) {
			const char *value = option_format(&policy, row->id, buf, sizeof(buf));

			CHECK(unit_same(value, row->value), "row %zu: '%s'", i, value);
		}
		policy_fini(&policy);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *argv[ARGS_MAX];
		const char *says;
	} rows[] = {
	    {{NULL}, "no task"},
	    {{"-q"}, "no task"},
	    {{"--ram", "2G"}, "no task"},
	    {{"-q", "--"}, "no task"},
	    {{"--bogus", "t"}, "--bogus"},
	    {{"--bogus=1", "t"}, "--bogus"},
	    {{"-Z", "t"}, "-Z"},
	    {{"-Zx", "t"}, "-Z"},
	    /* No abbreviations, no other spellings. */
	    {{"--time", "30s", "t"}, "--time"},
	    {{"--timeou=30s", "t"}, "--timeou"},
	    {{"--cpu-", "1", "t"}, "--cpu-"},
	    {{"--hel"}, "--hel"},
	    {{"--exe", "ls"}, "--exe"},
	    {{"--RAM", "1G", "t"}, "--RAM"},
	    {{"-ram", "1G", "t"}, "-ram"},
	    {{"-nx", "t"}, "-x in -nx"},
	    {{"-nqt"}, "-t"},
	    {{"-q=yes", "t"}, "-q=yes"},
	    {{"-t=3s", "t"}, "-t=3s"},
	    {{"-h=limits"}, "-h=limits"},
	    {{"-hV"}, "--help V"},
	    {{"--ram", "t.py"}, "t.py was taken as the value of --ram"},
	    {{"-q", "-t", "t.py"}, "t.py was taken as the value of --timeout"},
	    {{"--dir", "t.py"}, "t.py was taken as the value of --dir"},
	    {{"--ram=1G"}, "no task given"},
	    {{"--dir", "~/x", "t"}, "--dir ~/x: a ~"},
	    /* Missing values, and values where none is taken. */
	    {{"--ram"}, "--ram"},
	    {{"-t"}, "-t"},
	    {{"-c"}, "CODE"},
	    {{"-m"}, "MODULE"},
	    {{"--exec"}, "program"},
	    {{"--exec", "--"}, "program"},
	    {{"--fresh=on", "t"}, "--fresh on"},
	    {{"--quiet=", "t"}, "--quiet "},
	    {{"--version=x"}, "--version: takes no value"},
	    {{"--help=x"}, "--help x"},
	    {{"--help", "t.py"}, "--help t.py"},
	    {{"-h", "limit"}, "--help limit"},
	    {{"--print-policy=x"}, "--print-policy: takes no value"},
	    {{"--doctor=x"}, "--doctor: takes no value"},
	    {{"--doctor", "t"}, "--doctor: runs no task"},
	    {{"--doctor", "-c", "x"}, "--doctor: runs no task"},
	    {{"--doctor", "--result", "x"}, "--result"},
	    {{"--print-policy", "--json"}, "--json: not with --print-policy"},
	    {{"--print-policy", "--doctor"}, "exclude each other"},
	    {{"--doctor", "--print-policy"}, "exclude each other"},
	    {{"--exec=ls"}, "--exec: takes no value"},
	    /* Values that the table refuses. */
	    {{"--ram", "1X", "t"}, "--ram 1X"},
	    {{"--ram=", "t"}, "--ram"},
	    {{"-t", "x", "t"}, "--timeout x"},
	    {{"-t=30s", "t"}, "=30s"},
	    {{"--dir=", "t"}, "--dir"},
	    {{"--env", "", "t"}, "--env"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cli cli = {CLI_RUN, NULL};
		struct policy policy;
		struct error err;

		CHECK(parse(&policy, rows[i].argv, &cli, &err) == -EINVAL, "row %zu (%s)", i, rows[i].says);
		CHECK(err.exit == 2, "row %zu (%s): exit %d", i, rows[i].says, err.exit);
		CHECK(strcmp(err.stage, "usage") == 0, "row %zu (%s)", i, rows[i].says);
		CHECK(strstr(err.detail, rows[i].says) != NULL, "row %zu (%s) says '%s'", i, rows[i].says, err.detail);
		policy_fini(&policy);
	}
}

static void test_empty_argv(void **state)
{
	struct cli cli = {CLI_RUN, NULL};
	struct policy policy;
	struct error err;

	(void)state;
	assert_int_equal(policy_init(&policy, &err), 0);
	assert_int_equal(cli_parse(&policy, 0, (char *[]){NULL}, &cli, &err), -EINVAL);
	assert_int_equal(err.exit, 2);
	policy_fini(&policy);
}

static char *help_of(const char *topic)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	help_print(out, topic);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* What is not on the line is NULL; what follows --help may be a group. */
static void test_help_topic(void **state)
{
	static const struct {
		const char *argv[ARGS_MAX];
		const char *topic;
	} rows[] = {
	    {{"--help"}, NULL},
	    {{"--help", "limits"}, "limits"},
	    {{"--help=files"}, "files"},
	    {{"-h", "task"}, "task"},
	    {{"-q", "-h", "run", "x"}, "run"},
	    {{"--help", "all"}, "all"},
	    {{"--help", "-q"}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cli cli = {CLI_RUN, NULL};
		struct policy policy;
		struct error err;

		CHECK(parse(&policy, rows[i].argv, &cli, &err) == 0, "row %zu: %s", i, err.detail);
		CHECK(cli.action == CLI_HELP && unit_same(cli.topic, rows[i].topic), "row %zu: %s", i, cli.topic);
		policy_fini(&policy);
	}
	for (unsigned int group = 0; group < OPTION_GROUP_MAX; group++)
		assert_non_null(strstr(help_topics(), option_group_name(group)));
}

/* Every row is in its group's help and in that of all, those that are common in plain --help, and nowhere else. An
 * option that takes a value shows it. */
static void test_help(void **state)
{
	AUTO_FREE char *plain = help_of(NULL);
	AUTO_FREE char *all = help_of("all");

	(void)state;
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		const struct option_row *row = &option_table[i];
		char want[96];

		(void)snprintf(want, sizeof(want), "  %c%c%c --%s%s%s ", row->letter != 0 ? '-' : ' ',
			       row->letter != 0 ? row->letter : ' ', row->letter != 0 ? ',' : ' ', row->name,
			       row->metavar != NULL && row->bare == NULL ? " " : "", row->metavar != NULL ? row->metavar : "");
		for (unsigned int group = 0; group < OPTION_GROUP_MAX; group++) {
			AUTO_FREE char *text = help_of(option_group_name(group));
			const char *line = strstr(text, want);

			CHECK((line != NULL) == (group == row->group), "%s in %s", want, option_group_name(group));
			CHECK(line == NULL || strstr(line, row->help) < strchrnul(line, '\n'), "%s", row->name);
		}
		CHECK(strstr(all, want) != NULL, "%s", want);
		CHECK((strstr(plain, want) != NULL) == row->common, "%s", want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_empty_argv),
	    cmocka_unit_test(test_help_topic),
	    cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
