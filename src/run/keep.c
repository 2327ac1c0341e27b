#include "run/keep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* A character of UTF-8 but for its last byte. */
#define PARTIAL_MAX 3

void keep_init(struct keep *keep, enum policy_keep mode, uint64_t bound)
{
	*keep = (struct keep){.mode = mode, .head = LIMIT_NONE};
	if (bound == LIMIT_NONE)
		return;
	keep->head = mode == KEEP_HEAD ? bound : mode == KEEP_TAIL ? 0 : bound / 2;
	keep->room = (size_t)(bound - keep->head);
}

static size_t character_len(unsigned char first)
{
	if (first >= 0xf0 && first < 0xf5)
		return 4;
	if (first >= 0xe0 && first < 0xf0)
		return 3;
	return first >= 0xc2 && first < 0xe0 ? 2 : 1;
}

/* Bytes at the end that begin a character of UTF-8 and don't end it, and how many of it are still to come. */
static size_t partial_len(const char *bytes, size_t len, size_t *ret_missing)
{
	for (size_t n = 1; n <= PARTIAL_MAX && n <= len; n++) {
		unsigned char byte = (unsigned char)bytes[len - n];

		if ((byte & 0xc0) == 0x80)
			continue;
		if (character_len(byte) <= n)
			break;
		*ret_missing = character_len(byte) - n;
		return n;
	}
	return 0;
}

/* Has what is left out judged, and shows it to nobody. */
static void leave_out(struct keep *keep, struct scrub *scrub, const char *bytes, size_t len)
{
	char unseen[SCRUB_ROOM(256)];

	keep->omitted += len;
	for (size_t n; scrub != NULL && len > 0; bytes += n, len -= n) {
		n = len < 256 ? len : 256;
		(void)scrub_run(scrub, bytes, n, unseen);
	}
}

/* Where the ring's bytes are in one piece from its start, or a part of them. */
static size_t first_piece(const struct keep *keep, size_t len)
{
	return len < keep->room - keep->start ? len : keep->room - keep->start;
}

static void forget(struct keep *keep, struct scrub *scrub, size_t len)
{
	while (len > 0) {
		size_t n = first_piece(keep, len);

		leave_out(keep, scrub, keep->ring + keep->start, n);
		keep->start = (keep->start + n) % keep->room;
		keep->len -= n;
		len -= n;
	}
}

int keep_rest(struct keep *keep, struct scrub *scrub, const char *bytes, size_t len)
{
	size_t at;
	size_t n;

	if (len == 0)
		return 0;
	/* Only the head counts: nothing else will be passed on. */
	if (keep->mode == KEEP_HEAD && keep->len + len > keep->room) {
		forget(keep, NULL, keep->len);
		keep->room = 0;
		keep->omitted += len;
		return 0;
	}
	if (keep->ring == NULL)
		keep->ring = malloc(keep->room);
	if (keep->ring == NULL && keep->room > 0)
		return -ENOMEM;
	if (len >= keep->room) {
		forget(keep, scrub, keep->len);
		leave_out(keep, scrub, bytes, len - keep->room);
		bytes += len - keep->room;
		len = keep->room;
		keep->start = 0;
	} else if (keep->len + len > keep->room) {
		forget(keep, scrub, keep->len + len - keep->room);
	}
	if (len == 0)
		return 0;
	at = (keep->start + keep->len) % keep->room;
	n = len < keep->room - at ? len : keep->room - at;
	memcpy(keep->ring + at, bytes, n);
	memcpy(keep->ring, bytes + n, len - n);
	keep->len += len;
	return 0;
}

size_t keep_head(struct keep *keep, bool whole, const char *bytes, size_t len)
{
	size_t now = len < keep->head ? len : (size_t)keep->head;
	size_t missing;
	size_t partial;

	if (keep->head == LIMIT_NONE)
		return len;
	partial = whole && keep->head - now < PARTIAL_MAX ? partial_len(bytes, now, &missing) : 0;
	if (partial > 0 && missing > keep->head - now) {
		now -= partial;
		keep->room += (size_t)keep->head - now;
		keep->head = now;
	}
	keep->head -= now;
	if (now > 0)
		keep->mid_line = bytes[now - 1] != '\n';
	return now;
}

void keep_end(struct keep *keep, struct scrub *scrub)
{
	if (keep->omitted == 0)
		return;
	/* What begins in the middle is left out up to where it ends. */
	if (scrub != NULL)
		while (keep->len > 0 && scrub->state != SCRUB_TEXT)
			forget(keep, scrub, 1);
	for (unsigned int n = 0; scrub == NULL && n < PARTIAL_MAX && keep->len > 0; n++) {
		if (((unsigned char)keep->ring[keep->start] & 0xc0) != 0x80)
			break;
		forget(keep, NULL, 1);
	}
}

size_t keep_note(const struct keep *keep, const char *line_end, char buf[KEEP_NOTE_MAX])
{
	if (keep->mode != KEEP_BOTH || keep->omitted == 0)
		return 0;
	return (size_t)snprintf(buf, KEEP_NOTE_MAX, "%s[capsule-run: %llu bytes were left out here]%s",
				keep->mid_line ? line_end : "", (unsigned long long)keep->omitted, line_end);
}

size_t keep_give(struct keep *keep, char *buf, size_t len)
{
	size_t given = 0;

	while (given < len && keep->len > 0) {
		size_t n = first_piece(keep, keep->len < len - given ? keep->len : len - given);

		memcpy(buf + given, keep->ring + keep->start, n);
		keep->start = (keep->start + n) % keep->room;
		keep->len -= n;
		given += n;
	}
	return given;
}

size_t keep_discard(struct keep *keep)
{
	size_t len = keep->len;

	free(keep->ring);
	keep->ring = NULL;
	keep->len = keep->start = 0;
	return len;
}
