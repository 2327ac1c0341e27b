#include "policy/retry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ALL (RETRY_BIT(RETRY_MAX) - 1)

static const char *const cause_names[] = {
    [RETRY_EXITED] = "exited",	     [RETRY_SIGNALED] = "signaled", [RETRY_TIMEOUT] = "timeout",
    [RETRY_CPU_TIME] = "cpu-time",   [RETRY_STALL] = "stall",	    [RETRY_OUT_OF_MEMORY] = "oom",
    [RETRY_DISK] = "disk",	     [RETRY_OUTPUT] = "output",
};
_Static_assert(ARRAY_SIZE(cause_names) == RETRY_MAX, "one name for each cause");

static const struct {
	const char *name;
	uint32_t causes;
} groups[] = {
    {"failure", RETRY_BIT(RETRY_EXITED) | RETRY_BIT(RETRY_SIGNALED)},
    {"any", ALL},
};

const char *retry_name(enum retry_cause cause)
{
	return cause_names[cause];
}

static uint32_t find(const char *name, size_t len)
{
	for (unsigned int i = 0; i < RETRY_MAX; i++)
		if (strlen(cause_names[i]) == len && memcmp(cause_names[i], name, len) == 0)
			return RETRY_BIT(i);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (strlen(groups[i].name) == len && memcmp(groups[i].name, name, len) == 0)
			return groups[i].causes;
	return 0;
}

int retry_parse_list(const char *text, uint32_t *mask, const char **ret_bad, int *ret_len)
{
	uint32_t all = 0;

	for (;;) {
		size_t len = strcspn(text, ",");
		uint32_t found = find(text, len);

		if (found == 0) {
			*ret_bad = text;
			*ret_len = (int)len;
			return -EINVAL;
		}
		all |= found;
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	*mask |= all;
	return 0;
}

const char *retry_list(void)
{
	static char list[128];
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(groups) && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i == 0 ? "" : ", ", groups[i].name);
	for (unsigned int i = 0; i < RETRY_MAX && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, ", %s", cause_names[i]);
	return list;
}
