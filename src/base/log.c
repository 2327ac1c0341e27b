#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static enum log_level log_level = LOG_NORMAL;
static bool log_raw;

void log_set_raw(bool raw)
{
	log_raw = raw;
}

void log_set_level(enum log_level level)
{
	log_level = level;
}

/* False when nobody took it. */
static bool write_line(const char *stage, const char *text)
{
	struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
	char line[ERROR_DETAIL_MAX + ERROR_HINT_MAX];
	int n = snprintf(line, sizeof(line) - 2, "capsule-run: %s: %s", stage, text);
	size_t len = n < 0 ? 0 : (size_t)n;

	if (len > sizeof(line) - 3)
		len = sizeof(line) - 3;
	line[len] = '\0';
	error_sanitize(line);
	if (log_raw)
		line[len++] = '\r';
	line[len++] = '\n';
	/* A reader that stalls must not hold us for ever: after a second the line is lost. */
	if (poll(&ready, 1, 1000) != 1)
		return false;
	/* Nobody is left to tell when standard error itself fails. */
	return write(STDERR_FILENO, line, len) >= 0;
}

void log_error(const struct error *err)
{
	char text[ERROR_DETAIL_MAX + 128];

	if (err->errnum > 0)
		(void)snprintf(text, sizeof(text), "%s: %s", err->detail, strerror(err->errnum));
	else
		(void)snprintf(text, sizeof(text), "%s", err->detail);
	(void)write_line(err->stage, text);
	if (err->hint[0] != '\0')
		(void)write_line("hint", err->hint);
}

static void vlog(enum log_level at, const char *stage, const char *fmt, va_list ap) ATTR_PRINTF(3, 0);
static void vlog(enum log_level at, const char *stage, const char *fmt, va_list ap)
{
	char text[ERROR_DETAIL_MAX];

	if (log_level < at)
		return;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	(void)write_line(stage, text);
}

void log_note(const char *stage, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(LOG_NORMAL, stage, fmt, ap);
	va_end(ap);
}

void log_text(const char *stage, const char *text)
{
	char line[ERROR_DETAIL_MAX];
	size_t len;

	for (; log_level >= LOG_NORMAL && *text != '\0'; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		(void)text_copy(line, sizeof(line), text, len);
		if (len > 0 && !write_line(stage, line))
			return;
	}
}

void log_verbose(const char *stage, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(LOG_VERBOSE, stage, fmt, ap);
	va_end(ap);
}
