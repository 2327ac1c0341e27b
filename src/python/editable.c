#include "python/editable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"

#define TEXT_MAX 65536

static int add_directory(const char *site, const char *path, struct strlist *ret)
{
	char real[PATH_MAX];
	struct stat st;

	if (path_resolve(path, real, NULL) < 0 || path_is_below(real, site) || stat(real, &st) < 0 ||
	    !S_ISDIR(st.st_mode))
		return 0;
	for (size_t i = 0; i < ret->count; i++)
		if (strcmp(ret->item[i], real) == 0)
			return 0;
	return strlist_add(ret, real);
}

/* Lines of a .pth file are directories, relative to it, or code, which is left alone. site.py. */
static int read_pth(const char *site, char *text, struct strlist *ret)
{
	char *save = NULL;
	int r = 0;

	for (char *line = strtok_r(text, "\r\n", &save); line != NULL && r == 0;
	     line = strtok_r(NULL, "\r\n", &save)) {
		char joined[PATH_MAX];

		if (*line == '#' || strncmp(line, "import ", 7) == 0 || strncmp(line, "import\t", 7) == 0)
			continue;
		if (*line == '/')
			r = add_directory(site, line, ret);
		else if (path_join(joined, site, line))
			r = add_directory(site, joined, ret);
	}
	return r;
}

/* setuptools' finder holds MAPPING = {'package': '/project/package'}: what is imported lies one up. */
static int read_finder(const char *site, const char *text, struct strlist *ret)
{
	const char *p = strstr(text, "\nMAPPING");
	const char *end;
	int r = 0;

	p = p != NULL ? strchr(p, '{') : NULL;
	end = p != NULL ? strchr(p, '}') : NULL;
	while (p != NULL && end != NULL && r == 0 && (p = strchr(p, ':')) != NULL && p < end) {
		char path[PATH_MAX];
		size_t len;

		p++;
		p += strspn(p, " ");
		if ((*p != '\'' && *p != '"') || p[1] != '/')
			continue;
		len = strcspn(p + 1, "'\"\n");
		if (len >= sizeof(path))
			return 0;
		memcpy(path, p + 1, len);
		path[len] = '\0';
		p += len + 1;
		if (path_to_parent(path))
			r = add_directory(site, path, ret);
	}
	return r;
}

int editable_find(const char *site, struct strlist *ret)
{
	DIR *list = opendir(site);
	struct dirent *entry;
	int r = 0;

	while (list != NULL && r == 0 && (entry = readdir(list)) != NULL) {
		bool is_pth = fnmatch("*.pth", entry->d_name, 0) == 0;
		AUTO_FREE char *text = NULL;

		if (!is_pth && fnmatch("__editable__*finder.py", entry->d_name, 0) != 0)
			continue;
		text = malloc(TEXT_MAX);
		if (text == NULL)
			r = -ENOMEM;
		else if (fd_read_file_at(dirfd(list), entry->d_name, text, TEXT_MAX) >= 0)
			r = is_pth ? read_pth(site, text, ret) : read_finder(site, text, ret);
	}
	if (list != NULL)
		closedir(list);
	return r;
}
