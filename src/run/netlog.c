#include "run/netlog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"

static const char *const words[] = {
    [GATE_REFUSED_NAME] = "name not allowed",
    [GATE_REFUSED_ADDRESS] = "address not allowed",
    [GATE_REFUSED_UDP] = "no UDP goes out",
    [GATE_REFUSED_PORT] = "port not allowed",
    [GATE_REFUSED_DESTINATION] = "leads to an address that is not public",
    [GATE_REFUSED_TLS] = "the TLS client does not name the host",
    [GATE_REFUSED_HTTP] = "the request is refused",
    [GATE_REFUSED_BYTES] = "bytes used up",
    [GATE_REFUSED_CONNECTIONS] = "too many connections",
    [GATE_REFUSED_NAMES] = "too many names",
    [GATE_REFUSED_BUSY] = "the task itself listens on that port",
};
_Static_assert(ARRAY_SIZE(words) == GATE_REFUSED_MAX, "words for each refusal");

struct netlog *netlog_new(int log_fd)
{
	struct netlog *log = calloc(1, sizeof(*log));

	if (log != NULL)
		log->log_fd = log_fd;
	return log;
}

const char *netlog_words(const struct netlog_refusal *refusal)
{
	return refusal->why[0] != '\0' && refusal->kind != GATE_REFUSED_DESTINATION ? refusal->why : words[refusal->kind];
}

/* An address as it stands in a rule: IPv6 in brackets. */
static const char *bracketed(const char *address, char *buf, size_t size)
{
	bool is_ipv6 = strchr(address, ':') != NULL;

	(void)snprintf(buf, size, "%s%s%s", is_ipv6 ? "[" : "", address, is_ipv6 ? "]" : "");
	return buf;
}

const char *netlog_whom(const struct netlog_refusal *refusal, char *buf, size_t size)
{
	char address[72];
	char port[16] = "";
	bool leads = refusal->name[0] != '\0' && refusal->address[0] != '\0';

	if (refusal->port != 0)
		(void)snprintf(port, sizeof(port), ":%u", refusal->port);
	(void)bracketed(refusal->address, address, sizeof(address));
	(void)snprintf(buf, size, "%s%s%s%s", refusal->name[0] != '\0' ? refusal->name : address, port,
		       leads ? " at " : "", leads ? address : "");
	return buf;
}

const char *netlog_allowed_by(const struct netlog_refusal *refusal, char *buf, size_t size)
{
	char normal[ALLOW_NAME_MAX + 1];
	char address[72];
	char port[16] = "";

	if (refusal->port != 0 && refusal->port != 443)
		(void)snprintf(port, sizeof(port), ":%u", refusal->port);
	(void)bracketed(refusal->address, address, sizeof(address));
	switch (refusal->kind) {
	case GATE_REFUSED_NAME:
	case GATE_REFUSED_PORT:
		/* No rule can say what is no host's name. */
		if (!allow_normalize(refusal->name, strlen(refusal->name), normal))
			return NULL;
		(void)snprintf(buf, size, "--allow %s%s", refusal->name, port);
		return buf;
	case GATE_REFUSED_ADDRESS:
		(void)snprintf(buf, size, "--allow %s%s", address, port);
		return buf;
	case GATE_REFUSED_DESTINATION:
		(void)snprintf(buf, size, "--allow %s%s@%s", refusal->name, port, address);
		return buf;
	case GATE_REFUSED_TLS:
	case GATE_REFUSED_HTTP:
		(void)snprintf(buf, size, "--allow %s%s:any-sni", refusal->name, port);
		return buf;
	case GATE_REFUSED_BYTES:
		return "--net-bytes";
	case GATE_REFUSED_CONNECTIONS:
		return "--net-connections";
	case GATE_REFUSED_UDP:
	case GATE_REFUSED_NAMES:
	case GATE_REFUSED_BUSY:
	case GATE_REFUSED_MAX:
		break;
	}
	return NULL;
}

/* Takes line. */
static void write_line(struct netlog *log, json_t *line)
{
	AUTO_FREE char *text = line == NULL ? NULL : json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);
	AUTO_FREE char *whole = NULL;
	int r = text == NULL || asprintf(&whole, "%s\n", text) < 0 ? -ENOMEM : 0;

	json_decref(line);
	/* In one write: others may append to the same file. */
	if (r == 0)
		r = fd_write_all(log->log_fd, whole, strlen(whole));
	if (r < 0 && log->log_errnum == 0)
		log->log_errnum = -r;
}

