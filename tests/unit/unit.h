/* What the unit tests share: cmocka with what it wants included first, checks that name the row of a
 * table, temporary trees. */
#ifndef CAPSULE_UNIT_UNIT_H
#define CAPSULE_UNIT_UNIT_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <cmocka.h>

#include "base/attr.h"

/* A check that says which row it was. */
#define CHECK(condition, ...)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			print_error("%s:%d: not true: %s; ", __FILE__, __LINE__, #condition);      \
			print_error(__VA_ARGS__);                                                  \
			print_error("\n");                                                         \
			fail();                                                                    \
		}                                                                                  \
	} while (0)

/* As strcmp() == 0; NULL equals NULL only. */
bool unit_same(const char *a, const char *b);

/* A temporary directory; path is filled with its real path. Returns a descriptor. */
int unit_temp(char path[PATH_MAX]);

/* Removes a tree that unit_temp() made and closes the descriptor. */
void unit_temp_remove(const char *path, int dir_fd);

/* Writes a file and makes the directories above it. A path that ends in a slash is a directory. */
void unit_make(int dir_fd, const char *path, const char *text);

/* The text of a small file, or NULL when it is not there; a static buffer. */
const char *unit_text(int dir_fd, const char *path);

/* The lowest free descriptor: the same before and after when nothing was leaked. */
int unit_lowest_fd(void);

/* Runs a function in a child process that has no capabilities (so that root too is held by file modes)
 * and is killed after ten seconds. Returns its wait status. */
int unit_run_powerless(int (*function)(void *), void *data);

#endif
