#include "policy/help.h"

#include <string.h>

#include "policy/cli.h"
#include "policy/option.h"

#define COLUMNS 80
#define INDENT	10

bool help_is_topic(const char *topic)
{
	if (strcmp(topic, "all") == 0)
		return true;
	for (unsigned int group = 0; group < OPTION_GROUP_MAX; group++)
		if (strcmp(topic, option_group_name(group)) == 0)
			return true;
	return false;
}

const char *help_topics(void)
{
	static char list[128];
	size_t len = 0;

	for (unsigned int group = 0; group < OPTION_GROUP_MAX && len < sizeof(list); group++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s, ",
					option_group_name(group));
	if (len < sizeof(list))
		(void)snprintf(list + len, sizeof(list) - len, "all");
	return list;
}

void help_suggest(struct suggest *suggest, const char *word)
{
	suggest_init(suggest, word, strlen(word));
	for (unsigned int group = 0; group < OPTION_GROUP_MAX; group++)
		suggest_try(suggest, option_group_name(group));
	suggest_try(suggest, "all");
}

static void print_row(FILE *out, char letter, const char *name, const char *metavar,
		      const char *help)
{
	char left[48];

	(void)snprintf(left, sizeof(left), "%c%c%s --%s%s%s", letter != 0 ? '-' : ' ',
		       letter != 0 ? letter : ' ', letter != 0 ? "," : " ", name,
		       metavar != NULL && strncmp(metavar, "[=", 2) != 0 ? " " : "", metavar != NULL ? metavar : "");
	/* A long left column does not push the others: its help goes on, two blanks later. */
	fprintf(out, "  %-25s  %s\n", left, help);
}

static void print_option(FILE *out, const struct option_row *row)
{
	/* A flag has no default worth showing, and some help texts name theirs. */
	bool shows_preset =
	    row->metavar != NULL && row->preset != NULL && strstr(row->help, row->preset) == NULL;
	char help[160];

	(void)snprintf(help, sizeof(help), "%s%s%s%s", row->help, shows_preset ? " [" : "",
		       shows_preset ? row->preset : "", shows_preset ? "]" : "");
	print_row(out, row->letter, row->name, row->metavar, help);
}

/* A paragraph of words, indented and broken into lines. */
static void print_wrapped(FILE *out, const char *text)
{
	int column = 0;

	if (text == NULL)
		return;
	while (*text != '\0') {
		int len = (int)strcspn(text, " ");

		if (column > 0 && column + 1 + len > COLUMNS) {
			fprintf(out, "\n");
			column = 0;
		}
		column += column == 0 ? fprintf(out, "%*s%.*s", INDENT, "", len, text)
				      : fprintf(out, " %.*s", len, text);
		text += len;
		text += strspn(text, " ");
	}
	fprintf(out, "\n");
}

static void print_action(FILE *out, const struct cli_action_row *row)
{
	print_row(out, row->letter, row->name, row->metavar, row->help);
}

static void print_usage(FILE *out)
{
	fprintf(out,
		"Usage: capsule-run [OPTION]... TASK.py [ARG]...\n"
		"       capsule-run [OPTION]... -c CODE | -m MODULE | - [ARG]...\n"
		"       capsule-run [OPTION]... --exec -- PROGRAM [ARG]...\n"
		"Runs untrusted Python with one writable directory, no network and true limits.\n");
}

static void print_group(FILE *out, enum option_group group)
{
	const char *name = option_group_name(group);

	fprintf(out, "\n%c%s:\n", name[0] - 'a' + 'A', name + 1);
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		if (option_table[i].group != group)
			continue;
		print_option(out, &option_table[i]);
		print_wrapped(out, option_table[i].more);
	}
	if (group != OPTION_GROUP_RUN)
		return;
	for (size_t i = 0; i < cli_action_count; i++) {
		print_action(out, &cli_action_table[i]);
		print_wrapped(out, cli_action_table[i].more);
	}
}

static void print_topic(FILE *out, const char *topic)
{
	print_usage(out);
	for (unsigned int group = 0; group < OPTION_GROUP_MAX; group++)
		if (strcmp(topic, "all") == 0 || strcmp(topic, option_group_name(group)) == 0)
			print_group(out, group);
	fprintf(out,
		"\nSizes: 512M, 1.5G (powers of 1024). Times: 500ms, 30s, 5m, 1h. A flag that a\n"
		"profile sets is taken back by =no. The manual, capsule-run(1), says more.\n");
}

void help_print(FILE *out, const char *topic)
{
	if (topic != NULL) {
		print_topic(out, topic);
		return;
	}
	print_usage(out);
	for (unsigned int i = 0; i < OPTION_MAX; i++)
		if (option_table[i].common)
			print_option(out, &option_table[i]);
	for (size_t i = 0; i < cli_action_count; i++)
		print_action(out, &cli_action_table[i]);
	fprintf(out,
		"Groups: %s. Exit status: the task's own;\n"
		"2 usage, 123 output, disk; 124 time; 125 failed; 126, 127 no exec; 137 memory.\n",
		help_topics());
}
