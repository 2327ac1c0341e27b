/* --allow: a rule that is understood covers what it says, and a name survives being normalized again. */
#include "fuzz.h"

#include <errno.h>

#include "policy/allow.h"

static void check_rule(const struct allow_set *set, const struct allow_rule *rule)
{
	char name[ALLOW_NAME_MAX + 1];

	FUZZ_CHECK(rule->port_count > 0 && allow_count_ports(rule) <= ALLOW_PORTS_MAX);
	for (size_t i = 0; i < rule->port_count; i++)
		FUZZ_CHECK(rule->ports[i].first > 0 && rule->ports[i].first <= rule->ports[i].last);
	if (rule->kind == ALLOW_NET) {
		FUZZ_CHECK(rule->net.bits <= 128);
		FUZZ_CHECK(allow_match_address(set, &rule->net.address, rule->ports[0].first) == rule);
		return;
	}
	FUZZ_CHECK(rule->name[0] != '\0' || rule->kind == ALLOW_WILDCARD);
	if (rule->name[0] == '\0')
		return;
	FUZZ_CHECK(allow_normalize(rule->name, strlen(rule->name), name) && strcmp(name, rule->name) == 0);
	FUZZ_CHECK((allow_match_name(set, rule->name, rule->ports[0].first) == rule) == (rule->kind == ALLOW_NAME));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct allow_set set = {.count = 0};
	struct error err;
	int r;

	memset(&err, 0, sizeof(err));
	r = allow_add(&set, "--allow", text, &err);
	FUZZ_CHECK(r == 0 || r == -EINVAL);
	FUZZ_CHECK((r == 0) == (set.count == 1));
	if (r == 0)
		check_rule(&set, set.rules[0]);
	else
		FUZZ_CHECK(err.detail[0] != '\0' && err.hint[0] != '\0');
	(void)allow_set_budget(&set, text, 1, 0);
	allow_fini(&set);
	free(text);
	return 0;
}
