/* Cures for failures of a start whose cause is known: one table, which --doctor reads, too. */
#ifndef CAPSULE_RUN_HINT_H
#define CAPSULE_RUN_HINT_H

#include "base/error.h"

/* Gives an error that has no hint the first one in the table that fits it and this host. */
void hint_add(struct error *err);

#endif
