/*
 * Packages that are installed "editable" (pip install -e): their code lies in a project, outside of the
 * environment, and the task does not see it unless it is shown.
 */
#ifndef CAPSULE_PYTHON_EDITABLE_H
#define CAPSULE_PYTHON_EDITABLE_H

#include "base/strlist.h"

/*
 * Adds the directories, outside of site, that its .pth files and the finders made by setuptools lead to:
 * absolute, existing, each once. A site that is not there has none. -ENOMEM is the only failure; what can't
 * be read is passed over.
 */
ATTR_CHECKED int editable_find(const char *site, struct strlist *ret);

#endif
