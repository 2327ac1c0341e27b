/* elf_read(): whatever a file says of itself, names end, are as many as promised, and nothing is
 * left open. */
#include "fuzz.h"

#include <errno.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

#include "python/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);
	struct elf_info info;
	int r;

	FUZZ_CHECK(fd >= 0 && (size == 0 || write(fd, data, size) == (ssize_t)size));
#if defined(__aarch64__)
	/* The corpus is of x86-64. */
	if (size > 20 && data[18] == 0x3e)
		FUZZ_CHECK(pwrite(fd, "\xb7", 1, 18) == 1);
#endif
	r = elf_read(fd, &info);
	FUZZ_CHECK(r == 0 || r == -ENOEXEC);
	if (r == 0) {
		FUZZ_CHECK(info.needed.count <= 256);
		for (size_t i = 0; i < info.needed.count; i++)
			FUZZ_CHECK(strlen(info.needed.item[i]) < PATH_MAX);
		FUZZ_CHECK(info.rpath == NULL || strlen(info.rpath) < PATH_MAX);
		FUZZ_CHECK(info.runpath == NULL || strlen(info.runpath) < PATH_MAX);
		FUZZ_CHECK(info.interpreter == NULL || strlen(info.interpreter) < PATH_MAX);
		elf_fini(&info);
	}
	FUZZ_CHECK(close(fd) == 0);
	return 0;
}
