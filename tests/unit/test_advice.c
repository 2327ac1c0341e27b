/* Hints, and which of the caller's files one may speak of. The host is a temporary tree. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "policy/option.h"
#include "run/advice.h"
#include "run/lookup.h"

#define HEADER "Traceback (most recent call last):\n  File \"/task/t.py\", line 3, in f\n"
#define SAYS(code, line) HEADER "    " code "\n" line "\n"
#define MISSING(path) SAYS("open(p)", "FileNotFoundError: [Errno 2] No such file or directory: '" path "'")
#define NO_MODULE(name) SAYS("import m", "ModuleNotFoundError: No module named '" name "'")

static char root[PATH_MAX];
static int root_fd;
static int cwd_fd;
static struct policy policy;
static struct plan plan;
static struct stage_tree trees[2];

static int set_up(void **state)
{
	struct error err;
	char path[PATH_MAX + 16];

	(void)state;
	root_fd = unit_temp(root);
	unit_make(root_fd, "home/proj/data.csv", "");
	unit_make(root_fd, "home/proj/sub/data.csv", "");
	unit_make(root_fd, "home/proj/.env", "");
	unit_make(root_fd, "home/proj/sub/.git/config", "");
	unit_make(root_fd, "home/proj/deploy_key", "");
	unit_make(root_fd, "home/proj/id_rsa", "");
	unit_make(root_fd, "home/proj/valid_rows.csv", "");
	unit_make(root_fd, "home/proj/Secrets/data.csv", "");
	unit_make(root_fd, "home/proj/a b.csv", "");
	unit_make(root_fd, "home/proj/a$(id).csv", "");
	unit_make(root_fd, "home/proj/out/planted.csv", "");
	unit_make(root_fd, "home/proj/out/planted.py", "");
	unit_make(root_fd, "home/proj/out/__init__.py", "");
	unit_make(root_fd, "home/proj/out/.venv/lib/python3.11/site-packages/planted.py", "");
	unit_make(root_fd, "home/proj/shown/x.csv", "");
	unit_make(root_fd, "home/proj/helper.py", "");
	unit_make(root_fd, "home/proj/pkg/__init__.py", "");
	unit_make(root_fd, "home/proj/.venv/lib/python3.11/site-packages/inner/__init__.py", "");
	unit_make(root_fd, "home/proj/venv/lib/python3.12/site-packages/newer.py", "");
	unit_make(root_fd, "home/.local/lib/python3.11/site-packages/mine/__init__.py", "");
	unit_make(root_fd, "home/.ssh/id_rsa", "");
	unit_make(root_fd, "home/notes.csv", "");
	unit_make(root_fd, "home/side.py", "");
	unit_make(root_fd, "other/data.csv", "");
	unit_make(root_fd, "other/given.csv", "");
	assert_int_equal(symlinkat("../.ssh/id_rsa", root_fd, "home/proj/link.csv"), 0);
	assert_int_equal(symlinkat("../../other", root_fd, "home/proj/linked"), 0);
	assert_int_equal(symlinkat("sub", root_fd, "home/proj/inside"), 0);
	(void)snprintf(path, sizeof(path), "%s/home", root);
	assert_int_equal(setenv("HOME", path, 1), 0);
	cwd_fd = openat(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(cwd_fd >= 0);
	assert_int_equal(policy_init(&policy, &err), 0);
	memset(&plan, 0, sizeof(plan));
	plan.python_minor = 11;
	plan.exe = strdup("/usr/bin/python3");
	assert_int_equal(asprintf(&trees[0].host, "%s/home/proj/out", root) > 0, 1);
	trees[0].guest = strdup(POLICY_DEFAULT_DIR);
	trees[0].writable = true;
	assert_int_equal(asprintf(&trees[1].host, "%s/home/proj/shown", root) > 0, 1);
	trees[1].guest = strdup(trees[1].host);
	plan.trees = trees;
	plan.tree_count = 2;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(fchdir(cwd_fd), 0);
	(void)close(cwd_fd);
	unit_temp_remove(root, root_fd);
	for (size_t i = 0; i < 2; i++) {
		free(trees[i].host);
		free(trees[i].guest);
	}
	free(plan.exe);
	policy_fini(&policy);
	return 0;
}

/* A run from a directory below the root; script is relative to it, NULL for -c. */
static void stand_in(const char *dir, const char *script)
{
	char path[PATH_MAX + 64];

	(void)snprintf(path, sizeof(path), "%s/%s", root, dir);
	assert_int_equal(chdir(path), 0);
	free(policy.command.target);
	policy.command.target = strdup(script != NULL ? script : "pass");
	policy.command.kind = script != NULL ? COMMAND_SCRIPT : COMMAND_CODE;
	strlist_fini(&policy.command.args);
}

