#include "gate/gate.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "gate/state.h"

/* What is left to name servers, packets, and our own. */
#define RESERVED_FDS 640U

static void on_channel(struct gate_watch *watch, uint32_t events)
{
	struct gate *gate = GATE_CONTAINER(watch, struct gate, channel);
	char byte;

	(void)events;
	/* Nothing is ever said there. */
	if (recv(watch->fd, &byte, 1, MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	gate->over = true;
}

/* Connections: two descriptors each, and more while they are made; listeners: as many descriptors as connections. */
static size_t most_connections(uint64_t descriptors)
{
	return descriptors <= RESERVED_FDS + 16 ? 4 : (size_t)(descriptors - RESERVED_FDS) / 4;
}

static int init(struct gate *gate, const struct gate_config *config)
{
	int r = gate_loop_init(&gate->loop);

	gate->config = config;
	gate->resolver = (struct resolver){.loop = &gate->loop, .config = config->resolve};
	gate->channel = (struct gate_watch){.fd = config->channel_fd, .ready = on_channel};
	gate->inside = (struct gate_watch){.fd = config->inside_fd, .ready = gate_inside_ready};
	gate->scratch = malloc(GATE_SCRATCH);
	gate->by_rule = calloc(config->rules->count, sizeof(struct gate_account));
	gate->conn_max = most_connections(config->descriptors);
	if (gate->scratch == NULL || gate->by_rule == NULL)
		r = -ENOMEM;
	if (r == 0)
		r = gate_names_init(gate);
	if (r < 0)
		return r;
	gate_account_init(gate);
	r = gate_loop_watch(&gate->loop, &gate->channel, EPOLLIN);
	return r < 0 ? r : gate_loop_watch(&gate->loop, &gate->inside, EPOLLIN);
}

int gate_serve(const struct gate_config *config, struct error *err)
{
	struct gate *gate = calloc(1, sizeof(*gate));
	const char *what = "prepare";
	int r = gate == NULL ? -ENOMEM : init(gate, config);

	if (r < 0)
		return error_set(err, "gate", -r, "%s", what);
	while (!gate->over && gate->failure == 0) {
		r = gate_loop_turn(&gate->loop);
		if (r < 0)
			return error_set(err, "gate", -r, "wait for events");
	}
	if (gate->failure != 0)
		return error_set(err, "gate", -gate->failure, "%s", gate->failed_at);
	gate_conns_end(gate);
	gate_tell_refusals(gate);
	return 0;
}
