/*
 * What the gate needs inside: every address leads to lo, and sockets of this network namespace are handed to it.
 *
 * AnyIP routes (ip-route(8), "local") make all addresses this machine's, so a connection to one reaches whoever listens
 * on it, with the address that was meant; where nobody listens it is refused at once, and raw sockets show that it
 * was tried. Listeners have an address of their own, never the wildcard, which would take the task's loopback; the one
 * exception is a range of addresses too wide for that, on its ports.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/fdpass.h"
#include "policy/inside.h"
#include "stage/stage.h"

#define NAME "gate"
#define LOOPBACK_INDEX 1
#define BACKLOG 1024
#define FIRST_STOCK_MAX 16U
/* What of a packet is looked at: an IPv4 header with options and the ports, or an IPv6 one. */
#define PACKET_SEEN 64

/* Half of all addresses: the table of local ones is looked up before any other. */
static int add_route(struct nl_sock *sk, int family, uint8_t first, struct error *err)
{
	size_t len = family == AF_INET ? 4 : 16;
	struct {
		struct rtmsg msg;
		uint8_t attributes[64];
	} request = {.msg = {.rtm_family = (unsigned char)family,
			     .rtm_dst_len = 1,
			     .rtm_table = RT_TABLE_LOCAL,
			     .rtm_protocol = RTPROT_BOOT,
			     .rtm_scope = RT_SCOPE_HOST,
			     .rtm_type = RTN_LOCAL}};
	struct rtattr attribute = {.rta_type = RTA_DST, .rta_len = (unsigned short)RTA_LENGTH(len)};
	const uint32_t index = LOOPBACK_INDEX;
	size_t used = 0;
	int r;

	memcpy(request.attributes, &attribute, sizeof(attribute));
	request.attributes[RTA_LENGTH(0)] = first;
	used += RTA_SPACE(len);
	attribute = (struct rtattr){.rta_type = RTA_OIF, .rta_len = RTA_LENGTH(sizeof(index))};
	memcpy(request.attributes + used, &attribute, sizeof(attribute));
	memcpy(request.attributes + used + RTA_LENGTH(0), &index, sizeof(index));
	used += RTA_SPACE(sizeof(index));
	r = nl_send_simple(sk, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE, &request, sizeof(request.msg) + used);
	if (r >= 0)
		r = nl_wait_for_ack(sk);
	/* A kernel or a lo without IPv6 has no way out by it either. */
	if (r < 0 && family == AF_INET6)
		return 0;
	return r < 0 ? error_set(err, NAME, 0, "route all addresses to lo: %s", nl_geterror(r)) : 0;
}

static int add_routes(struct error *err)
{
	static const struct {
		int family;
		uint8_t first;
	} halves[] = {{AF_INET, 0}, {AF_INET, 0x80}, {AF_INET6, 0}, {AF_INET6, 0x80}};
	struct nl_sock *sk = nl_socket_alloc();
	int r = sk == NULL ? -NLE_NOMEM : nl_connect(sk, NETLINK_ROUTE);

	if (r < 0)
		r = error_set(err, NAME, 0, "netlink socket: %s", nl_geterror(r));
	for (size_t i = 0; i < ARRAY_SIZE(halves) && r == 0; i++)
		r = add_route(sk, halves[i].family, halves[i].first, err);
	if (sk != NULL)
		nl_socket_free(sk);
	return r;
}

/* The gate has no privilege over this namespace, and binds port 443. So may the task: only its own loopback hears. */
static int allow_ports(const struct stage_ctx *ctx, struct error *err)
{
	int r = fd_write_file_at(ctx->host_proc_fd, "sys/net/ipv4/ip_unprivileged_port_start", "0");

	if (r == 0)
		return 0;
	error_set(err, NAME, -r, "write /proc/sys/net/ipv4/ip_unprivileged_port_start");
	return error_hint(err, "--allow needs a /proc/sys that can be written to for the sandbox's own network; in a "
			       "container: --security-opt systempaths=unconfined (docker), procMount: Unmasked");
}

static int send_all(const struct stage_ctx *ctx, enum inside_tag tag, int *fds, size_t count, struct error *err)
{
	int r = fdpass_send(ctx->gate_fd, (uint8_t)tag, fds, count);

	for (size_t i = 0; i < count; i++)
		close_fd(&fds[i]);
	return r < 0 ? error_set(err, NAME, -r, "hand sockets to the gate") : 0;
}

