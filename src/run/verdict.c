#include "run/verdict.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "policy/option.h"
#include "run/explain.h"
#include "run/summary.h"

#define VERDICT_VERSION 1

static const char *const outcome_names[] = {
    [OUTCOME_EXITED] = "exited",	[OUTCOME_SIGNALED] = "signaled",
    [OUTCOME_TIMEOUT] = "timeout",	[OUTCOME_CPU_TIME] = "cpu-time",
    [OUTCOME_OUT_OF_MEMORY] = "oom",	[OUTCOME_DISK] = "disk",
    [OUTCOME_FAILED] = "failed",	[OUTCOME_STALL] = "stall",
};
_Static_assert(ARRAY_SIZE(outcome_names) == OUTCOME_MAX, "one name for each outcome");

static const char *const limit_hit_names[] = {
    [LIMIT_HIT_TIMEOUT] = "timeout", [LIMIT_HIT_CPU_TIME] = "cpu-time", [LIMIT_HIT_RAM] = "ram",
    [LIMIT_HIT_PIDS] = "pids",	     [LIMIT_HIT_OUTPUT] = "output",	[LIMIT_HIT_DISK] = "disk",
    [LIMIT_HIT_INODES] = "inodes",   [LIMIT_HIT_STALL] = "stall",	[LIMIT_HIT_RAM_SOFT] = "ram-soft",
};
_Static_assert(ARRAY_SIZE(limit_hit_names) == LIMIT_HIT_MAX, "one name for each limit");

static const char *const rung_names[] = {
    [RUNG_NONE] = "none",	      [RUNG_CGROUP_V2] = "cgroup-v2", [RUNG_SYSTEMD_SCOPE] = "systemd-scope",
    [RUNG_CGROUP_V1] = "cgroup-v1",   [RUNG_RLIMIT] = "rlimit",	      [RUNG_TMPFS] = "tmpfs",
    [RUNG_SUPERVISOR] = "supervisor", [RUNG_WATCHDOG] = "watchdog",
};
_Static_assert(ARRAY_SIZE(rung_names) == RUNG_MAX, "one name for each rung");

const char *rung_name(enum rung rung)
{
	return rung_names[rung];
}

const char *limit_hit_name(enum limit_hit hit)
{
	return limit_hit_names[hit];
}

const char *outcome_name(enum outcome outcome)
{
	return outcome_names[outcome];
}

enum option_id limit_hit_option(enum limit_hit hit)
{
	return option_find(limit_hit_names[hit], strlen(limit_hit_names[hit]));
}

bool verdict_has_hit(const struct verdict *verdict, enum limit_hit hit)
{
	return (verdict->limits_hit & (1U << hit)) != 0;
}

int verdict_status(const struct verdict *verdict)
{
	switch (verdict->outcome) {
	case OUTCOME_EXITED:
		if (verdict->exit_code != 0)
			return verdict->exit_code;
		if (verdict->out.errnum != 0 || verdict->err.errnum != 0)
			return 125;
		if (verdict->answer.state == ANSWER_MISSING ||
		    (verdict->answer.state == ANSWER_REFUSED && !verdict->answer.over_bound))
			return 1;
		return verdict_has_hit(verdict, LIMIT_HIT_OUTPUT) ? 123 : 0;
	case OUTCOME_SIGNALED:
		return 128 + verdict->signal;
	case OUTCOME_TIMEOUT:
	case OUTCOME_CPU_TIME:
	case OUTCOME_STALL:
		return 124;
	case OUTCOME_OUT_OF_MEMORY:
		return 128 + SIGKILL;
	case OUTCOME_DISK:
		return 123;
	case OUTCOME_FAILED:
	case OUTCOME_MAX:
		break;
	}
	return verdict->error.exit != 0 ? verdict->error.exit : 125;
}

static json_t *stream_json(const struct verdict_stream *stream)
{
	return json_pack("{s:I, s:I, s:I, s:s*}", "bytes", (json_int_t)stream->passed, "dropped_bytes",
			 (json_int_t)stream->dropped, "escapes_neutralised", (json_int_t)stream->neutralised, "error",
			 stream->errnum != 0 ? strerror(stream->errnum) : NULL);
}

