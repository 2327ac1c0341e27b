#include "run/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* How much is taken at a turn of the loop: deadlines have their turn, too. */
#define TURN_BYTES (256U << 10)

void answer_init(struct answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	answer->fd = -1;
}

int answer_expect(struct answer *answer, enum answer_type type, uint64_t max, int *ret_task_fd, struct error *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, "answer", errno, "socketpair");
	*ret_task_fd = pair[1];
	answer->fd = pair[0];
	answer->state = ANSWER_MISSING;
	answer->type = type;
	answer->max = max > ANSWER_MAX ? ANSWER_MAX : (size_t)max;
	/* Of the pair only our end. */
	return fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 ? error_set(err, "answer", errno, "fcntl") : 0;
}

static void refuse(struct answer *answer, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void refuse(struct answer *answer, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(answer->why, sizeof(answer->why), fmt, args);
	va_end(args);
	answer->state = ANSWER_REFUSED;
	capture_fini(&answer->body);
	close_fd(&answer->fd);
}

static uint32_t number_at(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static bool is_whole(const struct answer *answer)
{
	return answer->header_len == sizeof(answer->header) && answer->body.len == answer->length;
}

static void check_header(struct answer *answer)
{
	uint32_t type = number_at(answer->header);

	answer->length = number_at(answer->header + 4);
	if (type != answer->type) {
		refuse(answer, "a message of type %u was not expected", type);
	} else if (answer->length > answer->max) {
		answer->over_bound = true;
		refuse(answer, "%zu bytes are more than the %zu that are taken", answer->length, answer->max);
	} else if (answer->length == 0) {
		refuse(answer, "it is empty");
	}
}

/* One read. False when there is nothing more to take now. */
static bool take(struct answer *answer, bool too_late)
{
	char buf[65536];
	char *to = buf;
	size_t room = 1;
	ssize_t n;

	if (answer->header_len < sizeof(answer->header)) {
		to = (char *)answer->header + answer->header_len;
		room = sizeof(answer->header) - answer->header_len;
	} else if (answer->body.len < answer->length) {
		room = answer->length - answer->body.len;
		room = room > sizeof(buf) ? sizeof(buf) : room;
	}
	do
		n = recv(answer->fd, to, room, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		if (answer->header_len > 0 && !is_whole(answer))
			refuse(answer, "it was cut off");
		close_fd(&answer->fd);
		return false;
	}
	if (too_late) {
		refuse(answer, "it came when the end of the task was decided");
	} else if (answer->header_len < sizeof(answer->header)) {
		answer->header_len += (size_t)n;
		if (answer->header_len == sizeof(answer->header))
			check_header(answer);
	} else if (is_whole(answer)) {
		refuse(answer, "there was more than one");
	} else if (capture_add(&answer->body, buf, (size_t)n) < 0) {
		refuse(answer, "there is no memory for it");
	}
	return answer->fd >= 0;
}

unsigned int answer_poll(const struct answer *answer, struct pollfd *fds)
{
	if (answer->fd < 0)
		return 0;
	fds[0] = (struct pollfd){.fd = answer->fd, .events = POLLIN};
	return 1;
}

void answer_run(struct answer *answer, bool too_late)
{
	size_t before = answer->body.len;

	while (answer->fd >= 0 && answer->body.len - before < TURN_BYTES && take(answer, too_late))
		;
}

void answer_finish(struct answer *answer, bool too_late)
{
	json_error_t why;

	while (answer->fd >= 0 && take(answer, too_late))
		;
	close_fd(&answer->fd);
	if (answer->state != ANSWER_MISSING || answer->header_len == 0)
		return;
	if (!is_whole(answer)) {
		refuse(answer, "it was cut off");
		return;
	}
	answer->value = json_loadb(answer->body.bytes, answer->body.len,
				   JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	if (answer->value == NULL) {
		error_sanitize(why.text);
		refuse(answer, "not JSON: %s", why.text);
		return;
	}
	answer->state = ANSWER_TAKEN;
}

char *answer_print(const struct answer *answer)
{
	bool is_line = answer->body.len > 0;

	for (size_t i = 0; i < answer->body.len && is_line; i++)
		is_line = answer->body.bytes[i] >= ' ' && answer->body.bytes[i] <= '~';
	return is_line ? strdup(answer->body.bytes)
		       : json_dumps(answer->value, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
}

void answer_fini(struct answer *answer)
{
	close_fd(&answer->fd);
	capture_fini(&answer->body);
	json_decref(answer->value);
	answer->value = NULL;
}