/* A socket on (address, port) that listens, or a datagram socket there. */
static int make_socket(const struct allow_address *address, uint16_t port, int type, struct error *err)
{
	struct sockaddr_storage sa;
	socklen_t len = allow_to_sockaddr(address, port, &sa);
	AUTO_CLOSE int fd = socket(sa.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;
	char text[64];

	if (fd < 0 || (sa.ss_family == AF_INET6 &&
		       (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0 ||
			setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)) < 0)))
		return error_set(err, NAME, errno, "socket for %s", allow_format_address(address, text, sizeof(text)));
	if (bind(fd, (const struct sockaddr *)&sa, len) < 0 || (type == SOCK_STREAM && listen(fd, BACKLOG) < 0))
		return error_set(err, NAME, errno, "listen on %s port %u",
				 allow_format_address(address, text, sizeof(text)), port);
	return take_fd(&fd);
}

static int send_name_server(const struct stage_ctx *ctx, struct error *err)
{
	struct allow_address server;
	int fds[2] = {-1, -1};

	if (!allow_parse_address(INSIDE_SERVER, &server))
		return error_set(err, NAME, EINVAL, "%s", INSIDE_SERVER);
	fds[0] = make_socket(&server, 53, SOCK_DGRAM, err);
	if (fds[0] < 0)
		return fds[0];
	fds[1] = make_socket(&server, 53, SOCK_STREAM, err);
	if (fds[1] < 0) {
		close_fd(&fds[0]);
		return fds[1];
	}
	return send_all(ctx, INSIDE_NAMES, fds, 2, err);
}

#define LOAD_BYTE(at) BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (at))
#define LOAD_WORD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
#define EQUALS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))

/*
 * The first packet of a TCP connection, and datagrams, to other addresses than 127.0.0.0/8 and the name server; not
 * what is fragmented. Run by the kernel for each packet on lo: everything else ends after a few instructions.
 */
static const struct sock_filter seen4[] = {
    LOAD_WORD(16), /* to */
    EQUALS(INSIDE_SERVER_ADDRESS, 12, 0),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff000000),
    EQUALS(0x7f000000, 10, 0),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 8, 0), /* a later fragment */
    LOAD_BYTE(9),
    EQUALS(IPPROTO_UDP, 5, 0),
    EQUALS(IPPROTO_TCP, 0, 5),
    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
    BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13), /* flags */
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
    EQUALS(0x02, 0, 1), /* SYN without ACK */
    RETURN(PACKET_SEEN),
    RETURN(0),
};

#define LOAD_NET_WORD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + (at))

/* The same for IPv6, to other addresses than ::1. The packet that the socket is given begins behind the IPv6 header. */
static const struct sock_filter seen6_tcp[] = {
    LOAD_NET_WORD(24),
    EQUALS(0, 0, 6),
    LOAD_NET_WORD(28),
    EQUALS(0, 0, 4),
    LOAD_NET_WORD(32),
    EQUALS(0, 0, 2),
    LOAD_NET_WORD(36),
    EQUALS(1, 4, 0),
    LOAD_BYTE(13),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
    EQUALS(0x02, 0, 1),
    RETURN(PACKET_SEEN),
    RETURN(0),
};
static const struct sock_filter seen6_udp[] = {
    LOAD_NET_WORD(24),
    EQUALS(0, 0, 6),
    LOAD_NET_WORD(28),
    EQUALS(0, 0, 4),
    LOAD_NET_WORD(32),
    EQUALS(0, 0, 2),
    LOAD_NET_WORD(36),
    EQUALS(1, 1, 0),
    RETURN(PACKET_SEEN),
    RETURN(0),
};

/*
 * A raw socket sees what comes in for its protocol. Packet sockets would do as well, and for both; but to close one takes
 * the kernel an RCU grace period, for which the end of each run would wait.
 */
