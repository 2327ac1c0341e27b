/*
 * Scripts in the place of an interpreter. Those of pyenv and asdf stand for an installation that small text
 * files name; they are read as these tools read them. Any other one is refused: what it would start is known
 * only to whoever runs it.
 */
#ifndef CAPSULE_PYTHON_SHIM_H
#define CAPSULE_PYTHON_SHIM_H

#include <limits.h>

#include "base/error.h"

/* The hint of an error where nothing better is known. */
extern const char shim_pass_one[];

/*
 * Writes the interpreter that the script at an absolute path stands for. line is its first line after "#!".
 * 0; -ENOENT when it stands for the system's (err is not filled: go on searching); another -errno with err
 * saying what was seen and what to pass. Reads PYENV_VERSION, ASDF_PYTHON_VERSION, HOME, and the working
 * directory's version files.
 */
ATTR_CHECKED int shim_resolve(const char *script, const char *line, char ret_path[PATH_MAX],
			      struct error *err);

#endif
