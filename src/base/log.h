/*
 * Messages to the user's standard error, one write each. Only main.c and the supervisor call these:
 * a stage fills a struct error instead.
 */
#ifndef CAPSULE_BASE_LOG_H
#define CAPSULE_BASE_LOG_H

#include <stdbool.h>

#include "base/error.h"

enum log_level { LOG_QUIET, LOG_NORMAL, LOG_VERBOSE };

/* Sets what log_note() and log_verbose() print. Errors are always printed. */
void log_set_level(enum log_level level);

/* Standard error may be a terminal in raw mode: lines then end in CR and LF. */
void log_set_raw(bool raw);

/* "capsule-run: STAGE: what: errno text", then "capsule-run: hint: ..." when there is a hint. */
void log_error(const struct error *err);

/* A line that the user should know of, unless --quiet: what is held in a weaker way, what was cut. */
void log_note(const char *stage, const char *fmt, ...) ATTR_PRINTF(2, 3);

/* Each line of a text that is not empty, as log_note() would; the first that nobody takes is the last. */
void log_text(const char *stage, const char *text);

/* A line for --verbose. */
void log_verbose(const char *stage, const char *fmt, ...) ATTR_PRINTF(2, 3);

#endif
