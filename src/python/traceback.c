/*
 * One pass over the lines. A block begins with its header, frames follow indented, the first line
 * that looks like "Type: message" ends them, and what comes after belongs to the message until
 * something begins that can't: a header, the sentence between chained exceptions, a line that
 * announces another report. No allocation, no state beyond struct parser, whatever the text holds.
 */
#include "python/traceback.h"

#include <stdbool.h>
#include <string.h>

#include "base/attr.h"
#include "base/text.h"

struct line {
	const char *at;
	size_t len;
};

enum place { PLACE_OUTSIDE, PLACE_FRAMES, PLACE_MESSAGE };

/* A report of higher rank is not replaced by a later one of lower rank. */
enum rank { RANK_IGNORED, RANK_SIDE, RANK_MAIN };

struct parser {
	enum place place;
	enum rank rank;		/* of the block at hand */
	enum rank next_rank;	/* of a block that begins at the next line */
	bool chained;		/* the sentence between chained exceptions was the last line */
	bool in_group;		/* lines have the margin of an exception group */
	bool nested;		/* inside the group: one of its exceptions */
	bool kept;		/* the last block that ended is ret[0] */
	bool is_cut;		/* nothing but frames so far: the text begins inside of a block */
	struct traceback now;	/* the block at hand */
	struct traceback *open; /* whose message goes on, or NULL */
	struct traceback *ret;
	size_t max;
	size_t count;
	enum rank ret_rank;
};

static bool starts(struct line line, const char *text)
{
	size_t len = strlen(text);

	return line.len >= len && memcmp(line.at, text, len) == 0;
}

static bool is(struct line line, const char *text)
{
	return line.len == strlen(text) && starts(line, text);
}

static struct line skip(struct line line, size_t n)
{
	return (struct line){line.at + n, line.len - n};
}

static bool is_chain_sentence(struct line line)
{
	return is(line, "During handling of the above exception, another exception occurred:") ||
	       is(line, "The above exception was the direct cause of the following exception:");
}

/* Lines that announce the report of an exception which did not end the main thread. */
static bool announces(struct line line, enum rank *ret)
{
	static const struct {
		const char *start;
		const char *end;
		enum rank rank;
	} table[] = {
	    {"Exception ignored ", "", RANK_IGNORED},
	    {"Exception in thread ", ":", RANK_SIDE},
	    {"Process ", ":", RANK_SIDE},
	    {"Error in atexit", ":", RANK_SIDE},
	    {"--- Logging error ---", "", RANK_SIDE},
	    {"future: <", "", RANK_SIDE},
	    {"handle: <", "", RANK_SIDE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		size_t len = strlen(table[i].end);

		if (!starts(line, table[i].start) || line.len < len ||
		    memcmp(line.at + line.len - len, table[i].end, len) != 0)
			continue;
		*ret = table[i].rank;
		return true;
	}
	return false;
}

static void begin(struct parser *p)
{
	memset(&p->now, 0, sizeof(p->now));
	p->place = PLACE_FRAMES;
	p->open = NULL;
	p->is_cut = false;
	/* One that is chained is of its predecessor's rank. */
	if (!p->nested && !p->chained)
		p->rank = p->next_rank;
	p->next_rank = RANK_MAIN;
}

/* `  File "NAME", line N`, then `, in FUNCTION` or, for a syntax error, nothing. */
static bool parse_frame(struct line line, struct traceback *ret, bool *ret_is_syntax)
{
	static const char middle[] = "\", line ";
	struct line name;
	unsigned long number = 0;
	size_t at = 0;
	size_t n;

	if (!starts(line, "  File \""))
		return false;
	name = skip(line, strlen("  File \""));
	for (size_t i = 0; i + sizeof(middle) - 1 <= name.len; i++)
		if (memcmp(name.at + i, middle, sizeof(middle) - 1) == 0)
			at = i;
	n = at + sizeof(middle) - 1;
	if (at == 0 || n >= name.len)
		return false;
	for (size_t digits = 0; n < name.len && name.at[n] >= '0' && name.at[n] <= '9';
	     digits++, n++) {
		if (digits == 9)
			return false;
		number = number * 10 + (unsigned long)(name.at[n] - '0');
	}
	if (n < name.len && !starts(skip(name, n), ", in "))
		return false;
	*ret_is_syntax = n == name.len;
	ret->line = number;
	ret->code[0] = '\0';
	(void)text_copy(ret->file, sizeof(ret->file), name.at, at);
	return true;
}

static bool is_type_char(char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	    (unsigned char)c >= 0x80)
		return true;
	return !first && ((c >= '0' && c <= '9') || c == '.' || c == '<' || c == '>');
}

