#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "tool/probe.h"

struct shared {
	int value;
	pid_t pid;
};

static int works(void *data, struct error *err)
{
	struct shared *shared = data;

	(void)err;
	shared->value = 7;
	shared->pid = getpid();
	return 0;
}

static int fails(void *data, struct error *err)
{
	(void)data;
	return error_set(err, "files", EROFS, "mkdir x");
}

static int dies(void *data, struct error *err)
{
	(void)data;
	(void)err;
	(void)raise(SIGKILL);
	return 0;
}

static int leaves(void *data, struct error *err)
{
	(void)data;
	(void)err;
	_exit(0);
}

static void test_what_came_of_it(void **state)
{
	struct shared *shared = probe_alloc(sizeof(*shared));
	int fd = unit_lowest_fd();
	struct error err;

	(void)state;
	assert_non_null(shared);
	assert_int_equal(probe_run(0, NULL, works, shared, &err), 0);
	assert_int_equal(shared->value, 7);
	assert_int_not_equal(shared->pid, getpid());
	assert_int_equal(probe_run(0, NULL, NULL, NULL, &err), 0);
	assert_int_equal(probe_run(0, NULL, fails, NULL, &err), -EROFS);
	assert_string_equal(err.stage, "files");
	assert_string_equal(err.detail, "mkdir x");
	assert_int_equal(err.errnum, EROFS);
	assert_true(probe_run(0, NULL, dies, NULL, &err) < 0);
	assert_non_null(strstr(err.detail, "signal 9"));
	assert_true(probe_run(0, NULL, leaves, NULL, &err) < 0);
	assert_non_null(strstr(err.detail, "before it could say why"));
	assert_int_equal(unit_lowest_fd(), fd);
	probe_free(shared, sizeof(*shared));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_came_of_it),
	};

	return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
