/*
 * The seam between the gate and what speaks for a task with credentials of its own: connections to some hosts are not
 * relayed but handed over, both ends of them.
 *
 * The gate has accepted the task's connection, knows which name and port it is for, has looked at the first bytes of
 * the client without consuming them, has resolved the name, judged the address, and connected to it. From the
 * hand-over on both descriptors are the other's, who reports each request and the end, and asks before it moves bytes
 * whether the budgets allow it. It may work in the gate's loop (gate/loop.h) or pass the descriptors on.
 */
#ifndef CAPSULE_GATE_INJECT_H
#define CAPSULE_GATE_INJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct gate_loop;

/* What the client's first bytes are. */
enum gate_first {
	GATE_FIRST_UNKNOWN, /* neither; or none came yet */
	GATE_FIRST_TLS,	    /* a complete TLS client hello, whose SNI was found to be the asked name */
	GATE_FIRST_HTTP,    /* a complete HTTP/1 request head, whose Host was found to be the asked name */
};

struct gate_handover {
	uint64_t id;	  /* of the connection, for the reports */
	int client_fd;	  /* the task's end: nonblocking, nothing read from it */
	int server_fd;	  /* nonblocking, connected to an address that was judged */
	const char *name; /* lower case, without a trailing dot; a literal address as text. Valid during the call only */
	uint16_t port;	  /* that the task asked for */
	uint16_t server_port; /* that server_fd is connected to */
	enum gate_first first;
};

struct gate_inject {
	void *data;

	/* Whether connections of the task to this name and port are handed over. *ret_server_port is the port to connect
	 * to, preset with the asked one (a request in plain HTTP may be upgraded: 80 to 443). Called before anything
	 * else is done about the connection. */
	bool (*wants)(void *data, const char *name, uint16_t port, uint16_t *ret_server_port);

	/* Takes the connection and both descriptors; what is neither TLS nor HTTP has no place for a header and should be
	 * refused by closing both. 0, or -errno: then the descriptors are still the gate's, which resets them. */
	int (*take)(void *data, struct gate_loop *loop, const struct gate_handover *handover);
};

/* How a connection that was handed over ended, and what is known of one request of it. */
struct gate_inject_report {
	uint64_t id;
	uint64_t sent;	   /* bytes to the server since the last report */
	uint64_t received; /* bytes from it */
	const char *method; /* of a request that was sent on, or NULL; no secret may be in either */
	const char *path;
	const char *refused; /* why it was refused, or NULL: "the server's certificate was not accepted" */
	bool ended;	     /* both descriptors are closed; the id is void */
};

/* Tells the gate. False: a budget is used up, the connection is to be reset (and its end reported). */
ATTR_CHECKED bool gate_inject_tell(struct gate_loop *loop, const struct gate_inject_report *report);

#endif
