/*
 * What a task file says of its tasks: the bytes on the channel, the JSON in them, what it means, and what is left of
 * the limits. The first byte says into how many pieces the rest is cut, and whether it has a header of its own.
 */
#include "fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#include "policy/ceiling.h"
#include "policy/option.h"
#include "run/answer.h"

static void check_task(const struct policy *policy, const struct declared_task *task)
{
	struct ceiling ceiling;
	struct error err;
	int r = ceiling_lower(policy, task, &ceiling, &err);

	FUZZ_CHECK(task->name != NULL && *task->name != '\0' && strlen(task->name) <= DECLARED_TEXT_MAX);
	FUZZ_CHECK(task->ram_bytes == LIMIT_NONE || task->ram_bytes >= option_table[OPTION_RAM].min);
	FUZZ_CHECK(task->wall_ms == LIMIT_NONE || task->wall_ms >= option_table[OPTION_TIMEOUT].min);
	FUZZ_CHECK(task->cpu_time_ms == LIMIT_NONE || task->cpu_time_ms >= option_table[OPTION_CPU_TIME].min);
	if (r == 0) {
		FUZZ_CHECK(ceiling.limits.ram_bytes <= policy->limits.ram_bytes);
		FUZZ_CHECK(ceiling.limits.wall_ms <= policy->limits.wall_ms);
		FUZZ_CHECK(ceiling.limits.cpu_time_ms <= policy->limits.cpu_time_ms);
		/* Nobody allowed a file, a variable or a host. */
		FUZZ_CHECK(ceiling.bind_count == 0 && ceiling.env_set.count == 0 && task->hosts.count == 0);
	}
	ceiling_fini(&ceiling);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char header[8] = {ANSWER_DECLARATION, 0, 0, 0, (unsigned char)(size - 1), (unsigned char)((size - 1) >> 8),
				   (unsigned char)((size - 1) >> 16), 0};
	size_t step = size > 0 ? (data[0] & 0x7fU) + 1U : 1;
	struct declared declared;
	struct answer answer;
	struct policy policy;
	struct error err;
	int task_fd = -1;

	if (size < 1 || size > 100000)
		return 0;
	answer_init(&answer);
	FUZZ_CHECK(policy_init(&policy, &err) == 0);
	FUZZ_CHECK(answer_expect(&answer, ANSWER_DECLARATION, 65536, &task_fd, &err) == 0);
	if ((data[0] & 0x80) == 0)
		FUZZ_CHECK(send(task_fd, header, sizeof(header), MSG_NOSIGNAL) == (ssize_t)sizeof(header));
	for (size_t at = 1; at < size; at += step) {
		if (send(task_fd, data + at, size - at < step ? size - at : step, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
		answer_run(&answer, false);
	}
	(void)close(task_fd);
	answer_finish(&answer, false);
	FUZZ_CHECK((answer.state == ANSWER_TAKEN) == (answer.value != NULL) && answer.fd < 0);
	FUZZ_CHECK((answer.state == ANSWER_REFUSED) == (answer.why[0] != '\0'));
	FUZZ_CHECK_TEXT(answer.why);
	if (answer.state == ANSWER_TAKEN) {
		if (declared_decode(answer.value, &declared, &err) == 0)
			for (size_t i = 0; i < declared.task_count; i++)
				check_task(&policy, &declared.tasks[i]);
		else
			FUZZ_CHECK_TEXT(err.detail);
		declared_fini(&declared);
	}
	answer_fini(&answer);
	policy_fini(&policy);
	return 0;
}
