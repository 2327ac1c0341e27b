#include "gate/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

/* Names that are being resolved at a time: two descriptors each. */
#define BUSY_MAX 256
#define TTL_MIN_MS 1000
#define TTL_MAX_MS 3600000
#define NEGATIVE_MS 5000
#define FAILED_MS 1000
/* How long addresses of one kind wait for those of the other (RFC 8305, 3). */
#define OTHER_KIND_MS 50
#define TCP_REPLY_MAX 16384

static void start_round(struct resolve_name *name);

static void close_query(struct resolve_query *query)
{
	if (query->watch.fd >= 0) {
		gate_loop_forget(query->name->resolver->loop, &query->watch);
		close_fd(&query->watch.fd);
	}
	free(query->buf);
	query->buf = NULL;
}

static void finish(struct resolve_name *name, enum resolve_status status, uint64_t holds_ms)
{
	struct resolver *resolver = name->resolver;
	struct resolve_waiter *waiters = name->waiters;

	close_query(&name->query[0]);
	close_query(&name->query[1]);
	gate_loop_unset(resolver->loop, &name->timer);
	name->status = status;
	name->expires_ms = resolver->loop->now_ms + holds_ms;
	name->busy = false;
	name->waiters = NULL;
	resolver->busy--;
	while (waiters != NULL) {
		struct resolve_waiter *waiter = waiters;

		waiters = waiter->next;
		waiter->waits = false;
		waiter->done(waiter);
	}
}

/* IPv6 and IPv4 by turns, IPv6 first. */
static void take_addresses(struct resolve_name *name)
{
	const struct dns_reply *v4 = &name->query[0].reply;
	const struct dns_reply *v6 = &name->query[1].reply;

	name->count = 0;
	for (size_t i = 0; i < DNS_ADDRESSES_MAX; i++) {
		if (i < v6->count && name->count < RESOLVE_ADDRESSES_MAX)
			name->address[name->count++] = v6->address[i];
		if (i < v4->count && name->count < RESOLVE_ADDRESSES_MAX)
			name->address[name->count++] = v4->address[i];
	}
}

static void conclude(struct resolve_name *name)
{
	uint64_t ttl_ms = UINT64_MAX;

	take_addresses(name);
	for (size_t i = 0; i < 2; i++)
		if (name->query[i].reply.count > 0 && name->query[i].reply.ttl * 1000ULL < ttl_ms)
			ttl_ms = name->query[i].reply.ttl * 1000ULL;
	if (name->count > 0) {
		finish(name, RESOLVE_OK, ttl_ms < TTL_MIN_MS ? TTL_MIN_MS : ttl_ms > TTL_MAX_MS ? TTL_MAX_MS : ttl_ms);
		return;
	}
	/* No such name, or none with an address: the next of the search list. */
	if (strchr(name->name, '.') == NULL && name->candidate < name->resolver->config->search_count) {
		name->candidate++;
		name->attempt = 0;
		start_round(name);
		return;
	}
	finish(name, RESOLVE_NO_NAME, NEGATIVE_MS);
}

/* The next server, or the end. */
static void next_server(struct resolve_name *name)
{
	const struct resolve_config *config = name->resolver->config;

	if (++name->server >= config->server_count) {
		name->server = 0;
		name->attempt++;
	}
	if (name->attempt < config->attempts)
		start_round(name);
	else if (name->query[0].reply.count + name->query[1].reply.count > 0)
		conclude(name);
	else
		finish(name, RESOLVE_FAILED, FAILED_MS);
}

static void query_done(struct resolve_query *query)
{
	struct resolve_name *name = query->name;
	struct resolve_query *other = &name->query[query == &name->query[0]];

	query->done = true;
	close_query(query);
	if (other->done)
		conclude(name);
	/* No such name: neither kind of address. */
	else if (query->reply.rcode == DNS_RCODE_NO_NAME)
		conclude(name);
	else if (query->reply.count > 0 &&
		 gate_loop_set(name->resolver->loop, &name->timer, name->resolver->loop->now_ms + OTHER_KIND_MS) < 0)
		conclude(name);
}

