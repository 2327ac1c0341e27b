/*
 * The task's standard streams. It never holds the caller's own files, only pipes of ours; a relay moves
 * bytes between the two in the supervisor's loop and never blocks it.
 *
 * Bytes are copied, not spliced: a spliced page still belongs to the sender, who could change it after
 * it was counted.
 */
#ifndef CAPSULE_RUN_RELAY_H
#define CAPSULE_RUN_RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/capture.h"
#include "base/error.h"
#include "base/tail.h"
#include "run/keep.h"
#include "run/replay.h"
#include "run/scrub.h"

#define RELAY_BUFFER 65536

/* One of the caller's descriptors, by what may be done with it without blocking. */
enum relay_file { RELAY_FILE_PLAIN, RELAY_FILE_PIPE, RELAY_FILE_SOCKET, RELAY_FILE_SLOW };

/* From the task to the caller. */
struct relay_out {
	int from_fd; /* our end of the task's pipe; -1 at its end */
	int own_fd;  /* a nonblocking open of the caller's terminal, or -1 */
	int to_fd;   /* the caller's, or own_fd; -1 when the reader went away or it was closed from the start */
	enum relay_file kind;
	bool is_terminal;
	struct keep keep;
	uint64_t seen;	  /* bytes that the task wrote */
	uint64_t passed;  /* what the caller got; on a terminal without what was left out */
	uint64_t dropped; /* what he did not get for other reasons than the bound, which keep counts */
	bool scrubs;	     /* the caller's is a terminal: escape sequences are judged */
	bool drops_returns;  /* it makes CR LF of each LF itself, and so did the task's */
	struct scrub scrub;
	bool is_gone; /* he takes no more */
	int errnum;   /* why the caller's side took no more, other than a reader that went away */
	size_t start; /* what is still to be written: buffer[start..end) */
	size_t end;
	char *buffer; /* RELAY_BUFFER bytes, when first needed */
	struct capture *capture; /* takes what is passed on where there is no to_fd; borrowed, or NULL */
	size_t note;  /* of those: a line of ours, which is not counted */
	bool ended;   /* the task's side is at its end, and what was kept goes out */
	struct tail *tail; /* keeps the last of what the task wrote, passed on or not; borrowed, or NULL */
};

/* From the caller to the task. */
enum relay_source {
	RELAY_SOURCE_NONE,   /* /dev/null inside */
	RELAY_SOURCE_FILE,   /* pread(), then lseek() to where the task stopped */
	RELAY_SOURCE_PIPE,   /* tee(), then consumed as far as the task consumed */
	RELAY_SOURCE_SOCKET, /* MSG_PEEK, likewise */
	RELAY_SOURCE_STREAM, /* terminals and other devices: read when there is something */
};

struct relay_in {
	int from_fd; /* the caller's; -1 when nothing more comes */
	int to_fd;   /* our end of the task's pipe; -1 when it is closed */
	enum relay_source kind;
	int null_fd;	  /* where consumed bytes go, when first needed */
	int peek_fd;	  /* FILE: the read side, to count what the task left */
	off_t offset;	  /* FILE: where the caller's file stood */
	uint64_t written; /* FILE: bytes put into the task's pipe */
	size_t ahead;	  /* PIPE, SOCKET: in the task's pipe and still in the caller's */
	size_t start;	  /* STREAM: what is still to be written */
	size_t end;
	char *buffer;
	struct replay *replay; /* keeps what is taken for a next attempt; borrowed, or NULL */
	size_t again; /* bytes of it that an earlier attempt had and this one is given first */
	size_t given; /* of those */
};

/* Takes a pipe whose other end the task writes to. to_fd is not owned; -1 discards. mode and bound as for
 * keep_init(). */
void relay_out_init(struct relay_out *relay, int from_fd, int to_fd, enum policy_keep mode, uint64_t bound);

/* The caller's side is a terminal: what acts on it is left out (scrub.h). */
void relay_out_scrub(struct relay_out *relay);

/* After the last output: a terminal that was scrubbed is put back to how it was. */
void relay_out_put_back(struct relay_out *relay);

/* Looks at the caller's descriptor (not owned; -1: closed) and makes the task's side: *ret_task_fd is
 * what becomes the task's descriptor 0, owned by the caller. With a replay (NULL: none) it begins where the first one
 * that was handed it began. */
ATTR_CHECKED int relay_in_init(struct relay_in *relay, int from_fd, struct replay *replay, int *ret_task_fd,
			       struct error *err);

/* What to wait for: fills at most two entries and returns how many. */
unsigned int relay_out_poll(const struct relay_out *relay, struct pollfd *fds);
unsigned int relay_in_poll(const struct relay_in *relay, struct pollfd *fds);

/* Moves what can be moved now. last: nobody of the task is left, so an empty pipe is at its end, whoever else
 * may have been handed the other side. */
void relay_out_run(struct relay_out *relay, bool last);
void relay_in_run(struct relay_in *relay);

/* True when there is something that the caller has not taken yet. */
bool relay_out_pending(const struct relay_out *relay);

/* Bytes that the task wrote and the caller did not get. */
uint64_t relay_out_dropped(const struct relay_out *relay);

/* True when everything that the task wrote has been passed on or dropped. */
bool relay_out_done(const struct relay_out *relay);

/* The task is gone: leaves the caller's input where the task stopped reading. */
void relay_in_finish(struct relay_in *relay);

/* Nobody takes what is left: it counts as dropped. */
void relay_out_abandon(struct relay_out *relay);

void relay_out_fini(struct relay_out *relay);
void relay_in_fini(struct relay_in *relay);

#endif
