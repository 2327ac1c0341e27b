/* The dynamic linker's cache: each search ends, and answers are absolute paths inside the file. */
#include "fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "python/ldcache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"liba.so.1", "libb.so", "", "/x/liba.so.1"};
	int fd = memfd_create("cache", MFD_CLOEXEC);
	struct ldcache cache;
	char path[64];

	FUZZ_CHECK(fd >= 0 && (size == 0 || write(fd, data, size) == (ssize_t)size));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	FUZZ_CHECK(ldcache_load(path, &cache) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *found;
		uint32_t at = 0;
		size_t count = 0;

		while ((found = ldcache_find(&cache, names[i], &at)) != NULL) {
			FUZZ_CHECK(*found == '/' &&
				   found + strlen(found) <= cache.data + cache.size);
			FUZZ_CHECK(++count <= size);
		}
	}
	ldcache_fini(&cache);
	FUZZ_CHECK(close(fd) == 0);
	return 0;
}
