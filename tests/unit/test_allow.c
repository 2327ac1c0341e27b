/* The rules of --allow: what is understood, which names and addresses they cover, and what is public. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/allow.h"

static void test_refused(void **state)
{
	static const char *const texts[] = {
	    "",		     ":443",		"a..b",		     ".a",	      "a.:",	     "a:",
	    "a:0",	     "a:65536",		"a:80-",	     "a:-80",	      "a:90-80",     "a:80,",
	    "a:80,,81",	     "a:http",		"a:+80",	     "a: 80",	      "a b",	     "a/b",
	    "*",	     "**.a",		"a.*",		     "*a.b",	      "*.",	     "*.*.a",
	    "1.2.3",	     "0x7f.1",		"2130706433",	     "127.1",	      "1.2.3.4.5",   "1.2.3.256",
	    "010.0.0.1",     "::1",		"2001:db8::1",	     "[::1",	      "[1.2.3.4]",   "[::1]x",
	    "[::1]:",	     "[::]",		"0.0.0.0",	     "198.18.0.1",    "198.19.0.0/16", "10.0.0.1/8",
	    "10.0.0.0/33",   "10.0.0.0/",	"10.0.0.0/x",	     "[::1/64]",      "[::/129]",    "localhost",
	    "x.localhost",   "a@",		"a@b",		     "a@10.0.0.1/8",  "a@10.0.0.1,", "a@,10.0.0.1",
	    "10.0.0.1@10.0.0.1", "a:80:81",	"a:1-65535",	     "b\xc3\xbc.de", "a\n",	     "a:443:any",
	    "http://a",	     "a:443/x",		"user@a",	     ":any-sni",      "a_b!.c",	     "a:any-sni:443",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct allow_set set = {.count = 0};
		struct error err;
		int r = allow_add(&set, "--allow", texts[i], &err);

		if (strcmp(texts[i], "*") == 0) {
			CHECK(r == 0, "%s", texts[i]);
		} else {
			CHECK(r == -EINVAL && set.count == 0, "'%s' was taken", texts[i]);
			CHECK(strncmp(err.detail, "--allow ", 8) == 0 && err.hint[0] != '\0', "'%s'", texts[i]);
		}
		allow_fini(&set);
	}
}

static void test_names(void **state)
{
	static const struct {
		const char *rule;
		const char *name;
		unsigned int port;
		bool covers;
	} rows[] = {
	    {"api.test", "api.test", 443, true},
	    {"api.test", "api.test", 80, false},
	    {"API.Test.:80", "api.test", 80, true},
	    {"api.test", "x.api.test", 443, false},
	    {"api.test", "napi.test", 443, false},
	    {"*.api.test", "x.api.test", 443, true},
	    {"*.api.test", "x.y.api.test", 443, true},
	    {"*.api.test", "api.test", 443, false},
	    {"*.api.test", "xapi.test", 443, false},
	    {"*", "anything.test", 443, true},
	    {"*:80", "anything", 80, true},
	    {"a:80,443,8000-8010", "a", 8005, true},
	    {"a:80,443,8000-8010", "a", 8011, false},
	    {"a_b-c.test", "a_b-c.test", 443, true},
	    {"10.0.0.1", "10.0.0.1", 443, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct allow_set set = {.count = 0};
		struct error err;

		assert_int_equal(allow_add(&set, "--allow", rows[i].rule, &err), 0);
		CHECK((allow_match_name(&set, rows[i].name, (uint16_t)rows[i].port) != NULL) == rows[i].covers,
		      "%s and %s:%u", rows[i].rule, rows[i].name, rows[i].port);
		allow_fini(&set);
	}
}

/* Exact ones first, then the longest wildcard, each in the order in which it was given. */
static void test_order(void **state)
{
	static const char *const texts[] = {"*", "*.c.test:1", "*.b.c.test", "a.b.c.test:2", "*.c.test", "a.b.c.test:3"};
	static const size_t order[] = {3, 5, 2, 1, 4, 0};
	struct allow_set set = {.count = 0};
	const struct allow_rule *rule = NULL;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(allow_add(&set, "--allow", texts[i], &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		rule = allow_next(&set, "a.b.c.test", rule);
		assert_non_null(rule);
		CHECK(unit_same(rule->text, texts[order[i]]), "%zu: %s", i, rule->text);
	}
	assert_null(allow_next(&set, "a.b.c.test", rule));
	allow_fini(&set);
}

static void test_many(void **state)
{
	struct allow_set set = {.count = 0};
	struct error err;
	char text[32];

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		(void)snprintf(text, sizeof(text), "n%u.test:%u", i, i % 60000 + 1);
		assert_int_equal(allow_add(&set, "--allow", text, &err), 0);
	}
	for (unsigned int i = 0; i < 20000; i += 7) {
		(void)snprintf(text, sizeof(text), "n%u.test", i);
		assert_non_null(allow_match_name(&set, text, (uint16_t)(i % 60000 + 1)));
	}
	assert_null(allow_next(&set, "n20000.test", NULL));
	allow_fini(&set);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *rule;
		const char *address;
		bool covers;
	} rows[] = {
	    {"10.0.0.7", "10.0.0.7", true},	  {"10.0.0.7", "10.0.0.8", false},
	    {"10.0.0.0/24", "10.0.0.255", true},  {"10.0.0.0/24", "10.0.1.0", false},
	    {"10.128.0.0/9", "10.200.1.1", true}, {"10.128.0.0/9", "10.127.1.1", false},
	    {"0.0.0.0/0", "127.0.0.1", false},	  {"0.0.0.0/0", "169.254.169.254", false},
	    {"0.0.0.0/0", "0.0.0.1", false},	  {"[::/0]", "::1", false},
	    {"127.0.0.0/8", "127.0.0.1", true},	  {"126.0.0.0/7", "127.0.0.1", false},
	    {"0.0.0.0/0", "8.8.8.8", true},	  {"0.0.0.0/0", "2001:db8::1", false},
	    {"[2001:db8::1]", "2001:db8::1", true}, {"[2001:db8::/32]", "2001:db8:ffff::1", true},
	    {"[2001:db8::/33]", "2001:db8:8000::", false}, {"[::/0]", "2606:4700::1", true},
	    {"[::/0]", "8.8.8.8", false},	  {"10.0.0.7", "::ffff:10.0.0.7", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct allow_set set = {.count = 0};
		struct allow_address address;
		struct error err;

		assert_int_equal(allow_add(&set, "--allow", rows[i].rule, &err), 0);
		assert_true(allow_parse_address(rows[i].address, &address));
		CHECK((allow_match_address(&set, &address, 443) != NULL) == rows[i].covers, "%s and %s", rows[i].rule,
		      rows[i].address);
		allow_fini(&set);
	}
}

