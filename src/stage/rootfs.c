/*
 * The task's view of the file system.
 *
 * A tmpfs is mounted over "/" of init's own mount namespace and filled with relative paths while the
 * host's tree is still reachable by absolute ones (a lookup of "/" starts at the process's root and
 * does not step onto what is mounted over it). stage_seal() then makes all of it read-only by one recursive
 * mount_setattr(), adds the few writable places, and pivots: the old tree is gone. Nothing here runs beside untrusted code: no path can change
 * between two steps but by the caller's own doing, and what the policy judged is compared by inode.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"
#include "stage/stage.h"

#define NAME "rootfs"

static int fail(struct error *err, const char *what, const char *path)
{
	return error_set(err, NAME, errno, "%s %s", what, path);
}

/* Absolute guest path to one relative to the new root, which is the working directory. */
static const char *relative(const char *guest)
{
	while (*guest == '/')
		guest++;
	return *guest == '\0' ? "." : guest;
}

static int place_tree(const struct stage_tree *tree, struct error *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					      (tree->writable ? 0U : MOUNT_ATTR_RDONLY)};
	const char *target = relative(tree->guest);
	AUTO_CLOSE int opened_fd = -1;
	int fd = tree->tree_fd;
	struct stat st;
	int r;

	if (fd < 0) {
		opened_fd = open_tree(AT_FDCWD, tree->host,
				      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
		fd = opened_fd;
		if (fd < 0)
			return fail(err, "open_tree", tree->host);
	}
	if (fstat(fd, &st) < 0)
		return fail(err, "stat", tree->host);
	if (st.st_dev != tree->dev || st.st_ino != tree->ino)
		return error_set(err, NAME, ESTALE, "%s: replaced while starting", tree->host);
	r = path_make_target(target, tree->directory, NAME, err);
	if (r < 0)
		return r;
	if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return fail(err, "mount_setattr", tree->host);
	if (move_mount(fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(err, "mount", tree->guest);
	return 0;
}

/* Two names of one place can lead through the same link. */
static int place_link(const struct stage_tree *tree, struct error *err)
{
	const char *target = relative(tree->guest);
	char parent[PATH_MAX];
	char there[PATH_MAX];
	const char *slash = strrchr(target, '/');
	ssize_t n;
	int r = 0;

	if (slash != NULL) {
		(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - target), target);
		r = path_make_dirs(parent, NAME, err);
	}
	if (r < 0 || symlink(tree->host, target) == 0)
		return r;
	n = errno == EEXIST ? readlink(target, there, sizeof(there)) : -1;
	if (n == (ssize_t)strlen(tree->host) && memcmp(there, tree->host, (size_t)n) == 0)
		return 0;
	errno = n >= 0 || errno == EINVAL ? EEXIST : errno;
	return fail(err, "symlink", tree->guest);
}

/* A directory of the host's system, or the link that stands for it on a merged-/usr system. */
static int place_system(const char *name, struct error *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY};
	char host[32];
	char target[256];
	AUTO_CLOSE int fd = -1;
	ssize_t n;

	(void)snprintf(host, sizeof(host), "/%s", name);
	n = readlink(host, target, sizeof(target) - 1);
	if (n > 0) {
		target[n] = '\0';
		return symlink(target, name) < 0 ? fail(err, "symlink", host) : 0;
	}
	if (errno == ENOENT)
		return 0;
	fd = open_tree(AT_FDCWD, host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (fd < 0)
		return fail(err, "open_tree", host);
	if (mkdir(name, 0755) < 0)
		return fail(err, "mkdir", host);
	if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return fail(err, "mount_setattr", host);
	if (move_mount(fd, "", AT_FDCWD, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(err, "mount", host);
	return 0;
}

/* Copies the script: a read-only bind would still change through the file's other names. */
static int place_script(const struct stage_ctx *ctx, struct error *err)
{
	AUTO_CLOSE int fd = -1;
	const char *path;
	int r;

	if (ctx->script_fd < 0)
		return 0;
	path = relative(ctx->script_guest);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0555);
	if (fd < 0)
		return fail(err, "create", ctx->script_guest);
	r = fd_copy_all(ctx->script_fd, fd);
	return r < 0 ? error_set(err, NAME, -r, "copy the script to %s", ctx->script_guest) : 0;
}

/* Our own files, which the task reads. */
static int place_module(const struct stage_ctx *ctx, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < ctx->module_count && r == 0; i++) {
		const char *text = ctx->module[i].text;
		AUTO_CLOSE int fd = -1;
		char path[PATH_MAX];

		(void)snprintf(path, sizeof(path), "%s/%s", relative(ctx->module_dir), ctx->module[i].name);
		*strrchr(path, '/') = '\0';
		r = path_make_dirs(path, NAME, err);
		if (r < 0)
			return r;
		path[strlen(path)] = '/';
		fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
		if (fd < 0)
			return fail(err, "create", path);
		r = fd_write_all(fd, text, strlen(text));
		if (r < 0)
			return error_set(err, NAME, -r, "write %s", path);
	}
	return r;
}

/* Mounts the new root over "/" and makes it the working directory. Returns its descriptor. */
static int mount_root(const struct policy *policy, const struct stage_ctx *ctx, struct error *err)
{
	AUTO_CLOSE int fs_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int root_fd = -1;
	char size[32];

	/* Room for the script and, in /dev/shm, for as much as the task may have in memory at all. */
	(void)snprintf(size, sizeof(size), "%llu",
		       (unsigned long long)(ctx->script_bytes + policy->limits.ram_bytes));
	if (fs_fd < 0 || fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "nr_inodes", "20480", 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail(err, "make a tmpfs for", "/");
	root_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (root_fd < 0)
		return fail(err, "fsmount", "/");
	if (move_mount(root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(root_fd) < 0) {
		int r = fail(err, "mount", "/");

		close_fd(&root_fd);
		return r;
	}
	return root_fd;
}

static int enter_root(struct error *err)
{
	/* The old root lands on top of the new one and goes at once; pivot_root(2), "pivot_root(".", ".")". */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return fail(err, "pivot_root", "/");
	if (umount2(".", MNT_DETACH) < 0)
		return fail(err, "unmount", "the host's tree");
	if (chdir("/") < 0)
		return fail(err, "chdir", "/");
	return 0;
}

static const char *const system_dirs[] = {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"};

static int place_all_system(struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(system_dirs) && r == 0; i++)
		r = place_system(system_dirs[i], err);
	return r;
}

/* Makes the directory that a path lies in; made is the one made last, since neighbours come together. */
static int make_parent(const char *path, char made[PATH_MAX], struct error *err)
{
	size_t len = (size_t)(strrchr(path, '/') - path);

	if (strncmp(made, path, len) == 0 && made[len] == '\0')
		return 0;
	(void)snprintf(made, PATH_MAX, "%.*s", (int)len, path);
	return len == 0 ? 0 : path_make_dirs(relative(made), NAME, err);
}

/* Shows one part under its own name. No link is followed: the path is what was found behind them all. */
static int place_part(int full_fd, const char *path, bool directory, struct error *err)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW | (directory ? O_DIRECTORY : 0),
				     .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	AUTO_CLOSE int part_fd = sys_openat2(full_fd, relative(path), &how);
	AUTO_CLOSE int tree_fd = -1;
	int r;

	if (part_fd < 0)
		return fail(err, "open", path);
	tree_fd = open_tree(part_fd, "",
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (directory ? AT_RECURSIVE : 0U));
	if (tree_fd < 0)
		return fail(err, "open_tree", path);
	r = directory ? path_make_dirs(relative(path), NAME, err) : path_make_file(relative(path), NAME, err);
	if (r < 0)
		return r;
	return move_mount(tree_fd, "", AT_FDCWD, relative(path), MOVE_MOUNT_F_EMPTY_PATH) < 0
		   ? fail(err, "mount", path)
		   : 0;
}

static int place_parts(const struct stage_runtime *runtime, int full_fd, struct error *err)
{
	char made[PATH_MAX] = "";
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(system_dirs); i++) {
		char target[256];
		ssize_t n = readlinkat(full_fd, system_dirs[i], target, sizeof(target) - 1);

		/* Else a directory, which the parts in it make, or nothing. */
		if (n <= 0)
			continue;
		target[n] = '\0';
		if (symlink(target, system_dirs[i]) < 0)
			return fail(err, "symlink", system_dirs[i]);
	}
	for (size_t i = 0; i < runtime->dirs->count && r == 0; i++)
		r = place_part(full_fd, runtime->dirs->item[i], true, err);
	for (size_t i = 0; i < runtime->links->count && r == 0; i += 2) {
		const char *path = runtime->links->item[i];

		r = make_parent(path, made, err);
		if (r == 0 && symlink(runtime->links->item[i + 1], relative(path)) < 0)
			r = fail(err, "symlink", path);
	}
	for (size_t i = 0; i < runtime->files->count && r == 0; i++) {
		r = make_parent(runtime->files->item[i], made, err);
		if (r == 0)
			r = place_part(full_fd, runtime->files->item[i], false, err);
	}
	return r;
}

/*
 * Shows parts of the runtime, taken out of its full view, which is mounted aside and goes away again: so
 * nothing can be shown that the full view would not show, whoever wrote the list of parts.
 */
static int place_runtime(const struct stage_ctx *ctx, struct error *err)
{
	static const char aside[] = ".full";
	AUTO_CLOSE int full_fd = -1;
	int r;

	if (mkdir(aside, 0700) < 0 || mount("tmpfs", aside, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
		return fail(err, "mount tmpfs on", aside);
	full_fd = open(aside, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (full_fd < 0 || fchdir(full_fd) < 0)
		return fail(err, "open", aside);
	r = place_all_system(err);
	for (size_t i = 0; i < ctx->tree_count && r == 0; i++)
		if (ctx->trees[i].runtime)
			r = ctx->trees[i].link ? place_link(&ctx->trees[i], err) : place_tree(&ctx->trees[i], err);
	if (r == 0 && fchdir(ctx->root_fd) < 0)
		r = fail(err, "chdir", "/");
	if (r == 0)
		r = place_parts(ctx->runtime, full_fd, err);
	if (r == 0 && (umount2(aside, MNT_DETACH) < 0 || rmdir(aside) < 0))
		r = fail(err, "unmount", aside);
	return r;
}

int stage_root(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	umask(022);
	/* Nothing that is mounted here may travel back to the host. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fail(err, "make private", "/");
	ctx->root_fd = mount_root(policy, ctx, err);
	if (ctx->root_fd < 0)
		return ctx->root_fd;
	if (mkdir("tmp", 0755) < 0 || mkdir("task", 0755) < 0 || mkdir(relative(POLICY_DEFAULT_DIR), 0755) < 0)
		return fail(err, "mkdir", "/task");
	return ctx->runtime != NULL ? place_runtime(ctx, err) : place_all_system(err);
}

int stage_trees(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	int r = 0;

	(void)policy;
	for (size_t i = 0; i < ctx->tree_count && r == 0; i++) {
		const struct stage_tree *tree = &ctx->trees[i];

		if (ctx->runtime != NULL && tree->runtime)
			continue;
		/* Writable ones come when the root is sealed; their places must be there by then. */
		r = tree->link	   ? place_link(tree, err)
		    : tree->writable ? path_make_target(relative(tree->guest), tree->directory, NAME, err)
				   : place_tree(tree, err);
	}
	if (r == 0)
		r = place_script(ctx, err);
	return r < 0 ? r : place_module(ctx, err);
}

static int unseal(int fd, const char *name, struct error *err)
{
	struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};

	return mount_setattr(fd, "", AT_EMPTY_PATH, &writable, sizeof(writable)) < 0
		   ? fail(err, "make writable", name)
		   : 0;
}

static int place_fresh(const struct policy_limits *limits, struct stage_ctx *ctx, struct error *err)
{
	const char *target = relative(POLICY_DEFAULT_DIR);
	char data[96];
	int n = snprintf(data, sizeof(data), "mode=0700");

	if (limits->disk_bytes != LIMIT_NONE)
		n += snprintf(data + n, sizeof(data) - (size_t)n, ",size=%llu",
			      (unsigned long long)limits->disk_bytes);
	if (limits->inodes != LIMIT_NONE)
		(void)snprintf(data + n, sizeof(data) - (size_t)n, ",nr_inodes=%llu",
			       (unsigned long long)limits->inodes + 1); /* and the root itself */
	if (mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, data) < 0)
		return fail(err, "mount tmpfs on", POLICY_DEFAULT_DIR);
	ctx->fresh_fd = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return ctx->fresh_fd < 0 ? fail(err, "open", POLICY_DEFAULT_DIR) : 0;
}

int stage_seal(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
	int r = 0;

	if (mount_setattr(ctx->root_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &read_only, sizeof(read_only)) < 0)
		return fail(err, "make read-only", "/");
	r = unseal(ctx->shm_fd, "/dev/shm", err);
	if (r == 0)
		r = unseal(ctx->pts_fd, "/dev/pts", err);
	if (r == 0 && policy->files.fresh)
		r = place_fresh(&policy->limits, ctx, err);
	for (size_t i = 0; i < ctx->tree_count && r == 0; i++)
		if (ctx->trees[i].writable)
			r = place_tree(&ctx->trees[i], err);
	return r < 0 ? r : enter_root(err);
}
