/*
 * The first row that fits gives the hint. Rows without a pattern rest on facts alone and come
 * first. The others match what the task printed, which is its claim: the last exception, then what
 * caused it; without a traceback the last lines, newest first. A hint's text is ours. Of the task's
 * words it repeats none but names of files and modules that run/lookup.h found on the host and lets
 * be named.
 */
#include "run/advice.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "policy/option.h"
#include "run/lookup.h"

#define CAUSES_MAX 4
#define LINES_MAX  12

/* One thing that the task said. */
struct claim {
	const char *type; /* of the exception, without its module; "" for a line of output */
	const char *message;
	const char *file; /* of the innermost frame, and its source; "" */
	const char *code;
};

struct question {
	const struct policy *policy;
	const struct plan *plan;
	const struct verdict *verdict;
	const struct claim *claim;     /* NULL for rows that rest on facts */
	char subject[LOOKUP_NAME_MAX]; /* {} in the hint, when the condition sets it */
};

static bool outcome_is(const struct question *q, enum outcome outcome)
{
	return q->verdict->outcome == outcome;
}

static bool timed_out(struct question *q)
{
	return outcome_is(q, OUTCOME_TIMEOUT);
}

static bool cpu_time_out(struct question *q)
{
	return outcome_is(q, OUTCOME_CPU_TIME);
}

static bool out_of_memory(struct question *q)
{
	return outcome_is(q, OUTCOME_OUT_OF_MEMORY);
}

static bool met_ram_soft(struct question *q)
{
	return (q->verdict->limits_hit & (1U << LIMIT_HIT_RAM_SOFT)) != 0;
}

static bool out_of_inodes(struct question *q)
{
	return outcome_is(q, OUTCOME_DISK) &&
	       (q->verdict->limits_hit & (1U << LIMIT_HIT_INODES)) != 0;
}

static bool out_of_disk(struct question *q)
{
	return outcome_is(q, OUTCOME_DISK);
}

static bool file_too_large(struct question *q)
{
	return outcome_is(q, OUTCOME_SIGNALED) && q->verdict->signal == SIGXFSZ;
}

static bool foreign_call(struct question *q)
{
	return outcome_is(q, OUTCOME_SIGNALED) && q->verdict->signal == SIGSYS;
}

static bool as_root(struct question *q)
{
	return q->plan->ids.privileged;
}

static bool is_fresh(struct question *q)
{
	return q->policy->files.fresh;
}

static bool no_stdin(struct question *q)
{
	return q->policy->command.no_stdin;
}

static bool is_closure(struct question *q)
{
	return q->policy->files.runtime == RUNTIME_CLOSURE;
}

static bool is_strict(struct question *q)
{
	return q->policy->command.filter == POLICY_FILTER_STRICT;
}

static bool has_network(struct question *q)
{
	return policy_has_network(q->policy);
}

static bool network_refused(struct question *q)
{
	return q->verdict->network != NULL && q->verdict->network->refusal_count > 0;
}

static bool from_environ(struct question *q)
{
	return strstr(q->claim->file, "/os.py") != NULL ||
	       strcmp(q->claim->file, "<frozen os>") == 0;
}

static bool in_subprocess(struct question *q)
{
	return strstr(q->claim->file, "/subprocess.py") != NULL ||
	       strstr(q->claim->code, "os.exec") != NULL ||
	       strstr(q->claim->code, "exec_func") != NULL;
}

static bool in_closure_subprocess(struct question *q)
{
	return is_closure(q) && in_subprocess(q);
}

/* The path in "...: 'PATH'" (Python, and many programs) or "PROGRAM: PATH: No such file". */
static const char *missing_path(const struct claim *claim, size_t *ret_len)
{
	const char *text = strstr(claim->message, "No such file or directory");
	const char *quote;

	if (text == NULL)
		return NULL;
	quote = strchr(text, '\'');
	if (quote != NULL) {
		*ret_len = strcspn(quote + 1, "'\\\n");
		return quote[1 + *ret_len] == '\'' ? quote + 1 : NULL;
	}
	if (claim->type[0] != '\0' || text - claim->message < 4 || text[-1] != ' ' ||
	    text[-2] != ':')
		return NULL;
	text -= 2;
	quote = text[-1] == '\'' ? text - 1 : text;
	for (const char *p = quote; p > claim->message; p--) {
		if (p[-1] != '\'' && p[-1] != ' ')
			continue;
		*ret_len = (size_t)(quote - p);
		return p;
	}
	return NULL;
}

