#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

#define UNTOUCHED 0x5eedU

struct row {
	const char *text;
	int r;
	uint64_t value;
};

typedef int parse_fn(const char *text, uint64_t *ret);

static void run_rows(parse_fn *parse, const struct row *rows, size_t count)
{
	for (const struct row *row = rows; row < rows + count; row++) {
		uint64_t value = UNTOUCHED;
		int r = parse(row->text, &value);

		CHECK(r == row->r, "'%s' gave %d", row->text, r);
		CHECK(value == (row->r == 0 ? row->value : UNTOUCHED), "'%s' gave %llu", row->text,
		      (unsigned long long)value);
	}
}

#define RUN_ROWS(parse, rows) run_rows(parse, rows, ARRAY_SIZE(rows))

static void test_u64(void **state)
{
	static const struct row rows[] = {
	    {"0", 0, 0},
	    {"00", 0, 0},
	    {"007", 0, 7},
	    {"4294967296", 0, 4294967296},
	    {"18446744073709551615", 0, UINT64_MAX},
	    {"18446744073709551616", -ERANGE, 0},
	    {"18446744073709551620", -ERANGE, 0},
	    {"99999999999999999999999", -ERANGE, 0},
	    {"", -EINVAL, 0},
	    {"-1", -EINVAL, 0},
	    {"+1", -EINVAL, 0},
	    {" 1", -EINVAL, 0},
	    {"1 ", -EINVAL, 0},
	    {"1\n", -EINVAL, 0},
	    {"0x10", -EINVAL, 0},
	    {"1.0", -EINVAL, 0},
	    {"1e3", -EINVAL, 0},
	    {"1_000", -EINVAL, 0},
	    {"\331\241", -EINVAL, 0}, /* an Arabic one */
	};

	(void)state;
	RUN_ROWS(text_parse_u64, rows);
}

static void test_size(void **state)
{
	static const struct row rows[] = {
	    {"0", 0, 0},
	    {"4096", 0, 4096},
	    {"1B", 0, 1},
	    {"512K", 0, 512ULL << 10},
	    {"512k", 0, 512ULL << 10},
	    {"512KB", 0, 512ULL << 10},
	    {"512KiB", 0, 512ULL << 10},
	    {"512M", 0, 512ULL << 20},
	    {"512m", 0, 512ULL << 20},
	    {"512MB", 0, 512ULL << 20},
	    {"512MiB", 0, 512ULL << 20},
	    {"3G", 0, 3ULL << 30},
	    {"3g", 0, 3ULL << 30},
	    {"3GB", 0, 3ULL << 30},
	    {"3GiB", 0, 3ULL << 30},
	    {"2T", 0, 2ULL << 40},
	    {"2t", 0, 2ULL << 40},
	    {"2TB", 0, 2ULL << 40},
	    {"2TiB", 0, 2ULL << 40},
	    {"1.5G", 0, 3ULL << 29},
	    {"0.5K", 0, 512},
	    {"0.25M", 0, 1ULL << 18},
	    {"1.000000000K", 0, 1024},
	    /* Fits, though digits times unit does not before the point is set. */
	    {"0.123456789T", 0, 135742175033},
	    {"1.12345678T", 0, 1235253792913},
	    {"16777215T", 0, 16777215ULL << 40},
	    {"18446744073709551614", 0, UINT64_MAX - 1},
	    {"18446744073709551615", -ERANGE, 0}, /* would mean unlimited */
	    {"18446744073709551616", -ERANGE, 0},
	    {"16777216T", -ERANGE, 0},
	    {"18014398509481984K", -ERANGE, 0},
	    {"99999999999999999999999G", -ERANGE, 0},
	    {"", -EINVAL, 0},
	    {"M", -EINVAL, 0},
	    {".5G", -EINVAL, 0},
	    {"1.", -EINVAL, 0},
	    {"1.G", -EINVAL, 0},
	    {"1..5G", -EINVAL, 0},
	    {"1.5.5G", -EINVAL, 0},
	    {"1,5G", -EINVAL, 0},
	    {"1.1234567890G", -EINVAL, 0},
	    {"-1", -EINVAL, 0},
	    {"+1M", -EINVAL, 0},
	    {" 1M", -EINVAL, 0},
	    {"1M ", -EINVAL, 0},
	    {"1 M", -EINVAL, 0},
	    {"1M\n", -EINVAL, 0},
	    {"1MM", -EINVAL, 0},
	    {"1Mi", -EINVAL, 0},
	    {"1mb", -EINVAL, 0},
	    {"1mib", -EINVAL, 0},
	    {"1P", -EINVAL, 0},
	    {"1s", -EINVAL, 0},
	    {"0x1000", -EINVAL, 0},
	    {"1e9", -EINVAL, 0},
	    {"inf", -EINVAL, 0},
	    {"unlimited", -EINVAL, 0},
	    {"max", -EINVAL, 0},
	};

	(void)state;
	RUN_ROWS(text_parse_size, rows);
}

