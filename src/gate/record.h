/*
 * What the gate tells the supervisor, over a SOCK_SEQPACKET pair: one fixed-size struct a message, without secrets. Who
 * reads it takes it for hostile: record_check() first.
 */
#ifndef CAPSULE_GATE_RECORD_H
#define CAPSULE_GATE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "gate/http.h"
#include "policy/allow.h"

/* Kinds of refusals that are told apart. */
#define GATE_REFUSALS_MAX 64U
#define GATE_WHY_MAX 64

enum gate_record_type {
	GATE_RECORD_FAILED,  /* the gate ends: error says why */
	GATE_RECORD_REFUSED, /* row `row` of the refusals; a later one with the same row has a new count */
	GATE_RECORD_CONNECTION, /* a connection has ended */
	GATE_RECORD_REQUEST, /* a request in HTTP was let pass */
	GATE_RECORD_TOTALS,  /* the last record: count refusals, of which `lost` are in no row */
	GATE_RECORD_MAX,
};

enum gate_refusal {
	GATE_REFUSED_NAME,	 /* asked for, and covered by no rule */
	GATE_REFUSED_ADDRESS,	 /* a connection to a literal address */
	GATE_REFUSED_UDP,	 /* a datagram to one, or to a name's address */
	GATE_REFUSED_PORT,	 /* of a name that is covered with other ports */
	GATE_REFUSED_DESTINATION, /* a name leads to an address that is not public */
	GATE_REFUSED_TLS,	 /* the hello names another host, none, or hides it */
	GATE_REFUSED_HTTP,	 /* a request names another host, or is ambiguous */
	GATE_REFUSED_BYTES,	 /* --net-bytes */
	GATE_REFUSED_CONNECTIONS, /* --net-connections, or what the gate can hold */
	GATE_REFUSED_NAMES,	 /* more names than the gate can hold */
	GATE_REFUSED_BUSY,	 /* the task itself listens on the port of all addresses */
	GATE_REFUSED_MAX,
};

enum gate_ending {
	GATE_ENDED_CLOSED, /* by both ends, in order */
	GATE_ENDED_RESET,  /* by one of them */
	GATE_ENDED_UNREACHABLE, /* no address of the host answered; error.errnum */
	GATE_ENDED_NO_NAME, /* it has no address on the host, or nobody could tell */
	GATE_ENDED_REFUSED,
	GATE_ENDED_RUN, /* the run was over */
	GATE_ENDED_MAX,
};

struct gate_record {
	uint32_t type;
	uint32_t refusal;
	uint32_t ending;
	uint32_t row;
	int32_t errnum;
	uint16_t port;
	uint16_t reserved;
	uint64_t count;
	uint64_t lost;
	uint64_t sent; /* by the task */
	uint64_t received;
	uint64_t start_ms; /* since the epoch */
	uint64_t duration_ms;
	char name[ALLOW_NAME_MAX + 1]; /* that was asked for; or "" */
	char other[ALLOW_NAME_MAX + 1]; /* that the client named inside the connection; or "" */
	char address[64]; /* that it led to, or a literal one; or "" */
	char why[GATE_WHY_MAX];
	char method[HTTP_METHOD_MAX];
	char path[HTTP_PATH_MAX];
	struct error error;
};

/* Whether a message of len bytes is a record: its size, its numbers in their ranges, its texts terminated. Texts are
 * made printable. */
bool gate_record_check(struct gate_record *record, size_t len);

const char *gate_refusal_name(enum gate_refusal refusal);
const char *gate_ending_name(enum gate_ending ending);

#endif