/* A file of the system's, where not all of it is shown. */
static bool closure_lacks_file(struct question *q)
{
	static const char *const places[] = {"/usr/", "/bin/", "/sbin/", "/lib"};
	size_t len = 0;
	const char *path = missing_path(q->claim, &len);

	for (size_t i = 0; i < ARRAY_SIZE(places) && path != NULL; i++)
		if (strncmp(path, places[i], strlen(places[i])) == 0)
			return is_closure(q);
	return false;
}

static bool file_is(struct question *q, enum lookup wanted)
{
	size_t len = 0;
	const char *path = missing_path(q->claim, &len);

	return path != NULL && len > 0 && lookup_file(q->policy, q->plan, path, len, q->subject) == wanted;
}

static bool host_has_file(struct question *q)
{
	return file_is(q, LOOKUP_FOUND);
}

static bool host_may_have_file(struct question *q)
{
	return file_is(q, LOOKUP_UNKNOWN);
}

static bool module_is(struct question *q, enum lookup_module wanted)
{
	static const char start[] = "No module named ";
	const char *name = strstr(q->claim->message, start);
	bool is_quoted;
	size_t len;

	if (name == NULL)
		return false;
	name += sizeof(start) - 1;
	is_quoted = *name == '\'';
	name += is_quoted ? 1 : 0;
	len = strcspn(name, is_quoted ? ".'" : ".)\n");
	return len < 64 && text_is_env_name(name, len) &&
	       lookup_module(q->policy, q->plan, name, len, q->subject) == wanted;
}

static bool module_is_beside(struct question *q)
{
	return q->plan->python_minor >= 11 && module_is(q, LOOKUP_MODULE_BESIDE);
}

static bool module_is_beside_old(struct question *q)
{
	return module_is(q, LOOKUP_MODULE_BESIDE);
}

static bool module_is_crowded(struct question *q)
{
	return module_is(q, LOOKUP_MODULE_CROWDED);
}

static bool module_is_in_venv(struct question *q)
{
	return module_is(q, LOOKUP_MODULE_VENV);
}

static bool module_is_in_user_site(struct question *q)
{
	return module_is(q, LOOKUP_MODULE_USER_SITE);
}

static bool used_python(struct question *q)
{
	(void)snprintf(q->subject, sizeof(q->subject), "%s",
		       q->plan->exe != NULL ? q->plan->exe : "python3");
	return q->plan->python_minor != 0;
}

/* The last call that the filter refused: what a task complains of in the end. */
static bool was_refused(struct question *q)
{
	const struct refusal *refusal = refusals_last(&q->verdict->refusals);
	char call[32];
	char argument[REFUSAL_ARGUMENT_MAX];
	const char *words;

	if (refusal == NULL)
		return false;
	words = refusal_argument(refusal, argument, sizeof(argument));
	(void)snprintf(q->subject, sizeof(q->subject), "%s%s%s", refusal_call(refusal, call, sizeof(call)),
		       words != NULL ? " " : "", words != NULL ? words : "");
	return true;
}

/* And would not have been without an option. */
static bool was_narrowed(struct question *q)
{
	return was_refused(q) && refusals_last(&q->verdict->refusals)->allowed_by != NULL;
}

/* A guess, where nobody saw what was refused. */
static bool may_be_strict(struct question *q)
{
	return is_strict(q) && q->verdict->refusals.state != REFUSALS_OBSERVED;
}

struct row {
	bool (*when)(struct question *q); /* NULL: always */
	const char *type;		  /* of the exception; NULL: any, and a line of output */
	const char *text[8];		  /* one of these is in its message; none: any message */
	const char *code; /* in the source line of the innermost frame; NULL: any */
	const char *calls; /* where refusals are seen, the last one instead of the code: its name between blanks */
	const char *hint; /* {} is the subject, {ram} the option --ram and its value */
};

#define READ_ONLY                                                                                  \
	"a task writes to " POLICY_DEFAULT_DIR " (its HOME and TMPDIR) only; --bind HOST:GUEST:rw "     \
	"opens another place to it"
#define NO_PROGRAM                                                                                 \
	"a task has the programs of /usr and of its interpreter; --bind shows another directory, "     \
	"--env PATH=... makes it searched"
#define NO_NAME                                                                                    \
	"name resolution", "Name or service not known", "ould not resolve host", "getaddrinfo", "etwork is unreachable"
#define CLOSURE "--runtime closure shows Python's own files only: no shell, no other program; --runtime system "     \
		"has those of /usr"
