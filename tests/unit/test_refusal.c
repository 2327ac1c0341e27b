/* What is refused is told in words, counted by kind, and bounded. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "run/observer.h"
#include "run/refusal.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#else
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif

static struct refusals refusals;

static void record(int nr, const uint64_t args[6], const char *process)
{
	struct seccomp_data data = {.nr = nr, .arch = NATIVE_ARCH};

	memcpy(data.args, args, sizeof(data.args));
	refusals_record(&refusals, &data, process);
}

static void test_words(void **state)
{
	static const struct {
		int nr;
		uint64_t args[6];
		const char *call;
		const char *argument; /* NULL: none */
	} rows[] = {
	    {SYS_socket, {AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0}, "socket", "AF_PACKET SOCK_RAW"},
	    {SYS_socket, {AF_INET, SOCK_STREAM, 262}, "socket", "AF_INET SOCK_STREAM protocol 262"},
	    {SYS_socket, {0xffff, 15, 0}, "socket", "0xffff 0xf"},
	    {SYS_socketpair, {AF_INET, SOCK_STREAM}, "socketpair", "AF_INET SOCK_STREAM"},
	    {SYS_ioctl,
	     {0, 0xdeadbeef00005412},
	     "ioctl",
	     "TIOCSTI"}, /* the upper half does not count */
	    {SYS_ioctl, {0, 0xc0de}, "ioctl", "0xc0de"},
	    {SYS_clone,
	     {0x7e020000 | SIGCHLD},
	     "clone",
	     "CLONE_NEWNS|CLONE_NEWCGROUP|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWUSER|CLONE_NEWPID|"
	     "CLONE_NEWNET"},
	    {SYS_unshare, {0}, "unshare", "0"},
	    {SYS_unshare, {0x80 | 1}, "unshare", "CLONE_NEWTIME|0x1"},
	    {SYS_openat, {0, 0, O_CREAT, 06755}, "openat", "06755"},
	    {SYS_mknodat, {0, 0, 0060644}, "mknodat", "S_IFBLK 0644"},
	    {SYS_mknodat, {0, 0, 0}, "mknodat", "0000"},
	    {SYS_fchmodat, {0, 0, 0xffff0000 | 04000}, "fchmodat", "04000"},
	    {SYS_prctl, {4}, "prctl", "PR_SET_DUMPABLE"},
	    {SYS_prctl, {12345}, "prctl", "0x3039"},
	    {SYS_ptrace, {0}, "ptrace", "PTRACE_TRACEME"},
	    {SYS_prlimit64, {7}, "prlimit64", "pid 7"},
	    {SYS_setpriority, {0, 0, (uint64_t)-5}, "setpriority", "PRIO_PROCESS 0 nice -5"},
	    {SYS_ioprio_set, {1, 0, 0x2004}, "ioprio_set", "IOPRIO_CLASS_RT"},
	    {SYS_sched_setscheduler, {1, 0}, "sched_setscheduler", "pid 1 SCHED_OTHER"},
	    {SYS_sched_setaffinity, {0}, "sched_setaffinity", NULL},
	    {SYS_mmap, {0, 1, 2, 0x40022}, "mmap", "MAP_HUGETLB"},
	    {SYS_memfd_create, {0, 5}, "memfd_create", "MFD_HUGETLB"},
	    {SYS_renameat2, {0, 0, 0, 0, 5}, "renameat2", "RENAME_WHITEOUT"},
	    {SYS_mount, {1, 2, 3, 4, 5}, "mount", NULL},
	    {SYS_seccomp, {1}, "seccomp", "SECCOMP_SET_MODE_FILTER"},
	    {SYS_setsockopt, {3, 6, 1}, "setsockopt", "level 6 option 1"},
	    {100000, {1}, "call 100000", NULL},
	    {-1, {1}, "call -1", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char call[32];
		char argument[REFUSAL_ARGUMENT_MAX];
		const struct refusal *row;

		memset(&refusals, 0, sizeof(refusals));
		record(rows[i].nr, rows[i].args, "p");
		row = refusals_last(&refusals);
		assert_non_null(row);
		CHECK(unit_same(refusal_call(row, call, sizeof(call)), rows[i].call), "row %zu: %s",
		      i, refusal_call(row, call, sizeof(call)));
		CHECK(
		    unit_same(refusal_argument(row, argument, sizeof(argument)), rows[i].argument),
		    "row %zu: %s", i, argument);
	}
}

