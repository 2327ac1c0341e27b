/* A profile: what is accepted prints as a profile that is accepted and prints the same, values and
 * not origins. */
#include "fuzz.h"

#include <errno.h>
#include <stdio.h>

#include "policy/option.h"
#include "policy/profile.h"

static char *print(const struct policy *policy)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	FUZZ_CHECK(out != NULL);
	profile_print(policy, out);
	FUZZ_CHECK(fclose(out) == 0 && strlen(text) == size);
	return text;
}

static void check_same(const struct policy *one, const struct policy *two)
{
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		char a[32];
		char b[32];
		const char *x = option_format(one, i, a, sizeof(a));
		const char *y = option_format(two, i, b, sizeof(b));

		FUZZ_CHECK((x == NULL) == (y == NULL) && (x == NULL || strcmp(x, y) == 0));
		if (option_table[i].kind != OPTION_KIND_LIST)
			continue;
		FUZZ_CHECK(option_list(one, i)->count == option_list(two, i)->count);
		for (size_t k = 0; k < option_list(one, i)->count; k++)
			FUZZ_CHECK(strcmp(option_list(one, i)->item[k],
					  option_list(two, i)->item[k]) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy policy;
	struct policy again;
	struct error err;
	char description[128];

	if (size > PROFILE_BYTES_MAX)
		return 0;
	FUZZ_CHECK(policy_init(&policy, &err) == 0 && policy_init(&again, &err) == 0);
	memset(&err, 0, sizeof(err));
	profile_description((const char *)data, size, description, sizeof(description));
	FUZZ_CHECK_TEXT(description);
	if (profile_parse(&policy, "p", (const char *)data, size, &err) < 0) {
		FUZZ_CHECK(strncmp(err.detail, "p:", 2) == 0);
		FUZZ_CHECK_TEXT(err.detail);
		FUZZ_CHECK_TEXT(err.hint);
	} else {
		char *text = print(&policy);
		char *second;

		FUZZ_CHECK(profile_parse(&again, "p", text, strlen(text), &err) == 0);
		check_same(&policy, &again);
		second = print(&again);
		policy_fini(&again);
		FUZZ_CHECK(policy_init(&again, &err) == 0);
		FUZZ_CHECK(profile_parse(&again, "p", second, strlen(second), &err) == 0);
		check_same(&policy, &again);
		free(text);
		free(second);
	}
	policy_fini(&policy);
	policy_fini(&again);
	return 0;
}