static json_t *text_or_null(const char *text)
{
	return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *port_or_null(uint16_t port)
{
	return port != 0 ? json_integer(port) : json_null();
}

static json_t *time_json(uint64_t epoch_ms)
{
	time_t seconds = (time_t)(epoch_ms / 1000);
	struct tm tm;
	char text[40];
	size_t n;

	if (gmtime_r(&seconds, &tm) == NULL)
		return json_null();
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(text + n, sizeof(text) - n, ".%03uZ", (unsigned int)(epoch_ms % 1000));
	return json_string(text);
}

static json_t *now_json(void)
{
	struct timespec now = {.tv_sec = 0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return time_json((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

static void log_connection(struct netlog *log, const struct gate_record *r)
{
	write_line(log, json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:s, s:o, s:o, s:o}", "event", "connection",
				  "time", time_json(r->start_ms), "name", text_or_null(r->name), "address",
				  text_or_null(r->address), "port", port_or_null(r->port), "sent", (json_int_t)r->sent,
				  "received", (json_int_t)r->received, "duration_ms", (json_int_t)r->duration_ms, "verdict",
				  gate_ending_name(r->ending), "error",
				  r->errnum != 0 ? json_string(strerror(r->errnum)) : json_null(), "method",
				  text_or_null(r->method), "path", text_or_null(r->path)));
}

static void log_request(struct netlog *log, const struct gate_record *r)
{
	write_line(log, json_pack("{s:s, s:o, s:o, s:o, s:s, s:s}", "event", "request", "time", now_json(), "name",
				  text_or_null(r->name), "port", port_or_null(r->port), "method", r->method, "path",
				  r->path));
}

static void log_refusal(struct netlog *log, const struct netlog_refusal *row)
{
	char option[640];
	const char *allowed_by = netlog_allowed_by(row, option, sizeof(option));

	write_line(log, json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:I, s:s?}", "event", "refused", "time",
				  now_json(), "kind", gate_refusal_name(row->kind), "name", text_or_null(row->name), "address",
				  text_or_null(row->address), "port", port_or_null(row->port), "named",
				  text_or_null(row->other), "why", netlog_words(row), "count", (json_int_t)row->count,
				  "allowed_by", allowed_by));
}

static void take_refusal(struct netlog *log, const struct gate_record *r)
{
	struct netlog_refusal *row;

	/* Rows come in order; one that is told again has only a new count. */
	if (r->row > log->refusal_count)
		return;
	row = &log->refusals[r->row];
	if (r->row == log->refusal_count) {
		log->refusal_count++;
		row->kind = r->refusal;
		row->port = r->port;
		memcpy(row->name, r->name, sizeof(row->name));
		memcpy(row->other, r->other, sizeof(row->other));
		memcpy(row->address, r->address, sizeof(row->address));
		memcpy(row->why, r->why, sizeof(row->why));
	}
	row->count = r->count;
	if (log->log_fd >= 0)
		log_refusal(log, row);
}

static void add_request(struct netlog *log, const char *method, const char *scheme, const char *host, uint16_t port,
			uint16_t usual, const char *path)
{
	struct netlog_request *request = &log->requests[log->request_count];
	char number[16] = "";

	if (log->request_count == NETLOG_REQUESTS_MAX)
		return;
	if (port != usual)
		(void)snprintf(number, sizeof(number), ":%u", port);
	request->method = method != NULL ? strdup(method) : NULL;
	if (asprintf(&request->url, "%s://%s%s%s", scheme, host, number, path) < 0)
		request->url = NULL;
	if (request->url == NULL || (method != NULL && request->method == NULL)) {
		free(request->url);
		free(request->method);
		*request = (struct netlog_request){NULL, NULL};
		return;
	}
	log->request_count++;
}

static void take_connection(struct netlog *log, const struct gate_record *r)
{
	const char *whom = r->name[0] != '\0' ? r->name : r->address;
	struct netlog_host *host = NULL;

	log->connections++;
	log->sent += r->sent;
	log->received += r->received;
	for (size_t i = 0; i < log->host_count && host == NULL; i++)
		if (log->hosts[i].port == r->port && strcmp(log->hosts[i].name, whom) == 0)
			host = &log->hosts[i];
	if (host == NULL && log->host_count < NETLOG_HOSTS_MAX) {
		host = &log->hosts[log->host_count++];
		(void)snprintf(host->name, sizeof(host->name), "%s", whom);
		host->port = r->port;
	}
	if (host != NULL) {
		host->connections++;
		host->sent += r->sent;
		host->received += r->received;
	} else {
		log->hosts_lost++;
	}
	/* Requests that were seen stand for themselves. */
	if (r->method[0] == '\0' && r->ending != GATE_ENDED_REFUSED)
		add_request(log, NULL, r->port == 443 ? "https" : "tcp", whom, r->port, 443, r->port == 443 ? "/" : "");
	if (log->log_fd >= 0)
		log_connection(log, r);
}

void netlog_take(struct netlog *log, const struct gate_record *record)
{
	switch ((enum gate_record_type)record->type) {
	case GATE_RECORD_REFUSED:
		take_refusal(log, record);
		break;
	case GATE_RECORD_CONNECTION:
		take_connection(log, record);
		break;
	case GATE_RECORD_REQUEST:
		add_request(log, record->method, "http", record->name, record->port, 80, record->path);
		if (log->log_fd >= 0)
			log_request(log, record);
		break;
	case GATE_RECORD_TOTALS:
		log->is_whole = true;
		log->refused = record->count;
		log->refused_lost = record->lost;
		break;
	case GATE_RECORD_FAILED:
	case GATE_RECORD_MAX:
		break;
	}
}

static json_t *refusal_json(const struct netlog_refusal *row)
{
	char option[640];
	const char *allowed_by = netlog_allowed_by(row, option, sizeof(option));

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:I, s:s?}", "kind", gate_refusal_name(row->kind), "name",
			 text_or_null(row->name), "address", text_or_null(row->address), "port", port_or_null(row->port),
			 "named", text_or_null(row->other), "why", netlog_words(row), "count", (json_int_t)row->count,
			 "allowed_by", allowed_by);
}