#define TOO_MANY       "{pids} bounds processes and threads together: give it more, or let it start fewer"
#define NO_MEMORY      "{ram} bounds the task's memory: give it more, or let it use less"
#define SOFT_MEMORY    "{ram-soft} was reached, and more was refused: raise it, up to {ram}, or let the task use less"
#define NO_NAMESPACES  "namespaces are refused: there is no sandbox in the sandbox"
#define NO_TRACING     "debuggers and tracers of other processes are refused"
#define FILE_TOO_LARGE "{fsize} bounds each file: give it more (--disk bounds it as well)"

static const struct row table[] = {
    {timed_out, .hint = "{timeout} was reached: give it more, or let it do less"},
    {cpu_time_out, .hint = "{cpu-time} was reached: give it more, or let it do less"},
    {out_of_memory, .hint = "{ram} was reached: give it more, or let it use less"},
    {out_of_inodes, .hint = "{inodes} was reached: allow more, or let it make fewer files"},
    {out_of_disk, .hint = "{disk} was reached: give it more, or let it write less"},
    {file_too_large, .hint = FILE_TOO_LARGE},
    {foreign_call, .hint = "a system call of another machine's kind, as a 32-bit program makes, ends "
			   "the task: run a native one"},

    {module_is_beside, .text = {"No module named "},
     .hint = "that module lies beside the task: show it with --src {}"},
    {module_is_beside_old, .text = {"No module named "},
     .hint = "that module lies beside the task: --src {} shows it, with Python 3.11 or newer (--python)"},
    {module_is_crowded, .text = {"No module named "},
     .hint = "that module lies beside the task, among much else: put both into a directory of their own "
	     "and show it with --src"},
    {module_is_in_venv, .text = {"No module named "},
     .hint = "that module is installed in a virtual environment: --venv {}"},
    {module_is_in_user_site, .text = {"No module named "},
     .hint = "that module is installed for your user alone, which a task does not see: install it in a "
	     "virtual environment, and pass that with --venv"},
    {used_python, .text = {"No module named 'encodings'"},
     .hint = "{} does not find its own library: pass another interpreter with --python"},
    {used_python, .text = {"No module named "},
     .hint = "{}, which ran the task, has no such module: --python chooses another interpreter, --venv a "
	     "virtual environment, --src shows modules of your own"},
    {is_closure, .text = {"cannot open shared object file"},
     .hint = "--runtime closure shows the libraries that installed modules need; --runtime system shows all "
	     "of /usr"},
    {.text = {"cannot open shared object file"},
     .hint = "a library outside /usr and the interpreter's directory is not shown: --bind shows its "
	     "directory"},

    {from_environ, .type = "KeyError",
     .hint = "a task gets none of your environment; --env NAME passes a variable that you mean it to have"},
    {no_stdin, .type = "EOFError", .text = {"EOF when reading a line"},
     .hint = "--no-stdin gives a task empty input: leave it out to pass yours"},

    {network_refused, .text = {NO_NAME, "onnection refused", "onnection reset", "No matching distribution found for"},
     .hint = "it tried to reach what --allow does not name: --verbose and the verdict list it, each with the "
	     "option that would let it"},
    {has_network, .text = {NO_NAME},
     .hint = "a name that was allowed has no address on this host, or its name servers do not answer"},
    {.text = {NO_NAME},
     .hint = "a task has no network: no name resolves, only its own loopback answers; --allow HOST lets it reach "
	     "one, or fetch what it needs before, and show it with --bind"},
    {.text = {"No matching distribution found for"},
     .hint = "a task has no network and installs nothing: install it in a virtual environment, and pass "
	     "that with --venv; --allow lets it reach an index"},
    {has_network, .text = {"onnection refused", "onnection reset"},
     .hint = "a host that was allowed does not answer, or nothing listens on the task's own loopback"},
    {.text = {"onnection refused"},
     .hint = "nothing listens there: a task has a loopback of its own and reaches no server of the host's"},

    {.text = {"an't start new thread", "unable to start thread", "fork: ", "annot fork",
	      "pthread_create failed"},
     .hint = TOO_MANY},
    {.text = {"Resource temporarily unavailable"}, .code = "fork", .hint = TOO_MANY},
    {met_ram_soft, .type = "MemoryError", .hint = SOFT_MEMORY},
    {met_ram_soft, .type = "_ArrayMemoryError", .hint = SOFT_MEMORY},
    {.type = "MemoryError", .hint = NO_MEMORY},
    {.type = "_ArrayMemoryError", .hint = NO_MEMORY},
    {.text = {"annot allocate memory", "std::bad_alloc"}, .hint = NO_MEMORY},
    {.text = {"oo many open files"},
     .hint = "{nofile} bounds the open files of each process: give it more, or let it close some"},
    {.text = {"File too large", "ile size limit exceeded"}, .hint = FILE_TOO_LARGE},
    {is_fresh, .text = {"No space left on device"},
     .hint = "{disk} and {inodes} bound the --fresh directory, {ram} all that is in memory: give it more"},
    {.text = {"No space left on device"},
     .hint = "{ram} bounds /dev/shm and all else that a task has in memory; or the host's own disk is full"},

    {.text = {"ead-only file system", "readonly database"}, .hint = READ_ONLY},
    {.text = {"no new privileges"},
     .hint = "no program gains privileges in the sandbox (sudo, su, ping): run the task without it"},
    {was_narrowed, .text = {"peration not permitted"},
     .hint = "--filter strict refused {}, which --filter default allows"},
    {may_be_strict, .text = {"peration not permitted"}, .code = "ocket",
     .hint = "--filter strict refuses all sockets but UNIX streams; --filter default has TCP and UDP inside the "
	     "sandbox"},
    {.text = {"peration not permitted"}, .code = "socket", .calls = " socket socketpair ",
     .hint = "raw, packet and other special sockets are refused: TCP, UDP and UNIX sockets are there, inside "
	     "the sandbox"},
    {.text = {"nvalid argument"}, .code = "chown",
     .hint = "the sandbox has one user and one group, 1000: a file can't be given to another"},
    {.text = {"nvalid argument"}, .code = "os.set",
     .hint = "the sandbox has one user and one group, 1000: there is no other to become"},
    {.text = {"peration not permitted"}, .code = "chmod",
     .calls = " chmod fchmod fchmodat open openat creat ",
     .hint = "set-user-id and set-group-id bits are refused"},
    {.text = {"peration not permitted"}, .code = "mknod", .calls = " mknod mknodat ",
     .hint = "device nodes and set-id bits are refused"},
    {.text = {"peration not permitted"}, .code = "mount", .calls = " mount umount2 pivot_root ",
     .hint = "mounts are refused: --bind and --fresh make the view before the start"},
    {.text = {"peration not permitted"}, .code = "unshare", .calls = " unshare setns clone ",
     .hint = NO_NAMESPACES},
    {.text = {"unshare failed", "reating new namespace failed"}, .hint = NO_NAMESPACES},
    {.text = {"peration not permitted"}, .code = "ptrace",
     .calls = " ptrace process_vm_readv process_vm_writev pidfd_getfd ", .hint = NO_TRACING},
    {.text = {"ptrace"}, .hint = NO_TRACING},
    {may_be_strict, .text = {"peration not permitted", "out of pty devices"},
     .hint = "--filter strict refuses what few programs need (network sockets, pseudo-terminals, FIFOs, "
	     "priorities, inotify); --filter default refuses less"},
    {.text = {"peration not permitted"}, .code = "shmget",
     .calls = " shmget shmat semget msgget mq_open ",
     .hint = "System V IPC and message queues are refused: POSIX shared memory and semaphores, and so "
	     "multiprocessing, are there"},
    {.text = {"peration not permitted"}, .code = "os.nice",
     .calls = " setpriority ioprio_set sched_setscheduler sched_setattr sched_setparam ",
     .hint = "a task can take less of the machine, not more: no nice value below 0, no real time"},
    {was_refused, .text = {"peration not permitted"},
     .hint = "the sandbox refused {}, and no option allows that"},
    {.text = {"peration not permitted"},
     .hint = "the sandbox refuses what leads out of it or changes the machine (mounts, namespaces, raw "
	     "sockets, tracing, priorities, set-id bits), and no option allows that"},
    {.text = {"unction not implemented"},
     .hint = "the sandbox does not have that system call (io_uring, aio and the like); most programs can do "
	     "without"},
    {as_root, .text = {"ermission denied"},
     .hint = "a task writes to " POLICY_DEFAULT_DIR " only, and root's has a user of its own on the host: "
	     "what --bind shows must be open to others"},
    {.text = {"ermission denied"}, .hint = READ_ONLY},

    {in_closure_subprocess, .type = "FileNotFoundError", .hint = CLOSURE},
    {in_subprocess, .type = "FileNotFoundError", .hint = NO_PROGRAM},
    {.text = {"ommand not found", ": not found"}, .hint = NO_PROGRAM},
    {closure_lacks_file, .text = {"No such file or directory"}, .hint = CLOSURE},
    {host_has_file, .text = {"No such file or directory"},
     .hint = "{} is on the host and not shown to the task: --bind {} shows it, for a task that "
	     "opens it by that whole path"},
    {host_may_have_file, .text = {"No such file or directory"},
     .hint = "a task sees the system, " POLICY_DEFAULT_DIR " and what was named for it, no other file of the "
	     "host's; --bind shows those that you mean it to have"},
    {.type = "Error", .text = {"unsupported locale setting"},
     .hint = "the locales are those that this host has in /usr/lib/locale; C.UTF-8 is always there"},
};

