#include "policy/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/config_file.h"
#include "policy/help.h"
#include "policy/option.h"
#include "policy/profile_file.h"

const struct cli_action_row cli_action_table[] = {
    {"print-policy", 0, CLI_PRINT_POLICY, NULL, "print what would be in force, and why",
     "As a profile, with the origin of each value; read back by --profile it is the same policy. A "
     "value given by "
     "--env NAME=VALUE is printed as it is. No task is needed, and none is started."},
    {"list-profiles", 0, CLI_LIST_PROFILES, NULL, "print the profiles that have a name",
     "For each its name, where it is, and its description, in the order of search."},
    {"doctor", 0, CLI_DOCTOR, NULL, "try what tasks need here, and say what is missing",
     "Tries each layer and each rung for real on this host, and says how to get what is missing; with "
     "--json for programs. Status 0: all holds; 1: tasks start, with something weaker; 125: none "
     "can start."},
    {"list-tasks", 0, CLI_LIST_TASKS, NULL, "print a task file's tasks, and what is left to them",
     "The file is imported as before a run, and no task is called. For each task what it declares and what of it the "
     "other options allow; with --json for programs. Status 0: each can be run so; 1: some declares more than is "
     "allowed. See capsule-run-tasks(7)."},
    {"help", 'h', CLI_HELP, "[GROUP]", "explain the options of a group, or all",
     "Groups: limits, files, network, task, run. Without one, the usual options are listed."},
    {"version", 'V', CLI_VERSION, NULL, "print the version", NULL},
};
const size_t cli_action_count = ARRAY_SIZE(cli_action_table);

static int usage_error(struct error *err)
{
	err->exit = 2;
	return -EINVAL;
}

static int set_command(struct policy *draft, enum command_kind kind, const char *target, int argc,
		       char *const argv[], struct error *err)
{
	struct policy_command *command = &draft->command;
	int r = 0;

	command->kind = kind;
	if (target != NULL) {
		command->target = strdup(target);
		r = command->target == NULL ? -ENOMEM : 0;
	}
	for (int i = 0; i < argc && r == 0; i++)
		r = strlist_add(&command->args, argv[i]);
	return r < 0 ? error_set(err, "usage", ENOMEM, "arguments") : 0;
}

static void suggest_option(struct suggest *suggest, const char *name, size_t len)
{
	suggest_init(suggest, name, len);
	for (unsigned int i = 0; i < OPTION_MAX; i++)
		suggest_try(suggest, option_table[i].name);
	for (size_t i = 0; i < cli_action_count; i++)
		suggest_try(suggest, cli_action_table[i].name);
	suggest_try(suggest, "exec");
}

/* letter: the one of arg that is not understood, or 0 for all of it. */
static int unknown_option(const char *arg, char letter, struct error *err)
{
	size_t len = strcspn(arg, "=");
	const char *name = arg + strspn(arg, "-");
	struct suggest suggest;

	suggest_option(&suggest, name, len - (size_t)(name - arg));
	/* -ram is no bundle of letters to who writes it. */
	if (letter != 0 && arg[2] != '\0' && suggest.best[0] == '\0')
		error_set(err, "usage", 0, "-%c in %s: no such option", letter, arg);
	else
		error_set(err, "usage", 0, "%.*s: no such option", (int)len, arg);
	error_hint(err, "%s%s%scapsule-run --help all lists the options; those of the task come after its name",
		   suggest.best[0] != '\0' ? "did you mean --" : "", suggest.best, suggest.best[0] != '\0' ? "? " : "");
	return usage_error(err);
}

/* A value on the line; applied when the profiles were read. */
struct setting {
	enum option_id id;
	const char *value; /* NULL: a flag without one */
	bool is_argument;  /* the value was the next argument, not attached */
};

struct cursor {
	int index;
	int argc;
	char *const *argv;
	bool done; /* the rest of the line is the task's */
	struct cli cli;
	struct setting *setting;
	size_t settings;
};

