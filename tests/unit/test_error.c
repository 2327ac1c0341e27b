#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

static void test_set(void **state)
{
	struct error err;

	(void)state;
	memset(&err, 'x', sizeof(err));
	assert_int_equal(error_set(&err, "rootfs", ENOENT, "mount %s", "/proc"), -ENOENT);
	assert_int_equal(err.errnum, ENOENT);
	assert_int_equal(err.exit, 0);
	assert_string_equal(err.stage, "rootfs");
	assert_string_equal(err.detail, "mount /proc");
	assert_string_equal(err.hint, "");
	assert_int_equal(error_hint(&err, "do %d", 1), -ENOENT);
	assert_string_equal(err.hint, "do 1");
	assert_string_equal(err.detail, "mount /proc");
	assert_int_equal(error_set(&err, "usage", 0, "no"), -EINVAL);
	assert_int_equal(err.errnum, 0);
	assert_string_equal(err.hint, ""); /* an earlier cure is for another illness */
	assert_int_equal(error_hint(&err, "x"), -EINVAL);
}

static void test_prefix(void **state)
{
	struct error err;
	char longer[ERROR_DETAIL_MAX * 2];

	(void)state;
	error_set(&err, "usage", ENOENT, "--ram %d", 1);
	error_hint(&err, "the cure");
	assert_int_equal(error_prefix(&err, "%s:%d: ", "p", 3), -ENOENT);
	assert_string_equal(err.detail, "p:3: --ram 1");
	assert_string_equal(err.hint, "the cure");
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(error_prefix(&err, "%s", longer), -ENOENT);
	assert_int_equal(strlen(err.detail), ERROR_DETAIL_MAX - 1);
	error_set(&err, "usage", 0, "%s", longer);
	assert_int_equal(error_prefix(&err, "p: "), -EINVAL);
	assert_int_equal(strlen(err.detail), ERROR_DETAIL_MAX - 1);
	assert_int_equal(strncmp(err.detail, "p: aaa", 6), 0);
}

static void test_truncates(void **state)
{
	struct error err;
	char longer[2048];

	(void)state;
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	error_set(&err, longer, EIO, "%s", longer);
	error_hint(&err, "%s", longer);
	assert_int_equal(strlen(err.stage), ERROR_STAGE_MAX - 1);
	assert_int_equal(strlen(err.detail), ERROR_DETAIL_MAX - 1);
	assert_int_equal(strlen(err.hint), ERROR_HINT_MAX - 1);
}

static void test_sanitize(void **state)
{
	static const struct {
		const char *text;
		const char *want;
	} rows[] = {
	    {"", ""},
	    {"plain text, ~!", "plain text, ~!"},
	    {"a\nb\tc\rd", "a?b?c?d"},
	    {"\033[31mred\033[0m", "?[31mred?[0m"},
	    {"\001\037\177", "???"},
	    {"caf\303\251 \346\227\245 \360\237\230\200", "caf\303\251 \346\227\245 \360\237\230\200"},
	    {"\303\200\304\233", "\303\200\304\233"}, /* second bytes of 0x80 and 0x9b */
	    /* The C1 controls are controls as well: U+009B is CSI to a UTF-8 terminal. */
	    {"\302\23331m", "??31m"},
	    {"a\302\200b\302\237c", "a??b??c"},
	    {"\302\240\302\251", "\302\240\302\251"},
	    /* What is no UTF-8: alone, cut off at the end or in the middle, overlong, surrogates, too large. */
	    {"a\233b\200", "a?b?"},
	    {"\377\376", "??"},
	    {"caf\303", "caf?"},
	    {"\346\227", "??"},
	    {"\346\227x", "??x"},
	    {"\360\237\230", "???"},
	    {"\300\200\301\277", "????"},
	    {"\340\202\233", "???"},
	    {"\360\200\202\233", "????"},
	    {"\355\240\200", "???"},
	    {"\355\237\277\356\200\200", "\355\237\277\356\200\200"},
	    {"\364\217\277\277", "\364\217\277\277"},
	    {"\364\220\200\200\365\200", "??????"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[64];

		(void)strcpy(text, rows[i].text);
		error_sanitize(text);
		CHECK(strcmp(text, rows[i].want) == 0, "row %zu gave '%s'", i, text);
	}
}

/* What a call writes on standard error. */
static void capture(void (*call)(void), char *text, size_t size)
{
	int fds[2];
	int saved_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	ssize_t n;

	assert_true(saved_fd >= 0);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	call();
	assert_int_equal(dup2(saved_fd, STDERR_FILENO), STDERR_FILENO);
	(void)close(saved_fd);
	(void)close(fds[1]);
	n = fd_read_all(fds[0], text, size - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	(void)close(fds[0]);
}

static void log_with_errno(void)
{
	struct error err;

	error_set(&err, "rootfs", EPERM, "mount /proc");
	error_hint(&err, "ask root");
	log_error(&err);
}

static void log_hostile(void)
{
	struct error err;

	error_set(&err, "s\nt", 0, "a\nb\033[2J");
	log_error(&err);
}

static void log_notes(void)
{
	log_set_level(LOG_QUIET);
	log_note("q", "quiet");
	log_set_level(LOG_NORMAL);
	log_note("n", "note %d", 1);
	log_verbose("n", "verbose");
	log_set_level(LOG_VERBOSE);
	log_verbose("v", "verbose %d", 2);
	log_set_level(LOG_NORMAL);
}

static void log_long(void)
{
	struct error err;
	char longer[2048];

	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	error_set(&err, longer, EPERM, "%s", longer);
	log_error(&err);
}

static void test_log(void **state)
{
	char text[4096];

	(void)state;
	capture(log_with_errno, text, sizeof(text));
	assert_string_equal(text, "capsule-run: rootfs: mount /proc: Operation not permitted\n"
				  "capsule-run: hint: ask root\n");
	capture(log_hostile, text, sizeof(text));
	assert_string_equal(text, "capsule-run: s?t: a?b?[2J\n");
	capture(log_notes, text, sizeof(text));
	assert_string_equal(text, "capsule-run: n: note 1\ncapsule-run: v: verbose 2\n");
	capture(log_long, text, sizeof(text));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_non_null(strstr(text, "Operation not permitted"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_set),
	    cmocka_unit_test(test_prefix),
	    cmocka_unit_test(test_truncates),
	    cmocka_unit_test(test_sanitize),
	    cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