static bool has_one(const char *message, const char *const text[], size_t count)
{
	for (size_t i = 0; i < count && text[i] != NULL; i++)
		if (strstr(message, text[i]) != NULL)
			return true;
	return text[0] == NULL;
}

/* Whether the row is about what failed: the call that was refused, or in its place the line that failed. */
static bool is_about(const struct row *row, const struct question *q)
{
	const struct refusals *refusals = &q->verdict->refusals;
	const struct refusal *refusal = refusals_last(refusals);
	char buf[32];
	char call[40];

	if (row->calls == NULL || refusals->state != REFUSALS_OBSERVED)
		return row->code == NULL || strstr(q->claim->code, row->code) != NULL;
	if (refusal == NULL)
		return false;
	(void)snprintf(call, sizeof(call), " %s ", refusal_call(refusal, buf, sizeof(buf)));
	return strstr(row->calls, call) != NULL;
}

static bool fits(const struct row *row, struct question *q)
{
	const struct claim *claim = q->claim;
	bool is_fact = row->type == NULL && row->text[0] == NULL;

	if (is_fact != (claim == NULL))
		return false;
	if (claim != NULL && ((row->type != NULL && strcmp(row->type, claim->type) != 0) ||
			      !is_about(row, q) ||
			      !has_one(claim->message, row->text, ARRAY_SIZE(row->text))))
		return false;
	q->subject[0] = '\0';
	return row->when == NULL || row->when(q);
}

