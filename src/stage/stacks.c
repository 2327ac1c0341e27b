/*
 * How a Python task is asked for its stacks: a directory that is first on its module path holds a sitecustomize.py
 * (src/python), which registers faulthandler on a signal, to write to a FIFO beside it. All of it lies in the root's
 * tmpfs, read-only once that is sealed; a FIFO can be written to nevertheless. We hold its only reading end, and may read
 * it by our capabilities alone: the task can open it for nothing but writing, and what nobody reads fills one pipe of its
 * own memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "stage/stage.h"

#define NAME "stacks"
#define SCRIPT POLICY_OWN_DIR "/sitecustomize.py"
#define CACHE POLICY_OWN_DIR "/__pycache__"

/* In the new root, which is the working directory. */
static const char *inside(const char *path)
{
	return path + 1;
}

static const char script_text[] =
#include "sitecustomize-data.h"
    ;

/*
 * The first compile() of a process takes a Python a hundred times as long as all the rest of it: it makes the classes of
 * the module ast. A version that is not among these does that.
 */
#define BYTECODE(minor, ...) \
	{minor, (const unsigned char[]){__VA_ARGS__}, sizeof((const unsigned char[]){__VA_ARGS__})},
static const struct bytecode {
	unsigned int minor; /* of Python 3.minor */
	const unsigned char *bytes;
	size_t len;
} bytecodes[] = {
#include "bytecode.inc"
};

static int write_file(const char *path, const void *bytes, size_t len, struct error *err)
{
	AUTO_CLOSE int fd = open(inside(path), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
	int r = fd < 0 ? -errno : fd_write_all(fd, bytes, len);

	return r < 0 ? error_set(err, NAME, -r, "write %s", path) : 0;
}

static int write_bytecode(unsigned int minor, struct error *err)
{
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(bytecodes); i++) {
		if (bytecodes[i].minor != minor)
			continue;
		if (mkdir(inside(CACHE), 0755) < 0)
			return error_set(err, NAME, errno, "mkdir " CACHE);
		(void)snprintf(path, sizeof(path), CACHE "/sitecustomize.cpython-3%u.pyc", minor);
		return write_file(path, bytecodes[i].bytes, bytecodes[i].len, err);
	}
	return 0;
}

int stage_stacks(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	int r;

	(void)policy;
	if (ctx->stacks_minor == 0)
		return 0;
	if (mkdir(inside(POLICY_OWN_DIR), 0755) < 0)
		return error_set(err, NAME, errno, "mkdir " POLICY_OWN_DIR);
	r = write_file(SCRIPT, script_text, sizeof(script_text) - 1, err);
	if (r == 0)
		r = write_bytecode(ctx->stacks_minor, err);
	if (r < 0)
		return r;
	if (mkfifo(inside(STAGE_STACKS_FIFO), 0200) < 0)
		return error_set(err, NAME, errno, "make " STAGE_STACKS_FIFO);
	ctx->stacks_fd = open(inside(STAGE_STACKS_FIFO), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return ctx->stacks_fd < 0 ? error_set(err, NAME, errno, "open " STAGE_STACKS_FIFO) : 0;
}
