/*
 * mkfilter: compiles filter files to BPF when the project is built.
 *
 *	mkfilter task=task.filter init=init.filter > filter-data.h
 *	mkfilter --names > call-names.h
 *
 * The grammar stands at the top of task.filter. libseccomp knows names and numbers, codegen.c
 * makes the programs. Both architectures are compiled everywhere; same files and same libseccomp,
 * same bytes.
 */
#include "codegen.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILTERS_MAX 8
#define TOKENS_MAX 96U
#define CALLS_MAX 511	/* above all numbers of both targets */

static const struct target targets[] = {
	{ "x86_64", "__x86_64__", SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64 },
	{ "aarch64", "__aarch64__", SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64 },
};

enum directive {
	DIRECTIVE_DEFAULT,
	DIRECTIVE_UNKNOWN,
	DIRECTIVE_FOREIGN,
	DIRECTIVE_LAST,
	DIRECTIVE_MAX,
};

static const char *const directive_names[DIRECTIVE_MAX] = {
	[DIRECTIVE_DEFAULT] = "default",
	[DIRECTIVE_UNKNOWN] = "unknown",
	[DIRECTIVE_FOREIGN] = "foreign",
	[DIRECTIVE_LAST] = "last",
};

/* One logical line, cut into words. */
struct words {
	char *word[TOKENS_MAX];
	size_t count;
	size_t next;
};

