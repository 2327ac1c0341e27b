/*
 * The hosts that a task may reach: the rules of --allow and --allow-file, parsed, and the question whether one covers
 * a name or an address.
 *
 *	HOST[:PORTS][@ADDRESSES][:any-sni]
 *
 * HOST is a name, `*.NAME` (one or more whole labels in its place, never NAME itself), `*` (any name), an IPv4 address,
 * an IPv6 address in brackets, or a range of addresses (10.0.0.0/8, [2001:db8::/32]). PORTS are numbers and ranges,
 * joined by commas: 443 unless given. ADDRESSES are addresses and ranges, joined by commas, to which the name may lead
 * although they are private. any-sni: what the client says inside the connection is not compared with HOST.
 */
#ifndef CAPSULE_POLICY_ALLOW_H
#define CAPSULE_POLICY_ALLOW_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define ALLOW_NAME_MAX 253
#define ALLOW_PORTS_MAX 1024 /* of one rule */
#define ALLOW_PAIRS_MAX 256 /* of one rule of addresses: with more it is wide */
/* Names get addresses of this network inside: RFC 2544, for tests of devices, nowhere routed. */
#define ALLOW_INSIDE_NET "198.18.0.0/15"
#define ALLOW_INSIDE_FIRST 0xc6120000U
#define ALLOW_INSIDE_MASK 0xfffe0000U

/* An address: IPv4 as an IPv4-mapped IPv6 one, so that one comparison does. */
struct allow_address {
	struct in6_addr in6;
};

struct allow_net {
	struct allow_address address;
	unsigned int bits; /* of the 128 */
};

struct allow_ports {
	uint16_t first;
	uint16_t last;
};

/* What may be used, in all or by the connections of one rule; LIMIT_NONE where nothing was said. */
struct allow_budget {
	uint64_t bytes;	      /* both ways */
	uint64_t connections; /* at a time */
	uint64_t rate;	      /* bytes per second, both ways */
};

enum allow_kind { ALLOW_NAME, ALLOW_WILDCARD, ALLOW_NET };

struct allow_rule {
	enum allow_kind kind;
	char *text; /* as given */
	char *name; /* lower case, without a trailing dot; of a wildcard what follows "*.", or "" */
	struct allow_net net;
	struct allow_ports *ports;
	size_t port_count;
	struct allow_net *at;
	size_t at_count;
	bool any_sni;
	struct allow_budget budget;
	size_t index; /* in the set */
	struct allow_rule *next; /* of the same hash, in the order in which they were given */
};

struct allow_set {
	struct allow_rule **rules; /* in order */
	size_t count;
	struct allow_rule **bucket; /* of names and wildcards; a power of two */
	size_t bucket_count;
};

/* Parses one rule and adds it. option is what messages name ("--allow"). -EINVAL with err naming option, value and
 * what is accepted, or -ENOMEM. */
ATTR_CHECKED int allow_add(struct allow_set *set, const char *option, const char *text, struct error *err);

/* Reads rules from a file, one a line; blank lines and what follows a # are left out. Errors name FILE:LINE. */
ATTR_CHECKED int allow_add_file(struct allow_set *set, const char *path, struct error *err);

/* Lower case, no trailing dot, into buf (ALLOW_NAME_MAX + 1 bytes). False when it is no host's name: a label is empty or
 * longer than 63, has other characters than letters, digits, - and _, or the last one is a number. */
bool allow_normalize(const char *text, size_t len, char *buf);

/* The next rule that covers a normalized name, after prev (NULL: the first): exact ones first, then wildcards, the
 * longest first. NULL: none is left. */
const struct allow_rule *allow_next(const struct allow_set *set, const char *name, const struct allow_rule *prev);

/* The first of those that has this port, or NULL. */
const struct allow_rule *allow_match_name(const struct allow_set *set, const char *name, uint16_t port);

/* The first rule of addresses that has it, names it (allow_net_names()), and has this port (0: any); NULL: none. */
const struct allow_rule *allow_match_address(const struct allow_set *set, const struct allow_address *address,
					     uint16_t port);

/* Parses the HOST of a rule, and gives a budget to each rule of the set that has the same one. Returns how many have,
 * or -EINVAL. */
int allow_set_budget(struct allow_set *set, const char *host, uint64_t value, size_t offset);

bool allow_has_port(const struct allow_rule *rule, uint16_t port);

/* Whether a rule of addresses covers more (address, port) pairs than have listeners of their own: it takes its ports on
 * all addresses then. */
bool allow_is_wide(const struct allow_rule *rule);

/* How many ports a rule has. */
size_t allow_count_ports(const struct allow_rule *rule);

/* Whether a name of this rule may lead to that address: it is public, or named beside the name. *ret_why says what it
 * is when not: "private". */
bool allow_may_lead_to(const struct allow_rule *rule, const struct allow_address *address, const char **ret_why);

/* What an address is that no name leads to unless it is named: "private", "loopback", ...; NULL for a public one. Sees
 * through IPv4 in IPv6 (mapped, 6to4, Teredo, NAT64). */
const char *allow_address_class(const struct allow_address *address);

/* Whether an address of the net's is named by it: a public one always, another one when all of the net is of its kind.
 * 0.0.0.0/0 means hosts anywhere, and neither loopback nor metadata. */
bool allow_net_names(const struct allow_net *net, const struct allow_address *address);

bool allow_net_has(const struct allow_net *net, const struct allow_address *address);
bool allow_is_ipv4(const struct allow_address *address);

/* From and to text and socket addresses. Text: numbers and dots as inet_pton(3) takes them, no shorter forms. */
bool allow_parse_address(const char *text, struct allow_address *ret);
const char *allow_format_address(const struct allow_address *address, char *buf, size_t size);
bool allow_from_sockaddr(const struct sockaddr_storage *sa, struct allow_address *ret, uint16_t *ret_port);
socklen_t allow_to_sockaddr(const struct allow_address *address, uint16_t port, struct sockaddr_storage *ret);

void allow_fini(struct allow_set *set);

#endif