static void got_reply(struct resolve_query *query)
{
	int rcode = query->reply.rcode;

	if (rcode == DNS_RCODE_OK || rcode == DNS_RCODE_NO_NAME)
		query_done(query);
	else
		next_server(query->name);
}

static void on_due(struct gate_timer *timer)
{
	struct resolve_name *name = GATE_CONTAINER(timer, struct resolve_name, timer);

	if (name->query[0].reply.count + name->query[1].reply.count > 0)
		conclude(name);
	else
		next_server(name);
}

static const char *asked_name(const struct resolve_name *name, char *buf, size_t size)
{
	const struct resolve_config *config = name->resolver->config;

	if (strchr(name->name, '.') != NULL || name->candidate >= config->search_count)
		return name->name;
	if (snprintf(buf, size, "%s.%s", name->name, config->search[name->candidate]) >= (int)size)
		return name->name;
	return buf;
}

static int open_query(struct resolve_query *query, int type);

static void on_udp(struct resolve_query *query)
{
	char buf[ALLOW_NAME_MAX + 1];
	uint8_t msg[4096];

	/* A bounded number of answers that are none: whoever floods the port does not keep us here. */
	for (int i = 0; i < 8; i++) {
		ssize_t n = recv(query->watch.fd, msg, sizeof(msg), 0);

		if (n < 0) {
			/* ECONNREFUSED: there is no server. */
			if (errno != EAGAIN && errno != EINTR)
				next_server(query->name);
			return;
		}
		if (dns_parse_reply(msg, (size_t)n, query->id, asked_name(query->name, buf, sizeof(buf)), query->type,
				    &query->reply) < 0)
			continue;
		if (query->reply.truncated) {
			close_query(query);
			query->reply.count = 0;
			query->is_tcp = true;
			if (open_query(query, SOCK_STREAM) < 0)
				next_server(query->name);
			return;
		}
		got_reply(query);
		return;
	}
}

static void on_tcp(struct resolve_query *query, uint32_t events)
{
	struct gate_loop *loop = query->name->resolver->loop;
	char buf[ALLOW_NAME_MAX + 1];
	ssize_t n;

	if (query->sending) {
		if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0)
			return;
		/* So short that it goes at once or never. */
		n = send(query->watch.fd, query->buf, query->buf_len, MSG_NOSIGNAL);
		if (n != (ssize_t)query->buf_len || gate_loop_watch(loop, &query->watch, EPOLLIN) < 0) {
			next_server(query->name);
			return;
		}
		query->sending = false;
		query->buf_len = 0;
		return;
	}
	n = recv(query->watch.fd, query->buf + query->buf_len, TCP_REPLY_MAX - query->buf_len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		query->buf_len += (size_t)n;
	if (query->buf_len >= 2) {
		size_t len = (size_t)query->buf[0] << 8 | query->buf[1];

		if (query->buf_len >= len + 2) {
			if (dns_parse_reply(query->buf + 2, len, query->id,
					    asked_name(query->name, buf, sizeof(buf)), query->type, &query->reply) == 0)
				got_reply(query);
			else
				next_server(query->name);
			return;
		}
	}
	if (n <= 0 || query->buf_len == TCP_REPLY_MAX)
		next_server(query->name);
}

static void on_query(struct gate_watch *watch, uint32_t events)
{
	struct resolve_query *query = GATE_CONTAINER(watch, struct resolve_query, watch);

	if (query->is_tcp)
		on_tcp(query, events);
	else
		on_udp(query);
}

static int send_udp(struct resolve_query *query, const uint8_t *msg, size_t len)
{
	ssize_t n = send(query->watch.fd, msg, len, MSG_NOSIGNAL);

	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EMSGSIZE;
}

/* Asks the server at hand. A socket of its own for each question, connected: its port is the kernel's random one, and
 * nobody else can answer. */
