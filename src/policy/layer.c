#include "policy/layer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"

static const char *const layer_names[] = {
    [LAYER_USER] = "user",
    [LAYER_MOUNT] = "mount",
    [LAYER_PID] = "pid",
    [LAYER_NET] = "net",
    [LAYER_IPC] = "ipc",
    [LAYER_UTS] = "uts",
    [LAYER_CGROUP_NS] = "cgroupns",
    [LAYER_NO_NEW_PRIVS] = "no-new-privs",
    [LAYER_CAPABILITIES] = "capabilities",
    [LAYER_SECCOMP] = "seccomp",
    [LAYER_CGROUP] = "cgroup",
};

_Static_assert(ARRAY_SIZE(layer_names) == LAYER_MAX, "one name for each layer");

const char *layer_name(enum layer layer)
{
	return layer_names[layer];
}

int layer_parse_list(const char *text, uint32_t *mask, const char **ret_bad, int *ret_len)
{
	for (;;) {
		size_t len = strcspn(text, ",");
		uint32_t found = 0;

		for (unsigned int i = 0; i < LAYER_MAX; i++)
			if (strlen(layer_names[i]) == len && memcmp(layer_names[i], text, len) == 0)
				found = LAYER_BIT(i);
		if (found == 0) {
			*ret_bad = text;
			*ret_len = (int)len;
			return -EINVAL;
		}
		*mask |= found;
		if (text[len] == '\0')
			return 0;
		text += len + 1;
	}
}

const char *layer_list(void)
{
	static char list[160];
	size_t len = 0;

	for (unsigned int i = 0; i < LAYER_MAX && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i == 0 ? "" : ", ",
					layer_names[i]);
	return list;
}
