/* The dynamic linker's cache: made ones, this machine's, and broken ones. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "python/ldcache.h"

#if defined(__x86_64__)
#define OURS 0x0303U
#else
#define OURS 0x0a03U
#endif
#define I386 0x0803U

struct entry {
	uint32_t flags;
	uint32_t key;
	uint32_t value;
	uint32_t osversion;
	uint64_t hwcap;
};

struct made {
	char old[32]; /* an old table of one entry, where there is one */
	char magic[20];
	uint32_t count;
	uint32_t words[6];
	struct entry entries[4];
	char text[128];
};

static const char names[] =
    "liba.so.1\0/x/liba.so.1\0/y/v3/liba.so.1\0libb.so\0/x/libb.so\0relative\0";

static uint32_t text_at(size_t offset)
{
	return (uint32_t)(offsetof(struct made, text) - offsetof(struct made, magic) + offset);
}

static void make(struct made *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->old, "ld.so-1.7.0", 11);
	ret->old[12] = 1;
	memcpy(ret->magic, "glibc-ld.so.cache1.1", 20);
	ret->count = 4;
	ret->entries[0] = (struct entry){OURS, text_at(0), text_at(23), 0, 1ULL << 62};
	ret->entries[1] = (struct entry){I386, text_at(0), text_at(10), 0, 0};
	ret->entries[2] = (struct entry){OURS, text_at(0), text_at(10), 0, 0};
	ret->entries[3] = (struct entry){OURS | 1U << 16, text_at(39), text_at(47), 0, 0};
	memcpy(ret->text, names, sizeof(names));
}

static int load(const void *data, size_t size, struct ldcache *ret)
{
	int fd = memfd_create("cache", MFD_CLOEXEC);
	char path[64];
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = ldcache_load(path, ret);
	assert_int_equal(close(fd), 0);
	return r;
}

static void check_made(const void *data, size_t size)
{
	struct ldcache cache;
	uint32_t at = 0;

	assert_int_equal(load(data, size, &cache), 0);
	assert_string_equal(ldcache_find(&cache, "liba.so.1", &at), "/y/v3/liba.so.1");
	assert_string_equal(ldcache_find(&cache, "liba.so.1", &at), "/x/liba.so.1");
	assert_null(ldcache_find(&cache, "liba.so.1", &at));
	assert_null(ldcache_find(&cache, "liba.so.1", &at));
	at = 0;
	assert_string_equal(ldcache_find(&cache, "libb.so", &at), "/x/libb.so");
	for (const char *const *name =
		 (const char *const[]){"", "liba.so", "liba.so.10", "/x/libb.so", NULL};
	     *name != NULL; name++) {
		at = 0;
		CHECK(ldcache_find(&cache, *name, &at) == NULL, "%s", *name);
	}
	ldcache_fini(&cache);
}

static void test_made(void **state)
{
	struct made made;

	(void)state;
	make(&made);
	check_made(&made, sizeof(made));
	check_made(made.magic, sizeof(made) - sizeof(made.old));
}

static void test_this_machines(void **state)
{
	struct ldcache cache;
	const char *path;
	uint32_t at = 0;

	(void)state;
	assert_int_equal(ldcache_load("/etc/ld.so.cache", &cache), 0);
	path = ldcache_find(&cache, "libc.so.6", &at);
	if (access("/etc/ld.so.cache", R_OK) == 0)
		assert_true(path != NULL && access(path, R_OK) == 0);
	ldcache_fini(&cache);
}

static void check_empty(const void *data, size_t size, const char *what)
{
	struct ldcache cache;
	uint32_t at = 0;

	CHECK(load(data, size, &cache) == 0, "%s", what);
	CHECK(ldcache_find(&cache, "liba.so.1", &at) == NULL, "%s", what);
	ldcache_fini(&cache);
}

static void test_not_understood(void **state)
{
	struct made made;
	struct ldcache cache;
	uint32_t at = 0;

	(void)state;
	assert_int_equal(ldcache_load("/nonexistent", &cache), 0);
	assert_null(ldcache_find(&cache, "liba.so.1", &at));
	ldcache_fini(&cache);
	assert_int_equal(ldcache_load("/proc/self", &cache), 0);
	ldcache_fini(&cache);
	make(&made);
	for (size_t size = 0; size < offsetof(struct made, text); size++)
		check_empty(&made, size, "cut short");
	made.magic[0] = 'x';
	check_empty(&made, sizeof(made), "another magic");
	make(&made);
	made.count = UINT32_MAX;
	check_empty(&made, sizeof(made), "more entries than fit");
	make(&made);
	memset(made.old + 12, 0xff, 4);
	check_empty(&made, sizeof(made), "an old table without end");
	make(&made);
	made.entries[0].key = made.entries[2].key = UINT32_MAX;
	check_empty(&made, sizeof(made), "names outside");
	make(&made);
	made.entries[0].value = UINT32_MAX;
	made.entries[2].value = text_at(58);
	check_empty(&made, sizeof(made), "paths outside, and relative");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_made),
	    cmocka_unit_test(test_this_machines),
	    cmocka_unit_test(test_not_understood),
	};

	return cmocka_run_group_tests_name("ldcache", tests, NULL, NULL);
}
