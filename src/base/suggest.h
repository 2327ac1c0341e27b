/* What somebody may have meant by a word that is none: the nearest of those that there are. */
#ifndef CAPSULE_BASE_SUGGEST_H
#define CAPSULE_BASE_SUGGEST_H

#include <stddef.h>

#define SUGGEST_MAX 32

struct suggest {
	const char *word;
	size_t len;
	char best[SUGGEST_MAX + 1]; /* "": none is near */
	size_t distance;	    /* of it */
};

/* word: len bytes, borrowed; what is longer than SUGGEST_MAX is near to nothing. */
void suggest_init(struct suggest *suggest, const char *word, size_t len);

/* Takes a candidate when it is nearer than those before: letters that are wrong, missing, too many or exchanged with the
 * next, of three one; or, from three letters on, the beginning of it. */
void suggest_try(struct suggest *suggest, const char *candidate);

#endif
