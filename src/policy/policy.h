/*
 * Everything that was decided about a run, in one struct.
 *
 * A draft is filled by option_apply() (command line, profile), then policy_finalize() checks once
 * what spans several values. From then on the policy is const: nobody writes it or parses again.
 */
#ifndef CAPSULE_POLICY_POLICY_H
#define CAPSULE_POLICY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strlist.h"
#include "base/text.h"
#include "policy/allow.h"

#define POLICY_DEFAULT_DIR "/tmp/agent_sandbox"

/* What capsule-run itself puts beside the task, read-only. */
#define POLICY_OWN_DIR "/var/capsule"

/* Every option, in the order in which --help and --print-policy show them. */
enum option_id {
	OPTION_RAM,
	OPTION_RAM_SOFT,
	OPTION_PIDS,
	OPTION_CPU,
	OPTION_IO_READ_BPS,
	OPTION_IO_WRITE_BPS,
	OPTION_CPU_TIME,
	OPTION_COMPUTE,
	OPTION_TIMEOUT,
	OPTION_STALL,
	OPTION_GRACE,
	OPTION_NOFILE,
	OPTION_FSIZE,
	OPTION_OUTPUT,
	OPTION_OUTPUT_KEEP,
	OPTION_DISK,
	OPTION_INODES,
	OPTION_DIR,
	OPTION_FRESH,
	OPTION_BIND,
	OPTION_SRC,
	OPTION_RUNTIME,
	OPTION_ALLOW,
	OPTION_ALLOW_FILE,
	OPTION_NET_BYTES,
	OPTION_NET_CONNECTIONS,
	OPTION_NET_RATE,
	OPTION_NET_LOG,
	OPTION_PYTHON,
	OPTION_VENV,
	OPTION_ENV,
	OPTION_TASK,
	OPTION_ARGS_FILE,
	OPTION_ACCEPT_DECLARED,
	OPTION_NO_STDIN,
	OPTION_RAW_TERMINAL,
	OPTION_FILTER,
	OPTION_PROFILE,
	OPTION_MAX_RETRIES,
	OPTION_RETRY_ON,
	OPTION_RETRY_DELAY,
	OPTION_RESULT,
	OPTION_REQUIRE,
	OPTION_JSON,
	OPTION_SUMMARY,
	OPTION_TIMELINE,
	OPTION_QUIET,
	OPTION_VERBOSE,
	OPTION_MAX,
};

/* Where a value came from; a later one is larger and wins. Lines of profiles are between the first two:
 * see policy_origin_at(). The last is a task's own declaration, which can only narrow (ceiling.h). */
enum origin { ORIGIN_DEFAULT = 0, ORIGIN_COMMAND_LINE = INT32_MAX - 1, ORIGIN_DECLARED = INT32_MAX };

#define POLICY_PROFILES_MAX	 16
#define POLICY_RETRIES_MAX	 100
#define POLICY_PROFILE_LINES_MAX 65535

/* A limit that is open holds LIMIT_NONE. */
struct policy_limits {
	uint64_t ram_bytes;
	uint64_t ram_soft_bytes; /* at most ram_bytes, or LIMIT_NONE */
	uint64_t pids;	    /* processes and threads, our init included */
	uint64_t cpu_milli; /* thousandths of a core */
	uint64_t io_read_bps; /* bytes a second, of the disk with the sandbox directory */
	uint64_t io_write_bps;
	uint64_t cpu_time_ms;
	uint64_t compute_ms; /* --compute; policy_finalize() makes cpu_time_ms of it, which is the limit */
	uint64_t wall_ms;
	uint64_t stall_ms; /* without output or CPU use */
	uint64_t grace_ms; /* from SIGTERM to SIGKILL */
	uint64_t nofile;
	uint64_t fsize_bytes;
	uint64_t output_bytes; /* for each stream */
	uint64_t disk_bytes;
	uint64_t inodes;
	uint64_t timeline_ms; /* no limit, but counted by what holds them; 0: no timeline */
};

/* Whether anything limits a disk. */
static inline bool policy_limits_io(const struct policy_limits *limits)
{
	return limits->io_read_bps != LIMIT_NONE || limits->io_write_bps != LIMIT_NONE;
}

/* What of output that is longer than --output is passed on; the words of --output-keep, in order. */
enum policy_keep { KEEP_HEAD, KEEP_TAIL, KEEP_BOTH };

/* The longest --output whose tail is kept: the supervisor has it in memory, for each stream. */
#define POLICY_KEEP_MAX (64ULL << 20)

struct policy_bind {
	char *host;  /* as given */
	char *guest; /* as given, absolute; NULL: the host's absolute path */
	bool writable;
	char *within; /* a real directory in which it must lie, or NULL */
};

/* What of the system's Python a task is shown; the words of --runtime, in order. */
enum policy_runtime {
	RUNTIME_SYSTEM,	 /* /usr, /bin, /lib and the interpreter's prefix */
	RUNTIME_CLOSURE, /* of those, the interpreter's own files and the libraries that they load */
};

/* Which list of calls a task may make; the words of --filter, in order. */
enum policy_filter { POLICY_FILTER_DEFAULT, POLICY_FILTER_STRICT };

struct policy_files {
	char *dir; /* host directory shown as POLICY_DEFAULT_DIR */
	bool fresh;
	struct strlist bind; /* as given */
	struct strlist src;
	enum policy_runtime runtime;
	bool relative_to_root; /* a task declares files: relative paths begin at /, where they are shown */
	struct policy_bind *binds; /* parsed by policy_finalize() */
	size_t bind_count;
};

