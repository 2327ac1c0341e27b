#include "policy/option.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The offset of a field; does not compile when the field's type is not the row's. */
#define FIELD(type, field)                                                                         \
	(offsetof(struct policy, field) +                                                          \
	 0 * sizeof(char[_Generic(&((struct policy *)NULL)->field, type *: 1)]))

#define NUMBER(kind_, field, min_, max_, open_, preset_, metavar_)                                 \
	.kind = OPTION_KIND_##kind_, .offset = FIELD(uint64_t, field), .min = (min_),              \
	.max = (max_), .open = (open_), .preset = (preset_), .metavar = (metavar_)
#define FLAG(field) .kind = OPTION_KIND_FLAG, .offset = FIELD(bool, field)
#define STRING(field, preset_, metavar_)                                                           \
	.kind = OPTION_KIND_STRING, .offset = FIELD(char *, field), .preset = (preset_),           \
	.metavar = (metavar_)
#define LIST(field, metavar_)                                                                      \
	.kind = OPTION_KIND_LIST, .offset = FIELD(struct strlist, field), .metavar = (metavar_)

/* An enum without negative values is an unsigned int; its values are the positions of the words. */
#define CHOICE(field, words, preset_, metavar_)                                                            \
	.kind = OPTION_KIND_CHOICE, .offset = FIELD(unsigned int, field), .choices = (words),      \
	.preset = (preset_), .metavar = (metavar_)

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)
#define EIB (1ULL << 60)
#define YEAR_MS (366ULL * 86400000)

/* At least what the `capsule` project's budgets of the same names allow. */
static const struct option_word compute_words[] = {
    {"LOW", 10000}, {"MEDIUM", 60000}, {"HIGH", 600000}, {NULL, 0}};
/* 0 is none. */
static const struct option_word timeline_words[] = {{"no", 0}, {"yes", 100}, {NULL, 0}};
static const char *const runtime_words[] = {
    [RUNTIME_SYSTEM] = "system", [RUNTIME_CLOSURE] = "closure", NULL};
static const char *const keep_words[] = {
    [KEEP_HEAD] = "head", [KEEP_TAIL] = "tail", [KEEP_BOTH] = "both", NULL};
static const char *const filter_words[] = {
    [POLICY_FILTER_DEFAULT] = "default", [POLICY_FILTER_STRICT] = "strict", NULL};

