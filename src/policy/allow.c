#include "policy/allow.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define ACCEPTED                                                                                                       \
	"accepted: HOST[:PORTS][@ADDRESSES][:any-sni], for example api.example.com, '*.example.com:443,8000-8010', "       \
	"10.0.0.7:5432, [2001:db8::1]:443, 10.0.0.0/24:80 or db.internal:5432@10.0.0.0/8"
#define BUCKETS_MIN 64

static int refuse(struct error *err, const char *option, const char *text, const char *why)
{
	error_set(err, "usage", 0, "%s %s: %s", option, text, why);
	return error_hint(err, "%s", ACCEPTED);
}

bool allow_is_ipv4(const struct allow_address *address)
{
	return IN6_IS_ADDR_V4MAPPED(&address->in6);
}

bool allow_parse_address(const char *text, struct allow_address *ret)
{
	struct allow_address address = {.in6 = IN6ADDR_ANY_INIT};

	if (inet_pton(AF_INET6, text, &address.in6) == 1) {
		*ret = address;
		return true;
	}
	address.in6.s6_addr[10] = address.in6.s6_addr[11] = 0xff;
	if (inet_pton(AF_INET, text, &address.in6.s6_addr[12]) != 1)
		return false;
	*ret = address;
	return true;
}

const char *allow_format_address(const struct allow_address *address, char *buf, size_t size)
{
	const char *done = allow_is_ipv4(address)
			       ? inet_ntop(AF_INET, &address->in6.s6_addr[12], buf, (socklen_t)size)
			       : inet_ntop(AF_INET6, &address->in6, buf, (socklen_t)size);

	if (done == NULL && size > 0)
		buf[0] = '\0';
	return buf;
}

bool allow_from_sockaddr(const struct sockaddr_storage *sa, struct allow_address *ret, uint16_t *ret_port)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (sa->ss_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		memset(ret, 0, sizeof(*ret));
		ret->in6.s6_addr[10] = ret->in6.s6_addr[11] = 0xff;
		memcpy(&ret->in6.s6_addr[12], &in.sin_addr, 4);
		*ret_port = ntohs(in.sin_port);
		return true;
	}
	if (sa->ss_family != AF_INET6)
		return false;
	memcpy(&in6, sa, sizeof(in6));
	ret->in6 = in6.sin6_addr;
	*ret_port = ntohs(in6.sin6_port);
	return true;
}

socklen_t allow_to_sockaddr(const struct allow_address *address, uint16_t port, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (allow_is_ipv4(address)) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

		memcpy(&in.sin_addr, &address->in6.s6_addr[12], 4);
		memcpy(ret, &in, sizeof(in));
		return sizeof(in);
	}
	{
		struct sockaddr_in6 in6 = {
		    .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = address->in6};

		memcpy(ret, &in6, sizeof(in6));
		return sizeof(in6);
	}
}

