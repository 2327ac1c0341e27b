/*
 * What was refused, in a table of bounded size, and what the supervisor is told. Connections that nobody takes are seen
 * as packets: a socket inside shows the first packet of each TCP connection, and datagrams, that go elsewhere than to
 * the task's own loopback. The kernel has refused them by then; only who reads this is late.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "gate/state.h"

/* How long the supervisor may leave a whole buffer unread. */
#define PATIENCE_MS 2000
#define PACKETS_AT_A_TURN 64

void gate_tell(struct gate *gate, const struct gate_record *record)
{
	struct pollfd ready = {.fd = gate->channel.fd, .events = POLLOUT};

	while (send(gate->channel.fd, record, sizeof(*record), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || poll(&ready, 1, PATIENCE_MS) != 1 || (ready.revents & POLLOUT) == 0) {
			gate->refused_lost += record->type == GATE_RECORD_REFUSED;
			return;
		}
	}
}

static bool is_same(const struct gate_record *a, const struct gate_record *b)
{
	return a->refusal == b->refusal && a->port == b->port && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->other, b->other) == 0 && strcmp(a->address, b->address) == 0 && strcmp(a->why, b->why) == 0;
}

void gate_refuse(struct gate *gate, enum gate_refusal refusal, const char *name, const char *other,
		 const struct allow_address *address, uint16_t port, const char *why)
{
	struct gate_record record;
	struct gate_refused *row;

	memset(&record, 0, sizeof(record));
	record.type = GATE_RECORD_REFUSED;
	record.refusal = refusal;
	record.port = port;
	record.count = 1;
	record.row = (uint32_t)gate->refused_count;
	(void)snprintf(record.name, sizeof(record.name), "%s", name != NULL ? name : "");
	(void)snprintf(record.other, sizeof(record.other), "%s", other != NULL ? other : "");
	(void)snprintf(record.why, sizeof(record.why), "%s", why != NULL ? why : "");
	if (address != NULL)
		(void)allow_format_address(address, record.address, sizeof(record.address));
	gate->refused_total++;
	for (size_t i = 0; i < gate->refused_count; i++) {
		if (!is_same(&gate->refused[i].record, &record))
			continue;
		gate->refused[i].record.count++;
		return;
	}
	if (gate->refused_count == GATE_REFUSALS_MAX) {
		gate->refused_lost++;
		return;
	}
	row = &gate->refused[gate->refused_count++];
	row->record = record;
	row->told = 1;
	gate_tell(gate, &record);
}

void gate_tell_refusals(struct gate *gate)
{
	struct gate_record totals;

	for (size_t i = 0; i < gate->refused_count; i++)
		if (gate->refused[i].record.count != gate->refused[i].told)
			gate_tell(gate, &gate->refused[i].record);
	memset(&totals, 0, sizeof(totals));
	totals.type = GATE_RECORD_TOTALS;
	totals.count = gate->refused_total;
	totals.lost = gate->refused_lost;
	gate_tell(gate, &totals);
}

/* A connection or a datagram to an address and port where perhaps nobody listens. */
static void judge_packet(struct gate *gate, const struct allow_address *to, uint16_t port, bool is_tcp)
{
	const struct gate_name *name = gate_names_at(gate, to);

	if (is_tcp && name != NULL && allow_match_name(gate->config->rules, name->name, port) == NULL)
		gate_refuse(gate, GATE_REFUSED_PORT, name->name, NULL, NULL, port, NULL);
	else if (is_tcp && name == NULL && allow_match_address(gate->config->rules, to, port) == NULL)
		gate_refuse(gate, GATE_REFUSED_ADDRESS, NULL, NULL, to, port, NULL);
	else if (!is_tcp)
		gate_refuse(gate, GATE_REFUSED_UDP, name != NULL ? name->name : NULL, NULL, name != NULL ? NULL : to, port,
			    NULL);
}

static void on_packet(struct gate *gate, const uint8_t *packet, size_t len)
{
	struct allow_address to = {.in6 = IN6ADDR_ANY_INIT};
	uint8_t protocol;
	size_t header;

	if (len >= sizeof(struct ip6_hdr) && packet[0] >> 4 == 6) {
		header = sizeof(struct ip6_hdr);
		protocol = packet[6];
		memcpy(&to.in6, packet + 24, 16);
	} else if (len >= sizeof(struct iphdr) && packet[0] >> 4 == 4) {
		header = (packet[0] & 15U) * 4U;
		protocol = packet[9];
		to.in6.s6_addr[10] = to.in6.s6_addr[11] = 0xff;
		memcpy(&to.in6.s6_addr[12], packet + 16, 4);
	} else {
		return;
	}
	if (header < 20 || len < header + 4 || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP))
		return;
	judge_packet(gate, &to, (uint16_t)(packet[header + 2] << 8 | packet[header + 3]), protocol == IPPROTO_TCP);
}

void gate_packets_ready(struct gate_watch *watch, uint32_t events)
{
	struct gate *gate = GATE_CONTAINER(watch, struct gate_packets, watch)->gate;
	uint8_t packet[128];

	(void)events;
	for (int i = 0; i < PACKETS_AT_A_TURN; i++) {
		ssize_t n = recv(watch->fd, packet, sizeof(packet), MSG_DONTWAIT);

		if (n < 0)
			return;
		on_packet(gate, packet, (size_t)n);
	}
}
