#include "unit.h"

#include <string.h>

#include "base/tail.h"

static const char *text_of(const char *bytes, size_t len, size_t step)
{
	static char text[TAIL_BYTES + 1];
	struct tail tail = {NULL, 0};

	for (size_t at = 0; at < len; at += step)
		tail_add(&tail, bytes + at, len - at < step ? len - at : step);
	tail_text(&tail, text);
	tail_fini(&tail);
	assert_null(tail.bytes);
	return text;
}

static void test_text(void **state)
{
	static const struct {
		const char *bytes;
		const char *text;
	} rows[] = {
	    {"", ""},
	    {"a\nb\n", "a\nb\n"},
	    {"no end", "no end"},
	    {"a\r\nb\rc\r", "a\nb\nc\n"},
	    {"tab\tbell\a del\177", "tab\tbell? del?"},
	    {"\033[1;31mred\033[0m", "red"},
	    {"\033[?25lx\033[2Jy\033[38:5:1mz", "xyz"},
	    {"\033]0;title\ax\033]52;c;eA==\033\\y", "xy"},
	    {"\033Pq data\033\\x\033_apc\033\\y", "xy"},
	    {"\033(Bx\0337y\033=z", "xyz"},
	    {"\033]never ends\nnext", "\nnext"},
	    {"\033[12\nnext", "\nnext"},
	    {"cut\033", "cut"},
	    {"cut\033[", "cut"},
	    {"cut\033]", "cut"},
	    {"\303\251\346\227\245\360\237\230\200", "\303\251\346\227\245\360\237\230\200"},
	    {"bad\377 \303 \300\200 \355\240\200", "bad? ? ?? ???"},
	    {"c1 \302\233x", "c1 ?x"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t step = 1; step < 9; step += 7)
			CHECK(strcmp(text_of(rows[i].bytes, strlen(rows[i].bytes), step), rows[i].text) == 0,
			      "row %zu: '%s'", i, text_of(rows[i].bytes, strlen(rows[i].bytes), step));
	assert_string_equal(text_of("nul\0x", 5, 5), "nul?x");
}

/* However it came, the last whole lines are there, and nothing else. */
static void test_only_the_end(void **state)
{
	static const size_t steps[] = {1, 7, 4096, TAIL_BYTES - 1, TAIL_BYTES, TAIL_BYTES + 1, 65536, 1000000};
	static char bytes[200000];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i % 100 == 99 ? '\n' : 'a' + i / 100 % 26);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		const char *text = text_of(bytes, sizeof(bytes), steps[i]);
		size_t len = strlen(text);

		CHECK(len == 8100, "step %zu: %zu", steps[i], len);
		CHECK(memcmp(text, bytes + sizeof(bytes) - len, len) == 0, "step %zu", steps[i]);
	}
	/* Just full, one too many, and a line that is longer than all of it. */
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(strlen(text_of(bytes, TAIL_BYTES, TAIL_BYTES)), TAIL_BYTES);
	assert_int_equal(strlen(text_of(bytes, TAIL_BYTES + 1, 100)), 0);
	bytes[TAIL_BYTES + 500] = '\n';
	assert_int_equal(strlen(text_of(bytes, TAIL_BYTES + 600, 100)), 99);
}

static void test_costs_nothing_unused(void **state)
{
	struct tail tail = {NULL, 0};
	char text[TAIL_BYTES + 1] = "x";

	(void)state;
	tail_add(&tail, "", 0);
	assert_null(tail.bytes);
	tail_text(&tail, text);
	assert_string_equal(text, "");
	tail_fini(&tail);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_only_the_end),
	    cmocka_unit_test(test_costs_nothing_unused),
	};

	return cmocka_run_group_tests_name("tail", tests, NULL, NULL);
}
