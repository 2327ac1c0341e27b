#include "run/envelope.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/explain.h"

/* A name for the task: what was called, without where it lies. */
static json_t *task_name_json(const struct policy_command *command)
{
	char name[256];
	const char *slash;

	if (command->task != NULL) {
		(void)snprintf(name, sizeof(name), "%s", command->task);
		error_sanitize(name);
		return json_string(name);
	}
	switch (command->kind) {
	case COMMAND_SCRIPT:
	case COMMAND_EXEC:
		slash = strrchr(command->target, '/');
		(void)snprintf(name, sizeof(name), "%s",
			       slash != NULL && slash[1] != '\0' ? slash + 1 : command->target);
		break;
	case COMMAND_MODULE:
		(void)snprintf(name, sizeof(name), "%s", command->target);
		break;
	case COMMAND_CODE:
		(void)snprintf(name, sizeof(name), "-c");
		break;
	case COMMAND_STDIN:
		(void)snprintf(name, sizeof(name), "-");
		break;
	case COMMAND_NONE:
		return json_null();
	}
	error_sanitize(name);
	return json_string(name);
}

/* One word for what to do about it: the outcome's, but for what the task itself answers for. */
static const char *error_type(const struct verdict *verdict)
{
	if (verdict->outcome == OUTCOME_SIGNALED || (verdict->outcome == OUTCOME_EXITED && verdict->exit_code != 0))
		return "task_error";
	if (verdict->outcome == OUTCOME_EXITED)
		return verdict->status == 123 ? limit_hit_name(LIMIT_HIT_OUTPUT)
		       : verdict->status == 1 ? "task_error"
					      : outcome_name(OUTCOME_FAILED);
	return outcome_name(verdict->outcome);
}

static json_t *run_error_json(const struct verdict *verdict, const struct policy *policy)
{
	const struct traceback *said = &verdict->reported;
	const char *type = error_type(verdict);
	char sentence[EXPLAIN_MAX];

	/* An exception tells more than the status. It is the task's word, as is all that it prints. */
	if (strcmp(type, "task_error") == 0 && said->type[0] != '\0')
		return json_pack("{s:s, s:o}", "error_type", type, "message",
				 json_sprintf("%s%s%s", said->type, said->message[0] != '\0' ? ": " : "",
					      said->message));
	return json_pack("{s:s, s:s}", "error_type", type, "message", explain(verdict, policy, sentence));
}

/* What was printed, as text; and as base64 where the text is not all of it. */
static int put_output(json_t *root, const char *name, const char *name_base64, const struct capture *output)
{
	size_t len = 0;
	AUTO_FREE char *text = capture_utf8(output, &len);
	AUTO_FREE char *base64 = text != NULL && capture_count_bad(output) > 0 ? capture_base64(output) : NULL;

	if (text == NULL || json_object_set_new(root, name, json_stringn(text, len)) < 0)
		return -ENOMEM;
	return json_object_set_new(root, name_base64, base64 != NULL ? json_string(base64) : json_null()) < 0 ? -ENOMEM
													      : 0;
}

/* "fuel" is counted by nobody here. */
static json_t *execution_json(const struct policy *policy, const struct verdict *verdict)
{
	const struct meter *used = verdict != NULL ? &verdict->used : NULL;
	bool has_memory = used != NULL && used->memory_from != METER_NONE;
	size_t count = verdict != NULL ? verdict->attempts.count : 0;
	uint64_t duration_ms = used != NULL ? used->wall_ms : 0;

	/* Of the whole run; the last attempt is there already. */
	for (size_t i = 0; i < count; i++)
		duration_ms += verdict->attempts.item[i].pause_ms +
			       (i + 1 < count ? verdict->attempts.item[i].used.wall_ms : 0);

	return json_pack("{s:o, s:I, s:i, s:n, s:o, s:o}", "task_name", task_name_json(&policy->command),
			 "duration_ms", (json_int_t)duration_ms, "retries", count > 0 ? (int)(count - 1) : 0,
			 "fuel_consumed", "ram_used",
			 has_memory ? json_integer((json_int_t)used->memory_peak_bytes) : json_null(),
			 "host_requests", netlog_requests_json(verdict != NULL ? verdict->network : NULL));
}

