/* A verdict in words: one sentence on what ended the task. */
#ifndef CAPSULE_RUN_EXPLAIN_H
#define CAPSULE_RUN_EXPLAIN_H

#include "run/verdict.h"

#define EXPLAIN_MAX (ERROR_DETAIL_MAX + 192)

/* Writes the sentence, printable UTF-8 with its full stop, into buf (EXPLAIN_MAX bytes). Returns buf. */
char *explain(const struct verdict *verdict, const struct policy *policy, char *buf);

/* A number in the unit of an option's row, as a person reads it: "84M", "1.24s", "256". buf has at least 32
 * bytes; returns buf. */
char *explain_number(enum option_id id, uint64_t value, char *buf, size_t size);

#endif
