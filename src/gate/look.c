/*
 * What a client says first, and in HTTP to the end: whether it means the host that it asked for. Nothing waits for it
 * but the client's own bytes; a server that speaks first is heard at once.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gate/conn.h"

/* For the whole hello of a TLS client, or the whole head of a request. */
#define WHOLE_MS 30000
/* After so long without a whole first line a client that is neither TLS nor HTTP may wait for an answer: what has come
 * passes, and must not turn out to be HTTP. */
#define LINE_MS 300

static bool wait_for_more(struct gate_conn *conn, uint64_t ms)
{
	if (conn->timer.at_ms != 0)
		return true;
	if (gate_loop_set(&conn->gate->loop, &conn->timer, conn->gate->loop.now_ms + ms) == 0)
		return true;
	gate_conn_end(conn, GATE_ENDED_RESET, ENOMEM);
	return false;
}

/* 1: the asked name. -1: refused, and conn is gone. */
static int judge_hello(struct gate_conn *conn, const struct hello *hello)
{
	const char *why = NULL;

	if (hello->is_encrypted)
		why = "the TLS client hides the name (ECH)";
	else if (!hello->has_name)
		why = "the TLS client names no host (SNI)";
	else if (strcmp(hello->name, gate_conn_name(conn)) != 0)
		why = "the TLS client names another host";
	if (why == NULL)
		return 1;
	gate_conn_refuse(conn, GATE_REFUSED_TLS, hello->has_name ? hello->name : NULL, why);
	return -1;
}

static void tell_request(struct gate_conn *conn)
{
	struct gate_record record;

	if (!conn->gate->config->tells_all)
		return;
	memset(&record, 0, sizeof(record));
	record.type = GATE_RECORD_REQUEST;
	record.port = conn->port;
	(void)snprintf(record.name, sizeof(record.name), "%s", gate_conn_name(conn));
	(void)snprintf(record.method, sizeof(record.method), "%s", conn->http->method);
	(void)snprintf(record.path, sizeof(record.path), "%s", conn->http->path);
	gate_tell(conn->gate, &record);
}

static bool look_http(struct gate_conn *conn)
{
	struct gate_side *client = &conn->client;
	const char *why = NULL;

	for (;;) {
		uint64_t requests = conn->http->requests;
		ssize_t n = http_judge(conn->http, client->buf + client->judged, client->len - client->judged,
				       gate_conn_name(conn), conn->port, &why);

		if (n < 0) {
			gate_conn_refuse(conn, GATE_REFUSED_HTTP, conn->http->named_other ? conn->http->other : NULL, why);
			return false;
		}
		client->judged += (size_t)n;
		if (conn->http->requests != requests)
			tell_request(conn);
		if (n == 0)
			break;
	}
	if (conn->http->state == HTTP_HEAD && client->judged < client->len)
		return wait_for_more(conn, WHOLE_MS);
	gate_loop_unset(&conn->gate->loop, &conn->timer);
	return true;
}

static bool pass_all(struct gate_conn *conn)
{
	conn->look = GATE_LOOK_NONE;
	conn->client.judged = conn->client.len;
	gate_loop_unset(&conn->gate->loop, &conn->timer);
	return true;
}

static bool look_first(struct gate_conn *conn)
{
	struct gate_side *client = &conn->client;
	struct hello hello;
	int r;

	switch (hello_parse(client->buf, client->len, &hello)) {
	case HELLO_PART:
		return wait_for_more(conn, WHOLE_MS);
	case HELLO_MALFORMED:
		gate_conn_refuse(conn, GATE_REFUSED_TLS, NULL, "a TLS hello that is not understood");
		return false;
	case HELLO_WHOLE:
		return judge_hello(conn, &hello) > 0 && pass_all(conn);
	case HELLO_NONE:
		break;
	}
	r = http_detect(client->buf, client->len);
	if (r == 0)
		return pass_all(conn);
	if (r < 0) {
		/* Later bytes of a line of which a part has passed go out at once. */
		if (client->judged > 0)
			client->judged = client->len;
		return client->judged > 0 || wait_for_more(conn, LINE_MS);
	}
	if (client->judged > 0) {
		gate_conn_refuse(conn, GATE_REFUSED_HTTP, NULL, "a request's line that came in parts, slowly");
		return false;
	}
	gate_loop_unset(&conn->gate->loop, &conn->timer);
	conn->http = calloc(1, sizeof(*conn->http));
	if (conn->http == NULL) {
		gate_conn_end(conn, GATE_ENDED_RESET, ENOMEM);
		return false;
	}
	conn->look = GATE_LOOK_HTTP;
	return look_http(conn);
}

bool gate_look(struct gate_conn *conn)
{
	if (conn->client.judged == conn->client.len && conn->look != GATE_LOOK_NONE)
		return true;
	switch (conn->look) {
	case GATE_LOOK_FIRST:
		return look_first(conn);
	case GATE_LOOK_HTTP:
		return look_http(conn);
	case GATE_LOOK_NONE:
		break;
	}
	conn->client.judged = conn->client.len;
	return true;
}

void gate_look_due(struct gate_conn *conn)
{
	struct hello hello;

	if (conn->look == GATE_LOOK_FIRST && conn->client.len > 0 &&
	    hello_parse(conn->client.buf, conn->client.len, &hello) == HELLO_NONE) {
		conn->client.judged = conn->client.len;
		gate_relay(conn);
		return;
	}
	if (conn->look == GATE_LOOK_HTTP)
		gate_conn_refuse(conn, GATE_REFUSED_HTTP, NULL, "a request's head that did not come to its end");
	else
		gate_conn_refuse(conn, GATE_REFUSED_TLS, NULL, "a TLS hello that did not come to its end");
}

int gate_look_first(struct gate_conn *conn, const uint8_t *data, size_t len, enum gate_first *ret)
{
	struct hello hello;
	struct http http = {.state = HTTP_HEAD};
	const char *why = NULL;
	ssize_t n;
	int r;

	*ret = GATE_FIRST_UNKNOWN;
	switch (hello_parse(data, len, &hello)) {
	case HELLO_PART:
		return 0;
	case HELLO_WHOLE:
		*ret = GATE_FIRST_TLS;
		return conn->rule->any_sni || conn->name == NULL ? 1 : judge_hello(conn, &hello);
	case HELLO_MALFORMED:
		gate_conn_refuse(conn, GATE_REFUSED_TLS, NULL, "a TLS hello that is not understood");
		return -1;
	case HELLO_NONE:
		break;
	}
	r = http_detect(data, len);
	if (r <= 0)
		return r < 0 ? 0 : 1;
	n = http_judge(&http, data, len, gate_conn_name(conn), conn->port, &why);
	if (n < 0) {
		gate_conn_refuse(conn, GATE_REFUSED_HTTP, http.named_other ? http.other : NULL, why);
		return -1;
	}
	*ret = GATE_FIRST_HTTP;
	return http.requests > 0 ? 1 : 0;
}
