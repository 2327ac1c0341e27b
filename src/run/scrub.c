#include "run/scrub.h"

#include <stdio.h>
#include <string.h>

#include "base/attr.h"

#define ESC 0x1b
#define CAN 0x18
#define SUB 0x1a
#define BEL 0x07
#define SHIFT_OUT 0x0e
#define SHIFT_IN 0x0f
#define DEL 0x7f

/* No terminal is larger. */
#define VALUE_MAX 9999
#define PARAMETERS_MAX 32

enum {
	CHANGED_STYLE = 1 << 0,
	CHANGED_MARGINS = 1 << 1,
	CHANGED_INSERT = 1 << 2,
	CHANGED_KEYPAD = 1 << 3,
	CHANGED_MODE = 1 << 4, /* and those of the other modes after it */
};

/* The last of the modes. */
#define CHANGED_WRAP ((uint32_t)CHANGED_MODE << 6)

/* CSI sequences without a private mark or intermediate bytes. count, max: of the parameters. */
static const struct {
	char final;
	unsigned int count;
	unsigned int max;
} sequences[] = {
    {'@', 1, VALUE_MAX}, /* insert characters */
    {'A', 1, VALUE_MAX}, /* cursor up, down, right, left */
    {'B', 1, VALUE_MAX},
    {'C', 1, VALUE_MAX},
    {'D', 1, VALUE_MAX},
    {'E', 1, VALUE_MAX}, /* next, previous line; column */
    {'F', 1, VALUE_MAX},
    {'G', 1, VALUE_MAX},
    {'H', 2, VALUE_MAX}, /* position */
    {'I', 1, VALUE_MAX}, /* tabs */
    {'J', 1, 2},	 /* erase the display; 3 would be what was scrolled away before us */
    {'K', 1, 2},	 /* erase the line */
    {'L', 1, VALUE_MAX}, /* insert, delete lines; delete characters */
    {'M', 1, VALUE_MAX},
    {'P', 1, VALUE_MAX},
    {'S', 1, VALUE_MAX}, /* scroll */
    {'T', 1, VALUE_MAX},
    {'X', 1, VALUE_MAX}, /* erase characters */
    {'Z', 1, VALUE_MAX}, /* back by tabs */
    {'`', 1, VALUE_MAX}, /* column, right; row, down */
    {'a', 1, VALUE_MAX},
    {'b', 1, 999}, /* repeat a character: ncurses does; no more than a line or some */
    {'d', 1, VALUE_MAX},
    {'e', 1, VALUE_MAX},
    {'f', 2, VALUE_MAX}, /* position */
    {'h', 1, 4},	 /* insert mode */
    {'l', 1, 4},
    {'m', PARAMETERS_MAX, VALUE_MAX}, /* colours */
    {'r', 2, VALUE_MAX},	      /* the region that scrolls */
    {'s', 0, 0},		      /* save, restore the cursor */
    {'u', 0, 0},
};

/* Modes of CSI ? N h and l; what a terminal is found in, and so put back to. */
static const struct {
	unsigned int number;
	bool usual;
} modes[] = {
    {1, false},	   /* cursor keys as curses programs know them; without it they see no arrow */
    {25, true},	   /* the cursor is seen */
    {47, false},   /* the other screen */
    {1047, false}, /* likewise */
    {1048, false}, /* the cursor's place is saved: nothing to put back */
    {1049, false}, /* both */
    {7, true},	   /* lines wrap; after those that may restore it */
};

/* DEC's line drawing set, from 0x5f to 0x7e. */
static const char *const drawing[] = {
    " ",	    "\u25c6", "\u2592", "\u2409", "\u240c", "\u240d", "\u240a", "\u00b0", "\u00b1", "\u2424", "\u240b",
    "\u2518", "\u2510", "\u250c", "\u2514", "\u253c", "\u23ba", "\u23bb", "\u2500", "\u23bc", "\u23bd", "\u251c",
    "\u2524", "\u2534", "\u252c", "\u2502", "\u2264", "\u2265", "\u03c0", "\u2260", "\u00a3", "\u00b7",
};
_Static_assert(ARRAY_SIZE(modes) == 7, "CHANGED_WRAP is the last");
_Static_assert(ARRAY_SIZE(drawing) == 0x7e - 0x5f + 1, "one for each character");