static int make_raw_socket(int family, int protocol, const struct sock_filter *filter, size_t count)
{
	struct sock_fprog program = {.len = (unsigned short)count,
				     .filter = (struct sock_filter *)(uintptr_t)filter};
	AUTO_CLOSE int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	const int on = 1;

	/* What came before there was a filter is of no harm: nobody is in this namespace yet. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
	    (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0))
		return -errno;
	return take_fd(&fd);
}

static int send_packets(const struct stage_ctx *ctx, struct error *err)
{
	static const struct {
		int family;
		int protocol;
		const struct sock_filter *filter;
		size_t count;
	} kinds[INSIDE_PACKET_KINDS] = {{AF_INET, IPPROTO_TCP, seen4, ARRAY_SIZE(seen4)},
					{AF_INET, IPPROTO_UDP, seen4, ARRAY_SIZE(seen4)},
					{AF_INET6, IPPROTO_TCP, seen6_tcp, ARRAY_SIZE(seen6_tcp)},
					{AF_INET6, IPPROTO_UDP, seen6_udp, ARRAY_SIZE(seen6_udp)}};
	int fds[INSIDE_PACKET_KINDS];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		fds[i] = make_raw_socket(kinds[i].family, kinds[i].protocol, kinds[i].filter, kinds[i].count);
		if (fds[i] < 0) {
			int errnum = -fds[i];

			while (i > 0)
				close_fd(&fds[--i]);
			return error_set(err, NAME, errnum, "raw socket");
		}
	}
	return send_all(ctx, INSIDE_PACKETS, fds, ARRAY_SIZE(fds), err);
}

/* Listeners that are to be sent, as many at a time as a message takes. */
struct batch {
	int fds[FDPASS_MAX];
	size_t count;
};

static int add_listener(const struct stage_ctx *ctx, struct batch *batch, const struct allow_address *address,
			uint16_t port, struct error *err)
{
	int fd = make_socket(address, port, SOCK_STREAM, err);
	int r = 0;

	/* The same address and port by another rule. */
	if (fd < 0 && err->errnum == EADDRINUSE)
		return 0;
	if (fd < 0)
		return fd;
	batch->fds[batch->count++] = fd;
	if (batch->count == FDPASS_MAX) {
		batch->count = 0;
		r = send_all(ctx, INSIDE_LISTENERS, batch->fds, FDPASS_MAX, err);
	}
	return r;
}

static void next_address(struct allow_address *address)
{
	for (size_t i = 16; i-- > 0;)
		if (++address->in6.s6_addr[i] != 0)
			return;
}

/* On each address of the rule's, or on all addresses when it is wide. */
static int add_listeners(const struct stage_ctx *ctx, struct batch *batch, const struct allow_rule *rule,
			 struct error *err)
{
	bool wide = allow_is_wide(rule);
	struct allow_address address = rule->net.address;
	unsigned long count = wide ? 1 : 1UL << (128 - rule->net.bits);
	int r = 0;

	if (wide)
		memset(allow_is_ipv4(&address) ? &address.in6.s6_addr[12] : &address.in6.s6_addr[0], 0,
		       allow_is_ipv4(&address) ? 4 : 16);
	for (unsigned long n = 0; n < count && r == 0; n++) {
		for (size_t i = 0; i < rule->port_count && r == 0; i++)
			for (unsigned int port = rule->ports[i].first; port <= rule->ports[i].last && r == 0; port++)
				r = add_listener(ctx, batch, &address, (uint16_t)port, err);
		next_address(&address);
	}
	return r;
}

static int send_listeners(const struct policy *policy, const struct stage_ctx *ctx, struct error *err)
{
	const struct allow_set *rules = &policy->network.rules;
	struct batch batch = {.count = 0};
	int r = 0;

	/* The wide ones first: they take what others have, too. */
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < rules->count && r == 0; i++)
			if (rules->rules[i]->kind == ALLOW_NET && allow_is_wide(rules->rules[i]) == (pass == 0))
				r = add_listeners(ctx, &batch, rules->rules[i], err);
	if (r == 0 && batch.count > 0)
		return send_all(ctx, INSIDE_LISTENERS, batch.fds, batch.count, err);
	for (size_t i = 0; i < batch.count; i++)
		close_fd(&batch.fds[i]);
	return r;
}

int stage_gate_stock(int gate_fd, size_t count, struct error *err)
{
	const struct stage_ctx ctx = {.gate_fd = gate_fd};
	int fds[FDPASS_MAX];

	for (size_t i = 0; i < count; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fds[i] < 0) {
			int errnum = errno;

			while (i > 0)
				close_fd(&fds[--i]);
			return error_set(err, NAME, errnum, "socket for a listener");
		}
	}
	return send_all(&ctx, INSIDE_STOCK, fds, count, err);
}

/* As many as the names of the rules will need, when that is not many; the gate asks for more. */
static size_t first_stock(const struct policy *policy)
{
	const struct allow_set *rules = &policy->network.rules;
	size_t count = 0;

	for (size_t i = 0; i < rules->count && count < FIRST_STOCK_MAX; i++)
		if (rules->rules[i]->kind != ALLOW_NET)
			count += allow_count_ports(rules->rules[i]);
	return count < FIRST_STOCK_MAX ? count : FIRST_STOCK_MAX;
}

int stage_gate(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	int r;

	if (!policy_has_network(policy))
		return 0;
	r = add_routes(err);
	if (r == 0)
		r = allow_ports(ctx, err);
	if (r == 0)
		r = send_name_server(ctx, err);
	if (r == 0)
		r = send_packets(ctx, err);
	if (r == 0)
		r = send_listeners(policy, ctx, err);
	if (r == 0)
		r = stage_gate_stock(ctx->gate_fd, first_stock(policy), err);
	if (r == 0)
		r = send_all(ctx, INSIDE_READY, NULL, 0, err);
	close_fd(&ctx->gate_fd);
	return r;
}
