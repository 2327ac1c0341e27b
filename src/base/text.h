/* Parsing and printing of the units that options take. Pure functions. */
#ifndef CAPSULE_BASE_TEXT_H
#define CAPSULE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* The value of a limit that is open ("unlimited"). */
#define LIMIT_NONE UINT64_MAX

/*
 * Each parser takes the whole text or fails with -EINVAL (not understood) or -ERANGE (does not fit),
 * and leaves *ret alone then. No sign, no white space, no locale.
 */

/* Decimal digits only. */
ATTR_CHECKED int text_parse_u64(const char *text, uint64_t *ret);

/* Bytes: "512M", "512MB", "512MiB", "1.5G", "4096"; K, M, G and T are powers of 1024, as they are for
 * ulimit, systemd and docker. */
ATTR_CHECKED int text_parse_size(const char *text, uint64_t *ret_bytes);

/* Milliseconds: "500ms", "30s", "5m", "1h", "1.5h", "2d"; a bare number is seconds. */
ATTR_CHECKED int text_parse_duration(const char *text, uint64_t *ret_ms);

/* Thousandths: "2" is 2000, "0.5" is 500; at most three decimals. */
ATTR_CHECKED int text_parse_milli(const char *text, uint64_t *ret_milli);

/* The shortest text that parses back to the same value. buf has at least 32 bytes; returns buf. */
char *text_format_size(uint64_t bytes, char *buf, size_t size);
char *text_format_duration(uint64_t ms, char *buf, size_t size);
char *text_format_milli(uint64_t milli, char *buf, size_t size);

/* True for a name that may stand in an environment: [A-Za-z_][A-Za-z0-9_]*, len bytes long. */
bool text_is_env_name(const char *text, size_t len);

/* The length of the UTF-8 sequence that a string starts with, or 0 when it starts with none. */
size_t text_utf8_length(const char *text);

/* True when a string starts with a control character (C0, DEL, C1 in UTF-8). */
bool text_is_control(const char *text);

/* Copies len bytes of a string, or what fits without cutting a UTF-8 sequence in two; size is not 0.
 * Returns how many were copied. */
size_t text_copy(char *buf, size_t size, const char *text, size_t len);

#endif