static void report_stream(const char *name, const struct verdict_stream *stream)
{
	struct error err;

	if (stream->errnum == 0)
		return;
	error_set(&err, "stdio", stream->errnum, "write %s", name);
	log_error(&err);
}

static json_t *limits_json(const struct verdict *verdict, const struct policy *policy)
{
	json_t *limits = json_object();

	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		const struct option_row *row = &option_table[i];
		char origin[256];
		char buf[32];

		if (row->group != OPTION_GROUP_LIMITS)
			continue;
		(void)json_object_set_new(limits, row->name,
					  json_pack("{s:s, s:s, s:s}", "value",
						    option_format(policy, i, buf, sizeof(buf)), "rung",
						    rung_names[verdict->rungs[i]], "origin",
						    policy_describe_origin(policy, policy->origin[i], origin,
									   sizeof(origin))));
	}
	return limits;
}

static json_t *names_json(uint32_t mask, unsigned int max, const char *(*name)(unsigned int))
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < max; i++)
		if ((mask & (1U << i)) != 0)
			(void)json_array_append_new(list, json_string(name(i)));
	return list;
}

/* The limits that were met: what was allowed and the most that was found, in one unit. */
static json_t *hits_json(const struct verdict *verdict, const struct policy *policy)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < LIMIT_HIT_MAX; i++) {
		enum option_id id = limit_hit_option(i);
		uint64_t peak = verdict->peaks[i];

		if (!verdict_has_hit(verdict, i))
			continue;
		(void)json_array_append_new(
		    list, json_pack("{s:s, s:o, s:o, s:s}", "limit", limit_hit_names[i], "value",
				    policy_is_open(policy, id) ? json_null()
							       : json_integer((json_int_t)option_number(policy, id)),
				    "peak", peak != 0 ? json_integer((json_int_t)peak) : json_null(), "unit",
				    option_unit(id)));
	}
	return list;
}

static const char *layer_name_of(unsigned int i)
{
	return layer_name(i);
}

static json_t *error_json(const struct error *error)
{
	struct error clean = *error;
	json_t *object;

	/* A path may hold any bytes, JSON only UTF-8. */
	error_sanitize(clean.stage);
	error_sanitize(clean.detail);
	error_sanitize(clean.hint);
	object = json_pack("{s:s, s:s}", "stage", clean.stage, "what", clean.detail);
	if (clean.errnum > 0) {
		(void)json_object_set_new(object, "errno", json_integer(clean.errnum));
		(void)json_object_set_new(object, "text", json_string(strerror(clean.errnum)));
	}
	if (clean.hint[0] != '\0')
		(void)json_object_set_new(object, "hint", json_string(clean.hint));
	return object;
}

static json_t *refusal_json(const struct refusal *refusal)
{
	char call[32];
	char argument[REFUSAL_ARGUMENT_MAX];
	char process[REFUSAL_PROCESS_MAX];

	memcpy(process, refusal->process, sizeof(process));
	error_sanitize(process);
	return json_pack("{s:s, s:s?, s:s?, s:s, s:I, s:s?}", "call", refusal_call(refusal, call, sizeof(call)), "argument",
			 refusal_argument(refusal, argument, sizeof(argument)), "process",
			 process[0] != '\0' ? process : NULL, "errno", "EPERM", "count",
			 (json_int_t)refusal->count, "allowed_by", refusal->allowed_by);
}

/* What the task was refused by its filter; null when that was never loaded. */
static json_t *refusals_json(const struct refusals *refusals)
{
	json_t *rows;

	if (refusals->state == REFUSALS_NONE)
		return json_null();
	rows = json_array();
	for (size_t i = 0; i < refusals->row_count; i++)
		(void)json_array_append_new(rows, refusal_json(&refusals->rows[i]));
	return json_pack("{s:s, s:s?, s:I, s:o, s:I}", "observer",
			 refusals->state == REFUSALS_OBSERVED ? "on" : "unavailable", "reason",
			 refusals->state == REFUSALS_OBSERVED ? NULL : refusals_reason(refusals), "total",
			 (json_int_t)refusals->total, "recorded", rows, "dropped",
			 (json_int_t)(refusals->total - refusals->recorded));
}

