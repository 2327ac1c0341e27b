#include "run/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"

/*
 * A user namespace in which the file system's OWNER is the task's host id, for MOUNT_ATTR_IDMAP. It needs
 * a process to be made from, which lives just as long. mount_setattr(2). Returns a descriptor or -errno.
 */
static int idmap_namespace(uid_t owner, gid_t group, const struct idmap *ids)
{
	int pidfd = -1;
	struct clone_args args = {.flags = CLONE_NEWUSER | CLONE_PIDFD,
				  .pidfd = (uint64_t)(uintptr_t)&pidfd,
				  .exit_signal = SIGCHLD};
	char path[48];
	char line[48];
	pid_t caller = getpid();
	pid_t pid = sys_clone3(&args);
	int ns_fd = -1;
	int r;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		/* Killed with the caller; and if he died before that was said, at once. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != caller)
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	(void)snprintf(line, sizeof(line), "%u %u 1\n", owner, ids->host_uid);
	r = fd_write_file_at(AT_FDCWD, path, line);
	(void)snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	(void)snprintf(line, sizeof(line), "%u %u 1\n", group, ids->host_gid);
	if (r == 0)
		r = fd_write_file_at(AT_FDCWD, path, line);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	if (r == 0)
		ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r == 0 && ns_fd < 0)
		r = -errno;
	(void)sys_pidfd_send_signal(pidfd, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	(void)close(pidfd);
	return r < 0 ? r : ns_fd;
}

int tree_map_owner(int tree_fd, const char *host, const struct stat *st, const struct idmap *ids,
		   struct error *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
	AUTO_CLOSE int ns_fd = idmap_namespace(st->st_uid, st->st_gid, ids);

	if (ns_fd < 0)
		return error_set(err, "files", -ns_fd, "map the owner of %s", host);
	attr.userns_fd = (__u64)ns_fd;
	if (mount_setattr(tree_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		error_set(err, "files", errno, "map the owner of %s", host);
		return error_hint(err, "this file system can't map owners: choose another directory, or run "
				       "capsule-run as the directory's owner");
	}
	return 0;
}

/*
 * As root, init will have neither the caller's uid nor capabilities over his files, so the mount is made
 * here with root's rights and handed in. Files of some user's stay his.
 */
static int make_tree(const struct idmap *ids, int object_fd, const struct stat *st, struct stage_tree *tree,
		     struct error *err)
{
	tree->tree_fd =
	    open_tree(object_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);
	if (tree->tree_fd < 0)
		return error_set(err, "files", errno, "open_tree %s", tree->host);
	if (!tree->writable || st->st_uid == 0 || st->st_uid == ids->host_uid)
		return 0;
	return tree_map_owner(tree->tree_fd, tree->host, st, ids, err);
}

static int add_entry(struct plan *plan, const char *host, const char *guest, struct stage_tree **ret,
		     struct error *err)
{
	struct stage_tree *grown = reallocarray(plan->trees, plan->tree_count + 1, sizeof(*grown));
	struct stage_tree *tree;

	if (grown == NULL)
		return error_set(err, "files", ENOMEM, "%s", guest);
	plan->trees = grown;
	tree = &grown[plan->tree_count++];
	*tree = (struct stage_tree){.host = strdup(host), .guest = strdup(guest), .tree_fd = -1};
	*ret = tree;
	return tree->host == NULL || tree->guest == NULL ? error_set(err, "files", ENOMEM, "%s", guest) : 0;
}

int tree_add_link(struct plan *plan, const char *guest, const char *target, struct error *err)
{
	struct stage_tree *tree;
	int r = add_entry(plan, target, guest, &tree, err);

	if (r == 0)
		tree->link = true;
	return r;
}

int tree_put_first(struct plan *plan, size_t from, struct error *err)
{
	size_t count = plan->tree_count - from;
	struct stage_tree *moved = calloc(count + 1, sizeof(*moved));

	if (moved == NULL)
		return error_set(err, "files", ENOMEM, "show the interpreter");
	memcpy(moved, plan->trees + from, count * sizeof(*moved));
	memmove(plan->trees + count, plan->trees, from * sizeof(*moved));
	memcpy(plan->trees, moved, count * sizeof(*moved));
	free(moved);
	return 0;
}

bool tree_is_shown(const struct plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->tree_count; i++) {
		const struct stage_tree *tree = &plan->trees[i];

		if (!tree->link && strcmp(tree->host, tree->guest) == 0 && path_is_below(path, tree->guest))
			return true;
	}
	return false;
}

