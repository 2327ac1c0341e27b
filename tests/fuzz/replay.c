/*
 * Runs the inputs of a corpus through a fuzz entry, where there is no libFuzzer: each file, and each
 * beginning of it, since a parser's mistakes often are at its input's end. Without arguments the corpus
 * is CORPUS/NAME for a program fuzz_NAME. An empty corpus is a failure.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define INPUT_MAX 65536

static unsigned int replay_file(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *in = fopen(path, "rb");
	size_t size;

	if (in == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 0;
	}
	size = fread(data, 1, sizeof(data), in);
	(void)fclose(in);
	for (size_t n = 0; n <= size; n++) {
		/* An allocation of just that size: a sanitizer sees the first byte too far. */
		uint8_t *copy = malloc(n > 0 ? n : 1);

		FUZZ_CHECK(copy != NULL);
		memcpy(copy, data, n);
		(void)LLVMFuzzerTestOneInput(copy, n);
		free(copy);
	}
	return 1;
}

static unsigned int replay(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned int count = 0;

	if (dir == NULL)
		return replay_file(path);
	while ((entry = readdir(dir)) != NULL) {
		char file[PATH_MAX];
		int n = snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);

		if (entry->d_name[0] != '.' && n > 0 && (size_t)n < sizeof(file))
			count += replay_file(file);
	}
	closedir(dir);
	return count;
}

int main(int argc, char *argv[])
{
	const char *name = strrchr(argv[0], '/');
	char corpus[PATH_MAX];
	unsigned int count = 0;

	name = name != NULL ? name + 1 : argv[0];
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	for (int i = 1; i < argc; i++)
		count += replay(argv[i]);
	if (argc == 1) {
		(void)snprintf(corpus, sizeof(corpus), "%s/%s", CORPUS, name);
		count = replay(corpus);
	}
	printf("%s: %u inputs, and their beginnings\n", name, count);
	return count > 0 ? 0 : 1;
}
