/* Sockets from inside: those that come ready, and the stock from which names get their listeners. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fdpass.h"
#include "gate/state.h"

#define BACKLOG 1024
#define AT_A_TURN 64

static void fail(struct gate *gate, int r, const char *what)
{
	if (gate->failure == 0) {
		gate->failure = r < 0 ? r : -EIO;
		gate->failed_at = what;
	}
}

static void on_listener(struct gate_watch *watch, uint32_t events)
{
	struct gate *gate = GATE_CONTAINER(watch, struct gate_listener, watch)->gate;

	(void)events;
	for (int i = 0; i < AT_A_TURN; i++) {
		int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		gate_conn_start(gate, fd);
	}
}

static struct gate_listener *add_listener(struct gate *gate, int fd)
{
	struct gate_listener *listener = calloc(1, sizeof(*listener));

	if (listener == NULL)
		return NULL;
	listener->gate = gate;
	listener->watch = (struct gate_watch){.fd = fd, .ready = on_listener};
	if (gate_loop_watch(&gate->loop, &listener->watch, EPOLLIN) < 0) {
		free(listener);
		return NULL;
	}
	gate->listener_count++;
	return listener;
}

static void take_packets(struct gate *gate, const int *fds, size_t count)
{
	for (size_t i = 0; i < count && i < ARRAY_SIZE(gate->packets); i++) {
		gate->packets[i] = (struct gate_packets){.watch = {.fd = fds[i], .ready = gate_packets_ready},
							 .gate = gate,
							 .is_ipv6 = i >= 2,
							 .is_tcp = i % 2 == 0};
		if (gate_loop_watch(&gate->loop, &gate->packets[i].watch, EPOLLIN) < 0)
			fail(gate, -ENOMEM, "watch the packets");
	}
}

static void take(struct gate *gate, uint8_t tag, const int *fds, size_t count)
{
	int r;

	switch ((enum inside_tag)tag) {
	case INSIDE_NAMES:
		if (count == 2 && gate->names_udp.fd < 0) {
			gate_names_take(gate, fds[0], fds[1]);
			return;
		}
		break;
	case INSIDE_PACKETS:
		if (count == INSIDE_PACKET_KINDS) {
			take_packets(gate, fds, count);
			return;
		}
		break;
	case INSIDE_LISTENERS:
		for (size_t i = 0; i < count; i++)
			if (add_listener(gate, fds[i]) == NULL)
				fail(gate, -ENOMEM, "watch a listener");
		return;
	case INSIDE_STOCK:
		gate->stock_wanted = false;
		for (size_t i = 0; i < count; i++) {
			if (gate->stock_count < GATE_STOCK_MAX)
				gate->stock[gate->stock_count++] = fds[i];
			else
				(void)close(fds[i]);
		}
		gate_names_stocked(gate);
		return;
	case INSIDE_READY:
		r = fdpass_send(gate->inside.fd, INSIDE_READY, NULL, 0);
		if (r < 0 || gate->ready || count != 0)
			break;
		gate->ready = true;
		return;
	case INSIDE_MORE:
		break;
	}
	for (size_t i = 0; i < count; i++)
		(void)close(fds[i]);
	fail(gate, -EBADMSG, "take the sockets from inside");
}

void gate_inside_ready(struct gate_watch *watch, uint32_t events)
{
	struct gate *gate = GATE_CONTAINER(watch, struct gate, inside);
	int fds[FDPASS_MAX];
	size_t count = 0;
	uint8_t tag = 0;
	int r;

	(void)events;
	while ((r = fdpass_receive(watch->fd, &tag, fds, &count)) == 1)
		take(gate, tag, fds, count);
	if (r == -EAGAIN)
		return;
	/* init is gone: the run ends, and the supervisor says so. */
	gate_loop_forget(&gate->loop, watch);
	if (r < 0)
		fail(gate, r, "take the sockets from inside");
}

/* A socket of the stock's; -EAGAIN: init was asked for more. */
static int from_stock(struct gate *gate)
{
	if (gate->stock_count > 0)
		return gate->stock[--gate->stock_count];
	if (!gate->stock_wanted) {
		if (fdpass_send(gate->inside.fd, INSIDE_MORE, NULL, 0) < 0)
			return -ENFILE;
		gate->stock_wanted = true;
	}
	return -EAGAIN;
}

static bool listens(const struct gate_name *name, uint16_t port)
{
	for (const struct gate_listener *l = name->listeners; l != NULL; l = l->next)
		if (l->port == port)
			return true;
	return false;
}

/* Some rule of addresses has taken this port on all addresses. */
static bool is_taken_whole(const struct gate *gate, uint16_t port)
{
	const struct allow_set *set = gate->config->rules;

	for (size_t i = 0; i < set->count; i++)
		if (allow_is_wide(set->rules[i]) && allow_is_ipv4(&set->rules[i]->net.address) &&
		    allow_has_port(set->rules[i], port))
			return true;
	return false;
}

static int listen_at(struct gate *gate, struct gate_name *name, uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(name->address)};
	struct gate_listener *listener;
	int fd;

	if (listens(name, port) || is_taken_whole(gate, port))
		return 0;
	/* As many descriptors must be left for connections. */
	if (gate->listener_count >= gate->conn_max)
		return -ENFILE;
	fd = from_stock(gate);
	if (fd < 0)
		return fd;
	if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, BACKLOG) < 0) {
		int errnum = errno;

		(void)close(fd);
		if (errnum != EADDRINUSE)
			return -errnum;
		/* The task's own server has the port on all addresses: what it connects to there is itself. */
		gate_refuse(gate, GATE_REFUSED_BUSY, name->name, NULL, NULL, port, NULL);
		return 0;
	}
	listener = add_listener(gate, fd);
	if (listener == NULL) {
		(void)close(fd);
		return -ENFILE;
	}
	listener->port = port;
	listener->next = name->listeners;
	name->listeners = listener;
	return 0;
}

int gate_listen(struct gate *gate, struct gate_name *name)
{
	const struct allow_rule *rule = NULL;
	bool whole = true;

	if (name->listens)
		return 0;
	while ((rule = allow_next(gate->config->rules, name->name, rule)) != NULL) {
		for (size_t i = 0; i < rule->port_count; i++) {
			for (unsigned int port = rule->ports[i].first; port <= rule->ports[i].last; port++) {
				int r = listen_at(gate, name, (uint16_t)port);

				if (r == -ENFILE)
					gate_refuse(gate, GATE_REFUSED_NAMES, name->name, NULL, NULL, 0, NULL);
				if (r < 0)
					return r;
				whole = whole && (listens(name, (uint16_t)port) || is_taken_whole(gate, (uint16_t)port));
			}
		}
	}
	/* One that was busy is tried again with the next question. */
	name->listens = whole;
	return 0;
}
