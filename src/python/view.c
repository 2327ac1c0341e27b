#include "python/view.h"

#include <errno.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "python/prefix.h"

#define NAME	  "python"
#define HOPS_MAX  40U
#define PARTS_MAX 8192U

/* How a name of the full view is known. */
enum place {
	PLACE_NONE,   /* the full view has no such name */
	PLACE_MADE,   /* a directory on the way to a root, or a top-level link of the system's */
	PLACE_SHARED, /* in the small /etc that every task has */
	PLACE_HOST,
};

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

int view_init(struct view *view, const struct strlist *roots, const struct path_links *links,
	      struct error *err)
{
	memset(view, 0, sizeof(*view));
	view->roots = roots;
	view->links = links;
	for (size_t i = 0; i < roots->count; i++) {
		AUTO_FREE char *real = realpath(roots->item[i], NULL);

		if (real == NULL || strlist_add(&view->real_roots, real) < 0)
			return error_set(err, NAME, real == NULL ? errno : ENOMEM, "%s",
					 roots->item[i]);
	}
	return 0;
}

static bool is_system(const char *path)
{
	return *path == '/' && path[1] != '\0' && prefix_is_system(path);
}

/* Where on the host a name of the full view lies, links on the way already followed. */
static enum place find_host(const struct view *view, const char *path, char host[PATH_MAX])
{
	const char *root = NULL;
	const char *real = NULL;
	bool leads_to_root = false;
	bool is_link = false;
	int n;

	for (size_t i = 0; i < view->roots->count; i++) {
		const char *next = view->roots->item[i];

		if (path_is_below(path, next) && (root == NULL || strlen(next) > strlen(root))) {
			root = next;
			real = view->real_roots.item[i];
		}
		leads_to_root = leads_to_root || path_is_below(next, path);
	}
	if (root != NULL) {
		n = snprintf(host, PATH_MAX, "%s%s", real, path + strlen(root));
		return n > 0 && n < PATH_MAX ? PLACE_HOST : PLACE_NONE;
	}
	for (size_t i = 0; i < view->links->at.count; i++) {
		is_link = is_link || strcmp(path, view->links->at.item[i]) == 0;
		leads_to_root = leads_to_root || path_is_below(view->links->at.item[i], path);
	}
	memcpy(host, path, strlen(path) + 1);
	if (is_link)
		return PLACE_HOST;
	if (leads_to_root)
		return PLACE_MADE;
	if (is_system(path))
		return strchr(path + 1, '/') == NULL ? PLACE_MADE : PLACE_HOST;
	/* The links of Debian's alternatives lead on. */
	return path_is_below(path, "/etc/alternatives") || strcmp(path, "/etc") == 0 ? PLACE_SHARED
										     : PLACE_NONE;
}

static bool is_in_dir(const struct view *view, const char *path)
{
	for (size_t i = 0; i < view->parts.dirs.count; i++)
		if (path_is_below(path, view->parts.dirs.item[i]))
			return true;
	return false;
}

/* Adds a path to a list unless it is shown already. target: what a link says, or NULL. */
static int add(struct view *view, struct strlist *list, const char *path, const char *target)
{
	char *const *known;
	int r;

	if (is_in_dir(view, path) || tfind(path, &view->seen, compare) != NULL)
		return 0;
	if (view->parts.dirs.count + view->parts.files.count + view->parts.links.count >= PARTS_MAX)
		return -E2BIG;
	r = strlist_add(list, path);
	known = r == 0 ? tsearch(list->item[list->count - 1], &view->seen, compare) : NULL;
	if (known == NULL)
		return -ENOMEM;
	return target != NULL ? strlist_add(list, target) : 0;
}

/* One component further. 1 when it was a link, whose text then stands before what is left of the
 * path. */
