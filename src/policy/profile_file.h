/*
 * Where profiles are found, and whom one believes.
 *
 * A name is looked for in the user's directory, in the system's, and among those that were compiled
 * in; the first one is it. What has a slash is a path. A file and each directory above it must be
 * root's or the caller's and writable by nobody else, as sshd's StrictModes wants it: who writes a
 * profile decides what is shown to a task.
 */
#ifndef CAPSULE_POLICY_PROFILE_FILE_H
#define CAPSULE_POLICY_PROFILE_FILE_H

#include <stdio.h>

#include "policy/policy.h"

/* Finds, reads and applies one. 0 or -errno with err. */
ATTR_CHECKED int profile_load(struct policy *draft, const char *name, struct error *err);

/* --list-profiles: a line for each that can be named: the name, where it is, its description. */
void profile_list(FILE *out);

#endif