/* The value of an option: what is attached, else the next argument. */
static int option_value(struct cursor *at, const char *attached, const char *label, const char *metavar,
			const char **ret, struct error *err)
{
	if (attached != NULL) {
		*ret = attached;
		return 0;
	}
	if (at->index + 1 >= at->argc) {
		error_set(err, "usage", 0, "%s: needs a value (%s)", label, metavar);
		return usage_error(err);
	}
	*ret = at->argv[++at->index];
	return 0;
}

static int parse_row(struct policy *draft, struct cursor *at, enum option_id id, const char *attached, const char *label,
		     struct error *err)
{
	const char *metavar = option_table[id].metavar;
	const char *value = attached;

	if (option_table[id].bare != NULL)
		value = attached != NULL ? attached : option_table[id].bare;
	else if (metavar != NULL && option_value(at, attached, label, metavar, &value, err) < 0)
		return -EINVAL;
	/* In this form is told, too, what is not understood further on. */
	if (id == OPTION_JSON && option_apply(draft, id, value, ORIGIN_COMMAND_LINE, err) < 0)
		return -EINVAL;
	at->setting[at->settings++] = (struct setting){id, value, value != NULL && value == at->argv[at->index]};
	return 0;
}

/* True for what is printed without looking at the options: the rest of the line does not matter. */
static bool is_information(enum cli_action action)
{
	return action == CLI_HELP || action == CLI_VERSION || action == CLI_LIST_PROFILES;
}

/* attached is the value of "--name=value". */
static int parse_action(struct cursor *at, const struct cli_action_row *row, const char *attached,
			struct error *err)
{
	if (attached != NULL && row->metavar == NULL) {
		error_set(err, "usage", 0, "--%s: takes no value", row->name);
		return usage_error(err);
	}
	if (at->cli.action != CLI_RUN && at->cli.action != row->action && !is_information(row->action)) {
		error_set(err, "usage", 0, "--doctor, --list-tasks and --print-policy exclude each other");
		error_hint(err, "they look at the same options: start each by itself");
		return usage_error(err);
	}
	at->cli.action = row->action;
	at->done = is_information(row->action);
	if (row->action != CLI_HELP)
		return 0;
	if (attached == NULL && at->index + 1 < at->argc && at->argv[at->index + 1][0] != '-')
		attached = at->argv[at->index + 1];
	if (attached != NULL && !help_is_topic(attached)) {
		struct suggest suggest;

		help_suggest(&suggest, attached);
		error_set(err, "usage", 0, "--help %s: no such group of options", attached);
		error_hint(err, "%s%s%saccepted: %s", suggest.best[0] != '\0' ? "did you mean " : "", suggest.best,
			   suggest.best[0] != '\0' ? "? " : "", help_topics());
		return usage_error(err);
	}
	at->cli.topic = attached;
	return 0;
}

static int parse_exec(struct policy *draft, struct cursor *at, const char *attached,
		      struct error *err)
{
	int first = at->index + 1;

	if (attached != NULL) {
		error_set(err, "usage", 0, "--exec: takes no value");
		return usage_error(err);
	}
	if (first < at->argc && strcmp(at->argv[first], "--") == 0)
		first++;
	if (first >= at->argc) {
		error_set(err, "usage", 0, "--exec: needs a program");
		error_hint(err, "capsule-run --exec -- PROGRAM [ARG]...");
		return usage_error(err);
	}
	at->done = true;
	return set_command(draft, COMMAND_EXEC, at->argv[first], at->argc - first - 1,
			   at->argv + first + 1, err);
}