static json_t *exception_json(const struct traceback *reported)
{
	if (reported->type[0] == '\0')
		return json_null();
	return json_pack("{s:s, s:s, s:s?, s:o?}", "type", reported->type, "message", reported->message, "file",
			 reported->file[0] != '\0' ? reported->file : NULL, "line",
			 reported->line > 0 ? json_integer((json_int_t)reported->line) : NULL);
}

/* Why limits are held by less than a cgroup; null when one holds them. */
static json_t *no_cgroup_json(const struct verdict *verdict)
{
	if (verdict->no_cgroup == NULL)
		return json_null();
	return json_pack("{s:s, s:s?, s:s?}", "why", verdict->no_cgroup, "scope", verdict->no_scope, "cure",
			 verdict->no_cgroup_cure);
}

static json_t *threads_json(const struct stacks *stacks)
{
	json_t *list = json_array();

	for (size_t i = 0; i < stacks->thread_count; i++) {
		const struct stacks_thread *thread = &stacks->threads[i];

		(void)json_array_append_new(
		    list, json_pack("{s:i, s:i, s:s, s:s#, s:s?}", "pid", thread->pid, "tid", thread->tid, "name",
				    thread->name, "state", &thread->state, 1, "wait",
				    thread->wait[0] != '\0' ? thread->wait : NULL));
	}
	return list;
}

/* What the task said, on one side, where no decision rests on it. */
static json_t *reported_json(const struct traceback *reported, const struct stacks *stacks)
{
	bool has_threads = stacks != NULL && stacks->thread_count > 0;

	return json_pack("{s:o, s:s?, s:o}", "exception", exception_json(reported), "stacks",
			 stacks != NULL ? stacks->text : NULL, "threads",
			 has_threads ? threads_json(stacks) : json_null());
}

/* The advice that a run earned: of a start that failed, its error's. */
static json_t *hint_json(const struct verdict *verdict)
{
	char hint[ERROR_HINT_MAX];

	memcpy(hint, verdict->outcome == OUTCOME_FAILED ? verdict->error.hint : verdict->hint, sizeof(hint));
	error_sanitize(hint);
	return hint[0] != '\0' ? json_string(hint) : json_null();
}

/* What a task of a task file handed over; null for a plain script. */
static json_t *task_json(const struct answer *answer, const struct policy_command *command)
{
	static const char *const words[] = {
	    [ANSWER_MISSING] = "missing", [ANSWER_TAKEN] = "taken", [ANSWER_REFUSED] = "refused"};
	char name[256];

	if (answer->state == ANSWER_NONE)
		return json_null();
	(void)snprintf(name, sizeof(name), "%s", command->task != NULL ? command->task : "");
	error_sanitize(name);
	return json_pack("{s:s, s:s?, s:s, s:s?}", "pass", command->pass == PASS_CONFIG    ? "config"
						    : command->pass == PASS_DECLARE ? "declare"
										    : "call",
			 "name",
			 command->task != NULL ? name : NULL, "result", words[answer->state], "reason",
			 answer->state == ANSWER_REFUSED ? answer->why : NULL);
}

