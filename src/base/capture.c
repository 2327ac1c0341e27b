#include "base/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define FIRST_ROOM 4096

int capture_add(struct capture *capture, const void *bytes, size_t len)
{
	size_t needed;

	if (len == 0)
		return 0;
	if (__builtin_add_overflow(capture->len, len + 1, &needed) || needed > SIZE_MAX / 2)
		return -ENOMEM;
	if (needed > capture->room) {
		size_t room = capture->room == 0 ? FIRST_ROOM : capture->room;
		char *grown;

		while (room < needed)
			room *= 2;
		grown = realloc(capture->bytes, room);
		if (grown == NULL)
			return -ENOMEM;
		capture->bytes = grown;
		capture->room = room;
	}
	memcpy(capture->bytes + capture->len, bytes, len);
	capture->len += len;
	capture->bytes[capture->len] = '\0';
	return 0;
}

/* The NUL behind the last byte ends a sequence that was cut. */
size_t capture_count_bad(const struct capture *capture)
{
	size_t bad = 0;

	for (size_t i = 0; i < capture->len;) {
		size_t length = text_utf8_length(capture->bytes + i);

		bad += length == 0;
		i += length == 0 ? 1 : length;
	}
	return bad;
}

char *capture_utf8(const struct capture *capture, size_t *ret_len)
{
	static const char replacement[3] = {'\357', '\277', '\275'};
	size_t bad = capture_count_bad(capture);
	char *text = malloc(capture->len + bad * 2 + 1);
	size_t n = 0;

	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < capture->len;) {
		size_t length = text_utf8_length(capture->bytes + i);

		if (length == 0) {
			memcpy(text + n, replacement, sizeof(replacement));
			n += sizeof(replacement);
			i++;
		} else {
			memcpy(text + n, capture->bytes + i, length);
			n += length;
			i += length;
		}
	}
	text[n] = '\0';
	*ret_len = n;
	return text;
}

char *capture_base64(const struct capture *capture)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc(capture->len / 3 * 4 + 5);
	char *out = text;

	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < capture->len; i += 3) {
		size_t left = capture->len - i;
		const unsigned char *in = (const unsigned char *)capture->bytes + i;
		unsigned int bits = (unsigned int)in[0] << 16 | (left > 1 ? (unsigned int)in[1] << 8 : 0) |
				    (left > 2 ? in[2] : 0U);

		*out++ = digits[bits >> 18];
		*out++ = digits[bits >> 12 & 63];
		*out++ = '=';
		*out++ = '=';
		if (left > 1)
			out[-2] = digits[bits >> 6 & 63];
		if (left > 2)
			out[-1] = digits[bits & 63];
	}
	*out = '\0';
	return text;
}

void capture_fini(struct capture *capture)
{
	free(capture->bytes);
	*capture = (struct capture){NULL, 0, 0};
}
