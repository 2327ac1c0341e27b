#include "gate/dns.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define HEADER 12
#define CLASS_IN 1
#define TYPE_OPT 41
#define CHAIN_MAX 8
#define RECORDS_MAX 256
#define WIRE_NAME_MAX 255

#define FLAG_REPLY 0x8000
#define FLAG_OPCODE 0x7800
#define FLAG_TRUNCATED 0x0200
#define FLAG_WANTED 0x0100
#define FLAG_AVAILABLE 0x0080

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, (uint16_t)(value >> 16));
	put16(p + 2, (uint16_t)value);
}

/*
 * Reads the name at *pos in wire form into name (labels with their lengths, ASCII letters in lower case, no pointers),
 * and moves *pos past it. A pointer must lead back, before all that was read of this name. Returns its length with the
 * root's zero, or -EBADMSG.
 */
static int read_name(const uint8_t *msg, size_t len, size_t *pos, uint8_t name[WIRE_NAME_MAX])
{
	size_t at = *pos;
	size_t low = *pos;
	size_t used = 0;
	bool jumped = false;

	for (;;) {
		uint8_t n;

		if (at >= len)
			return -EBADMSG;
		n = msg[at];
		if (n >= 0xc0) {
			size_t target;

			if (at + 1 >= len)
				return -EBADMSG;
			target = (size_t)get16(msg + at) & 0x3fff;
			if (!jumped)
				*pos = at + 2;
			if (target >= low || target < HEADER)
				return -EBADMSG;
			jumped = true;
			at = low = target;
			continue;
		}
		if (n > 63 || at + 1 + n > len || used + 1 + n > WIRE_NAME_MAX)
			return -EBADMSG;
		name[used++] = n;
		for (size_t i = 0; i < n; i++)
			name[used++] = (uint8_t)tolower(msg[at + 1 + i]);
		at += 1U + n;
		if (n == 0) {
			if (!jumped)
				*pos = at;
			return (int)used;
		}
	}
}

/* A host's name in wire form. Returns its length, or 0 when it does not fit. */
static size_t write_name(const char *name, uint8_t *buf, size_t size)
{
	size_t used = 0;

	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		if (n == 0 || n > 63 || used + n + 2 > size)
			return 0;
		buf[used++] = (uint8_t)n;
		memcpy(buf + used, name, n);
		used += n;
		name += n + (name[n] == '.');
	}
	if (used >= size)
		return 0;
	buf[used++] = 0;
	return used;
}

/* The name as text: a normalized host's name (true), or something printable. */
static bool name_text(const uint8_t *wire, int len, char buf[ALLOW_NAME_MAX + 1])
{
	char text[WIRE_NAME_MAX + 1];
	size_t used = 0;
	bool is_host = true;

	for (int i = 0; i < len - 1; i += wire[i] + 1) {
		if (used > 0)
			text[used++] = '.';
		for (int j = 1; j <= wire[i]; j++) {
			uint8_t c = wire[i + j];

			if (c <= 0x20 || c >= 0x7f || c == '.' || c == '\\') {
				is_host = false;
				c = '?';
			}
			text[used++] = (char)c;
		}
	}
	if (is_host && allow_normalize(text, used, buf))
		return true;
	if (used > ALLOW_NAME_MAX)
		used = ALLOW_NAME_MAX;
	memcpy(buf, text, used);
	buf[used] = '\0';
	return false;
}

/* Past one resource record, whose fixed part is at *ret_fixed. */
static int skip_record(const uint8_t *msg, size_t len, size_t *pos, uint8_t name[WIRE_NAME_MAX], int *ret_name_len,
		       size_t *ret_fixed)
{
	*ret_name_len = read_name(msg, len, pos, name);
	if (*ret_name_len < 0 || len - *pos < 10 || len - *pos - 10 < get16(msg + *pos + 8))
		return -EBADMSG;
	*ret_fixed = *pos;
	*pos += 10U + get16(msg + *pos + 8);
	return 0;
}

int dns_parse_question(const uint8_t *msg, size_t len, struct dns_question *ret)
{
	uint8_t name[WIRE_NAME_MAX];
	struct dns_question question = {.id = 0};
	size_t pos = HEADER;
	unsigned int others;
	int n;

	if (len < HEADER || (get16(msg + 2) & FLAG_REPLY) != 0)
		return -EINVAL;
	question.id = get16(msg);
	question.flags = get16(msg + 2);
	question.end = HEADER;
	*ret = question;
	if (get16(msg + 4) != 1 || get16(msg + 6) != 0 || get16(msg + 8) != 0)
		return -EBADMSG;
	n = read_name(msg, len, &pos, name);
	if (n < 0 || len - pos < 4)
		return -EBADMSG;
	question.type = get16(msg + pos);
	if (get16(msg + pos + 2) != CLASS_IN)
		return -EBADMSG;
	question.end = pos + 4;
	question.is_host = name_text(name, n, question.name);
	pos = question.end;
	others = get16(msg + 10);
	for (unsigned int i = 0; i < others; i++) {
		size_t fixed;

		if (i == RECORDS_MAX || skip_record(msg, len, &pos, name, &n, &fixed) < 0)
			return -EBADMSG;
		if (get16(msg + fixed) == TYPE_OPT && n == 1)
			question.payload = get16(msg + fixed + 2) < 512 ? 512 : get16(msg + fixed + 2);
	}
	*ret = question;
	return 0;
}

