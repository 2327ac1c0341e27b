/*
 * A filter's rows for one architecture as a graph of decisions, and BPF from that graph.
 *
 *	- Another architecture ends the process, and so does an x32 number.
 *	- A number that is no call gets the answer for unknown calls: a new libc wants ENOSYS
 *	  for a call that this filter does not know, while a call that is refused says EPERM.
 *
 * We generate code ourselves because it is loaded at each start: the task's program loads in
 * half the time of libseccomp's (77 us, not 172). That of 2.5.4 also let a task on aarch64 make
 * a socket that its rows refuse, see tests/unit/test_filter.c.
 *
 * What loading costs is instructions, which the kernel translates one by one, and steps: the
 * kernel runs the program once for each number to learn which calls are always allowed, and
 * that goes by the same compares that we can use (no tables, no arithmetic but AND). So a
 * search is planned by dynamic programming over its spans: either it is cut in two by one
 * compare, or it has one common answer and each exception from it is a compare of its own.
 *
 * Jumps go forward and conditional ones reach 255 instructions. The program is written from
 * its end: whatever a jump leads to exists already, and is used again while it is in reach.
 */
#include "codegen.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>

#define X32_BIT 0x40000000U
#define ALTERNATIVES_MAX 32U
#define REACH_MAX 255U
#define NOWHERE SIZE_MAX

/* What an instruction costs at load, in the weight of one system call's number. */
#define WEIGHT_INSTRUCTION 320U
#define WEIGHT_NUMBER 10U
#define WEIGHT_VALUE 1U

/* From `first` to the next span's, or to the end of 32 bits. */
struct span {
	uint32_t first;
	size_t node;
	uint64_t weight;	/* how much a step on the way here costs */
};

/* Nodes are numbers; who asks twice for the same one gets the same, and so the same code. */
enum kind {
	KIND_ANSWER,
	KIND_LOAD,
	KIND_SEARCH,
	KIND_TEST,
};

struct node {
	enum kind kind;
	uint32_t value;		/* answer, offset or bits */
	uint32_t mask;
	size_t next[2];		/* load: the next one; test: if none, if any */
	struct span *spans;
	size_t span_count;
	size_t place;		/* in this program, or NOWHERE */
};

struct graph {
	struct node *nodes;
	size_t node_count;
	struct sock_filter *code;	/* backwards: the program's last instruction first */
	size_t count;
	size_t max;
};

/* The best way to search the spans from one to another. */
struct plan {
	uint64_t cost;
	uint64_t weight;
	size_t size;		/* compares */
	size_t split;		/* the first span of the right half; 0: there is one common node */
	size_t common;
};

struct search {
	struct graph *g;
	const struct span *spans;
	size_t count;
	struct plan *plans;	/* count * count, for the first and the last span */
};

/* What a jump leads to: a node, or part of a search that has its place. */
struct goal {
	size_t node;
	size_t place;
};

static bool is_same(const struct node *a, const struct node *b)
{
	if (a->kind != b->kind || a->value != b->value || a->mask != b->mask ||
	    a->next[0] != b->next[0] || a->next[1] != b->next[1] || a->span_count != b->span_count)
		return false;
	for (size_t i = 0; i < a->span_count; i++)
		if (a->spans[i].first != b->spans[i].first || a->spans[i].node != b->spans[i].node)
			return false;
	return true;
}

static size_t add_node(struct graph *g, const struct node *node)
{
	for (size_t i = 0; i < g->node_count; i++)
		if (is_same(&g->nodes[i], node)) {
			free(node->spans);
			return i;
		}
	g->nodes = grow(g->nodes, g->node_count + 1, sizeof(*g->nodes));
	g->nodes[g->node_count] = *node;
	return g->node_count++;
}

/* Ends the program. */
static size_t answer_node(struct graph *g, uint32_t answer)
{
	return add_node(g, &(struct node){ .kind = KIND_ANSWER, .value = answer });
}

