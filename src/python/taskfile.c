#include "python/taskfile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"

#define FILE_MAX (16 << 20)

const struct taskfile_part taskfile_parts[] = {
#include "module-data.h"
};
const size_t taskfile_part_count = ARRAY_SIZE(taskfile_parts);

/* Other scripts' letters are bytes from 0x80 on. */
static bool is_word(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c & '\x80') != 0;
}

/* Whether line[0..len) has this word, as a whole one. */
static bool has_word(const char *line, size_t len, const char *word)
{
	size_t word_len = strlen(word);
	const char *end = line + len;

	for (const char *p = line; (p = memmem(p, (size_t)(end - p), word, word_len)) != NULL; p++)
		if ((p == line || !is_word(p[-1])) && (p + word_len == end || !is_word(p[word_len])))
			return true;
	return false;
}

bool taskfile_may_import(const char *text, size_t len)
{
	static const char *const words[] = {"import", "from", "__import__", "import_module"};
	static const char name[] = "capsule";
	const char *end = text + len;

	if (memchr(text, '\0', len) != NULL)
		return false;
	for (const char *p = text; (p = memmem(p, (size_t)(end - p), name, sizeof(name) - 1)) != NULL;) {
		const char *line = p;
		const char *stop = p;
		int ends = 0;

		/* And the line before: a statement can go on. A carriage return ends one, too. */
		while (line > text && ((line[-1] != '\n' && line[-1] != '\r') || ends++ == 0))
			line--;
		while (stop < end && *stop != '\n' && *stop != '\r')
			stop++;
		for (size_t i = 0; i < ARRAY_SIZE(words) && has_word(line, (size_t)(stop - line), name); i++)
			if (has_word(line, (size_t)(stop - line), words[i]))
				return true;
		p = stop;
	}
	return false;
}

bool taskfile_is_candidate(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	AUTO_FREE char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > FILE_MAX)
		return false;
	text = malloc((size_t)st.st_size);
	n = text == NULL ? -1 : fd_read_all(fd, text, (size_t)st.st_size);
	return n > 0 && taskfile_may_import(text, (size_t)n);
}
