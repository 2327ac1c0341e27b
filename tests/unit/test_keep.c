#include "unit.h"

#include <string.h>

#include "base/text.h"
#include "run/keep.h"

/* What comes out, when the input comes in steps. */
static const char *kept(enum policy_keep mode, uint64_t bound, bool scrubs, const char *in, size_t step,
			uint64_t *ret_omitted)
{
	static char out[4096];
	struct scrub scrub;
	struct scrub *judge = scrubs ? &scrub : NULL;
	struct keep keep;
	size_t len = strlen(in);
	size_t n = 0;
	size_t given;
	char piece[7];

	scrub_init(&scrub);
	keep_init(&keep, mode, bound);
	for (size_t at = 0; at < len; at += step) {
		size_t some = len - at < step ? len - at : step;
		size_t now = keep_head(&keep, !scrubs, in + at, some);

		assert_true(now <= some);
		if (scrubs) {
			n += scrub_run(&scrub, in + at, now, out + n);
		} else {
			memcpy(out + n, in + at, now);
			n += now;
		}
		assert_int_equal(keep_rest(&keep, judge, in + at + now, some - now), 0);
	}
	keep_end(&keep, judge);
	n += keep_note(&keep, "\n", out + n);
	while ((given = keep_give(&keep, piece, sizeof(piece))) > 0) {
		if (scrubs) {
			n += scrub_run(&scrub, piece, given, out + n);
		} else {
			memcpy(out + n, piece, given);
			n += given;
		}
	}
	assert_int_equal(keep_discard(&keep), 0);
	*ret_omitted = keep.omitted;
	out[n] = '\0';
	return out;
}

#define LEFT(n) "[capsule-run: " #n " bytes were left out here]\n"
#define EURO	"\342\202\254"
#define FACE	"\360\237\230\200"
#define RED	"\033[31m"

static void test_kept(void **state)
{
	static const struct {
		enum policy_keep mode;
		uint64_t bound;
		bool scrubs;
		const char *in;
		const char *out;
		uint64_t omitted;
	} rows[] = {
	    {KEEP_HEAD, LIMIT_NONE, false, "0123456789", "0123456789", 0},
	    {KEEP_HEAD, 10, false, "0123456789", "0123456789", 0},
	    {KEEP_HEAD, 9, false, "0123456789", "012345678", 1},
	    {KEEP_HEAD, 0, false, "0123456789", "", 10},
	    {KEEP_TAIL, LIMIT_NONE, false, "0123456789", "0123456789", 0},
	    {KEEP_TAIL, 10, false, "0123456789", "0123456789", 0},
	    {KEEP_TAIL, 9, false, "0123456789", "123456789", 1},
	    {KEEP_TAIL, 1, false, "0123456789", "9", 9},
	    {KEEP_TAIL, 0, false, "0123456789", "", 10},
	    {KEEP_BOTH, LIMIT_NONE, false, "0123456789", "0123456789", 0},
	    {KEEP_BOTH, 10, false, "0123456789", "0123456789", 0},
	    {KEEP_BOTH, 9, false, "0123456789", "0123\n" LEFT(1) "56789", 1},
	    {KEEP_BOTH, 6, false, "01\n3456789", "01\n" LEFT(4) "789", 4},
	    {KEEP_BOTH, 1, false, "0123456789", LEFT(9) "9", 9},
	    {KEEP_BOTH, 0, false, "0123456789", LEFT(10), 10},
	    /* No character is cut, and none is lost that fits. */
	    {KEEP_HEAD, 4, false, "ab" EURO, "ab", 3},
	    {KEEP_HEAD, 5, false, "ab" EURO, "ab" EURO, 0},
	    {KEEP_HEAD, 5, false, "ab" EURO "c", "ab" EURO, 1},
	    {KEEP_HEAD, 4, false, EURO FACE, EURO, 4},
	    {KEEP_HEAD, 6, false, EURO FACE, EURO, 4},
	    {KEEP_HEAD, 7, false, EURO FACE, EURO FACE, 0},
	    {KEEP_TAIL, 4, false, "ab" EURO "cd", "cd", 5},
	    {KEEP_TAIL, 5, false, "ab" EURO "cd", EURO "cd", 2},
	    {KEEP_TAIL, 3, false, EURO FACE, "", 7},
	    {KEEP_BOTH, 8, false, "abc" EURO "de" EURO "fg", "abc\n" LEFT(5) EURO "fg", 5},
	    {KEEP_BOTH, 8, false, "abc" EURO "de", "abc" EURO "de", 0},
	    /* Bytes that are no UTF-8 are as many. */
	    {KEEP_HEAD, 3, false, "\377\300\301\377", "\377\300\301", 1},
	    {KEEP_HEAD, 3, false, "ab\342", "ab\342", 0},
	    /* Neither is an escape sequence, where they are judged. */
	    {KEEP_HEAD, 4, true, "ab" RED "cd", "ab", 5},
	    {KEEP_TAIL, 5, true, "ab" RED "cd", "cd", 7},
	    {KEEP_TAIL, 7, true, "ab" RED "cd", RED "cd", 2},
	    {KEEP_TAIL, 4, true, "a\033]0;title\acd", "cd", 11},
	    {KEEP_TAIL, 4, true, "ab" EURO "cde", "cde", 5},
	    {KEEP_BOTH, 10, true, "ab" RED "cdefg\033[1mh", "ab\n" LEFT(7) "\033[1mh", 7},
	    {KEEP_BOTH, 8, true, "ab" RED "c", "ab" RED "c", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t step = 1; step < 20; step++) {
			uint64_t omitted;
			const char *out = kept(rows[i].mode, rows[i].bound, rows[i].scrubs, rows[i].in, step, &omitted);

			CHECK(strcmp(out, rows[i].out) == 0, "row %zu, step %zu: '%s'", i, step, out);
			CHECK(omitted == rows[i].omitted, "row %zu, step %zu: %d", i, step, (int)omitted);
		}
}

/* Every length, so that the ring turns at every place. */
static void test_turns(void **state)
{
	char in[200];

	(void)state;
	for (size_t len = 0; len < sizeof(in); len++)
		for (size_t bound = 0; bound < 40; bound++) {
			uint64_t omitted;
			const char *out;
			size_t left = len > bound ? len - bound : 0;

			for (size_t i = 0; i < len; i++)
				in[i] = (char)('a' + (i * 7 + i / 26) % 26);
			in[len] = '\0';
			out = kept(KEEP_TAIL, bound, false, in, len % 23 + 1, &omitted);
			CHECK(strcmp(out, in + left) == 0 && omitted == left, "%zu of %zu: '%s'", bound, len, out);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kept),
	    cmocka_unit_test(test_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
