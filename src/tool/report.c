#include "tool/report.h"

#include <stdarg.h>
#include <string.h>

#include "run/hint.h"

#define NAME_WIDTH  18
#define TEXT_COLUMN (2 + 8 + NAME_WIDTH + 1)

static const char *const group_titles[] = {
    [GROUP_KERNEL] = "Kernel",	 [GROUP_NAMESPACES] = "Namespaces", [GROUP_FILTER] = "Filter",
    [GROUP_LIMITS] = "Limits",	 [GROUP_PYTHON] = "Python",	    [GROUP_FILES] = "Files",
    [GROUP_VERDICT] = "Verdict",
};
_Static_assert(ARRAY_SIZE(group_titles) == GROUP_MAX, "one title for each group");

static const char *const group_names[] = {
    [GROUP_KERNEL] = "kernel",	 [GROUP_NAMESPACES] = "namespaces", [GROUP_FILTER] = "filter",
    [GROUP_LIMITS] = "limits",	 [GROUP_PYTHON] = "python",	    [GROUP_FILES] = "files",
    [GROUP_VERDICT] = "verdict",
};
_Static_assert(ARRAY_SIZE(group_names) == GROUP_MAX, "one name for each group");

static const struct {
	const char *name;
	const char *colour;
} states[] = {
    [FINDING_OK] = {"ok", "\033[32m"},		 [FINDING_INFO] = {"info", "\033[2m"},
    [FINDING_UNTRIED] = {"untried", "\033[2m"},	 [FINDING_WEAK] = {"weak", "\033[33m"},
    [FINDING_MISSING] = {"missing", "\033[31m"},
};
_Static_assert(ARRAY_SIZE(states) == FINDING_STATE_MAX, "one row for each state");

static void add(struct report *report, enum finding_group group, const char *name,
		enum finding_state state, char *text, const char *cure)
{
	struct finding *grown = reallocarray(report->items, report->count + 1, sizeof(*grown));
	struct finding *finding;

	if (grown != NULL)
		report->items = grown;
	if (grown == NULL || text == NULL) {
		report->oom = true;
		free(text);
		return;
	}
	finding = &grown[report->count++];
	*finding = (struct finding){.group = group, .state = state, .name = name, .text = text};
	error_sanitize(finding->text);
	if (cure == NULL)
		return;
	finding->cure = strdup(cure);
	if (finding->cure == NULL)
		report->oom = true;
	else
		error_sanitize(finding->cure);
}

void report_add(struct report *report, enum finding_group group, const char *name,
		enum finding_state state, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	add(report, group, name, state, text, NULL);
}

void report_error(struct report *report, enum finding_group group, const char *name,
		  enum finding_state state, const struct error *err)
{
	struct error with_hint = *err;
	char *text = NULL;

	hint_add(&with_hint);
	if (asprintf(&text, "%s%s%s", err->detail, err->errnum > 0 ? ": " : "",
		     err->errnum > 0 ? strerror(err->errnum) : "") < 0)
		text = NULL;
	add(report, group, name, state, text, with_hint.hint[0] != '\0' ? with_hint.hint : NULL);
}

size_t report_count(const struct report *report, enum finding_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < report->count; i++)
		count += report->items[i].state == state;
	return count;
}

/* Words of a text, from column `column` on, broken before `columns`. */
static void print_wrapped(FILE *out, const char *text, int column, int columns)
{
	int at = column;

	while (*text != '\0') {
		int len = (int)strcspn(text, " ");

		if (at > column && at + 1 + len > columns) {
			fprintf(out, "\n%*s", column, "");
			at = column;
		} else if (at > column) {
			fputc(' ', out);
			at++;
		}
		fprintf(out, "%.*s", len, text);
		at += len;
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static bool is_shown(const struct finding *finding, bool brief)
{
	return !brief || finding->group == GROUP_VERDICT || finding->state == FINDING_WEAK ||
	       finding->state == FINDING_MISSING;
}

void report_print(const struct report *report, FILE *out, int columns, bool colour, bool brief)
{
	for (unsigned int group = 0; group < GROUP_MAX; group++) {
		bool has_title = false;

		for (size_t i = 0; i < report->count; i++) {
			const struct finding *finding = &report->items[i];

			if (finding->group != group || !is_shown(finding, brief))
				continue;
			if (!has_title)
				fprintf(out, "%s\n", group_titles[group]);
			has_title = true;
			fprintf(out, "  %s%-8s%s%-*s ", colour ? states[finding->state].colour : "",
				states[finding->state].name, colour ? "\033[0m" : "", NAME_WIDTH,
				finding->name);
			print_wrapped(out, finding->text, TEXT_COLUMN, columns);
			if (finding->cure == NULL)
				continue;
			fprintf(out, "%10s%-*s ", "", NAME_WIDTH, "  cure:");
			print_wrapped(out, finding->cure, TEXT_COLUMN, columns);
		}
	}
}

json_t *report_json(const struct report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->count && list != NULL; i++) {
		const struct finding *finding = &report->items[i];

		if (json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s, s:s?}", "group",
					group_names[finding->group], "name", finding->name, "state",
					states[finding->state].name, "text", finding->text, "cure",
					finding->cure)) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

void report_fini(struct report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		free(report->items[i].text);
		free(report->items[i].cure);
	}
	free(report->items);
	*report = (struct report){NULL, 0, false};
}
