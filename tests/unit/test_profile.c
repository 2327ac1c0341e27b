/* Profiles: their syntax, where they are found, and whose are believed. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/option.h"
#include "policy/profile.h"
#include "policy/profile_file.h"

#define V PROFILE_VERSION_LINE "\n"

/* The value as it would be written; the items of a list joined by '|'. */
static const char *value_of(const struct policy *policy, enum option_id id, char *buf, size_t size)
{
	const struct strlist *list;

	if (option_table[id].kind != OPTION_KIND_LIST)
		return option_format(policy, id, buf, size);
	list = option_list(policy, id);
	buf[0] = '\0';
	for (size_t i = 0; i < list->count; i++)
		(void)snprintf(buf + strlen(buf), size - strlen(buf), "%s%s", i == 0 ? "" : "|", list->item[i]);
	return buf;
}

static void test_accepted(void **state)
{
	static const struct {
		const char *text;
		enum option_id id;
		const char *value;
	} rows[] = {
	    {PROFILE_VERSION_LINE, OPTION_RAM, "1G"},
	    {V, OPTION_RAM, "1G"},
	    {V "ram = 2G\n", OPTION_RAM, "2G"},
	    {V "ram = 2G", OPTION_RAM, "2G"},
	    {V "ram=2G", OPTION_RAM, "2G"},
	    {V "\t ram \t=\t 2G \t\n", OPTION_RAM, "2G"},
	    {V "\n# c\n  # ram = 3G\n\nram = 2G # c # d\n", OPTION_RAM, "2G"},
	    {V "ram = \"2G\"\n", OPTION_RAM, "2G"},
	    {V "ram = \"2G\"# c\n", OPTION_RAM, "2G"},
	    {V "cpu = unlimited\n", OPTION_CPU, "unlimited"},
	    {V "fresh = yes\n", OPTION_FRESH, "yes"},
	    {V "fresh = no\n", OPTION_FRESH, "no"},
	    /* Lists grow, in order. */
	    {V "env = A=1\nram = 2G\nenv = B=2\n", OPTION_ENV, "A=1|B=2"},
	    {V "env = A=1\nenv = A=1\n", OPTION_ENV, "A=1|A=1"},
	    {V "bind = /a b/c:/d\n", OPTION_BIND, "/a b/c:/d"},
	    /* Nothing is expanded. */
	    {V "dir = $HOME/~\n", OPTION_DIR, "$HOME/~"},
	    {V "dir = `x`*?\n", OPTION_DIR, "`x`*?"},
	    /* A # begins a comment after a blank only. */
	    {V "dir = a#b\n", OPTION_DIR, "a#b"},
	    {V "dir = a #b\n", OPTION_DIR, "a"},
	    {V "dir = \"a #b\"\n", OPTION_DIR, "a #b"},
	    {V "dir = \"#\"\n", OPTION_DIR, "#"},
	    {V "dir = \" a \"\n", OPTION_DIR, " a "},
	    {V "dir = a = b\n", OPTION_DIR, "a = b"},
	    {V "env = \"A=\\\"\\\\\\n\\t\\x41\\xfF\"\n", OPTION_ENV, "A=\"\\\n\tA\xff"},
	    {V "dir = t\xc3\xa4sk\n", OPTION_DIR, "t\xc3\xa4sk"},
	    {V "dir = \"it's\"\n", OPTION_DIR, "it's"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy policy;
		struct error err;
		char buf[128];

		assert_int_equal(policy_init(&policy, &err), 0);
		CHECK(profile_parse(&policy, "p", rows[i].text, strlen(rows[i].text), &err) == 0, "row %zu: %s", i, err.detail);
		CHECK(unit_same(value_of(&policy, rows[i].id, buf, sizeof(buf)), rows[i].value), "row %zu: '%s'", i, buf);
		policy_fini(&policy);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		const char *says;
		const char *accepted; /* in the hint, or NULL */
	} rows[] = {
	    {"", "p:1: no profile", PROFILE_VERSION_LINE},
	    {"\n" V, "p:1: no profile", PROFILE_VERSION_LINE},
	    {"# c\n" V, "p:1: no profile", PROFILE_VERSION_LINE},
	    {"ram = 1G\n", "p:1: no profile", PROFILE_VERSION_LINE},
	    {"capsule-run-profile\n", "p:1: no profile", PROFILE_VERSION_LINE},
	    {"capsule-run-profile 2\nx = y\n", "p:1: version 2", PROFILE_VERSION_LINE},
	    {"capsule-run-profile 1 \n", "p:1: version 1 ", PROFILE_VERSION_LINE},
	    {V "ramm = 1G\n", "p:2: ramm: no such option", "--help all"},
	    {V "RAM = 1G\n", "p:2: RAM: no such option", NULL},
	    {V "ra = 1G\n", "p:2: ra: no such option", NULL},
	    {V "\n\n--ram = 1G\n", "p:4: --ram: no such option", "without its dashes"},
	    {V "t = 1s\n", "p:2: t: no such option", NULL},
	    {V "print-policy = yes\n", "p:2: print-policy: no such option", NULL},
	    {V "profile = strict\n", "p:2: profile: not in a profile", "command line"},
	    {V "ram\n", "p:2: not understood", "NAME = VALUE"},
	    {V "ram 1G\n", "p:2: not understood", "NAME = VALUE"},
	    {V "= 1G\n", "p:2: not understood", "NAME = VALUE"},
	    {V "[limits]\n", "p:2: not understood", "NAME = VALUE"},
	    {V "ram = 1G\npids = 5\nram = 1G\n", "p:4: ram: given again", "line 2"},
	    {V "fresh = no\nfresh = yes\n", "p:3: fresh: given again", "line 2"},
	    {V "ram = 1X\n", "p:2: --ram 1X: not understood", "512M"},
	    {V "ram = 1\n", "p:2: --ram 1: out of range", "4M"},
	    {V "pids = unlimited\n", "p:2: --pids unlimited: not understood", "whole number"},
	    {V "fresh = on\n", "p:2: --fresh on: not understood", "yes, no"},
	    {V "fresh\n", "p:2: not understood", "NAME = VALUE"},
	    {V "ram =\n", "p:2: ram: has no value", NULL},
	    {V "env = # c\n", "p:2: env: has no value", "double quotes"},
	    {V "env = \"\"\n", "p:2: --env: an empty value", NULL},
	    {V "dir = \"\"\n", "p:2: --dir: an empty value", NULL},
	    {V "env = A=\"b c\"\n", "p:2: quote or backslash", "double quotes"},
	    {V "env = 'A=b'\n", "p:2: quote or backslash", "double quotes"},
	    {V "dir = a\\ b\n", "p:2: quote or backslash", "double quotes"},
	    {V "dir = a\\\n", "p:2: quote or backslash", "double quotes"},
	    {V "dir = \"a\n", "p:2: the quoted value does not end", NULL},
	    {V "dir = \"a\nb\"\n", "p:2: the quoted value does not end", NULL},
	    {V "dir = \"a\\\"\n", "p:2: the quoted value does not end", NULL},
	    {V "dir = \"a\" b\n", "p:2: text after the quoted value", NULL},
	    {V "dir = \"a\"\"b\"\n", "p:2: text after the quoted value", NULL},
	    {V "dir = \"\\q\"\n", "p:2: escape not understood", NULL},
	    {V "dir = \"\\x4\"\n", "p:2: escape not understood", NULL},
	    {V "dir = \"\\x00\"\n", "p:2: escape not understood", "not 00"},
	    {V "dir = \"\\", "p:2: escape not understood", NULL},
	    {V "dir = a\rb\n", "p:2: carriage return", "line feed"},
	    {V "dir = a\r\r\n", "p:2: carriage return", "line feed"},
	    {V "dir = ~/x\n", "p:2: --dir ~/x: a ~ is not expanded", "whole path"},
	    {V "\nbind = ~joe/x:/y\n", "p:3: --bind ~joe/x:/y: a ~", NULL},
	    {V "tiemout = 1s\n", "p:2: tiemout: no such option", "did you mean timeout?"},
	    {V "dir = a\x01\n", "p:2: byte 0x01", "\\x01"},
	    {V "# \x1b[2J\n", "p:2: byte 0x1b", NULL},
	    {V "dir = t\xe4sk\n", "p:2: byte 0xe4", "\\xe4"},
	    {V "dir = \"\xc2\x85\"\n", "p:2: byte 0xc2", NULL},
	    {"\xef\xbb\xbf" V, "p:1: no profile", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy policy;
		struct error err;

		assert_int_equal(policy_init(&policy, &err), 0);
		memset(&err, 0, sizeof(err));
		CHECK(profile_parse(&policy, "p", rows[i].text, strlen(rows[i].text), &err) == -EINVAL, "row %zu", i);
		CHECK(strncmp(err.detail, rows[i].says, strlen(rows[i].says)) == 0, "row %zu says '%s'", i, err.detail);
		CHECK(rows[i].accepted == NULL || strstr(err.hint, rows[i].accepted) != NULL, "row %zu hints '%s'", i, err.hint);
		policy_fini(&policy);
	}
}

static void test_nul(void **state)
{
	static const char text[] = V "ram = 2G\n\nram\0 = 1G\n";
	struct policy policy;
	struct error err;

	(void)state;
	assert_int_equal(policy_init(&policy, &err), 0);
	assert_int_equal(profile_parse(&policy, "p", text, sizeof(text) - 1, &err), -EINVAL);
	CHECK(strncmp(err.detail, "p:4: byte 0x00", 14) == 0, "%s", err.detail);
	policy_fini(&policy);
}

/* What spans values is checked after all of them are read; the message still says where the value is. */
static void test_located_later(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} rows[] = {
	    {V "bind = a\nbind = a:b:c:d\n", "p:3: --bind a:b:c:d"},
	    {V "bind = a:/proc\n", "p:2: --bind: nothing can be shown at /proc"},
	    {V "env = 1=2\n", "p:2: --env 1=2"},
	    {V "env = NOT_THERE\n", "p:2: --env NOT_THERE"},
	    {V "\nrequire = magic\n", "p:3: --require magic"},
	    {V "result = fd:x\n", "p:2: --result fd:x"},
	    {V "fresh = yes\ndir = /x\n", "p:3: --fresh and --dir"},
	    {V "quiet = yes\nverbose = yes\n", "p:3: --quiet and --verbose"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy policy;
		struct error err;

		assert_int_equal(policy_init(&policy, &err), 0);
		CHECK(profile_parse(&policy, "p", rows[i].text, strlen(rows[i].text), &err) == 0, "row %zu: %s", i, err.detail);
		CHECK(policy_finalize(&policy, (char *[]){NULL}, &err) < 0, "row %zu", i);
		CHECK(strncmp(err.detail, rows[i].says, strlen(rows[i].says)) == 0, "row %zu says '%s'", i, err.detail);
		policy_fini(&policy);
	}
}

/* Profiles in their order, then the command line; of two that exclude each other the later one holds. */
static void test_merge(void **state)
{
	static const struct {
		const char *first;
		const char *second;
		const char *line_name; /* on the command line, or NULL */
		const char *line_value;
		enum option_id id;
		const char *value;
		const char *origin; /* NULL: a list */
	} rows[] = {
	    {V "ram = 2G\n", V, NULL, NULL, OPTION_RAM, "2G", "one:2"},
	    {V "ram = 2G\n", V "\nram = 3G\n", NULL, NULL, OPTION_RAM, "3G", "two:3"},
	    {V "ram = 2G\n", V "ram = 3G\n", "ram", "4G", OPTION_RAM, "4G", "command line"},
	    {V "ram = 2G\n", V, NULL, NULL, OPTION_PIDS, "256", "default"},
	    {V "fresh = yes\n", V "fresh = no\n", NULL, NULL, OPTION_FRESH, "no", "two:2"},
	    {V "fresh = yes\n", V, "fresh", "no", OPTION_FRESH, "no", "command line"},
	    {V "env = A=1\n", V "env = B=2\n", "env", "C=3", OPTION_ENV, "A=1|B=2|C=3", NULL},
	    {V "fresh = yes\n", V "dir = /x\n", NULL, NULL, OPTION_FRESH, "no", "default"},
	    {V "fresh = yes\n", V, "dir", "/x", OPTION_FRESH, "no", "default"},
	    {V "fresh = yes\n", V, "dir", "/x", OPTION_DIR, "/x", "command line"},
	    {V "dir = /x\n", V, "fresh", NULL, OPTION_DIR, "/tmp/agent_sandbox", "default"},
	    {V "dir = /x\n", V, "fresh", NULL, OPTION_FRESH, "yes", "command line"},
	    {V "dir = /x\n", V, "fresh", "no", OPTION_DIR, "/x", "one:2"},
	    {V "quiet = yes\n", V "verbose = yes\n", NULL, NULL, OPTION_QUIET, "no", "default"},
	    /* A default that is repeated excludes nothing. */
	    {V "fresh = yes\ndir = /tmp/agent_sandbox\n", V, NULL, NULL, OPTION_FRESH, "yes", "one:2"},
	    {V "disk = 64M\n", V, NULL, NULL, OPTION_FSIZE, "64M", "one:2"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy policy;
		struct error err;
		char buf[128];

		assert_int_equal(policy_init(&policy, &err), 0);
		CHECK(profile_parse(&policy, "one", rows[i].first, strlen(rows[i].first), &err) == 0, "row %zu", i);
		CHECK(profile_parse(&policy, "two", rows[i].second, strlen(rows[i].second), &err) == 0, "row %zu", i);
		if (rows[i].line_name != NULL)
			CHECK(option_apply(&policy, option_find(rows[i].line_name, strlen(rows[i].line_name)), rows[i].line_value,
					   ORIGIN_COMMAND_LINE, &err) == 0, "row %zu: %s", i, err.detail);
		CHECK(policy_finalize(&policy, (char *[]){NULL}, &err) == 0, "row %zu: %s", i, err.detail);
		CHECK(unit_same(value_of(&policy, rows[i].id, buf, sizeof(buf)), rows[i].value), "row %zu: '%s'", i, buf);
		if (rows[i].origin != NULL)
			CHECK(unit_same(policy_describe_origin(&policy, policy.origin[rows[i].id], buf, sizeof(buf)), rows[i].origin),
			      "row %zu: '%s'", i, buf);
		policy_fini(&policy);
	}
}

/* A path cannot end the comment that names it. */
static void test_hostile_path_in_comment(void **state)
{
	static const char text[] = V "ram = 2G\n";
	AUTO_FREE char *printed = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&printed, &size);
	struct policy policy;
	struct policy again;
	struct error err;
	char buf[32];

	(void)state;
	assert_int_equal(policy_init(&policy, &err), 0);
	assert_int_equal(profile_parse(&policy, "a\nram = 9G\xff\x1b", text, strlen(text), &err), 0);
	profile_print(&policy, out);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(policy_init(&again, &err), 0);
	CHECK(profile_parse(&again, "p", printed, size, &err) == 0, "%s", err.detail);
	assert_string_equal(option_format(&again, OPTION_RAM, buf, sizeof(buf)), "2G");
	policy_fini(&policy);
	policy_fini(&again);
}

static void test_description(void **state)
{
	static const struct {
		const char *text;
		const char *description;
	} rows[] = {
	    {V "# One line.\n# Two.\n", "One line."}, {V "ram = 1G # no\n#\tYes\n", "Yes"}, {V "#", ""}, {V, ""}, {"", ""},
	    {"# before", ""}, {V "# a\x1b[2Jb\n", "a?[2Jb"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char buf[64];

		profile_description(rows[i].text, strlen(rows[i].text), buf, sizeof(buf));
		CHECK(strcmp(buf, rows[i].description) == 0, "row %zu: '%s'", i, buf);
	}
}

static int load(const char *name, struct policy *policy, struct error *err)
{
	assert_int_equal(policy_init(policy, err), 0);
	memset(err, 0, sizeof(*err));
	return profile_load(policy, name, err);
}

/* The profile `default` says every default, and nothing else. */
static void test_shipped_default(void **state)
{
	struct policy policy;
	struct policy plain;
	struct error err;

	(void)state;
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("HOME");
	assert_int_equal(policy_init(&plain, &err), 0);
	CHECK(load("default", &policy, &err) == 0, "%s", err.detail);
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		const struct option_row *row = &option_table[i];
		char one[32];
		char two[32];

		CHECK((policy.origin[i] != ORIGIN_DEFAULT) == (option_preset(row) != NULL && !row->line_only), "%s", row->name);
		CHECK(unit_same(option_format(&policy, i, one, sizeof(one)), option_format(&plain, i, two, sizeof(two))), "%s",
		      row->name);
		CHECK(row->kind == OPTION_KIND_LIST || !policy_is_explicit(&policy, i), "%s", row->name);
	}
	policy_fini(&policy);
	policy_fini(&plain);
}

static void test_shipped(void **state)
{
	static const struct {
		const char *name;
		const char *ram;
		const char *pids;
		const char *timeout;
	} rows[] = {{"default", "1G", "256", "10m"}, {"strict", "512M", "64", "1m"}, {"ci", "4G", "1024", "1h"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy policy;
		struct error err;
		char buf[32];

		CHECK(load(rows[i].name, &policy, &err) == 0, "%s", err.detail);
		CHECK(policy_finalize(&policy, (char *[]){NULL}, &err) == 0, "%s", err.detail);
		assert_string_equal(option_format(&policy, OPTION_RAM, buf, sizeof(buf)), rows[i].ram);
		assert_string_equal(option_format(&policy, OPTION_PIDS, buf, sizeof(buf)), rows[i].pids);
		assert_string_equal(option_format(&policy, OPTION_TIMEOUT, buf, sizeof(buf)), rows[i].timeout);
		policy_fini(&policy);
	}
}

static void test_search(void **state)
{
	char dir[PATH_MAX];
	char path[PATH_MAX + 64];
	int dir_fd = unit_temp(dir);
	struct policy policy;
	struct error err;
	char buf[32];

	(void)state;
	unit_make(dir_fd, "capsule-run/profiles/mine.profile", V "ram = 2G\n");
	unit_make(dir_fd, "capsule-run/profiles/strict.profile", V "ram = 3G\n");
	unit_make(dir_fd, "home/.config/capsule-run/profiles/mine.profile", V "ram = 5G\n");
	setenv("XDG_CONFIG_HOME", dir, 1);
	(void)snprintf(path, sizeof(path), "%s/home", dir);
	setenv("HOME", path, 1);
	CHECK(load("mine", &policy, &err) == 0, "%s", err.detail);
	assert_string_equal(option_format(&policy, OPTION_RAM, buf, sizeof(buf)), "2G");
	policy_fini(&policy);
	CHECK(load("strict", &policy, &err) == 0, "%s", err.detail);
	assert_string_equal(option_format(&policy, OPTION_RAM, buf, sizeof(buf)), "3G");
	policy_fini(&policy);
	/* A relative one is none, as the XDG specification has it. */
	setenv("XDG_CONFIG_HOME", "relative", 1);
	CHECK(load("mine", &policy, &err) == 0, "%s", err.detail);
	assert_string_equal(option_format(&policy, OPTION_RAM, buf, sizeof(buf)), "5G");
	policy_fini(&policy);
	setenv("HOME", "home", 1);
	CHECK(load("mine", &policy, &err) == -EINVAL && strstr(err.detail, "--profile mine: no profile") != NULL, "%s", err.detail);
	policy_fini(&policy);
	/* What is there and can't be used hides nothing. */
	setenv("HOME", path, 1);
	(void)unlinkat(dir_fd, "home/.config/capsule-run/profiles/mine.profile", 0);
	unit_make(dir_fd, "home/.config/capsule-run/profiles/strict.profile", "junk\n");
	CHECK(load("strict", &policy, &err) == -EINVAL && strstr(err.detail, "strict.profile:1: no profile") != NULL, "%s",
	      err.detail);
	policy_fini(&policy);
	unsetenv("HOME");
	unsetenv("XDG_CONFIG_HOME");
	unit_temp_remove(dir, dir_fd);
}

static void test_names(void **state)
{
	static const char *const bad[] = {"", "-x", ".x", "..", "a b", "a\n", "\xc3\xa4", "a:b", "%s"};
	struct policy policy;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK(load(bad[i], &policy, &err) == -EINVAL && strstr(err.hint, "accepted: ") != NULL, "'%s': %s", bad[i],
		      err.detail);
		policy_fini(&policy);
	}
	CHECK(load("none", &policy, &err) == -EINVAL && strstr(err.hint, "--list-profiles") != NULL, "%s", err.hint);
	policy_fini(&policy);
	assert_int_equal(policy_init(&policy, &err), 0);
	for (unsigned int i = 0; i < POLICY_PROFILES_MAX; i++)
		assert_int_equal(profile_load(&policy, "ci", &err), 0);
	CHECK(profile_load(&policy, "ci", &err) == -EINVAL && strstr(err.detail, "at most 16") != NULL, "%s", err.detail);
	policy_fini(&policy);
}

/* Whose files and directories are believed, as for sshd's StrictModes. */
static void test_trust(void **state)
{
	static const struct {
		mode_t file;
		mode_t dir;
		bool foreign; /* the directory belongs to another user */
		const char *says; /* NULL: accepted */
	} rows[] = {
	    {0644, 0755, false, NULL},	 {0600, 0700, false, NULL}, {0444, 0555, false, NULL}, {0644, 01777, false, NULL},
	    {0646, 0755, false, "p.profile: others can write"}, {0666, 0755, false, "p.profile: others can write"},
	    {0644, 0777, false, "/sub: others can write"}, {0644, 0757, false, "/sub: others can write"},
	    {0666, 01777, false, "p.profile: others can write"}, {0644, 0755, true, "/sub: belongs to uid 54321"},
	    {0644, 01777, true, "/sub: belongs to uid 54321"},
	};
	char dir[PATH_MAX];
	char path[PATH_MAX + 64];
	int dir_fd = unit_temp(dir);

	(void)state;
	unit_make(dir_fd, "sub/p.profile", V);
	(void)snprintf(path, sizeof(path), "%s/sub/p.profile", dir);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy policy;
		struct error err;
		int before = unit_lowest_fd();
		int r;

		if (rows[i].foreign && fchownat(dir_fd, "sub", 54321, (gid_t)-1, 0) < 0)
			continue;
		assert_int_equal(fchmodat(dir_fd, "sub/p.profile", rows[i].file, 0), 0);
		assert_int_equal(fchmodat(dir_fd, "sub", rows[i].dir, 0), 0);
		r = load(path, &policy, &err);
		CHECK((r == 0) == (rows[i].says == NULL), "row %zu: %s", i, err.detail);
		CHECK(rows[i].says == NULL || (strstr(err.detail, rows[i].says) != NULL && err.hint[0] != '\0'), "row %zu: %s", i,
		      err.detail);
		CHECK(unit_lowest_fd() == before, "row %zu leaks a descriptor", i);
		policy_fini(&policy);
	}
	assert_true(fchmodat(dir_fd, "sub", 0700, 0) == 0 || errno == EPERM);
	unit_temp_remove(dir, dir_fd);
}

/* What is no file of text ends in an error at once. */
static void test_odd_files(void **state)
{
	char dir[PATH_MAX];
	int dir_fd = unit_temp(dir);
	AUTO_FREE char *large = malloc(PROFILE_BYTES_MAX + 2);
	static const struct {
		const char *name;
		const char *says; /* NULL: accepted */
	} rows[] = {
	    {"fifo", "not a regular file"}, {"directory", "not a regular file"}, {"none", "none"}, {"loop", "loop"},
	    {"large", "more than 65536 bytes"}, {"full", NULL}, {"link", NULL}, {"full/x", "full/x"},
	};

	(void)state;
	assert_non_null(large);
	memset(large, '\n', PROFILE_BYTES_MAX + 1);
	memcpy(large, PROFILE_VERSION_LINE, strlen(PROFILE_VERSION_LINE));
	memset(large + strlen(V), '#', PROFILE_BYTES_MAX - strlen(V));
	large[PROFILE_BYTES_MAX + 1] = '\0';
	unit_make(dir_fd, "large", large);
	large[PROFILE_BYTES_MAX] = '\0';
	unit_make(dir_fd, "full", large);
	unit_make(dir_fd, "directory/", NULL);
	assert_int_equal(mkfifoat(dir_fd, "fifo", 0600), 0);
	assert_int_equal(symlinkat("loop", dir_fd, "loop"), 0);
	assert_int_equal(symlinkat("full", dir_fd, "link"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy policy;
		struct error err;
		char path[PATH_MAX + 64];
		int before = unit_lowest_fd();
		int r;

		(void)snprintf(path, sizeof(path), "%s/%s", dir, rows[i].name);
		r = load(path, &policy, &err);
		CHECK((r == 0) == (rows[i].says == NULL), "%s: %s", rows[i].name, err.detail);
		CHECK(rows[i].says == NULL || strstr(err.detail, rows[i].says) != NULL, "%s: %s", rows[i].name, err.detail);
		CHECK(unit_lowest_fd() == before, "%s leaks a descriptor", rows[i].name);
		policy_fini(&policy);
	}
	unit_temp_remove(dir, dir_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_nul),
	    cmocka_unit_test(test_located_later),
	    cmocka_unit_test(test_merge),
	    cmocka_unit_test(test_hostile_path_in_comment),
	    cmocka_unit_test(test_description),
	    cmocka_unit_test(test_shipped_default),
	    cmocka_unit_test(test_shipped),
	    cmocka_unit_test(test_search),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_trust),
	    cmocka_unit_test(test_odd_files),
	};

	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
