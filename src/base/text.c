#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Printing takes the first row of each factor: keep the preferred spelling first. */
static const struct unit size_units[] = {
    {"T", 1ULL << 40},	 {"G", 1ULL << 30},   {"M", 1ULL << 20},   {"K", 1ULL << 10},
    {"", 1},		 {"TB", 1ULL << 40},  {"GB", 1ULL << 30},  {"MB", 1ULL << 20},
    {"KB", 1ULL << 10},	 {"TiB", 1ULL << 40}, {"GiB", 1ULL << 30}, {"MiB", 1ULL << 20},
    {"KiB", 1ULL << 10}, {"t", 1ULL << 40},   {"g", 1ULL << 30},   {"m", 1ULL << 20},
    {"k", 1ULL << 10},	 {"B", 1},
};

static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000},   {"s", 1000},
    {"ms", 1},	     {"", 1000},     {"min", 60000}, {"sec", 1000},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int text_parse_u64(const char *text, uint64_t *ret)
{
	uint64_t value = 0;

	if (!is_digit(*text))
		return -EINVAL;
	for (; *text != '\0'; text++) {
		if (!is_digit(*text))
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10U, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return -ERANGE;
	}
	*ret = value;
	return 0;
}

/* Reads DIGITS[.DIGITS] as value * 10^-decimals; at most nine decimals. */
static int parse_decimal(const char **text, uint64_t *ret_value, uint64_t *ret_scale)
{
	uint64_t value = 0;
	uint64_t scale = 1;
	bool fraction = false;
	const char *p = *text;

	if (!is_digit(*p))
		return -EINVAL;
	for (;; p++) {
		if (*p == '.' && !fraction && is_digit(p[1])) {
			fraction = true;
			continue;
		}
		if (!is_digit(*p))
			break;
		if (fraction && scale >= 1000000000U)
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10U, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return -ERANGE;
		if (fraction)
			scale *= 10;
	}
	*text = p;
	*ret_value = value;
	*ret_scale = scale;
	return 0;
}

static int parse_with_unit(const char *text, const struct unit *units, size_t count, uint64_t *ret)
{
	unsigned __int128 wide;
	uint64_t value;
	uint64_t scale;
	int r = parse_decimal(&text, &value, &scale);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(text, units[i].name) != 0)
			continue;
		/* Wide enough for any value, factor and scale. */
		wide = (unsigned __int128)value * units[i].factor;
		/* "1.5" bytes: rather an error than another value. */
		if (wide % scale != 0 && units[i].factor < scale)
			return -EINVAL;
		wide /= scale;
		if (wide >= LIMIT_NONE)
			return -ERANGE;
		*ret = (uint64_t)wide;
		return 0;
	}
	return -EINVAL;
}

int text_parse_size(const char *text, uint64_t *ret_bytes)
{
	return parse_with_unit(text, size_units, ARRAY_SIZE(size_units), ret_bytes);
}

int text_parse_duration(const char *text, uint64_t *ret_ms)
{
	return parse_with_unit(text, duration_units, ARRAY_SIZE(duration_units), ret_ms);
}

int text_parse_milli(const char *text, uint64_t *ret_milli)
{
	static const struct unit none[] = {{"", 1000}};
	uint64_t value;
	uint64_t scale;
	const char *p = text;
	int r = parse_decimal(&p, &value, &scale);

	if (r < 0)
		return r;
	if (scale > 1000)
		return -EINVAL;
	return parse_with_unit(text, none, 1, ret_milli);
}

static char *format_with_unit(uint64_t value, const struct unit *units, size_t count, char *buf,
			      size_t size)
{
	for (size_t i = 0; i < count; i++) {
		if (value % units[i].factor == 0 && (value != 0 || units[i].factor == 1)) {
			(void)snprintf(buf, size, "%llu%s",
				       (unsigned long long)(value / units[i].factor), units[i].name);
			break;
		}
	}
	return buf;
}

char *text_format_size(uint64_t bytes, char *buf, size_t size)
{
	return format_with_unit(bytes, size_units, 5, buf, size);
}

char *text_format_duration(uint64_t ms, char *buf, size_t size)
{
	return format_with_unit(ms, duration_units, 5, buf, size);
}

char *text_format_milli(uint64_t milli, char *buf, size_t size)
{
	unsigned int rest = (unsigned int)(milli % 1000);
	int n = snprintf(buf, size, "%llu", (unsigned long long)(milli / 1000));

	if (rest != 0 && n > 0 && (size_t)n + 5 < size) {
		(void)snprintf(buf + n, size - (size_t)n, ".%03u", rest);
		for (char *end = buf + strlen(buf) - 1; *end == '0'; end--)
			*end = '\0';
	}
	return buf;
}

bool text_is_env_name(const char *text, size_t len)
{
	if (len == 0 || is_digit(text[0]))
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (!is_digit(c) && c != '_' && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z'))
			return false;
	}
	return true;
}

size_t text_utf8_length(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t length = *p < 0x80		  ? 1
			: *p >= 0xc2 && *p < 0xe0 ? 2
			: *p >= 0xe0 && *p < 0xf0 ? 3
			: *p >= 0xf0 && *p < 0xf5 ? 4
						  : 0;

	for (size_t i = 1; i < length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, beyond U+10FFFF. */
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] >= 0xa0) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] >= 0x90))
		return 0;
	return length;
}

bool text_is_control(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	return *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0);
}

size_t text_copy(char *buf, size_t size, const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] != '\0') {
		size_t length = text_utf8_length(text + n);

		length = length == 0 ? 1 : length;
		if (n + length >= size || n + length > len)
			break;
		n += length;
	}
	memcpy(buf, text, n);
	buf[n] = '\0';
	return n;
}
