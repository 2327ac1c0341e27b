#include "base/error.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, const char *stage, int errnum, const char *fmt, ...)
{
	va_list ap;

	err->errnum = errnum;
	err->exit = 0;
	err->hint[0] = '\0';
	(void)snprintf(err->stage, sizeof(err->stage), "%s", stage);
	va_start(ap, fmt);
	(void)vsnprintf(err->detail, sizeof(err->detail), fmt, ap);
	va_end(ap);
	return errnum > 0 ? -errnum : -EINVAL;
}

int error_hint(struct error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	return err->errnum > 0 ? -err->errnum : -EINVAL;
}

/* The length of the UTF-8 sequence that starts here, or 0 when there is none. */
static size_t utf8_length(const unsigned char *p)
{
	size_t length = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : *p >= 0xe0 && *p < 0xf0 ? 3
								  : *p >= 0xf0 && *p < 0xf5 ? 4
											     : 0;

	for (size_t i = 1; i < length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, beyond U+10FFFF. */
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] >= 0xa0) || (*p == 0xf0 && p[1] < 0x90) ||
	    (*p == 0xf4 && p[1] >= 0x90))
		return 0;
	return length;
}

void error_sanitize(char *text)
{
	unsigned char *p = (unsigned char *)text;

	while (*p != '\0') {
		size_t length = utf8_length(p);
		bool control = *p < 0x20 || *p == 0x7f || (length == 2 && *p == 0xc2 && p[1] < 0xa0);

		if (length != 0 && !control) {
			p += length;
			continue;
		}
		for (size_t i = 0; i < (length != 0 ? length : 1); i++)
			*p++ = '?';
	}
}
