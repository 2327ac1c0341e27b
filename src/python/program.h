/* What kind of program a file is, by its first bytes. Nothing is executed. */
#ifndef CAPSULE_PYTHON_PROGRAM_H
#define CAPSULE_PYTHON_PROGRAM_H

#include <stdbool.h>

#include "base/attr.h"

enum program_kind {
	PROGRAM_NONE,	/* not a regular file */
	PROGRAM_OTHER,	/* a file of another kind */
	PROGRAM_SCRIPT, /* begins with "#!" */
	PROGRAM_ELF,
};

struct program {
	enum program_kind kind;
	const char *foreign; /* ELF: what it was built for, when that is not this machine; else NULL */
	char loader[256];    /* ELF: the loader that it names; "" when it is static */
	char line[128];	     /* script: the first line after "#!" */
};

/* Reads a file's head, following links. 0 or -errno; a malformed ELF file is -ENOEXEC. */
ATTR_CHECKED int program_read(const char *path, struct program *ret);

#endif
