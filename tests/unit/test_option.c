/* The table of options, row by row: what holds for one row holds for each. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/option.h"
#include "policy/profile.h"

static bool is_number(const struct option_row *row)
{
	return row->kind == OPTION_KIND_SIZE || row->kind == OPTION_KIND_COUNT ||
	       row->kind == OPTION_KIND_DURATION || row->kind == OPTION_KIND_MILLI;
}

static uint64_t number_of(const struct policy *policy, const struct option_row *row)
{
	uint64_t value;

	memcpy(&value, (const char *)policy + row->offset, sizeof(value));
	return value;
}

/* A number in the smallest unit of its row: bytes, milliseconds, thousandths. */
static const char *write_number(const struct option_row *row, uint64_t value, char *buf, size_t size)
{
	unsigned long long n = value;

	if (row->kind == OPTION_KIND_MILLI)
		(void)snprintf(buf, size, "%llu.%03llu", n / 1000, n % 1000);
	else
		(void)snprintf(buf, size, "%llu%s", n, row->kind == OPTION_KIND_DURATION ? "ms" : "");
	return buf;
}

/* A value that is not the default: the largest number, the last word, some text. */
static const char *other_value(const struct option_row *row, char *buf, size_t size)
{
	const char *word = row->kind == OPTION_KIND_FLAG ? NULL : "x";

	if (is_number(row))
		return write_number(row, row->max, buf, size);
	for (unsigned int i = 0; row->choices != NULL && row->choices[i] != NULL; i++)
		word = row->choices[i];
	return word;
}

/* The words of a choice, as its metavar shows them. */
static bool has_its_words(const struct option_row *row)
{
	char words[64] = "";

	if (row->kind != OPTION_KIND_CHOICE)
		return row->choices == NULL;
	for (unsigned int i = 0; row->choices[i] != NULL; i++) {
		size_t len = strlen(words);

		(void)snprintf(words + len, sizeof(words) - len, "%s%s", i > 0 ? "|" : "", row->choices[i]);
	}
	return unit_same(words, row->metavar) && strchr(words, '|') != NULL;
}

static void test_shape(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		const struct option_row *row = &option_table[i];

		assert_non_null(row->name);
		CHECK(row->name[0] != '\0' && row->name[strspn(row->name, "abcdefghijklmnopqrstuvwxyz-")] == '\0',
		      "%s", row->name);
		CHECK(option_find(row->name, strlen(row->name)) == i, "%s is there twice", row->name);
		CHECK(option_find(row->name, strlen(row->name) - 1) == OPTION_MAX, "%s abbreviated", row->name);
		CHECK(row->letter == 0 || option_find_letter(row->letter) == i, "-%c is there twice", row->letter);
		CHECK(row->letter == 0 || strchr("hVcm", row->letter) == NULL, "-%c is taken", row->letter);
		CHECK((row->metavar == NULL) == (row->kind == OPTION_KIND_FLAG), "%s", row->name);
		CHECK(has_its_words(row), "%s: %s", row->name, row->metavar);
		CHECK(row->help != NULL && row->help[0] != '\0', "%s", row->name);
		CHECK(row->group < OPTION_GROUP_MAX && option_group_name(row->group) != NULL, "%s", row->name);
		CHECK(!is_number(row) || (row->min < row->max && row->max < LIMIT_NONE), "%s", row->name);
		CHECK(row->open ? is_number(row) : !is_number(row) || row->preset != NULL,
		      "%s has no value by default", row->name);
	}
	assert_int_equal(option_find("bogus", 5), OPTION_MAX);
	assert_int_equal(option_find("", 0), OPTION_MAX);
	assert_int_equal(option_find("ram=1G", 6), OPTION_MAX);
	assert_int_equal(option_find_letter('Z'), OPTION_MAX);
}

