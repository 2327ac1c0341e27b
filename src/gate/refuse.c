/*
 * What was refused, in a table of bounded size, and what the supervisor is told. Connections that nobody takes are seen
 * as packets: a socket inside shows the first packet of each TCP connection, and datagrams, that go elsewhere than to
 * the task's own loopback. The kernel has refused them by then; only who reads this is late.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
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

/* What of an IPv4 packet is before its ports, and where it goes; 0: it is none. */
static size_t read_header(const uint8_t *packet, size_t len, struct allow_address *ret_to)
{
	size_t header;

	if (len < sizeof(struct iphdr) || packet[0] >> 4 != 4)
		return 0;
	header = (packet[0] & 15U) * 4U;
	memset(ret_to, 0, sizeof(*ret_to));
	ret_to->in6.s6_addr[10] = ret_to->in6.s6_addr[11] = 0xff;
	memcpy(&ret_to->in6.s6_addr[12], packet + 16, 4);
	return header < sizeof(struct iphdr) ? 0 : header;
}

/* Of an IPv6 packet a raw socket tells that beside it. */
static bool read_destination(struct msghdr *msg, struct allow_address *ret_to)
{
	struct in6_pktinfo info;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg != NULL; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != IPPROTO_IPV6 || cmsg->cmsg_type != IPV6_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
		ret_to->in6 = info.ipi6_addr;
		return true;
	}
	return false;
}

/* One packet. False: there is none. */
static bool take_packet(const struct gate_packets *packets)
{
	uint8_t packet[128];
	struct iovec iov = {.iov_base = packet, .iov_len = sizeof(packet)};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	ssize_t n = recvmsg(packets->watch.fd, &msg, MSG_DONTWAIT);
	struct allow_address to;
	size_t header = 0;

	if (n < 0)
		return false;
	if (packets->is_ipv6 ? !read_destination(&msg, &to) : (header = read_header(packet, (size_t)n, &to)) == 0)
		return true;
	if ((size_t)n >= header + 4)
		judge_packet(packets->gate, &to, (uint16_t)(packet[header + 2] << 8 | packet[header + 3]), packets->is_tcp);
	return true;
}

void gate_packets_ready(struct gate_watch *watch, uint32_t events)
{
	const struct gate_packets *packets = GATE_CONTAINER(watch, struct gate_packets, watch);

	(void)events;
	for (int i = 0; i < PACKETS_AT_A_TURN; i++)
		if (!take_packet(packets))
			return;
}
