/*
 * Prints the option table as the part of the manual page and of the completions that follows from
 * it:
 *
 *     mkoptions mdoc | bash | zsh | fish
 *
 * The files in man/ and completions/ hold that part between two marks. tests/checks/drift compares,
 * and `make update-docs` writes it anew.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "policy/cli.h"
#include "policy/layer.h"
#include "policy/retry.h"
#include "policy/option.h"

/* A row of either table. */
struct item {
	const char *name;
	char letter;
	bool flag;
	bool list;
	const char *metavar;
	const char *preset;
	const char *help;
	const char *more;
	const char *values; /* words for a completion, or @KIND */
};

static const char *words_of(const struct option_row *row, char *buf, size_t size)
{
	static const char *const kinds[] = {
	    [OPTION_VALUES_ANY] = "@any",	    [OPTION_VALUES_FILE] = "@file",
	    [OPTION_VALUES_DIR] = "@dir",	    [OPTION_VALUES_BIND] = "@bind",
	    [OPTION_VALUES_VARIABLE] = "@variable", [OPTION_VALUES_LAYER] = "@layer",
	    [OPTION_VALUES_PROFILE] = "@profile",
	};
	const char *words = row->words != NULL			? "LOW MEDIUM HIGH 10s"
			    : row->kind == OPTION_KIND_SIZE	? "64M 256M 512M 1G 4G"
			    : row->kind == OPTION_KIND_DURATION ? "1s 10s 1m 10m 1h"
			    : row->kind == OPTION_KIND_MILLI	? "0.5 1 2 4"
			    : row->kind == OPTION_KIND_COUNT	? "64 256 1024 4096"
								: NULL;

	if (row->kind == OPTION_KIND_FLAG || row->bare != NULL)
		return "@flag";
	if (words != NULL) {
		(void)snprintf(buf, size, "%s%s", words, row->open ? " unlimited" : "");
		return buf;
	}
	/* Words, each of which is a list by itself. */
	if (row->values == OPTION_VALUES_RETRY) {
		size_t len = 0;

		for (const char *p = retry_list(); *p != '\0' && len + 1 < size; p++)
			if (*p != ',')
				buf[len++] = *p;
		buf[len] = '\0';
		return buf;
	}
	/* A metavar of small words names the choices. */
	if (row->metavar[strspn(row->metavar, "abcdefghijklmnopqrstuvwxyz-|")] != '\0')
		return kinds[row->values];
	(void)snprintf(buf, size, "%s", row->metavar);
	for (char *p = buf; (p = strchr(p, '|')) != NULL;)
		*p = ' ';
	return buf;
}

static struct item item_of_option(const struct option_row *row, char *buf, size_t size)
{
	return (struct item){row->name,
			     row->letter,
			     row->kind == OPTION_KIND_FLAG || row->bare != NULL,
			     row->kind == OPTION_KIND_LIST,
			     row->metavar,
			     option_preset(row),
			     row->help,
			     row->more,
			     words_of(row, buf, size)};
}

static struct item item_of_action(const struct cli_action_row *row)
{
	return (struct item){row->name, row->letter,  row->metavar == NULL,
			     false,	row->metavar, NULL,
			     row->help, row->more,    row->metavar == NULL ? "@flag" : "@group"};
}

/* Ends a line of output when a word of that length would make it too long. */
static void make_room(int *column, int len)
{
	if (*column > 0 && *column + 1 + len > 78) {
		printf("\n");
		*column = 0;
	}
	if (*column > 0)
		*column += printf(" ");
}

/* Text as mdoc: a sentence begins a line, and --name is a macro with the punctuation behind it. */
static void print_mdoc_text(const char *text)
{
	int column = 0;

	while (*text != '\0') {
		int len = (int)strcspn(text, " ");
		int name = strncmp(text, "--", 2) != 0
			       ? 0
			       : 2 + (int)strspn(text + 2, "abcdefghijklmnopqrstuvwxyz-");

		if (name > 2) {
			printf("%s.Fl -%.*s", column > 0 ? "\n" : "", name - 2, text + 2);
			for (int i = name; i < len; i++)
				printf(" %c", text[i]);
			printf("\n");
			column = 0;
		} else {
			make_room(&column, len);
			if (column == 0 && (*text == '.' || *text == '\''))
				column += printf("\\&");
			for (int i = 0; i < len; i++)
				column += text[i] == '\\' ? printf("\\e") : printf("%c", text[i]);
			if (text[len - 1] == '.') {
				printf("\n");
				column = 0;
			}
		}
		text += len;
		text += strspn(text, " ");
	}
	if (column > 0)
		printf("\n");
}

static void print_mdoc(const struct item *item)
{
	char help[256];

	printf(".It");
	if (item->letter != 0)
		printf(" Fl %c ,", item->letter);
	printf(" Fl -%s", item->name);
	if (item->metavar != NULL && strncmp(item->metavar, "[=", 2) == 0)
		printf(" Ns Op = Ns Ar %.*s", (int)strlen(item->metavar) - 3, item->metavar + 2);
	else if (item->metavar != NULL && item->metavar[0] == '[')
		printf(" Op Ar %.*s", (int)strlen(item->metavar) - 2, item->metavar + 1);
	else if (item->metavar != NULL)
		printf(" Ar %s", item->metavar);
	printf("\n");
	(void)snprintf(help, sizeof(help), "%c%s.%s%s%s", toupper((unsigned char)item->help[0]),
		       item->help + 1,
		       item->preset != NULL && !item->flag ? " The default is " : "",
		       item->preset != NULL && !item->flag ? item->preset : "",
		       item->preset != NULL && !item->flag ? "." : "");
	print_mdoc_text(help);
	if (item->more != NULL)
		print_mdoc_text(item->more);
}