/* The numbers that the manual promises, spelled out once more. NULL: unset. */
static void test_defaults(void **state)
{
	static const struct {
		enum option_id id;
		const char *text;
		uint64_t value;
	} rows[] = {
	    {OPTION_RAM, "1G", 1ULL << 30},
	    {OPTION_RAM_SOFT, "unlimited", LIMIT_NONE},
	    {OPTION_PIDS, "256", 256},
	    {OPTION_CPU, "unlimited", LIMIT_NONE},
	    {OPTION_IO_READ_BPS, "unlimited", LIMIT_NONE},
	    {OPTION_IO_WRITE_BPS, "unlimited", LIMIT_NONE},
	    {OPTION_CPU_TIME, "unlimited", LIMIT_NONE},
	    {OPTION_COMPUTE, "unlimited", LIMIT_NONE},
	    {OPTION_TIMEOUT, "10m", 600000},
	    {OPTION_STALL, "unlimited", LIMIT_NONE},
	    {OPTION_GRACE, "1s", 1000},
	    {OPTION_NOFILE, "1024", 1024},
	    {OPTION_FSIZE, "1G", 1ULL << 30},
	    {OPTION_OUTPUT, "16M", 16ULL << 20},
	    {OPTION_OUTPUT_KEEP, "head", 0},
	    {OPTION_DISK, "1G", 1ULL << 30},
	    {OPTION_INODES, "20000", 20000},
	    {OPTION_DIR, "/tmp/agent_sandbox", 0},
	    {OPTION_FRESH, "no", 0},
	    {OPTION_BIND, NULL, 0},
	    {OPTION_SRC, NULL, 0},
	    {OPTION_RUNTIME, "system", 0},
	    {OPTION_ALLOW, NULL, 0},
	    {OPTION_ALLOW_FILE, NULL, 0},
	    {OPTION_NET_BYTES, NULL, 0},
	    {OPTION_NET_CONNECTIONS, NULL, 0},
	    {OPTION_NET_RATE, NULL, 0},
	    {OPTION_NET_LOG, NULL, 0},
	    {OPTION_PYTHON, NULL, 0},
	    {OPTION_VENV, NULL, 0},
	    {OPTION_ENV, NULL, 0},
	    {OPTION_TASK, NULL, 0},
	    {OPTION_ARGS_FILE, NULL, 0},
	    {OPTION_ACCEPT_DECLARED, "no", 0},
	    {OPTION_NO_STDIN, "no", 0},
	    {OPTION_RAW_TERMINAL, "no", 0},
	    {OPTION_FILTER, "default", 0},
	    {OPTION_PROFILE, NULL, 0},
	    {OPTION_MAX_RETRIES, "0", 0},
	    {OPTION_RETRY_ON, "failure", 0},
	    {OPTION_RETRY_DELAY, "1s", 1000},
	    {OPTION_RESULT, NULL, 0},
	    {OPTION_REQUIRE, NULL, 0},
	    {OPTION_JSON, "no", 0},
	    {OPTION_SUMMARY, "no", 0},
	    {OPTION_TIMELINE, "no", 0},
	    {OPTION_QUIET, "no", 0},
	    {OPTION_VERBOSE, "no", 0},
	};
	bool seen[OPTION_MAX] = {false};
	struct policy policy;
	struct error err;

	(void)state;
	assert_int_equal(policy_init(&policy, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct option_row *row = &option_table[rows[i].id];
		char buf[32];

		seen[rows[i].id] = true;
		CHECK(unit_same(option_format(&policy, rows[i].id, buf, sizeof(buf)), rows[i].text), "%s",
		      row->name);
		CHECK(!is_number(row) || number_of(&policy, row) == rows[i].value, "%s", row->name);
		CHECK(row->kind != OPTION_KIND_LIST || option_list(&policy, rows[i].id)->count == 0, "%s",
		      row->name);
		CHECK(policy.origin[rows[i].id] == ORIGIN_DEFAULT, "%s", row->name);
	}
	for (unsigned int i = 0; i < OPTION_MAX; i++)
		CHECK(seen[i], "%s has no row in this test", option_table[i].name);
	policy_fini(&policy);
}

/* Each field is its own: setting one option changes no other. */
static void test_fields_are_apart(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		const struct option_row *row = &option_table[i];
		struct policy policy;
		struct policy other;
		struct error err;
		char buf[64];

		assert_int_equal(policy_init(&policy, &err), 0);
		assert_int_equal(policy_init(&other, &err), 0);
		assert_int_equal(option_apply(&policy, i, other_value(row, buf, sizeof(buf)), ORIGIN_COMMAND_LINE, &err),
				 0);
		for (unsigned int k = 0; k < OPTION_MAX; k++) {
			char one[32];
			char two[32];

			if (option_table[k].kind == OPTION_KIND_LIST) {
				CHECK(option_list(&policy, k)->count == (k == i ? 1U : 0U), "%s by %s",
				      option_table[k].name, row->name);
				continue;
			}
			CHECK((k == i) != unit_same(option_format(&policy, k, one, sizeof(one)),
						    option_format(&other, k, two, sizeof(two))),
			      "%s by %s", option_table[k].name, row->name);
			CHECK(policy.origin[k] == (k == i ? ORIGIN_COMMAND_LINE : ORIGIN_DEFAULT), "%s by %s",
			      option_table[k].name, row->name);
		}
		policy_fini(&policy);
		policy_fini(&other);
	}
}