/* "--name", "--name=value". */
static int parse_long(struct policy *draft, struct cursor *at, struct error *err)
{
	const char *arg = at->argv[at->index];
	const char *name = arg + 2;
	size_t len = strcspn(name, "=");
	const char *attached = name[len] == '=' ? name + len + 1 : NULL;
	enum option_id id = option_find(name, len);

	if (id < OPTION_MAX) {
		char label[64];

		(void)snprintf(label, sizeof(label), "--%.*s", (int)len, name);
		return parse_row(draft, at, id, attached, label, err);
	}
	for (size_t i = 0; i < cli_action_count; i++)
		if (strlen(cli_action_table[i].name) == len &&
		    memcmp(name, cli_action_table[i].name, len) == 0)
			return parse_action(at, &cli_action_table[i], attached, err);
	if (len == 4 && memcmp(name, "exec", len) == 0)
		return parse_exec(draft, at, attached, err);
	return unknown_option(arg, 0, err);
}

/* "-q", "-t 30s", "-t30s", "-c CODE", and flags before another letter: "-nq", "-nt30s". */
static int parse_letter(struct policy *draft, struct cursor *at, struct error *err)
{
	const char *arg = at->argv[at->index];
	const char *letter = arg + 1;
	enum option_id id = option_find_letter(*letter);
	char label[3] = {'-', *letter, '\0'};
	const char *attached;

	for (; id < OPTION_MAX && option_table[id].metavar == NULL; id = option_find_letter(*letter)) {
		label[1] = *letter;
		if (parse_row(draft, at, id, NULL, label, err) < 0)
			return -EINVAL;
		if (*++letter == '\0')
			return 0;
	}
	label[1] = *letter;
	attached = letter[1] != '\0' ? letter + 1 : NULL;
	if (*letter == '=' || (attached != NULL && *attached == '=' && *letter != 'c')) {
		error_set(err, "usage", 0, "%s: a letter takes no =", arg);
		error_hint(err, "a value follows its letter, as in -t 30s or -t30s; long options take either: --timeout=30s");
		return usage_error(err);
	}
	if (id < OPTION_MAX)
		return parse_row(draft, at, id, attached, label, err);
	for (size_t i = 0; i < cli_action_count; i++)
		if (cli_action_table[i].letter == *letter && (attached == NULL || cli_action_table[i].metavar != NULL))
			return parse_action(at, &cli_action_table[i], attached, err);
	if (*letter == 'c' || *letter == 'm') {
		const char *target = NULL;

		if (option_value(at, attached, label, *letter == 'c' ? "CODE" : "MODULE", &target, err) < 0)
			return -EINVAL;
		at->done = true;
		return set_command(draft, *letter == 'c' ? COMMAND_CODE : COMMAND_MODULE, target,
				   at->argc - at->index - 1, at->argv + at->index + 1, err);
	}
	return unknown_option(arg, *letter, err);
}

static int parse_task(struct policy *draft, int argc, char *const argv[], struct error *err)
{
	if (strcmp(argv[0], "-") == 0)
		return set_command(draft, COMMAND_STDIN, NULL, argc - 1, argv + 1, err);
	return set_command(draft, COMMAND_SCRIPT, argv[0], argc - 1, argv + 1, err);
}