/* Puts the root in for '@'. */
static const char *expand(const char *text)
{
	static char buf[4][8192];
	static unsigned int turn;
	char *out = buf[turn++ % 4];
	size_t used = 0;

	for (; *text != '\0'; text++) {
		if (*text == '@')
			used += (size_t)sprintf(out + used, "%s", root);
		else
			out[used++] = *text;
	}
	out[used] = '\0';
	return out;
}

/* Every option that a hint names is one, and nothing in it acts on a terminal or fills the screen. */
static void check_hint(const char *hint)
{
	char copy[ERROR_HINT_MAX];

	CHECK(strlen(hint) < 400, "%s", hint);
	(void)snprintf(copy, sizeof(copy), "%s", hint);
	error_sanitize(copy);
	CHECK(strcmp(copy, hint) == 0, "%s", hint);
	CHECK(strpbrk(hint, "{}\n\t") == NULL, "%s", hint);
	for (const char *p = hint; (p = strstr(p, " --")) != NULL; p += 3) {
		size_t len = strspn(p + 3, "abcdefghijklmnopqrstuvwxyz-");

		CHECK(option_find(p + 3, len) < OPTION_MAX, "%s", hint);
	}
}

static const char *hint_for(const char *text, struct verdict *verdict)
{
	verdict->hint[0] = '\0';
	memset(&verdict->reported, 0, sizeof(verdict->reported));
	advice_give(&policy, &plan, expand(text), verdict);
	check_hint(verdict->hint);
	return verdict->hint;
}

