/* The marks that containers leave are replaced by --wrap: a row says which there are. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "run/host.h"

static const char *mark;    /* the file that exists */
static const char *content; /* of it, when it is read */

int __wrap_access(const char *path, int mode);
ssize_t __wrap_fd_read_file_at(int dir_fd, const char *path, char *buf, size_t size);

int __wrap_access(const char *path, int mode)
{
	(void)mode;
	if (mark != NULL && strcmp(path, mark) == 0)
		return 0;
	errno = ENOENT;
	return -1;
}

ssize_t __wrap_fd_read_file_at(int dir_fd, const char *path, char *buf, size_t size)
{
	(void)dir_fd;
	if (mark == NULL || strcmp(path, mark) != 0)
		return -ENOENT;
	return snprintf(buf, size, "%s", content);
}

static void test_container(void **state)
{
	static const struct {
		const char *mark;
		const char *content;
		const char *name;
	} rows[] = {
	    {NULL, NULL, "none"},
	    {"/.dockerenv", "", "docker"},
	    {"/run/.containerenv", "", "podman"},
	    {"/var/run/secrets/kubernetes.io", "", "kubernetes"},
	    {"/run/systemd/container", "lxc\n", "lxc"},
	    {"/run/systemd/container", "systemd-nspawn\n", "other"},
	    {"/proc/1/cgroup", "4:memory:/docker/0123\n0::/\n", "docker"},
	    {"/proc/1/cgroup", "0::/kubepods.slice/docker-01.scope\n", "kubernetes"},
	    {"/proc/1/cgroup", "0::/machine.slice/libpod-01.scope\n", "podman"},
	    {"/proc/1/cgroup", "0::/init.scope\n", "none"},
	};

	(void)state;
	assert_int_equal(unsetenv("KUBERNETES_SERVICE_HOST"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		mark = rows[i].mark;
		content = rows[i].content;
		CHECK(strcmp(host_container_name(host_container()), rows[i].name) == 0, "row %zu: %s", i,
		      host_container_name(host_container()));
	}
	mark = "/.dockerenv";
	assert_int_equal(setenv("KUBERNETES_SERVICE_HOST", "192.0.2.1", 1), 0);
	assert_int_equal(host_container(), HOST_CONTAINER_KUBERNETES);
	assert_int_equal(unsetenv("KUBERNETES_SERVICE_HOST"), 0);
	mark = NULL;
}

static void test_nested(void **state)
{
	(void)state;
	mark = "/proc/1/comm";
	content = "capsule-init\n";
	assert_true(host_in_capsule());
	content = "systemd\n";
	assert_false(host_in_capsule());
	mark = NULL;
	assert_false(host_in_capsule());
}

static void test_github(void **state)
{
	(void)state;
	assert_int_equal(setenv("GITHUB_ACTIONS", "true", 1), 0);
	assert_true(host_on_github());
	assert_int_equal(setenv("GITHUB_ACTIONS", "", 1), 0);
	assert_false(host_on_github());
	assert_int_equal(unsetenv("GITHUB_ACTIONS"), 0);
	assert_false(host_on_github());
}

static void test_confined(void **state)
{
	static const struct {
		const char *label;
		bool confined;
	} rows[] = {
	    {"unconfined\n", false},
	    {"capsule-run (unconfined)\n", false},
	    {"browser (complain)\n", false},
	    {"browser (enforce)\n", true},
	};

	(void)state;
	mark = NULL;
	assert_false(host_is_confined());
	mark = "/proc/self/attr/apparmor/current";
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		content = rows[i].label;
		CHECK(host_is_confined() == rows[i].confined, "row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_container),
	    cmocka_unit_test(test_confined),
	    cmocka_unit_test(test_nested),
	    cmocka_unit_test(test_github),
	};

	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
