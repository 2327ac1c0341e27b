#include "base/strlist.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int add_owned(struct strlist *list, char *text)
{
	char **grown;

	if (text == NULL)
		return -ENOMEM;
	grown = reallocarray(list->item, list->count + 2, sizeof(*grown));
	if (grown == NULL) {
		free(text);
		return -ENOMEM;
	}
	list->item = grown;
	list->item[list->count++] = text;
	list->item[list->count] = NULL;
	return 0;
}

int strlist_add(struct strlist *list, const char *text)
{
	return add_owned(list, strdup(text));
}

int strlist_addf(struct strlist *list, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return add_owned(list, n < 0 ? NULL : text);
}

const char *strlist_env_get(const struct strlist *list, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = list->count; i-- > 0;)
		if (strncmp(list->item[i], name, len) == 0 && list->item[i][len] == '=')
			return list->item[i] + len + 1;
	return NULL;
}

void strlist_fini(struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->item[i]);
	free(list->item);
	list->item = NULL;
	list->count = 0;
}