static void test_claims(void **state)
{
	static const struct {
		const char *text;
		const char *says; /* NULL: no hint */
	} rows[] = {
	    {"", NULL},
	    {"just a line\n", NULL},
	    {SAYS("f()", "ValueError: x"), NULL},
	    {SAYS("f()", "KeyboardInterrupt"), NULL},
	    {"  File \"/task/t.py\", line 1\n    (\n    ^\nSyntaxError: x\n", NULL},
	    {"an error of our own: sys.exit('...')\n", NULL},
	    /* Modules. */
	    {NO_MODULE("nowhere"), "/usr/bin/python3, which ran the task, has no such module"},
	    {"/usr/bin/python3: No module named nowhere\n", "has no such module"},
	    {"ModuleNotFoundError: No module named 'encodings'\n", "does not find its own library"},
	    {SAYS("import x", "ImportError: libx.so.1: cannot open shared object file: No such file or directory"),
	     "a library outside"},
	    /* Network. */
	    {SAYS("f()", "socket.gaierror: [Errno -3] Temporary failure in name resolution"), "no network"},
	    {SAYS("f()", "socket.gaierror: [Errno -2] Name or service not known"), "no network"},
	    {SAYS("f()", "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>"),
	     "no network"},
	    {SAYS("f()", "OSError: [Errno 101] Network is unreachable"), "no network"},
	    {"curl: (6) Could not resolve host: example.com\n", "no network"},
	    {"fatal: unable to access 'https://x/': Could not resolve host: x\n", "no network"},
	    {"ERROR: No matching distribution found for x\n", "installs nothing"},
	    {SAYS("f()", "ConnectionRefusedError: [Errno 111] Connection refused"), "no server of the host's"},
	    /* Limits. */
	    {SAYS("t.start()", "RuntimeError: can't start new thread"), "--pids 256"},
	    {SAYS("os.fork()", "BlockingIOError: [Errno 11] Resource temporarily unavailable"), "--pids 256"},
	    {SAYS("sock.recv(1)", "BlockingIOError: [Errno 11] Resource temporarily unavailable"), NULL},
	    {"sh: 0: Cannot fork\n", "--pids 256"},
	    {"bash: fork: retry: Resource temporarily unavailable\n", "--pids 256"},
	    {"OpenBLAS blas_thread_init: pthread_create failed for thread 3 of 4\n", "--pids 256"},
	    {SAYS("f()", "MemoryError"), "--ram 1G"},
	    {SAYS("f()", "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 1. TiB"), "--ram 1G"},
	    {SAYS("f()", "OSError: [Errno 12] Cannot allocate memory"), "--ram 1G"},
	    {"terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n",
	     "--ram 1G"},
	    {SAYS("f()", "OSError: [Errno 24] Too many open files: 'x'"), "--nofile 1024"},
	    {SAYS("f()", "OSError: [Errno 27] File too large"), "--fsize 1G"},
	    {SAYS("f()", "OSError: [Errno 28] No space left on device"), "/dev/shm"},
	    /* Refused calls. */
	    {SAYS("f()", "OSError: [Errno 30] Read-only file system: '/usr/x'"), "writes to /tmp/agent_sandbox"},
	    {SAYS("f()", "sqlite3.OperationalError: attempt to write a readonly database"), "--bind HOST:GUEST:rw"},
	    {SAYS("f()", "PermissionError: [Errno 13] Permission denied: '/usr/x'"), "--bind HOST:GUEST:rw"},
	    {SAYS("socket.socket(AF_PACKET)", "PermissionError: [Errno 1] Operation not permitted"), "raw, packet"},
	    {SAYS("os.chown(p, 0, 0)", "OSError: [Errno 22] Invalid argument: 'x'"), "can't be given"},
	    {SAYS("os.setuid(0)", "OSError: [Errno 22] Invalid argument"), "no other to become"},
	    {SAYS("s.setsockopt(x)", "OSError: [Errno 22] Invalid argument"), NULL},
	    {SAYS("os.chmod(p, 0o4755)", "PermissionError: [Errno 1] Operation not permitted: 'x'"), "set-user-id"},
	    {SAYS("os.mknod(p)", "PermissionError: [Errno 1] Operation not permitted: 'x'"), "device nodes"},
	    {SAYS("libc.mount(p)", "PermissionError: [Errno 1] Operation not permitted"), "mounts are refused"},
	    {SAYS("os.unshare(n)", "PermissionError: [Errno 1] Operation not permitted"), "namespaces are refused"},
	    {SAYS("f()", "PermissionError: [Errno 1] Operation not permitted"), "no option allows that"},
	    {SAYS("f()", "OSError: [Errno 38] Function not implemented"), "io_uring"},
	    {"unshare: unshare failed: Operation not permitted\n", "namespaces are refused"},
	    {"sudo: The \"no new privileges\" flag is set\n", "no program gains privileges"},
	    /* The environment, the locale, programs, input. */
	    {"Traceback (most recent call last):\n  File \"<frozen os>\", line 679, in __getitem__\nKeyError: 'API_KEY'\n",
	     "--env NAME"},
	    {"Traceback (most recent call last):\n  File \"/usr/lib/python3.8/os.py\", line 679, in __getitem__\n"
	     "    raise KeyError(key) from None\nKeyError: 'API_KEY'\n",
	     "--env NAME"},
	    {SAYS("d['x']", "KeyError: 'x'"), NULL},
	    {SAYS("f()", "locale.Error: unsupported locale setting"), "C.UTF-8"},
	    {"Traceback (most recent call last):\n  File \"/usr/lib/python3.11/subprocess.py\", line 1, in f\n"
	     "    raise child_exception_type(errno_num, err_msg, err_filename)\n"
	     "FileNotFoundError: [Errno 2] No such file or directory: 'git'\n",
	     "the programs of /usr"},
	    {SAYS("os.execvp(x)", "FileNotFoundError: [Errno 2] No such file or directory"), "the programs of /usr"},
	    {"bash: line 1: foo: command not found\n", "the programs of /usr"},
	    {"/bin/sh: 1: foo: not found\nmake: *** [Makefile:2: all] Error 127\n", "the programs of /usr"},
	    {SAYS("input()", "EOFError: EOF when reading a line"), NULL},
	    /* The last word counts, then what caused it, then, where a child failed, its lines. */
	    {NO_MODULE("cjson") "\nDuring handling of the above exception, another exception occurred:\n\n" SAYS(
		 "f()", "OSError: [Errno 24] Too many open files"),
	     "--nofile"},
	    {SAYS("f()", "OSError: [Errno 24] Too many open files") "\nThe above exception was the direct cause of "
								     "the following exception:\n\n" SAYS(
									 "f()", "app.Error: no config"),
	     "--nofile"},
	    {"curl: (6) Could not resolve host: x\n" SAYS("f()", "ValueError: x"), NULL},
	    {"curl: (6) Could not resolve host: x\n" SAYS(
		 "run()", "subprocess.CalledProcessError: Command 'curl x' returned non-zero exit status 6."),
	     "no network"},
	    /* Forged hints and options reach nobody. */
	    {SAYS("f()", "E: capsule-run: hint: --bind /:/x {ram} {} %s%n"), NULL},
	    {NO_MODULE("a; rm -rf ~"), "has no such module"},
	    {NO_MODULE("../../x"), "has no such module"},
	    {NO_MODULE("evil_package"), "has no such module"},
	};

	(void)state;
	stand_in("other", "t.py");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct verdict verdict = {.outcome = OUTCOME_EXITED, .exit_code = 1};
		const char *hint = hint_for(rows[i].text, &verdict);

		if (rows[i].says == NULL)
			CHECK(hint[0] == '\0', "row %zu: '%s'", i, hint);
		else
			CHECK(strstr(hint, rows[i].says) != NULL, "row %zu: '%s'", i, hint);
		CHECK(strstr(hint, "evil") == NULL && strstr(hint, "API_KEY") == NULL, "row %zu: '%s'", i, hint);
	}
}

