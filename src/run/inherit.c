#include "run/inherit.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/sys.h"

#define TREES_MAX 128

/* argv and environ lie side by side on the initial stack; /proc/1/cmdline is readable to all. */
void inherit_wipe(char **argv, const char *name)
{
	char *first = argv[0];
	char *end = first;
	size_t size;

	for (char **list = argv; *list != NULL; list++)
		if (*list == end)
			end = *list + strlen(*list) + 1;
	for (char **list = environ; list != NULL && *list != NULL; list++)
		if (*list == end)
			end = *list + strlen(*list) + 1;
	size = (size_t)(end - first);
	explicit_bzero(first, size);
	memcpy(first, name, size < strlen(name) + 1 ? size : strlen(name));
	(void)prctl(PR_SET_NAME, name);
	environ = NULL;
}

int inherit_close(struct init_args *args, struct error *err)
{
	const struct stage_ctx *ctx = &args->ctx;
	int keep[17 + TREES_MAX];
	size_t count = 0;
	unsigned int next = 3;

	if (ctx->tree_count > TREES_MAX)
		return error_set(err, "init", E2BIG, "more than %d things to show", TREES_MAX);
	keep[count++] = args->channel_fd;
	keep[count++] = ctx->script_fd;
	keep[count++] = ctx->answer_fd;
	keep[count++] = ctx->gate_fd;
	for (unsigned int i = 0; i < 3; i++)
		keep[count++] = ctx->stdio_fd[i];
	for (size_t i = 0; i < ctx->tree_count; i++)
		keep[count++] = ctx->trees[i].tree_fd;
	/* The gaps between those, in rising order. */
	for (;;) {
		unsigned int lowest = ~0U;

		for (size_t i = 0; i < count; i++)
			if (keep[i] >= (int)next && (unsigned int)keep[i] < lowest)
				lowest = (unsigned int)keep[i];
		if (next < lowest && sys_close_range(next, lowest == ~0U ? lowest : lowest - 1, 0) < 0)
			return error_set(err, "init", errno, "close_range");
		if (lowest == ~0U)
			return 0;
		next = lowest + 1;
	}
}

void inherit_close_setup(struct stage_ctx *ctx)
{
	for (int fd = 0; fd < 3; fd++) {
		(void)close(fd);
		close_fd(&ctx->stdio_fd[fd]);
	}
	close_fd(&ctx->script_fd);
	close_fd(&ctx->answer_fd);
	for (size_t i = 0; i < ctx->tree_count; i++)
		if (ctx->trees[i].tree_fd >= 0)
			(void)close(ctx->trees[i].tree_fd);
	close_fd(&ctx->proc_fd);
	close_fd(&ctx->shm_fd);
	close_fd(&ctx->fresh_fd);
	close_fd(&ctx->stacks_fd);
	close_fd(&ctx->pts_fd);
	close_fd(&ctx->root_fd);
	close_fd(&ctx->host_proc_fd);
}
