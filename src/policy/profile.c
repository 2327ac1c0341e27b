#include "policy/profile.h"

#include <errno.h>
#include <string.h>

#include "base/suggest.h"
#include "policy/option.h"

/* Where a line is read, and what was read before it. */
struct reader {
	struct policy *draft;
	size_t profile; /* index in profile_paths */
	unsigned int line;
	unsigned int seen[OPTION_MAX]; /* the line that gave this option, or 0 */
	struct error *err;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The length of the character that starts here; 0 for what is not UTF-8 and for a control character. */
static size_t printable(const char *text)
{
	return text_is_control(text) ? 0 : text_utf8_length(text);
}

static char *skip_blanks(char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

static enum origin origin_of(const struct reader *reader)
{
	return policy_origin_at(reader->profile, reader->line);
}

/* Names file and line in an error that was set. */
static int located(const struct reader *reader)
{
	return policy_locate(reader->draft, origin_of(reader), reader->err);
}

static int refuse(const struct reader *reader, const char *detail, const char *hint)
{
	error_set(reader->err, "profile", 0, "%s", detail);
	if (hint != NULL)
		error_hint(reader->err, "%s", hint);
	return located(reader);
}

static int check_text(const struct reader *reader, const char *text)
{
	while (*text != '\0') {
		size_t len = *text == '\t' ? 1 : printable(text);

		if (len == 0 && *text == '\r')
			return refuse(reader, "carriage return",
				      "it may stand before a line feed only");
		if (len == 0) {
			error_set(reader->err, "profile", 0, "byte 0x%02x is no text",
				  (unsigned char)*text);
			error_hint(
			    reader->err,
			    "profiles are UTF-8 without control characters; in a quoted value, "
			    "\\x%02x is that byte",
			    (unsigned char)*text);
			return located(reader);
		}
		text += len;
	}
	return 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* Decodes the escape at p (behind the backslash) to *to. Returns what follows it, or NULL. */
static const char *unescape(const char *p, char *to)
{
	static const char from[] = "\"\\nt";
	static const char into[] = "\"\\\n\t";
	const char *found = *p != '\0' ? strchr(from, *p) : NULL;
	int high;
	int low;

	if (found != NULL) {
		*to = into[found - from];
		return p + 1;
	}
	if (*p != 'x')
		return NULL;
	high = hex_digit(p[1]);
	low = high < 0 ? -1 : hex_digit(p[2]);
	if (low < 0 || high * 16 + low == 0)
		return NULL;
	*to = (char)(high * 16 + low);
	return p + 3;
}

/* Decodes the quoted value at p, in place. *ret_end is what follows the closing quote. */
static int read_quoted(const struct reader *reader, char *p, char **ret_end)
{
	const char *from = p + 1;
	char *to = p;

	while (*from != '"') {
		if (*from == '\0')
			return refuse(reader, "the quoted value does not end",
				      "accepted: \"VALUE\" on one line; \\\" is a quote in it");
		if (*from != '\\') {
			*to++ = *from++;
			continue;
		}
		from = unescape(from + 1, to++);
		if (from == NULL)
			return refuse(reader, "escape not understood",
				      "accepted after a backslash: \" \\ n t, and x with two "
				      "digits (not 00)");
	}
	*ret_end = p + (from + 1 - p);
	*to = '\0';
	return 0;
}

/* Ends the plain value at p before a comment and the blanks before that. */
static int read_plain(const struct reader *reader, char *p)
{
	char *end = p;

	for (char *c = p; *c != '\0' && !(*c == '#' && is_blank(c[-1])); c++) {
		if (strchr("\"'\\", *c) != NULL)
			return refuse(
			    reader, "quote or backslash in a plain value",
			    "write the whole value in double quotes, with \\\" and \\\\ in it");
		if (!is_blank(*c))
			end = c + 1;
	}
	*end = '\0';
	return 0;
}

/* The value that begins at p, behind the "=". It is decoded in place. */
static int read_value(const struct reader *reader, char *p, const char *name, char **ret)
{
	char *end;
	int r;

	p = skip_blanks(p);
	end = p;
	if (*p == '\0' || *p == '#') {
		error_set(reader->err, "profile", 0, "%s: has no value", name);
		error_hint(
		    reader->err,
		    "accepted: NAME = VALUE; a value that begins with # stands in double quotes");
		return located(reader);
	}
	if (*p != '"') {
		r = read_plain(reader, p);
	} else {
		r = read_quoted(reader, p, &end);
		if (r == 0) {
			end = skip_blanks(end);
			if (*end != '\0' && *end != '#')
				return refuse(reader, "text after the quoted value",
					      "accepted there: a # and a comment");
		}
	}
	*ret = p;
	return r;
}

static int find_key(const struct reader *reader, const char *key, enum option_id *ret)
{
	enum option_id id = option_find(key, strlen(key));

	if (id == OPTION_MAX) {
		struct suggest suggest;

		suggest_init(&suggest, key, strlen(key));
		for (unsigned int i = 0; i < OPTION_MAX; i++)
			if (!option_table[i].line_only)
				suggest_try(&suggest, option_table[i].name);
		error_set(reader->err, "profile", 0, "%s: no such option", key);
		error_hint(
		    reader->err, "%s%s%saccepted: %s", suggest.best[0] != '\0' ? "did you mean " : "", suggest.best,
		    suggest.best[0] != '\0' ? "? " : "",
		    key[0] == '-'
			? "an option's name without its dashes"
			: "the names that capsule-run --help all lists, without their dashes");
		return located(reader);
	}
	if (option_table[id].line_only) {
		error_set(reader->err, "profile", 0, "%s: not in a profile", key);
		error_hint(reader->err, "--%s is for the command line", key);
		return located(reader);
	}
	if (option_table[id].kind != OPTION_KIND_LIST && reader->seen[id] != 0) {
		error_set(reader->err, "profile", 0, "%s: given again", key);
		error_hint(reader->err, "it has a value in line %u; a profile has one line for it",
			   reader->seen[id]);
		return located(reader);
	}
	*ret = id;
	return 0;
}

/* "NAME = VALUE", a comment, or nothing. */
static int read_line(struct reader *reader, char *text)
{
	enum option_id id = OPTION_MAX;
	char *value = NULL;
	char *equals;
	int r = check_text(reader, text);

	if (r < 0)
		return r;
	text = skip_blanks(text);
	if (*text == '\0' || *text == '#')
		return 0;
	equals = text + strcspn(text, "= \t");
	value = skip_blanks(equals);
	if (*value != '=' || equals == text)
		return refuse(reader, "not understood",
			      "accepted: NAME = VALUE, and comments after a #");
	*equals = '\0';
	r = find_key(reader, text, &id);
	if (r == 0)
		r = read_value(reader, value + 1, text, &value);
	if (r < 0)
		return r;
	reader->seen[id] = reader->line;
	if (option_apply(reader->draft, id, value, origin_of(reader), reader->err) < 0)
		return located(reader);
	return 0;
}

static int read_version(const struct reader *reader, const char *text)
{
	static const char name[] = "capsule-run-profile ";

	if (strcmp(text, PROFILE_VERSION_LINE) == 0)
		return 0;
	if (strncmp(text, name, sizeof(name) - 1) != 0)
		return refuse(reader, "no profile",
			      "a profile's first line is: " PROFILE_VERSION_LINE);
	error_set(reader->err, "profile", 0, "version %s is not understood",
		  text + sizeof(name) - 1);
	error_hint(reader->err, "accepted: " PROFILE_VERSION_LINE);
	return located(reader);
}

int profile_parse(struct policy *draft, const char *name, const char *text, size_t len,
		  struct error *err)
{
	struct reader reader = {.draft = draft, .profile = draft->profile_paths.count, .err = err};
	const char *nul = memchr(text, '\0', len);
	AUTO_FREE char *copy = strndup(text, len);
	char *rest = copy;

	if (copy == NULL || strlist_add(&draft->profile_paths, name) < 0)
		return error_set(err, "profile", ENOMEM, "%s", name);
	if (nul != NULL) {
		for (reader.line = 1; (text = memchr(text, '\n', (size_t)(nul - text))) != NULL;
		     text++)
			reader.line++;
		return refuse(&reader, "byte 0x00 is no text",
			      "profiles are UTF-8 without control characters");
	}
	for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
		size_t end = strlen(line);
		int r;

		/* As other programs' files, one may come from Windows. */
		if (end > 0 && line[end - 1] == '\r')
			line[end - 1] = '\0';
		if (++reader.line > POLICY_PROFILE_LINES_MAX)
			return error_set(err, "profile", 0, "%s: more than %d lines", name,
					 POLICY_PROFILE_LINES_MAX);
		r = reader.line == 1 ? read_version(&reader, line) : read_line(&reader, line);
		if (r < 0)
			return r;
	}
	return 0;
}

void profile_description(const char *text, size_t len, char *buf, size_t size)
{
	const char *comment = memmem(text, len, "\n#", 2);
	const char *end;

	buf[0] = '\0';
	if (comment == NULL)
		return;
	comment += 2;
	while (comment < text + len && is_blank(*comment))
		comment++;
	end = memchr(comment, '\n', (size_t)(text + len - comment));
	(void)snprintf(buf, size, "%.*s", (int)((end != NULL ? end : text + len) - comment),
		       comment);
	error_sanitize(buf);
}

static bool is_plain(const char *value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "_-+.,:;/=@%^~()[]{}<>|&*?!$";

	return *value != '\0' && value[strspn(value, plain)] == '\0';
}

/* Returns the width. */
static int print_quoted(FILE *out, const char *value)
{
	int width = fprintf(out, "\"");

	while (*value != '\0') {
		size_t len = printable(value);

		if (*value == '"' || *value == '\\')
			width += fprintf(out, "\\%c", *value);
		else if (*value == '\n' || *value == '\t')
			width += fprintf(out, "\\%c", *value == '\n' ? 'n' : 't');
		else if (len == 0)
			width += fprintf(out, "\\x%02x", (unsigned char)*value);
		else
			width += fprintf(out, "%.*s", (int)len, value);
		value += len > 0 ? len : 1;
	}
	return width + fprintf(out, "\"");
}

static void print_line(const struct policy *policy, FILE *out, const char *name, const char *value,
		       enum origin origin)
{
	char place[256];
	int width = fprintf(out, "%s = ", name);

	width += is_plain(value) ? fprintf(out, "%s", value) : print_quoted(out, value);
	fprintf(out, "%*s# %s\n", width < 40 ? 40 - width : 1, "",
		policy_describe_origin(policy, origin, place, sizeof(place)));
}

void profile_print(const struct policy *policy, FILE *out)
{
	fprintf(out,
		PROFILE_VERSION_LINE "\n# What capsule-run " PACKAGE_VERSION
				     " would put in force, and where each value comes from.\n");
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		const struct option_row *row = &option_table[i];
		char buf[32];
		const char *value = option_format(policy, i, buf, sizeof(buf));

		if (row->line_only)
			continue;
		if (row->kind == OPTION_KIND_LIST) {
			const struct strlist *list = option_list(policy, i);

			for (size_t k = 0; k < list->count; k++)
				print_line(policy, out, row->name, list->item[k],
					   policy->item_origin[i][k]);
		} else if (value != NULL) {
			print_line(policy, out, row->name, value, policy->origin[i]);
		}
	}
}
