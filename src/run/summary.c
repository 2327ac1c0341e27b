#include "run/summary.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "policy/option.h"
#include "run/explain.h"

#define RED   "\033[1;31m"
#define GREEN "\033[32m"
#define DIM   "\033[2m"
#define PLAIN "\033[0m"

/* The most that are told of. */
#define SUMMARY_ATTEMPTS 5

struct text {
	char *buf;
	size_t len;
	bool colour;
};

static void add(struct text *text, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void add(struct text *text, const char *fmt, ...)
{
	size_t room = SUMMARY_MAX - text->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text->buf + text->len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		text->len += (size_t)n < room ? (size_t)n : room - 1;
}

static const char *paint(const struct text *text, const char *colour)
{
	return text->colour ? colour : "";
}

/* "  hint    ": the name of a line of the block. */
static void add_name(struct text *text, const char *name)
{
	add(text, "  %s%-7s%s ", paint(text, DIM), name, paint(text, PLAIN));
}

/* "1.24 s, 0.90 s CPU, 84M peak of 512M": what is known of it. */
static void add_usage(struct text *text, const struct verdict *verdict, const struct policy *policy)
{
	const struct meter *used = &verdict->used;
	char peak[32];
	char limit[32];

	add(text, "%.2f s", (double)used->wall_ms / 1000);
	if (used->cpu_from != METER_NONE)
		add(text, ", %.2f s CPU", (double)used->cpu_ms / 1000);
	if (used->memory_from == METER_NONE)
		return;
	add(text, ", %s peak", explain_number(OPTION_RAM, used->memory_peak_bytes, peak, sizeof(peak)));
	if (used->memory_from == METER_RUSAGE)
		add(text, " of the largest process");
	else
		add(text, " of %s", option_format(policy, OPTION_RAM, limit, sizeof(limit)));
}

static void add_hit(struct text *text, const struct verdict *verdict, const struct policy *policy, enum limit_hit hit)
{
	enum option_id id = limit_hit_option(hit);
	uint64_t peak = verdict->peaks[hit];
	char value[32];

	add_name(text, "limit");
	add(text, "--%s %s", option_table[id].name, option_format(policy, id, value, sizeof(value)));
	if (peak != 0)
		add(text, ", at the most %s", explain_number(id, peak, value, sizeof(value)));
	if (verdict->rungs[id] != RUNG_NONE)
		add(text, ", held by %s", rung_name(verdict->rungs[id]));
	add(text, "\n");
}

static void add_lost(struct text *text, const char *name, const struct verdict_stream *stream)
{
	if (stream->errnum == 0)
		return;
	add_name(text, "lost");
	add(text, "%s: %s\n", name, strerror(stream->errnum));
}

/* The task's own word: its first line, without what acts on a terminal. */
static void add_said(struct text *text, const struct traceback *said)
{
	char line[sizeof(said->type) + sizeof(said->message) + sizeof(said->file) + 32];
	int n;

	if (said->type[0] == '\0')
		return;
	n = snprintf(line, sizeof(line), "%s%s%.*s", said->type, said->message[0] != '\0' ? ": " : "",
		     (int)strcspn(said->message, "\n"), said->message);
	if (n > 0 && (size_t)n < sizeof(line) && said->file[0] != '\0' && said->line > 0)
		(void)snprintf(line + n, sizeof(line) - (size_t)n, " (%s:%llu)", said->file,
			       (unsigned long long)said->line);
	error_sanitize(line);
	add_name(text, "said");
	add(text, "%s\n", line);
}

/* The attempts before the last one; of many the latest. */
static void add_attempts(struct text *text, const struct verdict_attempts *attempts)
{
	size_t before = attempts->count > 0 ? attempts->count - 1 : 0;
	size_t first = before > SUMMARY_ATTEMPTS ? before - SUMMARY_ATTEMPTS : 0;

	if (first > 0) {
		add_name(text, "tried");
		add(text, "%zu more before\n", first);
	}
	for (size_t i = first; i < before; i++) {
		const struct verdict_attempt *attempt = &attempts->item[i];

		add_name(text, "tried");
		add(text, "%s, status %d, %.2f s\n", outcome_name(attempt->outcome), attempt->status,
		    (double)attempt->used.wall_ms / 1000);
	}
	if (attempts->obstacle != NULL) {
		add_name(text, "tried");
		add(text, "not again: %s\n", attempts->obstacle);
	}
}

static void add_hint(struct text *text, const struct verdict *verdict)
{
	char hint[ERROR_HINT_MAX];

	memcpy(hint, verdict->outcome == OUTCOME_FAILED ? verdict->error.hint : verdict->hint, sizeof(hint));
	if (hint[0] == '\0')
		return;
	error_sanitize(hint);
	add_name(text, "hint");
	add(text, "%s\n", hint);
}

/* At most 80 columns. */
static void add_timeline(struct text *text, const struct verdict *verdict, bool unicode)
{
	char graph[TIMELINE_GRAPH_MAX];
	char number[32];
	uint64_t most = 0;

	if (timeline_graph(&verdict->timeline, unicode, &most, graph) == NULL)
		return;
	add_name(text, "memory");
	add(text, "%s to %s\n", graph, explain_number(OPTION_RAM, most, number, sizeof(number)));
}

size_t summary_format(const struct verdict *verdict, const struct policy *policy, const struct summary_look *look,
		      char *buf)
{
	struct text text = {buf, 0, look->colour};
	bool is_well = verdict->status == 0 && verdict->limits_hit == 0;
	char sentence[EXPLAIN_MAX];

	buf[0] = '\0';
	add(&text, "capsule-run: ");
	if (is_well) {
		add(&text, "%sok%s: ", paint(&text, GREEN), paint(&text, PLAIN));
		add_usage(&text, verdict, policy);
		if (verdict->attempts.count > 1)
			add(&text, ", attempt %zu of %zu", verdict->attempts.count, verdict->attempts.retries_max + 1);
		add(&text, "\n");
		add_timeline(&text, verdict, look->unicode);
		return text.len;
	}
	add(&text, "%s%s%s: %s\n", paint(&text, verdict->status == 0 ? GREEN : RED), outcome_name(verdict->outcome), paint(&text, PLAIN),
	    explain(verdict, policy, sentence));
	for (unsigned int i = 0; i < LIMIT_HIT_MAX; i++)
		if (verdict_has_hit(verdict, i))
			add_hit(&text, verdict, policy, i);
	add_lost(&text, "standard output", &verdict->out);
	if (!verdict->streams_joined)
		add_lost(&text, "standard error", &verdict->err);
	add_said(&text, &verdict->reported);
	add_name(&text, "used");
	add_usage(&text, verdict, policy);
	add(&text, "\n");
	add_timeline(&text, verdict, look->unicode);
	add_attempts(&text, &verdict->attempts);
	add_hint(&text, verdict);
	return text.len;
}

static bool wants_colour(void)
{
	const char *objection = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) == 1 && (objection == NULL || objection[0] == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

/* The standard library, being static, has no locales to ask. */
static bool has_unicode(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value != NULL && value[0] != '\0')
			return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
	}
	return false;
}

void summary_print(const struct verdict *verdict, const struct policy *policy)
{
	struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
	char buf[SUMMARY_MAX];
	const struct summary_look look = {.colour = wants_colour(), .unicode = has_unicode()};
	size_t len = summary_format(verdict, policy, &look, buf);

	/* Nobody is left to tell when standard error itself fails. */
	if (poll(&ready, 1, 1000) != 1 || write(STDERR_FILENO, buf, len) < 0)
		return;
}
