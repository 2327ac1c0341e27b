/* An installer's RECORD: what is taken from it are paths below the directory that it lies in. */
#include "fuzz.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "python/modules.h"

static char root[64];

static void clean_up(void)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/x.dist-info/RECORD", root);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/x.dist-info", root);
	(void)rmdir(path);
	(void)rmdir(root);
}

static int take(void *data, const char *path, bool is_link, bool is_library)
{
	(void)data;
	FUZZ_CHECK(*path != '/' && strncmp(path, "..", 2) != 0 && strstr(path, "/..") == NULL);
	FUZZ_CHECK(strlen(path) < PATH_MAX && !is_link && is_library);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[128];
	int fd;

	if (root[0] == '\0') {
		(void)snprintf(root, sizeof(root), "/tmp/capsule-fuzz.XXXXXX");
		FUZZ_CHECK(mkdtemp(root) != NULL);
		(void)atexit(clean_up);
		(void)snprintf(path, sizeof(path), "%s/x.dist-info", root);
		FUZZ_CHECK(mkdir(path, 0700) == 0);
	}
	(void)snprintf(path, sizeof(path), "%s/x.dist-info/RECORD", root);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FUZZ_CHECK(fd >= 0 && (size == 0 || write(fd, data, size) == (ssize_t)size));
	(void)close(fd);
	FUZZ_CHECK(modules_find(root, take, NULL) == 0);
	return 0;
}
