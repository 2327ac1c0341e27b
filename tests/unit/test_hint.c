/* The host's own switches are replaced by --wrap: a row says how they stand. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "run/hint.h"

enum host {
	HOST_PLAIN = 0,
	HOST_NO_USERNS = 1,
	HOST_DEBIAN_OFF = 2,
	HOST_APPARMOR = 4,
	HOST_CONTAINER = 8,
};

static unsigned int host;

int __wrap_fd_read_u64_at(int dir_fd, const char *path, uint64_t *ret);
int __wrap_access(const char *path, int mode);

int __wrap_fd_read_u64_at(int dir_fd, const char *path, uint64_t *ret)
{
	(void)dir_fd;
	if (strcmp(path, "/proc/sys/user/max_user_namespaces") == 0)
		*ret = (host & HOST_NO_USERNS) != 0 ? 0 : 100;
	else if (strcmp(path, "/proc/sys/kernel/unprivileged_userns_clone") == 0)
		*ret = (host & HOST_DEBIAN_OFF) != 0 ? 0 : 1;
	else if (strcmp(path, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 0 &&
		 (host & HOST_APPARMOR) != 0)
		*ret = 1;
	else
		return -ENOENT;
	return 0;
}

int __wrap_access(const char *path, int mode)
{
	(void)mode;
	if ((host & HOST_CONTAINER) != 0 && strcmp(path, "/.dockerenv") == 0)
		return 0;
	errno = ENOENT;
	return -1;
}

static void test_rows(void **state)
{
	static const struct {
		const char *stage;
		int errnum;
		const char *detail;
		unsigned int host;
		const char *says; /* NULL: no hint */
	} rows[] = {
	    {"clone", EPERM, "clone3", HOST_NO_USERNS, "user.max_user_namespaces"},
	    {"clone", ENOSPC, "clone3", HOST_NO_USERNS, "user.max_user_namespaces"},
	    {"clone", EPERM, "clone3", HOST_DEBIAN_OFF, "unprivileged_userns_clone"},
	    {"clone", EPERM, "clone3", HOST_CONTAINER, "this container"},
	    {"clone", EPERM, "clone3", HOST_PLAIN, "security-opt"},
	    {"clone", ENOSPC, "clone3", HOST_PLAIN, "too many namespaces"},
	    {"clone", EAGAIN, "clone3", HOST_PLAIN, "ulimit -u"},
	    {"clone", ENOSYS, "clone3", HOST_PLAIN, "Linux 5.14"},
	    {"clone", EINVAL, "clone3", HOST_PLAIN, NULL},
	    {"idmap", EPERM, "uid_map", HOST_APPARMOR, "apparmor_restrict"},
	    {"idmap", EPERM, "uid_map", HOST_PLAIN, NULL},
	    {"rootfs", EACCES, "make private", HOST_APPARMOR, "apparmor_restrict"},
	    {"rootfs", EACCES, "make private", HOST_PLAIN, "security module"},
	    {"rootfs", EINVAL, "pivot_root", HOST_PLAIN, "initramfs"},
	    {"rootfs", EACCES, "mount /x", HOST_PLAIN, "--dir or --bind"},
	    {"rootfs", EPERM, "mount /x", HOST_PLAIN, NULL},
	    {"proc", EPERM, "mount /proc", HOST_PLAIN, "systempaths"},
	    {"proc", EPERM, "mask", HOST_PLAIN, NULL},
	    {"script", EACCES, "x.py", HOST_PLAIN, "chmod +r"},
	    {"script", ENOENT, "x.py", HOST_PLAIN, "check the path"},
	    {"exec", ENOENT, "x", HOST_PLAIN, "--bind"},
	    {"exec", EACCES, "x", HOST_PLAIN, "open to others"},
	    {"usage", 0, "x", HOST_PLAIN, NULL},
	    {"", 0, "", HOST_NO_USERNS | HOST_CONTAINER, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err;

		host = rows[i].host;
		error_set(&err, rows[i].stage, rows[i].errnum, "%s", rows[i].detail);
		hint_add(&err);
		if (rows[i].says == NULL)
			CHECK(err.hint[0] == '\0', "row %zu: '%s'", i, err.hint);
		else
			CHECK(strstr(err.hint, rows[i].says) != NULL, "row %zu: '%s'", i, err.hint);
		CHECK(strlen(err.hint) < ERROR_HINT_MAX - 1, "row %zu was cut", i);
		CHECK(strcmp(err.detail, rows[i].detail) == 0 && err.errnum == rows[i].errnum, "row %zu", i);
	}
	host = HOST_PLAIN;
}

static void test_keeps_a_hint(void **state)
{
	struct error err;

	(void)state;
	error_set(&err, "exec", ENOENT, "x");
	error_hint(&err, "known better");
	hint_add(&err);
	assert_string_equal(err.hint, "known better");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_keeps_a_hint),
	};

	return cmocka_run_group_tests_name("hint", tests, NULL, NULL);
}
