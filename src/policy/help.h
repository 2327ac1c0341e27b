/* --help, from the option table. */
#ifndef CAPSULE_POLICY_HELP_H
#define CAPSULE_POLICY_HELP_H

#include <stdbool.h>
#include <stdio.h>

#include "base/suggest.h"

/* True for the name of a group of options, and for "all". */
bool help_is_topic(const char *topic);

/* "limits, files, ..., all"; a static string. */
const char *help_topics(void);

/* Prints the usual options on one screen, or (topic not NULL) every option of a group with all
 * there is to say. */
void help_print(FILE *out, const char *topic);

/* The group of options that a word may mean. */
void help_suggest(struct suggest *suggest, const char *word);

#endif