bool allow_net_has(const struct allow_net *net, const struct allow_address *address)
{
	const uint8_t *a = net->address.in6.s6_addr;
	const uint8_t *b = address->in6.s6_addr;
	unsigned int whole = net->bits / 8;
	unsigned int rest = net->bits % 8;

	/* A range of IPv6 holds no IPv4. */
	if ((net->bits < 96 && allow_is_ipv4(address)) || memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/* ADDRESS or ADDRESS/BITS, whose host part must be zero: who writes 10.1.2.3/8 may mean either. */
static bool parse_net(const char *text, struct allow_net *ret)
{
	char copy[64];
	struct allow_net net = {.bits = 128};
	struct allow_address low;
	uint64_t bits;
	uint64_t most;
	char *slash;

	if (strlen(text) >= sizeof(copy))
		return false;
	(void)snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	if (slash != NULL)
		*slash = '\0';
	if (!allow_parse_address(copy, &net.address))
		return false;
	most = allow_is_ipv4(&net.address) && strchr(copy, ':') == NULL ? 32 : 128;
	if (slash != NULL) {
		if (text_parse_u64(slash + 1, &bits) < 0 || bits > most)
			return false;
		net.bits = (unsigned int)(128 - most + bits);
	}
	low = net.address;
	for (unsigned int i = net.bits; i < 128; i++)
		low.in6.s6_addr[i / 8] &= (uint8_t)~(0x80U >> (i % 8));
	if (memcmp(&low, &net.address, sizeof(low)) != 0)
		return false;
	*ret = net;
	return true;
}

/* 0x7f.1 and 2130706433 are addresses to some libraries: never names. */
static bool is_number(const char *label)
{
	if (label[0] == '0' && label[1] == 'x')
		return label[2 + strspn(label + 2, "0123456789abcdef")] == '\0';
	return label[strspn(label, "0123456789")] == '\0';
}

bool allow_normalize(const char *text, size_t len, char *buf)
{
	size_t label = 0;

	if (len > 0 && text[len - 1] == '.')
		len--;
	if (len == 0 || len > ALLOW_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '.') {
			if (i == label || i - label > 63)
				return false;
			label = i + 1;
			buf[i] = '.';
			continue;
		}
		if (!(c < 0x80 && (isalnum(c) || c == '-' || c == '_')))
			return false;
		buf[i] = (char)tolower(c);
	}
	buf[len] = '\0';
	return len > label && len - label <= 63 && !is_number(buf + label);
}

static int parse_ports(const char *text, struct allow_rule *rule)
{
	while (true) {
		size_t len = strcspn(text, ",");
		char part[16];
		char *dash;
		struct allow_ports *grown;
		uint64_t first;
		uint64_t last;

		if (len == 0 || len >= sizeof(part))
			return -EINVAL;
		memcpy(part, text, len);
		part[len] = '\0';
		dash = strchr(part, '-');
		if (dash != NULL)
			*dash = '\0';
		if (text_parse_u64(part, &first) < 0 || (dash != NULL && text_parse_u64(dash + 1, &last) < 0))
			return -EINVAL;
		if (dash == NULL)
			last = first;
		if (first == 0 || last > 65535 || first > last)
			return -EINVAL;
		grown = reallocarray(rule->ports, rule->port_count + 1, sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		rule->ports = grown;
		grown[rule->port_count].first = (uint16_t)first;
		grown[rule->port_count++].last = (uint16_t)last;
		if (allow_count_ports(rule) > ALLOW_PORTS_MAX)
			return -E2BIG;
		if (text[len] == '\0')
			return 0;
		text += len + 1;
	}
}

static int parse_at(char *text, struct allow_rule *rule)
{
	char *save = NULL;

	if (*text == '\0' || *text == ',' || text[strlen(text) - 1] == ',' || strstr(text, ",,") != NULL)
		return -EINVAL;
	for (char *part = strtok_r(text, ",", &save); part != NULL; part = strtok_r(NULL, ",", &save)) {
		struct allow_net *grown = reallocarray(rule->at, rule->at_count + 1, sizeof(*grown));
		size_t len = strlen(part);

		if (grown == NULL)
			return -ENOMEM;
		rule->at = grown;
		if (part[0] == '[' && len > 1 && part[len - 1] == ']') {
			part[len - 1] = '\0';
			part++;
		}
		if (!parse_net(part, &grown[rule->at_count]))
			return -EINVAL;
		rule->at_count++;
	}
	return 0;
}

/* Cuts what follows the host off: PORTS, or NULL. An IPv6 address stands in brackets, which are taken off. */
static int split_host(char **host, char **ret_ports)
{
	char *end;

	*ret_ports = NULL;
	if (**host == '[') {
		end = strchr(*host, ']');
		if (end == NULL || strchr(*host, ':') == NULL || strchr(*host, ':') > end)
			return -EINVAL;
		*end++ = '\0';
		(*host)++;
		if (*end != '\0' && *end != ':')
			return -EINVAL;
	} else {
		end = strchr(*host, ':');
	}
	if (end != NULL && *end == ':') {
		*end = '\0';
		*ret_ports = end + 1;
	}
	return 0;
}

static bool is_ascii(const char *text)
{
	while (*text != '\0')
		if ((unsigned char)*text++ >= 0x80)
			return false;
	return true;
}

/* What is not an address is a name or a wildcard. NULL, or what is wrong with it. */
static const char *parse_host(const char *host, struct allow_rule *rule)
{
	char name[ALLOW_NAME_MAX + 1] = "";
	const char *plain = host;

	if (!is_ascii(host))
		return "a name in other letters than ASCII: write it as xn--..., as clients ask for it";
	if (strcmp(host, "*") == 0 || strncmp(host, "*.", 2) == 0) {
		rule->kind = ALLOW_WILDCARD;
		plain = host[1] == '\0' ? "" : host + 2;
	} else if (strchr(host, '*') != NULL) {
		return "a * stands for whole labels, at the start: '*.example.com'";
	}
	if (strcmp(host, "*") != 0 && !allow_normalize(plain, strlen(plain), name))
		return "no host's name, address or range";
	if (strcmp(name, "localhost") == 0 ||
	    (strlen(name) > 10 && strcmp(name + strlen(name) - 10, ".localhost") == 0))
		return "localhost is the task's own; name 127.0.0.1 to reach yours";
	rule->name = strdup(name);
	return rule->name == NULL ? "out of memory" : NULL;
}

static const char *check_net(const struct allow_rule *rule)
{
	static const struct allow_net inside = {
	    .address = {.in6 = {.s6_addr = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 18, 0, 0}}}, .bits = 96 + 15};
	struct allow_address any = {.in6 = IN6ADDR_ANY_INIT};

	if (rule->at_count > 0)
		return "an address needs no addresses beside it";
	if (rule->net.bits >= inside.bits && allow_net_has(&inside, &rule->net.address))
		return "names have addresses of " ALLOW_INSIDE_NET " inside";
	if (rule->net.bits == 128 && (memcmp(&any, &rule->net.address, sizeof(any)) == 0 ||
				      (allow_is_ipv4(&rule->net.address) && rule->net.address.in6.s6_addr32[3] == 0)))
		return "no host has this address";
	return NULL;
}

static const char *parse_rule(char *copy, struct allow_rule *rule)
{
	static const char suffix[] = ":any-sni";
	size_t len = strlen(copy);
	char *host = copy;
	char *ports;
	char *at;
	const char *why;
	int r;

	if (len > sizeof(suffix) - 1 && strcmp(copy + len - (sizeof(suffix) - 1), suffix) == 0) {
		copy[len - (sizeof(suffix) - 1)] = '\0';
		rule->any_sni = true;
	}
	at = strchr(copy, '@');
	if (at != NULL) {
		*at++ = '\0';
		if (parse_at(at, rule) < 0)
			return "what follows the @ is no list of addresses and ranges";
	}
	if (split_host(&host, &ports) < 0)
		return "not understood";
	r = parse_ports(ports != NULL ? ports : "443", rule);
	if (r == -E2BIG)
		return "more than 1024 ports";
	if (r < 0)
		return "the ports are not understood";
	if (parse_net(host, &rule->net)) {
		rule->kind = ALLOW_NET;
		why = check_net(rule);
		/* One spelling of an address in messages and look-ups. */
		return why;
	}
	if (strchr(host, ':') != NULL || strchr(host, '/') != NULL)
		return "no address or range: the bits after the prefix must be zero";
	return parse_host(host, rule);
}

static void free_rule(struct allow_rule *rule)
{
	free(rule->text);
	free(rule->name);
	free(rule->ports);
	free(rule->at);
	free(rule);
}

/* FNV-1a; a wildcard's name is hashed with its dot. */
static uint64_t hash_name(const char *name, bool is_wildcard)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	if (is_wildcard)
		hash = (hash ^ '.') * 0x100000001b3ULL;
	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ULL;
	return hash ^ hash >> 32;
}