/* RFC 3339, in UTC. */
static json_t *time_json(uint64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char text[32];

	if (gmtime_r(&seconds, &tm) == NULL || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return json_null();
	return json_sprintf("%s.%03uZ", text, (unsigned int)(ms % 1000));
}

static const char *limit_hit_name_of(unsigned int i)
{
	return limit_hit_name(i);
}

/* stacks: of the last one, which are the run's; NULL otherwise. */
static json_t *attempt_json(const struct verdict_attempt *attempt, const struct stacks *stacks)
{
	return json_pack("{s:o, s:I, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o}", "started_at",
			 time_json(attempt->started_at), "pause_ms", (json_int_t)attempt->pause_ms, "outcome",
			 outcome_names[attempt->outcome], "explanation", attempt->explanation, "status",
			 attempt->status, "exit_code",
			 attempt->exit_code >= 0 ? json_integer(attempt->exit_code) : json_null(), "signal",
			 attempt->signal > 0 ? json_integer(attempt->signal) : json_null(), "limits_hit",
			 names_json(attempt->limits_hit, LIMIT_HIT_MAX, limit_hit_name_of), "usage",
			 meter_brief_json(&attempt->used), "reported_by_task", reported_json(&attempt->reported, stacks));
}

/* All attempts, and whether there could have been more. */
static int put_attempts(json_t *root, const struct verdict *verdict)
{
	const struct verdict_attempts *attempts = &verdict->attempts;
	json_t *list = json_array();

	for (size_t i = 0; i < attempts->count; i++)
		(void)json_array_append_new(
		    list, attempt_json(&attempts->item[i], i + 1 == attempts->count ? verdict->stacks : NULL));
	(void)json_object_set_new(root, "started_at", time_json(verdict->started_at));
	(void)json_object_set_new(root, "attempts", list);
	(void)json_object_set_new(root, "timeline", timeline_json(&verdict->timeline));
	return json_object_set_new(root, "retries",
				   json_pack("{s:I, s:I, s:s?}", "made",
					     (json_int_t)(attempts->count > 0 ? attempts->count - 1 : 0), "allowed",
					     (json_int_t)attempts->retries_max, "obstacle", attempts->obstacle));
}

json_t *verdict_json(const struct verdict *verdict, const struct policy *policy, const struct plan *plan)
{
	char sentence[EXPLAIN_MAX];
	json_t *root = json_pack("{s:i, s:s, s:s, s:i, s:b, s:o, s:o}", "capsule_run_verdict", VERDICT_VERSION,
				 "outcome", outcome_names[verdict->outcome], "explanation",
				 explain(verdict, policy, sentence), "status", verdict->status, "started",
				 verdict->started ? 1 : 0, "limits_hit", hits_json(verdict, policy), "usage",
				 meter_json(&verdict->used));

	if (root == NULL)
		return NULL;
	(void)json_object_set_new(root, "exit_code",
				  verdict->exit_code >= 0 ? json_integer(verdict->exit_code) : json_null());
	(void)json_object_set_new(root, "task", task_json(&verdict->answer, &policy->command));
	(void)json_object_set_new(root, "signal",
				  verdict->signal > 0 ? json_integer(verdict->signal) : json_null());
	if (verdict->overshoot > 0)
		(void)json_object_set_new(root, "overshoot", json_integer((json_int_t)verdict->overshoot));
	(void)json_object_set_new(root, "stdout", stream_json(&verdict->out));
	(void)json_object_set_new(root, "stderr",
				  verdict->streams_joined ? json_string("stdout") : stream_json(&verdict->err));
	/* A layer is in force when the exec has worked; before that nothing is said to be. */
	(void)json_object_set_new(
	    root, "layers", names_json(verdict->started ? verdict->layers : 0, LAYER_MAX, layer_name_of));
	(void)json_object_set_new(root, "limits", limits_json(verdict, policy));
	/* --runtime, --filter: what "layers" does not say of them. */
	for (unsigned int i = 0; i < OPTION_MAX; i++)
		if (option_table[i].kind == OPTION_KIND_CHOICE && option_table[i].group != OPTION_GROUP_LIMITS)
			(void)json_object_set_new(root, option_table[i].name,
						  json_string(option_format(policy, i, NULL, 0)));
	(void)json_object_set_new(root, "ids",
				  json_pack("{s:I, s:I, s:b}", "host_uid", (json_int_t)plan->ids.host_uid,
					    "host_gid", (json_int_t)plan->ids.host_gid, "groups_shed",
					    plan->ids.privileged ? 1 : 0));
	if (verdict->outcome == OUTCOME_FAILED)
		(void)json_object_set_new(root, "error", error_json(&verdict->error));
	(void)json_object_set_new(root, "hint", hint_json(verdict));
	(void)json_object_set_new(root, "no_cgroup", no_cgroup_json(verdict));
	(void)json_object_set_new(root, "refusals", refusals_json(&verdict->refusals));
	(void)json_object_set_new(root, "network", netlog_json(verdict->network));
	(void)json_object_set_new(root, "reported_by_task", reported_json(&verdict->reported, verdict->stacks));
	(void)put_attempts(root, verdict);
	return root;
}

int verdict_write(const struct verdict *verdict, const struct policy *policy, const struct plan *plan, int fd,
		  struct error *err)
{
	json_t *root = verdict_json(verdict, policy, plan);
	AUTO_FREE char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	struct stat st;
	int r;

	json_decref(root);
	if (text == NULL)
		return error_set(err, "result", ENOMEM, "make the verdict");
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && policy->result_fd < 0 && ftruncate(fd, 0) < 0)
		return error_set(err, "result", errno, "truncate %s", policy->result);
	r = fd_write_all(fd, text, strlen(text));
	if (r == 0)
		r = fd_write_all(fd, "\n", 1);
	return r < 0 ? error_set(err, "result", -r, "write %s", policy->result) : 0;
}