static int step(struct view *view, struct view_entry *at, char rest[2 * PATH_MAX], bool adds)
{
	enum place place = find_host(view, at->path, at->host);
	char target[PATH_MAX];
	char left[2 * PATH_MAX];
	ssize_t n;
	int r = 0;

	if (place == PLACE_NONE)
		return -ENOENT;
	if (place == PLACE_MADE && !is_system(at->path)) {
		at->st.st_mode = S_IFDIR;
		return 0;
	}
	if (lstat(at->host, &at->st) < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (!S_ISLNK(at->st.st_mode))
		return 0;
	n = readlink(at->host, target, sizeof(target) - 1);
	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	target[n] = '\0';
	if (adds && place == PLACE_HOST)
		r = add(view, &view->parts.links, at->path, target);
	if (r < 0)
		return r;
	(void)snprintf(left, sizeof(left), "%s", rest);
	n = snprintf(rest, 2 * PATH_MAX, "%s/%s", target, left);
	if (n >= 2 * PATH_MAX)
		return -ENAMETOOLONG;
	if (*target == '/')
		at->path[0] = '\0';
	else
		*strrchr(at->path, '/') = '\0';
	return 1;
}

/* Most names are in a few directories: where such a one leads to, or NULL. */
static const char *find_known(const struct view *view, const char *dir, size_t len)
{
	for (size_t i = 0; i < view->known.count; i += 2)
		if (strlen(view->known.item[i]) == len &&
		    memcmp(view->known.item[i], dir, len) == 0)
			return view->known.item[i + 1];
	return NULL;
}

static int add_known(struct view *view, const char *dir, size_t len, const char *real)
{
	if (view->known.count >= (size_t)2 * VIEW_KNOWN_MAX)
		return 0;
	return strlist_addf(&view->known, "%.*s", (int)len, dir) < 0 ||
		       strlist_add(&view->known, real) < 0
		   ? -ENOMEM
		   : 0;
}

static int follow(struct view *view, const char *path, struct view_entry *at, bool adds)
{
	char rest[2 * PATH_MAX];
	char *next = rest;
	unsigned int hops = 0;

	at->st.st_mode = S_IFDIR;
	memcpy(rest, path, strlen(path) + 1);
	for (;;) {
		size_t old = strlen(at->path);
		char *part = next + strspn(next, "/");
		size_t len = strcspn(part, "/");
		int r;

		if (len == 0)
			return 0;
		next = part + len;
		if (!S_ISDIR(at->st.st_mode))
			return -ENOENT;
		if (len == 1 && *part == '.')
			continue;
		if (len == 2 && memcmp(part, "..", 2) == 0) {
			if (old > 0)
				*strrchr(at->path, '/') = '\0';
			continue;
		}
		if (old + len + 2 > sizeof(at->path))
			return -ENAMETOOLONG;
		at->path[old] = '/';
		memcpy(at->path + old + 1, part, len);
		at->path[old + 1 + len] = '\0';
		memmove(rest, next, strlen(next) + 1);
		next = rest;
		r = step(view, at, rest, adds);
		if (r < 0)
			return r;
		if (r == 1 && ++hops > HOPS_MAX)
			return -ELOOP;
		if (r == 1)
			at->st.st_mode = S_IFDIR;
	}
}

static int find(struct view *view, const char *path, struct view_entry *ret, bool adds)
{
	const char *slash = strrchr(path, '/');
	const char *known;
	size_t len;
	int r = 0;

	if (*path != '/' || strlen(path) >= PATH_MAX)
		return *path != '/' ? -ENOENT : -ENAMETOOLONG;
	len = (size_t)(slash - path);
	memset(ret, 0, sizeof(*ret));
	known = find_known(view, path, len);
	if (known != NULL) {
		memcpy(ret->path, known, strlen(known) + 1);
	} else if (adds) {
		char dir[PATH_MAX];

		memcpy(dir, path, len);
		dir[len] = '\0';
		r = follow(view, dir, ret, true);
		if (r == 0)
			r = S_ISDIR(ret->st.st_mode) ? add_known(view, dir, len, ret->path)
						     : -ENOENT;
	} else {
		slash = path;
	}
	return r < 0 ? r : follow(view, slash, ret, adds);
}

int view_find(struct view *view, const char *path, struct view_entry *ret)
{
	return find(view, path, ret, false);
}

static bool is_wanted(const struct view_entry *entry, enum view_want want)
{
	if (S_ISDIR(entry->st.st_mode))
		return want == VIEW_ANY;
	return S_ISREG(entry->st.st_mode) &&
	       (want != VIEW_LIBRARY || strstr(strrchr(entry->path, '/'), ".so") != NULL);
}

int view_add(struct view *view, const char *path, enum view_want want, struct view_entry *ret)
{
	enum place place;
	int r = find(view, path, ret, true);

	if (r < 0)
		return r;
	/* The top of the full view, and what is not its own, is not to be had as a whole. */
	place = find_host(view, ret->path, ret->host);
	if (place != PLACE_HOST || !is_wanted(ret, want))
		return -ENOENT;
	return add(view, S_ISDIR(ret->st.st_mode) ? &view->parts.dirs : &view->parts.files,
		   ret->path, NULL);
}

/* stride: entries that belong together; the first is a path. */
static int take_outside(const struct view *view, const struct strlist *list, size_t stride,
			struct strlist *ret)
{
	for (size_t i = 0; i < list->count; i += stride) {
		if (is_in_dir(view, list->item[i]))
			continue;
		for (size_t k = 0; k < stride; k++)
			if (strlist_add(ret, list->item[i + k]) < 0)
				return -ENOMEM;
	}
	return 0;
}

int view_take(struct view *view, struct view_parts *ret)
{
	struct view_parts parts;
	int r;

	memset(&parts, 0, sizeof(parts));
	r = take_outside(view, &view->parts.files, 1, &parts.files);
	if (r == 0)
		r = take_outside(view, &view->parts.links, 2, &parts.links);
	if (r < 0) {
		view_parts_fini(&parts);
		return r;
	}
	parts.dirs = view->parts.dirs;
	memset(&view->parts.dirs, 0, sizeof(view->parts.dirs));
	*ret = parts;
	return 0;
}

void view_parts_fini(struct view_parts *parts)
{
	strlist_fini(&parts->dirs);
	strlist_fini(&parts->files);
	strlist_fini(&parts->links);
}

static void forget(void *key)
{
	(void)key;
}

void view_fini(struct view *view)
{
	tdestroy(view->seen, forget);
	strlist_fini(&view->real_roots);
	strlist_fini(&view->known);
	view_parts_fini(&view->parts);
	memset(view, 0, sizeof(*view));
}