static int open_query(struct resolve_query *query, int type)
{
	struct resolve_name *name = query->name;
	const struct resolve_config *config = name->resolver->config;
	struct sockaddr_storage sa;
	socklen_t sa_len = allow_to_sockaddr(&config->server[name->server], config->port, &sa);
	uint8_t msg[DNS_QUERY_MAX + 2];
	char buf[ALLOW_NAME_MAX + 1];
	size_t len;
	int r = 0;

	if (getrandom(&query->id, sizeof(query->id), 0) != (ssize_t)sizeof(query->id))
		return -EIO;
	len = dns_make_query(query->id, asked_name(name, buf, sizeof(buf)), query->type, msg + 2, sizeof(msg) - 2);
	if (len == 0)
		return -EINVAL;
	query->watch.fd = socket(sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (query->watch.fd < 0)
		return -errno;
	if (connect(query->watch.fd, (const struct sockaddr *)&sa, sa_len) < 0 && errno != EINPROGRESS)
		r = -errno;
	if (r == 0 && type == SOCK_DGRAM)
		r = send_udp(query, msg + 2, len);
	if (r == 0 && type == SOCK_STREAM) {
		msg[0] = (uint8_t)(len >> 8);
		msg[1] = (uint8_t)len;
		query->buf = malloc(TCP_REPLY_MAX);
		if (query->buf == NULL) {
			r = -ENOMEM;
		} else {
			query->buf_len = len + 2;
			memcpy(query->buf, msg, len + 2);
			query->sending = true;
		}
	}
	if (r == 0)
		r = gate_loop_watch(name->resolver->loop, &query->watch, type == SOCK_DGRAM ? EPOLLIN : EPOLLOUT);
	if (r < 0)
		close_query(query);
	return r;
}

/* Both questions to one server. */
static void start_round(struct resolve_name *name)
{
	static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA};
	struct resolver *resolver = name->resolver;
	int r = 0;

	for (size_t i = 0; i < 2; i++) {
		struct resolve_query *query = &name->query[i];

		if (query->watch.ready != NULL)
			close_query(query);
		*query = (struct resolve_query){
		    .watch = {.fd = -1, .ready = on_query}, .name = name, .type = types[i]};
	}
	for (size_t i = 0; i < 2 && r == 0; i++)
		r = open_query(&name->query[i], SOCK_DGRAM);
	/* A server that can't be reached at all: the timer moves on, so that this never calls itself. */
	if (gate_loop_set(resolver->loop, &name->timer, resolver->loop->now_ms + (r < 0 ? 1 : resolver->config->timeout_ms)) < 0)
		finish(name, RESOLVE_FAILED, FAILED_MS);
}

static bool find_host(struct resolve_name *name)
{
	const struct resolve_config *config = name->resolver->config;

	name->count = 0;
	for (size_t i = 0; i < config->host_count && name->count < RESOLVE_ADDRESSES_MAX; i++)
		if (strcmp(config->hosts[i].name, name->name) == 0)
			name->address[name->count++] = config->hosts[i].address;
	return name->count > 0;
}

void resolve_ask(struct resolver *resolver, struct resolve_name *name, struct resolve_waiter *waiter)
{
	name->resolver = resolver;
	waiter->waits = false;
	if (!name->busy && (name->status == RESOLVE_NONE || resolver->loop->now_ms >= name->expires_ms)) {
		if (find_host(name)) {
			name->status = RESOLVE_OK;
			name->expires_ms = UINT64_MAX;
		} else if (resolver->busy >= BUSY_MAX) {
			name->status = RESOLVE_FAILED;
			name->expires_ms = 0;
		} else {
			resolver->busy++;
			name->busy = true;
			name->server = name->candidate = 0;
			name->attempt = 0;
			name->timer.due = on_due;
			start_round(name);
		}
	}
	if (!name->busy) {
		waiter->done(waiter);
		return;
	}
	waiter->waits = true;
	waiter->next = name->waiters;
	name->waiters = waiter;
}

void resolve_cancel(struct resolve_name *name, struct resolve_waiter *waiter)
{
	struct resolve_waiter **at = &name->waiters;

	while (waiter->waits && *at != NULL && *at != waiter)
		at = &(*at)->next;
	if (waiter->waits && *at == waiter)
		*at = waiter->next;
	waiter->waits = false;
}
