/*
 * Moves bytes between the two ends of a connection. They are copied through one buffer that all connections share; what
 * an end does not take at once waits in a buffer of the connection's own, and nothing more is read until it is gone.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "gate/conn.h"

/* What is read before others have their turn. */
#define READS_AT_A_TURN 4
#define LOOK_MIN 4096U
#define LOOK_MAX HTTP_HEAD_MAX
#define HAND_OVER_MS 30000
/* So many reads of so much, one after the other, are a stream in bulk. */
#define FULL_READS 4U
#define FULL_READ 65536

/* The server's bytes are looked at, too: it may have agreed to an upgrade. */
static bool answers(const struct gate_conn *conn)
{
	return conn->http != NULL && conn->http->state == HTTP_UPGRADE;
}

/* Which events it waits for. */
static void watch(struct gate_conn *conn)
{
	struct gate_side *sides[] = {&conn->client, &conn->server};

	for (size_t i = 0; i < 2; i++) {
		struct gate_side *side = sides[i];
		const struct gate_side *other = sides[1 - i];
		bool looks = side == &conn->client && conn->look != GATE_LOOK_NONE;
		bool full = side->pipe != NULL ||
			    (looks ? side->len - side->start >= LOOK_MAX : side->len > side->start);
		uint32_t events = 0;

		if (!side->ended && !conn->paused && !full)
			events |= EPOLLIN;
		if (other->judged > other->start || other->pipe != NULL)
			events |= EPOLLOUT;
		/* Without any, an end that is gone would be told of again and again. */
		if (events == 0) {
			gate_loop_forget(&conn->gate->loop, &side->watch);
		} else if (gate_loop_watch(&conn->gate->loop, &side->watch, events) < 0) {
			gate_conn_end(conn, GATE_ENDED_RESET, ENOMEM);
			return;
		}
	}
}

/* Writes what lies there. False: conn is gone. */
static bool flush(struct gate_side *from, struct gate_side *to)
{
	int r;

	while (from->judged > from->start) {
		ssize_t n = send(to->watch.fd, from->buf + from->start, from->judged - from->start, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			gate_conn_end(from->conn, GATE_ENDED_RESET, errno);
			return false;
		}
		from->start += (size_t)n;
	}
	r = gate_bulk_drain(from, to);
	if (r < 0) {
		gate_conn_end(from->conn, GATE_ENDED_RESET, -r);
		return false;
	}
	/* The first line is looked at from its start. */
	if (from == &from->conn->client && from->conn->look == GATE_LOOK_FIRST)
		return true;
	if (from->start == from->len) {
		free(from->buf);
		from->buf = NULL;
		from->size = from->start = from->judged = from->len = 0;
	} else if (from->start > from->size / 2) {
		memmove(from->buf, from->buf + from->start, from->len - from->start);
		from->len -= from->start;
		from->judged -= from->start;
		from->start = 0;
	}
	return true;
}

static bool keep(struct gate_side *side, const uint8_t *data, size_t len)
{
	if (side->size - side->len < len) {
		size_t size = side->size < LOOK_MIN ? LOOK_MIN : side->size;
		uint8_t *grown;

		while (size - side->len < len)
			size *= 2;
		grown = realloc(side->buf, size);
		if (grown == NULL) {
			gate_conn_end(side->conn, GATE_ENDED_RESET, ENOMEM);
			return false;
		}
		side->buf = grown;
		side->size = size;
	}
	memcpy(side->buf + side->len, data, len);
	side->len += len;
	return true;
}

/* What came from an end: passes it on, as far as it may and can. False: conn is gone. */
static bool pass(struct gate_side *from, struct gate_side *to, const uint8_t *data, size_t len)
{
	struct gate_conn *conn = from->conn;
	ssize_t n = 0;

	if (from == &conn->client && conn->look != GATE_LOOK_NONE)
		return keep(from, data, len) && gate_look(conn) && flush(from, to);
	if (from == &conn->server && answers(conn)) {
		http_answer(conn->http, data, len);
		/* What the client has said since is judged now. */
		if (conn->http->state != HTTP_UPGRADE && (!gate_look(conn) || !flush(&conn->client, &conn->server)))
			return false;
	}
	do
		n = send(to->watch.fd, data, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN) {
		gate_conn_end(conn, GATE_ENDED_RESET, errno);
		return false;
	}
	if (n == (ssize_t)len)
		return true;
	n = n < 0 ? 0 : n;
	if (!keep(from, data + n, len - (size_t)n))
		return false;
	from->judged = from->len;
	return true;
}

/* One end has said its last: the other is told when all of it has gone out. False: conn is gone. */
static bool pass_end(struct gate_side *from, struct gate_side *to)
{
	struct gate_conn *conn = from->conn;

	if (!from->ended || to->shut)
		return true;
	if (from == &conn->client && conn->look == GATE_LOOK_FIRST && from->len > from->judged) {
		struct hello hello;

		/* No line, and nothing more comes of it. */
		if (hello_parse(from->buf, from->len, &hello) != HELLO_NONE) {
			gate_conn_refuse(conn, GATE_REFUSED_TLS, NULL, "a TLS hello that did not come to its end");
			return false;
		}
		conn->look = GATE_LOOK_NONE;
		from->judged = from->len;
		if (!flush(from, to))
			return false;
	}
	if (from->judged > from->start || from->pipe != NULL)
		return true;
	/* What was not judged, half a request, goes nowhere. */
	to->shut = true;
	if (shutdown(to->watch.fd, SHUT_WR) < 0 && errno != ENOTCONN) {
		gate_conn_end(conn, GATE_ENDED_RESET, errno);
		return false;
	}
	return true;
}

