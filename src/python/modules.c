#include "python/modules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/strlist.h"

#define DEPTH_MAX  24U
#define RECORD_MAX (16 << 20)

struct search {
	modules_fn *found;
	void *data;
	struct strlist recorded; /* top-level directories that a RECORD speaks for */
	void *seen;		 /* tsearch(3) of those */
	char path[PATH_MAX]; /* where we are, below the directory that was asked about; "" at first
			      */
};

typedef int entry_fn(struct search *s, int dir_fd, const struct dirent64 *entry,
		     unsigned int depth);

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void forget(void *key)
{
	(void)key;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name);

	return len > strlen(suffix) && strcmp(name + len - strlen(suffix), suffix) == 0;
}

/* getdents64(2) itself: readdir(3) makes twice the calls, and there are thousands of directories.
 */
static int for_each(struct search *s, int at_fd, const char *name, unsigned int depth, entry_fn *fn)
{
	AUTO_CLOSE int fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	_Alignas(struct dirent64) char buf[8192];
	ssize_t n;
	int r = 0;

	/* What is not there, or not ours to read, has no modules for the task either. */
	while (fd >= 0 && r == 0 && (n = getdents64(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n && r == 0;) {
			const struct dirent64 *entry =
			    (const struct dirent64 *)(const void *)(buf + i);

			r = fn(s, fd, entry, depth);
			i += entry->d_reclen;
		}
	}
	return r;
}

/* Calls back, or looks further down. Directories that never hold modules are left out. */
static int look(struct search *s, int dir_fd, const struct dirent64 *entry, unsigned int depth)
{
	const char *name = entry->d_name;
	bool is_library = strstr(name, ".so") != NULL;
	bool is_dir = entry->d_type == DT_DIR;
	size_t len = strlen(s->path);
	int r = 0;
	int n;

	if (*name == '.' || (entry->d_type == DT_REG && !is_library) ||
	    (is_dir && (strcmp(name, "__pycache__") == 0 || has_suffix(name, ".dist-info") ||
			has_suffix(name, ".egg-info"))))
		return 0;
	if (is_dir && depth == 0 && tfind(name, &s->seen, compare) != NULL)
		return 0;
	n = snprintf(s->path + len, sizeof(s->path) - len, "%s%s", len > 0 ? "/" : "", name);
	if (n > 0 && (size_t)n < sizeof(s->path) - len) {
		if (is_dir)
			r = depth < DEPTH_MAX ? for_each(s, dir_fd, name, depth + 1, look) : 0;
		else if (entry->d_type == DT_REG || entry->d_type == DT_LNK)
			r = s->found(s->data, s->path, entry->d_type == DT_LNK, is_library);
	}
	s->path[len] = '\0';
	return r;
}

/* One line's path: "numpy/core/x.so,sha256=...,123". Its top-level directory needs no looking
 * through. */
static int take_record(struct search *s, char *path)
{
	char *slash = strchr(path, '/');
	int r = 0;

	/* Scripts and data elsewhere; names with commas and quotes, which are looked for. */
	if (slash == NULL || strncmp(path, "..", 2) == 0 || *path == '/' || *path == '"')
		return 0;
	if (strstr(slash, ".so") != NULL && strstr(slash, "/..") == NULL)
		r = s->found(s->data, path, false, true);
	*slash = '\0';
	/* Lines come by directory. */
	if (r < 0 ||
	    (s->recorded.count > 0 && strcmp(s->recorded.item[s->recorded.count - 1], path) == 0) ||
	    has_suffix(path, ".dist-info") || tfind(path, &s->seen, compare) != NULL)
		return r;
	if (strlist_add(&s->recorded, path) < 0 ||
	    tsearch(s->recorded.item[s->recorded.count - 1], &s->seen, compare) == NULL)
		return -ENOMEM;
	return 0;
}

static int read_record(struct search *s, int dir_fd)
{
	AUTO_CLOSE int fd =
	    openat(dir_fd, "RECORD", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	AUTO_FREE char *text = NULL;
	struct stat st;
	ssize_t n;
	int r = 0;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > RECORD_MAX)
		return 0;
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		return -ENOMEM;
	n = fd_read_all(fd, text, (size_t)st.st_size);
	if (n < 0)
		return 0;
	text[n] = '\0';
	for (char *line = text; *line != '\0' && r == 0;) {
		size_t len = strcspn(line, "\n");
		bool more = line[len] == '\n';

		line[len] = '\0';
		line[strcspn(line, ",")] = '\0';
		r = strlen(line) < PATH_MAX ? take_record(s, line) : 0;
		line += len + more;
	}
	return r;
}

static int look_for_record(struct search *s, int dir_fd, const struct dirent64 *entry,
			   unsigned int depth)
{
	AUTO_CLOSE int fd = -1;

	(void)depth;
	if (!has_suffix(entry->d_name, ".dist-info"))
		return 0;
	fd = openat(dir_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? 0 : read_record(s, fd);
}

int modules_find(const char *dir, modules_fn *found, void *data)
{
	struct search s = {.found = found, .data = data};
	int r = for_each(&s, AT_FDCWD, dir, 0, look_for_record);

	if (r == 0)
		r = for_each(&s, AT_FDCWD, dir, 0, look);
	tdestroy(s.seen, forget);
	strlist_fini(&s.recorded);
	return r;
}
