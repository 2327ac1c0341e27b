/* Which addresses are public: what IANA's registries of special-purpose addresses (RFC 6890) have set aside is not. */
#include <string.h>

#include "policy/allow.h"

static const struct {
	uint32_t net;
	unsigned int bits;
	const char *what;
} reserved4[] = {
    {0x00000000, 8, "this host"},	{0x0a000000, 8, "private"},	  {0x64400000, 10, "shared (CGNAT)"},
    {0x7f000000, 8, "loopback"},	{0xa9fe0000, 16, "link-local (metadata)"}, {0xac100000, 12, "private"},
    {0xc0000000, 24, "reserved"},	{0xc0000200, 24, "documentation"}, {0xc0586300, 24, "reserved"},
    {0xc0a80000, 16, "private"},	{0xc6120000, 15, "benchmarking"},  {0xc6336400, 24, "documentation"},
    {0xcb007100, 24, "documentation"}, {0xe0000000, 4, "multicast"},	  {0xf0000000, 4, "reserved"},
    /* Azure's services for its machines; Alibaba's metadata is in 100.64.0.0/10. */
    {0xa83f8110, 32, "metadata"},
};

static const struct {
	uint8_t net[4];
	unsigned int bits;
	const char *what;
} reserved6[] = {
    {{0xfc}, 7, "private"},
    {{0xfe, 0x80}, 10, "link-local"},
    {{0xfe, 0xc0}, 10, "site-local"},
    {{0xff}, 8, "multicast"},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "documentation"},
    {{0x3f, 0xff, 0x00}, 20, "documentation"},
    {{0x01, 0x00}, 16, "discard-only"},
    {{0x5f, 0x00}, 16, "segment routing"},
};

static const char *class4(const uint8_t *bytes)
{
	uint32_t address = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];

	for (size_t i = 0; i < ARRAY_SIZE(reserved4); i++)
		if ((address ^ reserved4[i].net) >> (32 - reserved4[i].bits) == 0)
			return reserved4[i].what;
	return NULL;
}

static bool starts(const uint8_t *bytes, const uint8_t *net, unsigned int bits)
{
	unsigned int whole = bits / 8;

	return memcmp(bytes, net, whole) == 0 &&
	       (bits % 8 == 0 || ((bytes[whole] ^ net[whole]) >> (8 - bits % 8)) == 0);
}

/* The IPv4 address that an IPv6 one carries to whoever translates it, or NULL. */
static const uint8_t *embedded(const uint8_t *a, uint8_t buf[4])
{
	static const uint8_t zero[16];
	static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
	static const uint8_t nat64_local[6] = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01};
	static const uint8_t teredo[4] = {0x20, 0x01, 0x00, 0x00};
	static const uint8_t isatap[4] = {0x00, 0x00, 0x5e, 0xfe};

	if (a[0] == 0x20 && a[1] == 0x02)
		return a + 2; /* 6to4 */
	if (memcmp(a, nat64, sizeof(nat64)) == 0 || memcmp(a, nat64_local, sizeof(nat64_local)) == 0)
		return a + 12;
	if (memcmp(a, teredo, sizeof(teredo)) == 0) {
		for (unsigned int i = 0; i < 4; i++)
			buf[i] = (uint8_t)~a[12 + i];
		return buf;
	}
	if ((a[8] & 0xfd) == 0 && memcmp(a + 9, isatap + 1, 3) == 0)
		return a + 12;
	/* IPv4-compatible and IPv4-translated; ::1 and :: are told before. */
	if (memcmp(a, zero, 12) == 0 || (memcmp(a, zero, 8) == 0 && a[8] == 0xff && a[9] == 0xff && a[10] == 0 && a[11] == 0))
		return a + 12;
	return NULL;
}

const char *allow_address_class(const struct allow_address *address)
{
	const uint8_t *a = address->in6.s6_addr;
	const uint8_t *inner;
	uint8_t buf[4];

	if (allow_is_ipv4(address))
		return class4(a + 12);
	if (IN6_IS_ADDR_LOOPBACK(&address->in6))
		return "loopback";
	if (IN6_IS_ADDR_UNSPECIFIED(&address->in6))
		return "this host";
	for (size_t i = 0; i < ARRAY_SIZE(reserved6); i++)
		if (starts(a, reserved6[i].net, reserved6[i].bits))
			return reserved6[i].what;
	inner = embedded(a, buf);
	return inner != NULL ? class4(inner) : NULL;
}

bool allow_net_names(const struct allow_net *net, const struct allow_address *address)
{
	const char *what = allow_address_class(address);
	struct allow_address last = net->address;
	const char *first_what = allow_address_class(&net->address);
	const char *last_what;

	if (what == NULL || net->bits == 128)
		return true;
	for (unsigned int i = net->bits; i < 128; i++)
		last.in6.s6_addr[i / 8] |= (uint8_t)(0x80U >> (i % 8));
	last_what = allow_address_class(&last);
	return first_what != NULL && last_what != NULL && strcmp(first_what, what) == 0 && strcmp(last_what, what) == 0;
}

bool allow_may_lead_to(const struct allow_rule *rule, const struct allow_address *address, const char **ret_why)
{
	for (size_t i = 0; i < rule->at_count; i++)
		if (allow_net_has(&rule->at[i], address) && allow_net_names(&rule->at[i], address))
			return true;
	*ret_why = allow_address_class(address);
	return *ret_why == NULL;
}
