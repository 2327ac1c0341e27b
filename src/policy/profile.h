/*
 * The text of a profile. The manual, capsule-run.profile(5), says the same for its users.
 *
 *     capsule-run-profile 1
 *     # The first comment is its description.
 *     ram = 512M              # keys are the options' names
 *     fresh = yes             # flags are yes or no
 *     env = "TEXT=a # b\n"    # quoted: \" \\ \n \t \xHH
 *
 * UTF-8, a line for each value, nothing included, expanded or run. Lists grow by each line, of
 * other keys there is one line.
 */
#ifndef CAPSULE_POLICY_PROFILE_H
#define CAPSULE_POLICY_PROFILE_H

#include <stdio.h>

#include "policy/policy.h"

#define PROFILE_VERSION_LINE "capsule-run-profile 1"
#define PROFILE_BYTES_MAX    65536

/* Applies a profile's text, which messages call name. 0, or -errno with err naming NAME:LINE, the
 * option, the value and what is accepted; the draft then holds a part of it. */
ATTR_CHECKED int profile_parse(struct policy *draft, const char *name, const char *text, size_t len,
			       struct error *err);

/* The first comment of a profile's text, or "". */
void profile_description(const char *text, size_t len, char *buf, size_t size);

/* Prints a profile that reads back to the same policy, with the origin of every value as a comment.
 */
void profile_print(const struct policy *policy, FILE *out);

#endif
