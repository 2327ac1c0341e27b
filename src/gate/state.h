/* What the files of the gate share: its state, and who does what. */
#ifndef CAPSULE_GATE_STATE_H
#define CAPSULE_GATE_STATE_H

#include "gate/gate.h"
#include "gate/hello.h"
#include "gate/http.h"
#include "gate/loop.h"
#include "policy/inside.h"

#define GATE_STOCK_MAX 256U
#define GATE_NAMES_MAX 16384U
#define GATE_QUESTIONS_MAX 512U
#define GATE_ATTEMPTS 4U
#define GATE_PIPES_MAX 8U
#define GATE_SCRATCH (256U << 10)

struct gate;

/* A budget and what of it is used. */
struct gate_account {
	struct allow_budget limit;
	uint64_t bytes;
	uint64_t connections;
	uint64_t tokens; /* bytes that may pass now */
	uint64_t filled_ms;
};

struct gate_listener {
	struct gate_watch watch;
	struct gate *gate;
	uint16_t port;
	struct gate_listener *next; /* of the same name */
};

struct gate_packets {
	struct gate_watch watch;
	struct gate *gate;
	bool is_ipv6;
	bool is_tcp;
};

/* A name that the task asked for and that is allowed. */
struct gate_name {
	struct gate_name *next; /* of the same hash */
	char *name;
	uint32_t address; /* inside */
	struct resolve_name resolve;
	struct gate_listener *listeners;
	bool listens; /* on all of its ports */
};

struct gate_pipe {
	struct gate_pipe *next;
	int fds[2];
	size_t held; /* bytes that lie in it */
};

struct gate_refused {
	struct gate_record record;
	uint64_t told; /* the count that the supervisor knows */
};

struct gate {
	struct gate_loop loop; /* first: gate_inject_tell() has only this */
	const struct gate_config *config;
	struct resolver resolver;
	struct gate_watch channel;
	struct gate_watch inside;
	bool over;
	int failure; /* -errno: the gate can't go on */
	const char *failed_at;

	int stock[GATE_STOCK_MAX];
	size_t stock_count;
	bool stock_wanted; /* init was asked for more */
	bool ready;

	struct gate_name **bucket; /* GATE_NAMES_MAX of them */
	struct gate_name **by_address;
	size_t name_count;
	size_t listener_count;

	struct gate_watch names_udp;
	struct gate_watch names_tcp;
	struct gate_question *questions; /* that wait */
	size_t question_count;
	size_t caller_count; /* of name server's TCP connections */
	struct gate_packets packets[INSIDE_PACKET_KINDS];

	struct gate_conn *conns;
	size_t conn_count;
	size_t conn_max;
	uint64_t next_id;
	struct gate_account total;
	struct gate_account *by_rule;
	struct gate_timer refill; /* when a rate has held somebody up */

	struct gate_refused refused[GATE_REFUSALS_MAX];
	size_t refused_count;
	uint64_t refused_total;
	uint64_t refused_lost;
	uint8_t *scratch;
	struct gate_pipe *pipes; /* that are free */
	size_t pipe_count;
};

/* names.c: the name server, the names that it knows, and their listeners. */
int gate_names_init(struct gate *gate);
void gate_names_take(struct gate *gate, int udp_fd, int tcp_fd);
void gate_names_stocked(struct gate *gate); /* the stock has grown, or will not */
const struct gate_name *gate_names_at(const struct gate *gate, const struct allow_address *address);

/* listen.c: sockets from inside, accepting. */
void gate_inside_ready(struct gate_watch *watch, uint32_t events);
/* Listens on all ports of a name. 0; -EAGAIN: when there is a stock again; -ENFILE: there is no more. */
int gate_listen(struct gate *gate, struct gate_name *name);

/* conn.c: one connection from its start to its end. */
void gate_conn_start(struct gate *gate, int client_fd);
void gate_conns_end(struct gate *gate);
void gate_conn_wake(struct gate *gate); /* rates allow bytes again */

/* refuse.c: what was refused, and what the supervisor is told. */
void gate_tell(struct gate *gate, const struct gate_record *record);
void gate_refuse(struct gate *gate, enum gate_refusal refusal, const char *name, const char *other,
		 const struct allow_address *address, uint16_t port, const char *why);
void gate_tell_refusals(struct gate *gate);
void gate_packets_ready(struct gate_watch *watch, uint32_t events);

/* account.c: budgets. */
void gate_account_init(struct gate *gate);
/* How many bytes a connection of this rule may move now; 0 when a rate holds it up, and then gate_conn_wake() follows.
 * False: its bytes are used up. */
bool gate_account_room(struct gate *gate, size_t rule, uint64_t *ret_room);
void gate_account_add(struct gate *gate, size_t rule, uint64_t bytes);
bool gate_account_open(struct gate *gate, size_t rule);
void gate_account_close(struct gate *gate, size_t rule);

#endif