/* Adds what is open: as root the very thing is mounted, and init compares what it opens. */
static int add_opened(struct plan *plan, int object_fd, const struct stat *st, const char *real, const char *guest,
		      bool writable, struct error *err)
{
	struct stage_tree *tree;
	int r = add_entry(plan, real, guest, &tree, err);

	if (r < 0)
		return r;
	tree->writable = writable;
	tree->directory = S_ISDIR(st->st_mode);
	tree->dev = st->st_dev;
	tree->ino = st->st_ino;
	return plan->ids.privileged ? make_tree(&plan->ids, object_fd, st, tree, err) : 0;
}

int tree_add(struct plan *plan, const char *real, const char *guest, bool writable, struct error *err)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW, .resolve = RESOLVE_NO_SYMLINKS};
	/* One look, by one descriptor, and no link: whoever owns a directory on the way could put one there. */
	AUTO_CLOSE int object_fd = sys_openat2(AT_FDCWD, real, &how);
	struct stat st;

	if (object_fd < 0 || fstat(object_fd, &st) < 0)
		return error_set(err, "files", errno, "%s", real);
	return add_opened(plan, object_fd, &st, real, guest, writable, err);
}

/* What was judged, opened again: by its real path, without a link, and the same. */
static int renew_tree(const struct idmap *ids, struct stage_tree *tree, struct error *err)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW, .resolve = RESOLVE_NO_SYMLINKS};
	AUTO_CLOSE int object_fd = sys_openat2(AT_FDCWD, tree->host, &how);
	struct stat st;

	if (object_fd < 0 || fstat(object_fd, &st) < 0)
		return error_set(err, "files", errno, "%s", tree->host);
	if (st.st_dev != tree->dev || st.st_ino != tree->ino)
		return error_set(err, "files", ESTALE, "%s: replaced since the last attempt", tree->host);
	close_fd(&tree->tree_fd);
	return make_tree(ids, object_fd, &st, tree, err);
}

int tree_renew(struct plan *plan, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < plan->tree_count && plan->ids.privileged && r == 0; i++)
		if (!plan->trees[i].link)
			r = renew_tree(&plan->ids, &plan->trees[i], err);
	return r;
}

/*
 * Root's reach must not be lent: a link that some user made may lead to that user's own files and no
 * further.
 */
int tree_check_links(const struct idmap *ids, const char *path, const struct path_walk *walk, struct error *err)
{
	if (!ids->privileged || !walk->by_others)
		return 0;
	error_set(err, "files", 0, "%s: the link %s is uid %u's, what it leads to is not", path, walk->link,
		  walk->other);
	return error_hint(err, "name the place itself: %s", walk->real);
}

/* Bindings are recursive: no file system of the kernel's may be the tree, hold it, or lie in it. */
static int refuse_kernel_mounts(const char *option, const char *real, struct error *err)
{
	static const char *const refused[] = {"cgroup",	 "cgroup2", "proc",   "sysfs",	"debugfs",    "tracefs",
					      "devpts",	 "devtmpfs", "bpf",   "mqueue", "securityfs", "configfs",
					      "pstore",	 "efivarfs", "binder", "fusectl"};
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	size_t holder = 0;
	const char *held_by = NULL;
	const char *found = NULL;

	if (mounts == NULL)
		return error_set(err, "files", errno, "/proc/self/mounts");
	while ((entry = getmntent(mounts)) != NULL) {
		const char *type = NULL;

		for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
			if (strcmp(entry->mnt_type, refused[i]) == 0)
				type = refused[i];
		/* The innermost mount that holds it, and the last on one place, is what it lies on. */
		if (path_is_below(real, entry->mnt_dir) && strlen(entry->mnt_dir) >= holder) {
			holder = strlen(entry->mnt_dir);
			held_by = type;
		} else if (type != NULL && path_is_below(entry->mnt_dir, real)) {
			found = type;
		}
	}
	endmntent(mounts);
	if (held_by != NULL)
		found = held_by;
	if (found == NULL)
		return 0;
	error_set(err, "files", 0, "%s %s: would show a file system of the kernel's (%s)", option, real, found);
	return error_hint(err, "cgroup, proc, sysfs and the like are not shown to tasks");
}

