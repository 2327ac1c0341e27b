/* What is read of ELF files: made ones, the machine's own, and broken ones. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elfmake.h"
#include "python/elf.h"

static int open_bytes(const void *data, size_t size)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	return fd;
}

static int read_bytes(const void *data, size_t size, struct elf_info *ret)
{
	int fd = open_bytes(data, size);
	int r = elf_read(fd, ret);

	assert_int_equal(close(fd), 0);
	return r;
}

static void test_made(void **state)
{
	static const char *const needed[] = {"libone.so.1", "libtwo.so", "libc.so.6", NULL};
	struct elfmake file;
	struct elf_info info;

	(void)state;
	elfmake(&file, "/lib64/ld.so", needed, "/a:$ORIGIN/b", "/c");
	assert_int_equal(read_bytes(&file, sizeof(file), &info), 0);
	assert_int_equal(info.needed.count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(info.needed.item[i], needed[i]);
	assert_string_equal(info.rpath, "/a:$ORIGIN/b");
	assert_string_equal(info.runpath, "/c");
	assert_string_equal(info.interpreter, "/lib64/ld.so");
	elf_fini(&info);
	elfmake(&file, NULL, NULL, NULL, NULL);
	assert_int_equal(read_bytes(&file, sizeof(file), &info), 0);
	assert_true(info.needed.count == 0 && info.rpath == NULL && info.runpath == NULL &&
		    info.interpreter == NULL);
	elf_fini(&info);
}

/* The program that runs this test was linked dynamically. */
static void test_this_program(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct elf_info info;
	bool has_libc = false;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(elf_read(fd, &info), 0);
	for (size_t i = 0; i < info.needed.count; i++)
		has_libc = has_libc || strncmp(info.needed.item[i], "libc.so", 7) == 0 ||
			   strncmp(info.needed.item[i], "libc.musl", 9) == 0;
	assert_true(has_libc);
	assert_true(info.interpreter != NULL && info.interpreter[0] == '/');
	elf_fini(&info);
	assert_int_equal(close(fd), 0);
}

/* Every beginning of a file is refused, without a descriptor or memory left behind. */
static void test_cut_short(void **state)
{
	static const char *const needed[] = {"libone.so.1", NULL};
	struct elfmake file;
	struct elf_info info;
	size_t used;

	(void)state;
	elfmake(&file, "/lib64/ld.so", needed, "/a", "/b");
	used = offsetof(struct elfmake, strings) + 40;
	for (size_t size = 0; size <= used - 10; size++)
		CHECK(read_bytes(&file, size, &info) == -ENOEXEC, "%zu bytes", size);
	assert_int_equal(read_bytes(&file, sizeof(file), &info), 0);
	elf_fini(&info);
}

static void test_broken(void **state)
{
	enum { ROWS = 20 };
	static const char *const needed[] = {"libone.so.1", NULL};
	struct elfmake good;

	(void)state;
	elfmake(&good, "/lib64/ld.so", needed, NULL, NULL);
	for (int row = 0; row < ROWS; row++) {
		struct elfmake file = good;
		struct elf_info info;
		int r;

		switch (row) {
		case 0:
			file.header.e_ident[0] = 0;
			break;
		case 1:
			file.header.e_ident[EI_CLASS] = ELFCLASS32;
			break;
		case 2:
			file.header.e_ident[EI_DATA] = ELFDATA2MSB;
			break;
		case 3:
			file.header.e_machine = EM_386;
			break;
		case 4:
			file.header.e_phentsize = 32;
			break;
		case 5:
			file.header.e_phnum = 0;
			break;
		case 6:
			file.header.e_phnum = 65535;
			break;
		case 7:
			file.header.e_phoff = UINT64_MAX - 10;
			break;
		case 8:
			file.header.e_phoff = sizeof(file) - 8;
			break;
		case 9:
			file.segments[1].p_type = PT_NOTE;
			break;
		case 10:
			file.segments[1].p_filesz = UINT64_MAX;
			break;
		case 11:
			file.segments[1].p_offset = UINT64_MAX - 1;
			break;
		case 12:
			file.segments[1].p_offset = INT64_MAX;
			break;
		case 13:
			file.segments[0].p_vaddr = UINT64_MAX;
			break;
		case 14:
			file.segments[0].p_filesz = 8;
			break;
		case 15:
			file.segments[0].p_offset = INT64_MAX - 4;
			break;
		case 16:
			file.dynamic[0].d_un.d_val = UINT64_MAX;
			break;
		case 17:
			file.dynamic[0].d_un.d_val = sizeof(file.strings);
			break;
		case 18:
			memset(file.strings, 'x', sizeof(file.strings));
			break;
		case 19:
			file.segments[2].p_filesz = 1;
			break;
		default:
			break;
		}
		r = read_bytes(&file, sizeof(file), &info);
		CHECK(r == -ENOEXEC, "row %d: %d", row, r);
	}
}

static void test_what_is_no_file(void **state)
{
	struct elf_info info;
	int fds[2];

	(void)state;
	assert_int_equal(read_bytes("", 0, &info), -ENOEXEC);
	assert_int_equal(elf_read(-1, &info), -EBADF);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(elf_read(fds[0], &info), -ESPIPE);
	assert_int_equal(close(fds[0]), 0);
	assert_int_equal(close(fds[1]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_made),
	    cmocka_unit_test(test_this_program),
	    cmocka_unit_test(test_cut_short),
	    cmocka_unit_test(test_broken),
	    cmocka_unit_test(test_what_is_no_file),
	};

	return cmocka_run_group_tests_name("elf", tests, NULL, NULL);
}
