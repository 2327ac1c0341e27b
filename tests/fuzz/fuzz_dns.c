/* DNS messages, as a question of the task's and as an answer from outside. */
#include "fuzz.h"

#include <errno.h>

#include "gate/dns.h"

static void check_question(const uint8_t *data, size_t size)
{
	static const uint8_t address[4] = {198, 18, 0, 2};
	struct dns_question question;
	uint8_t answer[DNS_QUERY_MAX];
	uint8_t query[DNS_QUERY_MAX];
	struct dns_reply reply;
	char name[ALLOW_NAME_MAX + 1];
	size_t len;
	int r = dns_parse_question(data, size, &question);

	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -EBADMSG);
	if (r == -EINVAL)
		return;
	FUZZ_CHECK(question.end <= size);
	len = dns_make_answer(data, &question, r < 0 ? DNS_RCODE_MALFORMED : DNS_RCODE_OK, r < 0 ? NULL : address, 60, answer,
			      sizeof(answer));
	FUZZ_CHECK(len <= sizeof(answer));
	if (r < 0)
		return;
	FUZZ_CHECK(memchr(question.name, '\0', sizeof(question.name)) != NULL);
	if (!question.is_host)
		return;
	FUZZ_CHECK(allow_normalize(question.name, strlen(question.name), name) && strcmp(name, question.name) == 0);
	FUZZ_CHECK(len > 0);
	/* What we answer, we understand; what we ask, too. */
	if (question.type == DNS_TYPE_A && (question.flags & 0x7800) == 0) {
		FUZZ_CHECK(dns_parse_reply(answer, len, question.id, question.name, DNS_TYPE_A, &reply) == 0);
		FUZZ_CHECK(reply.count == 1 && reply.ttl == 60);
	}
	len = dns_make_query(question.id, question.name, question.type, query, sizeof(query));
	FUZZ_CHECK(len > 0 && dns_parse_question(query, len, &question) == 0 && strcmp(name, question.name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA};

	check_question(data, size);
	for (size_t i = 0; i < 2; i++) {
		struct dns_reply reply = {.rcode = 99};
		uint16_t id = size < 2 ? 0 : (uint16_t)(data[0] << 8 | data[1]);
		int r = dns_parse_reply(data, size, id, "a.test", types[i], &reply);

		FUZZ_CHECK(r == 0 || r == -EINVAL);
		FUZZ_CHECK(r < 0 ? reply.rcode == 99 : reply.rcode < 16 && reply.count <= DNS_ADDRESSES_MAX);
	}
	return 0;
}
