#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "policy/option.h"
#include "run/verdict.h"

#define HIT(hit) (1U << LIMIT_HIT_##hit)

static void test_status(void **state)
{
	static const struct {
		enum outcome outcome;
		int exit_code;
		int signal;
		uint32_t hits;
		unsigned char exit; /* of the error */
		int status;
		int errnum; /* of writing the task's output */
	} rows[] = {
	    {OUTCOME_EXITED, 0, 0, 0, 0, 0, 0},
	    {OUTCOME_EXITED, 1, 0, 0, 0, 1, 0},
	    {OUTCOME_EXITED, 255, 0, 0, 0, 255, 0},
	    {OUTCOME_EXITED, 125, 0, 0, 0, 125, 0},
	    {OUTCOME_EXITED, 0, 0, HIT(OUTPUT), 0, 123, 0},
	    {OUTCOME_EXITED, 3, 0, HIT(OUTPUT), 0, 3, 0},
	    {OUTCOME_EXITED, 0, 0, HIT(PIDS), 0, 0, 0},
	    {OUTCOME_EXITED, 0, 0, 0, 0, 125, ENOSPC}, /* what it wrote was lost: no success */
	    {OUTCOME_EXITED, 0, 0, HIT(OUTPUT), 0, 125, EIO},
	    {OUTCOME_EXITED, 3, 0, 0, 0, 3, ENOSPC},
	    {OUTCOME_SIGNALED, -1, SIGSEGV, 0, 0, 139, 0},
	    {OUTCOME_SIGNALED, -1, SIGKILL, 0, 0, 137, 0},
	    {OUTCOME_SIGNALED, -1, SIGTERM, HIT(OUTPUT), 0, 143, 0},
	    {OUTCOME_TIMEOUT, -1, SIGKILL, HIT(TIMEOUT), 0, 124, 0},
	    {OUTCOME_TIMEOUT, 0, 0, HIT(TIMEOUT), 0, 124, 0},
	    {OUTCOME_CPU_TIME, -1, SIGXCPU, HIT(CPU_TIME), 0, 124, 0},
	    {OUTCOME_OUT_OF_MEMORY, -1, SIGKILL, HIT(RAM), 0, 137, 0},
	    {OUTCOME_OUT_OF_MEMORY, 0, 0, HIT(RAM), 0, 137, 0},
	    {OUTCOME_DISK, -1, SIGKILL, HIT(DISK), 0, 123, 0},
	    {OUTCOME_FAILED, -1, 0, 0, 0, 125, 0},
	    {OUTCOME_FAILED, -1, 0, 0, 126, 126, 0},
	    {OUTCOME_FAILED, -1, 0, 0, 127, 127, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct verdict verdict = {.outcome = rows[i].outcome,
					  .exit_code = rows[i].exit_code,
					  .signal = rows[i].signal,
					  .limits_hit = rows[i].hits,
					  .error = {.exit = rows[i].exit}};

		for (unsigned int stream = 0; stream < 2; stream++) {
			int status;

			verdict.out.errnum = stream == 0 ? rows[i].errnum : 0;
			verdict.err.errnum = stream == 1 ? rows[i].errnum : 0;
			status = verdict_status(&verdict);
			CHECK(status == rows[i].status, "row %zu: %d", i, status);
		}
	}
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < RUNG_MAX; i++)
		CHECK(rung_name(i)[0] != '\0', "rung %u", i);
	for (unsigned int i = 0; i < LIMIT_HIT_MAX; i++)
		CHECK(option_find(limit_hit_name(i), strlen(limit_hit_name(i))) < OPTION_MAX, "%s is no option",
		      limit_hit_name(i));
}