void scrub_init(struct scrub *scrub)
{
	memset(scrub, 0, sizeof(*scrub));
}

static void hold(struct scrub *scrub, unsigned char byte)
{
	if (scrub->held_len < sizeof(scrub->held))
		scrub->held[scrub->held_len++] = byte;
	else
		scrub->too_long = true;
}

static void enter(struct scrub *scrub, enum scrub_state state)
{
	scrub->state = state;
	scrub->held_len = 0;
	scrub->too_long = false;
}

static size_t put(char *out, const char *text)
{
	size_t len = strlen(text);

	memcpy(out, text, len);
	return len;
}

/* Leaves out what was going on, and is back in the text. */
static void drop(struct scrub *scrub)
{
	scrub->neutralised++;
	enter(scrub, SCRUB_TEXT);
}

static void note(struct scrub *scrub, uint32_t bit, bool changed)
{
	scrub->changed = changed ? scrub->changed | bit : scrub->changed & ~bit;
	scrub->ever |= scrub->changed;
}

/* The cursor comes back with the colours and the wrapping that it was saved with, whichever those were. */
static void note_cursor(struct scrub *scrub)
{
	scrub->changed |= scrub->ever & (CHANGED_STYLE | CHANGED_WRAP);
}

/* Whether changing that mode may save or restore the cursor. */
static bool moves_cursor(unsigned int number)
{
	return number >= 47;
}

struct parameters {
	unsigned int value[PARAMETERS_MAX];
	unsigned int count; /* none at all is 0 */
};

/* Reads "1;2;3"; also with colons where they are let through. False when it is anything else. */
static bool parse(const unsigned char *text, size_t len, bool colons, struct parameters *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->count = len > 0;
	for (size_t i = 0; i < len; i++) {
		unsigned int *value = &ret->value[ret->count - 1];

		if (text[i] >= '0' && text[i] <= '9') {
			*value = *value * 10 + (text[i] - '0');
			if (*value > VALUE_MAX)
				return false;
		} else if (text[i] == ';' || (colons && text[i] == ':')) {
			if (++ret->count > PARAMETERS_MAX)
				return false;
		} else {
			return false;
		}
	}
	return true;
}

static size_t emit_csi(const struct scrub *scrub, char final, char *out)
{
	out[0] = ESC;
	out[1] = '[';
	memcpy(out + 2, scrub->held, scrub->held_len);
	out[2 + scrub->held_len] = final;
	return scrub->held_len + 3;
}

/* A sequence without a private mark. */
static size_t judge_plain(struct scrub *scrub, char final, char *out)
{
	struct parameters found;
	size_t row = 0;

	while (row < ARRAY_SIZE(sequences) && sequences[row].final != final)
		row++;
	if (row == ARRAY_SIZE(sequences) || !parse(scrub->held, scrub->held_len, final == 'm', &found) ||
	    found.count > sequences[row].count)
		return 0;
	for (unsigned int i = 0; i < found.count; i++)
		if (found.value[i] > sequences[row].max)
			return 0;
	if ((final == 'h' || final == 'l') && found.value[0] != 4)
		return 0;
	if (final == 'h' || final == 'l')
		note(scrub, CHANGED_INSERT, final == 'h');
	if (final == 'm')
		note(scrub, CHANGED_STYLE, found.count > 1 || found.value[0] != 0);
	if (final == 'r')
		note(scrub, CHANGED_MARGINS, found.value[0] > 1 || found.value[1] != 0);
	if (final == 'u')
		note_cursor(scrub);
	return emit_csi(scrub, final, out);
}

/* CSI ? N;N h or l: those of the modes that are let through. Any other is counted. */
static size_t judge_modes(struct scrub *scrub, char final, char *out)
{
	struct parameters found;
	bool all = true;
	size_t len = 0;

	if ((final != 'h' && final != 'l') || !parse(scrub->held + 1, scrub->held_len - 1, false, &found))
		return 0;
	for (unsigned int i = 0; i < found.count; i++) {
		size_t row = 0;

		while (row < ARRAY_SIZE(modes) && modes[row].number != found.value[i])
			row++;
		all = all && row < ARRAY_SIZE(modes);
		if (row == ARRAY_SIZE(modes))
			continue;
		note(scrub, (uint32_t)CHANGED_MODE << row, (final == 'h') != modes[row].usual);
		if (moves_cursor(modes[row].number))
			note_cursor(scrub);
		len += (size_t)snprintf(out + len, 12, "%s%u", len == 0 ? "\033[?" : ";", modes[row].number);
	}
	if (len == 0)
		return 0;
	scrub->neutralised += !all;
	out[len] = final;
	return len + 1;
}