static int parse_line(struct policy *draft, struct cursor *at, struct error *err)
{
	for (; at->index < at->argc && !at->done; at->index++) {
		const char *arg = at->argv[at->index];
		int r;

		if (strcmp(arg, "--") == 0) {
			if (++at->index == at->argc)
				break;
			r = parse_task(draft, at->argc - at->index, at->argv + at->index, err);
			at->done = true;
		} else if (arg[0] != '-' || arg[1] == '\0') {
			r = parse_task(draft, at->argc - at->index, at->argv + at->index, err);
			at->done = true;
		} else if (arg[1] == '-') {
			r = parse_long(draft, at, err);
		} else {
			r = parse_letter(draft, at, err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int apply_settings(struct policy *draft, const struct cursor *at, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < at->settings && r == 0; i++) {
		if (at->setting[i].id != OPTION_PROFILE)
			continue;
		r = option_apply(draft, OPTION_PROFILE, at->setting[i].value, ORIGIN_COMMAND_LINE,
				 err);
		if (r == 0)
			r = profile_load(draft, at->setting[i].value, err);
	}
	for (size_t i = 0; i < at->settings && r == 0; i++)
		if (at->setting[i].id != OPTION_PROFILE)
			r = option_apply(draft, at->setting[i].id, at->setting[i].value,
					 ORIGIN_COMMAND_LINE, err);
	return r;
}

/* Options that go with one action only. */
static int check_action(const struct policy *draft, enum cli_action action, struct error *err)
{
	if ((action == CLI_DOCTOR || action == CLI_LIST_TASKS) && draft->result != NULL) {
		const char *name = action == CLI_DOCTOR ? "doctor" : "list-tasks";

		error_set(err, "usage", 0, "--result: not with --%s, which writes no verdict", name);
		return error_hint(err, "capsule-run --%s --json >FILE", name);
	}
	if (action == CLI_LIST_TASKS && draft->command.kind != COMMAND_SCRIPT) {
		error_set(err, "usage", 0, "--list-tasks: needs a task file");
		return error_hint(err, "capsule-run --list-tasks FILE.py");
	}
	if (action == CLI_PRINT_POLICY && draft->json) {
		error_set(err, "usage", 0, "--json: not with --print-policy, which prints a profile");
		return error_hint(err, "capsule-run --json TASK.py prints the verdict, capsule-run --doctor --json "
				       "what holds here");
	}
	return 0;
}

/* The last argument may have been meant for one, and was an option's value. */
static int no_task(struct policy *draft, const struct cursor *at, struct error *err)
{
	const struct setting *last = at->settings > 0 ? &at->setting[at->settings - 1] : NULL;
	struct error why = {.hint = ""};

	error_set(err, "usage", 0, "no task given");
	error_hint(err, "capsule-run [OPTION]... TASK.py [ARG]...; capsule-run --help lists the options");
	if (last == NULL || !last->is_argument || last->value != at->argv[at->argc - 1])
		return usage_error(err);
	error_set(err, "usage", 0, "no task given: %s was taken as the value of --%s", last->value,
		  option_table[last->id].name);
	if (option_apply(draft, last->id, last->value, ORIGIN_COMMAND_LINE, &why) < 0 && why.hint[0] != '\0')
		error_hint(err, "as that, %s", why.hint);
	else
		error_hint(err, "the task comes after the options and their values: capsule-run --%s %s TASK.py",
			   option_table[last->id].name, option_table[last->id].metavar);
	return usage_error(err);
}

int cli_parse(struct policy *draft, int argc, char *const argv[], struct cli *ret,
	      struct error *err)
{
	AUTO_FREE struct setting *setting = calloc((size_t)argc + 1, sizeof(*setting));
	struct cursor at = {
	    .index = 1, .argc = argc, .argv = argv, .cli = {CLI_RUN, NULL}, .setting = setting};

	if (setting == NULL)
		return error_set(err, "usage", ENOMEM, "arguments");
	if (parse_line(draft, &at, err) < 0) {
		*ret = at.cli;
		return usage_error(err);
	}
	*ret = at.cli;
	if ((at.cli.action == CLI_RUN || at.cli.action == CLI_LIST_TASKS) && draft->command.kind == COMMAND_NONE &&
	    config_find() != NULL) {
		draft->command.from_config = true;
		if (set_command(draft, COMMAND_SCRIPT, config_find(), 0, NULL, err) < 0)
			return -ENOMEM;
	}
	if (at.cli.action == CLI_RUN && draft->command.kind == COMMAND_NONE)
		return no_task(draft, &at, err);
	if (at.cli.action == CLI_DOCTOR && draft->command.kind != COMMAND_NONE) {
		error_set(err, "usage", 0, "--doctor: runs no task");
		error_hint(err, "capsule-run --doctor [OPTION]...; without it the task runs");
		return usage_error(err);
	}
	if (!is_information(at.cli.action) &&
	    (apply_settings(draft, &at, err) < 0 || check_action(draft, at.cli.action, err) < 0))
		return usage_error(err);
	return 0;
}
