/* --allow and what belongs to it: rules, and budgets in all and for hosts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/option.h"
#include "policy/policy.h"

static int add_rules(struct policy *draft, struct error *err)
{
	struct policy_network *network = &draft->network;

	for (size_t i = 0; i < network->allow.count; i++)
		if (allow_add(&network->rules, "--allow", network->allow.item[i], err) < 0)
			return policy_locate(draft, draft->item_origin[OPTION_ALLOW][i], err);
	for (size_t i = 0; i < network->allow_file.count; i++)
		if (allow_add_file(&network->rules, network->allow_file.item[i], err) < 0)
			return policy_locate(draft, draft->item_origin[OPTION_ALLOW_FILE][i], err);
	return 0;
}

/* [HOST=]VALUE. */
static int set_budget(struct policy *draft, const char *option, const char *text, bool is_size, size_t offset,
		      struct error *err)
{
	const char *equals = strrchr(text, '=');
	const char *number = equals != NULL ? equals + 1 : text;
	AUTO_FREE char *host = equals != NULL ? strndup(text, (size_t)(equals - text)) : NULL;
	uint64_t value = 0;
	int count;

	if ((is_size ? text_parse_size(number, &value) : text_parse_u64(number, &value)) < 0 || value == 0 ||
	    value > 1ULL << 60) {
		error_set(err, "usage", 0, "--%s %s: not understood", option, text);
		return error_hint(err, "accepted: %s, for all hosts together, or HOST=%s for one of --allow",
				  is_size ? "a size (512K, 100M, 1.5G)" : "a whole number from 1", is_size ? "SIZE" : "N");
	}
	if (equals == NULL) {
		*(uint64_t *)(void *)((char *)&draft->network.budget + offset) = value;
		return 0;
	}
	if (host == NULL)
		return error_set(err, "usage", ENOMEM, "--%s", option);
	count = allow_set_budget(&draft->network.rules, host, value, offset);
	if (count > 0)
		return 0;
	error_set(err, "usage", 0, "--%s %s: no --allow is for the host %s", option, text, host);
	return error_hint(err, "HOST is written as in --allow, without ports");
}

int policy_finalize_network(struct policy *draft, struct error *err)
{
	static const struct {
		enum option_id id;
		bool is_size;
		size_t offset;
	} budgets[] = {{OPTION_NET_BYTES, true, offsetof(struct allow_budget, bytes)},
		       {OPTION_NET_CONNECTIONS, false, offsetof(struct allow_budget, connections)},
		       {OPTION_NET_RATE, true, offsetof(struct allow_budget, rate)}};
	int r = add_rules(draft, err);

	draft->network.budget = (struct allow_budget){LIMIT_NONE, LIMIT_NONE, LIMIT_NONE};
	for (size_t i = 0; i < ARRAY_SIZE(budgets) && r == 0; i++) {
		enum option_id id = budgets[i].id;
		const struct strlist *list = option_list(draft, id);

		for (size_t j = 0; j < list->count && r == 0; j++) {
			r = set_budget(draft, option_table[id].name, list->item[j], budgets[i].is_size, budgets[i].offset,
				       err);
			if (r < 0)
				return policy_locate(draft, draft->item_origin[id][j], err);
		}
	}
	if (r < 0)
		return r;
	if (policy_has_network(draft) && draft->command.filter == POLICY_FILTER_STRICT) {
		error_set(err, "usage", 0, "--allow: --filter strict lets a task have no TCP sockets");
		return error_hint(err, "--filter default does; --profile strict asks for the other one");
	}
	return 0;
}
