/* A TLS client's first bytes: a whole hello stays one whatever follows, and never becomes one by being cut. */
#include "fuzz.h"

#include "gate/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hello hello = {.has_name = false};
	struct hello again = {.has_name = false};
	enum hello_state state = hello_parse(data, size, &hello);
	enum hello_state part = hello_parse(data, size / 2, &again);
	char name[ALLOW_NAME_MAX + 1];

	if (state == HELLO_WHOLE && hello.has_name)
		FUZZ_CHECK(allow_normalize(hello.name, strlen(hello.name), name) && strcmp(name, hello.name) == 0);
	/* What was decided of the first half holds. */
	if (part != HELLO_PART)
		FUZZ_CHECK(part == state);
	if (part == HELLO_WHOLE)
		FUZZ_CHECK(again.has_name == hello.has_name && strcmp(again.name, hello.name) == 0 &&
			   again.is_encrypted == hello.is_encrypted);
	return 0;
}
