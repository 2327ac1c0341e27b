#include "policy/config_file.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"

#define PYPROJECT     "pyproject.toml"
#define PYPROJECT_MAX (1 << 20)

/* Whether a pyproject.toml has a table of ours: most have none, and then nothing is started for them. */
static bool mentions_us(void)
{
	AUTO_CLOSE int fd = open(PYPROJECT, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	AUTO_FREE char *text = malloc(PYPROJECT_MAX);
	struct stat st;
	ssize_t n;

	if (fd < 0 || text == NULL || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	n = fd_read_all(fd, text, PYPROJECT_MAX);
	return n > 0 && memmem(text, (size_t)n, "capsule", 7) != NULL && memmem(text, (size_t)n, "tool", 4) != NULL;
}

const char *config_find(void)
{
	static const char *const names[] = {"capsule.toml", "Capsule.toml"};
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (stat(names[i], &st) == 0 && S_ISREG(st.st_mode))
			return names[i];
	return mentions_us() ? PYPROJECT : NULL;
}
