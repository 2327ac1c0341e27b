#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "run/scrub.h"

#define ESC "\033"
#define CSI ESC "["
#define SAME NULL

/* Input, output (SAME: all of it), and how much was left out. */
static const struct row {
	const char *in;
	const char *out;
	uint64_t neutralised;
} rows[] = {
    /* text */
    {"", SAME, 0},
    {"plain text ~ \t tab\r\n", SAME, 0},
    {"\a\b\t\n\v\f\r", SAME, 0},
    {"gr\303\274n \342\202\254 \360\237\230\200", SAME, 0},
    {"\302\240\357\277\275\364\217\277\277", SAME, 0},
    {"a\005b", "ab", 1}, /* ENQ: the terminal would answer */
    {"a\177b\001c\032d", "abcd", 3},

    /* what is no UTF-8 */
    {"a\377b\376", "a\357\277\275b\357\277\275", 2},
    {"a\300\233b", "a\357\277\275\357\277\275b", 2}, /* an overlong ESC */
    {"\340\200\233", "\357\277\275\357\277\275\357\277\275", 3},
    {"\355\240\200", "\357\277\275\357\277\275\357\277\275", 3}, /* a surrogate */
    {"\364\220\200\200", "\357\277\275\357\277\275\357\277\275\357\277\275", 4},
    {"\342\202x", "\357\277\275x", 1},
    {"\342\202" CSI "31mx", "\357\277\275" CSI "31mx", 1},
    {"\303\303\244", "\357\277\275\303\244", 1},

    /* colour */
    {CSI "m" CSI "0m" CSI "1;31m" CSI "38;5;196m" CSI "48;2;1;2;3m", SAME, 0},
    {CSI "4:3m" CSI "58:2::255:0:0m", SAME, 0},
    {CSI ">4;2m" CSI "?4m", "", 2}, /* keys */
    {CSI "99999m", "", 1},

    /* cursor, erase, scroll */
    {CSI "A" CSI "12B" CSI "3C" CSI "4D" CSI "E" CSI "F" CSI "80G" CSI "H" CSI "10;20H" CSI "5;6f", SAME, 0},
    {CSI "7d" CSI "2e" CSI "3`" CSI "4a" CSI "I" CSI "Z", SAME, 0},
    {CSI "J" CSI "1J" CSI "2J" CSI "K" CSI "2K" CSI "3X" CSI "2@" CSI "P" CSI "L" CSI "M", SAME, 0},
    {CSI "3J", "", 1}, /* what was there before us */
    {CSI "2S" CSI "3T" CSI "2;20r" CSI "r", SAME, 0},
    {CSI "1;2;3;4;5T", "", 1}, /* follows the mouse */
    {CSI "s" CSI "u" ESC "7" ESC "8" ESC "D" ESC "E" ESC "M", SAME, 0},
    {CSI "1;80s" CSI ">1u" CSI "=1u" CSI "?u", "", 4}, /* margins, keys */
    {CSI "80b", SAME, 0},
    {CSI "5000b", "", 1},
    {CSI "4h" CSI "4l", SAME, 0},
    {CSI "h" CSI "2h" CSI "20h" CSI "4;2h", "", 4}, /* locks the keyboard, changes newlines */
    {CSI "1;2H" CSI "1;2;3H" CSI "1:2H", CSI "1;2H", 2},

    /* modes */
    {CSI "?25l" CSI "?25h" CSI "?7l" CSI "?1h" CSI "?1049h" CSI "?47h" CSI "?1047l" CSI "?1048h", SAME, 0},
    {CSI "?25;1049h" CSI "?1;7l", SAME, 0},
    {CSI "?1049;1000;25h", CSI "?1049;25h", 1},
    {CSI "?1000h" CSI "?1006h" CSI "?1003h" CSI "?1004h" CSI "?2004h" CSI "?9h", "", 6}, /* mouse, focus, paste */
    {CSI "?3h" CSI "?5h" CSI "?40h" CSI "?66h" CSI "?67h" CSI "?1034h" CSI "?h", "", 7},
    {CSI "?25s" CSI "?25r" CSI "?25$p" CSI "?25p" CSI "?2J" CSI "?6n", "", 6},

    /* questions: the answer would be typed */
    {"a" CSI "c" CSI ">c" CSI "=c" CSI "0c" CSI "5n" CSI "6n" CSI "?6n" CSI "x" CSI ">q" "b", "ab", 9},
    {ESC "Z" ESC "P$qm" ESC "\\" ESC "P+q544e" ESC "\\" CSI "18t" CSI "21t" CSI "1;1;1;1;1;1*y", "", 6},
    {CSI "?25;0$p" CSI "4$p" CSI "1'|" CSI "i" CSI "5i", "", 5}, /* and the printer */

    /* window, keys, sets, resets */
    {CSI "8;50;200t" CSI "2t" CSI "22;0t", "", 3},
    {ESC "=" ESC ">", SAME, 0},
    {ESC "c" CSI "!p" CSI "61;1\"p" ESC "#8" ESC "#3" ESC " G" ESC "%@" ESC "%G", "", 8},
    {ESC "n" ESC "o" ESC "|" ESC "}" ESC "~" ESC "N" ESC "O" ESC "H" CSI "g" CSI "3g" ESC "l", "", 11},
    {CSI "2 q" CSI "1;1;2;2$z" CSI "1;1;2;2;1;3;3;1$v" CSI "4\"q" CSI "1+q", "", 5},

    /* strings, to their end */
    {"a" ESC "]0;title\ab", "ab", 1},
    {"a" ESC "]0;title" ESC "\\b", "ab", 1},
    {"a" ESC "]52;c;ZWNobyBoYWNrZWQK\ab", "ab", 1},
    {"a" ESC "]2;t\303\234\302\234b", "ab", 1},
    {"a" ESC "]0;" ESC "]0;" ESC "\\b", "ab", 2},
    {ESC "]8;;http://x.invalid/" ESC "\\text" ESC "]8;;" ESC "\\", "text", 2},
    {ESC "]11;?\a" ESC "]4;0;?" ESC "\\" ESC "]1337;x\a" ESC "]777;x\a", "", 4},
    {"a" ESC "P1$r\ax" ESC "\\b" ESC "_G" ESC "\\c" ESC "^p" ESC "\\d" ESC "Xs" ESC "\\e", "abcde", 4},
    {"a" ESC "ktitle" ESC "\\b", "ab", 1},
    {"a" ESC "]0;no end", "a", 1},
    {"a" ESC "]0;\030b" ESC "Px\032c", "abc", 2},
    {"a" ESC "]0;x" CSI "31mb", "a" CSI "31mb", 1},
    {"a" ESC "]0;x" ESC "cb", "ab", 2},

    /* eight bits, and the same in UTF-8 */
    {"\23331m", "\357\277\27531m", 1},
    {"a\302\23331mb", "a" CSI "31mb", 0},
    {"a\302\235" "0;title\ab", "ab", 1},
    {"a\302\220x\302\234b\302\230x\302\234c\302\236x\302\234d\302\237x\302\234e", "abcde", 4},
    {"a\302\205b\302\204\302\215\302\210\302\216\302\217\302\232\302\234\302\200", "ab", 9},
    {"\302\233" "c\302\233" "6n", "", 2},

    /* line drawing */
    {ESC "(0lqk\nx x" ESC "(Bq", "\342\224\214\342\224\200\342\224\220\n\342\224\202 \342\224\202q", 0},
    {ESC ")0a\016q\017q", "a\342\224\200q", 0},
    {ESC "(0Q_~\303\244", "Q \302\267\303\244", 0},
    {ESC "(<" ESC "*0" ESC "-A" ESC "(%5" "q", "q", 4},

    /* broken and odd */
    {ESC, "", 0},
    {ESC ESC ESC "7", ESC "7", 2},
    {CSI "\n31mx", "\n" CSI "31mx", 0}, /* as the terminal would do it */
    {CSI "3\0301mx", "1mx", 1},
    {CSI "3\303\244", "\303\244", 1},
    {CSI "31" ESC "7x", ESC "7x", 1},
    {CSI "1?2h" CSI "<1m" CSI ">c", "", 3},
    {CSI " m" CSI "1 m" CSI "1;;;m", CSI "1;;;m", 2},
    {CSI "1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1mx", "x", 1},
    {CSI "0000000000000000000000000000000000000000000000000000000000000000001mx", "x", 1},
};

