#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

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

int error_prefix(struct error *err, const char *fmt, ...)
{
	char rest[ERROR_DETAIL_MAX];
	va_list ap;
	int n;

	memcpy(rest, err->detail, sizeof(rest));
	va_start(ap, fmt);
	n = vsnprintf(err->detail, sizeof(err->detail), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(err->detail))
		(void)snprintf(err->detail + n, sizeof(err->detail) - (size_t)n, "%s", rest);
	return err->errnum > 0 ? -err->errnum : -EINVAL;
}

void error_sanitize(char *text)
{
	char *p = text;

	while (*p != '\0') {
		size_t length = text_utf8_length(p);

		if (length != 0 && !text_is_control(p)) {
			p += length;
			continue;
		}
		for (size_t i = 0; i < (length != 0 ? length : 1); i++)
			*p++ = '?';
	}
}