/* Puts the subject and the options' values in. */
static void render(const struct question *q, const char *text, char *ret, size_t size)
{
	size_t used = 0;

	while (*text != '\0' && used + 1 < size) {
		size_t len = strcspn(text, "}");
		enum option_id id;
		char value[32];
		int n;

		if (*text != '{') {
			len = strcspn(text, "{");
			used += text_copy(ret + used, size - used, text, len);
			text += len;
			continue;
		}
		id = option_find(text + 1, len - 1);
		if (id == OPTION_MAX)
			n = snprintf(ret + used, size - used, "%s", q->subject);
		else
			n = snprintf(ret + used, size - used, "--%s %s", option_table[id].name,
				     option_format(q->policy, id, value, sizeof(value)));
		used += n < 0 ? 0 : (size_t)n < size - used ? (size_t)n : size - used - 1;
		text += len + 1;
	}
	ret[used] = '\0';
}

static bool answer(struct question *q, const struct claim *claim, char *ret, size_t size)
{
	q->claim = claim;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (!fits(&table[i], q))
			continue;
		render(q, table[i].hint, ret, size);
		return true;
	}
	return false;
}

static bool answer_exception(struct question *q, const struct traceback *from, char *ret,
			     size_t size)
{
	const char *dot = strrchr(from->type, '.');
	const struct claim claim = {dot == NULL ? from->type : dot + 1, from->message, from->file,
				    from->code};

	return answer(q, &claim, ret, size);
}

/* The last lines, newest first. */
static bool answer_lines(struct question *q, const char *text, char *ret, size_t size)
{
	size_t end = strlen(text);

	for (unsigned int i = 0; i < LINES_MAX && end > 0; i++) {
		size_t start = end;
		char line[512];
		const struct claim claim = {"", line, "", ""};

		while (start > 0 && text[start - 1] != '\n')
			start--;
		(void)text_copy(line, sizeof(line), text + start, end - start);
		if (answer(q, &claim, ret, size))
			return true;
		end = start > 0 ? start - 1 : 0;
	}
	return false;
}

void advice_give(const struct policy *policy, const struct plan *plan, const char *text,
		 struct verdict *verdict)
{
	struct question q = {.policy = policy, .plan = plan, .verdict = verdict};
	struct traceback said[CAUSES_MAX];
	size_t count;

	count = traceback_parse(text, said, CAUSES_MAX);
	if (count > 0)
		verdict->reported = said[0];
	if (answer(&q, NULL, verdict->hint, sizeof(verdict->hint)))
		return;
	for (size_t i = 0; i < count; i++)
		if (answer_exception(&q, &said[i], verdict->hint, sizeof(verdict->hint)))
			return;
	/* A child that failed has said why before the exception that tells of it. */
	if (count == 0 || strstr(said[0].type, "CalledProcessError") != NULL)
		(void)answer_lines(&q, text, verdict->hint, sizeof(verdict->hint));
}