/* A cgroup may be delegated to the caller, and then it is a directory of his own. */
static int refuse_kernel_directory(int fd, const char *path, struct error *err)
{
	static const unsigned long refused[] = {CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, PROC_SUPER_MAGIC,
						SYSFS_MAGIC,	    DEBUGFS_MAGIC,	 TRACEFS_MAGIC,
						DEVPTS_SUPER_MAGIC, BPF_FS_MAGIC};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return error_set(err, "files", errno, "--dir %s", path);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		if ((unsigned long)fs.f_type != refused[i])
			continue;
		error_set(err, "files", 0, "--dir %s: in a file system of the kernel's", path);
		return error_hint(err, "choose a directory on disk, or use --fresh");
	}
	return 0;
}

/* Here and not in the table of hints: a profile's line will stand before it. */
static int cannot_reach(const char *option, const char *path, int errnum, struct error *err)
{
	int r = error_set(err, "files", errnum, "%s %s", option, path);

	if (errnum == ENOENT)
		return error_hint(err, "what is shown must exist: check the path");
	if (errnum == EACCES)
		return error_hint(err, "you can't reach that path yourself: check the modes above it");
	return r;
}

static int refuse_kind(const char *option, const struct path_walk *walk, struct error *err)
{
	if (strcmp(walk->real, "/") == 0) {
		error_set(err, "files", 0, "%s /: would show the whole host", option);
		return error_hint(err, "name the directories that the task needs");
	}
	if (!S_ISREG(walk->st.st_mode) && !S_ISDIR(walk->st.st_mode)) {
		error_set(err, "files", 0, "%s %s: not a file or directory", option, walk->real);
		return error_hint(err, "sockets, pipes and devices lead out of the sandbox and are not shown");
	}
	return refuse_kernel_mounts(option, walk->real, err);
}

int tree_add_bind(struct plan *plan, const char *option, const struct policy_bind *bind, struct error *err)
{
	const char *guest = bind->guest;
	struct path_walk walk;
	int r = path_walk(bind->host, true, &walk);

	if (r < 0)
		return cannot_reach(option, bind->host, -r, err);
	r = tree_check_links(&plan->ids, bind->host, &walk, err);
	if (r == 0)
		r = refuse_kind(option, &walk, err);
	/* Without a guest path: where the caller sees it, links resolved. */
	if (r == 0 && guest == NULL) {
		guest = walk.real;
		r = policy_check_guest(guest, err);
	}
	if (r == 0)
		r = add_opened(plan, walk.fd, &walk.st, walk.real, guest, bind->writable, err);
	close_fd(&walk.fd);
	return r;
}

int tree_add_walked(struct plan *plan, const char *path, const char *guest, struct error *err)
{
	struct path_walk walk;
	int r = path_walk(path, true, &walk);

	if (r < 0)
		return error_set(err, "files", -r, "%s", path);
	r = tree_check_links(&plan->ids, path, &walk, err);
	if (r == 0)
		r = add_opened(plan, walk.fd, &walk.st, walk.real, guest, false, err);
	close_fd(&walk.fd);
	return r;
}

static bool is_empty_dir(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool empty = dir != NULL;
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			empty = false;
	if (dir != NULL)
		closedir(dir);
	else
		close_fd(&fd);
	return empty;
}

/* A slash at the end is left out: "link/" would be followed. NULL: out of memory. */
static char *workdir_path(const struct policy *policy)
{
	char *path = strdup(policy->files.dir);

	for (size_t len = path == NULL ? 0 : strlen(path); len > 1 && path[len - 1] == '/'; len--)
		path[len - 1] = '\0';
	return path;
}

