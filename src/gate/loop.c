#include "gate/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"

#define PAUSE_MAX_MS 60000

int gate_loop_init(struct gate_loop *loop)
{
	*loop = (struct gate_loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC), .now_ms = clock_ms()};
	return loop->epoll_fd < 0 ? -errno : 0;
}

int gate_loop_watch(struct gate_loop *loop, struct gate_watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events & ~GATE_WATCHED, .data.ptr = watch};
	bool is_new = (watch->events & GATE_WATCHED) == 0;

	if (!is_new && watch->events == (events | GATE_WATCHED))
		return 0;
	if (epoll_ctl(loop->epoll_fd, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, watch->fd, &event) < 0)
		return -errno;
	watch->events = events | GATE_WATCHED;
	return 0;
}

void gate_loop_forget(struct gate_loop *loop, struct gate_watch *watch)
{
	if ((watch->events & GATE_WATCHED) == 0)
		return;
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->events = 0;
	/* What epoll_wait() has returned already is void. */
	for (size_t i = 0; i < loop->ready_count; i++)
		if (loop->ready[i] == watch)
			loop->ready[i] = NULL;
}

static void place(struct gate_loop *loop, size_t at, struct gate_timer *timer)
{
	loop->heap[at] = timer;
	timer->place = at;
}

static void rise(struct gate_loop *loop, size_t at)
{
	struct gate_timer *timer = loop->heap[at];

	while (at > 0 && loop->heap[(at - 1) / 2]->at_ms > timer->at_ms) {
		place(loop, at, loop->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	place(loop, at, timer);
}

static void sink(struct gate_loop *loop, size_t at)
{
	struct gate_timer *timer = loop->heap[at];

	for (;;) {
		size_t child = at * 2 + 1;

		if (child >= loop->heap_count)
			break;
		if (child + 1 < loop->heap_count && loop->heap[child + 1]->at_ms < loop->heap[child]->at_ms)
			child++;
		if (loop->heap[child]->at_ms >= timer->at_ms)
			break;
		place(loop, at, loop->heap[child]);
		at = child;
	}
	place(loop, at, timer);
}

int gate_loop_set(struct gate_loop *loop, struct gate_timer *timer, uint64_t at_ms)
{
	gate_loop_unset(loop, timer);
	if (loop->heap_count == loop->heap_size) {
		size_t size = loop->heap_size == 0 ? 64 : loop->heap_size * 2;
		struct gate_timer **grown = reallocarray(loop->heap, size, sizeof(struct gate_timer *));

		if (grown == NULL)
			return -ENOMEM;
		loop->heap = grown;
		loop->heap_size = size;
	}
	timer->at_ms = at_ms == 0 ? 1 : at_ms;
	place(loop, loop->heap_count++, timer);
	rise(loop, timer->place);
	return 0;
}

void gate_loop_unset(struct gate_loop *loop, struct gate_timer *timer)
{
	struct gate_timer *last;
	size_t at = timer->place;

	if (timer->at_ms == 0)
		return;
	timer->at_ms = 0;
	last = loop->heap[--loop->heap_count];
	if (last == timer)
		return;
	place(loop, at, last);
	rise(loop, at);
	sink(loop, last->place);
}

static int pause_ms(const struct gate_loop *loop)
{
	uint64_t now = clock_ms();
	uint64_t next;

	if (loop->heap_count == 0)
		return -1;
	next = loop->heap[0]->at_ms;
	if (next <= now)
		return 0;
	return next - now > PAUSE_MAX_MS ? PAUSE_MAX_MS : (int)(next - now);
}

int gate_loop_turn(struct gate_loop *loop)
{
	struct epoll_event events[GATE_LOOP_EVENTS];
	int n = epoll_wait(loop->epoll_fd, events, GATE_LOOP_EVENTS, pause_ms(loop));

	if (n < 0 && errno != EINTR)
		return -errno;
	loop->now_ms = clock_ms();
	loop->ready_count = n < 0 ? 0 : (size_t)n;
	for (size_t i = 0; i < loop->ready_count; i++)
		loop->ready[i] = events[i].data.ptr;
	for (size_t i = 0; i < loop->ready_count; i++)
		if (loop->ready[i] != NULL)
			loop->ready[i]->ready(loop->ready[i], events[i].events);
	loop->ready_count = 0;
	while (loop->heap_count > 0 && loop->heap[0]->at_ms <= loop->now_ms) {
		struct gate_timer *timer = loop->heap[0];

		gate_loop_unset(loop, timer);
		timer->due(timer);
	}
	return 0;
}

void gate_loop_fini(struct gate_loop *loop)
{
	free(loop->heap);
	close_fd(&loop->epoll_fd);
}