static void check_refused(const struct option_row *row, enum option_id id, const char *text, const char *accepted)
{
	struct policy policy;
	struct policy before;
	struct error err;

	assert_int_equal(policy_init(&policy, &err), 0);
	memcpy(&before, &policy, sizeof(before));
	memset(&err, 0, sizeof(err));
	CHECK(option_apply(&policy, id, text, ORIGIN_COMMAND_LINE, &err) == -EINVAL, "--%s '%s'", row->name, text);
	CHECK(memcmp(&before, &policy, sizeof(before)) == 0, "--%s '%s' changed the policy", row->name, text);
	CHECK(strstr(err.detail, row->name) != NULL && strstr(err.detail, text) != NULL,
	      "--%s '%s' says '%s'", row->name, text, err.detail);
	CHECK(strcmp(err.stage, "usage") == 0, "--%s '%s'", row->name, text);
	CHECK(accepted == NULL || strstr(err.hint, accepted) != NULL, "--%s '%s': '%s' is not in '%s'", row->name,
	      text, accepted, err.hint);
	policy_fini(&policy);
}

static void check_accepted(const struct option_row *row, enum option_id id, const char *text, uint64_t value)
{
	struct policy policy;
	struct error err;

	assert_int_equal(policy_init(&policy, &err), 0);
	CHECK(option_apply(&policy, id, text, ORIGIN_COMMAND_LINE, &err) == 0, "--%s %s: %s", row->name, text,
	      err.detail);
	CHECK(number_of(&policy, row) == value, "--%s %s", row->name, text);
	policy_fini(&policy);
}

static void test_bounds(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		const struct option_row *row = &option_table[i];
		char buf[64];

		if (!is_number(row))
			continue;
		check_accepted(row, i, write_number(row, row->min, buf, sizeof(buf)), row->min);
		check_accepted(row, i, write_number(row, row->max, buf, sizeof(buf)), row->max);
		check_refused(row, i, write_number(row, row->max + 1, buf, sizeof(buf)), "accepted: ");
		check_refused(row, i, write_number(row, row->max + 1, buf, sizeof(buf)), " to ");
		if (row->min > 0)
			check_refused(row, i, write_number(row, row->min - 1, buf, sizeof(buf)), " to ");
		check_refused(row, i, "18446744073709551615", "accepted: ");
		check_refused(row, i, "18446744073709551616", "accepted: ");
		if (row->open)
			check_accepted(row, i, "unlimited", LIMIT_NONE);
		else
			check_refused(row, i, "unlimited", "accepted: ");
		check_refused(row, i, "bogus", row->open ? "unlimited" : "accepted: ");
		CHECK(number_of(&(struct policy){0}, row) == 0, "%s", row->name);
	}
}

