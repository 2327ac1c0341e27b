/*
 * Resolves names on the host as /etc/hosts and /etc/resolv.conf say, which are read beforehand: the gate has no file
 * system. A stub of our own on the messages that the name server inside needs anyway (gate/dns.h). The C library's
 * reads files and loads modules at each question, and in a static program only of its own version; c-ares reads files,
 * and does not tell how long what it found holds.
 */
#ifndef CAPSULE_GATE_RESOLVE_H
#define CAPSULE_GATE_RESOLVE_H

#include "gate/dns.h"
#include "gate/loop.h"

#define RESOLVE_SERVERS_MAX 3
#define RESOLVE_SEARCH_MAX 6
#define RESOLVE_ADDRESSES_MAX 16

struct resolve_host {
	struct allow_address address;
	char *name; /* normalized */
};

struct resolve_config {
	struct allow_address server[RESOLVE_SERVERS_MAX];
	uint16_t port; /* of all of them: 53 */
	size_t server_count;
	char *search[RESOLVE_SEARCH_MAX]; /* for names of one label */
	size_t search_count;
	unsigned int timeout_ms;
	unsigned int attempts; /* at each server */
	struct resolve_host *hosts;
	size_t host_count;
};

/* Parse the two files, of which a part that is not understood is left out, as the C library does. 0 or -ENOMEM. */
ATTR_CHECKED int resolve_parse_conf(struct resolve_config *config, char *text);
ATTR_CHECKED int resolve_parse_hosts(struct resolve_config *config, char *text);

/* Reads both; a file that is not there is an empty one. 0 or -errno with err. */
ATTR_CHECKED int resolve_read_config(struct resolve_config *ret, struct error *err);
void resolve_config_fini(struct resolve_config *config);

enum resolve_status {
	RESOLVE_NONE, /* not asked yet */
	RESOLVE_OK,
	RESOLVE_NO_NAME, /* there is none, or it has no address */
	RESOLVE_FAILED,	 /* nobody could tell */
};

struct resolve_name;

struct resolve_waiter {
	void (*done)(struct resolve_waiter *waiter);
	struct resolve_waiter *next;
	bool waits;
};

struct resolver {
	struct gate_loop *loop;
	const struct resolve_config *config;
	size_t busy; /* names that are being resolved */
};

/* One of the two questions about a name: for IPv4 and for IPv6 addresses. */
struct resolve_query {
	struct gate_watch watch;
	struct resolve_name *name;
	uint16_t type;
	uint16_t id;
	bool is_tcp;
	bool done;
	struct dns_reply reply;
	uint8_t *buf; /* by TCP: what is sent, then what came */
	size_t buf_len;
	bool sending;
};

/* A name and what is known of it. It stays where it is. */
struct resolve_name {
	struct resolver *resolver;
	const char *name; /* normalized; the owner's */
	enum resolve_status status;
	uint64_t expires_ms;
	size_t count;
	struct allow_address address[RESOLVE_ADDRESSES_MAX]; /* IPv6 and IPv4 by turns */
	bool busy;
	struct resolve_waiter *waiters;
	struct resolve_query query[2];
	struct gate_timer timer;
	size_t server;
	unsigned int attempt;
	size_t candidate; /* of the search list; its end: the name itself */
	uint32_t ttl;
};

/* Makes sure that status and address are what holds now, and calls waiter->done() when they are: before it returns,
 * when that is known. A caller looks at waiter->waits afterwards. */
void resolve_ask(struct resolver *resolver, struct resolve_name *name, struct resolve_waiter *waiter);

/* It is not called any more. */
void resolve_cancel(struct resolve_name *name, struct resolve_waiter *waiter);

#endif
