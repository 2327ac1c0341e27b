/* What a group counted: each file where it is, and unknown, not 0, where it is not. */
#include <limits.h>

#include "run/account.h"
#include "unit.h"

static void check(const struct account *found, const uint64_t want[8])
{
	const uint64_t have[8] = {found->user_us,      found->system_us,    found->throttled_us, found->page_faults,
				  found->major_faults, found->pids_peak,    found->read_bytes,	 found->written_bytes};

	for (size_t i = 0; i < ARRAY_SIZE(have); i++)
		CHECK(have[i] == want[i], "field %zu: %llu, not %llu", i, (unsigned long long)have[i],
		      (unsigned long long)want[i]);
}

#define NO ACCOUNT_UNKNOWN

static void test_v2(void **state)
{
	char path[PATH_MAX];
	int dir_fd = unit_temp(path);
	struct cgroup cg;
	struct account account;

	(void)state;
	cgroup_init(&cg);
	account_read(&cg, &account);
	check(&account, (const uint64_t[]){NO, NO, NO, NO, NO, NO, NO, NO});
	cg.version = 2;
	cg.part_count = 1;
	cg.part[0].dir_fd = dir_fd;
	account_read(&cg, &account);
	check(&account, (const uint64_t[]){NO, NO, NO, NO, NO, NO, NO, NO});
	/* A group without the cpu controller counts time and not how long it was held back. */
	unit_make(dir_fd, "cpu.stat", "usage_usec 30\nuser_usec 10\nsystem_usec 20\n");
	unit_make(dir_fd, "memory.stat", "anon 1\npgfault 300\npgmajfault 4\npgfault_x 9\n");
	unit_make(dir_fd, "pids.peak", "5\n");
	unit_make(dir_fd, "io.stat", "");
	account_read(&cg, &account);
	check(&account, (const uint64_t[]){10, 20, NO, 300, 4, 5, 0, 0});
	unit_make(dir_fd, "cpu.stat", "user_usec 10\nsystem_usec 20\nnr_throttled 1\nthrottled_usec 70\n");
	unit_make(dir_fd, "io.stat",
		  "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=9 dios=9\n253:1 rbytes=1 wbytes=2 rios=1 wios=1\n");
	account_read(&cg, &account);
	check(&account, (const uint64_t[]){10, 20, 70, 300, 4, 5, 4097, 8194});
	unit_make(dir_fd, "pids.peak", "many\n");
	account_read(&cg, &account);
	check(&account, (const uint64_t[]){10, 20, 70, 300, 4, NO, 4097, 8194});
	unit_temp_remove(path, dir_fd);
}

static void test_v1(void **state)
{
	static const char *const controllers[] = {"memory", "pids", "cpu", "cpuacct", "blkio"};
	char path[PATH_MAX];
	int dir_fd = unit_temp(path);
	struct cgroup cg;
	struct account account;

	(void)state;
	cgroup_init(&cg);
	cg.version = 1;
	for (unsigned int i = 0; i < CGROUP_PARTS; i++) {
		cg.part[i].controller = controllers[i];
		cg.part[i].dir_fd = dir_fd;
	}
	unit_make(dir_fd, "memory.stat", "cache 1\npgfault 300\npgmajfault 4\ntotal_pgfault 7\n");
	unit_make(dir_fd, "pids.peak", "5\n");
	unit_make(dir_fd, "cpu.stat", "nr_periods 1\nthrottled_time 70000\n");
	unit_make(dir_fd, "cpuacct.usage_user", "10000\n");
	unit_make(dir_fd, "cpuacct.usage_sys", "20000\n");
	cg.part_count = 2;
	account_read(&cg, &account);
	check(&account, (const uint64_t[]){NO, NO, NO, 300, 4, 5, NO, NO});
	cg.part_count = 4;
	account_read(&cg, &account);
	check(&account, (const uint64_t[]){10, 20, 70, 300, 4, 5, NO, NO});
	unit_temp_remove(path, dir_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_v2), cmocka_unit_test(test_v1)};

	return cmocka_run_group_tests_name("account", tests, NULL, NULL);
}
