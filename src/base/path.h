/*
 * Places in a tree that is being built: paths are relative to the working directory, the root of that
 * tree, and no link is followed.
 */
#ifndef CAPSULE_BASE_PATH_H
#define CAPSULE_BASE_PATH_H

#include <stdbool.h>

#include "base/error.h"

/* True when path is dir or lies below it; both absolute and in one spelling. */
bool path_is_below(const char *path, const char *dir);

/*
 * True for a directory that holds far more than one project's files: "/", the system's top-level ones,
 * /home and the homes in it, the caller's home and what lies above it. Absolute, in one spelling.
 */
bool path_is_wide(const char *path);

/* Makes a directory and its parents; those that exist must be directories. err names stage. */
ATTR_CHECKED int path_make_dirs(const char *path, const char *stage, struct error *err);

/* Makes an empty file, mode 0444; one that exists is left. */
ATTR_CHECKED int path_make_file(const char *path, const char *stage, struct error *err);

/* Makes the directory or file that a mount will cover, unless it is there. */
ATTR_CHECKED int path_make_target(const char *path, bool directory, const char *stage,
				  struct error *err);

#endif