/* By how much a watched limit was passed; of sizes whole KiB. */
static const char *explain_over(enum option_id id, uint64_t over, char *buf, size_t size)
{
	if (id == OPTION_CPU_TIME)
		return text_format_duration(over, buf, size);
	if (id != OPTION_INODES)
		return text_format_size(over / 1024 * 1024, buf, size);
	(void)snprintf(buf, size, "%llu file%s", (unsigned long long)over, over == 1 ? "" : "s");
	return buf;
}

static void report_limit(const struct verdict *verdict, const struct policy *policy, enum option_id id,
			 const char *what)
{
	char buf[32];
	char over[32];

	if (verdict->overshoot > 0)
		log_note("limit", "%s (--%s %s; over by %s when it was stopped)", what, option_table[id].name,
			 option_format(policy, id, buf, sizeof(buf)),
			 explain_over(id, verdict->overshoot, over, sizeof(over)));
	else
		log_note("limit", "%s (--%s %s)", what, option_table[id].name,
			 option_format(policy, id, buf, sizeof(buf)));
}

static void report_refusals(const struct refusals *refusals)
{
	char call[32];
	char argument[REFUSAL_ARGUMENT_MAX];

	if (refusals->state == REFUSALS_UNOBSERVED)
		log_verbose("refused", "calls were not observed: %s", refusals_reason(refusals));
	for (size_t i = 0; i < refusals->row_count; i++) {
		const struct refusal *row = &refusals->rows[i];
		const char *words = refusal_argument(row, argument, sizeof(argument));

		log_verbose("refused", "%s%s%s by %s: EPERM, %llu time%s%s%s", refusal_call(row, call, sizeof(call)),
			    words != NULL ? " " : "", words != NULL ? words : "",
			    row->process[0] != '\0' ? row->process : "a process that was gone",
			    (unsigned long long)row->count, row->count == 1 ? "" : "s",
			    row->allowed_by != NULL ? "; allowed by " : "",
			    row->allowed_by != NULL ? row->allowed_by : "");
	}
	if (refusals->total > refusals->recorded)
		log_verbose("refused", "%llu more were answered and not recorded",
			    (unsigned long long)(refusals->total - refusals->recorded));
}

/* Many runs have some: libraries ask for names to see what there is. */
static void report_network(const struct netlog *network)
{
	char whom[400];
	char option[640];

	for (size_t i = 0; network != NULL && i < network->refusal_count; i++) {
		const struct netlog_refusal *row = &network->refusals[i];
		const char *allowed_by = netlog_allowed_by(row, option, sizeof(option));

		log_verbose("refused", "%s: %s%s%s%s, %llu time%s%s%s", netlog_whom(row, whom, sizeof(whom)),
			    netlog_words(row), row->other[0] != '\0' ? " (" : "", row->other,
			    row->other[0] != '\0' ? ")" : "", (unsigned long long)row->count, row->count == 1 ? "" : "s",
			    allowed_by != NULL ? "; allowed by " : "", allowed_by != NULL ? allowed_by : "");
	}
	if (network != NULL && network->refused_lost > 0)
		log_verbose("refused", "%llu more, which were not recorded", (unsigned long long)network->refused_lost);
	if (network != NULL)
		log_verbose("network", "%llu connections, %llu bytes sent, %llu received",
			    (unsigned long long)network->connections, (unsigned long long)network->sent,
			    (unsigned long long)network->received);
	if (network != NULL && network->log_errnum != 0)
		log_note("net-log", "not all of it could be written: %s", strerror(network->log_errnum));
}

