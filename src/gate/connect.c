/*
 * From the task's connection to the host's: which host is meant, whether it may be, which address it has now, and the
 * first of its addresses that answers (RFC 8305). The address that is judged is the one that is connected to.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "gate/conn.h"

#define NEXT_ATTEMPT_MS 250
#define CONNECT_MS 30000

static void reset(int fd)
{
	const struct linger now = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	(void)close(fd);
}

const char *gate_conn_name(const struct gate_conn *conn)
{
	return conn->name != NULL ? conn->name->name : conn->text;
}

static void tell_end(struct gate_conn *conn, enum gate_ending ending, int errnum)
{
	struct gate_record record;

	memset(&record, 0, sizeof(record));
	record.type = GATE_RECORD_CONNECTION;
	record.ending = ending;
	record.errnum = errnum;
	record.port = conn->port;
	record.sent = conn->sent;
	record.received = conn->received;
	record.start_ms = conn->epoch_ms;
	record.duration_ms = conn->gate->loop.now_ms - conn->start_ms;
	(void)snprintf(record.name, sizeof(record.name), "%s", conn->name != NULL ? conn->name->name : "");
	/* The one that it is connected to; before that, the literal one that was asked for. */
	if (conn->relays)
		(void)allow_format_address(&conn->address, record.address, sizeof(record.address));
	else if (conn->name == NULL)
		(void)snprintf(record.address, sizeof(record.address), "%s", conn->text);
	if (conn->http != NULL) {
		(void)snprintf(record.method, sizeof(record.method), "%s", conn->http->method);
		(void)snprintf(record.path, sizeof(record.path), "%s", conn->http->path);
	}
	gate_tell(conn->gate, &record);
}

static void end_attempt(struct gate_attempt *attempt)
{
	if (attempt->watch.fd < 0)
		return;
	gate_loop_forget(&attempt->conn->gate->loop, &attempt->watch);
	close_fd(&attempt->watch.fd);
}

static void end_side(struct gate_side *side, bool in_order)
{
	if (side->watch.fd >= 0) {
		gate_loop_forget(&side->conn->gate->loop, &side->watch);
		if (in_order)
			(void)close(side->watch.fd);
		else
			reset(side->watch.fd);
	}
	free(side->buf);
	if (side->pipe != NULL)
		gate_pipe_give(side->conn->gate, side->pipe);
}

void gate_conn_end(struct gate_conn *conn, enum gate_ending ending, int errnum)
{
	struct gate *gate = conn->gate;

	tell_end(conn, ending, errnum);
	if (conn->name != NULL)
		resolve_cancel(&conn->name->resolve, &conn->waiter);
	gate_loop_unset(&gate->loop, &conn->timer);
	for (size_t i = 0; i < GATE_ATTEMPTS; i++)
		end_attempt(&conn->attempt[i]);
	end_side(&conn->client, ending == GATE_ENDED_CLOSED);
	end_side(&conn->server, ending == GATE_ENDED_CLOSED);
	gate_account_close(gate, conn->rule->index);
	*conn->link = conn->next;
	if (conn->next != NULL)
		conn->next->link = conn->link;
	gate->conn_count--;
	free(conn->http);
	free(conn);
}

void gate_conn_refuse(struct gate_conn *conn, enum gate_refusal refusal, const char *other, const char *why)
{
	gate_refuse(conn->gate, refusal, conn->name != NULL ? conn->name->name : NULL, other,
		    conn->name != NULL ? NULL : &conn->target[0], conn->port, why);
	gate_conn_end(conn, GATE_ENDED_REFUSED, 0);
}

/* Connects to the next address, or to those after it. False: none is left. */
static bool attempt_next(struct gate_conn *conn)
{
	struct gate_attempt *attempt = NULL;
	struct sockaddr_storage sa;
	socklen_t len;

	for (size_t i = 0; i < GATE_ATTEMPTS; i++)
		if (conn->attempt[i].watch.fd < 0)
			attempt = &conn->attempt[i];
	while (attempt != NULL && conn->target_next < conn->target_count) {
		attempt->target = conn->target_next++;
		len = allow_to_sockaddr(&conn->target[attempt->target], conn->server_port, &sa);
		attempt->watch.fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (attempt->watch.fd >= 0 &&
		    (connect(attempt->watch.fd, (const struct sockaddr *)&sa, len) == 0 || errno == EINPROGRESS) &&
		    gate_loop_watch(&conn->gate->loop, &attempt->watch, EPOLLOUT) == 0)
			return true;
		conn->errnum = errno;
		end_attempt(attempt);
	}
	return false;
}