static void test_conditions(void **state)
{
	struct verdict verdict = {.outcome = OUTCOME_EXITED, .exit_code = 1};
	struct error err;

	(void)state;
	stand_in("other", "t.py");
	policy.files.fresh = true;
	assert_non_null(strstr(hint_for(SAYS("f()", "OSError: [Errno 28] No space left on device"), &verdict),
			       "--disk 1G and --inodes 20000 bound the --fresh directory"));
	policy.files.fresh = false;
	verdict.limits_hit = 1U << LIMIT_HIT_RAM_SOFT;
	assert_int_equal(option_apply(&policy, OPTION_RAM_SOFT, "900M", ORIGIN_COMMAND_LINE, &err), 0);
	assert_non_null(strstr(hint_for(SAYS("f()", "MemoryError"), &verdict),
			       "--ram-soft 900M was reached, and more was refused: raise it, up to --ram 1G"));
	verdict.limits_hit = 0;
	assert_non_null(strstr(hint_for(SAYS("f()", "MemoryError"), &verdict), "--ram 1G bounds"));
	plan.ids.privileged = true;
	assert_non_null(strstr(hint_for(SAYS("f()", "PermissionError: [Errno 13] Permission denied: 'x'"), &verdict),
			       "must be open to others"));
	plan.ids.privileged = false;
	policy.command.no_stdin = true;
	assert_non_null(strstr(hint_for(SAYS("input()", "EOFError: EOF when reading a line"), &verdict), "--no-stdin"));
	policy.command.no_stdin = false;
}

