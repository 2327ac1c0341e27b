/* Captured bytes: all of them, and as text that is UTF-8 whatever they are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/capture.h"
#include "unit.h"

static void test_add(void **state)
{
	struct capture capture = {NULL, 0, 0};
	char chunk[1000];

	(void)state;
	assert_int_equal(capture_add(&capture, "", 0), 0);
	assert_null(capture.bytes);
	for (unsigned int i = 0; i < 1000; i++) {
		memset(chunk, (int)(i & 0xff), sizeof(chunk));
		assert_int_equal(capture_add(&capture, chunk, i), 0);
	}
	assert_int_equal(capture.len, 999 * 1000 / 2);
	assert_int_equal((unsigned char)capture.bytes[capture.len - 1], 999 & 0xff);
	assert_int_equal(capture.bytes[capture.len], 0);
	assert_int_equal(capture_add(&capture, chunk, SIZE_MAX - 5), -ENOMEM);
	assert_int_equal(capture.len, 999 * 1000 / 2);
	capture_fini(&capture);
	assert_null(capture.bytes);
}

static void test_text(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *text;
		size_t text_len;
		size_t bad;
		const char *base64;
	} rows[] = {
	    {"", 0, "", 0, 0, ""},
	    {"f", 1, "f", 1, 0, "Zg=="},
	    {"fo", 2, "fo", 2, 0, "Zm8="},
	    {"foo", 3, "foo", 3, 0, "Zm9v"},
	    {"foobar", 6, "foobar", 6, 0, "Zm9vYmFy"},
	    {"a\0b", 3, "a\0b", 3, 0, "YQBi"},
	    {"\303\251", 2, "\303\251", 2, 0, "w6k="},
	    {"\303", 1, "\357\277\275", 3, 1, "ww=="},
	    {"\360\237\230", 3, "\357\277\275\357\277\275\357\277\275", 9, 3, "8J+Y"},
	    {"\377\377\377", 3, "\357\277\275\357\277\275\357\277\275", 9, 3, "////"},
	    {"a\300b", 3, "a\357\277\275b", 5, 1, "YcBi"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct capture capture = {NULL, 0, 0};
		size_t len = 0;
		char *text;
		char *base64;

		assert_int_equal(capture_add(&capture, rows[i].bytes, rows[i].len), 0);
		text = capture_utf8(&capture, &len);
		base64 = capture_base64(&capture);
		CHECK(len == rows[i].text_len && memcmp(text, rows[i].text, len) == 0, "row %zu: %s", i, text);
		CHECK(capture_count_bad(&capture) == rows[i].bad, "row %zu", i);
		CHECK(unit_same(base64, rows[i].base64), "row %zu: %s", i, base64);
		free(text);
		free(base64);
		capture_fini(&capture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_add), cmocka_unit_test(test_text)};

	return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