static void put(struct allow_set *set, struct allow_rule *rule)
{
	bool is_wildcard = rule->kind == ALLOW_WILDCARD;
	struct allow_rule **at = &set->bucket[hash_name(rule->name, is_wildcard) & (set->bucket_count - 1)];

	while (*at != NULL)
		at = &(*at)->next;
	rule->next = NULL;
	*at = rule;
}

static int grow(struct allow_set *set)
{
	size_t count = set->bucket_count == 0 ? BUCKETS_MIN : set->bucket_count * 2;
	struct allow_rule **bucket;

	if (set->count < set->bucket_count)
		return 0;
	bucket = calloc(count, sizeof(struct allow_rule *));
	if (bucket == NULL)
		return -ENOMEM;
	free(set->bucket);
	set->bucket = bucket;
	set->bucket_count = count;
	for (size_t i = 0; i < set->count; i++)
		if (set->rules[i]->kind != ALLOW_NET)
			put(set, set->rules[i]);
	return 0;
}

static int add_rule(struct allow_set *set, struct allow_rule *rule)
{
	/* Grown with the buckets: to as many as these. */
	if (set->count == set->bucket_count || set->rules == NULL) {
		size_t size = set->bucket_count == 0 ? BUCKETS_MIN : set->bucket_count * 2;
		struct allow_rule **grown = reallocarray(set->rules, size, sizeof(struct allow_rule *));

		if (grown == NULL)
			return -ENOMEM;
		set->rules = grown;
	}
	if (grow(set) < 0)
		return -ENOMEM;
	rule->index = set->count;
	rule->budget = (struct allow_budget){LIMIT_NONE, LIMIT_NONE, LIMIT_NONE};
	set->rules[set->count++] = rule;
	if (rule->kind != ALLOW_NET)
		put(set, rule);
	return 0;
}

