#include "run/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"

static const char *const container_names[] = {
    [HOST_CONTAINER_NONE] = "none",	[HOST_CONTAINER_DOCKER] = "docker",
    [HOST_CONTAINER_PODMAN] = "podman", [HOST_CONTAINER_KUBERNETES] = "kubernetes",
    [HOST_CONTAINER_LXC] = "lxc",	[HOST_CONTAINER_OTHER] = "other",
};

/* Words in /proc/1/cgroup (cgroup v1, or a shared cgroup namespace) and in systemd's own note. */
static const struct {
	const char *word;
	enum host_container container;
} container_words[] = {
    {"kubepods", HOST_CONTAINER_KUBERNETES},
    {"docker", HOST_CONTAINER_DOCKER},
    {"libpod", HOST_CONTAINER_PODMAN},
    {"podman", HOST_CONTAINER_PODMAN},
    {"lxc", HOST_CONTAINER_LXC},
};

const char *host_container_name(enum host_container container)
{
	return container_names[container];
}

static enum host_container find_word(const char *path, enum host_container otherwise)
{
	char text[4096];

	if (fd_read_file_at(AT_FDCWD, path, text, sizeof(text)) < 0)
		return HOST_CONTAINER_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(container_words); i++)
		if (strstr(text, container_words[i].word) != NULL)
			return container_words[i].container;
	return otherwise;
}

enum host_container host_container(void)
{
	enum host_container found;

	/* First: its containers are docker's or somebody's, but the cure is its own. */
	if (getenv("KUBERNETES_SERVICE_HOST") != NULL ||
	    access("/var/run/secrets/kubernetes.io", F_OK) == 0)
		return HOST_CONTAINER_KUBERNETES;
	if (access("/.dockerenv", F_OK) == 0)
		return HOST_CONTAINER_DOCKER;
	if (access("/run/.containerenv", F_OK) == 0)
		return HOST_CONTAINER_PODMAN;
	found = find_word("/run/systemd/container", HOST_CONTAINER_OTHER);
	return found != HOST_CONTAINER_NONE ? found
					    : find_word("/proc/1/cgroup", HOST_CONTAINER_NONE);
}

bool host_sysctl_is(const char *path, uint64_t value)
{
	uint64_t now;

	return fd_read_u64_at(AT_FDCWD, path, &now) == 0 && now == value;
}

bool host_in_chroot(void)
{
	struct statx st;

	return statx(AT_FDCWD, "/", 0, STATX_TYPE, &st) == 0 &&
	       (st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0;
}

bool host_is_filtered(void)
{
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2;
}

bool host_is_confined(void)
{
	char label[512];

	/* "name (mode)"; "unconfined", and what is like it, has no mode that takes anything away. */
	return fd_read_file_at(AT_FDCWD, "/proc/self/attr/apparmor/current", label, sizeof(label)) >= 0 &&
	       strstr(label, "(enforce)") != NULL;
}

bool host_in_capsule(void)
{
	char name[32];

	return fd_read_file_at(AT_FDCWD, "/proc/1/comm", name, sizeof(name)) >= 0 &&
	       strcmp(name, "capsule-init\n") == 0;
}

bool host_on_github(void)
{
	const char *value = getenv("GITHUB_ACTIONS");

	return value != NULL && strcmp(value, "true") == 0;
}

bool host_in_unit(void)
{
	const char *value = getenv("INVOCATION_ID");

	return value != NULL && *value != '\0';
}

bool host_has_capability(int capability)
{
	cap_t now = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	if (now == NULL)
		return false;
	(void)cap_get_flag(now, capability, CAP_EFFECTIVE, &value);
	cap_free(now);
	return value == CAP_SET;
}

bool host_user_bus(char *buf, int size)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	struct stat st;
	int n = dir != NULL && *dir == '/'
		    ? snprintf(buf, (size_t)size, "%s/bus", dir)
		    : snprintf(buf, (size_t)size, "/run/user/%u/bus", getuid());

	return n > 0 && n < size && stat(buf, &st) == 0 && S_ISSOCK(st.st_mode);
}