static void test_malformed(void **state)
{
	static const char *const texts[] = {"", "-1", "+1", " 1", "1 ", "0x10", "1..", "UNLIMITED", "unlimited ",
					    "\n", "1e9", "nan"};

	(void)state;
	for (unsigned int i = 0; i < OPTION_MAX; i++)
		for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
			if (is_number(&option_table[i]) || option_table[i].kind == OPTION_KIND_FLAG)
				check_refused(&option_table[i], i, texts[k], "accepted: ");
	for (unsigned int i = 0; i < OPTION_MAX; i++)
		for (size_t k = 0; k < ARRAY_SIZE(texts) && option_table[i].choices != NULL; k++)
			check_refused(&option_table[i], i, texts[k], option_table[i].choices[1]);
	for (unsigned int i = 0; i < OPTION_MAX; i++)
		if (option_table[i].kind == OPTION_KIND_STRING || option_table[i].kind == OPTION_KIND_LIST)
			check_refused(&option_table[i], i, "", NULL);
}

/* The message's "A to B": both can be passed as they stand. */
static void test_bounds_in_message(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		const struct option_row *row = &option_table[i];
		struct policy policy;
		struct error err;
		char low[64] = "";
		char high[64] = "";
		char buf[64];

		if (!is_number(row))
			continue;
		assert_int_equal(policy_init(&policy, &err), 0);
		assert_int_equal(option_apply(&policy, i, write_number(row, row->max + 1, buf, sizeof(buf)),
					      ORIGIN_COMMAND_LINE, &err), -EINVAL);
		CHECK(sscanf(err.hint, "accepted: %63s to %63[^, ]", low, high) == 2, "%s: %s", row->name, err.hint);
		check_accepted(row, i, low, row->min);
		check_accepted(row, i, high, row->max);
		policy_fini(&policy);
	}
}

static void print_policy(const struct policy *policy, char **ret)
{
	size_t size = 0;
	FILE *out = open_memstream(ret, &size);

	assert_non_null(out);
	profile_print(policy, out);
	assert_int_equal(fclose(out), 0);
}

static void check_round_trip(const struct policy *policy, const char *what)
{
	AUTO_FREE char *first = NULL;
	AUTO_FREE char *second = NULL;
	struct policy again;
	struct error err;

	print_policy(policy, &first);
	assert_int_equal(policy_init(&again, &err), 0);
	CHECK(profile_parse(&again, "p", first, strlen(first), &err) == 0, "%s: %s\n%s", what, err.detail, first);
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		char one[32];
		char two[32];

		if (option_table[i].line_only)
			continue;
		CHECK(unit_same(option_format(policy, i, one, sizeof(one)), option_format(&again, i, two, sizeof(two))),
		      "%s: %s", what, option_table[i].name);
		if (option_table[i].kind != OPTION_KIND_LIST)
			continue;
		CHECK(option_list(policy, i)->count == option_list(&again, i)->count, "%s: %s", what,
		      option_table[i].name);
		for (size_t k = 0; k < option_list(policy, i)->count; k++)
			CHECK(unit_same(option_list(policy, i)->item[k], option_list(&again, i)->item[k]), "%s: %s",
			      what, option_table[i].name);
	}
	memcpy(again.origin, policy->origin, sizeof(again.origin));
	for (unsigned int i = 0; i < OPTION_MAX; i++)
		for (size_t k = 0; again.item_origin[i] != NULL && k < option_list(&again, i)->count; k++)
			again.item_origin[i][k] = policy->item_origin[i][k];
	print_policy(&again, &second);
	CHECK(strcmp(first, second) == 0, "%s:\n%s\n%s", what, first, second);
	policy_fini(&again);
}

