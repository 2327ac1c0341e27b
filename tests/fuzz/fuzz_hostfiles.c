/* /etc/hosts and /etc/resolv.conf: the first byte says which. */
#include "fuzz.h"

#include "gate/resolve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resolve_config config = {.server_count = 0};
	char *text = fuzz_text(size > 0 ? data + 1 : data, size > 0 ? size - 1 : 0);
	char name[ALLOW_NAME_MAX + 1];

	if (size > 0 && data[0] == 'h')
		FUZZ_CHECK(resolve_parse_hosts(&config, text) == 0);
	else
		FUZZ_CHECK(resolve_parse_conf(&config, text) == 0);
	FUZZ_CHECK(config.server_count <= RESOLVE_SERVERS_MAX && config.search_count <= RESOLVE_SEARCH_MAX);
	for (size_t i = 0; i < config.host_count; i++)
		FUZZ_CHECK(allow_normalize(config.hosts[i].name, strlen(config.hosts[i].name), name));
	resolve_config_fini(&config);
	free(text);
	return 0;
}
