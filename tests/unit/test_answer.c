/* What comes over a task's channel: one whole message of the right type in time, or a reason. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run/answer.h"
#include "unit.h"

static int task_fd;

static void begin(struct answer *answer, uint64_t max)
{
	struct error err;

	answer_init(answer);
	assert_int_equal(answer->state, ANSWER_NONE);
	assert_int_equal(answer_expect(answer, ANSWER_RESULT, max, &task_fd, &err), 0);
	assert_int_equal(answer->state, ANSWER_MISSING);
}

static void put(uint32_t type, uint32_t length, const char *body, size_t len)
{
	unsigned char header[8];

	for (unsigned int i = 0; i < 4; i++) {
		header[i] = (unsigned char)(type >> 8 * i);
		header[4 + i] = (unsigned char)(length >> 8 * i);
	}
	assert_int_equal(send(task_fd, header, sizeof(header), MSG_NOSIGNAL), sizeof(header));
	if (len > 0)
		assert_int_equal(send(task_fd, body, len, MSG_NOSIGNAL), len);
}

static void end(struct answer *answer, bool too_late)
{
	(void)close(task_fd);
	answer_finish(answer, too_late);
	assert_int_equal(answer->fd, -1);
}

static void test_results(void **state)
{
	static const struct {
		const char *body;
		const char *again; /* as it is printed; NULL: refused */
		const char *why;
	} rows[] = {
	    {"null", "null", NULL},
	    {"true", "true", NULL},
	    {"\"\\u0000\\ud83d\\ude00\"", "\"\\u0000\\ud83d\\ude00\"", NULL},
	    {"\"\303\244\"", "\"\\u00E4\"", NULL},
	    {" {\"a\" :\n[1, -9223372036854775808]} ", "{\"a\":[1,-9223372036854775808]}", NULL},
	    {"[0.1,1e300]", "[0.1,1e300]", NULL},
	    {"", NULL, "it is empty"},
	    {"nul", NULL, "not JSON: "},
	    {"1 2", NULL, "not JSON: "},
	    {"NaN", NULL, "not JSON: "},
	    {"[1,]", NULL, "not JSON: "},
	    {"{\"a\":1,\"a\":2}", NULL, "not JSON: "},
	    {"\"\\ud83d\"", NULL, "not JSON: "},
	    {"\"\xff\"", NULL, "not JSON: "},
	    {"9223372036854775808", NULL, "not JSON: "},
	    {"1e999", NULL, "not JSON: "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct answer answer;
		char *text;

		begin(&answer, 1000);
		put(ANSWER_RESULT, (uint32_t)strlen(rows[i].body), rows[i].body, strlen(rows[i].body));
		answer_run(&answer, false);
		end(&answer, false);
		CHECK((answer.state == ANSWER_TAKEN) == (rows[i].again != NULL), "%s: %s", rows[i].body, answer.why);
		CHECK((answer.value != NULL) == (rows[i].again != NULL), "%s", rows[i].body);
		CHECK(rows[i].why == NULL || strncmp(answer.why, rows[i].why, strlen(rows[i].why)) == 0, "%s: %s",
		      rows[i].body, answer.why);
		text = answer.value == NULL ? NULL : answer_print(&answer);
		CHECK(unit_same(text, rows[i].again), "%s: %s", rows[i].body, text);
		free(text);
		answer_fini(&answer);
	}
}

static void test_byte_by_byte(void **state)
{
	static const char message[] = "\1\0\0\0\5\0\0\0[1,2]";
	struct answer answer;

	(void)state;
	begin(&answer, 5);
	for (size_t i = 0; i < sizeof(message) - 1; i++) {
		assert_int_equal(answer.state, ANSWER_MISSING);
		assert_int_equal(send(task_fd, message + i, 1, MSG_NOSIGNAL), 1);
		answer_run(&answer, false);
	}
	end(&answer, false);
	assert_int_equal(answer.state, ANSWER_TAKEN);
	assert_int_equal(json_array_size(answer.value), 2);
	answer_fini(&answer);
}

/* More than a socket holds, in turns. */
static void test_long(void **state)
{
	static char body[3000002];
	struct answer answer;
	size_t sent = 0;

	(void)state;
	memset(body, 'x', sizeof(body));
	body[0] = body[sizeof(body) - 1] = '"';
	begin(&answer, sizeof(body));
	put(ANSWER_RESULT, sizeof(body), NULL, 0);
	while (sent < sizeof(body)) {
		ssize_t n = send(task_fd, body + sent, sizeof(body) - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		assert_true(n > 0 || errno == EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		answer_run(&answer, false);
	}
	end(&answer, false);
	assert_int_equal(answer.state, ANSWER_TAKEN);
	assert_int_equal(json_string_length(answer.value), sizeof(body) - 2);
	answer_fini(&answer);
}

static void check_refused(struct answer *answer, const char *why)
{
	CHECK(answer->state == ANSWER_REFUSED && strstr(answer->why, why) != NULL, "%d: %s", (int)answer->state,
	      answer->why);
	assert_null(answer->value);
	answer_fini(answer);
}

static void test_refusals(void **state)
{
	struct answer answer;

	(void)state;
	begin(&answer, 10);
	put(ANSWER_RESULT, 11, NULL, 0);
	answer_run(&answer, false);
	/* At once: no byte of it is kept. */
	assert_int_equal(answer.fd, -1);
	assert_true(answer.over_bound);
	end(&answer, false);
	check_refused(&answer, "11 bytes are more than the 10");

	begin(&answer, UINT64_MAX);
	put(ANSWER_RESULT, UINT32_MAX, NULL, 0);
	end(&answer, false);
	check_refused(&answer, "are more than");

	begin(&answer, 10);
	put(ANSWER_DECLARATION, 2, "{}", 2);
	end(&answer, false);
	assert_false(answer.over_bound);
	check_refused(&answer, "type 2");

	begin(&answer, 10);
	put(ANSWER_RESULT, 4, "[1", 2);
	end(&answer, false);
	check_refused(&answer, "cut off");

	begin(&answer, 10);
	assert_int_equal(send(task_fd, "\1\0\0", 3, MSG_NOSIGNAL), 3);
	end(&answer, false);
	check_refused(&answer, "cut off");

	begin(&answer, 10);
	put(ANSWER_RESULT, 1, "1", 1);
	put(ANSWER_RESULT, 1, "2", 1);
	end(&answer, false);
	check_refused(&answer, "more than one");

	begin(&answer, 10);
	put(ANSWER_RESULT, 1, "12", 2);
	end(&answer, false);
	check_refused(&answer, "more than one");

	begin(&answer, 10);
	put(ANSWER_RESULT, 1, "1", 1);
	end(&answer, true);
	check_refused(&answer, "end of the task was decided");
}

static void test_nothing(void **state)
{
	int before = unit_lowest_fd();
	struct answer answer;

	(void)state;
	begin(&answer, 10);
	end(&answer, false);
	assert_int_equal(answer.state, ANSWER_MISSING);
	answer_fini(&answer);
	answer_init(&answer);
	answer_run(&answer, false);
	answer_finish(&answer, false);
	assert_int_equal(answer.state, ANSWER_NONE);
	answer_fini(&answer);
	assert_int_equal(unit_lowest_fd(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_results), cmocka_unit_test(test_byte_by_byte),
					   cmocka_unit_test(test_long), cmocka_unit_test(test_refusals),
					   cmocka_unit_test(test_nothing)};

	return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
