/*
 * A minimal /dev: the host's own nodes, bound (a user namespace can make none), and private shm and pts.
 *
 * A terminal for the task comes out of that pts. init makes it before it forks the task, when there is no
 * /dev yet: only a session's leader can take a controlling terminal, only children inherit it, and a
 * process group whose parent is in another session can't be stopped from its terminal (setpgid(2),
 * "orphaned"). So init is to the task what a shell is to a job. A mount keeps its files' names when it
 * gets its place later: ttyname() finds /dev/pts/0.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fd.h"
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

/* A devpts of our own, not mounted anywhere yet; /dev/ptmx opens to all. */
static int make_pts(struct error *err)
{
	AUTO_CLOSE int fs_fd = fsopen("devpts", FSOPEN_CLOEXEC);
	int fd = -1;

	/* max: pseudo-terminals are kernel memory, and a host-wide number (kernel.pty.max). */
	if (fs_fd >= 0 && fsconfig(fs_fd, FSCONFIG_SET_STRING, "ptmxmode", "0666", 0) == 0 &&
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "0620", 0) == 0 &&
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "max", "64", 0) == 0 &&
	    fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	return fd < 0 ? error_set(err, NAME, errno, "make /dev/pts") : fd;
}

int stage_terminal(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	const struct stage_terminal *terminal = ctx->terminal;
	struct termios modes;
	int unlocked = 0;

	(void)policy;
	ctx->pts_fd = make_pts(err);
	if (ctx->pts_fd < 0)
		return ctx->pts_fd;
	ctx->pty_fd = openat(ctx->pts_fd, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ctx->pty_fd < 0 || ioctl(ctx->pty_fd, TIOCSPTLCK, &unlocked) < 0)
		return error_set(err, NAME, errno, "make a terminal");
	ctx->tty_fd = openat(ctx->pts_fd, "0", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ctx->tty_fd < 0 || tcgetattr(ctx->tty_fd, &modes) < 0)
		return error_set(err, NAME, errno, "open the terminal");
	if (terminal->has_modes)
		modes = terminal->modes;
	else
		modes.c_iflag |= IUTF8;
	if (tcsetattr(ctx->tty_fd, TCSANOW, &modes) < 0 || ioctl(ctx->tty_fd, TIOCSWINSZ, &terminal->size) < 0)
		return error_set(err, NAME, errno, "set up the terminal");
	if (setsid() < 0 || ioctl(ctx->tty_fd, TIOCSCTTY, 0) < 0)
		return error_set(err, NAME, errno, "take the terminal");
	for (int i = 0; i < 3; i++) {
		if ((terminal->on & (1U << i)) == 0)
			continue;
		ctx->stdio_fd[i] = fcntl(ctx->tty_fd, F_DUPFD_CLOEXEC, 3);
		if (ctx->stdio_fd[i] < 0)
			return error_set(err, NAME, errno, "dup");
	}
	return 0;
}

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
	if (ctx->pts_fd < 0)
		ctx->pts_fd = make_pts(err);
	if (ctx->pts_fd < 0)
		return ctx->pts_fd;
	if (move_mount(ctx->pts_fd, "", AT_FDCWD, "dev/pts", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_set(err, NAME, errno, "mount /dev/pts");
	ctx->shm_fd = open("dev/shm", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return ctx->shm_fd < 0 ? error_set(err, NAME, errno, "open /dev/shm") : 0;
}
