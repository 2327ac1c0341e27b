/* A growing list of owned strings; also NULL-terminated, so it serves as argv and envp. */
#ifndef CAPSULE_BASE_STRLIST_H
#define CAPSULE_BASE_STRLIST_H

#include <stddef.h>

#include "base/attr.h"

struct strlist {
	char **item; /* count strings, then NULL; NULL itself when empty */
	size_t count;
};

/* Appends a copy of text. -ENOMEM. */
ATTR_CHECKED int strlist_add(struct strlist *list, const char *text);

/* Appends a formatted string. -ENOMEM. */
ATTR_CHECKED int strlist_addf(struct strlist *list, const char *fmt, ...) ATTR_PRINTF(2, 3);

/* The value of the last NAME=VALUE entry with that name, or NULL. Borrowed from the list. */
const char *strlist_env_get(const struct strlist *list, const char *name);

/* Frees everything and leaves an empty list. */
void strlist_fini(struct strlist *list);

#endif
