/* --args-file: what the entry of a task file is called with, as JSON. */
#ifndef CAPSULE_RUN_ARGUMENTS_H
#define CAPSULE_RUN_ARGUMENTS_H

#include "base/error.h"

/* The longest there can be. */
#define ARGUMENTS_MAX (64U << 20)

/* Where the task finds them, below TASKFILE_DIR. */
#define ARGUMENTS_NAME "arguments.json"

/*
 * Reads a file of the caller's: a list of arguments, or an object with args (a list) and kwargs (an object). 0 with its
 * text, to be freed, or -errno with err.
 */
ATTR_CHECKED int arguments_read(const char *path, char **ret_text, struct error *err);

#endif
