/*
 * The name server inside, and the names that it has given addresses to. A question for a name that a rule covers is
 * answered when the name was resolved on the host, led to an address that may be connected to, and has its listeners;
 * the answer is an address of the name's own, which holds until the run is over. All else does not exist. Names that no
 * rule covers never leave this process.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "gate/state.h"

#define AT_A_TURN 32
#define TTL_SECONDS 60
#define CALLERS_MAX 16U
#define CALLER_IDLE_MS 10000
#define CALLER_BUFFER 1024U

/* A TCP connection to the name server: one question after the other. */
struct caller {
	struct gate_watch watch;
	struct gate *gate;
	struct gate_timer timer;
	uint8_t buf[CALLER_BUFFER];
	size_t len;
};

/* A question that waits for its answer. */
struct gate_question {
	struct gate_question *next;
	struct gate *gate;
	struct gate_name *name;
	struct resolve_waiter waiter;
	struct dns_question question;
	uint8_t msg[DNS_QUERY_MAX]; /* the question as it came */
	struct sockaddr_storage from;
	socklen_t from_len;
	struct caller *caller; /* by TCP; NULL when it is gone, or by UDP */
	bool by_tcp;
	bool stocking; /* waits for sockets */
};

static void caller_end(struct caller *caller)
{
	struct gate *gate = caller->gate;

	for (struct gate_question *q = gate->questions; q != NULL; q = q->next)
		if (q->caller == caller)
			q->caller = NULL;
	gate_loop_forget(&gate->loop, &caller->watch);
	gate_loop_unset(&gate->loop, &caller->timer);
	close_fd(&caller->watch.fd);
	gate->caller_count--;
	free(caller);
}

