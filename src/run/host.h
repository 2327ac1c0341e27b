/*
 * Facts about the host that explain why a start fails. They choose words, never what is done:
 * whether a thing works is decided by trying it.
 */
#ifndef CAPSULE_RUN_HOST_H
#define CAPSULE_RUN_HOST_H

#include <stdbool.h>
#include <stdint.h>

enum host_container {
	HOST_CONTAINER_NONE,
	HOST_CONTAINER_DOCKER,
	HOST_CONTAINER_PODMAN,
	HOST_CONTAINER_KUBERNETES,
	HOST_CONTAINER_LXC,
	HOST_CONTAINER_OTHER,
};

/* Which container this seems to be, by the marks that they leave. */
enum host_container host_container(void);

/* "docker", "podman", ...; "none". */
const char *host_container_name(enum host_container container);

/* True when a sysctl file exists and holds this number. */
bool host_sysctl_is(const char *path, uint64_t value);

/* The root directory is no mount's root: it was put there by chroot(2). False where that can't be
 * told. */
bool host_in_chroot(void);

/* A seccomp filter governs this process. */
bool host_is_filtered(void);

/* A profile of AppArmor's confines this process: one that is in force, and not only a name. */
bool host_is_confined(void);

/* This runs inside another capsule-run. */
bool host_in_capsule(void);

/* This is a step of a GitHub Actions workflow. */
bool host_on_github(void);

/* systemd started this as a part of some unit, and made a note of it in the environment. */
bool host_in_unit(void);

/* The caller's effective set holds this capability (CAP_*). */
bool host_has_capability(int capability);

/* Where systemd's user manager listens, in buf; false when there is no such socket. */
bool host_user_bus(char *buf, int size);

#endif