const struct option_row option_table[OPTION_MAX] = {
    [OPTION_RAM] = {"ram", 0, .group = OPTION_GROUP_LIMITS,
		    NUMBER(SIZE, limits.ram_bytes, 4 * MIB, EIB, false, "1G", "SIZE"),
		    .help = "memory of the task, tmpfs and cache included", .common = true,
		    .more = "Everything that is charged to the task counts: its processes, "
			    "/dev/shm, --fresh, and, with a cgroup, page cache; swap is off. At "
			    "the limit the whole task ends with outcome oom and status 137."},
    [OPTION_RAM_SOFT] = {"ram-soft", 0, .group = OPTION_GROUP_LIMITS,
			 NUMBER(SIZE, limits.ram_soft_bytes, 4 * MIB, EIB, true, NULL, "SIZE"),
			 .help = "memory from which it is to do with less",
			 .more = "At most --ram. While the task needs so much, page cache not counted, no process gets "
				 "more private memory: Python raises MemoryError, which can be caught. With cgroup v2 "
				 "the kernel also takes back its cache and slows it down. What is taken in one piece "
				 "can pass it, as far as --ram."},
    [OPTION_PIDS] = {"pids", 0, .group = OPTION_GROUP_LIMITS,
		     NUMBER(COUNT, limits.pids, 2, 4194304, false, "256", "N"),
		     .help = "processes and threads",
		     .more = "What is more is refused to the task, with EAGAIN. Our own init is "
			     "one of them."},
    [OPTION_CPU] = {"cpu", 0, .group = OPTION_GROUP_LIMITS,
		    NUMBER(MILLI, limits.cpu_milli, 10, 10000000, true, NULL, "CORES"),
		    .help = "cores, such as 2 or 0.5 (needs a cgroup)", .common = true,
		    .more = "Bandwidth of the whole task. Thread pools inside (OMP, OPENBLAS, "
			    "MKL) are made of as many threads. An error where no cgroup can "
			    "hold it."},
    [OPTION_IO_READ_BPS] = {"io-read-bps", 0, .group = OPTION_GROUP_LIMITS,
			    NUMBER(SIZE, limits.io_read_bps, 64 * KIB, EIB, true, NULL, "SIZE"),
			    .help = "reads a second from the disk (needs a cgroup)",
			    .more = "Bytes from the disk on which the sandbox directory lies; what comes from the page "
				    "cache is free. An error where no cgroup can hold it, and with --fresh, which is on "
				    "no disk."},
    [OPTION_IO_WRITE_BPS] = {"io-write-bps", 0, .group = OPTION_GROUP_LIMITS,
			     NUMBER(SIZE, limits.io_write_bps, 64 * KIB, EIB, true, NULL, "SIZE"),
			     .help = "writes a second to it (needs cgroup v2)",
			     .more = "As --io-read-bps. cgroup v1 can't hold it: what is written by way of the page cache "
				     "is nobody's there."},
    [OPTION_CPU_TIME] = {"cpu-time", 0, .group = OPTION_GROUP_LIMITS,
			 NUMBER(DURATION, limits.cpu_time_ms, 10, YEAR_MS, true, NULL, "TIME"),
			 .help = "CPU time of the whole task",
			 .more = "Summed over all processes; at the limit as for --timeout, with "
				 "outcome cpu-time."},
    [OPTION_COMPUTE] = {"compute", 0, .group = OPTION_GROUP_LIMITS,
			NUMBER(DURATION, limits.compute_ms, 10, YEAR_MS, true, NULL, "LOW|MEDIUM|HIGH|TIME"),
			.words = compute_words, .help = "CPU time by name: 10s, 1m, 10m",
			.more = "The same limit as --cpu-time, which it excludes: LOW is 10s, MEDIUM 1m, HIGH 10m. "
				"Of a profile and the command line, what is said later holds."},
    [OPTION_TIMEOUT] = {"timeout", 't', .group = OPTION_GROUP_LIMITS,
			NUMBER(DURATION, limits.wall_ms, 10, YEAR_MS, true, "10m", "TIME"),
			.help = "wall-clock time: SIGTERM, then SIGKILL", .common = true,
			.more = "For the whole task. At a deadline that was asked for, Python tells its stacks; "
				"then every process gets SIGTERM, after --grace SIGKILL; the status is 124."},
    [OPTION_STALL] = {"stall", 0, .group = OPTION_GROUP_LIMITS,
		      NUMBER(DURATION, limits.stall_ms, 100, YEAR_MS, true, NULL, "TIME"),
		      .help = "time without output and CPU use",
		      .more = "Ends a task, as --timeout does and with outcome stall, that for so long printed "
			      "nothing on either stream and used less than a hundredth of one core in all its "
			      "processes. Waiting for input counts; waiting for you to take its output does not."},
    [OPTION_GRACE] = {"grace", 0, .group = OPTION_GROUP_LIMITS,
		      NUMBER(DURATION, limits.grace_ms, 0, YEAR_MS, false, "1s", "TIME"),
		      .help = "time between the two", .more = "0: no SIGTERM, SIGKILL at once."},
    [OPTION_NOFILE] = {"nofile", 0, .group = OPTION_GROUP_LIMITS,
		       NUMBER(COUNT, limits.nofile, 16, 1048576, false, "1024", "N"),
		       .help = "open files of each process",
		       .more = "Where the hard limit here is lower, the default follows it, and "
			       "another value is an error."},
    [OPTION_FSIZE] = {"fsize", 0, .group = OPTION_GROUP_LIMITS,
		      NUMBER(SIZE, limits.fsize_bytes, 0, EIB, true, "1G", "SIZE"),
		      .help = "size of each file",
		      .more = "Never more than --disk. A write beyond it fails with EFBIG."},
    [OPTION_OUTPUT] = {"output", 0, .group = OPTION_GROUP_LIMITS,
		       NUMBER(SIZE, limits.output_bytes, 0, EIB, true, "16M", "SIZE"),
		       .help = "bytes on stdout and stderr; more is dropped",
		       .more = "For each stream. A task that ends with 0 although its output was "
			       "cut has status 123."},
    [OPTION_OUTPUT_KEEP] = {"output-keep", 0, .group = OPTION_GROUP_LIMITS,
			    CHOICE(output_keep, keep_words, "head", "head|tail|both"),
			    .help = "what of longer output is passed on",
			    .more = "tail: what was printed last, and not before the task has ended. both: half of "
				    "--output as it comes, then a line that says how much was left out, then the "
				    "end. Both hold it in memory, so that --output is at most 64M."},
    [OPTION_DISK] = {"disk", 0, .group = OPTION_GROUP_LIMITS,
		     NUMBER(SIZE, limits.disk_bytes, 64 * KIB, EIB, true, "1G", "SIZE"),
		     .help = "growth of the sandbox directory", .common = true,
		     .more = "Exact with --fresh; a directory of the host's is measured while "
			     "the task runs, and passing the limit ends the task with outcome "
			     "disk and status 123."},
    [OPTION_INODES] = {"inodes", 0, .group = OPTION_GROUP_LIMITS,
		       NUMBER(COUNT, limits.inodes, 16, 1ULL << 32, true, "20000", "N"),
		       .help = "new files in the sandbox directory",
		       .more = "As --disk, for the number of files and directories."},
    [OPTION_DIR] = {"dir", 'd', .group = OPTION_GROUP_FILES,
		    STRING(files.dir, POLICY_DEFAULT_DIR, "DIR"),
		    .help = "the writable one, shown as " POLICY_DEFAULT_DIR, .common = true,
		    .values = OPTION_VALUES_DIR,
		    .more = "Must be yours, and no link. The default is made when it is not "
			    "there. As root, a directory of root's is handed to the task's uid "
			    "when it is empty."},
    [OPTION_FRESH] = {"fresh", 0, .group = OPTION_GROUP_FILES, FLAG(files.fresh),
		      .help = "an empty one in memory instead, gone after", .common = true,
		      .more = "Sized by --disk and --inodes. Excludes --dir; of a profile and the "
			      "command line, what is said later holds."},
    [OPTION_BIND] = {"bind", 'b', .group = OPTION_GROUP_FILES,
		     LIST(files.bind, "HOST[:GUEST][:rw]"),
		     .help = "show a file or directory; read-only, same path", .common = true,
		     .values = OPTION_VALUES_BIND,
		     .more = "GUEST is where the task sees it: an absolute path outside of what "
			     "is ours (/proc, /dev, /task, ...). With :rw it is writable. "
			     "Repeatable."},
    [OPTION_SRC] = {"src", 0, .group = OPTION_GROUP_FILES, LIST(files.src, "DIR"),
		    .help = "show a project read-only and import from it", .common = true,
		    .values = OPTION_VALUES_DIR,
		    .more = "Its modules can be imported, before what is installed. Needs "
			    "Python 3.11. Repeatable."},
    [OPTION_RUNTIME] = {"runtime", 0, .group = OPTION_GROUP_FILES,
			CHOICE(files.runtime, runtime_words, "system", "system|closure"),
			.help = "/usr, or Python's own files only",
			.more = "closure: the interpreter, its library and packages, and the shared "
				"libraries that these need; no shell, no other program."},
    [OPTION_ALLOW] = {"allow", 0, .group = OPTION_GROUP_NETWORK, LIST(network.allow, "HOST[:PORTS]"),
		      .help = "let it connect to a host; port 443 unless given", .common = true,
		      .more = "HOST is a name, '*.NAME', an address (IPv6 in brackets) or a range as 10.0.0.0/24; PORTS are "
			      "numbers and ranges, joined by commas. A name leads to public addresses, and to those named "
			      "beside it: HOST@10.0.0.0/8. A client must name the host in TLS (SNI) and plain HTTP (Host), "
			      "unless :any-sni follows. Repeatable."},
    [OPTION_ALLOW_FILE] = {"allow-file", 0, .group = OPTION_GROUP_NETWORK, LIST(network.allow_file, "FILE"),
			   .help = "the same, from a file's lines", .values = OPTION_VALUES_FILE,
			   .more = "One HOST[:PORTS] a line; what follows a # is left out. Repeatable."},
#define IN_ALL "In all, or with HOST= those of the --allow rules for that host. "
    [OPTION_NET_BYTES] = {"net-bytes", 0, .group = OPTION_GROUP_NETWORK, LIST(network.bytes, "SIZE|HOST=SIZE"),
			  .help = "bytes, both ways", .more = IN_ALL "Beyond, connections are reset. Repeatable."},
    [OPTION_NET_CONNECTIONS] = {"net-connections", 0, .group = OPTION_GROUP_NETWORK,
				LIST(network.connections, "N|HOST=N"), .help = "connections at a time", .more = IN_ALL "What is more is reset. Repeatable."},
    [OPTION_NET_RATE] = {"net-rate", 0, .group = OPTION_GROUP_NETWORK, LIST(network.rate, "SIZE|HOST=SIZE"),
			 .help = "bytes per second, both ways", .more = IN_ALL "What comes faster waits. Repeatable."},
    [OPTION_NET_LOG] = {"net-log", 0, .group = OPTION_GROUP_NETWORK, STRING(network.log, NULL, "FILE"),
			.help = "write what it connected to as JSON lines", .values = OPTION_VALUES_FILE,
			.more = "A line for each connection, refusal, and request in plain HTTP. Appended."},
    [OPTION_PYTHON] = {"python", 0, .group = OPTION_GROUP_TASK,
		       STRING(command.python, NULL, "PATH"),
		       .help = "the interpreter (default: PATH's python3)", .common = true,
		       .values = OPTION_VALUES_FILE,
		       .more = "A path, or a name on PATH. It is shown read-only at the same "
			       "path, with its packages. Found by reading; nothing is "
			       "executed outside."},
    [OPTION_VENV] = {"venv", 0, .group = OPTION_GROUP_TASK, STRING(command.venv, NULL, "DIR"),
		     .help = "the interpreter of a virtual environment", .common = true,
		     .values = OPTION_VALUES_DIR,
		     .more = "Without it and --python, an active one counts (VIRTUAL_ENV, by PATH's "
			     "order), else the first python3 on PATH. Of a profile and the command "
			     "line, what is said later holds."},
    [OPTION_ENV] = {"env", 'e', .group = OPTION_GROUP_TASK, LIST(command.env, "NAME[=VALUE]"),
		    .help = "pass a variable; nothing else is passed", .common = true,
		    .values = OPTION_VALUES_VARIABLE,
		    .more = "NAME alone passes on the value here. Of the same name the last one "
			    "counts. Repeatable."},
    [OPTION_TASK] = {"task", 0, .group = OPTION_GROUP_TASK, STRING(command.task, NULL, "NAME"),
		     .help = "which task of a task file to call", .line_only = true,
		     .more = "Without it the task named main, else its function of that name, else the first task. For files "
			     "that import capsule: see capsule-run-tasks(7)."},
    [OPTION_ARGS_FILE] = {"args-file", 0, .group = OPTION_GROUP_TASK, STRING(command.args_file, NULL, "FILE"),
			  .help = "what a task is called with, as JSON", .line_only = true,
			  .values = OPTION_VALUES_FILE,
			  .more = "A list of arguments, or an object with args, a list, and kwargs, an object. Instead of "
				  "arguments behind the file's name, which are texts."},
    [OPTION_ACCEPT_DECLARED] = {"accept-declared", 0, .group = OPTION_GROUP_TASK, FLAG(command.accept_declared),
				.help = "allow the files and variables it asks for",
				.more = "For files that import capsule. Otherwise what a task declares must be allowed by --bind and --env. Limits that it "
					"declares can only be lower than those that hold."},
    [OPTION_NO_STDIN] = {"no-stdin", 'n', .group = OPTION_GROUP_TASK, FLAG(command.no_stdin),
			 .help = "empty standard input", .common = true,
			 .more =
			     "Otherwise standard input is relayed, as far as the task reads it."},
    [OPTION_RAW_TERMINAL] = {"raw-terminal", 0, .group = OPTION_GROUP_TASK, FLAG(command.raw_terminal),
			     .help = "let its escape sequences act on your terminal",
			     .more = "Otherwise those that colour, move the cursor, erase and scroll pass, "
				     "and all others are left out."},
    [OPTION_FILTER] = {"filter", 0, .group = OPTION_GROUP_TASK,
		       CHOICE(command.filter, filter_words, "default", "default|strict"),
		       .help = "the system calls that it may make",
		       .more = "strict leaves what Python, its library and numeric packages use: no "
			       "TCP or UDP, not even on loopback, no pseudo-terminals."},
    [OPTION_PROFILE] = {"profile", 0, .group = OPTION_GROUP_RUN, LIST(profiles, "NAME|PATH"),
			.help = "take values from a profile (ci, strict, ...)", .line_only = true,
			.common = true, .values = OPTION_VALUES_PROFILE,
			.more =
			    "A name is looked for in your directory, in the system's, and among "
			    "those that are built in: ci, default, strict. What has a slash is "
			    "a path. Several are merged in order; the command line wins "
			    "wherever it says --profile. See capsule-run.profile(5) and "
			    "--list-profiles."},
    [OPTION_MAX_RETRIES] = {"max-retries", 0, .group = OPTION_GROUP_RUN,
			    NUMBER(COUNT, retry.max, 0, POLICY_RETRIES_MAX, false, "0", "N"),
			    .help = "run a task that fails again, so often",
			    .more = "Each attempt begins as the first one did: limits, a --fresh directory and input "
				    "are new; a directory of yours is as the last attempt left it. --timeout is for each. "
				    "What capsule-run itself could not do (status 125, 126, 127) is not tried again, nor is "
				    "anything after Ctrl-C or SIGTERM. With --json and in the verdict, the last attempt "
				    "counts; the others are listed."},
    [OPTION_RETRY_ON] = {"retry-on", 0, .group = OPTION_GROUP_RUN, STRING(retry.on, "failure", "END[,END]"),
			 .help = "which ends are tried again",
			 .values = OPTION_VALUES_RETRY,
			 .more = "Ends are the verdict's outcomes: exited (with another status than 0), signaled, "
				 "timeout, cpu-time, stall, oom and disk; and output, for output that was cut. failure is "
				 "exited and signaled, any is all of them."},
    [OPTION_RETRY_DELAY] = {"retry-delay", 0, .group = OPTION_GROUP_RUN,
			    NUMBER(DURATION, retry.delay_ms, 0, YEAR_MS, false, "1s", "TIME"),
			    .help = "the pause before the first retry; doubles",
			    .more = "Up to a minute, or to this when it is more. Each pause is at random up to a quarter "
				    "shorter, so that tasks which failed together do not come back together."},
    [OPTION_RESULT] = {"result", 0, .group = OPTION_GROUP_RUN, STRING(result, NULL, "FILE|fd:N"),
		       .help = "write the verdict as JSON", .common = true,
		       .values = OPTION_VALUES_FILE,
		       .more = "What ended the task, what it used, what held its limits. fd:N is a "
			       "descriptor that is open here."},
    [OPTION_REQUIRE] = {"require", 0, .group = OPTION_GROUP_RUN, LIST(require, "LAYER[,LAYER]"),
			.help = "do not start without these layers (cgroup, ...)",
			.values = OPTION_VALUES_LAYER,
			.more = "Without the named layers the start is refused. Repeatable."},
    [OPTION_JSON] = {"json", 0, .group = OPTION_GROUP_RUN, FLAG(json),
		     .help = "print one JSON object: output and verdict", .line_only = true,
		     .more = "Standard output and standard error of the task are kept, up to --output, and "
			     "one line of JSON is all that is printed on standard output: success, error, "
			     "execution, stdout, stderr and verdict. No stream is a terminal then. With "
			     "--doctor: its report."},
    [OPTION_SUMMARY] = {"summary", 0, .group = OPTION_GROUP_RUN, FLAG(summary),
			.help = "say at the end how it went, and what it used",
			.more = "On standard error: one line when all is well, else what ended it, the limits "
				"that were met with their peaks, and a hint. In colour on a terminal, unless "
				"NO_COLOR is set. Also with --quiet."},
    [OPTION_TIMELINE] = {"timeline", 0, .group = OPTION_GROUP_RUN,
			 NUMBER(DURATION, limits.timeline_ms, 10, YEAR_MS, false, "no", "[=TIME]"),
			 .words = timeline_words, .bare = "yes",
			 .help = "note memory and CPU over time",
			 .more = "Every 100ms, or as often as is said; when 256 samples are there, half as often, and half "
				 "of them stay, those with more memory. They are in the verdict, and --summary draws the "
				 "memory."},
    [OPTION_QUIET] = {"quiet", 'q', .group = OPTION_GROUP_RUN, FLAG(quiet), .help = "errors only",
		      .common = true,
		      .more = "Excludes --verbose; of a profile and the command line, what is "
			      "said later holds."},
    [OPTION_VERBOSE] = {"verbose", 'v', .group = OPTION_GROUP_RUN, FLAG(verbose),
			.help = "say what is done and what the task used"},
};

static const char *const group_names[] = {
    [OPTION_GROUP_LIMITS] = "limits",
    [OPTION_GROUP_FILES] = "files",
    [OPTION_GROUP_NETWORK] = "network",
    [OPTION_GROUP_TASK] = "task",
    [OPTION_GROUP_RUN] = "run",
};

_Static_assert(ARRAY_SIZE(group_names) == OPTION_GROUP_MAX, "one name for each group");

const char *option_group_name(enum option_group group)
{
	return group_names[group];
}

enum option_id option_find(const char *name, size_t len)
{
	unsigned int i;

	for (i = 0; i < OPTION_MAX; i++)
		if (strlen(option_table[i].name) == len &&
		    memcmp(option_table[i].name, name, len) == 0)
			break;
	return i;
}

enum option_id option_find_letter(char letter)
{
	unsigned int i;

	for (i = 0; i < OPTION_MAX; i++)
		if (option_table[i].letter == letter)
			break;
	return i;
}