/* Writes and reads back through a temporary file. */
static json_t *write_and_load(struct verdict *verdict, const char *before)
{
	char path[PATH_MAX];
	int dir_fd = unit_temp(path);
	struct plan plan;
	struct policy policy;
	struct error err;
	json_error_t why;
	json_t *root;
	FILE *in;
	int fd;

	memset(&plan, 0, sizeof(plan));
	plan.ids = (struct idmap){.host_uid = 4000000000U, .host_gid = 7, .privileged = true};
	unit_make(dir_fd, "verdict.json", before);
	assert_int_equal(policy_init(&policy, &err), 0);
	assert_int_equal(option_apply(&policy, OPTION_RESULT, "verdict.json", ORIGIN_COMMAND_LINE, &err), 0);
	assert_int_equal(option_apply(&policy, OPTION_RAM, "2G", ORIGIN_COMMAND_LINE, &err), 0);
	fd = openat(dir_fd, "verdict.json", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(verdict_write(verdict, &policy, &plan, fd, &err), 0);
	(void)close(fd);
	fd = openat(dir_fd, "verdict.json", O_RDONLY | O_CLOEXEC);
	in = fdopen(fd, "r");
	root = json_loadf(in, JSON_REJECT_DUPLICATES, &why);
	CHECK(root != NULL, "line %d: %s", why.line, why.text);
	(void)fclose(in);
	policy_fini(&policy);
	unit_temp_remove(path, dir_fd);
	return root;
}

static const char *text_at(json_t *root, const char *one, const char *two, const char *three)
{
	json_t *at = json_object_get(root, one);

	if (two != NULL)
		at = json_object_get(at, two);
	if (three != NULL)
		at = json_object_get(at, three);
	return json_string_value(at);
}

static json_int_t number_at(json_t *root, const char *one, const char *two)
{
	json_t *at = json_object_get(root, one);

	if (two != NULL)
		at = json_object_get(at, two);
	CHECK(json_is_integer(at), "%s %s", one, two != NULL ? two : "");
	return json_integer_value(at);
}

static void test_exited(void **state)
{
	struct verdict verdict = {.outcome = OUTCOME_EXITED,
				  .started = true,
				  .exit_code = 3,
				  .status = 3,
				  .limits_hit = HIT(PIDS) | HIT(OUTPUT),
				  .peaks = {[LIMIT_HIT_OUTPUT] = 1ULL << 40},
				  .used = {.wall_ms = 1234,
					   .cpu_ms = 99,
					   .cpu_from = METER_RUSAGE,
					   .memory_peak_bytes = 1ULL << 40,
					   .memory_from = METER_CGROUP,
					   .is_detailed = true,
					   .account = {.user_us = 98000,
						       .system_us = ACCOUNT_UNKNOWN,
						       .throttled_us = ACCOUNT_UNKNOWN,
						       .pids_peak = 7}},
				  .out = {.passed = 10, .dropped = 20},
				  .err = {.passed = 30, .dropped = 1ULL << 40},
				  .layers = LAYER_BIT(LAYER_USER) | LAYER_BIT(LAYER_CGROUP)};
	static const char *const unknown[] = {"system_ms", "throttled_ms", "page_faults", "major_page_faults",
					      "read_bytes", "written_bytes"};
	char before[4096];
	json_t *root;
	json_t *hit;

	(void)state;
	verdict.rungs[OPTION_RAM] = RUNG_CGROUP_V2;
	/* A longer, older verdict in the same file leaves nothing behind. */
	memset(before, '#', sizeof(before) - 1);
	before[sizeof(before) - 1] = '\0';
	root = write_and_load(&verdict, before);
	assert_int_equal(number_at(root, "capsule_run_verdict", NULL), 1);
	assert_string_equal(text_at(root, "outcome", NULL, NULL), "exited");
	assert_int_equal(number_at(root, "status", NULL), 3);
	assert_int_equal(number_at(root, "exit_code", NULL), 3);
	assert_true(json_is_null(json_object_get(root, "signal")));
	assert_true(json_is_true(json_object_get(root, "started")));
	assert_int_equal(number_at(root, "usage", "wall_ms"), 1234);
	assert_int_equal(number_at(root, "usage", "cpu_ms"), 99);
	assert_int_equal(number_at(root, "usage", "user_ms"), 98);
	assert_int_equal(number_at(root, "usage", "pids_peak"), 7);
	assert_int_equal(number_at(root, "usage", "memory_peak_bytes"), 1ULL << 40);
	assert_string_equal(text_at(root, "usage", "sources", "memory"), "cgroup");
	assert_string_equal(text_at(root, "usage", "sources", "cpu"), "rusage");
	/* What nobody counted is null, not 0. */
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		CHECK(json_is_null(json_object_get(json_object_get(root, "usage"), unknown[i])), "%s", unknown[i]);
	assert_int_equal(number_at(root, "stdout", "bytes"), 10);
	assert_int_equal(number_at(root, "stdout", "dropped_bytes"), 20);
	assert_int_equal(number_at(root, "stderr", "bytes"), 30);
	assert_int_equal(number_at(root, "stderr", "dropped_bytes"), 1ULL << 40);
	assert_int_equal(json_array_size(json_object_get(root, "limits_hit")), 2);
	hit = json_array_get(json_object_get(root, "limits_hit"), 0);
	assert_string_equal(text_at(hit, "limit", NULL, NULL), "pids");
	assert_string_equal(text_at(hit, "unit", NULL, NULL), "count");
	assert_int_equal(number_at(hit, "value", NULL), 256);
	assert_true(json_is_null(json_object_get(hit, "peak")));
	hit = json_array_get(json_object_get(root, "limits_hit"), 1);
	assert_string_equal(text_at(hit, "limit", NULL, NULL), "output");
	assert_string_equal(text_at(hit, "unit", NULL, NULL), "bytes");
	assert_int_equal(number_at(hit, "value", NULL), 16 << 20);
	assert_int_equal(number_at(hit, "peak", NULL), 1ULL << 40);
	assert_int_equal(json_array_size(json_object_get(root, "layers")), 2);
	assert_string_equal(json_string_value(json_array_get(json_object_get(root, "layers"), 1)), "cgroup");
	assert_string_equal(text_at(root, "runtime", NULL, NULL), "system");
	assert_string_equal(text_at(root, "filter", NULL, NULL), "default");
	assert_int_equal(number_at(root, "ids", "host_uid"), 4000000000U);
	assert_true(json_is_true(json_object_get(json_object_get(root, "ids"), "groups_shed")));
	assert_string_equal(text_at(root, "limits", "ram", "value"), "2G");
	assert_string_equal(text_at(root, "limits", "ram", "rung"), "cgroup-v2");
	assert_string_equal(text_at(root, "limits", "ram", "origin"), "command line");
	assert_string_equal(text_at(root, "limits", "cpu", "value"), "unlimited");
	assert_string_equal(text_at(root, "limits", "pids", "origin"), "default");
	for (unsigned int i = 0; i < OPTION_MAX; i++)
		CHECK((json_object_get(json_object_get(root, "limits"), option_table[i].name) != NULL) ==
			  (option_table[i].group == OPTION_GROUP_LIMITS),
		      "%s", option_table[i].name);
	assert_null(json_object_get(root, "error"));
	assert_null(json_object_get(root, "overshoot"));
	assert_null(json_object_get(json_object_get(root, "stdout"), "error"));
	json_decref(root);
	verdict.err.errnum = ENOSPC;
	root = write_and_load(&verdict, "");
	assert_string_equal(text_at(root, "stderr", "error", NULL), strerror(ENOSPC));
	assert_null(json_object_get(json_object_get(root, "stdout"), "error"));
	json_decref(root);
}

static void test_no_cgroup(void **state)
{
	struct verdict verdict = {.outcome = OUTCOME_EXITED, .started = true};
	json_t *root = write_and_load(&verdict, "");

	(void)state;
	assert_true(json_is_null(json_object_get(root, "no_cgroup")));
	json_decref(root);
	verdict.no_cgroup = "none is delegated";
	root = write_and_load(&verdict, "");
	assert_string_equal(text_at(root, "no_cgroup", "why", NULL), "none is delegated");
	assert_true(json_is_null(json_object_get(json_object_get(root, "no_cgroup"), "scope")));
	json_decref(root);
	verdict.no_scope = "no systemd runs for this user";
	verdict.no_cgroup_cure = "log in";
	root = write_and_load(&verdict, "");
	assert_string_equal(text_at(root, "no_cgroup", "scope", NULL), "no systemd runs for this user");
	assert_string_equal(text_at(root, "no_cgroup", "cure", NULL), "log in");
	json_decref(root);
}

/* Of what is not known, null; a name is the task's, so it is made harmless. */
static void test_refusals(void **state)
{
	struct verdict verdict = {.outcome = OUTCOME_EXITED, .started = true};
	struct refusals *refusals = &verdict.refusals;
	json_t *root;
	json_t *row;

	(void)state;
	root = write_and_load(&verdict, "");
	assert_true(json_is_null(json_object_get(root, "refusals")));
	json_decref(root);
	refusals->state = REFUSALS_UNOBSERVED;
	refusals->errnum = EBUSY;
	root = write_and_load(&verdict, "");
	assert_string_equal(text_at(root, "refusals", "observer", NULL), "unavailable");
	assert_non_null(strstr(text_at(root, "refusals", "reason", NULL), "listener"));
	assert_int_equal(json_array_size(json_object_get(json_object_get(root, "refusals"), "recorded")), 0);
	json_decref(root);
	*refusals = (struct refusals){.state = REFUSALS_OBSERVED, .total = 10};
	refusals_record(refusals, &(struct seccomp_data){.nr = SYS_prctl, .args = {4}}, "a\x1b\xff\"");
	refusals_record(refusals, &(struct seccomp_data){.nr = SYS_mount}, "");
	root = write_and_load(&verdict, "");
	assert_string_equal(text_at(root, "refusals", "observer", NULL), "on");
	assert_true(json_is_null(json_object_get(json_object_get(root, "refusals"), "reason")));
	assert_int_equal(number_at(root, "refusals", "total"), 10);
	assert_int_equal(number_at(root, "refusals", "dropped"), 8);
	row = json_array_get(json_object_get(json_object_get(root, "refusals"), "recorded"), 0);
	assert_string_equal(text_at(row, "call", NULL, NULL), "prctl");
	assert_string_equal(text_at(row, "argument", NULL, NULL), "PR_SET_DUMPABLE");
	assert_string_equal(text_at(row, "process", NULL, NULL), "a??\"");
	assert_string_equal(text_at(row, "errno", NULL, NULL), "EPERM");
	assert_int_equal(number_at(row, "count", NULL), 1);
	row = json_array_get(json_object_get(json_object_get(root, "refusals"), "recorded"), 1);
	assert_string_equal(text_at(row, "call", NULL, NULL), "mount");
	assert_true(json_is_null(json_object_get(row, "argument")));
	assert_true(json_is_null(json_object_get(row, "process")));
	json_decref(root);
}

static void test_outcomes(void **state)
{
	static const struct {
		enum outcome outcome;
		const char *name;
	} rows[] = {
	    {OUTCOME_EXITED, "exited"},	    {OUTCOME_SIGNALED, "signaled"}, {OUTCOME_TIMEOUT, "timeout"},
	    {OUTCOME_CPU_TIME, "cpu-time"}, {OUTCOME_OUT_OF_MEMORY, "oom"}, {OUTCOME_DISK, "disk"},
	    {OUTCOME_FAILED, "failed"},	    {OUTCOME_STALL, "stall"},
	};

	(void)state;
	assert_int_equal(ARRAY_SIZE(rows), OUTCOME_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct verdict verdict = {.outcome = rows[i].outcome,
					  .exit_code = -1,
					  .signal = 9,
					  .overshoot = 5,
					  .streams_joined = true};
		json_t *root;

		error_set(&verdict.error, "s", 0, "d");
		root = write_and_load(&verdict, "");
		CHECK(unit_same(text_at(root, "outcome", NULL, NULL), rows[i].name), "%s", rows[i].name);
		CHECK(json_is_null(json_object_get(root, "exit_code")), "%s", rows[i].name);
		assert_int_equal(number_at(root, "signal", NULL), 9);
		assert_int_equal(number_at(root, "overshoot", NULL), 5);
		assert_string_equal(text_at(root, "stderr", NULL, NULL), "stdout");
		CHECK(text_at(root, "explanation", NULL, NULL) != NULL, "%s", rows[i].name);
		CHECK((json_object_get(root, "error") != NULL) == (rows[i].outcome == OUTCOME_FAILED), "%s",
		      rows[i].name);
		json_decref(root);
	}
}

/* An error may come from inside, and name files: whatever bytes it has, the verdict says that there was one. */
static void test_error_texts(void **state)
{
	static const struct {
		const char *stage;
		const char *detail;
		const char *hint;
		const char *want_stage;
		const char *want_what;
		const char *want_hint;
	} rows[] = {
	    {"rootfs", "mount /proc", "", "rootfs", "mount /proc", NULL},
	    {"rootfs", "a \"q\" \\ \n\033[2J", "h", "rootfs", "a \"q\" \\ ??[2J", "h"},
	    {"exec", "/\303\251\346\227\245", "h", "exec", "/\303\251\346\227\245", "h"},
	    {"exec", "/bad\377byte", "h", "exec", "/bad?byte", "h"},
	    {"e\377", "x", "h", "e?", "x", "h"},
	    {"exec", "x", "bad\300\200", "exec", "x", "bad??"},
	    {"", "", "", "", "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct verdict verdict = {.outcome = OUTCOME_FAILED, .exit_code = -1};
		json_t *root;

		error_set(&verdict.error, rows[i].stage, ENOENT, "%s", rows[i].detail);
		error_hint(&verdict.error, "%s", rows[i].hint);
		root = write_and_load(&verdict, "");
		CHECK(unit_same(text_at(root, "error", "stage", NULL), rows[i].want_stage), "row %zu", i);
		CHECK(unit_same(text_at(root, "error", "what", NULL), rows[i].want_what), "row %zu", i);
		CHECK(unit_same(text_at(root, "error", "hint", NULL), rows[i].want_hint), "row %zu", i);
		CHECK(number_at(root, "error", "errno") == ENOENT, "row %zu", i);
		/* One place to look for advice, whatever failed. */
		CHECK(unit_same(text_at(root, "hint", NULL, NULL), rows[i].want_hint), "row %zu", i);
		CHECK(unit_same(text_at(root, "error", "text", NULL), strerror(ENOENT)), "row %zu", i);
		json_decref(root);
	}
}

/* What the task said, whatever it is, and the advice; neither is missing when there is none. */
static void test_reported(void **state)
{
	static const struct {
		struct traceback said;
		const char *hint;
		const char *message;
		const char *file; /* NULL: null */
	} rows[] = {
	    {{.type = "ValueError", .message = "bad", .file = "t.py", .line = 7}, "pass --src", "bad", "t.py"},
	    {{.type = "E", .message = "\303\251 \"q\" \\ \n\tx", .file = ""}, "", "\303\251 \"q\" \\ \n\tx", NULL},
	    {{.type = "E"}, "h\033[2J", "", NULL},
	    {{.type = ""}, "", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct verdict verdict = {.outcome = OUTCOME_EXITED, .exit_code = 1, .reported = rows[i].said};
		json_t *root;
		json_t *said;

		(void)snprintf(verdict.hint, sizeof(verdict.hint), "%s", rows[i].hint);
		root = write_and_load(&verdict, "");
		said = json_object_get(json_object_get(root, "reported_by_task"), "exception");
		CHECK(said != NULL && json_object_get(root, "hint") != NULL, "row %zu", i);
		CHECK(json_is_null(json_object_get(root, "hint")) == (rows[i].hint[0] == '\0'), "row %zu", i);
		CHECK(rows[i].hint[0] == '\0' || strchr(text_at(root, "hint", NULL, NULL), '\033') == NULL, "row %zu",
		      i);
		CHECK(json_is_null(said) == (rows[i].message == NULL), "row %zu", i);
		CHECK(unit_same(text_at(root, "reported_by_task", "exception", "message"), rows[i].message), "row %zu",
		      i);
		CHECK(unit_same(text_at(root, "reported_by_task", "exception", "file"), rows[i].file), "row %zu", i);
		if (!json_is_null(said))
			CHECK(json_integer_value(json_object_get(said, "line")) == (json_int_t)rows[i].said.line,
			      "row %zu", i);
		json_decref(root);
	}
}

static void test_write_fails(void **state)
{
	struct verdict verdict = {.outcome = OUTCOME_EXITED};
	struct plan plan;
	struct policy policy;
	struct error err;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	if (fd < 0)
		skip();
	memset(&plan, 0, sizeof(plan));
	assert_int_equal(policy_init(&policy, &err), 0);
	assert_int_equal(option_apply(&policy, OPTION_RESULT, "out", ORIGIN_COMMAND_LINE, &err), 0);
	assert_int_equal(verdict_write(&verdict, &policy, &plan, fd, &err), -ENOSPC);
	assert_string_equal(err.stage, "result");
	assert_non_null(strstr(err.detail, "out"));
	policy_fini(&policy);
	(void)close(fd);
}

static void test_report(void **state)
{
	static const struct {
		struct verdict verdict;
		const char *says; /* NULL: nothing */
	} rows[] = {
	    {{.outcome = OUTCOME_EXITED}, NULL},
	    {{.outcome = OUTCOME_SIGNALED, .signal = 11}, NULL},
	    {{.outcome = OUTCOME_EXITED, .exit_code = 1, .hint = "for a terminal only"}, NULL},
	    {{.outcome = OUTCOME_TIMEOUT}, "out of time (--timeout 10m)"},
	    {{.outcome = OUTCOME_CPU_TIME, .overshoot = 20}, "(--cpu-time unlimited; over by 20ms"},
	    {{.outcome = OUTCOME_STALL}, "stalled: no output, no CPU use (--stall unlimited)"},
    {{.outcome = OUTCOME_OUT_OF_MEMORY}, "out of memory (--ram 1G)"},
	    {{.outcome = OUTCOME_OUT_OF_MEMORY, .overshoot = 4097}, "(--ram 1G; over by 4K"},
	    {{.outcome = OUTCOME_DISK, .limits_hit = HIT(DISK)}, "(--disk 1G)"},
	    {{.outcome = OUTCOME_DISK, .limits_hit = HIT(INODES)}, "(--inodes 20000)"},
	    {{.outcome = OUTCOME_EXITED, .limits_hit = HIT(OUTPUT), .out = {.dropped = 2}, .err = {.dropped = 4}},
	     "6 bytes were dropped (--output 16M)"},
	    {{.outcome = OUTCOME_EXITED, .limits_hit = HIT(PIDS)}, "(--pids 256)"},
	    {{.outcome = OUTCOME_FAILED, .error = {.stage = "rootfs", .detail = "mount"}}, "rootfs: mount"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy policy;
		struct error err;
		char text[2048];
		int saved_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
		int fds[2];
		ssize_t n;

		assert_int_equal(policy_init(&policy, &err), 0);
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		assert_true(saved_fd >= 0 && dup2(fds[1], STDERR_FILENO) == STDERR_FILENO);
		verdict_report(&rows[i].verdict, &policy);
		assert_int_equal(dup2(saved_fd, STDERR_FILENO), STDERR_FILENO);
		(void)close(saved_fd);
		(void)close(fds[1]);
		n = fd_read_all(fds[0], text, sizeof(text) - 1);
		(void)close(fds[0]);
		assert_true(n >= 0);
		text[n] = '\0';
		if (rows[i].says == NULL)
			CHECK(n == 0, "row %zu: %s", i, text);
		else
			CHECK(strstr(text, rows[i].says) != NULL, "row %zu: %s", i, text);
		policy_fini(&policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_status),	cmocka_unit_test(test_names),
	    cmocka_unit_test(test_exited),	cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_no_cgroup),
	    cmocka_unit_test(test_outcomes),
	    cmocka_unit_test(test_error_texts), cmocka_unit_test(test_write_fails),
	    cmocka_unit_test(test_report),	cmocka_unit_test(test_reported),
	};

	return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
