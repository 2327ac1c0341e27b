/* What tasks declare: each spelling that is understood, and what is left of the operator's limits. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/ceiling.h"
#include "policy/config.h"
#include "policy/option.h"
#include "unit.h"

/* Declares one task `t` with one option. */
static int decode(const char *option, const char *value, struct declared *ret, struct error *err)
{
	char text[1024];
	json_t *root;
	int r;

	(void)snprintf(text, sizeof(text),
		       "{\"capsule\":true,\"entry\":{\"kind\":\"task\",\"name\":\"t\"},"
		       "\"tasks\":[{\"name\":\"t\",\"options\":{\"%s\":%s}}]}",
		       option, value);
	root = json_loads(text, JSON_ALLOW_NUL, NULL);
	CHECK(root != NULL, "%s", text);
	memset(err, 0, sizeof(*err));
	r = declared_decode(root, ret, err);
	json_decref(root);
	return r;
}

#define REFUSED UINT64_MAX

static void test_numbers(void **state)
{
	static const struct {
		const char *option;
		const char *value;
		uint64_t number;
	} rows[] = {
	    {"ram", "67108864", 64ULL << 20},
	    {"ram", "\"67108864\"", 64ULL << 20},
	    {"ram", "\"64MB\"", 64ULL << 20},
	    {"ram", "\"64 mb\"", 64ULL << 20},
	    {"ram", "\"64M\"", 64ULL << 20},
	    {"ram", "\"64MiB\"", 64ULL << 20},
	    {"ram", "\"64mib\"", 64ULL << 20},
	    {"ram", "\"65536KB\"", 64ULL << 20},
	    {"ram", "\"1.5GB\"", 3ULL << 29},
	    {"ram", "\"64  MB\"", REFUSED},
	    {"ram", "\" 64MB\"", REFUSED},
	    {"ram", "\"64MB \"", REFUSED},
	    {"ram", "\"64 MB MB\"", REFUSED},
	    {"ram", "\"6 4MB\"", REFUSED},
	    {"ram", "\"64X\"", REFUSED},
	    {"ram", "\"-64MB\"", REFUSED},
	    {"ram", "\"unlimited\"", REFUSED},
	    {"ram", "\"\"", REFUSED},
	    {"ram", "-1", REFUSED},
	    {"ram", "1.5", REFUSED},
	    {"ram", "true", REFUSED},
	    {"ram", "null", REFUSED},
	    {"ram", "[\"64MB\"]", REFUSED},
	    {"ram", "\"64MB\\u0000\"", REFUSED},
	    {"ram", "1", REFUSED},
	    {"ram", "\"99999999999GB\"", REFUSED},
	    {"timeout", "\"500ms\"", 500},
	    {"timeout", "\"30s\"", 30000},
	    {"timeout", "\"5m\"", 300000},
	    {"timeout", "\"1h\"", 3600000},
	    {"timeout", "\"1.5h\"", 5400000},
	    {"timeout", "\"1m 30s\"", 90000},
	    {"timeout", "\"1m30s\"", 90000},
	    {"timeout", "\"1 minute 30 seconds\"", 90000},
	    {"timeout", "\"2hours 5min\"", 7500000},
	    {"timeout", "\"1day\"", 86400000},
	    {"timeout", "\"20000us\"", 20},
	    {"timeout", "\"20001us\"", 21},
	    {"timeout", "\"1\"", REFUSED},
	    {"timeout", "\"30\"", REFUSED},
	    {"timeout", "30", REFUSED},
	    {"timeout", "\"1m 30\"", REFUSED},
	    {"timeout", "\"30 parsecs\"", REFUSED},
	    {"timeout", "\"-5s\"", REFUSED},
	    {"timeout", "\"s\"", REFUSED},
	    {"timeout", "\" \"", REFUSED},
	    {"timeout", "\"0s\"", REFUSED},
	    {"timeout", "\"99999999999999999999s\"", REFUSED},
	    {"timeout", "\"9999999999999999d\"", REFUSED},
	    {"compute", "\"LOW\"", 10000},
	    {"compute", "\"low\"", 10000},
	    {"compute", "\"Medium\"", 60000},
	    {"compute", "\"HIGH\"", 600000},
	    {"compute", "\"30s\"", 30000},
	    {"compute", "100000000", 10000},
	    {"compute", "\"100000000\"", 10000},
	    {"compute", "2000000000", 200000},
	    {"compute", "100000001", 10001},
	    {"compute", "1", 1000},
	    {"compute", "0", REFUSED},
	    {"compute", "-1", REFUSED},
	    {"compute", "\"0\"", REFUSED},
	    {"compute", "\"FASTEST\"", REFUSED},
	    {"compute", "\"\"", REFUSED},
	    {"compute", "1.5", REFUSED},
	    {"compute", "9223372036854775807", REFUSED},
	    {"max_retries", "0", 0},
	    {"max_retries", "3", 3},
	    {"max_retries", "-1", REFUSED},
	    {"max_retries", "\"3\"", REFUSED},
	    {"max_retries", "1.0", REFUSED},
	    {"bogus", "1", REFUSED},
	    {"name", "\"x\"", REFUSED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *option = rows[i].option;
		struct declared declared;
		struct error err;
		int r = decode(option, rows[i].value, &declared, &err);

		if (rows[i].number == REFUSED) {
			CHECK(r == -EINVAL, "%s %s", option, rows[i].value);
			CHECK(strstr(err.detail, "'t'") != NULL && strstr(err.detail, option) != NULL, "%s", err.detail);
			CHECK(err.hint[0] != '\0' || strstr(err.detail, "no such option") != NULL, "%s", err.detail);
		} else {
			const struct declared_task *task = &declared.tasks[0];
			uint64_t number = *option == 'r'   ? task->ram_bytes
					  : *option == 't' ? task->wall_ms
					  : *option == 'c' ? task->cpu_time_ms
							   : task->retries;

			CHECK(r == 0, "%s %s: %s", option, rows[i].value, err.detail);
			CHECK(number == rows[i].number, "%s %s: %llu", option, rows[i].value,
			      (unsigned long long)number);
		}
		declared_fini(&declared);
	}
}

static void test_lists(void **state)
{
	static const struct {
		const char *option;
		const char *value;
		int count; /* -1: refused */
	} rows[] = {
	    {"allowed_files", "[]", 0},
	    {"allowed_files", "[\"./data\", {\"path\": \"x\", \"mode\": \"read-only\"}]", 2},
	    {"allowed_files", "[{\"path\": \"x\"}]", 1},
	    {"allowed_files", "[{\"path\": \"x\", \"mode\": \"RW\"}]", 1},
	    {"allowed_files", "\"./data\"", -1},
	    {"allowed_files", "[1]", -1},
	    {"allowed_files", "[\"\"]", -1},
	    {"allowed_files", "[{\"mode\": \"ro\"}]", -1},
	    {"allowed_files", "[{\"path\": \"x\", \"mode\": \"r\"}]", -1},
	    {"allowed_files", "[{\"path\": \"x\", \"mode\": 1}]", -1},
	    {"allowed_files", "[{\"path\": \"x\", \"mode\": \"ro\", \"more\": 1}]", -1},
	    {"allowed_files", "[{\"path\": \"x\", \"more\": 1}]", -1},
	    {"allowed_files", "[[\"x\"]]", -1},
	    {"allowed_hosts", "[]", 0},
	    {"allowed_hosts", "[\"*\", \"a.example\"]", 2},
	    {"allowed_hosts", "\"*\"", -1},
	    {"allowed_hosts", "[null]", -1},
	    {"env_variables", "[]", 0},
	    {"env_variables", "[\"A\", \"_b1\"]", 2},
	    {"env_variables", "[\"A=1\"]", -1},
	    {"env_variables", "[\"1A\"]", -1},
	    {"env_variables", "{\"A\": 1}", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct declared declared;
		struct error err;
		int r = decode(rows[i].option, rows[i].value, &declared, &err);

		CHECK((r == 0) == (rows[i].count >= 0), "%s %s: %s", rows[i].option, rows[i].value, err.detail);
		if (r == 0) {
			const struct declared_task *task = &declared.tasks[0];
			size_t count = task->file_count + task->hosts.count + task->env.count;

			CHECK(count == (size_t)rows[i].count, "%s %s", rows[i].option, rows[i].value);
			CHECK(task->has_files + task->has_hosts + task->has_env == 1, "%s", rows[i].option);
		}
		declared_fini(&declared);
	}
}

static void test_forms(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
	    {"{\"capsule\":false}", true},
	    {"{\"capsule\":true,\"entry\":null,\"tasks\":[]}", true},
	    {"{\"capsule\":true,\"entry\":{\"kind\":\"function\",\"name\":\"main\"},\"tasks\":[]}", true},
	    {"{\"capsule\":true,\"entry\":{\"kind\":\"task\",\"name\":\"x\"},\"tasks\":[]}", false},
	    {"{\"capsule\":true,\"entry\":{\"kind\":\"task\"},\"tasks\":[]}", false},
	    {"{\"capsule\":true,\"tasks\":[]}", false},
	    {"{\"capsule\":1,\"entry\":null,\"tasks\":[]}", false},
	    {"{\"capsule\":true,\"entry\":null,\"tasks\":{}}", false},
	    {"{\"capsule\":true,\"entry\":null,\"tasks\":[1]}", false},
	    {"{\"capsule\":true,\"entry\":null,\"tasks\":[{\"name\":\"a\"}]}", false},
	    {"{\"capsule\":true,\"entry\":null,\"tasks\":[{\"name\":\"a\\n\",\"options\":{}}]}", false},
	    {"{\"capsule\":true,\"entry\":null,\"tasks\":[{\"name\":\"a\",\"options\":{}},"
	     "{\"name\":\"a\",\"options\":{}}]}", false},
	    {"[]", false},
	    {"\"capsule\"", false},
	    {"null", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *root = json_loads(rows[i].text, JSON_DECODE_ANY, NULL);
		struct declared declared;
		struct error err;

		assert_non_null(root);
		CHECK((declared_decode(root, &declared, &err) == 0) == rows[i].good, "%s", rows[i].text);
		declared_fini(&declared);
		json_decref(root);
	}
}

/* What is left when the operator says this and the task declares that; NULL: an error that names both. */
static void check_limit(enum option_id id, const char *allowed, const char *option, const char *value, const char *left)
{
	struct declared declared;
	struct ceiling ceiling;
	struct policy policy;
	struct error err;
	char buf[32];
	int r;

	assert_int_equal(policy_init(&policy, &err), 0);
	if (allowed != NULL)
		assert_int_equal(option_apply(&policy, id, allowed, ORIGIN_COMMAND_LINE, &err), 0);
	assert_int_equal(policy_finalize(&policy, environ, &err), 0);
	CHECK(decode(option, value, &declared, &err) == 0, "%s", err.detail);
	r = ceiling_lower(&policy, &declared.tasks[0], &ceiling, &err);
	if (left == NULL) {
		CHECK(r == -EINVAL, "%s %s", option, value);
		CHECK(allowed == NULL || strstr(err.detail, allowed) != NULL, "%s", err.detail);
		CHECK(strstr(err.detail, option) != NULL && strstr(err.hint, "--") != NULL, "%s", err.detail);
	} else {
		CHECK(r == 0, "%s %s: %s", option, value, err.detail);
		assert_int_equal(ceiling_apply(&ceiling, &policy, &err), 0);
		CHECK(unit_same(option_format(&policy, id, buf, sizeof(buf)), left), "%s %s: %s", option, value, buf);
		assert_int_equal(policy.origin[id], ORIGIN_DECLARED);
	}
	ceiling_fini(&ceiling);
	declared_fini(&declared);
	policy_fini(&policy);
}

static void test_limits(void **state)
{
	(void)state;
	check_limit(OPTION_RAM, NULL, "ram", "\"64MB\"", "64M");
	check_limit(OPTION_RAM, NULL, "ram", "\"1GB\"", "1G");
	check_limit(OPTION_RAM, NULL, "ram", "\"2GB\"", NULL);
	check_limit(OPTION_RAM, "32M", "ram", "\"64MB\"", NULL);
	check_limit(OPTION_RAM, "2G", "ram", "\"2GB\"", "2G");
	check_limit(OPTION_TIMEOUT, NULL, "timeout", "\"1h\"", NULL);
	check_limit(OPTION_TIMEOUT, "unlimited", "timeout", "\"1h\"", "1h");
	check_limit(OPTION_TIMEOUT, "5s", "timeout", "\"5001ms\"", NULL);
	check_limit(OPTION_CPU_TIME, NULL, "compute", "\"HIGH\"", "10m");
	check_limit(OPTION_CPU_TIME, "5s", "compute", "\"LOW\"", NULL);
	check_limit(OPTION_CPU_TIME, "1m", "compute", "\"LOW\"", "10s");
	/* Nobody who said nothing has said never. */
	check_limit(OPTION_MAX_RETRIES, NULL, "max_retries", "3", "3");
	check_limit(OPTION_MAX_RETRIES, NULL, "max_retries", "101", NULL);
	check_limit(OPTION_MAX_RETRIES, "2", "max_retries", "3", NULL);
	check_limit(OPTION_MAX_RETRIES, "5", "max_retries", "3", "3");
}

/* Files and variables: the row's options, what is declared, and whether that is allowed. */
static void test_lists_are_held(void **state)
{
	static const struct {
		const char *bind;
		const char *env;
		bool accept;
		const char *option;
		const char *value;
		const char *shown; /* the first binding's guest, or the first variable; NULL: refused */
		bool writable;
	} rows[] = {
	    {NULL, NULL, false, "allowed_files", "[\"./data\"]", NULL, false},
	    {NULL, NULL, true, "allowed_files", "[\"./data\"]", "/data", true},
	    {NULL, NULL, true, "allowed_files", "[{\"path\": \"data/\", \"mode\": \"ro\"}]", "/data", false},
	    {NULL, NULL, true, "allowed_files", "[\"./data/.//in\"]", "/data/in", true},
	    {"data", NULL, false, "allowed_files", "[\"./data\"]", NULL, false},
	    {"data", NULL, false, "allowed_files", "[{\"path\": \"./data\", \"mode\": \"ro\"}]", "/data", false},
	    {"data:rw", NULL, false, "allowed_files", "[\"data\"]", "/data", true},
	    {"data:/x:rw", NULL, false, "allowed_files", "[\"data/in\"]", "/data/in", true},
	    {"data/in:rw", NULL, false, "allowed_files", "[\"data\"]", NULL, false},
	    {".:rw", NULL, false, "allowed_files", "[\"data\"]", "/data", true},
	    {NULL, NULL, true, "allowed_files", "[\"/etc\"]", NULL, false},
	    {NULL, NULL, true, "allowed_files", "[\"../other\"]", NULL, false},
	    {NULL, NULL, true, "allowed_files", "[\"data/../..\"]", NULL, false},
	    {NULL, NULL, true, "allowed_files", "[\".\"]", NULL, false},
	    {NULL, NULL, true, "allowed_files", "[\"missing\"]", NULL, false},
	    {NULL, NULL, true, "allowed_files", "[\"proc\"]", NULL, false},
	    {NULL, NULL, false, "env_variables", "[\"A\"]", NULL, false},
	    {NULL, "A=1", false, "env_variables", "[\"A\"]", "A=1", false},
	    {NULL, "B=1", false, "env_variables", "[\"A\"]", NULL, false},
	    {NULL, NULL, true, "env_variables", "[\"CAPSULE_TEST\"]", "CAPSULE_TEST=here", false},
	    {NULL, "CAPSULE_TEST=given", true, "env_variables", "[\"CAPSULE_TEST\"]", "CAPSULE_TEST=given", false},
	    {NULL, NULL, true, "allowed_hosts", "[\"a.example\"]", NULL, false},
	};
	char path[PATH_MAX];
	int dir_fd = unit_temp(path);

	(void)state;
	unit_make(dir_fd, "data/in/", "");
	unit_make(dir_fd, "proc/", "");
	assert_int_equal(fchdir(dir_fd), 0);
	assert_int_equal(setenv("CAPSULE_TEST", "here", 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct declared declared;
		struct ceiling ceiling;
		struct policy policy;
		struct error err;
		int r;

		assert_int_equal(policy_init(&policy, &err), 0);
		if (rows[i].bind != NULL)
			assert_int_equal(
			    option_apply(&policy, OPTION_BIND, rows[i].bind, ORIGIN_COMMAND_LINE, &err), 0);
		if (rows[i].env != NULL)
			assert_int_equal(option_apply(&policy, OPTION_ENV, rows[i].env, ORIGIN_COMMAND_LINE, &err), 0);
		policy.command.accept_declared = rows[i].accept;
		assert_int_equal(policy_finalize(&policy, environ, &err), 0);
		CHECK(decode(rows[i].option, rows[i].value, &declared, &err) == 0, "%s", err.detail);
		r = ceiling_lower(&policy, &declared.tasks[0], &ceiling, &err);
		CHECK((r == 0) == (rows[i].shown != NULL), "row %zu: %s", i, err.detail);
		if (r == 0) {
			CHECK(ceiling_apply(&ceiling, &policy, &err) == 0, "row %zu", i);
			CHECK(unit_same(rows[i].option[0] == 'a' ? policy.files.binds[0].guest
								 : policy.command.env_set.item[0],
					rows[i].shown),
			      "row %zu", i);
			CHECK(rows[i].option[0] != 'a' || policy.files.binds[0].writable == rows[i].writable, "row %zu", i);
		}
		ceiling_fini(&ceiling);
		declared_fini(&declared);
		policy_fini(&policy);
	}
	assert_int_equal(chdir("/"), 0);
	unit_temp_remove(path, dir_fd);
}

static void test_config(void **state)
{
	static const struct {
		const char *text;
		const char *entrypoint;
		uint64_t ram;
		const char *word; /* NULL: understood */
	} rows[] = {
	    {"{}", NULL, LIMIT_NONE, NULL},
	    {"{\"workflow\":{\"name\":\"n\",\"version\":\"1\",\"entrypoint\":\"a/b.py\"}}", "a/b.py", LIMIT_NONE, NULL},
	    {"{\"tasks\":{\"default_ram\":\"64MB\",\"default_compute\":\"low\"}}", NULL, 64ULL << 20, NULL},
	    {"{\"tasks\":{\"default_ram\":\"64X\"}}", NULL, 0, "ram"},
	    {"{\"tasks\":{\"default_bogus\":1}}", NULL, 0, "bogus"},
	    {"{\"tasks\":{\"ram\":\"64MB\"}}", NULL, 0, "ram"},
	    {"{\"tasks\":1}", NULL, 0, "tasks"},
	    {"{\"other\":{}}", NULL, 0, "other"},
	    {"{\"workflow\":{\"entrypoint\":\"/etc/x.py\"}}", NULL, 0, "entrypoint"},
	    {"{\"workflow\":{\"entrypoint\":\"a/../../x.py\"}}", NULL, 0, "entrypoint"},
	    {"{\"workflow\":{\"entrypoint\":\"--ram\"}}", NULL, 0, "entrypoint"},
	    {"{\"workflow\":{\"entrypoint\":1}}", NULL, 0, "entrypoint"},
	    {"{\"workflow\":{\"more\":\"x\"}}", NULL, 0, "more"},
	    {"[]", NULL, 0, "not understood"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *root = json_loads(rows[i].text, 0, NULL);
		struct config config;
		struct error err;
		int r = config_decode(root, "capsule.toml", &config, &err);

		assert_non_null(root);
		CHECK((r == 0) == (rows[i].word == NULL), "%s", rows[i].text);
		CHECK(r == 0 || (strstr(err.detail, "capsule.toml") != NULL && strstr(err.detail, rows[i].word) != NULL),
		      "%s: %s", rows[i].text, err.detail);
		CHECK(r < 0 || (unit_same(config.entrypoint, rows[i].entrypoint) &&
				config.defaults.ram_bytes == rows[i].ram),
		      "%s", rows[i].text);
		config_fini(&config);
		json_decref(root);
	}
}

/* What a task says itself holds; what it leaves out is filled in. */
static void test_config_fills_gaps(void **state)
{
	json_t *root = json_loads("{\"tasks\":{\"default_ram\":\"64MB\",\"default_timeout\":\"5s\","
				  "\"default_allowed_files\":[\"d\"],\"default_env_variables\":[\"A\"]}}",
				  0, NULL);
	struct declared declared;
	struct config config;
	struct error err;

	(void)state;
	assert_int_equal(config_decode(root, "capsule.toml", &config, &err), 0);
	assert_int_equal(decode("ram", "\"32MB\"", &declared, &err), 0);
	assert_int_equal(config_apply(&config, &declared, &err), 0);
	assert_int_equal(declared.tasks[0].ram_bytes, 32 << 20);
	assert_int_equal(declared.tasks[0].wall_ms, 5000);
	assert_int_equal(declared.tasks[0].file_count, 1);
	assert_string_equal(declared.tasks[0].env.item[0], "A");
	declared_fini(&declared);
	assert_int_equal(decode("env_variables", "[]", &declared, &err), 0);
	assert_int_equal(config_apply(&config, &declared, &err), 0);
	assert_int_equal(declared.tasks[0].env.count, 0);
	declared_fini(&declared);
	config_fini(&config);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_lists),
					   cmocka_unit_test(test_forms), cmocka_unit_test(test_limits),
					   cmocka_unit_test(test_lists_are_held), cmocka_unit_test(test_config),
					   cmocka_unit_test(test_config_fills_gaps)};

	return cmocka_run_group_tests_name("declared", tests, NULL, NULL);
}
