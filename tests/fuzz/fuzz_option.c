/* option_apply(): the first byte chooses the row, the rest is the value. What is accepted is within the
 * row's bounds and prints as what parses back to it. */
#include "fuzz.h"

#include <errno.h>
#include <stdbool.h>

#include "policy/option.h"

static bool is_number(const struct option_row *row)
{
	return row->kind == OPTION_KIND_SIZE || row->kind == OPTION_KIND_COUNT ||
	       row->kind == OPTION_KIND_DURATION || row->kind == OPTION_KIND_MILLI;
}

static void check_number(const struct policy *policy, enum option_id id)
{
	const struct option_row *row = &option_table[id];
	struct policy again;
	struct error err;
	uint64_t one;
	uint64_t two;
	char buf[32];

	FUZZ_CHECK(policy_init(&again, &err) == 0);
	memcpy(&one, (const char *)policy + row->offset, sizeof(one));
	FUZZ_CHECK(one == LIMIT_NONE ? row->open : one >= row->min && one <= row->max);
	FUZZ_CHECK(option_apply(&again, id, option_format(policy, id, buf, sizeof(buf)), ORIGIN_COMMAND_LINE,
				&err) == 0);
	memcpy(&two, (const char *)&again + row->offset, sizeof(two));
	FUZZ_CHECK(one == two);
	policy_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum option_id id = size > 0 ? data[0] % OPTION_MAX : 0;
	char *text = fuzz_text(size > 0 ? data + 1 : data, size > 0 ? size - 1 : 0);
	struct policy policy;
	struct error err;
	int r;

	FUZZ_CHECK(policy_init(&policy, &err) == 0);
	memset(&err, 0, sizeof(err));
	r = option_apply(&policy, id, text, ORIGIN_COMMAND_LINE, &err);
	FUZZ_CHECK(r == 0 || r == -EINVAL);
	if (r < 0) {
		FUZZ_CHECK(err.detail[0] != '\0' && policy.origin[id] == ORIGIN_DEFAULT);
		FUZZ_CHECK_TEXT(err.detail);
		FUZZ_CHECK_TEXT(err.hint);
	} else {
		FUZZ_CHECK(policy.origin[id] == ORIGIN_COMMAND_LINE);
		if (is_number(&option_table[id]))
			check_number(&policy, id);
	}
	policy_fini(&policy);
	free(text);
	return 0;
}
