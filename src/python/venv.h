/* pyvenv.cfg: what makes a directory a virtual environment, whoever made it (venv, virtualenv, uv). */
#ifndef CAPSULE_PYTHON_VENV_H
#define CAPSULE_PYTHON_VENV_H

#include <limits.h>
#include <stdbool.h>

#include "base/attr.h"

struct venv_config {
	char home[PATH_MAX]; /* the directory of the Python that it was made from; "" when it names none */
	unsigned int minor;  /* of Python 3.minor; 0 when it names none */
	bool system_site;    /* that Python's own packages are on the path, too */
};

/* Parses the file's text, as getpath.py and site.py do. Pure; text is written to. */
void venv_parse(char *text, struct venv_config *ret);

/* Reads DIR/pyvenv.cfg. 0, -ENOENT when DIR is no virtual environment, or -errno. */
ATTR_CHECKED int venv_read(const char *dir, struct venv_config *ret);

#endif
