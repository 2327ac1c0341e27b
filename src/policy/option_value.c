/* Values of options: from text into a policy, and back. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "policy/option.h"

static void *field(struct policy *policy, const struct option_row *row)
{
	return (char *)policy + row->offset;
}

static const void *const_field(const struct policy *policy, const struct option_row *row)
{
	return (const char *)policy + row->offset;
}

static int parse_number(const struct option_row *row, const char *value, uint64_t *ret)
{
	switch (row->kind) {
	case OPTION_KIND_SIZE:
		return text_parse_size(value, ret);
	case OPTION_KIND_DURATION:
		return text_parse_duration(value, ret);
	case OPTION_KIND_MILLI:
		return text_parse_milli(value, ret);
	case OPTION_KIND_COUNT:
		return text_parse_u64(value, ret);
	case OPTION_KIND_FLAG:
	case OPTION_KIND_STRING:
	case OPTION_KIND_LIST:
	case OPTION_KIND_CHOICE:
		break;
	}
	return -EINVAL;
}

static const char *format_number(const struct option_row *row, uint64_t value, char *buf, size_t size)
{
	switch (row->kind) {
	case OPTION_KIND_SIZE:
		return text_format_size(value, buf, size);
	case OPTION_KIND_DURATION:
		return text_format_duration(value, buf, size);
	case OPTION_KIND_MILLI:
		return text_format_milli(value, buf, size);
	case OPTION_KIND_COUNT:
	case OPTION_KIND_FLAG:
	case OPTION_KIND_STRING:
	case OPTION_KIND_LIST:
	case OPTION_KIND_CHOICE:
		break;
	}
	(void)snprintf(buf, size, "%llu", (unsigned long long)value);
	return buf;
}

static const char *example_of(enum option_kind kind)
{
	switch (kind) {
	case OPTION_KIND_SIZE:
		return "bytes, or a number with K, M, G, T (512M, 512MiB, 1.5G)";
	case OPTION_KIND_DURATION:
		return "a number with ms, s, m, h (500ms, 30s, 5m, 1h)";
	case OPTION_KIND_MILLI:
		return "a number of cores, such as 2 or 0.5";
	case OPTION_KIND_COUNT:
	case OPTION_KIND_FLAG:
	case OPTION_KIND_STRING:
	case OPTION_KIND_LIST:
	case OPTION_KIND_CHOICE:
		break;
	}
	return "a whole number";
}

/* The number that a word stands for. */
static bool find_word(const struct option_row *row, const char *value, uint64_t *ret)
{
	for (const struct option_word *w = row->words; w != NULL && w->word != NULL; w++)
		if (strcasecmp(w->word, value) == 0) {
			*ret = w->value;
			return true;
		}
	return false;
}

/* "LOW|MEDIUM|HIGH|" of the words that a number takes, for messages. */
static const char *list_words(const struct option_row *row, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (const struct option_word *w = row->words; w != NULL && w->word != NULL && len < size; w++)
		len += (size_t)snprintf(buf + len, size - len, "%s|", w->word);
	return buf;
}

static int apply_number(struct policy *draft, const struct option_row *row, const char *value,
			struct error *err)
{
	uint64_t number = LIMIT_NONE;
	char words[64];
	char low[32];
	char high[32];

	if (row->open && strcmp(value, "unlimited") == 0) {
		*(uint64_t *)field(draft, row) = LIMIT_NONE;
		return 0;
	}
	if (find_word(row, value, &number)) {
		*(uint64_t *)field(draft, row) = number;
		return 0;
	}
	if (parse_number(row, value, &number) < 0) {
		error_set(err, "usage", 0, "--%s %s: not understood", row->name, value);
		return error_hint(err, "accepted: %s%s%s%s", list_words(row, words, sizeof(words)),
				  row->words != NULL ? "TIME; TIME is " : "", example_of(row->kind),
				  row->open ? ", or unlimited" : "");
	}
	if (number < row->min || number > row->max) {
		error_set(err, "usage", 0, "--%s %s: out of range", row->name, value);
		return error_hint(err, "accepted: %s to %s%s",
				  format_number(row, row->min, low, sizeof(low)),
				  format_number(row, row->max, high, sizeof(high)),
				  row->open ? ", or unlimited" : "");
	}
	*(uint64_t *)field(draft, row) = number;
	return 0;
}

/* A shell replaces a ~ that begins a word and no other one; here nothing is expanded. */
static int refuse_tilde(const struct option_row *row, const char *value, struct error *err)
{
	bool is_path = row->values == OPTION_VALUES_FILE || row->values == OPTION_VALUES_DIR ||
		       row->values == OPTION_VALUES_BIND || row->values == OPTION_VALUES_PROFILE;

	if (!is_path || *value != '~')
		return 0;
	error_set(err, "usage", 0, "--%s %s: a ~ is not expanded", row->name, value);
	return error_hint(err, "write the whole path, or $HOME where a shell reads it; ./~ is a file of that name");
}

static int apply_string(struct policy *draft, const struct option_row *row, const char *value,
			struct error *err)
{
	char **text = field(draft, row);

