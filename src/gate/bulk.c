/*
 * Streams in bulk go through a pipe, without a copy (splice(2)). There are a few pipes for all connections, since the
 * kernel counts their pages for each user; a stream has one while bytes lie in it. Bytes that were judged are never
 * looked at again, so it does not matter that a page which was spliced can still be its sender's.
 */
#include <errno.h>
#include <fcntl.h>

#include "gate/conn.h"

/* Larger than this takes more from the caches than it saves. */
#define PIPE_BYTES (1 << 20)
#define TURNS 16

struct gate_pipe *gate_pipe_take(struct gate *gate)
{
	struct gate_pipe *taken = gate->pipes;

	if (taken != NULL) {
		gate->pipes = taken->next;
		return taken;
	}
	if (gate->pipe_count == GATE_PIPES_MAX)
		return NULL;
	taken = calloc(1, sizeof(*taken));
	if (taken == NULL)
		return NULL;
	if (pipe2(taken->fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(taken);
		return NULL;
	}
	/* Where the user has too many already it stays as small as it is made. */
	(void)fcntl(taken->fds[1], F_SETPIPE_SZ, PIPE_BYTES);
	gate->pipe_count++;
	return taken;
}

void gate_pipe_give(struct gate *gate, struct gate_pipe *pipe)
{
	if (pipe->held > 0) {
		/* What lies in it belongs to a connection that is gone. */
		(void)close(pipe->fds[0]);
		(void)close(pipe->fds[1]);
		free(pipe);
		gate->pipe_count--;
		return;
	}
	pipe->next = gate->pipes;
	gate->pipes = pipe;
}

/* What lies in the pipe goes out. 0, also when it does not all go; -errno. */
static int drain(struct gate_pipe *pipe, int to_fd)
{
	while (pipe->held > 0) {
		ssize_t n = splice(pipe->fds[0], NULL, to_fd, NULL, pipe->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		pipe->held -= (size_t)n;
	}
	return 0;
}

int gate_bulk_drain(struct gate_side *from, const struct gate_side *to)
{
	int r = from->pipe == NULL ? 0 : drain(from->pipe, to->watch.fd);

	if (from->pipe != NULL && from->pipe->held == 0) {
		gate_pipe_give(from->conn->gate, from->pipe);
		from->pipe = NULL;
	}
	return r;
}

enum gate_bulk gate_bulk_move(struct gate_side *from, const struct gate_side *to, int *ret_errnum)
{
	struct gate_conn *conn = from->conn;
	struct gate *gate = conn->gate;

	from->pipe = gate_pipe_take(gate);
	if (from->pipe == NULL)
		return GATE_BULK_NO_PIPE;
	for (int i = 0; i < TURNS && !from->ended; i++) {
		uint64_t room = PIPE_BYTES;
		ssize_t n;
		int r;

		if (!gate_account_room(gate, conn->rule->index, &room))
			return GATE_BULK_USED_UP;
		conn->paused = room == 0;
		if (conn->paused)
			break;
		n = splice(from->watch.fd, NULL, from->pipe->fds[1], NULL, (size_t)room,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			*ret_errnum = errno;
			return GATE_BULK_FAILED;
		}
		if (n < 0) {
			/* No stream in bulk any more, or its reader is slow. */
			from->full_reads = 0;
			break;
		}
		from->ended = n == 0;
		from->pipe->held += (size_t)n;
		gate_account_add(gate, conn->rule->index, (uint64_t)n);
		*(from == &conn->client ? &conn->sent : &conn->received) += (uint64_t)n;
		r = drain(from->pipe, to->watch.fd);
		if (r < 0) {
			*ret_errnum = -r;
			return GATE_BULK_FAILED;
		}
		if (from->pipe->held > 0)
			break;
	}
	if (from->pipe->held == 0) {
		gate_pipe_give(gate, from->pipe);
		from->pipe = NULL;
	}
	return GATE_BULK_MOVED;
}
