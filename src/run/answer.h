/*
 * What a task of a task file hands over: its result, or what the file declares. It has a socket of its own for that,
 * as descriptor TASKFILE_CHANNEL, so that nothing it prints can be taken for a result.
 *
 * A message is its type and its length, two 32-bit little-endian numbers, then so many bytes of JSON. All of it is
 * hostile: one message of the expected type, no longer than the bound, whole, and before the end of the task was
 * decided; its text is decoded when the task is gone. All else is refused, and the reason kept.
 */
#ifndef CAPSULE_RUN_ANSWER_H
#define CAPSULE_RUN_ANSWER_H

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/capture.h"
#include "base/error.h"

enum answer_state {
	ANSWER_NONE,	/* none is expected: a plain script */
	ANSWER_MISSING, /* the task has said nothing */
	ANSWER_TAKEN,
	ANSWER_REFUSED,
};

enum answer_type { ANSWER_RESULT = 1, ANSWER_DECLARATION = 2 };

/* The longest answer there can be, whatever --output allows. */
#define ANSWER_MAX (64U << 20)

struct answer {
	enum answer_state state;
	enum answer_type type;
	int fd;	    /* ours; -1 when nothing more is taken */
	size_t max; /* bytes of JSON */
	unsigned char header[8];
	size_t header_len;
	size_t length; /* that the header says */
	struct capture body; /* of ANSWER_TAKEN, the text of value */
	bool over_bound; /* refused for its size */
	char why[128];	 /* of ANSWER_REFUSED */
	json_t *value;	 /* of ANSWER_TAKEN; owned */
};

/* An answer that nobody expects. */
void answer_init(struct answer *answer);

/* Expects one. *ret_task_fd is the task's end, the caller's to close. max: at most ANSWER_MAX counts. */
ATTR_CHECKED int answer_expect(struct answer *answer, enum answer_type type, uint64_t max, int *ret_task_fd,
			       struct error *err);

/* What to wait for: fills at most one entry and returns how many. */
unsigned int answer_poll(const struct answer *answer, struct pollfd *fds);

/* Takes what is there now. too_late: the end of the task is decided, and what comes now does not count. */
void answer_run(struct answer *answer, bool too_late);

/* The task is gone: takes the rest, and decodes it. Once. */
void answer_finish(struct answer *answer, bool too_late);

/* An answer that was taken, as one line of JSON in ASCII; to be freed. As the task wrote it where it wrote that: 0.1
 * stays 0.1. NULL without memory. */
char *answer_print(const struct answer *answer);

void answer_fini(struct answer *answer);

#endif