	if (*value == '\0')
		return error_set(err, "usage", 0, "--%s: an empty value", row->name);
	if (refuse_tilde(row, value, err) < 0)
		return -EINVAL;
	free(*text);
	*text = strdup(value);
	return *text == NULL ? error_set(err, "usage", ENOMEM, "--%s", row->name) : 0;
}

static int apply_choice(struct policy *draft, const struct option_row *row, const char *value,
			struct error *err)
{
	char words[64] = "";
	size_t len = 0;

	for (unsigned int i = 0; row->choices[i] != NULL; i++) {
		if (strcmp(row->choices[i], value) == 0) {
			*(unsigned int *)field(draft, row) = i;
			return 0;
		}
		len += (size_t)snprintf(words + len, sizeof(words) - len, "%s%s", i > 0 ? ", " : "",
					row->choices[i]);
		if (len >= sizeof(words))
			len = sizeof(words) - 1;
	}
	error_set(err, "usage", 0, "--%s %s: not understood", row->name, value);
	return error_hint(err, "accepted: %s", words);
}

static int apply_flag(struct policy *draft, const struct option_row *row, const char *value,
		      struct error *err)
{
	if (value != NULL && strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
		error_set(err, "usage", 0, "--%s %s: not understood", row->name, value);
		return error_hint(err, "accepted: yes, no");
	}
	*(bool *)field(draft, row) = value == NULL || *value == 'y';
	return 0;
}

static int apply_item(struct policy *draft, enum option_id id, const char *value,
		      enum origin origin, struct error *err)
{
	const struct option_row *row = &option_table[id];
	struct strlist *list = field(draft, row);
	enum origin *grown;

	if (*value == '\0')
		return error_set(err, "usage", 0, "--%s: an empty value", row->name);
	if (refuse_tilde(row, value, err) < 0)
		return -EINVAL;
	grown = reallocarray(draft->item_origin[id], list->count + 1, sizeof(*grown));
	if (grown != NULL)
		draft->item_origin[id] = grown;
	if (grown == NULL || strlist_add(list, value) < 0)
		return error_set(err, "usage", ENOMEM, "--%s", row->name);
	grown[list->count - 1] = origin;
	return 0;
}

int option_apply(struct policy *draft, enum option_id id, const char *value, enum origin origin,
		 struct error *err)
{
	const struct option_row *row = &option_table[id];
	int r = 0;

	if (row->kind == OPTION_KIND_FLAG)
		r = apply_flag(draft, row, value, err);
	else if (row->kind == OPTION_KIND_STRING)
		r = apply_string(draft, row, value, err);
	else if (row->kind == OPTION_KIND_CHOICE)
		r = apply_choice(draft, row, value, err);
	else if (row->kind == OPTION_KIND_LIST)
		r = apply_item(draft, id, value, origin, err);
	else
		r = apply_number(draft, row, value, err);
	if (r == 0)
		draft->origin[id] = origin;
	return r;
}

const char *option_preset(const struct option_row *row)
{
	return row->preset != NULL	       ? row->preset
	       : row->open		       ? "unlimited"
	       : row->kind == OPTION_KIND_FLAG ? "no"
					       : NULL;
}

int option_apply_default(struct policy *draft, enum option_id id, struct error *err)
{
	const char *preset = option_preset(&option_table[id]);

	return preset == NULL ? 0 : option_apply(draft, id, preset, ORIGIN_DEFAULT, err);
}

int option_apply_defaults(struct policy *draft, struct error *err)
{
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		int r = option_apply_default(draft, i, err);

		if (r < 0)
			return r;
	}
	return 0;
}

uint64_t option_number(const struct policy *policy, enum option_id id)
{
	return *(const uint64_t *)const_field(policy, &option_table[id]);
}

const char *option_format(const struct policy *policy, enum option_id id, char *buf, size_t size)
{
	const struct option_row *row = &option_table[id];
	uint64_t value;

	if (row->kind == OPTION_KIND_FLAG)
		return *(const bool *)const_field(policy, row) ? "yes" : "no";
	if (row->kind == OPTION_KIND_STRING)
		return *(char *const *)const_field(policy, row);
	if (row->kind == OPTION_KIND_CHOICE)
		return row->choices[*(const unsigned int *)const_field(policy, row)];
	if (row->kind == OPTION_KIND_LIST)
		return NULL;
	value = option_number(policy, id);
	/* A word may stand for what no number says. */
	for (const struct option_word *w = row->words; value < row->min && w != NULL && w->word != NULL; w++)
		if (w->value == value)
			return w->word;
	return value == LIMIT_NONE ? "unlimited" : format_number(row, value, buf, size);
}

const char *option_unit(enum option_id id)
{
	static const char *const units[] = {[OPTION_KIND_SIZE] = "bytes",
					    [OPTION_KIND_COUNT] = "count",
					    [OPTION_KIND_DURATION] = "ms",
					    [OPTION_KIND_MILLI] = "millicores"};
	enum option_kind kind = option_table[id].kind;

	return kind < ARRAY_SIZE(units) ? units[kind] : NULL;
}

const struct strlist *option_list(const struct policy *policy, enum option_id id)
{
	return const_field(policy, &option_table[id]);
}