static size_t end_csi(struct scrub *scrub, char final, char *out)
{
	size_t len = 0;

	if (!scrub->too_long)
		len = scrub->held_len > 0 && scrub->held[0] == '?' ? judge_modes(scrub, final, out)
								   : judge_plain(scrub, final, out);
	if (len == 0)
		scrub->neutralised++;
	enter(scrub, SCRUB_TEXT);
	return len;
}

static void begin_string(struct scrub *scrub, bool bell_ends)
{
	scrub->neutralised++;
	scrub->bell_ends = bell_ends;
	enter(scrub, SCRUB_STRING);
}

/* ESC and one byte, or the control character above 0x7f that means the same. */
static size_t end_escape(struct scrub *scrub, unsigned char final, bool is_c1, char *out)
{
	switch (final) {
	case '[':
		enter(scrub, SCRUB_CSI);
		return 0;
	case ']':
		begin_string(scrub, true);
		return 0;
	case 'P':
	case 'X':
	case '^':
	case '_':
		begin_string(scrub, false);
		return 0;
	case 'k':
		/* A title, for screen and tmux. */
		if (is_c1)
			break;
		begin_string(scrub, false);
		return 0;
	case 'D': /* down, next line, up: they scroll */
	case 'E':
	case 'M':
	case '7': /* save, restore the cursor */
	case '8':
	case '=': /* the keypad as curses programs know it */
	case '>':
		if (is_c1)
			break;
		if (final == '=' || final == '>')
			note(scrub, CHANGED_KEYPAD, final == '=');
		if (final == '8')
			note_cursor(scrub);
		enter(scrub, SCRUB_TEXT);
		out[0] = ESC;
		out[1] = (char)final;
		return 2;
	default:
		break;
	}
	drop(scrub);
	return 0;
}

/* ESC ( 0 and the like: the sets that are in use everywhere are kept track of here, none is passed on. */
static void end_charset(struct scrub *scrub, unsigned char final)
{
	unsigned char which = scrub->held[0];

	if (scrub->held_len != 1 || scrub->too_long || (which != '(' && which != ')') ||
	    (final != '0' && final != 'A' && final != 'B')) {
		drop(scrub);
		return;
	}
	scrub->drawing[which == ')'] = final == '0';
	enter(scrub, SCRUB_TEXT);
}

static size_t control(struct scrub *scrub, unsigned char byte, char *out)
{
	if (byte == SHIFT_OUT || byte == SHIFT_IN) {
		scrub->set = byte == SHIFT_OUT;
		return 0;
	}
	if (byte >= BEL && byte <= '\r') {
		out[0] = (char)byte;
		return 1;
	}
	scrub->neutralised += byte != 0;
	return 0;
}

/* The first byte of a character: how many follow, or 0. */
static unsigned int utf8_follow(unsigned char byte)
{
	if (byte >= 0xc2 && byte <= 0xdf)
		return 1;
	if (byte >= 0xe0 && byte <= 0xef)
		return 2;
	return byte >= 0xf0 && byte <= 0xf4 ? 3 : 0;
}

/* Whether the byte may be the second of a character: neither overlong, nor a surrogate, nor too high. */
static bool utf8_second(unsigned char first, unsigned char byte)
{
	unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

	return byte >= low && byte <= high;
}

static size_t wrong_byte(struct scrub *scrub, char *out)
{
	drop(scrub);
	return put(out, "\ufffd");
}

static size_t text(struct scrub *scrub, unsigned char byte, char *out)
{
	if (byte == ESC) {
		enter(scrub, SCRUB_ESCAPE);
		return 0;
	}
	if (byte < ' ' || byte == DEL)
		return control(scrub, byte, out);
	if (byte < DEL) {
		if (scrub->drawing[scrub->set] && byte >= 0x5f)
			return put(out, drawing[byte - 0x5f]);
		out[0] = (char)byte;
		return 1;
	}
	scrub->utf8_left = utf8_follow(byte);
	if (scrub->utf8_left == 0)
		return wrong_byte(scrub, out);
	enter(scrub, SCRUB_UTF8);
	hold(scrub, byte);
	return 0;
}

