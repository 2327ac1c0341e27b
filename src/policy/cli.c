#include "policy/cli.h"

#include <errno.h>
#include <string.h>

#include "policy/option.h"

/* What is no parameter of a run, and so no row of the table. */
static const struct {
	const char *name;
	char letter;
	enum cli_action action;
	const char *help;
} action_table[] = {
    {"print-policy", 0, CLI_PRINT_POLICY, "print what would be in force, and why"},
    {"doctor", 0, CLI_DOCTOR, "try what tasks need here, and say what is missing"},
    {"help", 'h', CLI_HELP, "this text"},
    {"version", 'V', CLI_VERSION, "the version"},
};

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

static int unknown_option(const char *arg, struct error *err)
{
	size_t len = strcspn(arg, "=");

	error_set(err, "usage", 0, "%.*s: no such option", (int)len, arg);
	error_hint(err, "capsule-run --help lists the options; those of the task come after its name");
	return usage_error(err);
}

struct cursor {
	int index;
	int argc;
	char *const *argv;
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

static int parse_row(struct policy *draft, struct cursor *at, enum option_id id, const char *attached,
		     const char *label, struct error *err)
{
	const struct option_row *row = &option_table[id];
	const char *value = NULL;

	if (row->metavar == NULL && attached != NULL) {
		error_set(err, "usage", 0, "%s: takes no value", label);
		return usage_error(err);
	}
	if (row->metavar != NULL &&
	    option_value(at, attached, label, row->metavar, &value, err) < 0)
		return -EINVAL;
	if (option_apply(draft, id, value, ORIGIN_COMMAND_LINE, err) < 0)
		return usage_error(err);
	return 0;
}

/* "--name", "--name=value". Sets *ret_done when the rest of the line is the task's. */
static int parse_long(struct policy *draft, struct cursor *at, enum cli_action *action, bool *ret_done,
		      struct error *err)
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
	for (size_t i = 0; i < ARRAY_SIZE(action_table); i++) {
		if (strlen(action_table[i].name) == len && memcmp(name, action_table[i].name, len) == 0) {
			if (attached != NULL) {
				error_set(err, "usage", 0, "--%s: takes no value", action_table[i].name);
				return usage_error(err);
			}
			*action = action_table[i].action;
			*ret_done = *action == CLI_HELP || *action == CLI_VERSION;
			return 0;
		}
	}
	if (len == 4 && memcmp(name, "exec", len) == 0) {
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
		*ret_done = true;
		return set_command(draft, COMMAND_EXEC, at->argv[first], at->argc - first - 1,
				   at->argv + first + 1, err);
	}
	return unknown_option(arg, err);
}

/* "-q", "-t 30s", "-t30s", "-c CODE"; letters are not bundled. */
static int parse_letter(struct policy *draft, struct cursor *at, enum cli_action *action, bool *ret_done,
			struct error *err)
{
	const char *arg = at->argv[at->index];
	const char *attached = arg[2] != '\0' ? arg + 2 : NULL;
	const char label[3] = {'-', arg[1], '\0'};
	enum option_id id = option_find_letter(arg[1]);

	if (id < OPTION_MAX)
		return parse_row(draft, at, id, attached, label, err);
	for (size_t i = 0; i < ARRAY_SIZE(action_table) && attached == NULL; i++) {
		if (action_table[i].letter == arg[1]) {
			*action = action_table[i].action;
			*ret_done = true;
			return 0;
		}
	}
	if (arg[1] == 'c' || arg[1] == 'm') {
		const char *target = NULL;

		if (option_value(at, attached, label, arg[1] == 'c' ? "CODE" : "MODULE", &target, err) < 0)
			return -EINVAL;
		*ret_done = true;
		return set_command(draft, arg[1] == 'c' ? COMMAND_CODE : COMMAND_MODULE, target,
				   at->argc - at->index - 1, at->argv + at->index + 1, err);
	}
	return unknown_option(arg, err);
}

static int parse_task(struct policy *draft, int argc, char *const argv[], struct error *err)
{
	if (strcmp(argv[0], "-") == 0)
		return set_command(draft, COMMAND_STDIN, NULL, argc - 1, argv + 1, err);
	return set_command(draft, COMMAND_SCRIPT, argv[0], argc - 1, argv + 1, err);
}

int cli_parse(struct policy *draft, int argc, char *const argv[], enum cli_action *ret_action,
	      struct error *err)
{
	struct cursor at = {.index = 1, .argc = argc, .argv = argv};
	enum cli_action action = CLI_RUN;
	bool done = false;

