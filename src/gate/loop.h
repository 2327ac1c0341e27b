/*
 * The gate's one event loop: descriptors that somebody watches, and deadlines. Level-triggered epoll(7). A watch or
 * a timer is a member of what it belongs to and must stay where it is while it is set. One thread.
 */
#ifndef CAPSULE_GATE_LOOP_H
#define CAPSULE_GATE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* In gate_watch.events: epoll knows it. No event of epoll's has this bit. */
#define GATE_WATCHED (1U << 20)
#define GATE_LOOP_EVENTS 64

struct gate_watch {
	int fd;		 /* borrowed */
	uint32_t events; /* what epoll was asked for, and GATE_WATCHED; 0 when it is not watched */
	void (*ready)(struct gate_watch *watch, uint32_t events);
};

struct gate_timer {
	uint64_t at_ms; /* 0: not set */
	void (*due)(struct gate_timer *timer);
	size_t place; /* in the heap, when it is set */
};

struct gate_loop {
	int epoll_fd;
	struct gate_timer **heap; /* the earliest first */
	size_t heap_count;
	size_t heap_size;
	uint64_t now_ms; /* of this turn; CLOCK_BOOTTIME as clock_ms() has it */
	struct gate_watch *ready[GATE_LOOP_EVENTS]; /* in this turn; NULL for those that were taken away meanwhile */
	size_t ready_count;
};

#define GATE_CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* 0 or -errno. */
ATTR_CHECKED int gate_loop_init(struct gate_loop *loop);

/* Watches watch->fd for events (EPOLLIN, EPOLLOUT), or for other ones than before; 0 watches for errors alone. 0 or
 * -errno. */
ATTR_CHECKED int gate_loop_watch(struct gate_loop *loop, struct gate_watch *watch, uint32_t events);

/* No more events from it, not even in this turn. The descriptor stays open; close it after this. */
void gate_loop_forget(struct gate_loop *loop, struct gate_watch *watch);

/* Sets a timer, or moves it. 0 or -ENOMEM. */
ATTR_CHECKED int gate_loop_set(struct gate_loop *loop, struct gate_timer *timer, uint64_t at_ms);
void gate_loop_unset(struct gate_loop *loop, struct gate_timer *timer);

/* Waits for events, and calls who is concerned. 0 or -errno. */
ATTR_CHECKED int gate_loop_turn(struct gate_loop *loop);

void gate_loop_fini(struct gate_loop *loop);

#endif
