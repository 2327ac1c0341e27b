/* What a client says in HTTP: judged in one piece and byte by byte it is judged the same, and no byte passes unjudged. */
#include "fuzz.h"

#include <errno.h>

#include "gate/http.h"

/* How much passes; *ret_refused tells whether it ended so. */
static size_t pass(struct http *http, const uint8_t *data, size_t size, size_t piece, bool *ret_refused)
{
	size_t done = 0;
	size_t have = 0;

	*ret_refused = false;
	memset(http, 0, sizeof(*http));
	do {
		have = have + piece < size ? have + piece : size;
		for (;;) {
			const char *why = NULL;
			ssize_t n = http_judge(http, data + done, have - done, "a.test", 80, &why);

			if (n < 0) {
				FUZZ_CHECK(n == -EPERM && why != NULL);
				*ret_refused = true;
				return done;
			}
			FUZZ_CHECK((size_t)n <= have - done);
			done += (size_t)n;
			FUZZ_CHECK(memchr(http->method, '\0', sizeof(http->method)) != NULL);
			FUZZ_CHECK(memchr(http->path, '\0', sizeof(http->path)) != NULL);
			if (n == 0)
				break;
		}
	} while (have < size);
	return done;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http whole;
	struct http bytes;
	bool refused;
	bool refused_bytes;
	size_t passed;
	size_t passed_bytes;

	if (size == 0 || size > 4096)
		return 0;
	passed = pass(&whole, data, size, size, &refused);
	passed_bytes = pass(&bytes, data, size, 1, &refused_bytes);
	FUZZ_CHECK(refused == refused_bytes);
	FUZZ_CHECK(whole.requests == bytes.requests);
	/* A part of a body, or of a line, passes as it comes: byte by byte as much, or more of what was refused then. */
	FUZZ_CHECK(refused || passed == passed_bytes);
	(void)http_detect(data, size);
	whole.state = HTTP_UPGRADE;
	whole.skipping = false;
	whole.answer_len = 0;
	http_answer(&whole, data, size);
	return 0;
}
