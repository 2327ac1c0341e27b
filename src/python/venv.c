#include "python/venv.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/fd.h"
#include "base/path.h"

/* Both ends; returns the new start. */
static char *trim(char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	return text;
}

void venv_parse(char *text, struct venv_config *ret)
{
	char *save = NULL;

	memset(ret, 0, sizeof(*ret));
	for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, '=');
		const char *key;

		if (value == NULL)
			continue;
		*value++ = '\0';
		key = trim(line);
		value = trim(value);
		/* The first one counts, as for Python itself. */
		if (strcasecmp(key, "home") == 0 && ret->home[0] == '\0' && strlen(value) < sizeof(ret->home))
			strcpy(ret->home, value);
		else if (strcasecmp(key, "include-system-site-packages") == 0)
			ret->system_site = strcasecmp(value, "true") == 0;
		else if ((strcasecmp(key, "version") == 0 || strcasecmp(key, "version_info") == 0) &&
			 ret->minor == 0 && sscanf(value, "3.%3u", &ret->minor) != 1)
			ret->minor = 0;
	}
}

int venv_read(const char *dir, struct venv_config *ret)
{
	char path[PATH_MAX];
	char text[16384];
	ssize_t n;

	memset(ret, 0, sizeof(*ret));
	if (!path_join(path, dir, "pyvenv.cfg"))
		return -ENAMETOOLONG;
	n = fd_read_file_at(AT_FDCWD, path, text, sizeof(text));
	if (n == -ENOTDIR)
		return -ENOENT;
	if (n < 0)
		return (int)n;
	venv_parse(text, ret);
	return 0;
}
