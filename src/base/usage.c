#include "base/usage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One directory on the way down, and those of its children that are still to be visited. */
struct level {
	dev_t dev;
	ino_t ino;
	char *names; /* NUL-separated */
	size_t length;
	size_t capacity;
	size_t next;
	bool opened_up;
	mode_t mode;
};

struct walk {
	struct level *level;
	size_t depth;
	size_t capacity;
	dev_t dev;
	struct usage *sum;
};

static int push_name(struct level *level, const char *name)
{
	size_t size = strlen(name) + 1;

	if (level->length + size > level->capacity) {
		size_t capacity = (level->length + size) * 2;
		char *grown = realloc(level->names, capacity);

		if (grown == NULL)
			return -ENOMEM;
		level->names = grown;
		level->capacity = capacity;
	}
	memcpy(level->names + level->length, name, size);
	level->length += size;
	return 0;
}

/* Counts the entries of an open directory and notes the directories among them. */
static int read_level(struct walk *walk, struct level *level, int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (dir == NULL) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		struct stat st;

		/* Gone between the two calls: not there any more. */
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		walk->sum->bytes += (uint64_t)st.st_blocks * 512;
		walk->sum->inodes++;
		if (S_ISDIR(st.st_mode) && st.st_dev == walk->dev)
			r = push_name(level, entry->d_name);
	}
	closedir(dir);
	return r;
}

static int push_level(struct walk *walk, int dir_fd, bool opened_up, mode_t mode)
{
	struct level *level;
	struct stat st;

	if (walk->depth == walk->capacity) {
		size_t capacity = walk->capacity == 0 ? 16 : walk->capacity * 2;
		struct level *grown = reallocarray(walk->level, capacity, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		walk->level = grown;
		walk->capacity = capacity;
	}
	if (fstat(dir_fd, &st) < 0)
		return -errno;
	level = &walk->level[walk->depth++];
	*level = (struct level){
	    .dev = st.st_dev, .ino = st.st_ino, .opened_up = opened_up, .mode = mode & 07777};
	return read_level(walk, level, dir_fd);
}

/* Opens a child directory, for a moment with permissions when its owner has none. Returns its
 * descriptor, -ENOENT when it is gone or no directory any more. */
static int open_child(int dir_fd, const char *name, bool *ret_opened_up, mode_t *ret_mode)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_CLOSE int path_fd = -1;
	char link[32];
	struct stat st;

	*ret_opened_up = false;
	*ret_mode = 0;
	if (fd >= 0 && faccessat(fd, ".", X_OK, 0) == 0)
		return fd;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return -ENOENT;
	close_fd(&fd);
	path_fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (path_fd < 0 || fstat(path_fd, &st) < 0)
		return -ENOENT;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	if (chmod(link, (st.st_mode & 07777) | 0700) < 0)
		return -errno;
	*ret_opened_up = true;
	*ret_mode = st.st_mode;
	fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		int errnum = errno;

		(void)(chmod(link, st.st_mode & 07777) < 0);
		return -errnum;
	}
	return fd;
}

/* Leaves a finished directory. Returns its parent, which must be the one that we came from. */
static int pop_level(struct walk *walk, int dir_fd)
{
	struct level *done = &walk->level[--walk->depth];
	int parent_fd = -1;
	struct stat st;

	free(done->names);
	if (walk->depth > 0)
		parent_fd = openat(dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (done->opened_up)
		(void)(fchmod(dir_fd, done->mode) < 0);
	(void)close(dir_fd);
	if (walk->depth == 0)
		return -ENOENT;
	if (parent_fd < 0)
		return -errno;
	if (fstat(parent_fd, &st) < 0 || st.st_dev != walk->level[walk->depth - 1].dev ||
	    st.st_ino != walk->level[walk->depth - 1].ino) {
		(void)close(parent_fd);
		return -ESTALE;
	}
	return parent_fd;
}

int usage_walk(int dir_fd, struct usage *ret)
{
	struct walk walk = {.sum = ret};
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int r;

	*ret = (struct usage){0, 0};
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	walk.dev = st.st_dev;
	r = push_level(&walk, fd, false, 0);
	while (r == 0 && walk.depth > 0) {
		struct level *level = &walk.level[walk.depth - 1];
		bool opened_up;
		mode_t mode;
		int child_fd;

		if (level->next == level->length) {
			fd = pop_level(&walk, fd);
			if (fd < 0 && walk.depth > 0)
				r = fd;
			continue;
		}
		child_fd = open_child(fd, level->names + level->next, &opened_up, &mode);
		level->next += strlen(level->names + level->next) + 1;
		if (child_fd == -ENOENT)
			continue;
		if (child_fd < 0) {
			r = child_fd;
			break;
		}
		(void)close(fd);
		fd = child_fd;
		r = push_level(&walk, fd, opened_up, mode);
	}
	/* After a failure: up again, so that what was opened up is closed. */
	while (walk.depth > 0 && fd >= 0)
		fd = pop_level(&walk, fd);
	while (walk.depth > 0)
		free(walk.level[--walk.depth].names);
	free(walk.level);
	return r;
}