/* One more byte of a character. */
static size_t character(struct scrub *scrub, unsigned char byte, char *out)
{
	size_t len;

	if (scrub->held_len == 1 ? !utf8_second(scrub->held[0], byte) : (byte & 0xc0) != 0x80) {
		len = wrong_byte(scrub, out);
		return len + text(scrub, byte, out + len);
	}
	hold(scrub, byte);
	if (--scrub->utf8_left > 0)
		return 0;
	/* U+0080 to U+009F are ESC @ to ESC _ in one character. */
	if (scrub->held[0] == 0xc2 && byte < 0xa0)
		return end_escape(scrub, byte - 0x40, true, out);
	len = scrub->held_len;
	memcpy(out, scrub->held, len);
	enter(scrub, SCRUB_TEXT);
	return len;
}

/* Inside of an escape or control sequence. */
static size_t sequence(struct scrub *scrub, unsigned char byte, char *out)
{
	if (byte == ESC || byte == CAN || byte == SUB || byte >= 0x80) {
		drop(scrub);
		return byte == CAN || byte == SUB ? 0 : text(scrub, byte, out);
	}
	/* A terminal obeys those as if they stood before. */
	if (byte < ' ' || byte == DEL)
		return control(scrub, byte, out);
	if (scrub->state == SCRUB_CSI) {
		if (byte >= '@')
			return end_csi(scrub, (char)byte, out);
		hold(scrub, byte);
		return 0;
	}
	if (byte < '0') {
		scrub->state = SCRUB_CHARSET;
		hold(scrub, byte);
		return 0;
	}
	if (scrub->state == SCRUB_ESCAPE)
		return end_escape(scrub, byte, false, out);
	end_charset(scrub, byte);
	return 0;
}

/* Inside of a string, which was counted when it began. */
static size_t string(struct scrub *scrub, unsigned char byte, char *out)
{
	bool after_esc = scrub->state == SCRUB_STRING_ESC;
	bool after_c2 = scrub->state == SCRUB_STRING_C2;

	scrub->state = SCRUB_STRING;
	if ((after_esc && byte == '\\') || (after_c2 && byte == 0x9c) || byte == CAN || byte == SUB ||
	    (byte == BEL && scrub->bell_ends)) {
		enter(scrub, SCRUB_TEXT);
	} else if (after_esc) {
		/* It was broken off: this is the next one. */
		enter(scrub, SCRUB_ESCAPE);
		return sequence(scrub, byte, out);
	} else if (byte == ESC) {
		scrub->state = SCRUB_STRING_ESC;
	} else if (byte == 0xc2) {
		scrub->state = SCRUB_STRING_C2;
	}
	return 0;
}

size_t scrub_run(struct scrub *scrub, const char *in, size_t len, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)in[i];

		switch (scrub->state) {
		case SCRUB_TEXT:
			n += text(scrub, byte, out + n);
			break;
		case SCRUB_UTF8:
			n += character(scrub, byte, out + n);
			break;
		case SCRUB_ESCAPE:
		case SCRUB_CHARSET:
		case SCRUB_CSI:
			n += sequence(scrub, byte, out + n);
			break;
		case SCRUB_STRING:
		case SCRUB_STRING_C2:
		case SCRUB_STRING_ESC:
			n += string(scrub, byte, out + n);
			break;
		}
	}
	return n;
}

size_t scrub_restore(struct scrub *scrub, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if ((scrub->changed & ((uint32_t)CHANGED_MODE << i)) == 0 || modes[i].number == 1048)
			continue;
		if (moves_cursor(modes[i].number))
			note_cursor(scrub);
		n += (size_t)snprintf(out + n, 12, "\033[?%u%c", modes[i].number, modes[i].usual ? 'h' : 'l');
	}
	if ((scrub->changed & CHANGED_INSERT) != 0)
		n += put(out + n, "\033[4l");
	if ((scrub->changed & CHANGED_KEYPAD) != 0)
		n += put(out + n, "\033>");
	/* This one moves the cursor. */
	if ((scrub->changed & CHANGED_MARGINS) != 0)
		n += put(out + n, "\0337\033[r\0338");
	if ((scrub->changed & CHANGED_STYLE) != 0)
		n += put(out + n, "\033[m");
	scrub->changed = 0;
	scrub->ever = 0;
	return n;
}