/* Loads 32 bits, keeps those in the mask, goes on to a search or a test. */
static size_t load_node(struct graph *g, uint32_t offset, uint32_t mask, size_t next)
{
	enum kind kind = g->nodes[next].kind;

	if (kind == KIND_ANSWER || kind == KIND_LOAD)
		return next;
	return add_node(g, &(struct node){ .kind = KIND_LOAD, .value = offset, .mask = mask,
					   .next = { next } });
}

/* Chooses by whether the loaded value has any of the bits. */
static size_t test_node(struct graph *g, uint32_t bits, size_t if_any, size_t if_none)
{
	if (if_any == if_none)
		return if_any;
	return add_node(g, &(struct node){ .kind = KIND_TEST, .value = bits,
					   .next = { if_none, if_any } });
}

/* Chooses by the loaded value; the spans are sorted and the first one begins with 0. */
static size_t search_node(struct graph *g, const struct span *spans, size_t count)
{
	struct node node = { .kind = KIND_SEARCH };

	node.spans = grow(NULL, count, sizeof(*spans));
	for (size_t i = 0; i < count; i++) {
		struct span *last = node.span_count ? &node.spans[node.span_count - 1] : NULL;

		if (last && last->node == spans[i].node)
			last->weight += spans[i].weight;
		else
			node.spans[node.span_count++] = spans[i];
	}
	if (node.span_count == 1) {
		size_t only = node.spans[0].node;

		free(node.spans);
		return only;
	}
	return add_node(g, &node);
}

static struct plan *plan_of(const struct search *s, size_t first, size_t last)
{
	return &s->plans[first * s->count + last];
}

static bool is_one_number(const struct search *s, size_t i)
{
	uint32_t end = i + 1 < s->count ? s->spans[i + 1].first - 1 : UINT32_MAX;

	return s->spans[i].first == end;
}

/* All spans that do not lead to `common` are one number each, tested one after the other. */
static void plan_common(const struct search *s, size_t first, size_t last, size_t common)
{
	struct plan *best = plan_of(s, first, last);
	struct plan plan = { .common = common, .weight = best->weight };
	uint64_t rest = best->weight;

	for (size_t i = first; i <= last; i++) {
		if (s->spans[i].node == common)
			continue;
		if (!is_one_number(s, i))
			return;
		plan.size++;
		plan.cost += WEIGHT_INSTRUCTION + rest;
		rest -= s->spans[i].weight;
	}
	if (plan.cost < best->cost)
		*best = plan;
}

static void plan_search(const struct search *s)
{
	for (size_t length = 1; length <= s->count; length++) {
		for (size_t first = 0; first + length <= s->count; first++) {
			size_t last = first + length - 1;
			struct plan *best = plan_of(s, first, last);

			*best = (struct plan){ .cost = UINT64_MAX };
			for (size_t i = first; i <= last; i++)
				best->weight += s->spans[i].weight;
			plan_common(s, first, last, s->spans[first].node);
			if (length > 1)
				plan_common(s, first, last, s->spans[first + 1].node);
			for (size_t split = first + 1; split <= last; split++) {
				const struct plan *left = plan_of(s, first, split - 1);
				const struct plan *right = plan_of(s, split, last);
				uint64_t cost = left->cost + right->cost + WEIGHT_INSTRUCTION +
						best->weight;

				if (cost >= best->cost)
					continue;
				best->cost = cost;
				best->split = split;
				best->size = left->size + right->size + 1;
			}
		}
	}
}

static size_t put(struct graph *g, struct sock_filter instruction)
{
	if (g->count < g->max)
		g->code[g->count] = instruction;
	return g->count++;
}

static uint32_t distance(const struct graph *g, size_t place)
{
	return (uint32_t)(g->count - place - 1);
}

static size_t put_jump_always(struct graph *g, size_t place)
{
	if (place + 1 == g->count)
		return place;
	return put(g, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, distance(g, place)));
}