/* As fd_write_all(), for a caller's pipe that does not block and is full. */
static int write_text(int fd, const char *text, size_t len)
{
	while (len > 0) {
		struct pollfd ready = {.fd = fd, .events = POLLOUT};
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EAGAIN)
			(void)poll(&ready, 1, -1);
		else if (n < 0 && errno != EINTR)
			return -errno;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Takes root. result: what goes in place of its result, which is null and before all that others wrote; or NULL. */
static int print(json_t *root, const char *result, int fd, struct error *err)
{
	static const char none[] = "\"result\":null";
	AUTO_FREE char *text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII);
	const char *rest = text;
	int r = 0;

	json_decref(root);
	if (text == NULL)
		return error_set(err, "json", ENOMEM, "make the envelope");
	if (result != NULL && (rest = strstr(text, none)) != NULL) {
		rest += sizeof(none) - 1;
		r = write_text(fd, text, (size_t)(rest - text) - strlen("null"));
		if (r == 0)
			r = write_text(fd, result, strlen(result));
	}
	if (r == 0)
		r = write_text(fd, rest, strlen(rest));
	if (r == 0)
		r = write_text(fd, "\n", 1);
	return r < 0 ? error_set(err, "json", -r, "write standard output") : 0;
}

int envelope_write(const struct verdict *verdict, const struct policy *policy, const struct plan *plan,
		   const struct envelope_output *output, int fd, struct error *err)
{
	bool has_result = verdict->status == 0 && verdict->answer.state == ANSWER_TAKEN;
	AUTO_FREE char *result = has_result ? answer_print(&verdict->answer) : NULL;
	json_t *root = json_pack("{s:b, s:n, s:o, s:o}", "success", verdict->status == 0, "result", "error",
				 verdict->status == 0 ? json_null() : run_error_json(verdict, policy), "execution",
				 execution_json(policy, verdict));

	if (root != NULL && ((has_result && result == NULL) ||
			     put_output(root, "stdout", "stdout_base64", output->out) < 0 ||
			     put_output(root, "stderr", "stderr_base64", output->err) < 0 ||
			     json_object_set_new(root, "verdict", verdict_json(verdict, policy, plan)) < 0)) {
		json_decref(root);
		root = NULL;
	}
	return print(root, result, fd, err);
}

int envelope_write_result(const struct answer *answer, bool mid_line, int fd, struct error *err)
{
	AUTO_FREE char *text = NULL;
	int r = 0;

	if (json_is_null(answer->value))
		return 0;
	text = answer_print(answer);
	if (text == NULL)
		return error_set(err, "json", ENOMEM, "print the result");
	if (mid_line)
		r = envelope_write_text(fd, "\n", 1, err);
	if (r == 0)
		r = envelope_write_text(fd, text, strlen(text), err);
	return r < 0 ? r : envelope_write_text(fd, "\n", 1, err);
}

int envelope_write_text(int fd, const char *text, size_t len, struct error *err)
{
	int r = write_text(fd, text, len);

	return r < 0 ? error_set(err, "stdio", -r, "write standard %s", fd == STDOUT_FILENO ? "output" : "error") : 0;
}

int envelope_write_usage(const struct policy *policy, const struct error *why, int fd, struct error *err)
{
	struct error clean = *why;

	error_sanitize(clean.detail);
	return print(json_pack("{s:b, s:n, s:{s:s, s:s}, s:o, s:s, s:n, s:s, s:n, s:n}", "success", 0, "result",
			       "error", "error_type", "usage", "message", clean.detail, "execution",
			       execution_json(policy, NULL), "stdout", "", "stdout_base64", "stderr", "",
			       "stderr_base64", "verdict"),
		     NULL, fd, err);
}
