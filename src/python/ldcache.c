/*
 * The layout is glibc's dl-cache.h: perhaps an old table ("ld.so-1.7.0"), then the new one, whose
 * entries hold offsets from its own beginning. Everything is checked against the file's size when
 * it is looked at.
 */
#include "python/ldcache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"

#define SIZE_LIMIT (64U << 20)
#define BUCKETS	   4096U

#define OLD_MAGIC  "ld.so-1.7.0"
#define OLD_HEADER 16U /* magic, padding, count */
#define OLD_ENTRY  12U
#define NEW_MAGIC  "glibc-ld.so.cache1.1"
#define NEW_HEADER 48U
#define NEW_ENTRY  24U

/* FLAG_ELF_LIBC6, and the ABI. */
#if defined(__x86_64__)
#define OURS 0x0303U
#else
#define OURS 0x0a03U
#endif

static uint32_t number_at(const struct ldcache *cache, size_t offset)
{
	uint32_t value;

	memcpy(&value, cache->data + offset, sizeof(value));
	return value;
}

static uint32_t hash(const char *name)
{
	uint32_t value = 2166136261U;

	for (; *name != '\0'; name++)
		value = (value ^ (unsigned char)*name) * 16777619U;
	return value % BUCKETS;
}

/* A text whose offset is the n-th number of an entry; "" when it lies outside. It ends: data does.
 */
static const char *text_of(const struct ldcache *cache, uint32_t entry, unsigned int n)
{
	size_t offset = number_at(cache, cache->entries + (size_t)entry * NEW_ENTRY + 4 * n);

	return offset < cache->size - cache->base ? cache->data + cache->base + offset : "";
}

/* Finds the new table; false when there is none. */
static bool find_table(struct ldcache *cache)
{
	size_t base = 0;

	if (cache->size >= OLD_HEADER && memcmp(cache->data, OLD_MAGIC, strlen(OLD_MAGIC)) == 0) {
		base = OLD_HEADER + (size_t)number_at(cache, OLD_HEADER - 4) * OLD_ENTRY;
		base = (base + 7) / 8 * 8;
	}
	if (base > cache->size || cache->size - base < NEW_HEADER ||
	    memcmp(cache->data + base, NEW_MAGIC, strlen(NEW_MAGIC)) != 0)
		return false;
	cache->base = base;
	cache->entries = base + NEW_HEADER;
	cache->count = number_at(cache, base + strlen(NEW_MAGIC));
	return cache->count <= (cache->size - cache->entries) / NEW_ENTRY;
}

int ldcache_load(const char *path, struct ldcache *ret)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	memset(ret, 0, sizeof(*ret));
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    st.st_size > SIZE_LIMIT)
		return 0;
	ret->data = calloc(1, (size_t)st.st_size + 1);
	if (ret->data == NULL)
		return -ENOMEM;
	n = fd_read_all(fd, ret->data, (size_t)st.st_size);
	ret->size = n < 0 ? 0 : (size_t)n;
	if (!find_table(ret)) {
		ret->count = 0;
		return 0;
	}
	ret->buckets = calloc(BUCKETS, sizeof(*ret->buckets));
	ret->next = calloc((size_t)ret->count + 1, sizeof(*ret->next));
	if (ret->buckets == NULL || ret->next == NULL)
		return -ENOMEM;
	/* From the end, so that each chain has the file's order. */
	for (uint32_t i = ret->count; i-- > 0;) {
		uint32_t *bucket = &ret->buckets[hash(text_of(ret, i, 1))];

		ret->next[i] = *bucket;
		*bucket = i + 1;
	}
	return 0;
}

const char *ldcache_find(const struct ldcache *cache, const char *name, uint32_t *at)
{
	uint32_t entry;

	if (cache->count == 0)
		return NULL;
	entry = *at == 0 ? cache->buckets[hash(name)] : cache->next[*at - 1];
	for (; entry != 0; entry = cache->next[entry - 1]) {
		const char *path = text_of(cache, entry - 1, 2);

		if ((number_at(cache, cache->entries + (size_t)(entry - 1) * NEW_ENTRY) & 0xffff) !=
			OURS ||
		    strcmp(text_of(cache, entry - 1, 1), name) != 0 || *path != '/')
			continue;
		*at = entry;
		return path;
	}
	return NULL;
}

void ldcache_fini(struct ldcache *cache)
{
	free(cache->data);
	free(cache->buckets);
	free(cache->next);
	memset(cache, 0, sizeof(*cache));
}