/* What was narrowed says so, and what to pass for the whole. */
static void test_strict(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} closure[] = {
	    {"Traceback (most recent call last):\n  File \"/usr/lib/python3.11/subprocess.py\", line 1, in f\n"
	     "FileNotFoundError: [Errno 2] No such file or directory: '/bin/sh'\n",
	     "--runtime system has"},
	    {MISSING("/usr/share/dict/words"), "--runtime system has"},
	    {SAYS("f()", "OSError: libx.so: cannot open shared object file: No such file or directory"),
	     "--runtime system shows"},
	    {MISSING("/srv/x"), "a task sees the system"},
	}, filter[] = {
	    {SAYS("sock = socket(family, type)", "PermissionError: [Errno 1] Operation not permitted"), "--filter default has TCP"},
	    {SAYS("raise OSError('out of pty devices')", "OSError: out of pty devices"), "pseudo-terminals"},
	    {SAYS("os.nice(1)", "PermissionError: [Errno 1] Operation not permitted"), "--filter default refuses less"},
	};
	struct verdict verdict = {.outcome = OUTCOME_EXITED, .exit_code = 1};

	(void)state;
	stand_in("other", "t.py");
	for (size_t i = 0; i < ARRAY_SIZE(closure); i++) {
		policy.files.runtime = RUNTIME_CLOSURE;
		CHECK(strstr(hint_for(closure[i].text, &verdict), closure[i].says) != NULL, "%zu: %s", i, verdict.hint);
		policy.files.runtime = RUNTIME_SYSTEM;
		CHECK(strstr(hint_for(closure[i].text, &verdict), "closure") == NULL, "%zu: %s", i, verdict.hint);
	}
	for (size_t i = 0; i < ARRAY_SIZE(filter); i++) {
		policy.command.filter = POLICY_FILTER_STRICT;
		CHECK(strstr(hint_for(filter[i].text, &verdict), filter[i].says) != NULL, "%zu: %s", i, verdict.hint);
		policy.command.filter = POLICY_FILTER_DEFAULT;
		CHECK(strstr(hint_for(filter[i].text, &verdict), "strict") == NULL, "%zu: %s", i, verdict.hint);
	}
}

/* Where refusals are seen, the last one is what failed, whatever the task's line looks like. */
static void test_refusals(void **state)
{
	static const char denied[] = SAYS("socket.socket(x)", "PermissionError: [Errno 1] Operation not permitted");
	static const struct {
		int nr;
		uint64_t argument;
		const char *says;
	} rows[] = {
	    {SYS_socket, 17, "raw, packet"},
	    {SYS_fchmodat, 0, "set-user-id"},
	    {SYS_mknodat, 0, "device nodes"},
	    {SYS_mount, 0, "mounts are refused"},
	    {SYS_clone, 0x10000000, "namespaces are refused"},
	    {SYS_ptrace, 0, "debuggers"},
	    {SYS_shmget, 0, "multiprocessing"},
	    {SYS_setpriority, 0, "not more"},
	    {SYS_prctl, 4, "the sandbox refused prctl PR_SET_DUMPABLE, and no option allows that"},
	};

	(void)state;
	stand_in("other", "t.py");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct verdict verdict = {.outcome = OUTCOME_EXITED, .exit_code = 1};
		struct seccomp_data data = {.nr = rows[i].nr, .args = {rows[i].argument}};
		const char *hint;

		verdict.refusals.state = REFUSALS_OBSERVED;
		hint = hint_for(denied, &verdict);
		CHECK(strstr(hint, "raw, packet") == NULL && strstr(hint, "what leads out of it") != NULL, "'%s'", hint);
		refusals_record(&verdict.refusals, &(struct seccomp_data){.nr = SYS_keyctl}, "evil");
		refusals_record(&verdict.refusals, &data, "evil");
		hint = hint_for(denied, &verdict);
		CHECK(strstr(hint, rows[i].says) != NULL && strstr(hint, "evil") == NULL, "row %zu: '%s'", i, hint);
		hint = hint_for(SAYS("f()", "ValueError: x"), &verdict);
		CHECK(hint[0] == '\0', "row %zu: '%s'", i, hint);
	}
}

/* Facts come before whatever the task says. */
static void test_facts(void **state)
{
	static const struct {
		enum outcome outcome;
		int signal;
		uint32_t hits;
		const char *says;
	} rows[] = {
	    {OUTCOME_TIMEOUT, SIGTERM, 0, "--timeout 10m"},
	    {OUTCOME_CPU_TIME, SIGTERM, 0, "--cpu-time unlimited"},
	    {OUTCOME_OUT_OF_MEMORY, SIGKILL, 0, "--ram 1G"},
	    {OUTCOME_DISK, SIGKILL, 1U << LIMIT_HIT_DISK, "--disk 1G"},
	    {OUTCOME_DISK, SIGKILL, 1U << LIMIT_HIT_INODES, "--inodes 20000"},
	    {OUTCOME_SIGNALED, SIGXFSZ, 0, "--fsize 1G"},
	    {OUTCOME_SIGNALED, SIGSYS, 0, "32-bit"},
	    {OUTCOME_SIGNALED, SIGSEGV, 0, "--nofile"},
	};

	(void)state;
	stand_in("other", "t.py");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct verdict verdict = {.outcome = rows[i].outcome,
					  .exit_code = -1,
					  .signal = rows[i].signal,
					  .limits_hit = rows[i].hits};
		const char *hint = hint_for(SAYS("f()", "OSError: [Errno 24] Too many open files"), &verdict);

		CHECK(strstr(hint, rows[i].says) != NULL, "row %zu: '%s'", i, hint);
		CHECK(strcmp(verdict.reported.type, "OSError") == 0, "row %zu: '%s'", i, verdict.reported.type);
	}
}

