/* The first thing that a TLS client says: RFC 8446 4.1.2, RFC 6066 3. Hostile bytes; pure functions. */
#ifndef CAPSULE_GATE_HELLO_H
#define CAPSULE_GATE_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/allow.h"

/* The longest hello that is waited for, records' headers included. */
#define HELLO_MAX 18432

enum hello_state {
	HELLO_NONE,	  /* no TLS hello starts like this */
	HELLO_PART,	  /* more is needed */
	HELLO_WHOLE,	  /* name tells */
	HELLO_MALFORMED, /* it starts like one and is none, or is too long */
};

struct hello {
	bool has_name;
	bool is_encrypted; /* it hides another name (ECH, ESNI) */
	char name[ALLOW_NAME_MAX + 1]; /* normalized */
};

/* Looks at the first bytes of a connection. */
enum hello_state hello_parse(const uint8_t *data, size_t len, struct hello *ret);

#endif