int allow_add(struct allow_set *set, const char *option, const char *text, struct error *err)
{
	AUTO_FREE char *copy = strdup(text);
	struct allow_rule *rule = calloc(1, sizeof(*rule));
	const char *why;
	int r;

	if (rule == NULL)
		return error_set(err, "usage", ENOMEM, "%s", option);
	rule->text = strdup(text);
	if (copy == NULL || rule->text == NULL) {
		free_rule(rule);
		return error_set(err, "usage", ENOMEM, "%s", option);
	}
	why = parse_rule(copy, rule);
	r = why != NULL ? refuse(err, option, text, why) : add_rule(set, rule);
	if (why == NULL && r < 0)
		r = error_set(err, "usage", ENOMEM, "%s", option);
	if (r < 0)
		free_rule(rule);
	return r;
}

int allow_set_budget(struct allow_set *set, const char *host, uint64_t value, size_t offset)
{
	AUTO_FREE char *copy = strdup(host);
	struct allow_rule same = {.kind = ALLOW_NAME};
	int count = 0;

	if (copy == NULL || strpbrk(host, "@") != NULL || parse_rule(copy, &same) != NULL)
		count = -EINVAL;
	for (size_t i = 0; i < set->count && count >= 0; i++) {
		struct allow_rule *rule = set->rules[i];

		if (rule->kind != same.kind ||
		    (rule->kind == ALLOW_NET ? memcmp(&rule->net, &same.net, sizeof(same.net)) != 0
					     : strcmp(rule->name, same.name) != 0))
			continue;
		*(uint64_t *)(void *)((char *)&rule->budget + offset) = value;
		count++;
	}
	free(same.name);
	free(same.ports);
	free(same.at);
	return count;
}