/* Opens it for reading as well: what was walked to, and nothing else. */
static int open_workdir(const char *path, struct path_walk *walk, int *ret_fd, struct error *err)
{
	int r = path_walk(path, false, walk);

	if (r == 0) {
		*ret_fd = openat(walk->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (*ret_fd >= 0)
			return 0;
		r = -errno;
		close_fd(&walk->fd);
	}
	if (r == -ELOOP)
		error_set(err, "files", 0, "%s is a symbolic link", path);
	else
		error_set(err, "files", -r, "%s", path);
	if (r == -ENOENT)
		return error_hint(err, "make it first: mkdir %s", path);
	return error_hint(err, "the sandbox directory must be a real directory of yours: pass another "
			       "with --dir DIR, or use --fresh");
}

/* Root's own directory becomes the task's: the default one always, another one when nothing is in it. */
static int judge_owner(const struct policy *policy, const struct idmap *ids, const char *path, int fd,
		       const struct stat *st, struct error *err)
{
	bool is_default = !policy_is_explicit(policy, OPTION_DIR);

	if (ids->privileged && st->st_uid == 0) {
		if (is_default || is_empty_dir(fd))
			return 0;
		error_set(err, "files", 0, "--dir %s: root's, and not empty", path);
		return error_hint(err, "tasks never write as root: hand it over (chown %u:%u %s), choose an "
				       "empty directory, or show it read-only with --bind",
				  ids->host_uid, ids->host_gid, path);
	}
	if (ids->privileged ? !is_default || st->st_uid == ids->host_uid : st->st_uid == geteuid())
		return 0;
	error_set(err, "files", 0, "%s belongs to uid %u, not to you", path, st->st_uid);
	return error_hint(err, "pass a directory of your own with --dir DIR, or use --fresh for an "
			       "empty one in memory");
}

/* Whether an open directory may be the sandbox directory. */
static int judge_workdir(const struct policy *policy, const struct idmap *ids, const char *path, int fd,
			 const struct path_walk *walk, struct error *err)
{
	int r = judge_owner(policy, ids, path, fd, &walk->st, err);

	if (r < 0)
		return r;
	if (strcmp(walk->real, "/") == 0)
		return error_set(err, "files", 0, "--dir /: would show the whole host");
	r = tree_check_links(ids, path, walk, err);
	return r < 0 ? r : refuse_kernel_directory(fd, path, err);
}

int tree_check_workdir(const struct policy *policy, const struct idmap *ids, bool *ret_exists, struct error *err)
{
	AUTO_FREE char *path = workdir_path(policy);
	AUTO_CLOSE int fd = -1;
	struct path_walk walk;
	int r;

	if (path == NULL)
		return error_set(err, "files", ENOMEM, "%s", policy->files.dir);
	*ret_exists = lstat(path, &walk.st) == 0;
	if (!*ret_exists && errno == ENOENT && !policy_is_explicit(policy, OPTION_DIR)) {
		char *slash = strrchr(path, '/');

		*slash = '\0';
		return access(path, W_OK | X_OK) < 0
			   ? error_set(err, "files", errno, "mkdir %s", policy->files.dir)
			   : 0;
	}
	r = open_workdir(path, &walk, &fd, err);
	if (r < 0)
		return r;
	r = judge_workdir(policy, ids, path, fd, &walk, err);
	close_fd(&walk.fd);
	return r;
}

int tree_add_workdir(const struct policy *policy, struct plan *plan, struct error *err)
{
	AUTO_FREE char *path = workdir_path(policy);
	struct path_walk walk;
	int r;

	if (path == NULL)
		return error_set(err, "files", ENOMEM, "%s", policy->files.dir);
	if (!policy_is_explicit(policy, OPTION_DIR) && mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set(err, "files", errno, "mkdir %s", path);
	r = open_workdir(path, &walk, &plan->workdir_fd, err);
	if (r < 0)
		return r;
	r = judge_workdir(policy, &plan->ids, path, plan->workdir_fd, &walk, err);
	if (r == 0)
		r = add_opened(plan, walk.fd, &walk.st, walk.real, POLICY_DEFAULT_DIR, true, err);
	if (r == 0 && plan->ids.privileged && walk.st.st_uid == 0 &&
	    fchown(plan->workdir_fd, plan->ids.host_uid, plan->ids.host_gid) < 0)
		r = error_set(err, "files", errno, "chown %s", path);
	close_fd(&walk.fd);
	return r;
}