static size_t emit_node(struct graph *g, size_t id);

/* Brings a target into reach of the next instruction but one. */
static void approach(struct graph *g, struct goal *t)
{
	if (t->node != NOWHERE)
		t->place = emit_node(g, t->node);
	else if (distance(g, t->place) >= REACH_MAX)
		t->place = put_jump_always(g, t->place);
}

static size_t put_jump(struct graph *g, uint16_t compare, uint32_t value, struct goal yes,
		       struct goal no)
{
	struct sock_filter jump = BPF_JUMP(BPF_JMP | compare | BPF_K, value, 0, 0);

	/* What the second one puts there may take the first one out of reach. */
	do {
		approach(g, &no);
		approach(g, &yes);
	} while (distance(g, no.place) > REACH_MAX);
	jump.jt = (uint8_t)distance(g, yes.place);
	jump.jf = (uint8_t)distance(g, no.place);
	return put(g, jump);
}

static struct goal emit_part(const struct search *s, size_t first, size_t last);

static struct goal emit_common(const struct search *s, size_t first, size_t last, size_t common)
{
	struct goal rest = { .node = common };

	for (size_t i = last + 1; i-- > first;) {
		struct goal exception = { .node = s->spans[i].node };

		if (exception.node == common)
			continue;
		rest.place = put_jump(s->g, BPF_JEQ, s->spans[i].first, exception, rest);
		rest.node = NOWHERE;
	}
	return rest;
}

/* The larger half goes to the back, so that the jump across the smaller one is short. */
static struct goal emit_part(const struct search *s, size_t first, size_t last)
{
	const struct plan *plan = plan_of(s, first, last);
	struct goal left, right;

	if (!plan->split)
		return emit_common(s, first, last, plan->common);
	if (plan_of(s, first, plan->split - 1)->size > plan_of(s, plan->split, last)->size) {
		left = emit_part(s, first, plan->split - 1);
		right = emit_part(s, plan->split, last);
	} else {
		right = emit_part(s, plan->split, last);
		left = emit_part(s, first, plan->split - 1);
	}
	return (struct goal){
		.node = NOWHERE,
		.place = put_jump(s->g, BPF_JGE, s->spans[plan->split].first, right, left),
	};
}

static size_t emit_search(struct graph *g, const struct node *node)
{
	struct search s = { .g = g, .spans = node->spans, .count = node->span_count };
	struct goal goal;

	s.plans = grow(NULL, s.count * s.count, sizeof(*s.plans));
	plan_search(&s);
	goal = emit_part(&s, 0, s.count - 1);
	free(s.plans);
	return goal.place;
}

static size_t emit_load(struct graph *g, const struct node *node)
{
	struct node *next = &g->nodes[node->next[0]];
	bool is_short = next->kind == KIND_TEST || next->span_count <= 3;
	size_t place = next->place;

	if (place == NOWHERE || is_short) {
		next->place = NOWHERE;
		place = emit_node(g, node->next[0]);
	}
	put_jump_always(g, place);
	if (node->mask != UINT32_MAX)
		put(g, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, node->mask));
	return put(g, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, node->value));
}

static size_t emit_node(struct graph *g, size_t id)
{
	struct node *node = &g->nodes[id];

	if (node->place != NOWHERE && distance(g, node->place) < REACH_MAX)
		return node->place;
	if (node->place != NOWHERE && node->kind != KIND_ANSWER)
		return node->place = put_jump_always(g, node->place);
	switch (node->kind) {
	case KIND_ANSWER:
		node->place = put(g, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, node->value));
		break;
	case KIND_LOAD:
		node->place = emit_load(g, node);
		break;
	case KIND_SEARCH:
		node->place = emit_search(g, node);
		break;
	case KIND_TEST:
		node->place = put_jump(g, BPF_JSET, node->value,
				       (struct goal){ .node = node->next[1] },
				       (struct goal){ .node = node->next[0] });
		break;
	}
	return node->place;
}

