#include "base/error.h"

#include <errno.h>
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

void error_sanitize(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
}