void fail_at(const struct filter *f, unsigned int line, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%u: ", f->path, line);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void die(const char *what, const char *why)
{
	fprintf(stderr, "mkfilter: %s: %s\n", what, why);
	exit(1);
}

#define fail(f, ...) fail_at((f), (f)->line, __VA_ARGS__)

void *grow(void *array, size_t count, size_t size)
{
	array = reallocarray(array, count, size);
	if (!array)
		die("memory", strerror(errno));
	return array;
}

static char *copy_text(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(grow(NULL, size, 1), text, size);
}

static const char *peek(const struct words *w)
{
	return w->next < w->count ? w->word[w->next] : NULL;
}

static const char *take(const struct filter *f, struct words *w, const char *what)
{
	if (w->next >= w->count)
		fail(f, "%s expected at the end of the line", what);
	return w->word[w->next++];
}

static bool take_if(struct words *w, const char *word)
{
	if (w->next >= w->count || strcmp(w->word[w->next], word) != 0)
		return false;
	w->next++;
	return true;
}

static uint32_t one_number(const struct filter *f, const char *text)
{
	unsigned long long value;
	char *end;

	for (size_t i = 0; i < f->definition_count; i++)
		if (!strcmp(f->definitions[i].name, text)) {
			f->definitions[i].used = true;
			return f->definitions[i].value;
		}
	errno = 0;
	value = strtoull(text, &end, 0);
	if (text[0] < '0' || text[0] > '9' || *end || errno)
		fail(f, "'%s' is neither a number nor defined above", text);
	if (value > UINT32_MAX)
		fail(f, "%s is wider than 32 bits", text);
	return (uint32_t)value;
}

static uint32_t parse_number(const struct filter *f, const char *text)
{
	char *copy = copy_text(text), *rest = copy, *part;
	uint32_t value = 0;

	while ((part = strsep(&rest, "|")))
		value |= one_number(f, part);
	free(copy);
	return value;
}

static uint32_t parse_action(const struct filter *f, struct words *w, const char *word)
{
	if (!strcmp(word, "allow"))
		return SCMP_ACT_ALLOW;
	if (!strcmp(word, "kill"))
		return SCMP_ACT_KILL_PROCESS;
	if (!strcmp(word, "errno")) {
		word = take(f, w, "EPERM or ENOSYS");
		if (!strcmp(word, "EPERM"))
			return SCMP_ACT_ERRNO(EPERM);
		if (!strcmp(word, "ENOSYS"))
			return SCMP_ACT_ERRNO(ENOSYS);
		fail(f, "errno is EPERM or ENOSYS, not '%s'", word);
	}
	fail(f, "'%s' is neither a directive nor an action", word);
}

static void parse_term(const struct filter *f, struct words *w, struct row *row)
{
	const char *word = take(f, w, "argN");
	struct term *term = &row->terms[row->term_count];

	if (strncmp(word, "arg", 3) != 0 || word[3] < '0' || word[3] > '5' || word[4])
		fail(f, "arg0 to arg5 expected, not '%s'", word);
	*term = (struct term){ .arg = (unsigned int)(word[3] - '0'), .mask = UINT32_MAX };
	for (size_t i = 0; i < row->term_count; i++)
		if (row->terms[i].arg == term->arg)
			fail(f, "%s twice in one row", word);
	if (take_if(w, "&"))
		term->mask = parse_number(f, take(f, w, "a mask"));
	if (!take_if(w, "=="))
		fail(f, "'==' expected after %s", word);
	do {
		uint32_t value = parse_number(f, take(f, w, "a value"));

		if (value & ~term->mask)
			fail(f, "%#x has bits outside the mask %#x: never true", value, term->mask);
		if (term->value_count == VALUES_MAX)
			fail(f, "more than %u values", VALUES_MAX);
		term->values[term->value_count++] = value;
	} while (take_if(w, "or"));
	row->term_count++;
}

/* What this file says of a call replaces what its base does, and never gives more. */
static void replace_inherited(struct filter *f, const struct row *row)
{
	bool had = false, allowed = false, same = false;
	size_t kept = 0;

	for (size_t i = 0; i < f->row_count; i++) {
		const struct row *other = &f->rows[i];

		if (!strcmp(other->call, row->call)) {
			had = true;
			allowed = allowed || other->action == SCMP_ACT_ALLOW;
			same = other->action == row->action && !other->term_count && !row->term_count;
			if (other->inherited)
				continue;
		}
		f->rows[kept++] = f->rows[i];
	}
	f->row_count = kept;
	if (f->has_base && row->action == SCMP_ACT_ALLOW && !allowed)
		fail(f, "%s is not allowed by the base", row->call);
	if (f->has_base && had && same)
		fail(f, "the base says the same of %s", row->call);
}

/* Catches rows that cancel each other: one call has one action, and no condition beside none. */
static void check_against_others(const struct filter *f, const struct row *row)
{
	for (size_t i = 0; i < f->row_count; i++) {
		const struct row *other = &f->rows[i];

		if (strcmp(other->call, row->call) != 0)
			continue;
		if (other->action != row->action)
			fail(f, "%s has another action in line %u", row->call, other->line);
		if (!other->term_count || !row->term_count)
			fail(f, "%s stands without a condition here or in line %u", row->call,
			     other->line);
	}
}

static void check_call(const struct filter *f, const char *name, bool optional)
{
	bool found = optional;

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		int nr = seccomp_syscall_resolve_name_arch(targets[i].token, name);

		found = found || nr >= 0;
		if (nr >= 0 && (uint32_t)nr > f->last)
			fail(f, "%s is number %d, above the 'last' of this file", name, nr);
	}
	if (!found)
		fail(f, "no target has a system call '%s'", name);
}

static void parse_row(struct filter *f, struct words *w, const char *first)
{
	struct row row = { .line = f->line, .action = parse_action(f, w, first) };
	size_t first_call = w->next, last_call;

	if (!f->in_group)
		fail(f, "a row outside of a group");
	while (peek(w) && strcmp(peek(w), "if") != 0)
		w->next++;
	last_call = w->next;
	if (first_call == last_call)
		fail(f, "a row without a system call");
	if (take_if(w, "if")) {
		if (row.action != SCMP_ACT_ALLOW)
			fail(f, "only allow rows take a condition");
		do {
			parse_term(f, w, &row);
		} while (take_if(w, "and"));
	}
	if (peek(w))
		fail(f, "'%s' not understood", peek(w));
	for (size_t i = first_call; i < last_call; i++) {
		char *call = w->word[i];
		size_t length = strlen(call);
		bool optional = call[length - 1] == '?';

		if (optional)
			call[length - 1] = '\0';
		check_call(f, call, optional);
		row.call = copy_text(call);
		replace_inherited(f, &row);
		check_against_others(f, &row);
		f->rows = grow(f->rows, f->row_count + 1, sizeof(*f->rows));
		f->rows[f->row_count++] = row;
	}
}

