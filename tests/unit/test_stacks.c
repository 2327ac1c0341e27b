#include "unit.h"

#include "run/stacks.h"

static void test_threads(void **state)
{
	static const struct {
		const char *stat;
		const char *wait;
		const char *name;
		char letter;
		const char *waits_in;
	} rows[] = {
	    {"2 (python3) S 1 2 2", "futex_wait_queue", "python3", 'S', "futex_wait_queue"},
	    {"2 (python3) R 1 2 2", "0", "python3", 'R', ""},
	    {"2 (python3) D 1 2 2", "", "python3", 'D', ""},
	    {"2 (a) Z) S 1", "0", "a) Z", 'S', ""},
	    {"2 (() T 1", "0", "(", 'T', ""},
	    {"2 () S 1", "0", "", 'S', ""},
	    {"2 (a\nb\033\377) S 1", "x\ny", "a?b??", 'S', "x?y"},
	    {"", "x", "", '?', ""},
	    {"2 )( S", "x", "", '?', ""},
	    {"2 (a)", "x", "", '?', ""},
	    {"2 (a) ", "x", "", '?', ""},
	};
	char path[PATH_MAX];
	int proc_fd = unit_temp(path);

	(void)state;
	/* init is not told of. */
	unit_make(proc_fd, "1/task/1/stat", "1 (capsule-init) S 0");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct stacks stacks = {.fd = -1};

		unit_make(proc_fd, "2/task/2/stat", rows[i].stat);
		unit_make(proc_fd, "2/task/2/wchan", rows[i].wait);
		assert_false(stacks_ask(&stacks, proc_fd, 1000));
		assert_null(stacks.text);
		assert_int_equal(stacks.thread_count, 1);
		CHECK(stacks.threads[0].state == rows[i].letter, "row %zu", i);
		CHECK(unit_same(stacks.threads[0].name, rows[i].name), "row %zu: %s", i, stacks.threads[0].name);
		CHECK(unit_same(stacks.threads[0].wait, rows[i].waits_in), "row %zu: %s", i, stacks.threads[0].wait);
		stacks_fini(&stacks);
	}
	unit_temp_remove(path, proc_fd);
}

static void test_nothing_to_look_at(void **state)
{
	struct stacks stacks = {.fd = -1};

	(void)state;
	assert_false(stacks_ask(&stacks, -1, 1000));
	assert_int_equal(stacks.thread_count, 0);
	stacks_fini(&stacks);
}

/* sitecustomize.py has the same rule; that they agree is seen in the functional suite. */
static void test_number(void **state)
{
	(void)state;
	assert_int_equal(stacks_task_fd(16), 15);
	assert_int_equal(stacks_task_fd(1023), 1022);
	assert_int_equal(stacks_task_fd(1024), 1023);
	assert_int_equal(stacks_task_fd(1048576), 1023);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_nothing_to_look_at),
	    cmocka_unit_test(test_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
