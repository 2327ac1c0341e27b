/* --bind: what is accepted has a host, and a guest that is absolute and no place of ours. */
#include "fuzz.h"

#include <errno.h>
#include <stdbool.h>

#include "policy/policy.h"

/* Walks a path as the kernel would and tells whether it ends at or below one of our places. */
static bool is_ours(const char *guest)
{
	static const char *const ours[] = {"/proc", "/dev", "/sys", "/task", "/tmp/agent_sandbox"};
	char *path = calloc(1, strlen(guest) + 2);
	bool found = false;
	size_t len = 0;

	FUZZ_CHECK(path != NULL);
	while (*guest != '\0') {
		size_t n = strcspn(guest, "/");

		if (n == 2 && guest[0] == '.' && guest[1] == '.') {
			while (len > 0 && path[--len] != '/')
				;
		} else if (n > 0 && !(n == 1 && guest[0] == '.')) {
			path[len++] = '/';
			memcpy(path + len, guest, n);
			len += n;
		}
		guest += n;
		while (*guest == '/')
			guest++;
	}
	path[len] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		size_t n = strlen(ours[i]);

		if (strncmp(path, ours[i], n) == 0 && (path[n] == '\0' || path[n] == '/'))
			found = true;
	}
	found = found || len == 0 || strcmp(path, "/etc") == 0 || strcmp(path, "/usr") == 0;
	free(path);
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct policy_bind bind = {.host = NULL};
	struct error err;
	int r;

	memset(&err, 0, sizeof(err));
	r = policy_parse_bind(text, &bind, &err);
	FUZZ_CHECK(r == 0 || r == -EINVAL);
	if (r < 0) {
		FUZZ_CHECK(bind.host == NULL && bind.guest == NULL);
		FUZZ_CHECK(err.detail[0] != '\0' && err.hint[0] != '\0');
		FUZZ_CHECK_TEXT(err.detail);
	} else {
		FUZZ_CHECK(bind.host != NULL && bind.host[0] != '\0' && strchr(bind.host, ':') == NULL);
		FUZZ_CHECK(bind.guest == NULL || (bind.guest[0] == '/' && !is_ours(bind.guest)));
	}
	free(bind.host);
	free(bind.guest);
	free(text);
	return 0;
}