static size_t emit(struct graph *g, size_t node, struct sock_filter *program, size_t max)
{
	g->code = program;
	g->count = 0;
	g->max = max;
	for (size_t i = 0; i < g->node_count; i++)
		g->nodes[i].place = NOWHERE;
	put_jump_always(g, emit_node(g, node));
	if (g->count > max)
		return 0;
	for (size_t i = 0; i < g->count / 2; i++) {
		struct sock_filter swap = program[i];

		program[i] = program[g->count - 1 - i];
		program[g->count - 1 - i] = swap;
	}
	return g->count;
}

/* A condition of a call, with the terms that were found to be true: a bit each. */
struct alternative {
	const struct row *row;
	unsigned int done;
};

/* What is looked at in one load. Values whose low bits are masked out are ranges. */
struct view {
	unsigned int arg;
	uint32_t mask;
};

static bool is_range(uint32_t mask)
{
	return !(~mask & (~mask + 1));
}

static struct view view_of(const struct term *term)
{
	return (struct view){ term->arg, is_range(term->mask) ? UINT32_MAX : term->mask };
}

/* The first term that is still open, or in this view if there is one. */
static const struct term *open_term(const struct alternative *a, const struct view *view)
{
	for (size_t i = 0; i < a->row->term_count; i++) {
		const struct term *term = &a->row->terms[i];
		struct view v = view_of(term);

		if (!(a->done & 1U << i) &&
		    (!view || (v.arg == view->arg && v.mask == view->mask)))
			return term;
	}
	return NULL;
}

/* The end of the range that a value of this term begins. */
static uint32_t range_end(const struct term *term, const struct view *view, uint32_t value)
{
	return value | (view->mask & ~term->mask);
}

static bool is_true(const struct term *term, const struct view *view, uint32_t value)
{
	for (size_t i = 0; i < term->value_count; i++)
		if (value >= term->values[i] && value <= range_end(term, view, term->values[i]))
			return true;
	return false;
}

static int compare_spans(const void *a, const void *b)
{
	uint32_t x = ((const struct span *)a)->first, y = ((const struct span *)b)->first;

	return (x > y) - (x < y);
}

/* Where the answer may change in this view: sorted, each once. */
static size_t cut_spans(const struct alternative *a, size_t count, const struct view *view,
			struct span **spans)
{
	size_t n = 0, kept = 1;

	*spans = grow(NULL, 1 + count * VALUES_MAX * 2, sizeof(**spans));
	(*spans)[n++] = (struct span){ .first = 0 };
	for (size_t i = 0; i < count; i++) {
		const struct term *term = open_term(&a[i], view);

		for (size_t v = 0; term && v < term->value_count; v++) {
			uint32_t first = term->values[v];
			uint32_t last = range_end(term, view, first);

			(*spans)[n++] = (struct span){ .first = first };
			if (last != UINT32_MAX)
				(*spans)[n++] = (struct span){ .first = last + 1 };
		}
	}
	qsort(*spans, n, sizeof(**spans), compare_spans);
	for (size_t i = 1; i < n; i++)
		if ((*spans)[i].first != (*spans)[kept - 1].first)
			(*spans)[kept++] = (*spans)[i];
	return kept;
}