static bool any_attempt(const struct gate_conn *conn)
{
	for (size_t i = 0; i < GATE_ATTEMPTS; i++)
		if (conn->attempt[i].watch.fd >= 0)
			return true;
	return false;
}

/* Goes on connecting; may end it. */
static void go_on(struct gate_conn *conn)
{
	struct gate_loop *loop = &conn->gate->loop;
	uint64_t next_ms = loop->now_ms + NEXT_ATTEMPT_MS;
	bool more = loop->now_ms < conn->deadline_ms && attempt_next(conn);

	if (!more && (!any_attempt(conn) || loop->now_ms >= conn->deadline_ms)) {
		gate_conn_end(conn, GATE_ENDED_UNREACHABLE, conn->errnum != 0 ? conn->errnum : ETIMEDOUT);
		return;
	}
	if (conn->target_next == conn->target_count || next_ms > conn->deadline_ms)
		next_ms = conn->deadline_ms;
	if (gate_loop_set(loop, &conn->timer, next_ms) < 0)
		gate_conn_end(conn, GATE_ENDED_UNREACHABLE, ENOMEM);
}

static void on_due(struct gate_timer *timer)
{
	struct gate_conn *conn = GATE_CONTAINER(timer, struct gate_conn, timer);

	if (conn->relays)
		gate_look_due(conn);
	else
		go_on(conn);
}

static void on_attempt(struct gate_watch *watch, uint32_t events)
{
	struct gate_attempt *attempt = GATE_CONTAINER(watch, struct gate_attempt, watch);
	struct gate_conn *conn = attempt->conn;
	int errnum = 0;
	socklen_t len = sizeof(errnum);

	(void)events;
	if (getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &errnum, &len) < 0)
		errnum = errno;
	if (errnum != 0) {
		conn->errnum = errnum;
		end_attempt(attempt);
		go_on(conn);
		return;
	}
	gate_loop_forget(&conn->gate->loop, watch);
	conn->address = conn->target[attempt->target];
	conn->server.watch.fd = take_fd(&watch->fd);
	for (size_t i = 0; i < GATE_ATTEMPTS; i++)
		end_attempt(&conn->attempt[i]);
	gate_loop_unset(&conn->gate->loop, &conn->timer);
	conn->relays = true;
	gate_relay_start(conn);
}

/* The addresses are known; those that may not be connected to are left out. */
static void on_resolved(struct resolve_waiter *waiter)
{
	struct gate_conn *conn = GATE_CONTAINER(waiter, struct gate_conn, waiter);
	const struct resolve_name *resolve = &conn->name->resolve;
	const struct allow_address *refused = NULL;
	const char *why = NULL;

	for (size_t i = 0; i < resolve->count && resolve->status == RESOLVE_OK; i++) {
		if (allow_may_lead_to(conn->rule, &resolve->address[i], &why))
			conn->target[conn->target_count++] = resolve->address[i];
		else if (refused == NULL)
			refused = &resolve->address[i];
	}
	if (conn->target_count > 0) {
		go_on(conn);
		return;
	}
	if (refused != NULL) {
		(void)allow_may_lead_to(conn->rule, refused, &why);
		gate_refuse(conn->gate, GATE_REFUSED_DESTINATION, conn->name->name, NULL, refused, 0, why);
		gate_conn_end(conn, GATE_ENDED_REFUSED, 0);
		return;
	}
	gate_conn_end(conn, GATE_ENDED_NO_NAME, 0);
}

static void on_side(struct gate_watch *watch, uint32_t events)
{
	struct gate_conn *conn = GATE_CONTAINER(watch, struct gate_side, watch)->conn;
	int errnum = 0;
	socklen_t len = sizeof(errnum);

	if ((events & EPOLLERR) != 0) {
		(void)getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &errnum, &len);
		gate_conn_end(conn, GATE_ENDED_RESET, errnum);
		return;
	}
	gate_relay(conn);
}