static void test_duration(void **state)
{
	static const struct row rows[] = {
	    {"0", 0, 0},
	    {"90", 0, 90000},
	    {"0.5", 0, 500},
	    {"500ms", 0, 500},
	    {"30s", 0, 30000},
	    {"1.25s", 0, 1250},
	    {"10sec", 0, 10000},
	    {"5m", 0, 300000},
	    {"5min", 0, 300000},
	    {"1h", 0, 3600000},
	    {"1.5h", 0, 5400000},
	    {"2d", 0, 172800000},
	    {"18446744073709551614ms", 0, UINT64_MAX - 1},
	    {"18446744073709551615ms", -ERANGE, 0},
	    {"18446744073709551615", -ERANGE, 0},
	    {"213503982335d", -ERANGE, 0},
	    {"", -EINVAL, 0},
	    {"s", -EINVAL, 0},
	    {"ms", -EINVAL, 0},
	    {"-5s", -EINVAL, 0},
	    {"5 m", -EINVAL, 0},
	    {"5M", -EINVAL, 0},
	    {"1H", -EINVAL, 0},
	    {"1hour", -EINVAL, 0},
	    {"1m30s", -EINVAL, 0},
	    {"1:30", -EINVAL, 0},
	    {"5us", -EINVAL, 0},
	    {"1w", -EINVAL, 0},
	    {"forever", -EINVAL, 0},
	};

	(void)state;
	RUN_ROWS(text_parse_duration, rows);
}

static void test_milli(void **state)
{
	static const struct row rows[] = {
	    {"0", 0, 0},
	    {"2", 0, 2000},
	    {"0.5", 0, 500},
	    {"0.001", 0, 1},
	    {"1.25", 0, 1250},
	    {"1.500", 0, 1500},
	    {"18446744073709551", 0, 18446744073709551000U},
	    {"18446744073709552", -ERANGE, 0},
	    {"0.0005", -EINVAL, 0},
	    {"1.5000", -EINVAL, 0},
	    {"", -EINVAL, 0},
	    {".5", -EINVAL, 0},
	    {"2.", -EINVAL, 0},
	    {"-1", -EINVAL, 0},
	    {"50%", -EINVAL, 0},
	    {"2s", -EINVAL, 0},
	    {"2K", -EINVAL, 0},
	    {"2 ", -EINVAL, 0},
	};

	(void)state;
	RUN_ROWS(text_parse_milli, rows);
}

typedef char *format_fn(uint64_t value, char *buf, size_t size);

static void test_format(void **state)
{
	static const struct {
		format_fn *format;
		uint64_t value;
		const char *text;
	} rows[] = {
	    {text_format_size, 0, "0"},
	    {text_format_size, 1, "1"},
	    {text_format_size, 1023, "1023"},
	    {text_format_size, 4096, "4K"},
	    {text_format_size, 512ULL << 20, "512M"},
	    {text_format_size, 3ULL << 29, "1536M"},
	    {text_format_size, 1ULL << 60, "1048576T"},
	    {text_format_size, UINT64_MAX - 1, "18446744073709551614"},
	    {text_format_duration, 0, "0ms"},
	    {text_format_duration, 500, "500ms"},
	    {text_format_duration, 30000, "30s"},
	    {text_format_duration, 90000, "90s"},
	    {text_format_duration, 600000, "10m"},
	    {text_format_duration, 3600000, "1h"},
	    {text_format_duration, 172800000, "2d"},
	    {text_format_milli, 0, "0"},
	    {text_format_milli, 1, "0.001"},
	    {text_format_milli, 500, "0.5"},
	    {text_format_milli, 1250, "1.25"},
	    {text_format_milli, 10000, "10"},
	    {text_format_milli, UINT64_MAX - 616, "18446744073709550.999"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char buf[32];

		CHECK(rows[i].format(rows[i].value, buf, sizeof(buf)) == buf, "%s", rows[i].text);
		CHECK(strcmp(buf, rows[i].text) == 0, "'%s' for '%s'", buf, rows[i].text);
	}
}

/* What is printed parses back to the same value: around every power of two and of ten. */
static void test_round_trip(void **state)
{
	static const struct {
		format_fn *format;
		parse_fn *parse;
		uint64_t max;
	} rows[] = {
	    {text_format_size, text_parse_size, UINT64_MAX - 1},
	    {text_format_duration, text_parse_duration, UINT64_MAX - 1},
	    {text_format_milli, text_parse_milli, UINT64_MAX / 1000 - 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows) * 128; i++) {
		size_t row = i / 128;
		uint64_t base = i % 128 < 64 ? 1ULL << (i % 64) : 1;

		for (size_t n = 0; i % 128 >= 64 && n < i % 64 && n < 19; n++)
			base *= 10;
		for (uint64_t value = base - 1; value <= base + 1; value++) {
			uint64_t back = UNTOUCHED;
			char buf[32];

			if (value > rows[row].max)
				continue;
			CHECK(rows[row].parse(rows[row].format(value, buf, sizeof(buf)), &back) == 0,
			      "row %zu, '%s'", row, buf);
			CHECK(back == value, "row %zu, '%s' became %llu", row, buf, (unsigned long long)back);
		}
	}
}

static void test_env_name(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		bool ok;
	} rows[] = {
	    {"PATH", 4, true},	  {"_", 1, true},	{"a1_B", 4, true},  {"PATH=x", 4, true},
	    {"", 0, false},	  {"1A", 2, false},	{"A-B", 3, false},  {"A B", 3, false},
	    {"PATH=x", 5, false}, {"A\303\251", 3, false}, {"A\0B", 3, false}, {"A.B", 3, false},
	    {"@A", 2, false},	  {"A[", 2, false},	{"`a", 2, false},   {"a{", 2, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK(text_is_env_name(rows[i].text, rows[i].len) == rows[i].ok, "'%s'", rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_u64),	   cmocka_unit_test(test_size),
	    cmocka_unit_test(test_duration), cmocka_unit_test(test_milli),
	    cmocka_unit_test(test_format),   cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_env_name),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
