/* Budgets, in all and of each rule: bytes, connections at a time, and bytes per second by token buckets. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gate/state.h"

/* How often what waits for a rate is looked at; a bucket holds as much as flows meanwhile, several times. */
#define TICK_MS 20
#define BUCKET_MS 200

static void init(struct gate_account *account, const struct allow_budget *limit, uint64_t now_ms)
{
	*account = (struct gate_account){.limit = *limit, .filled_ms = now_ms};
	if (limit->rate != LIMIT_NONE)
		account->tokens = limit->rate / (1000 / BUCKET_MS) + 1;
}

void gate_account_init(struct gate *gate)
{
	const struct allow_set *rules = gate->config->rules;

	init(&gate->total, &gate->config->budget, gate->loop.now_ms);
	for (size_t i = 0; i < rules->count; i++)
		init(&gate->by_rule[i], &rules->rules[i]->budget, gate->loop.now_ms);
}

static void fill(struct gate_account *account, uint64_t now_ms)
{
	uint64_t most = account->limit.rate / (1000 / BUCKET_MS) + 1;
	uint64_t passed = now_ms - account->filled_ms;
	uint64_t more;

	if (account->limit.rate == LIMIT_NONE || passed == 0)
		return;
	more = account->limit.rate / 1000 * passed + account->limit.rate % 1000 * passed / 1000;
	/* What is less than a byte must not be lost by looking often. */
	if (more == 0)
		return;
	account->filled_ms = now_ms;
	account->tokens = more >= most || account->tokens + more > most ? most : account->tokens + more;
}

static bool room(struct gate_account *account, uint64_t now_ms, uint64_t *ret_room)
{
	if (account->limit.bytes != LIMIT_NONE) {
		if (account->bytes >= account->limit.bytes)
			return false;
		if (account->limit.bytes - account->bytes < *ret_room)
			*ret_room = account->limit.bytes - account->bytes;
	}
	fill(account, now_ms);
	if (account->limit.rate != LIMIT_NONE && account->tokens < *ret_room)
		*ret_room = account->tokens;
	return true;
}

static void refilled(struct gate_timer *timer)
{
	gate_conn_wake(GATE_CONTAINER(timer, struct gate, refill));
}

bool gate_account_room(struct gate *gate, size_t rule, uint64_t *ret_room)
{
	uint64_t now_ms = gate->loop.now_ms;

	if (!room(&gate->total, now_ms, ret_room) || !room(&gate->by_rule[rule], now_ms, ret_room))
		return false;
	if (*ret_room == 0 && gate->refill.at_ms == 0) {
		gate->refill.due = refilled;
		if (gate_loop_set(&gate->loop, &gate->refill, now_ms + TICK_MS) < 0)
			return false;
	}
	return true;
}

static void add(struct gate_account *account, uint64_t bytes)
{
	account->bytes += bytes;
	if (account->limit.rate != LIMIT_NONE)
		account->tokens -= bytes < account->tokens ? bytes : account->tokens;
}

void gate_account_add(struct gate *gate, size_t rule, uint64_t bytes)
{
	add(&gate->total, bytes);
	add(&gate->by_rule[rule], bytes);
}

bool gate_account_open(struct gate *gate, size_t rule)
{
	struct gate_account *own = &gate->by_rule[rule];

	if (gate->total.connections >= gate->total.limit.connections || own->connections >= own->limit.connections)
		return false;
	gate->total.connections++;
	own->connections++;
	return true;
}

void gate_account_close(struct gate *gate, size_t rule)
{
	gate->total.connections--;
	gate->by_rule[rule].connections--;
}
