/* DNS messages (RFC 1035, RFC 6891), as a server takes questions and as a stub asks and reads answers. Everything that
 * is read is hostile: the task's questions and the answers of name servers. Pure functions. */
#ifndef CAPSULE_GATE_DNS_H
#define CAPSULE_GATE_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/allow.h"

#define DNS_TYPE_A 1
#define DNS_TYPE_CNAME 5
#define DNS_TYPE_PTR 12
#define DNS_TYPE_AAAA 28
#define DNS_TYPE_ANY 255

#define DNS_RCODE_OK 0
#define DNS_RCODE_MALFORMED 1
#define DNS_RCODE_FAILED 2
#define DNS_RCODE_NO_NAME 3
#define DNS_RCODE_NOT_IMPLEMENTED 4

#define DNS_UDP_MAX 1232
#define DNS_QUERY_MAX 512
#define DNS_ADDRESSES_MAX 16

struct dns_question {
	uint16_t id;
	uint16_t type;
	uint16_t flags;
	uint16_t payload; /* what the client takes by UDP when it said so (EDNS), else 0 */
	size_t end;	  /* of the question in the message */
	bool is_host;	  /* name is one, normalized; else text is all that is known of it */
	char name[ALLOW_NAME_MAX + 1]; /* what is no host's name has its odd bytes replaced, and is cut */
};

struct dns_reply {
	int rcode;
	bool truncated;
	uint32_t ttl; /* seconds; the least of the chain's records */
	size_t count;
	struct allow_address address[DNS_ADDRESSES_MAX];
};

/* Reads a question. 0; -EBADMSG: not one, but id is set and DNS_RCODE_MALFORMED can be answered; -EINVAL: nothing that
 * has an answer. */
int dns_parse_question(const uint8_t *msg, size_t len, struct dns_question *ret);

/* Makes the answer to a question that was parsed from msg: with an IPv4 address (network order), or NULL. Returns its
 * length. buf has at least DNS_QUERY_MAX bytes. */
size_t dns_make_answer(const uint8_t *msg, const struct dns_question *question, int rcode, const uint8_t *address,
		       uint32_t ttl, uint8_t *buf, size_t size);

/* Makes a query for a normalized name. Returns its length, or 0. buf has at least DNS_QUERY_MAX bytes. */
size_t dns_make_query(uint16_t id, const char *name, uint16_t type, uint8_t *buf, size_t size);

/* Reads the answer to that query. 0, or -EINVAL: it is none, and must be ignored. */
int dns_parse_reply(const uint8_t *msg, size_t len, uint16_t id, const char *name, uint16_t type,
		    struct dns_reply *ret);

#endif