static void caller_answer(struct caller *caller, const uint8_t *answer, size_t len)
{
	uint8_t msg[DNS_QUERY_MAX + 2] = {(uint8_t)(len >> 8), (uint8_t)len};
	memcpy(msg + 2, answer, len);
	/* Who does not read even this much gets nothing. */
	if (len == 0 || send(caller->watch.fd, msg, len + 2, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len + 2 ||
	    gate_loop_watch(&caller->gate->loop, &caller->watch, EPOLLIN) < 0) {
		caller_end(caller);
		return;
	}
	caller->len = 0;
}

static void answer(struct gate *gate, const struct gate_question *q, int rcode, const struct gate_name *name)
{
	uint8_t buf[DNS_QUERY_MAX];
	uint32_t address;
	uint8_t bytes[4];
	size_t len;

	if (q->question.type == DNS_TYPE_AAAA)
		name = NULL;
	address = name != NULL ? htonl(name->address) : 0;
	memcpy(bytes, &address, sizeof(bytes));
	len = dns_make_answer(q->msg, &q->question, rcode, name != NULL ? bytes : NULL, TTL_SECONDS, buf, sizeof(buf));
	if (q->by_tcp && q->caller != NULL)
		caller_answer(q->caller, buf, len);
	else if (!q->by_tcp && len > 0)
		/* A task that does not read its answers loses them. */
		(void)sendto(gate->names_udp.fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL,
			     (const struct sockaddr *)&q->from, q->from_len);
}

/* Answers one that was waiting, and forgets it. */
static void settle(struct gate_question *q, int rcode, const struct gate_name *name)
{
	struct gate *gate = q->gate;
	struct gate_question **at = &gate->questions;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	gate->question_count--;
	answer(gate, q, rcode, name);
	free(q);
}

static uint64_t hash_name(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ULL;
	return hash ^ hash >> 32;
}

static struct gate_name *get_name(struct gate *gate, const char *text)
{
	struct gate_name **bucket = &gate->bucket[hash_name(text) % GATE_NAMES_MAX];
	struct gate_name *name = *bucket;

	while (name != NULL && strcmp(name->name, text) != 0)
		name = name->next;
	if (name != NULL)
		return name;
	if (gate->name_count == GATE_NAMES_MAX)
		return NULL;
	name = calloc(1, sizeof(*name));
	if (name == NULL)
		return NULL;
	name->name = strdup(text);
	if (name->name == NULL) {
		free(name);
		return NULL;
	}
	name->resolve.name = name->name;
	name->address = INSIDE_FIRST_NAME + (uint32_t)gate->name_count;
	gate->by_address[gate->name_count++] = name;
	name->next = *bucket;
	*bucket = name;
	return name;
}

const struct gate_name *gate_names_at(const struct gate *gate, const struct allow_address *address)
{
	uint32_t number;

	if (!allow_is_ipv4(address))
		return NULL;
	memcpy(&number, &address->in6.s6_addr[12], sizeof(number));
	number = ntohl(number);
	if (number < INSIDE_FIRST_NAME || number - INSIDE_FIRST_NAME >= gate->name_count)
		return NULL;
	return gate->by_address[number - INSIDE_FIRST_NAME];
}

/* Whether any address of the name's may be connected to by any of its rules; the first that may not is told of. */
static bool leads_somewhere(struct gate *gate, const struct gate_name *name)
{
	const struct allow_address *refused = NULL;
	const char *why = NULL;

	for (size_t i = 0; i < name->resolve.count; i++) {
		const struct allow_rule *rule = NULL;

		while ((rule = allow_next(gate->config->rules, name->name, rule)) != NULL)
			if (allow_may_lead_to(rule, &name->resolve.address[i], &why))
				return true;
		if (refused == NULL)
			refused = &name->resolve.address[i];
	}
	if (refused != NULL) {
		(void)allow_may_lead_to(allow_next(gate->config->rules, name->name, NULL), refused, &why);
		gate_refuse(gate, GATE_REFUSED_DESTINATION, name->name, NULL, refused, 0, why);
	}
	return false;
}

/* The name was resolved. */
static void on_resolved(struct resolve_waiter *waiter)
{
	struct gate_question *q = GATE_CONTAINER(waiter, struct gate_question, waiter);
	int r;

	switch (q->name->resolve.status) {
	case RESOLVE_OK:
		if (!leads_somewhere(q->gate, q->name)) {
			settle(q, DNS_RCODE_NO_NAME, NULL);
			return;
		}
		r = gate_listen(q->gate, q->name);
		q->stocking = r == -EAGAIN;
		if (!q->stocking)
			settle(q, r < 0 ? DNS_RCODE_FAILED : DNS_RCODE_OK, r < 0 ? NULL : q->name);
		break;
	case RESOLVE_NO_NAME:
		settle(q, DNS_RCODE_NO_NAME, NULL);
		break;
	case RESOLVE_NONE:
	case RESOLVE_FAILED:
		settle(q, DNS_RCODE_FAILED, NULL);
		break;
	}
}

void gate_names_stocked(struct gate *gate)
{
	struct gate_question *next;

	for (struct gate_question *q = gate->questions; q != NULL; q = next) {
		next = q->next;
		if (q->stocking)
			on_resolved(&q->waiter);
	}
}

static bool is_reverse(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && strcmp(name + len - 5, ".arpa") == 0;
}

/* A question that was understood: answers it, or keeps a copy that waits. */
static void ask(struct gate *gate, struct gate_question *q)
{
	const struct dns_question *question = &q->question;
	struct gate_question *kept;
	struct gate_name *name;

	if (!question->is_host || allow_next(gate->config->rules, question->name, NULL) == NULL) {
		/* Libraries look for names of addresses that they connect to: no attempt. */
		if (!is_reverse(question->name))
			gate_refuse(gate, GATE_REFUSED_NAME, question->name, NULL, NULL, 0, NULL);
		answer(gate, q, DNS_RCODE_NO_NAME, NULL);
		return;
	}
	/* The question for IPv6 addresses waits, too: that a name does not exist is said to both. */
	if (question->type != DNS_TYPE_A && question->type != DNS_TYPE_AAAA && question->type != DNS_TYPE_ANY) {
		answer(gate, q, DNS_RCODE_OK, NULL);
		return;
	}
	name = get_name(gate, question->name);
	kept = name == NULL || gate->question_count >= GATE_QUESTIONS_MAX ? NULL : malloc(sizeof(*kept));
	if (kept == NULL) {
		gate_refuse(gate, GATE_REFUSED_NAMES, question->name, NULL, NULL, 0, NULL);
		answer(gate, q, DNS_RCODE_FAILED, NULL);
		return;
	}
	*kept = *q;
	kept->gate = gate;
	kept->name = name;
	kept->waiter = (struct resolve_waiter){.done = on_resolved};
	kept->next = gate->questions;
	gate->questions = kept;
	gate->question_count++;
	/* Perhaps at once; kept is gone then. */
	resolve_ask(&gate->resolver, &name->resolve, &kept->waiter);
}

/* A whole message. False: not one that has an answer. */
static bool on_message(struct gate *gate, struct gate_question *q, const uint8_t *msg, size_t len)
{
	int r = len > sizeof(q->msg) ? -EINVAL : dns_parse_question(msg, len, &q->question);

	if (r == -EINVAL)
		return false;
	memcpy(q->msg, msg, len);
	q->stocking = false;
	if (r < 0)
		answer(gate, q, DNS_RCODE_MALFORMED, NULL);
	else if ((q->question.flags & 0x7800) != 0)
		answer(gate, q, DNS_RCODE_NOT_IMPLEMENTED, NULL);
	else
		ask(gate, q);
	return true;
}

static void on_udp(struct gate_watch *watch, uint32_t events)
{
	struct gate *gate = GATE_CONTAINER(watch, struct gate, names_udp);
	uint8_t msg[DNS_QUERY_MAX + 1];

	(void)events;
	for (int i = 0; i < AT_A_TURN; i++) {
		struct gate_question q = {.by_tcp = false, .from_len = sizeof(q.from)};
		ssize_t n = recvfrom(watch->fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&q.from, &q.from_len);

		if (n < 0)
			return;
		(void)on_message(gate, &q, msg, (size_t)n);
	}
}

static void on_idle(struct gate_timer *timer)
{
	caller_end(GATE_CONTAINER(timer, struct caller, timer));
}

static void on_caller(struct gate_watch *watch, uint32_t events)
{
	struct caller *caller = GATE_CONTAINER(watch, struct caller, watch);
	struct gate *gate = caller->gate;
	struct gate_question q = {.by_tcp = true, .caller = caller};
	size_t len = caller->len < 2 ? 0 : (size_t)caller->buf[0] << 8 | caller->buf[1];
	/* No further than this question's end. */
	ssize_t n = recv(watch->fd, caller->buf + caller->len, len + 2 - caller->len, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || gate_loop_set(&gate->loop, &caller->timer, gate->loop.now_ms + CALLER_IDLE_MS) < 0) {
		caller_end(caller);
		return;
	}
	caller->len += (size_t)n;
	if (caller->len < 2)
		return;
	len = (size_t)caller->buf[0] << 8 | caller->buf[1];
	if (len == 0 || len + 2 > sizeof(caller->buf)) {
		caller_end(caller);
		return;
	}
	if (caller->len < len + 2)
		return;
	/* Nothing more is read until this one has its answer. */
	gate_loop_forget(&gate->loop, watch);
	if (!on_message(gate, &q, caller->buf + 2, len))
		caller_end(caller);
}

static void on_tcp(struct gate_watch *watch, uint32_t events)
{
	struct gate *gate = GATE_CONTAINER(watch, struct gate, names_tcp);
	int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct caller *caller;

	(void)events;
	if (fd < 0)
		return;
	caller = gate->caller_count < CALLERS_MAX ? calloc(1, sizeof(*caller)) : NULL;
	if (caller == NULL) {
		(void)close(fd);
		return;
	}
	caller->gate = gate;
	caller->watch = (struct gate_watch){.fd = fd, .ready = on_caller};
	caller->timer.due = on_idle;
	gate->caller_count++;
	if (gate_loop_watch(&gate->loop, &caller->watch, EPOLLIN) < 0 ||
	    gate_loop_set(&gate->loop, &caller->timer, gate->loop.now_ms + CALLER_IDLE_MS) < 0)
		caller_end(caller);
}

int gate_names_init(struct gate *gate)
{
	gate->bucket = calloc(GATE_NAMES_MAX, sizeof(struct gate_name *));
	gate->by_address = calloc(GATE_NAMES_MAX, sizeof(struct gate_name *));
	gate->names_udp = (struct gate_watch){.fd = -1, .ready = on_udp};
	gate->names_tcp = (struct gate_watch){.fd = -1, .ready = on_tcp};
	return gate->bucket == NULL || gate->by_address == NULL ? -ENOMEM : 0;
}

void gate_names_take(struct gate *gate, int udp_fd, int tcp_fd)
{
	gate->names_udp.fd = udp_fd;
	gate->names_tcp.fd = tcp_fd;
	if (gate_loop_watch(&gate->loop, &gate->names_udp, EPOLLIN) < 0 ||
	    gate_loop_watch(&gate->loop, &gate->names_tcp, EPOLLIN) < 0) {
		gate->failure = -ENOMEM;
		gate->failed_at = "watch the name server's sockets";
	}
}