/* One argument at a time: what is left of the alternatives for each of its values. */
static size_t decide(struct graph *g, const struct alternative *a, size_t count, size_t otherwise)
{
	size_t allow = answer_node(g, SCMP_ACT_ALLOW), span_count, node;
	struct span *spans;
	struct view view = { 0, 0 };
	uint32_t offset;

	if (!count)
		return otherwise;
	for (size_t i = count; i-- > 0;) {
		const struct term *term = open_term(&a[i], NULL);

		if (!term)
			return allow;
		view = view_of(term);
	}
	span_count = cut_spans(a, count, &view, &spans);
	for (size_t s = 0; s < span_count; s++) {
		struct alternative left[ALTERNATIVES_MAX];
		size_t n = 0;

		for (size_t i = 0; i < count; i++) {
			const struct term *term = open_term(&a[i], &view);

			left[n] = a[i];
			if (term)
				left[n].done |= 1U << (term - a[i].row->terms);
			n += !term || is_true(term, &view, spans[s].first);
		}
		spans[s].node = decide(g, left, n, otherwise);
		spans[s].weight = WEIGHT_VALUE;
	}
	/* both architectures have the low half first */
	offset = (uint32_t)(offsetof(struct seccomp_data, args) + view.arg * sizeof(uint64_t));
	if (view.mask != UINT32_MAX && span_count == 2 && spans[1].first == 1) {
		node = test_node(g, view.mask, spans[1].node, spans[0].node);
		view.mask = UINT32_MAX;
	} else {
		node = search_node(g, spans, span_count);
	}
	free(spans);
	return load_node(g, offset, view.mask, node);
}

static bool is_known(const struct target *target, uint32_t nr)
{
	char *name = seccomp_syscall_resolve_num_arch(target->token, (int)nr);
	bool known = name != NULL;

	free(name);
	return known;
}

static size_t judge_number(const struct filter *f, const struct target *target, struct graph *g,
			   uint32_t nr)
{
	struct alternative a[ALTERNATIVES_MAX];
	size_t count = 0;
	uint32_t action = f->default_action;

	if (!is_known(target, nr))
		return answer_node(g, f->unknown_action);
	for (size_t i = 0; i < f->row_count; i++) {
		const struct row *row = &f->rows[i];

		if (seccomp_syscall_resolve_name_arch(target->token, row->call) != (int)nr)
			continue;
		if (count == ALTERNATIVES_MAX)
			fail_at(f, row->line, "more than %u rows for %s", ALTERNATIVES_MAX, row->call);
		a[count++] = (struct alternative){ .row = row };
		if (!row->term_count)
			action = row->action;
	}
	if (action != f->default_action || !count || !a[0].row->term_count)
		return answer_node(g, action);
	return decide(g, a, count, answer_node(g, f->default_action));
}

/* A foreign architecture or ABI first, then all numbers in one search. */
size_t compile_filter(const struct filter *f, const struct target *target,
		      struct sock_filter *code, size_t max)
{
	struct graph graph = { .nodes = NULL }, *g = &graph;
	size_t foreign = answer_node(g, f->foreign_action);
	size_t unknown = answer_node(g, f->unknown_action);
	struct span *spans;
	size_t n, node;
	uint32_t last = f->last;

	while (last && !is_known(target, last))
		last--;
	spans = grow(NULL, last + 2, sizeof(*spans));
	for (uint32_t nr = 0; nr <= last; nr++)
		spans[nr] = (struct span){ nr, judge_number(f, target, g, nr), WEIGHT_NUMBER };
	spans[last + 1] = (struct span){ last + 1, unknown, 0 };
	if (target->token == SCMP_ARCH_X86_64) {
		/* -1 is a call that a tracer took back, not one of x32 */
		const struct span above[] = {
			{ 0, test_node(g, X32_BIT, foreign, unknown), 0 },
			{ UINT32_MAX, unknown, 0 },
		};

		spans[last + 1].node = search_node(g, above, ARRAY_SIZE(above));
	}
	node = search_node(g, spans, last + 2);
	node = load_node(g, offsetof(struct seccomp_data, nr), UINT32_MAX, node);
	free(spans);
	node = search_node(g,
			      (const struct span[]){ { 0, foreign, 0 },
						     { target->audit_arch, node, 0 },
						     { target->audit_arch + 1, foreign, 0 } },
			      3);
	node = load_node(g, offsetof(struct seccomp_data, arch), UINT32_MAX, node);
	n = emit(g, node, code, max);
	if (!n)
		die(f->path, "the program has too many instructions");
	return n;
}
