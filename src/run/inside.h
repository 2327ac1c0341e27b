/* What init has to do with the gate: it waits until it is ready, and makes sockets for it while the task runs. */
#ifndef CAPSULE_RUN_INSIDE_H
#define CAPSULE_RUN_INSIDE_H

#include "base/error.h"

/* Waits until the gate has its sockets and is behind its own walls. -1 for gate_fd: there is none. 0 or -errno. */
ATTR_CHECKED int inside_await_gate(int gate_fd, struct error *err);

/* The gate wants sockets, for more names. Closes *gate_fd when it is gone: the supervisor ends the run then. */
void inside_stock_gate(int *gate_fd);

#endif
