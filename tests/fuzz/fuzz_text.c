/* Units: what is understood can be printed and understood again as the same. */
#include "fuzz.h"

#include <errno.h>
#include <stdbool.h>

#include "base/text.h"
#include "policy/layer.h"

static const struct {
	int (*parse)(const char *text, uint64_t *ret);
	char *(*format)(uint64_t value, char *buf, size_t size);
} kinds[] = {
    {text_parse_size, text_format_size},
    {text_parse_duration, text_format_duration},
    {text_parse_milli, text_format_milli},
    {text_parse_u64, NULL},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	const char *bad = NULL;
	uint32_t mask = 0;
	int len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint64_t value = 42;
		uint64_t again = 43;
		char buf[32];
		int r = kinds[i].parse(text, &value);

		FUZZ_CHECK(r == 0 || r == -EINVAL || r == -ERANGE);
		FUZZ_CHECK(r == 0 || value == 42);
		if (r < 0 || kinds[i].format == NULL)
			continue;
		FUZZ_CHECK(value != LIMIT_NONE);
		FUZZ_CHECK(kinds[i].parse(kinds[i].format(value, buf, sizeof(buf)), &again) == 0);
		FUZZ_CHECK(value == again);
	}
	if (layer_parse_list(text, &mask, &bad, &len) < 0)
		FUZZ_CHECK(bad >= text && len >= 0 && bad + len <= text + strlen(text));
	else
		FUZZ_CHECK(mask != 0 && mask < LAYER_BIT(LAYER_MAX));
	(void)text_is_env_name(text, strlen(text));
	free(text);
	return 0;
}