struct result {
	char *text;
	size_t len;
	uint64_t neutralised;
};

/* Runs it in pieces of step bytes. */
static struct result run(const char *in, size_t len, size_t step)
{
	struct scrub scrub;
	struct result result = {malloc(SCRUB_ROOM(len) + len * (SCRUB_HELD + 8)), 0, 0};

	assert_non_null(result.text);
	scrub_init(&scrub);
	for (size_t at = 0; at < len; at += step) {
		size_t n = at + step < len ? step : len - at;
		size_t made = scrub_run(&scrub, in + at, n, result.text + result.len);

		assert_true(made <= SCRUB_ROOM(n));
		result.len += made;
	}
	result.neutralised = scrub.neutralised;
	return result;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		const char *want = row->out == SAME ? row->in : row->out;

		for (size_t step = 1; step < 6; step++) {
			struct result got = run(row->in, strlen(row->in), step);

			CHECK(got.len == strlen(want) && memcmp(got.text, want, got.len) == 0,
			      "row %zu, in pieces of %zu: %.*s", i, step, (int)got.len, got.text);
			CHECK(got.neutralised == row->neutralised, "row %zu: %llu", i,
			      (unsigned long long)got.neutralised);
			free(got.text);
		}
	}
}

static void test_nul_is_padding(void **state)
{
	struct result got = run("a\0b", 3, 1);

	(void)state;
	assert_int_equal(got.len, 2);
	assert_memory_equal(got.text, "ab", 2);
	assert_int_equal(got.neutralised, 0);
	free(got.text);
}

