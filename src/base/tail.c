#include "base/tail.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define ESC 033
#define BEL 007

void tail_add(struct tail *tail, const void *bytes, size_t len)
{
	const char *from = bytes;
	size_t at;
	size_t first;

	if (len > 0 && tail->bytes == NULL)
		tail->bytes = malloc(TAIL_BYTES);
	if (len == 0 || tail->bytes == NULL)
		return;
	tail->total += len;
	if (len > TAIL_BYTES) {
		from += len - TAIL_BYTES;
		len = TAIL_BYTES;
	}
	at = (size_t)((tail->total - len) % TAIL_BYTES);
	first = len < TAIL_BYTES - at ? len : TAIL_BYTES - at;
	memcpy(tail->bytes + at, from, first);
	memcpy(tail->bytes, from + first, len - first);
}

/* The bytes, oldest first, as a string. */
static void unroll(const struct tail *tail, char *buf)
{
	size_t len = tail->total < TAIL_BYTES ? (size_t)tail->total : TAIL_BYTES;
	size_t start = tail->total < TAIL_BYTES ? 0 : (size_t)(tail->total % TAIL_BYTES);

	memcpy(buf, tail->bytes + start, len - start);
	memcpy(buf + len - start, tail->bytes, start);
	buf[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (buf[i] == '\0')
			buf[i] = '?';
}

/* Behind an escape sequence that starts here. One that does not end ends with its line. */
static const char *skip_escape(const char *p)
{
	char kind = p[1];

	if (kind == '\0' || kind == '\n')
		return p + 1;
	p += 2;
	if (kind == '[') {
		while (*p >= 0x20 && *p < 0x40)
			p++;
		return *p >= 0x40 && *p < 0x7f ? p + 1 : p;
	}
	if (kind >= 0x20 && kind < 0x30) {
		while (*p >= 0x20 && *p < 0x30)
			p++;
		return *p >= 0x30 && *p < 0x7f ? p + 1 : p;
	}
	if (strchr("]PX^_", kind) == NULL)
		return p;
	while (*p != '\0' && *p != '\n' && *p != BEL && !(*p == ESC && p[1] == '\\'))
		p++;
	return *p == BEL ? p + 1 : *p == ESC ? p + 2 : p;
}

void tail_clean(char *to, const char *from)
{
	while (*from != '\0') {
		size_t length = text_utf8_length(from);

		if (*from == ESC) {
			from = skip_escape(from);
		} else if (*from == '\r') {
			if (*++from != '\n')
				*to++ = '\n';
		} else if (*from == '\n' || *from == '\t') {
			*to++ = *from++;
		} else if (length == 0 || text_is_control(from)) {
			*to++ = '?';
			from += length > 0 ? length : 1;
		} else {
			memmove(to, from, length);
			to += length;
			from += length;
		}
	}
	*to = '\0';
}

void tail_text(const struct tail *tail, char buf[TAIL_BYTES + 1])
{
	const char *from = buf;

	buf[0] = '\0';
	if (tail->bytes == NULL)
		return;
	unroll(tail, buf);
	if (tail->total > TAIL_BYTES) {
		from = strchr(buf, '\n');
		from = from == NULL ? buf + TAIL_BYTES : from + 1;
	}
	tail_clean(buf, from);
}

void tail_fini(struct tail *tail)
{
	free(tail->bytes);
	*tail = (struct tail){NULL, 0};
}
