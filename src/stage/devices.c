/* A minimal /dev: the host's own nodes, bound (a user namespace can make none), and private shm and pts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "stage/stage.h"

#define NAME "devices"

static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};

static const struct {
	const char *path;
	const char *target;
} links[] = {
    {"dev/fd", "/proc/self/fd"},	   {"dev/stdin", "/proc/self/fd/0"},
    {"dev/stdout", "/proc/self/fd/1"}, {"dev/stderr", "/proc/self/fd/2"},
    {"dev/ptmx", "pts/ptmx"},
};

int stage_devices(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	(void)policy;
	if (mkdir("dev", 0755) < 0 || mkdir("dev/shm", 0755) < 0 || mkdir("dev/pts", 0755) < 0)
		return error_set(err, NAME, errno, "mkdir in /dev");
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		char host[24];

		(void)snprintf(host, sizeof(host), "/dev/%s", nodes[i]);
		if (mknod(host + 1, S_IFREG | 0444, 0) < 0 || mount(host, host + 1, NULL, MS_BIND, NULL) < 0)
			return error_set(err, NAME, errno, "bind %s", host);
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlink(links[i].target, links[i].path) < 0)
			return error_set(err, NAME, errno, "symlink /%s", links[i].path);
	/* A part of the root's own tmpfs, which is sized for it: one file system less to make and end. */
	if (chmod("dev/shm", 01777) < 0 || mount("dev/shm", "dev/shm", NULL, MS_BIND, NULL) < 0)
		return error_set(err, NAME, errno, "mount /dev/shm");
	/* max: pseudo-terminals are kernel memory, and a host-wide number (kernel.pty.max). */
	if (mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		  "newinstance,ptmxmode=0666,mode=0620,max=64") < 0)
		return error_set(err, NAME, errno, "mount /dev/pts");
	ctx->shm_fd = open("dev/shm", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ctx->pts_fd = open("dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ctx->shm_fd < 0 || ctx->pts_fd < 0)
		return error_set(err, NAME, errno, "open /dev/shm and /dev/pts");
	return 0;
}