static void test_restore(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} restores[] = {
	    {"text" CSI "3A" CSI "2J" CSI "m", ""},
	    {CSI "31m", CSI "m"},
	    {CSI "31m" CSI "0m", ""},
	    {CSI "?25l" CSI "?7l" CSI "?1h", CSI "?1l" CSI "?25h" CSI "?7h"},
	    {CSI "?25l" CSI "?25h" CSI "?1049h" CSI "?1049l", ""},
	    {CSI "?1049h", CSI "?1049l"},
	    {CSI "?1049;47h" CSI "?1047h", CSI "?47l" CSI "?1047l" CSI "?1049l"},
	    {CSI "?1048h", ""},
	    {ESC "=" CSI "4h", CSI "4l" ESC ">"},
	    {ESC "=" ESC ">" CSI "4h" CSI "4l", ""},
	    {CSI "2;5r", ESC "7" CSI "r" ESC "8"},
	    {CSI "2;5r" CSI "r", ""},
	    {CSI "?1000h" ESC "]0;x\a", ""},
	    /* what a saved cursor brings back: colours, and whether lines wrap */
	    {ESC "7" ESC "8" CSI "u" CSI "?1048l", ""},
	    {CSI "8m" ESC "7" CSI "m" ESC "8", CSI "m"},
	    {CSI "8m" CSI "s" CSI "m" CSI "u", CSI "m"},
	    {CSI "8m" CSI "?1048h" CSI "m" CSI "?1048l", CSI "m"},
	    {CSI "8m" CSI "?1049h" CSI "m" CSI "?1049l", CSI "m"},
	    {CSI "8m" CSI "?1049h" CSI "m", CSI "?1049l" CSI "m"},
	    {CSI "8m" ESC "7" CSI "m" ESC "8" CSI "m", ""},
	    {CSI "?7l" ESC "7" CSI "?7h" ESC "8", CSI "?7h"},
	    {CSI "?7l" CSI "?1049h" CSI "?7h", CSI "?1049l" CSI "?7h"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(restores); i++) {
		struct scrub scrub;
		char out[256];
		char text[SCRUB_RESTORE_MAX];
		size_t len;

		scrub_init(&scrub);
		assert_true(scrub_run(&scrub, restores[i].in, strlen(restores[i].in), out) <= sizeof(out));
		len = scrub_restore(&scrub, text);
		CHECK(len == strlen(restores[i].out) && memcmp(text, restores[i].out, len) == 0, "row %zu: %.*s", i,
		      (int)len, text);
		assert_int_equal(scrub_restore(&scrub, text), 0);
	}
}

/* All at once. */
static void test_restore_fits(void **state)
{
	static const char in[] = CSI "31m" CSI "2;5r" CSI "4h" ESC "=" CSI "?1;47;1047;1048;1049h" CSI "?7;25l";
	struct scrub scrub;
	char out[SCRUB_ROOM(sizeof(in))];
	char text[SCRUB_RESTORE_MAX];

	(void)state;
	scrub_init(&scrub);
	assert_int_equal(scrub_run(&scrub, in, sizeof(in) - 1, out), sizeof(in) - 1);
	assert_in_range(scrub_restore(&scrub, text), 40, SCRUB_RESTORE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_nul_is_padding),
	    cmocka_unit_test(test_restore),
	    cmocka_unit_test(test_restore_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