/* Any numbers at all make a bounded, printable text. */
static void test_any_numbers(void **state)
{
	static const uint32_t values[] = {0,	      1,	  2,	      0x7fffffff,
					  0x80000000, 0xffffffff, 0x55555555, 0170000};

	(void)state;
	for (int nr = -2; nr < 600; nr++) {
		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			uint64_t args[6];
			char call[32];
			char argument[REFUSAL_ARGUMENT_MAX];

			for (size_t i = 0; i < ARRAY_SIZE(args); i++)
				args[i] = values[(v + i) % ARRAY_SIZE(values)];
			memset(&refusals, 0, sizeof(refusals));
			record(nr, args, "");
			memset(argument, 'x', sizeof(argument));
			(void)refusal_argument(refusals_last(&refusals), argument,
					       sizeof(argument));
			assert_true(strlen(argument) < sizeof(argument) - 1);
			assert_true(refusal_call(refusals_last(&refusals), call, sizeof(call))[0] !=
				    '\0');
		}
	}
}

static void test_kinds(void **state)
{
	(void)state;
	memset(&refusals, 0, sizeof(refusals));
	assert_null(refusals_last(&refusals));
	record(SYS_socket, (uint64_t[6]){AF_PACKET, SOCK_RAW}, "a");
	record(SYS_socket, (uint64_t[6]){AF_PACKET, SOCK_RAW | SOCK_NONBLOCK}, "a");
	record(SYS_socket, (uint64_t[6]){AF_PACKET, SOCK_RAW, 0, 9, 9, 9}, "a");
	record(SYS_socket, (uint64_t[6]){AF_PACKET, SOCK_DGRAM}, "a");
	record(SYS_socket, (uint64_t[6]){AF_PACKET, SOCK_RAW}, "b");
	record(SYS_mount, (uint64_t[6]){1, 2, 3}, "b");
	record(SYS_mount, (uint64_t[6]){4, 5, 6}, "b");
	assert_int_equal(refusals.row_count, 4);
	assert_int_equal(refusals.rows[0].count, 3);
	assert_int_equal(refusals.rows[1].count, 1);
	assert_int_equal(refusals.rows[3].count, 2);
	assert_int_equal(refusals.recorded, 7);
	assert_ptr_equal(refusals_last(&refusals), &refusals.rows[3]);
	record(SYS_socket, (uint64_t[6]){AF_PACKET, SOCK_RAW},
	       "a name that is longer than one can be");
	assert_string_equal(refusals.rows[4].process, "a name that is ");
}

static void test_bounds(void **state)
{
	(void)state;
	memset(&refusals, 0, sizeof(refusals));
	for (unsigned int i = 0; i < 10 * REFUSAL_ROWS; i++)
		record(SYS_ioctl, (uint64_t[6]){0, i}, "p");
	assert_int_equal(refusals.row_count, REFUSAL_ROWS);
	assert_int_equal(refusals.recorded, REFUSAL_ROWS);
	/* A full table still counts what it has. */
	record(SYS_ioctl, (uint64_t[6]){0, 5}, "p");
	assert_int_equal(refusals.rows[5].count, 2);
	assert_int_equal(refusals.last, 5);
}

/* What only a narrower filter refuses names the option; what PID 1 is spared does not. */
static void test_allowed_by(void **state)
{
	static const struct {
		int nr;
		uint64_t args[6];
		bool allowed;
	} rows[] = {
	    {SYS_socket, {AF_INET, SOCK_STREAM}, true},
	    {SYS_socket, {AF_PACKET, SOCK_RAW}, false},
	    {SYS_sendto, {3, 0, 0, MSG_OOB}, true},
	    {SYS_futex, {0, 6}, true},
	    {SYS_sched_setaffinity, {0}, true},
	    {SYS_sched_setaffinity, {1}, false},
	    {SYS_setpriority, {0, 0, 5}, true},
	    {SYS_setpriority, {0, 1, 5}, false},
	    {SYS_setpriority, {0, 0, (uint64_t)-5}, false},
	    {SYS_mount, {0}, false},
	    {SYS_clone3, {0}, false},
	    {100000, {0}, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(&refusals, 0, sizeof(refusals));
		record(rows[i].nr, rows[i].args, "p");
		CHECK((refusals_last(&refusals)->allowed_by != NULL) == rows[i].allowed, "row %zu",
		      i);
	}
}

/* Something else than a listener: closed, so that whatever waits for it is refused by the kernel.
 */
static void test_no_listener(void **state)
{
	int before = unit_lowest_fd();
	struct observer observer = {.listener_fd = -1};

	(void)state;
	memset(&refusals, 0, sizeof(refusals));
	observer_run(&observer, &refusals);
	observer_start(&observer, open("/dev/zero", O_RDWR | O_CLOEXEC), &refusals);
	assert_true(observer.listener_fd >= 0);
	observer_run(&observer, &refusals);
	assert_int_equal(observer.listener_fd, -1);
	observer_fini(&observer);
	assert_int_equal(refusals.total, 0);
	assert_int_equal(unit_lowest_fd(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),  cmocka_unit_test(test_any_numbers),
	    cmocka_unit_test(test_kinds),  cmocka_unit_test(test_allowed_by),
	    cmocka_unit_test(test_bounds), cmocka_unit_test(test_no_listener),
	};

	return cmocka_run_group_tests_name("refusal", tests, NULL, NULL);
}
