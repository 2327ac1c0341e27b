/*
 * Task files: Python files that import `capsule`. What is found here is only a reason to ask; the interpreter inside
 * decides (src/python/capsule/_inside.py), by the file's syntax.
 */
#ifndef CAPSULE_PYTHON_TASKFILE_H
#define CAPSULE_PYTHON_TASKFILE_H

#include <stdbool.h>
#include <stddef.h>

/* Where the module `capsule` is inside, and what starts a task file there. */
#define TASKFILE_DIR "/task/.capsule"

/* The descriptor that leads from the task to us. */
#define TASKFILE_CHANNEL 3

/* A file of ours for TASKFILE_DIR: the module is a part of the program, so neither is ever older than the other. */
struct taskfile_part {
	const char *name; /* below TASKFILE_DIR */
	const char *text;
};
extern const struct taskfile_part taskfile_parts[];
extern const size_t taskfile_part_count;

/*
 * True when the word `capsule` stands somewhere as in code that imports it: in one line with `import`, `from`,
 * `__import__` or `import_module`, or in the next. Comments and texts can look so, too. What holds a NUL byte is no source.
 */
bool taskfile_may_import(const char *text, size_t len);

/* The same for a regular file of at most 16 MiB; false for what can't be read, which the start will tell of. */
bool taskfile_is_candidate(const char *path);

#endif