int allow_add_file(struct allow_set *set, const char *path, struct error *err)
{
	FILE *file = fopen(path, "re");
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	unsigned int number = 0;
	ssize_t n;
	int r = 0;

	if (file == NULL)
		return error_set(err, "usage", errno, "--allow-file %s", path);
	while (r == 0 && (n = getline(&line, &size, file)) >= 0) {
		char *start = line + strspn(line, " \t");
		char *end;

		number++;
		if (memchr(line, '\0', (size_t)n) != NULL) {
			r = error_set(err, "usage", 0, "a NUL byte");
		} else {
			start[strcspn(start, "#\r\n")] = '\0';
			for (end = start + strlen(start); end > start && (end[-1] == ' ' || end[-1] == '\t');)
				*--end = '\0';
			if (*start != '\0')
				r = allow_add(set, "--allow-file", start, err);
		}
		if (r < 0)
			error_prefix(err, "%s:%u: ", path, number);
	}
	if (r == 0 && ferror(file) != 0)
		r = error_set(err, "usage", EIO, "--allow-file %s", path);
	(void)fclose(file);
	return r;
}

size_t allow_count_ports(const struct allow_rule *rule)
{
	size_t count = 0;

	for (size_t i = 0; i < rule->port_count; i++)
		count += (size_t)(rule->ports[i].last - rule->ports[i].first) + 1;
	return count;
}

bool allow_is_wide(const struct allow_rule *rule)
{
	unsigned int free_bits = 128 - rule->net.bits;

	return rule->kind == ALLOW_NET && (free_bits > 16 || (1UL << free_bits) * allow_count_ports(rule) > ALLOW_PAIRS_MAX);
}

bool allow_has_port(const struct allow_rule *rule, uint16_t port)
{
	for (size_t i = 0; i < rule->port_count; i++)
		if (port >= rule->ports[i].first && port <= rule->ports[i].last)
			return true;
	return false;
}

/* The next rule in a bucket's chain that has exactly this name. */
static const struct allow_rule *same(const struct allow_rule *rule, const char *name, enum allow_kind kind)
{
	while (rule != NULL && (rule->kind != kind || strcmp(rule->name, name) != 0))
		rule = rule->next;
	return rule;
}

static const struct allow_rule *find(const struct allow_set *set, const char *name, enum allow_kind kind)
{
	return same(set->bucket[hash_name(name, kind == ALLOW_WILDCARD) & (set->bucket_count - 1)], name, kind);
}

const struct allow_rule *allow_next(const struct allow_set *set, const char *name, const struct allow_rule *prev)
{
	const struct allow_rule *rule;
	const char *rest = name;

	if (set->bucket_count == 0)
		return NULL;
	if (prev != NULL) {
		rule = same(prev->next, prev->name, prev->kind);
		if (rule != NULL)
			return rule;
		if (prev->kind == ALLOW_WILDCARD && prev->name[0] == '\0')
			return NULL;
		/* A wildcard's name is a tail of this one. */
		if (prev->kind == ALLOW_WILDCARD)
			rest = name + strlen(name) - strlen(prev->name);
	} else {
		rule = find(set, name, ALLOW_NAME);
		if (rule != NULL)
			return rule;
	}
	for (rest = strchr(rest, '.'); rest != NULL; rest = strchr(rest, '.')) {
		rule = find(set, ++rest, ALLOW_WILDCARD);
		if (rule != NULL)
			return rule;
	}
	return find(set, "", ALLOW_WILDCARD);
}

const struct allow_rule *allow_match_name(const struct allow_set *set, const char *name, uint16_t port)
{
	const struct allow_rule *rule = allow_next(set, name, NULL);

	while (rule != NULL && !allow_has_port(rule, port))
		rule = allow_next(set, name, rule);
	return rule;
}

const struct allow_rule *allow_match_address(const struct allow_set *set, const struct allow_address *address,
					     uint16_t port)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct allow_rule *rule = set->rules[i];

		if (rule->kind == ALLOW_NET && allow_net_has(&rule->net, address) &&
		    (port == 0 || allow_has_port(rule, port)) && allow_net_names(&rule->net, address))
			return rule;
	}
	return NULL;
}

void allow_fini(struct allow_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		free_rule(set->rules[i]);
	free(set->rules);
	free(set->bucket);
	memset(set, 0, sizeof(*set));
}
