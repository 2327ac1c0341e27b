/* What mkfilter reads from a filter file, and what it makes programs for. */
#ifndef CAPSULE_CODEGEN_H
#define CAPSULE_CODEGEN_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define ARG_MAX 6U
#define VALUES_MAX 16U

struct target {
	const char *name;	/* as in the generated identifiers */
	const char *condition;	/* the compiler's macro */
	uint32_t token;		/* libseccomp's */
	uint32_t audit_arch;	/* the kernel's */
};

struct term {
	unsigned int arg;
	uint32_t mask;
	uint32_t values[VALUES_MAX];
	size_t value_count;
};

struct row {
	unsigned int line;
	bool inherited;		/* from the base, whose line it is */
	uint32_t action;
	char *call;
	struct term terms[ARG_MAX];
	size_t term_count;
};

struct definition {
	char *name;
	uint32_t value;
	unsigned int line;
	bool used;
};

struct filter {
	const char *name;
	const char *path;
	unsigned int line;	/* where reading is, for messages */
	uint32_t default_action;
	uint32_t unknown_action;
	uint32_t foreign_action;
	uint32_t last;
	unsigned int seen;	/* directives, a bit each */
	bool has_base;
	bool in_group;
	struct definition *definitions;
	size_t definition_count;
	struct row *rows;
	size_t row_count;
};

__attribute__((format(printf, 3, 4), noreturn)) void
fail_at(const struct filter *f, unsigned int line, const char *format, ...);
__attribute__((noreturn)) void die(const char *what, const char *why);

/* A larger array or none; memory is given back by the end of the program. */
void *grow(void *array, size_t count, size_t size);

/* The rows as a program: its length. Each call has one action, or conditions and allow. */
size_t compile_filter(const struct filter *f, const struct target *target,
		      struct sock_filter *code, size_t max);

#endif
