/*
 * What the attempts of a run took of the caller's input, so that a next one can be given the same. Bounded: a task
 * that read more than is kept has one attempt only.
 */
#ifndef CAPSULE_RUN_REPLAY_H
#define CAPSULE_RUN_REPLAY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/capture.h"

#define REPLAY_MAX (16UL << 20)

struct replay {
	struct capture bytes; /* of a pipe, socket or device, in order */
	bool lost;	      /* what was taken is not all there */
	bool has_offset;
	off_t offset;	 /* where the caller's file stood at first */
	int pipe_fd[2]; /* what a pipe's bytes are taken through; -1 */
};

void replay_init(struct replay *replay);

/* The first time: where a file stands. Later: puts it there. Returns its offset, or -errno. */
off_t replay_seek(struct replay *replay, int fd);

/* Adds what was taken. */
void replay_add(struct replay *replay, const void *bytes, size_t len);

/* Takes up to len bytes off a pipe of the caller's and adds them; does not wait. As read(). */
ssize_t replay_take(struct replay *replay, int pipe_fd, size_t len);

void replay_fini(struct replay *replay);

#endif
