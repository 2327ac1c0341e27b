/*
 * A task's output on its way to a terminal: whatever goes in, nothing comes out but text and the sequences of the
 * allow-list, which are written down here a second time; however the input is cut, the same comes out; what came
 * out is left alone when it goes through once more.
 */
#include "fuzz.h"

#include <stdbool.h>

#include "run/scrub.h"

static bool is_one_of(unsigned long number, const unsigned long *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == number)
			return true;
	return false;
}

/* The length of the harmless control sequence after ESC [. */
static size_t check_csi(const char *text, size_t len)
{
	static const unsigned long modes[] = {1, 7, 25, 47, 1047, 1048, 1049};
	bool private_mark = len > 0 && text[0] == '?';
	size_t n = private_mark;
	unsigned long number = 0;

	for (; n < len && ((text[n] >= '0' && text[n] <= '9') || text[n] == ';' || text[n] == ':'); n++) {
		bool digit = text[n] >= '0' && text[n] <= '9';

		if (!digit && private_mark)
			FUZZ_CHECK(is_one_of(number, modes, sizeof(modes) / sizeof(modes[0])));
		number = digit ? number * 10 + (unsigned long)(text[n] - '0') : 0;
		FUZZ_CHECK(number <= 9999);
	}
	FUZZ_CHECK(n < len && n < SCRUB_HELD + 2);
	if (private_mark) {
		FUZZ_CHECK(text[n] == 'h' || text[n] == 'l');
		FUZZ_CHECK(is_one_of(number, modes, sizeof(modes) / sizeof(modes[0])));
		FUZZ_CHECK(memchr(text, ':', n) == NULL);
	} else {
		FUZZ_CHECK(text[n] != '\0' && strchr("@ABCDEFGHIJKLMPSTXZ`abdefhlmrsu", text[n]) != NULL);
		FUZZ_CHECK(text[n] == 'm' || memchr(text, ':', n) == NULL);
		FUZZ_CHECK((text[n] != 'h' && text[n] != 'l') || number == 4);
		FUZZ_CHECK((text[n] != 'J' && text[n] != 'K') || number <= 2);
		FUZZ_CHECK((text[n] != 's' && text[n] != 'u') || n == 0);
	}
	return n + 1;
}

/* The length of one character above U+009F. */
static size_t check_character(const unsigned char *text, size_t len)
{
	size_t follow = text[0] < 0xe0 ? 1 : text[0] < 0xf0 ? 2 : 3;
	uint32_t code = text[0] & (0x3fU >> follow);
	static const uint32_t lowest[] = {0, 0xa0, 0x800, 0x10000};

	FUZZ_CHECK(text[0] >= 0xc2 && text[0] <= 0xf4 && len > follow);
	for (size_t i = 1; i <= follow; i++) {
		FUZZ_CHECK((text[i] & 0xc0) == 0x80);
		code = code << 6 | (text[i] & 0x3f);
	}
	FUZZ_CHECK(code >= lowest[follow] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
	return follow + 1;
}

static void check_harmless(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len) {
		unsigned char byte = (unsigned char)text[i];

		if (byte >= 0x80) {
			i += check_character((const unsigned char *)text + i, len - i);
		} else if (byte == 0x1b) {
			FUZZ_CHECK(i + 1 < len);
			if (text[i + 1] == '[') {
				i += 2 + check_csi(text + i + 2, len - i - 2);
			} else {
				FUZZ_CHECK(text[i + 1] != '\0' && strchr("78DEM=>", text[i + 1]) != NULL);
				i += 2;
			}
		} else {
			FUZZ_CHECK((byte >= 0x07 && byte <= 0x0d) || (byte >= 0x20 && byte < 0x7f));
			i++;
		}
	}
}

struct run {
	struct scrub scrub;
	char *text;
	size_t len;
};

/* Takes it in pieces whose sizes come out of a seed; 0: in one piece. */
static struct run run(const char *in, size_t size, uint32_t seed)
{
	struct run run = {.text = malloc(4 * SCRUB_ROOM(size + 1))};
	size_t at = 0;

	FUZZ_CHECK(run.text != NULL);
	scrub_init(&run.scrub);
	while (at < size) {
		size_t n = size - at;
		size_t made;

		seed = seed * 1664525 + (seed != 0 ? 1013904223 : 0);
		if (seed != 0 && n > 1 + (seed >> 16) % 7)
			n = 1 + (seed >> 16) % 7;
		made = scrub_run(&run.scrub, in + at, n, run.text + run.len);
		FUZZ_CHECK(made <= SCRUB_ROOM(n));
		run.len += made;
		at += n;
	}
	return run;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *in = (const char *)data;
	struct run whole = run(in, size, 0);
	struct run again = run(whole.text, whole.len, 0);
	char restore[SCRUB_RESTORE_MAX];

	check_harmless(whole.text, whole.len);
	for (uint32_t seed = 1; seed < 4; seed++) {
		struct run pieces = run(in, size, seed);

		FUZZ_CHECK(pieces.len == whole.len && memcmp(pieces.text, whole.text, whole.len) == 0);
		FUZZ_CHECK(pieces.scrub.neutralised == whole.scrub.neutralised);
		FUZZ_CHECK(pieces.scrub.changed == whole.scrub.changed);
		free(pieces.text);
	}
	FUZZ_CHECK(again.len == whole.len && memcmp(again.text, whole.text, whole.len) == 0);
	FUZZ_CHECK(again.scrub.neutralised == 0);
	FUZZ_CHECK(scrub_restore(&whole.scrub, restore) <= sizeof(restore));
	free(whole.text);
	free(again.text);
	return 0;
}
