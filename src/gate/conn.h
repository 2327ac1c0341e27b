/* One connection of the task's through the gate: what connect.c brings about and relay.c keeps going. */
#ifndef CAPSULE_GATE_CONN_H
#define CAPSULE_GATE_CONN_H

#include "gate/state.h"

struct gate_conn;

/* One end. What was read from it and not yet written to the other lies in buf: up to judged it may go out. */
struct gate_side {
	struct gate_watch watch;
	struct gate_conn *conn;
	uint8_t *buf;
	size_t size;
	size_t start;
	size_t judged;
	size_t len;
	struct gate_pipe *pipe; /* what was read in bulk and not yet written lies there; or NULL */
	unsigned int full_reads; /* one after the other: a stream in bulk */
	bool ended; /* nothing more comes from it */
	bool shut;  /* and nothing more goes to it */
};

struct gate_attempt {
	struct gate_watch watch; /* fd -1: not used */
	struct gate_conn *conn;
	size_t target;
};

enum gate_look {
	GATE_LOOK_FIRST, /* what the client speaks is not known */
	GATE_LOOK_HTTP,	 /* to its last byte */
	GATE_LOOK_NONE,	 /* all that comes passes */
};

struct gate_conn {
	struct gate_conn *next;
	struct gate_conn **link; /* what points here */
	struct gate *gate;
	uint64_t id;
	const struct allow_rule *rule;
	struct gate_name *name; /* NULL: a literal address */
	char text[64]; /* of that */
	struct allow_address address; /* that it is connected to, once it is */
	uint16_t port;
	uint16_t server_port;
	bool injects; /* is to be handed over */
	bool handed;
	bool relays;
	bool paused; /* by a rate */

	struct resolve_waiter waiter;
	struct allow_address target[RESOLVE_ADDRESSES_MAX];
	size_t target_count;
	size_t target_next;
	struct gate_attempt attempt[GATE_ATTEMPTS];
	int errnum;		 /* of the last attempt that failed */
	struct gate_timer timer; /* the next attempt; then, of the first bytes */
	uint64_t deadline_ms;

	enum gate_look look;
	struct http *http;
	struct gate_side client;
	struct gate_side server;
	uint64_t sent;
	uint64_t received;
	uint64_t start_ms; /* of the loop's clock */
	uint64_t epoch_ms; /* the same since the epoch */
};

/* What a client must call it. */
const char *gate_conn_name(const struct gate_conn *conn);

/* Ends it, whatever state it is in; conn is gone. Unless it was closed in order both ends are reset. */
void gate_conn_end(struct gate_conn *conn, enum gate_ending ending, int errnum);

/* The same, and a refusal is noted. */
void gate_conn_refuse(struct gate_conn *conn, enum gate_refusal refusal, const char *other, const char *why);

/* relay.c: server.watch.fd is connected. May end it. */
void gate_relay_start(struct gate_conn *conn);
void gate_relay(struct gate_conn *conn);

/* bulk.c: moves bytes without a copy, when nothing lies in from->buf or its pipe. */
enum gate_bulk { GATE_BULK_MOVED, GATE_BULK_NO_PIPE, GATE_BULK_USED_UP, GATE_BULK_FAILED };
enum gate_bulk gate_bulk_move(struct gate_side *from, const struct gate_side *to, int *ret_errnum);
/* What lies in its pipe goes out as far as it can. 0 or -errno. */
int gate_bulk_drain(struct gate_side *from, const struct gate_side *to);
struct gate_pipe *gate_pipe_take(struct gate *gate);
void gate_pipe_give(struct gate *gate, struct gate_pipe *pipe);

/* look.c: judges what lies in client.buf beyond judged. False: it was refused, and conn is gone. */
bool gate_look(struct gate_conn *conn);
/* The time for the first bytes is over. */
void gate_look_due(struct gate_conn *conn);
/* For who takes over: what the client's first bytes are. 1 when that is known, 0 when more must come; -1: refused, and
 * conn is gone. */
int gate_look_first(struct gate_conn *conn, const uint8_t *data, size_t len, enum gate_first *ret);

#endif
