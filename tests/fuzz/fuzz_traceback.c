/*
 * What a task wrote to standard error: kept, made text, read as a traceback, matched for a hint. Whatever
 * it was, what comes out is bounded, is UTF-8, does nothing to a terminal and names nothing of the host's
 * but what lies in the one directory that was pointed at.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/tail.h"
#include "run/advice.h"

static struct policy policy;
static char root[64];

static void clean_up(void)
{
	policy_fini(&policy);
	(void)rmdir(root);
}

static void set_up(void)
{
	struct error err;

	FUZZ_CHECK(policy_init(&policy, &err) == 0);
	policy.command.kind = COMMAND_CODE;
	(void)snprintf(root, sizeof(root), "/tmp/capsule-fuzz.XXXXXX");
	FUZZ_CHECK(mkdtemp(root) != NULL && setenv("HOME", root, 1) == 0);
	(void)atexit(clean_up);
}

/* Nothing that error_sanitize() would replace, line ends and tabs aside. */
static void check_text(const char *text, size_t size, int is_line)
{
	char copy[TAIL_BYTES + 1];

	FUZZ_CHECK(memchr(text, '\0', size) != NULL && size <= sizeof(copy));
	(void)snprintf(copy, sizeof(copy), "%s", text);
	for (char *p = copy; !is_line && *p != '\0'; p++)
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	FUZZ_CHECK(strlen(copy) == strlen(text));
	error_sanitize(copy);
	for (size_t i = 0; copy[i] != '\0'; i++)
		FUZZ_CHECK(copy[i] == text[i] || (!is_line && (text[i] == '\n' || text[i] == '\t')));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plan plan = {.python_minor = 11};
	struct verdict verdict = {.outcome = OUTCOME_EXITED, .exit_code = 1};
	struct tail tail = {NULL, 0};
	char text[TAIL_BYTES + 1];
	size_t step = size > 0 ? data[0] + 1U : 1;
	int cwd_fd;

	if (root[0] == '\0')
		set_up();
	for (size_t at = 0; at < size; at += step)
		tail_add(&tail, data + at, size - at < step ? size - at : step);
	tail_text(&tail, text);
	tail_fini(&tail);
	check_text(text, sizeof(text), 0);
	cwd_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(cwd_fd >= 0 && chdir(root) == 0);
	advice_give(&policy, &plan, text, &verdict);
	FUZZ_CHECK(fchdir(cwd_fd) == 0);
	(void)close(cwd_fd);
	check_text(verdict.hint, sizeof(verdict.hint), 1);
	check_text(verdict.reported.type, sizeof(verdict.reported.type), 1);
	check_text(verdict.reported.message, sizeof(verdict.reported.message), 0);
	check_text(verdict.reported.file, sizeof(verdict.reported.file), 0);
	check_text(verdict.reported.code, sizeof(verdict.reported.code), 0);
	FUZZ_CHECK((verdict.reported.type[0] != '\0') || verdict.reported.message[0] == '\0');
	/* The directory is empty: nothing is on the host. */
	FUZZ_CHECK(strstr(verdict.hint, "is on the host") == NULL && strstr(verdict.hint, "--src /") == NULL);
	return 0;
}
