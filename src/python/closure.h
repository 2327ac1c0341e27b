/*
 * The interpreter's closure: its own files, what is installed for it, and the shared libraries that
 * these need, by reading alone. ld.so(8) says where libraries are looked for.
 */
#ifndef CAPSULE_PYTHON_CLOSURE_H
#define CAPSULE_PYTHON_CLOSURE_H

#include "python/interpreter.h"
#include "python/view.h"

/*
 * What to show of the system and of the interpreter's roots. 0 or -errno with err; *ret must be
 * released with view_parts_fini() when 0 was returned. Libraries that are nowhere are left out: the
 * import that needs one fails inside as it would outside. What is loaded by a name made up at run
 * time is not seen.
 */
ATTR_CHECKED int closure_find(const struct interpreter *python, struct view_parts *ret,
			      struct error *err);

#endif
