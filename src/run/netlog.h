/* What the gate has told of a run: what was refused, which hosts were reached, which requests were made; bounded. */
#ifndef CAPSULE_RUN_NETLOG_H
#define CAPSULE_RUN_NETLOG_H

#include <jansson.h>

#include "gate/record.h"
#include "policy/policy.h"

#define NETLOG_HOSTS_MAX    64U
#define NETLOG_REQUESTS_MAX 256U

struct netlog_refusal {
	enum gate_refusal kind;
	char name[ALLOW_NAME_MAX + 1];
	char other[ALLOW_NAME_MAX + 1];
	char address[64];
	char why[GATE_WHY_MAX];
	uint16_t port;
	uint64_t count;
};

struct netlog_host {
	char name[ALLOW_NAME_MAX + 1]; /* or a literal address */
	uint16_t port;
	uint64_t connections;
	uint64_t sent;
	uint64_t received;
};

struct netlog_request {
	char *method; /* NULL: what was said is not known */
	char *url;
};

struct netlog {
	int log_fd; /* --net-log; borrowed, or -1 */
	int log_errnum; /* of a write that failed */
	bool is_whole; /* the last record has come */
	size_t refusal_count;
	struct netlog_refusal refusals[GATE_REFUSALS_MAX];
	uint64_t refused; /* all of them, and those in no row; when it is whole */
	uint64_t refused_lost;
	uint64_t connections;
	uint64_t sent;
	uint64_t received;
	size_t host_count;
	struct netlog_host hosts[NETLOG_HOSTS_MAX];
	uint64_t hosts_lost; /* connections to those without a row */
	size_t request_count;
	struct netlog_request requests[NETLOG_REQUESTS_MAX];
};

/* NULL without memory. */
struct netlog *netlog_new(int log_fd);

/* Takes a record that was checked (gate_record_check()), and writes its line. */
void netlog_take(struct netlog *log, const struct gate_record *record);

/* The option that would have allowed it, into buf (at least 512 bytes); NULL: none would. */
const char *netlog_allowed_by(const struct netlog_refusal *refusal, char *buf, size_t size);

/* What was refused, in words, without the name and address: "name not allowed". */
const char *netlog_words(const struct netlog_refusal *refusal);

/* What is shown of whom it was: a name, an address, with the port; into buf. */
const char *netlog_whom(const struct netlog_refusal *refusal, char *buf, size_t size);

/* The verdict's "network" and the envelope's "host_requests"; log may be NULL. */
json_t *netlog_json(const struct netlog *log);
json_t *netlog_requests_json(const struct netlog *log);

void netlog_free(struct netlog *log);

#endif
