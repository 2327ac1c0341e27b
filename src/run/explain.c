#include "run/explain.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "policy/option.h"

/* "--ram 64M". */
static const char *limit_text(const struct policy *policy, enum option_id id, char *buf, size_t size)
{
	char value[32];

	(void)snprintf(buf, size, "--%s %s", option_table[id].name, option_format(policy, id, value, sizeof(value)));
	return buf;
}

char *explain_number(enum option_id id, uint64_t value, char *buf, size_t size)
{
	static const char letters[] = "KMGTPE";
	double scaled = (double)value;
	int letter = -1;

	switch (option_table[id].kind) {
	case OPTION_KIND_DURATION:
		if (value < 1000)
			(void)snprintf(buf, size, "%llums", (unsigned long long)value);
		else
			(void)snprintf(buf, size, "%.2fs", scaled / 1000);
		break;
	case OPTION_KIND_SIZE:
		for (; scaled >= 1024 && letter < (int)sizeof(letters) - 2; letter++)
			scaled /= 1024;
		if (letter < 0)
			(void)snprintf(buf, size, "%llu", (unsigned long long)value);
		else
			(void)snprintf(buf, size, "%.*f%c", scaled < 10 ? 1 : 0, scaled, letters[letter]);
		break;
	case OPTION_KIND_COUNT:
	case OPTION_KIND_MILLI:
	case OPTION_KIND_FLAG:
	case OPTION_KIND_STRING:
	case OPTION_KIND_LIST:
	case OPTION_KIND_CHOICE:
		(void)snprintf(buf, size, "%llu", (unsigned long long)value);
		break;
	}
	return buf;
}

static void explain_exit(const struct verdict *verdict, const struct policy *policy, char *buf)
{
	char limit[64];
	int n = snprintf(buf, EXPLAIN_MAX, "The task ended by itself with exit status %d", verdict->exit_code);
	size_t len = n < 0 ? 0 : (size_t)n;

	if (verdict_has_hit(verdict, LIMIT_HIT_OUTPUT))
		(void)snprintf(buf + len, EXPLAIN_MAX - len, ", and its output was cut at %s.",
			       limit_text(policy, OPTION_OUTPUT, limit, sizeof(limit)));
	else if (verdict->out.errnum != 0 || verdict->err.errnum != 0)
		(void)snprintf(buf + len, EXPLAIN_MAX - len, ", and what it printed could not be written.");
	else if (verdict->exit_code == 0 && verdict->answer.state == ANSWER_MISSING)
		(void)snprintf(buf + len, EXPLAIN_MAX - len, ", without a result.");
	else if (verdict->exit_code == 0 && verdict->answer.state == ANSWER_REFUSED)
		(void)snprintf(buf + len, EXPLAIN_MAX - len, ", and its result was refused: %s.", verdict->answer.why);
	else
		(void)snprintf(buf + len, EXPLAIN_MAX - len, ".");
}

static void explain_signal(const struct verdict *verdict, char *buf)
{
	const char *name = sigabbrev_np(verdict->signal);

	if (name != NULL)
		(void)snprintf(buf, EXPLAIN_MAX, "The task was killed by SIG%s (signal %d).", name, verdict->signal);
	else
		(void)snprintf(buf, EXPLAIN_MAX, "The task was killed by signal %d.", verdict->signal);
}

static void explain_failure(const struct verdict *verdict, char *buf)
{
	const struct error *error = &verdict->error;

	(void)snprintf(buf, EXPLAIN_MAX, "%s: %s: %s%s%s.",
		       verdict->started ? "The task was lost" : "The task could not be started", error->stage,
		       error->detail, error->errnum > 0 ? ": " : "",
		       error->errnum > 0 ? strerror(error->errnum) : "");
	error_sanitize(buf);
}

char *explain(const struct verdict *verdict, const struct policy *policy, char *buf)
{
	char limit[64];

	switch (verdict->outcome) {
	case OUTCOME_EXITED:
		explain_exit(verdict, policy, buf);
		break;
	case OUTCOME_SIGNALED:
		explain_signal(verdict, buf);
		break;
	case OUTCOME_TIMEOUT:
		(void)snprintf(buf, EXPLAIN_MAX, "The task was ended because it ran longer than %s allows.",
			       limit_text(policy, OPTION_TIMEOUT, limit, sizeof(limit)));
		break;
	case OUTCOME_CPU_TIME:
		(void)snprintf(buf, EXPLAIN_MAX, "The task was ended because it used more CPU time than %s allows.",
			       limit_text(policy, OPTION_CPU_TIME, limit, sizeof(limit)));
		break;
	case OUTCOME_STALL:
		(void)snprintf(buf, EXPLAIN_MAX,
			       "The task was ended because it printed nothing and used no CPU time for as long as "
			       "%s allows.",
			       limit_text(policy, OPTION_STALL, limit, sizeof(limit)));
		break;
	case OUTCOME_OUT_OF_MEMORY:
		(void)snprintf(buf, EXPLAIN_MAX, "The task was ended because it needed more memory than %s allows.",
			       limit_text(policy, OPTION_RAM, limit, sizeof(limit)));
		break;
	case OUTCOME_DISK:
		(void)snprintf(buf, EXPLAIN_MAX,
			       "The task was ended because it put more into the sandbox directory than %s allows.",
			       limit_text(policy,
					  verdict_has_hit(verdict, LIMIT_HIT_INODES) ? OPTION_INODES : OPTION_DISK,
					  limit, sizeof(limit)));
		break;
	case OUTCOME_FAILED:
	case OUTCOME_MAX:
		explain_failure(verdict, buf);
		break;
	}
	return buf;
}