static void parse_define(struct filter *f, struct words *w)
{
	struct definition d = { .line = f->line };
	const char *name = take(f, w, "a name");

	if (name[0] >= '0' && name[0] <= '9')
		fail(f, "a name can't begin with a digit: '%s'", name);
	for (size_t i = 0; i < f->definition_count; i++)
		if (!strcmp(f->definitions[i].name, name))
			fail(f, "%s is defined twice", name);
	d.name = copy_text(name);
	d.value = parse_number(f, take(f, w, "a number"));
	f->definitions = grow(f->definitions, f->definition_count + 1, sizeof(d));
	f->definitions[f->definition_count++] = d;
}

static void parse_directive(struct filter *f, struct words *w, enum directive directive)
{
	uint32_t *action = directive == DIRECTIVE_DEFAULT   ? &f->default_action
			   : directive == DIRECTIVE_UNKNOWN ? &f->unknown_action
							    : &f->foreign_action;

	if (f->seen & 1U << directive)
		fail(f, "'%s' twice", directive_names[directive]);
	f->seen |= 1U << directive;
	if (directive == DIRECTIVE_LAST) {
		f->last = parse_number(f, take(f, w, "a number"));
		return;
	}
	*action = parse_action(f, w, take(f, w, "an action"));
	if (*action == SCMP_ACT_ALLOW)
		fail(f, "%s can't be allow", directive_names[directive]);
}

static void read_lines(struct filter *f);

/* Takes over all of another file, which lies beside this one. */
static void parse_base(struct filter *f, struct words *w)
{
	const char *name = take(f, w, "a file"), *slash = strrchr(f->path, '/');
	const char *own_path = f->path;
	size_t directory = slash ? (size_t)(slash - f->path) + 1 : 0, size = strlen(name) + 1;
	unsigned int line = f->line;
	char *path;

	if (f->has_base || f->seen || f->definition_count)
		fail(f, "base comes first, and once");
	path = grow(NULL, directory + size, 1);
	memcpy(path, own_path, directory);
	memcpy(path + directory, name, size);
	f->path = path;
	read_lines(f);
	f->has_base = true;
	for (size_t i = 0; i < f->row_count; i++)
		f->rows[i].inherited = true;
	f->path = own_path;
	f->line = line;
	f->in_group = false;
}

static void parse_line(struct filter *f, char *text)
{
	struct words w = { .count = 0 };
	char *reason = strchr(text, '#'), *save = NULL;
	const char *first;

	if (reason)
		*reason++ = '\0';
	for (char *p = strtok_r(text, " \t\n", &save); p; p = strtok_r(NULL, " \t\n", &save)) {
		if (w.count == TOKENS_MAX)
			fail(f, "more than %u words", TOKENS_MAX);
		w.word[w.count++] = p;
	}
	if (!w.count)
		return;
	first = take(f, &w, "a word");
	if (!strcmp(first, "base")) {
		parse_base(f, &w);
	} else if (!strcmp(first, "define")) {
		parse_define(f, &w);
	} else if (!strcmp(first, "group")) {
		take(f, &w, "a name");
		f->in_group = true;
	} else {
		enum directive d = DIRECTIVE_DEFAULT;

		while (d < DIRECTIVE_MAX && strcmp(first, directive_names[d]) != 0)
			d++;
		if (d < DIRECTIVE_MAX) {
			parse_directive(f, &w, d);
		} else {
			if (f->seen != (1U << DIRECTIVE_MAX) - 1)
				fail(f, "default, unknown, foreign and last come first");
			if (!reason || !reason[strspn(reason, " \t\n")])
				fail(f, "a row without a reason");
			parse_row(f, &w, first);
		}
	}
	if (peek(&w))
		fail(f, "'%s' not understood", peek(&w));
}