	for (; at.index < argc && !done; at.index++) {
		const char *arg = argv[at.index];
		int r;

		if (strcmp(arg, "--") == 0) {
			if (++at.index == argc)
				break;
			r = parse_task(draft, argc - at.index, argv + at.index, err);
			done = true;
		} else if (arg[0] != '-' || arg[1] == '\0') {
			r = parse_task(draft, argc - at.index, argv + at.index, err);
			done = true;
		} else if (arg[1] == '-') {
			r = parse_long(draft, &at, &action, &done, err);
		} else {
			r = parse_letter(draft, &at, &action, &done, err);
		}
		if (r < 0)
			return usage_error(err);
	}
	if (action == CLI_DOCTOR && draft->result != NULL) {
		error_set(err, "usage", 0, "--result: not with --doctor, which writes no verdict");
		error_hint(err, "capsule-run --doctor --json >FILE");
		return usage_error(err);
	}
	if (action == CLI_RUN && draft->json) {
		error_set(err, "usage", 0, "--json: goes with --doctor only");
		error_hint(err, "capsule-run --doctor --json; the verdict of a run is JSON in --result FILE");
		return usage_error(err);
	}
	if (action == CLI_RUN && draft->command.kind == COMMAND_NONE) {
		error_set(err, "usage", 0, "no task given");
		error_hint(err, "capsule-run [OPTION]... TASK.py [ARG]...; capsule-run --help lists the options");
		return usage_error(err);
	}
	if (action == CLI_DOCTOR && draft->command.kind != COMMAND_NONE) {
		error_set(err, "usage", 0, "--doctor: runs no task");
		error_hint(err, "capsule-run --doctor [OPTION]...; without it the task runs");
		return usage_error(err);
	}
	*ret_action = action;
	return 0;
}

static void print_help_row(FILE *out, char letter, const char *name, const char *metavar,
			   const char *help)
{
	char left[48];

	(void)snprintf(left, sizeof(left), "%c%c%s --%s%s%s", letter != 0 ? '-' : ' ',
		       letter != 0 ? letter : ' ', letter != 0 ? "," : " ", name,
		       metavar != NULL ? " " : "", metavar != NULL ? metavar : "");
	/* A long left column does not push the others: its help goes on, two blanks later. */
	fprintf(out, "  %-25s  %s\n", left, help);
}

static void print_option_help(FILE *out, const struct option_row *row)
{
	/* A flag has no default worth showing, and some help texts name theirs. */
	bool shows_preset =
	    row->metavar != NULL && row->preset != NULL && strstr(row->help, row->preset) == NULL;
	char help[160];

	(void)snprintf(help, sizeof(help), "%s%s%s%s", row->help, shows_preset ? " [" : "",
		       shows_preset ? row->preset : "", shows_preset ? "]" : "");
	print_help_row(out, row->letter, row->name, row->metavar, help);
}

void cli_print_help(FILE *out)
{
	fprintf(out, "Usage: capsule-run [OPTION]... TASK.py [ARG]...\n"
		     "       capsule-run [OPTION]... -c CODE | -m MODULE | - [ARG]...\n"
		     "       capsule-run [OPTION]... --exec -- PROGRAM [ARG]...\n"
		     "Runs untrusted Python with one writable directory, no network and true limits.\n");
	for (unsigned int group = 0; group < OPTION_GROUP_MAX; group++) {
		fprintf(out, "%s:\n", option_group_title(group));
		for (unsigned int i = 0; i < OPTION_MAX; i++)
			if (option_table[i].group == group)
				print_option_help(out, &option_table[i]);
	}
	fprintf(out, "      -c CODE, -m MODULE, -    as in python3; the rest of the line is the task's\n"
		     "      --exec -- PROGRAM        run a program that is not Python\n");
	for (size_t i = 0; i < ARRAY_SIZE(action_table); i++)
		print_help_row(out, action_table[i].letter, action_table[i].name, NULL,
			       action_table[i].help);
	fprintf(out, "Exit status: the task's own; 128+N signal N; 123 output or disk limit; 124 time\n"
		     "limit; 125 we failed; 126, 127 can't execute; 137 out of memory; 2 usage.\n");
}

static void print_value(FILE *out, const char *name, const char *value, enum origin origin)
{
	int width = fprintf(out, "%s = %s", name, value);

	fprintf(out, "%*s# %s\n", width < 40 ? 40 - width : 1, "",
		origin == ORIGIN_DEFAULT ? "default" : "command line");
}

void cli_print_policy(const struct policy *policy, FILE *out)
{
	char buf[32];

	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		const struct option_row *row = &option_table[i];
		const char *value = option_format(policy, i, buf, sizeof(buf));

		if (row->kind == OPTION_KIND_LIST) {
			const struct strlist *list = option_list(policy, i);

			for (size_t k = 0; k < list->count; k++)
				print_value(out, row->name, list->item[k], policy->origin[i]);
		} else if (value != NULL) {
			print_value(out, row->name, value, policy->origin[i]);
		}
	}
}