static void print_bash(const struct item *item)
{
	printf("\t\t");
	if (item->letter != 0)
		printf("[-%c]='%s' ", item->letter, item->values);
	printf("[--%s]='%s'\n", item->name, item->values);
}

/* A description inside [...] and '...'. */
static void print_zsh_text(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			printf("'\\''");
		else
			printf("%s%c", strchr("[]:\\", *text) != NULL ? "\\" : "", *text);
	}
}

static void print_zsh(const struct item *item)
{
	const char *star = item->list ? "*" : "";
	const char *equals = item->flag || item->metavar[0] == '[' ? "" : "=";

	if (item->letter == 0)
		printf("\t\t'%s--%s%s", item->list ? star : "", item->name, equals);
	else if (item->list)
		printf("\t\t'*'{-%c%s,--%s%s}'", item->letter, "+", item->name, equals);
	else
		printf("\t\t'(-%c --%s)'{-%c%s,--%s%s}'", item->letter, item->name, item->letter,
		       *equals != '\0' ? "+" : "", item->name, equals);
	printf("[");
	print_zsh_text(item->help);
	printf("]");
	if (!item->flag) {
		const char *values = item->values;

		printf(":%s", item->metavar[0] == '[' ? ":" : "");
		print_zsh_text(item->metavar);
		if (values[0] == '@')
			printf(":_capsule_run_%s", values + 1);
		else
			printf(":(%s)", values);
	}
	printf("'\n");
}

static void print_fish(const struct item *item)
{
	printf("complete -c capsule-run -n __capsule_run_options");
	if (item->letter != 0)
		printf(" -s %c", item->letter);
	printf(" -l %s", item->name);
	if (!item->flag && item->values[0] == '@')
		printf(" $__capsule_run_%s", item->values + 1);
	else if (!item->flag)
		printf(" -x -a '%s'", item->values);
	printf(" -d '");
	for (const char *p = item->help; *p != '\0'; p++)
		printf("%s%c", *p == '\'' || *p == '\\' ? "\\" : "", *p);
	printf("'\n");
}

static void print_all(void (*print)(const struct item *), enum option_group group)
{
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		char buf[128];
		struct item item = item_of_option(&option_table[i], buf, sizeof(buf));

		if (option_table[i].group == group)
			print(&item);
	}
	for (size_t i = 0; i < cli_action_count && group == OPTION_GROUP_RUN; i++) {
		struct item item = item_of_action(&cli_action_table[i]);

		print(&item);
	}
}

static void print_words(const char *before, const char *(*word)(unsigned int), unsigned int count,
			const char *after)
{
	printf("%s", before);
	for (unsigned int i = 0; i < count; i++)
		printf("%s%s", i > 0 ? " " : "", word(i));
	printf("%s", after);
}

static const char *layer_word(unsigned int i)
{
	return layer_name(i);
}

static const char *group_word(unsigned int i)
{
	return i < OPTION_GROUP_MAX ? option_group_name(i) : "all";
}

static void print_fish_valued(void)
{
	printf("set -g __capsule_run_valued -c -m");
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		if (option_table[i].kind == OPTION_KIND_FLAG || option_table[i].bare != NULL)
			continue;
		if (option_table[i].letter != 0)
			printf(" -%c", option_table[i].letter);
		printf(" --%s", option_table[i].name);
	}
	printf("\n");
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		const char *layers;
		const char *groups;
		const char *after;
		const char *begin;
		const char *end;
		void (*print)(const struct item *);
	} forms[] = {
	    {"mdoc", NULL, NULL, NULL, NULL, NULL, print_mdoc},
	    {"bash", "\tlocal layers='", "\tlocal groups='", "'\n", "\tlocal -A values=(\n",
	     "\t)\n", print_bash},
	    {"zsh", "\tlocal -a layers=(", "\tlocal -a groups=(", ")\n", "\tlocal -a options=(\n",
	     "\t)\n", print_zsh},
	    {"fish", "set -g __capsule_run_layers ", "set -g __capsule_run_groups ", "\n", NULL,
	     NULL, print_fish},
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (argc != 2 || strcmp(argv[1], forms[i].name) != 0)
			continue;
		if (forms[i].layers != NULL) {
			print_words(forms[i].layers, layer_word, LAYER_MAX, forms[i].after);
			print_words(forms[i].groups, group_word, OPTION_GROUP_MAX + 1,
				    forms[i].after);
		}
		if (forms[i].print == print_fish)
			print_fish_valued();
		printf("%s", forms[i].begin != NULL ? forms[i].begin : "");
		for (unsigned int group = 0; group < OPTION_GROUP_MAX; group++) {
			if (forms[i].print == print_mdoc)
				printf(".Ss %c%s\n.Bl -tag -width Ds\n",
				       toupper((unsigned char)option_group_name(group)[0]),
				       option_group_name(group) + 1);
			print_all(forms[i].print, group);
			if (forms[i].print == print_mdoc)
				printf(".El\n");
		}
		printf("%s", forms[i].end != NULL ? forms[i].end : "");
		return fflush(stdout) == 0 ? 0 : 1;
	}
	fprintf(stderr, "usage: mkoptions mdoc | bash | zsh | fish\n");
	return 2;
}