/* Where it was: as the task says, or as the kernel does. */
static void report_stacks(const struct stacks *stacks)
{
	if (stacks == NULL)
		return;
	if (stacks->text != NULL)
		log_text("stacks", stacks->text);
	for (size_t i = 0; i < stacks->thread_count; i++) {
		const struct stacks_thread *thread = &stacks->threads[i];

		log_note("stacks", "process %d, thread %d (%s): state %c%s%s", thread->pid, thread->tid,
			 thread->name, thread->state, thread->wait[0] != '\0' ? ", in " : "", thread->wait);
	}
}

static void report_end(const struct verdict *verdict, const struct policy *policy)
{
	uint64_t dropped = verdict->out.dropped + verdict->err.dropped;
	char buf[32];

	switch (verdict->outcome) {
	case OUTCOME_TIMEOUT:
		report_limit(verdict, policy, OPTION_TIMEOUT, "the task ran out of time");
		break;
	case OUTCOME_CPU_TIME:
		report_limit(verdict, policy, OPTION_CPU_TIME, "the task ran out of CPU time");
		break;
	case OUTCOME_STALL:
		report_limit(verdict, policy, OPTION_STALL, "the task stalled: no output, no CPU use");
		break;
	case OUTCOME_OUT_OF_MEMORY:
		report_limit(verdict, policy, OPTION_RAM, "the task ran out of memory");
		break;
	case OUTCOME_DISK:
		report_limit(verdict, policy,
			     verdict_has_hit(verdict, LIMIT_HIT_INODES) ? OPTION_INODES : OPTION_DISK,
			     "the task filled the sandbox directory");
		break;
	case OUTCOME_FAILED:
		log_error(&verdict->error);
		break;
	case OUTCOME_EXITED:
	case OUTCOME_SIGNALED:
	case OUTCOME_MAX:
		break;
	}
	report_stream("standard output", &verdict->out);
	report_stream("standard error", &verdict->err);
	if (verdict_has_hit(verdict, LIMIT_HIT_OUTPUT))
		log_note("output", "%llu bytes were dropped (--output %s)", (unsigned long long)dropped,
			 option_format(policy, OPTION_OUTPUT, buf, sizeof(buf)));
	for (unsigned int i = LIMIT_HIT_DISK; i <= LIMIT_HIT_INODES && verdict->outcome != OUTCOME_DISK; i++)
		if (verdict_has_hit(verdict, i))
			log_note("limit", "the task left a sandbox directory that is full (--%s %s)",
				 limit_hit_names[i], option_format(policy, limit_hit_option(i), buf, sizeof(buf)));
	if (verdict_has_hit(verdict, LIMIT_HIT_RAM_SOFT))
		log_note("limit", "the task was refused more memory for a while (--ram-soft %s)",
			 option_format(policy, OPTION_RAM_SOFT, buf, sizeof(buf)));
	if (verdict_has_hit(verdict, LIMIT_HIT_PIDS))
		log_note("limit", "the task was refused processes (--pids %s)",
			 option_format(policy, OPTION_PIDS, buf, sizeof(buf)));
	/* Where a limit or a start that failed was told of above, the cure was, too. A log keeps no hints: there they
	 * would be read as a part of the output. */
	if (verdict->hint[0] != '\0' && isatty(STDERR_FILENO) == 1 &&
	    (verdict->outcome == OUTCOME_EXITED || verdict->outcome == OUTCOME_SIGNALED))
		log_note("hint", "%s", verdict->hint);
}

void verdict_report(const struct verdict *verdict, const struct policy *policy)
{
	char buf[32];

	report_stacks(verdict->stacks);
	if (policy->summary)
		summary_print(verdict, policy);
	else
		report_end(verdict, policy);
	if (verdict->out.neutralised + verdict->err.neutralised > 0)
		log_verbose("terminal", "escape sequences that the terminal did not get: %llu (--raw-terminal)",
			    (unsigned long long)(verdict->out.neutralised +
						 verdict->err.neutralised));
	report_refusals(&verdict->refusals);
	report_network(verdict->network);
	log_verbose("verdict", "%s, status %d; %llu ms, CPU %llu ms, memory %s", outcome_names[verdict->outcome],
		    verdict->status, (unsigned long long)verdict->used.wall_ms, (unsigned long long)verdict->used.cpu_ms,
		    text_format_size(verdict->used.memory_peak_bytes, buf, sizeof(buf)));
}