static void init_conn(struct gate_conn *conn, struct gate *gate, int client_fd)
{
	struct timespec now = {.tv_sec = 0};
	const int on = 1;

	conn->gate = gate;
	conn->id = ++gate->next_id;
	conn->client = (struct gate_side){.watch = {.fd = client_fd, .ready = on_side}, .conn = conn};
	conn->server = (struct gate_side){.watch = {.fd = -1, .ready = on_side}, .conn = conn};
	for (size_t i = 0; i < GATE_ATTEMPTS; i++)
		conn->attempt[i] = (struct gate_attempt){.watch = {.fd = -1, .ready = on_attempt}, .conn = conn};
	conn->waiter.done = on_resolved;
	conn->timer.due = on_due;
	conn->start_ms = gate->loop.now_ms;
	conn->deadline_ms = conn->start_ms + CONNECT_MS;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	conn->epoch_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	conn->look = conn->rule->any_sni || conn->rule->kind == ALLOW_NET ? GATE_LOOK_NONE : GATE_LOOK_FIRST;
	(void)setsockopt(client_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	conn->next = gate->conns;
	conn->link = &gate->conns;
	if (conn->next != NULL)
		conn->next->link = &conn->next;
	gate->conns = conn;
	gate->conn_count++;
}

void gate_conn_start(struct gate *gate, int client_fd)
{
	const struct gate_inject *inject = gate->config->inject;
	const struct gate_name *name;
	const struct allow_rule *rule = NULL;
	const char *class = NULL;
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct allow_address to;
	struct gate_conn *conn = NULL;
	uint16_t port;

	if (getsockname(client_fd, (struct sockaddr *)&sa, &len) < 0 || !allow_from_sockaddr(&sa, &to, &port)) {
		reset(client_fd);
		return;
	}
	name = gate_names_at(gate, &to);
	rule = name != NULL ? allow_match_name(gate->config->rules, name->name, port)
			    : allow_match_address(gate->config->rules, &to, port);
	if (rule == NULL) {
		/* A port that a rule has taken on all addresses: others are refused, the task's own loopback silently. */
		class = allow_address_class(&to);
		if (class == NULL || strcmp(class, "loopback") != 0)
			gate_refuse(gate, name != NULL ? GATE_REFUSED_PORT : GATE_REFUSED_ADDRESS,
				    name != NULL ? name->name : NULL, NULL, name != NULL ? NULL : &to, port, NULL);
		reset(client_fd);
		return;
	}
	if (gate->conn_count < gate->conn_max && gate_account_open(gate, rule->index)) {
		conn = calloc(1, sizeof(*conn));
		if (conn == NULL)
			gate_account_close(gate, rule->index);
	}
	if (conn == NULL) {
		gate_refuse(gate, GATE_REFUSED_CONNECTIONS, name != NULL ? name->name : NULL, NULL,
			    name != NULL ? NULL : &to, port, NULL);
		reset(client_fd);
		return;
	}
	conn->rule = rule;
	conn->port = conn->server_port = port;
	/* The table's own entry, which is not const. */
	conn->name = name != NULL ? gate->by_address[name->address - INSIDE_FIRST_NAME] : NULL;
	(void)allow_format_address(&to, conn->text, sizeof(conn->text));
	init_conn(conn, gate, client_fd);
	conn->injects =
	    inject != NULL && inject->wants(inject->data, gate_conn_name(conn), port, &conn->server_port);
	if (name != NULL) {
		resolve_ask(&gate->resolver, &conn->name->resolve, &conn->waiter);
		return;
	}
	conn->target[conn->target_count++] = to;
	go_on(conn);
}

void gate_conns_end(struct gate *gate)
{
	while (gate->conns != NULL)
		gate_conn_end(gate->conns, GATE_ENDED_RUN, 0);
}

bool gate_inject_tell(struct gate_loop *loop, const struct gate_inject_report *report)
{
	struct gate *gate = GATE_CONTAINER(loop, struct gate, loop);
	struct gate_conn *conn = gate->conns;
	uint64_t room = UINT64_MAX;
	struct gate_record record;

	while (conn != NULL && (conn->id != report->id || !conn->handed))
		conn = conn->next;
	if (conn == NULL)
		return false;
	conn->sent += report->sent;
	conn->received += report->received;
	gate_account_add(gate, conn->rule->index, report->sent + report->received);
	if (report->method != NULL && gate->config->tells_all) {
		memset(&record, 0, sizeof(record));
		record.type = GATE_RECORD_REQUEST;
		record.port = conn->port;
		(void)snprintf(record.name, sizeof(record.name), "%s", gate_conn_name(conn));
		(void)snprintf(record.method, sizeof(record.method), "%s", report->method);
		(void)snprintf(record.path, sizeof(record.path), "%s", report->path != NULL ? report->path : "");
		gate_tell(gate, &record);
	}
	if (report->refused != NULL)
		gate_refuse(gate, GATE_REFUSED_HTTP, conn->name != NULL ? conn->name->name : NULL, NULL, NULL, conn->port,
			    report->refused);
	if (report->ended) {
		gate_conn_end(conn, report->refused != NULL ? GATE_ENDED_REFUSED : GATE_ENDED_CLOSED, 0);
		return true;
	}
	return gate_account_room(gate, conn->rule->index, &room);
}
