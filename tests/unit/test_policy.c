#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/layer.h"
#include "policy/option.h"
#include "policy/policy.h"

static void test_bind(void **state)
{
	static const struct {
		const char *text;
		const char *host; /* NULL: refused */
		const char *guest;
		bool writable;
	} rows[] = {
	    {"data", "data", NULL, false},
	    {"/srv/data", "/srv/data", NULL, false},
	    {"data:ro", "data", NULL, false},
	    {"data:rw", "data", NULL, true},
	    {"data:/data", "data", "/data", false},
	    {"data:/data:ro", "data", "/data", false},
	    {"/srv/data:/data:rw", "/srv/data", "/data", true},
	    {"a:/b c/d", "a", "/b c/d", false},
	    {"a:/usr/share/x", "a", "/usr/share/x", false},
	    {"a:/etc/x.conf", "a", "/etc/x.conf", false},
	    {"a:/tmp/x", "a", "/tmp/x", false},
	    {"a:/tmp/agent_sandbox2", "a", "/tmp/agent_sandbox2", false},
	    {"a:/devices", "a", "/devices", false},
	    {"a:/.hidden", "a", "/.hidden", false},
	    {"a:/x/..y/...", "a", "/x/..y/...", false},
	    {"rw", "rw", NULL, false},
	    {"ro:rw", "ro", NULL, true},
	    {"", NULL, NULL, false},
	    {":", NULL, NULL, false},
	    {":ro", NULL, NULL, false},
	    {":/data", NULL, NULL, false},
	    {"data:", NULL, NULL, false},
	    {"data::ro", NULL, NULL, false},
	    {"data:guest", NULL, NULL, false},
	    {"data:RW", NULL, NULL, false},
	    {"data:rwx", NULL, NULL, false},
	    {"data:ro:rw", NULL, NULL, false},
	    {"data:rw:/data", NULL, NULL, false},
	    {"data:/data:", NULL, NULL, false},
	    {"data:/data:rw:", NULL, NULL, false},
	    {"data:/data:ro:rw", NULL, NULL, false},
	    {"data:/a:/b", NULL, NULL, false},
	    {"a:b:c:d:e", NULL, NULL, false},
	    {"data:/", NULL, NULL, false},
	    {"data:/proc", NULL, NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy_bind bind = {NULL, NULL, false};
		struct error err = {0};
		int r = policy_parse_bind(rows[i].text, &bind, &err);

		if (rows[i].host == NULL) {
			CHECK(r == -EINVAL, "'%s'", rows[i].text);
			CHECK(bind.host == NULL && bind.guest == NULL, "'%s'", rows[i].text);
			CHECK(strncmp(err.detail, "--bind", 6) == 0 && err.hint[0] != '\0', "'%s': '%s'",
			      rows[i].text, err.detail);
			continue;
		}
		CHECK(r == 0, "'%s': %s", rows[i].text, err.detail);
		CHECK(unit_same(bind.host, rows[i].host), "'%s'", rows[i].text);
		CHECK(unit_same(bind.guest, rows[i].guest), "'%s'", rows[i].text);
		CHECK(bind.writable == rows[i].writable, "'%s'", rows[i].text);
		free(bind.host);
		free(bind.guest);
	}
}

static void test_guest(void **state)
{
	static const struct {
		const char *guest;
		bool ok;
	} rows[] = {
	    {"/data", true},
	    {"/data/", true},
	    {"/data//x", false},
	    {"/usr/lib/x", true},
	    {"/process", true},
	    {"/tasks", true},
	    {"/etcetera", true},
	    {"/", false},
	    {"//", false},
	    {"/etc", false},
	    {"/etc/", false},
	    {"/usr", false},
	    {"/usr//", false},
	    {"/bin", false},
	    {"/sbin", false},
	    {"/lib", false},
	    {"/lib64", false},
	    {"/tmp", false},
	    {"/proc", false},
	    {"/proc/self", false},
	    {"/proc/", false},
	    {"/dev/shm", false},
	    {"/sys/fs/cgroup", false},
	    {"/task", false},
	    {"/task/x.py", false},
	    {"/tmp/agent_sandbox", false},
	    {"/tmp/agent_sandbox/x", false},
	    {"/data/..", false},
	    {"/data/../etc", false},
	    {"/data/.", false},
	    {"/./data", false},
	    {"/..", false},
	    /* As the kernel reads a path: several slashes are one. */
	    {"//proc", false},
	    {"///proc/self", false},
	    {"//etc", false},
	    {"//usr/", false},
	    {"//dev//shm", false},
	    {"/tmp//agent_sandbox", false},
	    {"//tmp//agent_sandbox//x", false},
	    {"//task/x.py", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};
		int r = policy_check_guest(rows[i].guest, &err);

		CHECK(r == (rows[i].ok ? 0 : -EINVAL), "%s", rows[i].guest);
		CHECK(rows[i].ok || (strstr(err.detail, rows[i].guest) != NULL && err.hint[0] != '\0'), "%s: '%s'",
		      rows[i].guest, err.detail);
	}
}

#define SET_MAX 6

/* Options to apply, then what policy_finalize() makes of them. */
struct row {
	struct {
		enum option_id id;
		const char *value;
	} set[SET_MAX];
	enum command_kind kind;
	const char *says; /* NULL: accepted */
};

static char *environ_in[] = {(char *)(uintptr_t) "HOME=/h", (char *)(uintptr_t) "EMPTY=",
			     (char *)(uintptr_t) "HOMER=no", (char *)(uintptr_t) "EQ=a=b", NULL};

static int finalize(const struct row *row, struct policy *policy, struct error *err)
{
	assert_int_equal(policy_init(policy, err), 0);
	policy->command.kind = row->kind;
	for (size_t i = 0; i < SET_MAX && row->set[i].value != NULL; i++)
		CHECK(option_apply(policy, row->set[i].id, row->set[i].value, ORIGIN_COMMAND_LINE, err) == 0, "%s %s",
		      option_table[row->set[i].id].name, row->set[i].value);
	memset(err, 0, sizeof(*err));
	return policy_finalize(policy, environ_in, err);
}

static void test_finalize(void **state)
{
	static const struct row rows[] = {
	    {{{0, NULL}}, COMMAND_SCRIPT, NULL},
	    {{{OPTION_ENV, "HOME"}, {OPTION_ENV, "A=1"}}, COMMAND_SCRIPT, NULL},
	    {{{OPTION_RAM, "100M"}, {OPTION_RAM_SOFT, "100M"}}, COMMAND_SCRIPT, NULL},
	    {{{OPTION_RAM, "100M"}, {OPTION_RAM_SOFT, "101M"}}, COMMAND_SCRIPT, "--ram-soft 101M: more than --ram 100M"},
	    {{{OPTION_RAM_SOFT, "1025M"}}, COMMAND_SCRIPT, "--ram-soft 1025M: more than --ram 1G"},
	    {{{OPTION_ENV, "NOPE"}}, COMMAND_SCRIPT, "--env NOPE"},
	    {{{OPTION_ENV, "HOM"}}, COMMAND_SCRIPT, "--env HOM"},
	    {{{OPTION_ENV, "=x"}}, COMMAND_SCRIPT, "--env =x"},
	    {{{OPTION_ENV, "1A=x"}}, COMMAND_SCRIPT, "--env 1A=x"},
	    {{{OPTION_ENV, "A B=x"}}, COMMAND_SCRIPT, "--env A B=x"},
	    {{{OPTION_ENV, "A\n=x"}}, COMMAND_SCRIPT, "--env"},
	    {{{OPTION_BIND, "x:rw"}, {OPTION_BIND, "y:/y"}}, COMMAND_SCRIPT, NULL},
	    {{{OPTION_BIND, "x"}, {OPTION_BIND, "y:z"}}, COMMAND_SCRIPT, "--bind y:z"},
	    {{{OPTION_BIND, "x:/proc"}}, COMMAND_SCRIPT, "/proc"},
	    {{{OPTION_REQUIRE, "cgroup,net"}, {OPTION_REQUIRE, "seccomp"}}, COMMAND_SCRIPT, NULL},
	    {{{OPTION_REQUIRE, "cgroup,bogus"}}, COMMAND_SCRIPT, "'bogus'"},
	    {{{OPTION_REQUIRE, ","}}, COMMAND_SCRIPT, "''"},
	    {{{OPTION_RESULT, "fd:3"}}, COMMAND_SCRIPT, NULL},
	    {{{OPTION_RESULT, "fd:2147483647"}}, COMMAND_SCRIPT, NULL},
	    {{{OPTION_RESULT, "fd:2147483648"}}, COMMAND_SCRIPT, "--result fd:2147483648"},
	    {{{OPTION_RESULT, "fd:18446744073709551616"}}, COMMAND_SCRIPT, "--result"},
	    {{{OPTION_RESULT, "fd:"}}, COMMAND_SCRIPT, "--result fd:"},
	    {{{OPTION_RESULT, "fd:-1"}}, COMMAND_SCRIPT, "--result fd:-1"},
	    {{{OPTION_RESULT, "fd:3x"}}, COMMAND_SCRIPT, "--result fd:3x"},
	    {{{OPTION_RESULT, "out.json"}}, COMMAND_SCRIPT, NULL},
	    {{{OPTION_RESULT, "./fd:x"}}, COMMAND_SCRIPT, NULL},
	    {{{OPTION_JSON, "yes"}, {OPTION_RESULT, "fd:2"}}, COMMAND_SCRIPT, NULL},
	    {{{OPTION_JSON, "yes"}, {OPTION_RESULT, "fd:1"}}, COMMAND_SCRIPT, "--result fd:1"},
	    {{{OPTION_JSON, "yes"}, {OPTION_OUTPUT, "unlimited"}}, COMMAND_SCRIPT, "--output unlimited"},
	    {{{OPTION_JSON, "yes"}, {OPTION_OUTPUT, "unlimited"}}, COMMAND_NONE, NULL},
	    {{{OPTION_QUIET, "yes"}}, COMMAND_SCRIPT, NULL},
	    {{{OPTION_QUIET, "yes"}, {OPTION_VERBOSE, "yes"}}, COMMAND_SCRIPT, "exclude"},
	    {{{OPTION_FRESH, "yes"}}, COMMAND_SCRIPT, NULL},
	    {{{OPTION_FRESH, "yes"}, {OPTION_DIR, "/d"}}, COMMAND_SCRIPT, "exclude"},
	    {{{OPTION_CPU_TIME, "1s"}, {OPTION_COMPUTE, "LOW"}}, COMMAND_SCRIPT, "exclude"},
	    {{{OPTION_OUTPUT, "65M"}, {OPTION_OUTPUT_KEEP, "tail"}}, COMMAND_SCRIPT, "more than is kept"},
	    {{{OPTION_OUTPUT, "unlimited"}, {OPTION_OUTPUT_KEEP, "both"}}, COMMAND_SCRIPT, "more than is kept"},
	    {{{OPTION_FRESH, "yes"}, {OPTION_DIR, POLICY_DEFAULT_DIR}}, COMMAND_SCRIPT, "exclude"},
	    {{{OPTION_SRC, "s"}}, COMMAND_SCRIPT, NULL},
	    {{{OPTION_SRC, "s"}}, COMMAND_MODULE, NULL},
	    {{{OPTION_SRC, "s"}}, COMMAND_EXEC, "--src"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy policy;
		struct error err;
		int r = finalize(&rows[i], &policy, &err);

		if (rows[i].says == NULL)
			CHECK(r == 0, "row %zu: %s", i, err.detail);
		else
			CHECK(r == -EINVAL && strstr(err.detail, rows[i].says) != NULL, "row %zu: %d '%s'", i, r,
			      err.detail);
		policy_fini(&policy);
	}
}

static void test_env_values(void **state)
{
	static const struct row row = {{{OPTION_ENV, "HOME"},
					{OPTION_ENV, "EMPTY"},
					{OPTION_ENV, "EQ"},
					{OPTION_ENV, "HOME=/other"},
					{OPTION_ENV, "NEW="}},
				       COMMAND_SCRIPT,
				       NULL};
	static const char *const want[] = {"HOME=/h", "EMPTY=", "EQ=a=b", "HOME=/other", "NEW="};
	struct policy policy;
	struct error err;

	(void)state;
	assert_int_equal(finalize(&row, &policy, &err), 0);
	assert_int_equal(policy.command.env_set.count, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_string_equal(policy.command.env_set.item[i], want[i]);
	policy_fini(&policy);
}

static void test_parsed_values(void **state)
{
	static const struct row row = {{{OPTION_BIND, "x:/y:rw"},
					{OPTION_BIND, "z"},
					{OPTION_REQUIRE, "cgroup,net"},
					{OPTION_REQUIRE, "seccomp"},
					{OPTION_RESULT, "fd:7"}},
				       COMMAND_SCRIPT,
				       NULL};
	struct policy policy;
	struct error err;

	(void)state;
	assert_int_equal(finalize(&row, &policy, &err), 0);
	assert_int_equal(policy.files.bind_count, 2);
	assert_string_equal(policy.files.binds[0].guest, "/y");
	assert_true(policy.files.binds[0].writable);
	assert_string_equal(policy.files.binds[1].host, "z");
	assert_null(policy.files.binds[1].guest);
	assert_int_equal(policy.require_layers,
			 LAYER_BIT(LAYER_CGROUP) | LAYER_BIT(LAYER_NET) | LAYER_BIT(LAYER_SECCOMP));
	assert_int_equal(policy.result_fd, 7);
	policy_fini(&policy);
}

/* A profile's interpreter gives way to the command line's, either way round; of one origin both stay. */
static void test_one_interpreter(void **state)
{
	static const struct {
		enum origin python;
		enum origin venv;
		bool has_python;
		bool has_venv;
	} cases[] = {
	    {ORIGIN_DEFAULT, ORIGIN_COMMAND_LINE, false, true},
	    {ORIGIN_COMMAND_LINE, ORIGIN_DEFAULT, true, false},
	    {ORIGIN_COMMAND_LINE, ORIGIN_COMMAND_LINE, true, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy policy;
		struct error err;

		assert_int_equal(policy_init(&policy, &err), 0);
		assert_int_equal(option_apply(&policy, OPTION_PYTHON, "python3.12", cases[i].python, &err), 0);
		assert_int_equal(option_apply(&policy, OPTION_VENV, ".venv", cases[i].venv, &err), 0);
		assert_int_equal(policy_finalize(&policy, (char *[]){NULL}, &err), 0);
		CHECK((policy.command.python != NULL) == cases[i].has_python, "case %zu", i);
		CHECK((policy.command.venv != NULL) == cases[i].has_venv, "case %zu", i);
		policy_fini(&policy);
	}
}

static void test_fsize_within_disk(void **state)
{
	static const struct {
		const char *disk;
		const char *fsize;
		uint64_t want;
	} rows[] = {
	    {"10M", "1G", 10ULL << 20}, {"10M", "1M", 1ULL << 20},	     {"10M", "unlimited", 10ULL << 20},
	    {"unlimited", "1M", 1ULL << 20}, {"unlimited", "unlimited", LIMIT_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row row = {{{OPTION_DISK, rows[i].disk}, {OPTION_FSIZE, rows[i].fsize}},
					COMMAND_SCRIPT,
					NULL};
		struct policy policy;
		struct error err;

		CHECK(finalize(&row, &policy, &err) == 0, "row %zu", i);
		CHECK(policy.limits.fsize_bytes == rows[i].want, "row %zu", i);
		policy_fini(&policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bind),	 cmocka_unit_test(test_guest),
	    cmocka_unit_test(test_one_interpreter),
	    cmocka_unit_test(test_finalize),	 cmocka_unit_test(test_env_values),
	    cmocka_unit_test(test_parsed_values), cmocka_unit_test(test_fsize_within_disk),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
