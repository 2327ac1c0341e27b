/*
 * Messages between the supervisor and init over a SOCK_SEQPACKET pair: one fixed-size struct each. A
 * socket, not an eventfd: its reader wakes when the peer dies. The supervisor decodes what comes from
 * inside as hostile: exact length, known type, terminated text.
 */
#ifndef CAPSULE_RUN_CHANNEL_H
#define CAPSULE_RUN_CHANNEL_H

#include <stdint.h>

#include "base/error.h"

enum channel_type {
	CHANNEL_GO,	 /* to init: the id maps are written */
	CHANNEL_SIGNAL,	 /* to init: value is sent to the task */
	CHANNEL_SIGNAL_ALL, /* to init: value is sent to every process inside */
	CHANNEL_VIEW,	 /* from init: /proc, /dev/shm and --fresh; from the task to init: its network namespace */
	CHANNEL_FAILED,	 /* from init: a stage failed; error says which */
	CHANNEL_OBSERVER, /* from the task to init, and on: the filter's listener, or in value why there is none */
	CHANNEL_STARTED, /* from init: the exec worked */
	CHANNEL_EXITED,	 /* from init: value is the task's wait status */
	CHANNEL_TERMINAL, /* from init: our side of the task's terminal */
	CHANNEL_STOPPED, /* from init: the task has a terminal and was stopped; value is the signal */
	CHANNEL_SIGNAL_GROUP, /* to init: value is sent to the task's process group */
	CHANNEL_TURN,	 /* to init: value is an enum channel_turn; and back when it is so */
	CHANNEL_CONFINE, /* to init: whether processes get no more private memory (run/soft.h) */
	CHANNEL_MAX,
};

/* Who is in the foreground of the task's terminal. */
enum channel_turn {
	CHANNEL_TURN_INIT, /* nobody: whoever reads from it or sets it is stopped */
	CHANNEL_TURN_BACK, /* who was before, at first the task's own group */
	CHANNEL_TURN_TASK, /* the task's own group */
	CHANNEL_TURN_GO,   /* as it is: all that stands still goes on */
};

struct channel_message {
	uint32_t type;
	int32_t value;
	struct error error;
};

#define CHANNEL_FDS 4

/* Sends one message without waiting. 0 or -errno; -EPIPE when the peer is gone, -EAGAIN when it has left a
 * whole buffer unread. */
ATTR_CHECKED int channel_send(int fd, const struct channel_message *message);

/* Sends a message of that type with those of count descriptors that are there (not -1). They stay the caller's. */
ATTR_CHECKED int channel_send_fds(int fd, enum channel_type type, const int *fds, unsigned int count);

/*
 * Receives one message. 1: *ret is filled, and ret_fds (CHANNEL_FDS of them, -1 for none) hold
 * descriptors that are now the caller's. 0: the peer is gone. -EAGAIN: nothing there (nonblocking
 * socket). -EBADMSG: not a message of ours.
 */
ATTR_CHECKED int channel_receive(int fd, struct channel_message *ret, int ret_fds[CHANNEL_FDS]);

#endif