static void test_print_and_reparse(void **state)
{
	static const uint64_t numbers[] = {0, 1, 7, 10, 999, 1000, 1001, 1023, 1536, 4096, 60000, 90000, 65537,
					   86400000, 5ULL << 20, (5ULL << 20) + 1, 3ULL << 30, 3ULL << 40};
	static const char *const texts[] = {"x", "/a b/c", "A=b = c", "with:colon", "a#b", "a #b", "#", " ", " x", "x ", "\t",
					    "a\nram = 2G", "\"", "\\", "\\n", "'", "a\"b\\c", "\x01\x7f", "\xff\xfe",
					    "\xc2\x85", "t\xc3\xa4sk", "\r", "$HOME", "./~", "capsule-run-profile 2"};
	static const char *const flags[] = {NULL, "yes", "no"};

	(void)state;
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		const struct option_row *row = &option_table[i];
		bool is_flag = row->kind == OPTION_KIND_FLAG;
		size_t count = is_number(row) ? ARRAY_SIZE(numbers) : is_flag ? ARRAY_SIZE(flags) : ARRAY_SIZE(texts);

		if (row->kind == OPTION_KIND_CHOICE)
			continue;
		for (size_t k = 0; k < count; k++) {
			struct policy policy;
			struct error err;
			char buf[64];

			if (is_number(row) && (numbers[k] < row->min || numbers[k] > row->max))
				continue;
			assert_int_equal(policy_init(&policy, &err), 0);
			assert_int_equal(option_apply(&policy, i,
						      is_number(row) ? write_number(row, numbers[k], buf, sizeof(buf))
						      : is_flag	     ? flags[k]
								     : texts[k],
						      ORIGIN_COMMAND_LINE, &err), 0);
			if (row->kind == OPTION_KIND_LIST)
				assert_int_equal(option_apply(&policy, i, "second", ORIGIN_COMMAND_LINE, &err), 0);
			check_round_trip(&policy, row->name);
			policy_fini(&policy);
		}
	}
}

/* Each word of a choice is taken as it stands, and nothing that is like one. */
static void test_choices(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		const struct option_row *row = &option_table[i];

		for (unsigned int k = 0; row->choices != NULL && row->choices[k] != NULL; k++) {
			struct policy policy;
			struct error err;
			char longer[64];
			char shorter[64];

			assert_int_equal(policy_init(&policy, &err), 0);
			CHECK(option_apply(&policy, i, row->choices[k], ORIGIN_COMMAND_LINE, &err) == 0, "%s",
			      row->choices[k]);
			CHECK(unit_same(option_format(&policy, i, NULL, 0), row->choices[k]), "%s", row->choices[k]);
			check_round_trip(&policy, row->name);
			policy_fini(&policy);
			(void)snprintf(longer, sizeof(longer), "%ss", row->choices[k]);
			check_refused(row, i, longer, row->choices[k]);
			(void)snprintf(shorter, sizeof(shorter), "%.*s", (int)strlen(row->choices[k]) - 1,
				       row->choices[k]);
			check_refused(row, i, shorter, row->choices[k]);
		}
	}
}

static void test_last_wins(void **state)
{
	struct policy policy;
	struct error err;
	char buf[32];

	(void)state;
	assert_int_equal(policy_init(&policy, &err), 0);
	assert_int_equal(option_apply(&policy, OPTION_DIR, "/one", ORIGIN_COMMAND_LINE, &err), 0);
	assert_int_equal(option_apply(&policy, OPTION_DIR, "/two", ORIGIN_COMMAND_LINE, &err), 0);
	assert_string_equal(option_format(&policy, OPTION_DIR, buf, sizeof(buf)), "/two");
	assert_int_equal(option_apply(&policy, OPTION_RAM, "2G", ORIGIN_COMMAND_LINE, &err), 0);
	assert_int_equal(option_apply(&policy, OPTION_RAM, "bad", ORIGIN_COMMAND_LINE, &err), -EINVAL);
	assert_string_equal(option_format(&policy, OPTION_RAM, buf, sizeof(buf)), "2G");
	policy_fini(&policy);
	policy_fini(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shape),
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_fields_are_apart),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_bounds_in_message),
	    cmocka_unit_test(test_print_and_reparse),
	    cmocka_unit_test(test_choices),
	    cmocka_unit_test(test_last_wins),
	};

	return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
