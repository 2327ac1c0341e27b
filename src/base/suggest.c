#include "base/suggest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"

void suggest_init(struct suggest *suggest, const char *word, size_t len)
{
	*suggest = (struct suggest){.word = word, .len = len, .distance = len / 3 + 1};
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment, row by row. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[3][SUGGEST_MAX + 1];

	for (size_t k = 0; k <= b_len; k++)
		row[0][k] = k;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *now = row[i % 3];
		const size_t *before = row[(i - 1) % 3];

		now[0] = i;
		for (size_t k = 1; k <= b_len; k++) {
			now[k] = least(least(before[k], now[k - 1]) + 1, before[k - 1] + !same(a[i - 1], b[k - 1]));
			if (i > 1 && k > 1 && same(a[i - 1], b[k - 2]) && same(a[i - 2], b[k - 1]))
				now[k] = least(now[k], row[(i - 2) % 3][k - 2] + 1);
		}
	}
	return row[a_len % 3][b_len];
}

void suggest_try(struct suggest *suggest, const char *candidate)
{
	size_t len = strlen(candidate);
	size_t found;

	if (len > SUGGEST_MAX || suggest->len > SUGGEST_MAX || suggest->len == 0)
		return;
	found = distance(suggest->word, suggest->len, candidate, len);
	if (suggest->len >= 3 && len > suggest->len && memcmp(candidate, suggest->word, suggest->len) == 0)
		found = 1;
	if (found >= suggest->distance)
		return;
	suggest->distance = found;
	(void)text_copy(suggest->best, sizeof(suggest->best), candidate, len);
}
