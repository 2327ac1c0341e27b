/* What every fuzz entry is: libFuzzer calls it, or replay.c does with the files of a corpus. */
#ifndef CAPSULE_FUZZ_FUZZ_H
#define CAPSULE_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken promise: libFuzzer and the replay both stop at it, whatever NDEBUG says. */
#define FUZZ_CHECK(condition)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

/* The input as a string: cut at the first NUL. To be freed. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	FUZZ_CHECK(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* Texts of an error object end inside it. */
#define FUZZ_CHECK_TEXT(array) FUZZ_CHECK(memchr(array, '\0', sizeof(array)) != NULL)

#endif