json_t *netlog_json(const struct netlog *log)
{
	json_t *refused;
	json_t *hosts;
	uint64_t counted = 0;

	if (log == NULL)
		return json_null();
	refused = json_array();
	hosts = json_array();
	for (size_t i = 0; i < log->refusal_count; i++) {
		counted += log->refusals[i].count;
		(void)json_array_append_new(refused, refusal_json(&log->refusals[i]));
	}
	for (size_t i = 0; i < log->host_count; i++) {
		const struct netlog_host *host = &log->hosts[i];

		(void)json_array_append_new(hosts, json_pack("{s:s, s:i, s:I, s:I, s:I}", "host", host->name, "port",
							     (int)host->port, "connections",
							     (json_int_t)host->connections, "sent", (json_int_t)host->sent,
							     "received", (json_int_t)host->received));
	}
	return json_pack("{s:I, s:I, s:I, s:o, s:I, s:o, s:I, s:I, s:b}", "connections", (json_int_t)log->connections,
			 "sent", (json_int_t)log->sent, "received", (json_int_t)log->received, "hosts", hosts,
			 "hosts_dropped", (json_int_t)log->hosts_lost, "refused", refused, "refused_total",
			 (json_int_t)(log->is_whole ? log->refused : counted), "refused_dropped",
			 (json_int_t)log->refused_lost, "complete", log->is_whole ? 1 : 0);
}

json_t *netlog_requests_json(const struct netlog *log)
{
	json_t *list = json_array();

	for (size_t i = 0; log != NULL && i < log->request_count; i++)
		(void)json_array_append_new(list, json_pack("{s:s?, s:s, s:[], s:n}", "method", log->requests[i].method,
							    "url", log->requests[i].url, "headers", "body"));
	return list;
}

void netlog_free(struct netlog *log)
{
	if (log == NULL)
		return;
	for (size_t i = 0; i < log->request_count; i++) {
		free(log->requests[i].method);
		free(log->requests[i].url);
	}
	free(log);
}