/* A stream that filled the whole buffer several times goes on without a copy. False: conn is gone. */
static bool move_in_bulk(struct gate_side *from, struct gate_side *to)
{
	int errnum = 0;

	switch (gate_bulk_move(from, to, &errnum)) {
	case GATE_BULK_USED_UP:
		gate_conn_refuse(from->conn, GATE_REFUSED_BYTES, NULL, NULL);
		return false;
	case GATE_BULK_FAILED:
		gate_conn_end(from->conn, GATE_ENDED_RESET, errnum);
		return false;
	case GATE_BULK_NO_PIPE:
		from->full_reads = 0;
		break;
	case GATE_BULK_MOVED:
		break;
	}
	return pass_end(from, to);
}

static bool move(struct gate_side *from, struct gate_side *to)
{
	struct gate_conn *conn = from->conn;
	struct gate *gate = conn->gate;
	bool looks = from == &conn->client && conn->look != GATE_LOOK_NONE;

	if (!flush(from, to))
		return false;
	if (from->pipe != NULL)
		return true;
	if (from->full_reads >= FULL_READS && from->len == from->start && !looks && !answers(conn) && !from->ended)
		return move_in_bulk(from, to);
	for (int i = 0; i < READS_AT_A_TURN && !from->ended; i++) {
		uint64_t room = GATE_SCRATCH;
		ssize_t n;

		if (looks && LOOK_MAX - (from->len - from->start) < room)
			room = LOOK_MAX - (from->len - from->start);
		if (room == 0 || (!looks && from->len > from->start))
			break;
		if (!gate_account_room(gate, conn->rule->index, &room)) {
			gate_conn_refuse(conn, GATE_REFUSED_BYTES, NULL, NULL);
			return false;
		}
		conn->paused = room == 0;
		if (conn->paused)
			break;
		n = recv(from->watch.fd, gate->scratch, (size_t)room, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			gate_conn_end(conn, GATE_ENDED_RESET, errno);
			return false;
		}
		if (n == 0) {
			from->ended = true;
			break;
		}
		gate_account_add(gate, conn->rule->index, (uint64_t)n);
		if (from == &conn->client)
			conn->sent += (uint64_t)n;
		else
			conn->received += (uint64_t)n;
		if (!pass(from, to, gate->scratch, (size_t)n))
			return false;
		looks = from == &conn->client && conn->look != GATE_LOOK_NONE;
		from->full_reads = n >= FULL_READ ? from->full_reads + 1 : 0;
		if ((uint64_t)n < room)
			break;
	}
	return pass_end(from, to);
}

/* Peeks at what the client says, and hands both ends over when that is known. */
static void hand_over(struct gate_conn *conn)
{
	struct gate *gate = conn->gate;
	struct gate_handover handover = {.id = conn->id,
					 .client_fd = conn->client.watch.fd,
					 .server_fd = conn->server.watch.fd,
					 .name = gate_conn_name(conn),
					 .port = conn->port,
					 .server_port = conn->server_port};
	ssize_t n = recv(conn->client.watch.fd, gate->scratch, LOOK_MAX, MSG_PEEK | MSG_DONTWAIT);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		gate_conn_end(conn, GATE_ENDED_RESET, n < 0 ? errno : 0);
		return;
	}
	r = gate_look_first(conn, gate->scratch, (size_t)n, &handover.first);
	if (r <= 0)
		return;
	gate_loop_unset(&gate->loop, &conn->timer);
	gate_loop_forget(&gate->loop, &conn->client.watch);
	conn->handed = true;
	r = gate->config->inject->take(gate->config->inject->data, &gate->loop, &handover);
	if (r < 0) {
		conn->handed = false;
		gate_conn_end(conn, GATE_ENDED_RESET, -r);
		return;
	}
	conn->client.watch.fd = conn->server.watch.fd = -1;
}

void gate_relay(struct gate_conn *conn)
{
	if (conn->injects) {
		hand_over(conn);
		return;
	}
	if (!move(&conn->server, &conn->client) || !move(&conn->client, &conn->server))
		return;
	/* An answer that upgraded let the client's bytes go on. */
	if (conn->client.shut && conn->server.shut) {
		gate_conn_end(conn, GATE_ENDED_CLOSED, 0);
		return;
	}
	watch(conn);
}

void gate_relay_start(struct gate_conn *conn)
{
	const int on = 1;

	(void)setsockopt(conn->server.watch.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!conn->injects) {
		gate_relay(conn);
		return;
	}
	/* Edges: bytes that are only looked at stay there. */
	if (gate_loop_watch(&conn->gate->loop, &conn->client.watch, EPOLLIN | EPOLLET) < 0 ||
	    gate_loop_set(&conn->gate->loop, &conn->timer, conn->gate->loop.now_ms + HAND_OVER_MS) < 0)
		gate_conn_end(conn, GATE_ENDED_RESET, ENOMEM);
}

void gate_conn_wake(struct gate *gate)
{
	struct gate_conn *next;

	for (struct gate_conn *conn = gate->conns; conn != NULL; conn = next) {
		next = conn->next;
		if (!conn->paused)
			continue;
		conn->paused = false;
		gate_relay(conn);
	}
}
