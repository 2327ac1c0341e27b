/*
 * Judges what a client says in HTTP/1 on one connection, from the first request to the last byte (RFC 9110, 9112): each
 * request must name the host that was asked for, in Host and in an absolute URI, and must leave no doubt where it ends.
 * What servers might read in two ways is refused, not repaired. Hostile bytes; no allocation.
 *
 * A parser of our own and no library: the point is to refuse what lenient parsers accept, and the body of neither
 * direction is looked at.
 */
#ifndef CAPSULE_GATE_HTTP_H
#define CAPSULE_GATE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/allow.h"

/* The longest head of a request. */
#define HTTP_HEAD_MAX 65536
#define HTTP_METHOD_MAX 16
#define HTTP_PATH_MAX 200

enum http_state {
	HTTP_HEAD,
	HTTP_BODY,	 /* `left` bytes of it */
	HTTP_CHUNK_SIZE, /* a line */
	HTTP_CHUNK_DATA, /* `left` bytes and a line's end */
	HTTP_TRAILER,	 /* lines, until an empty one */
	HTTP_UPGRADE,	 /* waits for the server's answer */
	HTTP_OPAQUE,	 /* the server has switched to another protocol */
};

struct http {
	enum http_state state;
	uint64_t left;
	uint64_t requests; /* heads that were let pass */
	bool named_other;  /* the last refusal was about another host; its name is in `other` */
	char other[ALLOW_NAME_MAX + 1];
	char method[HTTP_METHOD_MAX]; /* of the last request */
	char path[HTTP_PATH_MAX];     /* without what follows a `?`; printable */
	bool skipping; /* of the server's answer: the rest of an interim response's head */
	char answer[16];
	size_t answer_len;
};

/* Whether a connection that begins with these bytes speaks HTTP/1: 1 yes, 0 no, -EAGAIN when more must be seen. */
int http_detect(const uint8_t *data, size_t len);

/*
 * Looks at bytes that were not passed on yet. Returns how many of them may be; 0 when more must come first, or while an
 * upgrade waits for its answer. -EPERM: refused, and *ret_why says why ("Host names another host"). What was asked for
 * is name, or the text of an address, and port. Returns after each head, so that `requests` and `method` tell of it.
 */
ssize_t http_judge(struct http *http, const uint8_t *data, size_t len, const char *name, uint16_t port,
		   const char **ret_why);

/* Looks at bytes of the server's, while the state is HTTP_UPGRADE; all of them are passed on in any case. */
void http_answer(struct http *http, const uint8_t *data, size_t len);

#endif