/* "Type: message", "Type". */
static bool parse_exception(struct line line, struct traceback *ret)
{
	size_t n = 0;

	while (n < line.len && is_type_char(line.at[n], n == 0))
		n++;
	if (n == 0 || n >= sizeof(ret->type) || (n < line.len && line.at[n] != ':') ||
	    (n + 1 < line.len && line.at[n + 1] != ' '))
		return false;
	(void)text_copy(ret->type, sizeof(ret->type), line.at, n);
	ret->message[0] = '\0';
	if (n + 2 < line.len)
		(void)text_copy(ret->message, sizeof(ret->message), line.at + n + 2,
				line.len - n - 2);
	return true;
}

/* The block at hand is complete. */
static void keep(struct parser *p)
{
	bool chained = p->chained;

	p->place = PLACE_MESSAGE;
	p->open = NULL;
	p->chained = false;
	if (p->nested) {
		if (p->kept && p->count < p->max) {
			p->open = &p->ret[p->count++];
			*p->open = p->now;
		}
		return;
	}
	if (p->rank == RANK_IGNORED || (p->count > 0 && p->rank < p->ret_rank)) {
		p->kept = false;
		return;
	}
	if (chained && p->kept) {
		size_t rest = p->count < p->max ? p->count : p->max - 1;

		memmove(p->ret + 1, p->ret, rest * sizeof(*p->ret));
		p->count = rest + 1;
	} else {
		p->count = 1;
	}
	p->ret[0] = p->now;
	p->ret_rank = p->rank;
	p->kept = true;
	p->open = &p->ret[0];
}

static void append(struct traceback *to, struct line line)
{
	size_t used = strlen(to->message);

	if (used + 2 >= sizeof(to->message))
		return;
	to->message[used++] = '\n';
	(void)text_copy(to->message + used, sizeof(to->message) - used, line.at, line.len);
}

/* Takes the margin of an exception group off. False when the line has been dealt with. */
static bool enter_group(struct parser *p, struct line *line)
{
	static const char header[] = "  + Exception Group Traceback (most recent call last):";
	size_t margin = 0;

	if (is(*line, header)) {
		p->nested = false;
		p->in_group = true;
		begin(p);
		return false;
	}
	if (!p->in_group)
		return true;
	while (margin < line->len && line->at[margin] == ' ')
		margin++;
	if (margin < 2 || margin >= line->len ||
	    (line->at[margin] != '|' && line->at[margin] != '+')) {
		p->in_group = p->nested = false;
		p->place = PLACE_OUTSIDE;
		p->open = NULL;
		return true;
	}
	/* Between two exceptions of the group, or a group in the group. */
	if (line->at[margin] == '+') {
		p->nested = true;
		begin(p);
		return false;
	}
	*line = skip(*line, margin + 1);
	if (starts(*line, " "))
		*line = skip(*line, 1);
	return true;
}

static void outside(struct parser *p, struct line line)
{
	if (line.len == 0)
		return;
	p->open = NULL;
	p->place = PLACE_OUTSIDE;
	if (line.at[0] != ' ')
		p->is_cut = false;
	p->chained = is_chain_sentence(line);
	if (!announces(line, &p->next_rank))
		p->next_rank = RANK_MAIN;
}

static void take_line(struct parser *p, struct line line)
{
	bool is_syntax = false;
	enum rank rank;

	if (!enter_group(p, &line))
		return;
	if (is(line, "Traceback (most recent call last):")) {
		begin(p);
		return;
	}
	if (p->place != PLACE_FRAMES) {
		struct traceback frame;

		/* A syntax error in the script itself has no header, nor has what was cut at its
		 * beginning. */
		if (!parse_frame(line, &frame, &is_syntax) || (!is_syntax && !p->is_cut)) {
			if (p->place == PLACE_MESSAGE && !is_chain_sentence(line) &&
			    !announces(line, &rank)) {
				if (p->open != NULL)
					append(p->open, line);
			} else {
				outside(p, line);
			}
			return;
		}
		begin(p);
	}
	if (parse_frame(line, &p->now, &is_syntax))
		return;
	if (line.len == 0 || line.at[0] == ' ') {
		if (starts(line, "    ") && p->now.file[0] != '\0' && p->now.code[0] == '\0')
			(void)text_copy(p->now.code, sizeof(p->now.code), line.at + 4,
					line.len - 4);
		return;
	}
	if (parse_exception(line, &p->now))
		keep(p);
}

/* Empty lines after a message are not its own. */
static void trim(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		text[--len] = '\0';
}

size_t traceback_parse(const char *text, struct traceback *ret, size_t max)
{
	struct parser p = {.next_rank = RANK_MAIN, .is_cut = true, .ret = ret, .max = max};

	while (max > 0 && *text != '\0') {
		struct line line = {text, strcspn(text, "\n")};

		text += line.len + (text[line.len] == '\n' ? 1 : 0);
		take_line(&p, line);
	}
	for (size_t i = 0; i < p.count; i++)
		trim(ret[i].message);
	return p.count;
}