#define GENERAL "a task sees the system"

static void test_files(void **state)
{
	static const struct {
		const char *cwd;
		const char *script; /* NULL: -c */
		const char *arg;    /* the task's, or NULL */
		const char *text;
		const char *says; /* NULL: no hint */
	} rows[] = {
	    /* Beside the user, or beside the script. */
	    {"home/proj", NULL, NULL, MISSING("data.csv"), "--bind @/home/proj/data.csv shows"},
	    {"home/proj", NULL, NULL, MISSING("./sub//data.csv"), "--bind @/home/proj/sub/data.csv shows"},
	    {"home/proj", NULL, NULL, MISSING("/tmp/agent_sandbox/data.csv"), "--bind @/home/proj/data.csv shows"},
	    {"home/proj", NULL, NULL, MISSING("@/home/proj/data.csv"), "--bind @/home/proj/data.csv shows"},
	    {"home/proj", NULL, NULL, MISSING("sub"), "--bind @/home/proj/sub shows"},
	    {"home/proj", NULL, NULL, MISSING("valid_rows.csv"), "--bind @/home/proj/valid_rows.csv shows"},
	    {"home", "proj/t.py", NULL, MISSING("data.csv"), "--bind @/home/proj/data.csv shows"},
	    {"home", "proj/t.py", NULL, MISSING("/task/data.csv"), "--bind @/home/proj/data.csv shows"},
	    {"home/proj", NULL, NULL, "cat: data.csv: No such file or directory\n", "--bind @/home/proj/data.csv"},
	    {"home/proj", NULL, NULL, "ls: cannot access 'data.csv': No such file or directory\n",
	     "--bind @/home/proj/data.csv"},
	    {"home/proj", NULL, NULL, "make: *** No rule to make target 'data.csv'.\n", NULL},
	    /* Not on the host either: a mistake of the task's own. */
	    {"home/proj", NULL, NULL, MISSING("none.csv"), NULL},
	    {"home/proj", NULL, NULL, MISSING("@/home/proj/none.csv"), NULL},
	    {"home/proj", NULL, NULL, MISSING("/tmp/agent_sandbox/none.csv"), NULL},
	    {"home/proj", NULL, NULL, MISSING("/usr/share/none"), NULL},
	    {"home/proj", NULL, NULL, MISSING("/proc/none"), NULL},
	    /* Shown already, so the task lies. */
	    {"home/proj", NULL, NULL, MISSING("@/home/proj/shown/x.csv"), NULL},
	    /* The task asks for what nobody pointed at. */
	    {"home/proj", NULL, NULL, MISSING("@/other/data.csv"), GENERAL},
	    {"home/proj", NULL, NULL, MISSING("../../other/data.csv"), GENERAL},
	    {"home/proj", NULL, NULL, MISSING("../notes.csv"), GENERAL},
	    {"home/proj", NULL, NULL, MISSING("@/home/.ssh/id_rsa"), GENERAL},
	    {"home/proj", NULL, NULL, MISSING("@/home"), GENERAL},
	    {"home/proj", NULL, NULL, MISSING("/"), GENERAL},
	    {"home/proj", NULL, NULL, MISSING("/etc/shadow"), GENERAL},
	    {"home/proj", NULL, NULL, MISSING("/root/.ssh/id_rsa"), GENERAL},
	    {"home/proj", NULL, NULL, MISSING("."), GENERAL},
	    {"home/proj", NULL, NULL, MISSING(".."), GENERAL},
	    {"home/proj", NULL, NULL, MISSING("@/home/proj"), GENERAL},
	    /* Of what lies beside the user, not what is hidden or looks like a secret. */
	    {"home/proj", NULL, NULL, MISSING(".env"), GENERAL},
	    {"home/proj", NULL, NULL, MISSING("sub/.git/config"), GENERAL},
	    {"home/proj", NULL, NULL, MISSING("deploy_key"), GENERAL},
	    {"home/proj", NULL, NULL, MISSING("id_rsa"), GENERAL},
	    {"home/proj", NULL, NULL, MISSING("Secrets/data.csv"), GENERAL},
	    /* Nor in a directory that holds everything. */
	    {"home", NULL, NULL, MISSING("notes.csv"), GENERAL},
	    {"home", NULL, NULL, MISSING(".ssh/id_rsa"), GENERAL},
	    {"home", NULL, NULL, MISSING("proj/data.csv"), GENERAL},
	    {"", NULL, NULL, MISSING("home/.ssh/id_rsa"), GENERAL},
	    /* Nor through a link, which may lead anywhere. */
	    {"home/proj", NULL, NULL, MISSING("link.csv"), NULL},
	    {"home/proj", NULL, NULL, MISSING("linked/data.csv"), NULL},
	    {"home/proj", NULL, NULL, MISSING("inside/data.csv"), NULL},
	    {"home", NULL, "@/home/proj/linked/data.csv", MISSING("@/home/proj/linked/data.csv"), NULL},
	    /* Nor what a task may have planted. */
	    {"home/proj", NULL, NULL, MISSING("out/planted.csv"), NULL},
	    {"home/proj/out", NULL, NULL, MISSING("planted.csv"), NULL},
	    /* Nor what a shell would read otherwise. */
	    {"home/proj", NULL, NULL, MISSING("a b.csv"), GENERAL},
	    {"home/proj", NULL, NULL, MISSING("a$(id).csv"), GENERAL},
	    /* An argument was pointed at, by its very text. */
	    {"home", NULL, "@/other/given.csv", MISSING("@/other/given.csv"), "--bind @/other/given.csv shows"},
	    {"home", NULL, "--in=@/other/given.csv", MISSING("@/other/given.csv"), "--bind @/other/given.csv shows"},
	    {"home/proj", NULL, "../../other/given.csv", MISSING("../../other/given.csv"),
	     "--bind @/other/given.csv shows"},
	    {"home", NULL, "notes.csv", MISSING("notes.csv"), "--bind @/home/notes.csv shows"},
	    {"home", NULL, "@/other/given.csv", MISSING("@/other/data.csv"), GENERAL},
	    {"home", NULL, "@/other", MISSING("@/other/data.csv"), GENERAL},
	    {"home", NULL, "@/home", MISSING("@/home"), GENERAL},
	    {"home", NULL, "/", MISSING("/"), GENERAL},
	    {"home", NULL, "@/home/.ssh", MISSING("@/home/.ssh"), GENERAL},
	    {"home", NULL, "@/home/proj/out/planted.csv", MISSING("@/home/proj/out/planted.csv"), NULL},
	    {"home", NULL, "@/home/proj/link.csv", MISSING("@/home/proj/link.csv"), NULL},
	    /* Odd spellings of nothing. */
	    {"home/proj", NULL, NULL, MISSING(""), NULL},
	    {"home/proj", NULL, NULL, "No such file or directory\n", NULL},
	    {"home/proj", NULL, NULL, ": No such file or directory\n", NULL},
	    {"home/proj", NULL, NULL, "': No such file or directory\n", NULL},
	    {"home/proj", NULL, NULL, SAYS("f()", "FileNotFoundError: No such file or directory: 'x"), NULL},
	    {"home/proj", NULL, NULL, MISSING("x\\x1b[2J"), NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct verdict verdict = {.outcome = OUTCOME_EXITED, .exit_code = 1};
		const char *hint;

		stand_in(rows[i].cwd, rows[i].script);
		if (rows[i].arg != NULL)
			assert_int_equal(strlist_add(&policy.command.args, expand(rows[i].arg)), 0);
		hint = hint_for(rows[i].text, &verdict);
		if (rows[i].says == NULL)
			CHECK(hint[0] == '\0', "row %zu: '%s'", i, hint);
		else
			CHECK(strstr(hint, expand(rows[i].says)) != NULL, "row %zu: '%s'", i, hint);
		CHECK(strstr(hint, "ssh") == NULL && strstr(hint, "planted") == NULL, "row %zu: '%s'", i, hint);
	}
}

static void test_modules(void **state)
{
	static const struct {
		const char *cwd;
		const char *script;
		const char *text;
		const char *says;
	} rows[] = {
	    {"home/proj", "t.py", NO_MODULE("helper"), "--src @/home/proj"},
	    {"home", "proj/t.py", NO_MODULE("helper"), "--src @/home/proj"},
	    {"home", "proj/t.py", NO_MODULE("pkg.sub"), "--src @/home/proj"},
	    {"home/proj", NULL, NO_MODULE("helper"), "--src @/home/proj"},
	    {"home/proj", NULL, "/usr/bin/python3: No module named helper\n", "--src @/home/proj"},
	    {"home/proj", NULL,
	     "/usr/bin/python3: Error while finding module specification for 'helper.x' (ModuleNotFoundError: No "
	     "module named 'helper')\n",
	     "--src @/home/proj"},
	    {"home/proj", "../t.py", NO_MODULE("helper"), "has no such module"},
	    {"home/proj", "t.py", NO_MODULE("sub"), "has no such module"},
	    {"home", "side.py", NO_MODULE("side"), "a directory of their own"},
	    {"home/proj", "t.py", NO_MODULE("inner"), "--venv @/home/proj/.venv"},
	    {"home", "proj/t.py", NO_MODULE("inner"), "--venv @/home/proj/.venv"},
	    {"home/proj", NULL, NO_MODULE("inner"), "--venv @/home/proj/.venv"},
	    {"home/proj", "t.py", NO_MODULE("newer"), "--venv @/home/proj/venv"},
	    {"home/proj", "t.py", NO_MODULE("mine"), "for your user alone"},
	    {"home/proj/out", "t.py", NO_MODULE("planted"), "has no such module"},
	    {"home/proj", "t.py", NO_MODULE("link"), "has no such module"},
	    {"home/proj", "t.py", NO_MODULE("out"), "has no such module"},
	};
	struct verdict verdict = {.outcome = OUTCOME_EXITED, .exit_code = 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *hint;

		stand_in(rows[i].cwd, rows[i].script);
		hint = hint_for(rows[i].text, &verdict);
		CHECK(strstr(hint, expand(rows[i].says)) != NULL, "row %zu: '%s'", i, hint);
	}
	/* An interpreter without --src, one that has it shown, one that is the environment's own. */
	stand_in("home/proj", "t.py");
	plan.python_minor = 9;
	assert_non_null(strstr(hint_for(NO_MODULE("helper"), &verdict), "Python 3.11 or newer"));
	plan.python_minor = 11;
	assert_int_equal(strlist_add(&policy.files.src, "."), 0);
	assert_non_null(strstr(hint_for(NO_MODULE("helper"), &verdict), "has no such module"));
	strlist_fini(&policy.files.src);
	free(plan.exe);
	plan.exe = strdup(expand("@/home/proj/.venv/bin/python3"));
	assert_non_null(strstr(hint_for(NO_MODULE("inner"), &verdict), "has no such module"));
}

/* No descriptor is left open, whatever was looked for. */
static void test_leaves_nothing_open(void **state)
{
	struct verdict verdict = {.outcome = OUTCOME_EXITED, .exit_code = 1};
	int before = unit_lowest_fd();

	(void)state;
	stand_in("home/proj", "t.py");
	(void)hint_for(MISSING("data.csv"), &verdict);
	(void)hint_for(NO_MODULE("inner"), &verdict);
	assert_int_equal(unit_lowest_fd(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_claims),  cmocka_unit_test(test_conditions), cmocka_unit_test(test_strict),
	    cmocka_unit_test(test_refusals), cmocka_unit_test(test_facts),   cmocka_unit_test(test_files),
	    cmocka_unit_test(test_modules), cmocka_unit_test(test_leaves_nothing_open),
	};

	return cmocka_run_group_tests_name("advice", tests, set_up, tear_down);
}