static void read_lines(struct filter *f)
{
	FILE *file = fopen(f->path, "re");
	char *line = NULL, *logical = copy_text("");
	size_t size = 0;
	unsigned int physical = 0;
	ssize_t n;

	if (!file)
		die(f->path, strerror(errno));
	while ((n = getline(&line, &size, file)) >= 0) {
		size_t length = (size_t)n, old = strlen(logical);
		bool more;

		physical++;
		if (!old)
			f->line = physical;
		if (strlen(line) != length)
			fail_at(f, physical, "a NUL byte");
		while (length && (line[length - 1] == '\n' || line[length - 1] == ' '))
			line[--length] = '\0';
		more = length && line[length - 1] == '\\' && !strchr(line, '#');
		if (more)
			line[length - 1] = ' ';
		logical = grow(logical, old + length + 1, 1);
		memcpy(logical + old, line, length + 1);
		if (more)
			continue;
		parse_line(f, logical);
		logical[0] = '\0';
	}
	if (ferror(file) || logical[0])
		fail_at(f, physical, "the file ends in the middle of a row");
	if (!f->row_count)
		fail_at(f, physical, "no rows");
	for (size_t i = 0; i < f->definition_count; i++)
		if (!f->definitions[i].used)
			fail_at(f, f->definitions[i].line, "%s is not used", f->definitions[i].name);
	free(line);
	free(logical);
	fclose(file);
}

static void emit_program(const struct filter *f, const struct target *target)
{
	static struct sock_filter code[BPF_MAXINSNS];
	size_t n = compile_filter(f, target, code, ARRAY_SIZE(code));

	fprintf(stderr, "mkfilter: %s for %s: %zu instructions\n", f->name, target->name, n);
	printf("\n#if defined(%s) || defined(FILTER_WANT_ALL)\n", target->condition);
	printf("static const struct sock_filter filter_%s_%s[] = {\n", f->name, target->name);
	for (size_t i = 0; i < n; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", code[i].code, code[i].jt, code[i].jf,
		       code[i].k);
	printf("};\n#endif\n#if defined(%s)\n#define FILTER_", target->condition);
	for (const char *c = f->name; *c; c++)
		putchar(*c - 'a' + 'A');
	printf(" filter_%s_%s\n#endif\n", f->name, target->name);
}

/* Names of calls in the order of their numbers, each with its NUL; one without a name is empty. */
static void print_names(const struct target *target)
{
	printf("\n#if defined(%s)\nstatic const char call_names[] =", target->condition);
	for (int nr = 0; nr <= CALLS_MAX; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(target->token, nr);

		printf("\n\t\"%s\\0\"", name ? name : "");
		free(name);
	}
	puts(";\n#endif");
}

static int finish(void)
{
	puts("\n#endif");
	if (fflush(stdout) || ferror(stdout))
		die("stdout", strerror(errno));
	return 0;
}

int main(int argc, char **argv)
{
	static struct filter filters[FILTERS_MAX];

	if (argc < 2 || argc > FILTERS_MAX + 1) {
		fputs("usage: mkfilter NAME=FILE... > filter-data.h\n"
		      "       mkfilter --names > call-names.h\n", stderr);
		return 2;
	}
	if (argc == 2 && !strcmp(argv[1], "--names")) {
		puts("/* Made by mkfilter from libseccomp's table. */\n"
		     "#ifndef CAPSULE_CALL_NAMES_H\n#define CAPSULE_CALL_NAMES_H");
		for (size_t t = 0; t < ARRAY_SIZE(targets); t++)
			print_names(&targets[t]);
		return finish();
	}
	puts("/* Made by mkfilter from the filter files in profiles/; edit those. */\n"
	     "#ifndef CAPSULE_FILTER_DATA_H\n#define CAPSULE_FILTER_DATA_H\n\n"
	     "#include <linux/filter.h>\n\n"
	     "#if !defined(__x86_64__) && !defined(__aarch64__)\n"
	     "#error \"the filters know the system calls of x86-64 and aarch64 only\"\n"
	     "#endif");
	for (int i = 1; i < argc; i++) {
		char *path = strchr(argv[i], '=');
		struct filter *f = &filters[i - 1];

		if (!path || path == argv[i] ||
		    strspn(argv[i], "abcdefghijklmnopqrstuvwxyz") != (size_t)(path - argv[i])) {
			fprintf(stderr, "mkfilter: '%s' is not NAME=FILE\n", argv[i]);
			return 2;
		}
		*path++ = '\0';
		f->name = argv[i];
		f->path = path;
		read_lines(f);
		for (size_t t = 0; t < ARRAY_SIZE(targets); t++)
			emit_program(f, &targets[t]);
	}
	return finish();
}