static void test_public(void **state)
{
	static const struct {
		const char *address;
		const char *what;
	} rows[] = {
	    {"8.8.8.8", NULL},	       {"1.1.1.1", NULL},	   {"172.32.0.1", NULL},  {"100.128.0.1", NULL},
	    {"11.0.0.1", NULL},	       {"192.167.255.255", NULL},  {"2606:4700::1111", NULL}, {"10.1.2.3", "private"},
	    {"172.16.0.1", "private"}, {"172.31.255.255", "private"}, {"192.168.0.1", "private"},
	    {"127.0.0.1", "loopback"}, {"127.255.255.255", "loopback"}, {"0.0.0.0", "this host"}, {"0.1.2.3", "this host"},
	    {"169.254.169.254", "link-local (metadata)"}, {"100.64.0.1", "shared (CGNAT)"},
	    {"100.100.100.200", "shared (CGNAT)"}, {"168.63.129.16", "metadata"}, {"224.0.0.1", "multicast"},
	    {"255.255.255.255", "reserved"}, {"198.18.0.5", "benchmarking"}, {"::1", "loopback"}, {"::", "this host"},
	    {"fe80::1", "link-local"}, {"fd00:ec2::254", "private"}, {"ff02::1", "multicast"}, {"fec0::1", "site-local"},
	    {"::ffff:127.0.0.1", "loopback"}, {"::ffff:8.8.8.8", NULL}, {"::127.0.0.1", "loopback"},
	    {"::ffff:0:10.0.0.1", "private"}, {"64:ff9b::10.0.0.1", "private"}, {"64:ff9b::8.8.8.8", NULL},
	    {"64:ff9b:1::a9fe:a9fe", "link-local (metadata)"}, {"2002:7f00:1::", "loopback"}, {"2002:808:808::", NULL},
	    {"2001:0:0:0:0:0:f5ff:fffe", "private"}, {"2620::5efe:10.0.0.1", "private"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct allow_address address;

		assert_true(allow_parse_address(rows[i].address, &address));
		CHECK(unit_same(allow_address_class(&address), rows[i].what), "%s", rows[i].address);
	}
}

/* Where a name may lead. */
static void test_destinations(void **state)
{
	static const struct {
		const char *rule;
		const char *address;
		bool may;
	} rows[] = {
	    {"a", "8.8.8.8", true},
	    {"a", "10.0.0.1", false},
	    {"a", "::ffff:10.0.0.1", false},
	    {"a:80@10.0.0.0/8", "10.0.0.1", true},
	    {"a:80@10.0.0.0/8", "192.168.0.1", false},
	    {"a:80@10.0.0.0/8", "8.8.8.8", true},
	    {"*.a@127.0.0.1,[fd00::/8]:any-sni", "fd12::1", true},
	    {"*.a@127.0.0.1,[fd00::/8]:any-sni", "127.0.0.2", false},
	    {"a:80@0.0.0.0/0", "10.0.0.1", false},
	    {"a:80@169.254.169.254", "169.254.169.254", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct allow_set set = {.count = 0};
		struct allow_address address;
		const char *why = NULL;
		struct error err;

		assert_int_equal(allow_add(&set, "--allow", rows[i].rule, &err), 0);
		assert_true(allow_parse_address(rows[i].address, &address));
		CHECK(allow_may_lead_to(set.rules[0], &address, &why) == rows[i].may, "%s and %s", rows[i].rule,
		      rows[i].address);
		CHECK(rows[i].may || why != NULL, "%s", rows[i].rule);
		allow_fini(&set);
	}
}

static void test_file(void **state)
{
	static const char text[] = "# hosts\n\n  a.test  # one\r\nb.test:80\n";
	char path[] = "/tmp/allow.XXXXXX";
	int fd = mkstemp(path);
	struct allow_set set = {.count = 0};
	struct error err;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(allow_add_file(&set, path, &err), 0);
	assert_int_equal(set.count, 2);
	assert_non_null(allow_match_name(&set, "b.test", 80));
	assert_int_equal(write(fd, "c.test:x\n", 9), 9);
	assert_int_equal(allow_add_file(&set, path, &err), -EINVAL);
	assert_non_null(strstr(err.detail, ":5: --allow-file c.test:x"));
	(void)close(fd);
	(void)unlink(path);
	assert_true(allow_add_file(&set, path, &err) < 0);
	allow_fini(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_refused),   cmocka_unit_test(test_names),  cmocka_unit_test(test_order),
	    cmocka_unit_test(test_many),      cmocka_unit_test(test_addresses), cmocka_unit_test(test_public),
	    cmocka_unit_test(test_destinations), cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
