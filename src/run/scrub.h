/*
 * What a task prints, made harmless for the terminal that shows it.
 *
 * An allow-list: text in UTF-8, the few control characters that place it, and escape sequences that colour,
 * move the cursor, erase, insert, delete and scroll, or use the other screen. All else is left out and
 * counted: whatever makes a terminal answer (its answer would be typed input), whatever sets its title,
 * clipboard, character set, size, printer, mouse, paste or keys, resets, strings (OSC, DCS, APC, PM, SOS),
 * all of that in 8-bit form too. Hyperlinks (OSC 8) lose the link and keep their text. Bytes that are no
 * UTF-8 become U+FFFD. The character sets that draw lines (ESC ( 0, SO, SI) are translated to Unicode, so
 * that the terminal's own never changes.
 *
 * What comes out is whole: a sequence is held back until it has been judged. The state is of fixed size, and
 * the result does not depend on how the input was cut. What may stay switched on after the task has ended
 * (the other screen, a hidden cursor, colours, cursor keys) is remembered, and scrub_restore() says how to
 * put it back.
 *
 * ECMA-48; xterm's ctlseqs; the state machine is the usual one (vt100.net/emu/dec_ansi_parser).
 */
#ifndef CAPSULE_RUN_SCRUB_H
#define CAPSULE_RUN_SCRUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest sequence that is let through. */
#define SCRUB_HELD 64

/* How much len bytes may become. */
#define SCRUB_ROOM(len) (3 * (len) + SCRUB_HELD + 8)

/* Enough for what scrub_restore() writes. */
#define SCRUB_RESTORE_MAX 96

enum scrub_state {
	SCRUB_TEXT,
	SCRUB_UTF8,	  /* inside of a character */
	SCRUB_ESCAPE,	  /* after ESC */
	SCRUB_CHARSET,	  /* after ESC and intermediate bytes */
	SCRUB_CSI,	  /* after ESC [ */
	SCRUB_STRING,	  /* OSC, DCS and the like: until ST */
	SCRUB_STRING_C2,  /* perhaps an ST of two bytes */
	SCRUB_STRING_ESC, /* perhaps ESC \ */
};

struct scrub {
	enum scrub_state state;
	bool bell_ends;	  /* the string is an OSC, which BEL ends as well */
	bool too_long;	  /* more than SCRUB_HELD: not let through */
	bool drawing[2];  /* G0 and G1 hold line drawing characters */
	unsigned int set; /* which of them is in use */
	unsigned char held[SCRUB_HELD];
	size_t held_len;
	unsigned int utf8_left; /* continuation bytes that are still to come */
	uint32_t changed;	/* what scrub_restore() puts back */
	uint32_t ever;		/* what was changed at any time: a saved cursor may bring it back */
	uint64_t neutralised;	/* sequences, control characters and wrong bytes that were left out */
};

/* All zeros is the start, too. */
void scrub_init(struct scrub *scrub);

/* Takes len bytes and writes at most SCRUB_ROOM(len) to out. Returns how many. */
size_t scrub_run(struct scrub *scrub, const char *in, size_t len, char *out);

/* Writes what puts the terminal back, at most SCRUB_RESTORE_MAX bytes, and forgets it. Returns how many; 0 when
 * nothing was changed. */
size_t scrub_restore(struct scrub *scrub, char *out);

#endif