size_t dns_make_answer(const uint8_t *msg, const struct dns_question *question, int rcode, const uint8_t *address,
		       uint32_t ttl, uint8_t *buf, size_t size)
{
	size_t used = question->end;
	bool has_question = used > HEADER;

	/* At most a name, 255 bytes, and what is of fixed size. */
	if (used + 16 + 11 > size)
		return 0;
	memcpy(buf, msg, used);
	put16(buf + 2, (uint16_t)(FLAG_REPLY | (question->flags & (FLAG_OPCODE | FLAG_WANTED)) | FLAG_AVAILABLE | rcode));
	put16(buf + 4, has_question ? 1 : 0);
	put16(buf + 6, address != NULL ? 1 : 0);
	put16(buf + 8, 0);
	put16(buf + 10, question->payload != 0 ? 1 : 0);
	if (address != NULL) {
		put16(buf + used, 0xc000 | HEADER);
		put16(buf + used + 2, DNS_TYPE_A);
		put16(buf + used + 4, CLASS_IN);
		put32(buf + used + 6, ttl);
		put16(buf + used + 10, 4);
		memcpy(buf + used + 12, address, 4);
		used += 16;
	}
	if (question->payload != 0) {
		memset(buf + used, 0, 11);
		put16(buf + used + 1, TYPE_OPT);
		put16(buf + used + 3, DNS_UDP_MAX);
		used += 11;
	}
	return used;
}

size_t dns_make_query(uint16_t id, const char *name, uint16_t type, uint8_t *buf, size_t size)
{
	size_t used;

	if (size < DNS_QUERY_MAX)
		return 0;
	memset(buf, 0, HEADER);
	put16(buf, id);
	put16(buf + 2, FLAG_WANTED);
	put16(buf + 4, 1);
	put16(buf + 10, 1);
	used = write_name(name, buf + HEADER, WIRE_NAME_MAX);
	if (used == 0)
		return 0;
	used += HEADER;
	put16(buf + used, type);
	put16(buf + used + 2, CLASS_IN);
	used += 4;
	memset(buf + used, 0, 11);
	put16(buf + used + 1, TYPE_OPT);
	put16(buf + used + 3, DNS_UDP_MAX);
	return used + 11;
}

/* Takes what one pass over the answers finds for the name in owner. True when that is an alias: owner is its target. */
static bool collect(const uint8_t *msg, size_t len, size_t pos, unsigned int records, uint16_t type,
		    uint8_t owner[WIRE_NAME_MAX], int *owner_len, struct dns_reply *reply)
{
	for (unsigned int i = 0; i < records; i++) {
		uint8_t name[WIRE_NAME_MAX];
		size_t fixed;
		size_t data;
		uint16_t size;
		int n;

		if (skip_record(msg, len, &pos, name, &n, &fixed) < 0)
			return false;
		if (n != *owner_len || memcmp(name, owner, (size_t)n) != 0 || get16(msg + fixed + 2) != CLASS_IN)
			continue;
		size = get16(msg + fixed + 8);
		data = fixed + 10;
		if (get16(msg + fixed) == DNS_TYPE_CNAME) {
			n = read_name(msg, len, &data, owner);
			if (n < 0)
				return false;
			*owner_len = n;
		} else if (get16(msg + fixed) != type || size != (type == DNS_TYPE_A ? 4 : 16)) {
			continue;
		}
		if (get32(msg + fixed + 4) < reply->ttl)
			reply->ttl = get32(msg + fixed + 4);
		if (get16(msg + fixed) == DNS_TYPE_CNAME)
			return true;
		if (reply->count < DNS_ADDRESSES_MAX) {
			struct allow_address *address = &reply->address[reply->count++];

			memset(address, 0, sizeof(*address));
			address->in6.s6_addr[10] = address->in6.s6_addr[11] = 0xff;
			memcpy(&address->in6.s6_addr[type == DNS_TYPE_A ? 12 : 0], msg + data, size);
		}
	}
	return false;
}

int dns_parse_reply(const uint8_t *msg, size_t len, uint16_t id, const char *name, uint16_t type,
		    struct dns_reply *ret)
{
	struct dns_reply reply = {.ttl = UINT32_MAX};
	uint8_t asked[WIRE_NAME_MAX];
	uint8_t owner[WIRE_NAME_MAX];
	size_t asked_len = write_name(name, asked, sizeof(asked));
	size_t pos = HEADER;
	unsigned int records;
	int n;

	if (len < HEADER || get16(msg) != id || (get16(msg + 2) & (FLAG_REPLY | FLAG_OPCODE)) != FLAG_REPLY ||
	    get16(msg + 4) != 1)
		return -EINVAL;
	n = read_name(msg, len, &pos, owner);
	if (n < 0 || (size_t)n != asked_len || memcmp(owner, asked, asked_len) != 0 || len - pos < 4 ||
	    get16(msg + pos) != type || get16(msg + pos + 2) != CLASS_IN)
		return -EINVAL;
	pos += 4;
	reply.rcode = get16(msg + 2) & 15;
	reply.truncated = (get16(msg + 2) & FLAG_TRUNCATED) != 0;
	records = get16(msg + 6);
	if (records > RECORDS_MAX)
		records = RECORDS_MAX;
	for (int i = 0; i < CHAIN_MAX && reply.rcode == DNS_RCODE_OK; i++)
		if (!collect(msg, len, pos, records, type, owner, &n, &reply))
			break;
	if (reply.ttl == UINT32_MAX)
		reply.ttl = 0;
	*ret = reply;
	return 0;
}
