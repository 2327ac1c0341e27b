#include "run/inside.h"

#include <errno.h>
#include <poll.h>

#include "base/fdpass.h"
#include "policy/inside.h"
#include "stage/stage.h"

int inside_await_gate(int gate_fd, struct error *err)
{
	struct pollfd ready = {.fd = gate_fd, .events = POLLIN};
	int fds[FDPASS_MAX];
	size_t count = 0;
	uint8_t tag = 0;

	if (gate_fd < 0)
		return 0;
	while (poll(&ready, 1, -1) < 0)
		if (errno != EINTR)
			return error_set(err, "gate", errno, "wait for it");
	/* It tells the supervisor what is wrong; this only stops the task. */
	if (fdpass_receive(gate_fd, &tag, fds, &count) != 1 || tag != INSIDE_READY || count != 0)
		return error_set(err, "gate", 0, "it did not become ready");
	return 0;
}

void inside_stock_gate(int *gate_fd)
{
	int fds[FDPASS_MAX];
	size_t count = 0;
	uint8_t tag = 0;
	struct error err;
	int r = fdpass_receive(*gate_fd, &tag, fds, &count);

	if (r == -EAGAIN)
		return;
	if (r != 1 || tag != INSIDE_MORE || count != 0 || stage_gate_stock(*gate_fd, INSIDE_STOCK_COUNT, &err) < 0)
		close_fd(gate_fd);
}