/* Which hosts may be reached, and how much. Without a rule there is no network. */
struct policy_network {
	struct strlist allow; /* as given */
	struct strlist allow_file;
	struct strlist bytes; /* SIZE or HOST=SIZE */
	struct strlist connections;
	struct strlist rate;
	char *log;
	struct allow_set rules; /* parsed by policy_finalize() */
	struct allow_budget budget; /* in all; those of hosts are with the rules */
};

enum command_kind {
	COMMAND_NONE,
	COMMAND_SCRIPT, /* a file, a zipapp, or a directory with __main__.py */
	COMMAND_CODE,	/* -c */
	COMMAND_MODULE, /* -m */
	COMMAND_STDIN,	/* - */
	COMMAND_EXEC,	/* a program that is not Python */
};

/* How a script is run. */
enum policy_pass {
	PASS_SCRIPT,  /* as python3 does */
	PASS_CONFIG,  /* it is capsule.toml, which is read */
	PASS_DECLARE, /* a task file is imported and says which tasks it has */
	PASS_CALL,    /* a task file is imported and a task of it called */
	PASS_CALL_FUNCTION, /* or its main(), which is no task */
};

struct policy_command {
	enum command_kind kind;
	enum policy_pass pass;
	bool from_config; /* target is the file that names what is run */
	char *task; /* of a task file: what is called; NULL in PASS_DECLARE: what the file has for an entry */
	char *target; /* path, code, module or program; NULL for COMMAND_STDIN */
	struct strlist args;
	char *args_file; /* what a task is called with, as JSON; or NULL */
	char *python; /* a path, or a name for PATH */
	char *venv;
	struct strlist env; /* as given: NAME or NAME=VALUE */
	struct strlist env_set; /* NAME=VALUE, looked up by policy_finalize() */
	bool accept_declared; /* the files, variables and hosts that a task file declares are allowed */
	bool no_stdin;
	bool raw_terminal; /* the task's escape sequences reach the caller's terminal */
	enum policy_filter filter;
};

/* When a task that failed is run again; retry.h. */
struct policy_retry {
	uint64_t max;
	char *on;	 /* as given */
	uint32_t causes; /* RETRY_BIT()s */
	uint64_t delay_ms; /* before the first one */
};

struct policy {
	struct policy_limits limits;
	struct policy_retry retry;
	enum policy_keep output_keep;
	struct policy_files files;
	struct policy_network network;
	struct policy_command command;
	struct strlist profiles;      /* --profile, as given */
	struct strlist profile_paths; /* those that were read, in order, as messages name them */
	char *result; /* path or "fd:N"; NULL: none */
	int result_fd; /* the N of "fd:N", or -1 */
	struct strlist require;
	uint32_t require_layers; /* LAYER_BIT()s */
	bool json; /* what is printed is JSON: the report of --doctor, the envelope of a run */
	bool summary; /* the verdict for a person, on standard error */
	bool quiet;
	bool verbose;
	enum origin origin[OPTION_MAX];
	enum origin *item_origin[OPTION_MAX]; /* of each item of a list; NULL when it is empty */
};

/* Fills a draft with the defaults. -ENOMEM is the only failure. */
ATTR_CHECKED int policy_init(struct policy *draft, struct error *err);

/*
 * Checks what spans several values, splits bindings, looks up --env NAME in environ. 0 or -errno with
 * err naming the option, the value and what is accepted.
 */
ATTR_CHECKED int policy_finalize(struct policy *draft, char *const environ_in[], struct error *err);

/* Of those, the rules and budgets of the network. */
ATTR_CHECKED int policy_finalize_network(struct policy *draft, struct error *err);

/* True for a run that is made to learn what the user's run needs. */
static inline bool policy_is_question(const struct policy *policy)
{
	return policy->command.pass == PASS_DECLARE || policy->command.pass == PASS_CONFIG;
}

/* Whether the task has any network but its own loopback: then there is a gate. */
static inline bool policy_has_network(const struct policy *policy)
{
	return policy->network.rules.count > 0 && !policy_is_question(policy);
}

/* Splits HOST[:GUEST][:ro|:rw]. Strings in *ret are owned by the caller. 0, -EINVAL or -ENOMEM. */
ATTR_CHECKED int policy_parse_bind(const char *text, struct policy_bind *ret, struct error *err);

/* Whether something of the host's may be shown at this absolute path. 0, or -EINVAL with err. */
ATTR_CHECKED int policy_check_guest(const char *guest, struct error *err);

/* The origin of a line of the profile with that index in profile_paths. */
enum origin policy_origin_at(size_t profile, unsigned int line);

/* True when something in the command line or in the same profile said both. */
bool policy_same_place(enum origin one, enum origin other);

/* "default", "command line", or FILE:LINE with the end of a long path. Printable. Returns buf. */
char *policy_describe_origin(const struct policy *policy, enum origin origin, char *buf,
			     size_t size);

/* Puts FILE:LINE before the detail of an error about a value that a profile gave. Returns what
 * error_set() did. */
int policy_locate(const struct policy *policy, enum origin origin, struct error *err);

/*
 * True when somebody asked for the value: the command line did, or a profile with something else
 * than the default. A profile that repeats a default asks for nothing, so that a printed policy
 * reads back as the same policy. Not for lists.
 */
bool policy_is_explicit(const struct policy *policy, enum option_id id);

/* True when what the task prints is kept in memory. */
static inline bool policy_captures(const struct policy *policy)
{
	return policy->json || policy_is_question(policy);
}

/* True when a numeric limit was given as "unlimited". */
bool policy_is_open(const struct policy *policy, enum option_id id);

void policy_fini(struct policy *policy);

#endif
