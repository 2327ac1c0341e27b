/*
 * The run comes first and in this process, not in a child: a cgroup that is delegated to us can be
 * used only while we are alone in it (cgroup.c), so another process would see less than a run does.
 * What the run says decides; the probes after it explain.
 */
#include "tool/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "policy/option.h"
#include "run/run.h"
#include "run/supervisor.h"
#include "tool/check.h"

#define DOCTOR_VERSION 1
#define VERDICT_MAX    65536

static char version_code[] = "import sys; print(sys.version.split()[0])";

/* What the run that was tried came to. */
struct trial {
	json_t *verdict; /* NULL: it could not be read */
	char python[32]; /* what the interpreter said of itself, inside */
	uint64_t us;	 /* from nothing to the task's end */
	bool started;
	struct group_trial group;
	struct error err;    /* why it did not start */
};

static uint64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void read_own_group(char *buf, size_t size)
{
	char text[8192];
	const char *line;

	buf[0] = '\0';
	if (fd_read_file_at(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) < 0)
		return;
	line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (line != NULL) {
		line = strchr(line, '0') + 3;
		(void)snprintf(buf, size, "%.*s", (int)strcspn(line, "\n"), line);
	}
}

/* 1 and 2 lead to what is given while the run lasts. */
static int redirect(int out_fd, int err_fd, int saved[2])
{
	(void)fflush(stdout);
	for (int i = 0; i < 2; i++) {
		saved[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
		if (saved[i] < 0 || dup2(i == 0 ? out_fd : err_fd, i + 1) < 0)
			return -errno;
	}
	return 0;
}

static void restore(int saved[2])
{
	for (int i = 0; i < 2; i++) {
		if (saved[i] >= 0)
			(void)dup2(saved[i], i + 1);
		close_fd(&saved[i]);
	}
}

static void read_verdict(int fd, struct trial *trial)
{
	AUTO_FREE char *text = calloc(1, VERDICT_MAX);
	const char *stage = "";
	const char *what = "";
	const char *hint = "";
	int errnum = 0;
	ssize_t n = text == NULL ? -ENOMEM : fd_read_all(fd, text, VERDICT_MAX - 1);
	int started = 0;

	trial->verdict = n <= 0 ? NULL : json_loadb(text, (size_t)n, 0, NULL);
	if (trial->verdict == NULL)
		return;
	(void)json_unpack(trial->verdict, "{s:b}", "started", &started);
	trial->started = started != 0;
	memset(&trial->err, 0, sizeof(trial->err));
	if (json_unpack(trial->verdict, "{s:{s:s, s:s, s?i, s?s}}", "error", "stage", &stage,
			"what", &what, "errno", &errnum, "hint", &hint) < 0)
		return;
	error_set(&trial->err, stage, errnum, "%s", what);
	if (*hint != '\0')
		error_hint(&trial->err, "%s", hint);
}

/* The policy's run of a small task. Where its directory would have to be made: with an empty one in
 * memory. */
static void try_run(const struct policy *policy, bool fresh, char *argv[], struct trial *trial,
		    int *ret_raise)
{
	struct policy own = *policy; /* shares what it points to; never finished */
	struct sigaction actions[NSIG];
	AUTO_CLOSE int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int verdict_pipe[2] = {-1, -1};
	int out_pipe[2] = {-1, -1};
	int saved[2] = {-1, -1};
	sigset_t mask;
	int r = -1;

	error_set(&trial->err, "doctor", 0, "no verdict was written");
	own.files.fresh = fresh;
	own.command.kind = COMMAND_CODE;
	own.command.target = version_code;
	own.command.no_stdin = true;
	own.json = own.summary = false; /* the report is what was asked for */
	own.retry.max = 0;
	/* What a run changes of ours, and a later start would not have. */
	(void)sigprocmask(SIG_BLOCK, NULL, &mask);
	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, NULL, &actions[sig]);
	read_own_group(trial->group.own_group, sizeof(trial->group.own_group));
	if (null_fd < 0 || pipe2(verdict_pipe, O_CLOEXEC) < 0 || pipe2(out_pipe, O_CLOEXEC) < 0)
		error_set(&trial->err, "doctor", errno, "pipe");
	else
		r = redirect(out_pipe[1], null_fd, saved);
	if (r == 0) {
		char name[16];

		(void)snprintf(name, sizeof(name), "fd:%d", verdict_pipe[1]);
		own.result = name;
		own.result_fd = verdict_pipe[1];
		log_set_level(LOG_QUIET);
		trial->us = now_us();
		(void)supervise(&own, argv, 0, ret_raise);
		trial->us = now_us() - trial->us;
	}
	restore(saved);
	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &actions[sig], NULL);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	close_fd(&verdict_pipe[1]);
	close_fd(&out_pipe[1]);
	if (r == 0) {
		ssize_t n = fd_read_all(out_pipe[0], trial->python, sizeof(trial->python) - 1);

		trial->python[n < 0 ? 0 : strcspn(trial->python, "\n")] = '\0';
		error_sanitize(trial->python);
		read_verdict(verdict_pipe[0], trial);
	}
	close_fd(&verdict_pipe[0]);
	close_fd(&out_pipe[0]);
}

/* A text of the verdict, or NULL. */
static const char *text_of(const struct trial *trial, const char *object, const char *name)
{
	return json_string_value(json_object_get(json_object_get(trial->verdict, object), name));
}

/* A watchdog where there is nothing better on any host is no weakness of this one. */
static bool is_weaker(enum option_id id, const char *rung)
{
	return strcmp(rung, rung_name(RUNG_WATCHDOG)) == 0 && id != OPTION_DISK &&
	       id != OPTION_INODES;
}

/* What holds each limit, in the run that was tried; of the directory, in the run that was asked
 * for. */
static const char *rung_of(const struct policy *policy, const struct trial *trial,
			   enum option_id id)
{
	const char *rung = NULL;

	(void)json_unpack(trial->verdict, "{s:{s:{s:s}}}", "limits", option_table[id].name, "rung",
			  &rung);
	if ((id == OPTION_DISK || id == OPTION_INODES) && !policy_is_open(policy, id))
		rung = rung_name(run_disk_rung(policy));
	return rung;
}

static bool is_limit(enum option_id id)
{
	return option_table[id].group == OPTION_GROUP_LIMITS;
}

static void report_rungs(struct report *report, const struct policy *policy, struct trial *trial)
{
	char buf[32];

	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		const char *rung = trial->started && is_limit(i) ? rung_of(policy, trial, i) : NULL;

		if (rung == NULL || strcmp(rung, rung_name(RUNG_NONE)) == 0)
			continue;
		if (i == OPTION_RAM) {
			trial->group.is_used = !is_weaker(i, rung);
			trial->group.rung = rung;
		}
		report_add(report, GROUP_LIMITS, option_table[i].name,
			   is_weaker(i, rung) ? FINDING_WEAK : FINDING_OK, "%s, held by %s%s",
			   option_format(policy, i, buf, sizeof(buf)), rung,
			   !is_weaker(i, rung) && strcmp(rung, rung_name(RUNG_WATCHDOG)) == 0
			       ? ": nothing better bounds a directory on disk; --fresh is exact"
			   : is_weaker(i, rung) ? ", which can be passed for a moment"
						: "");
	}
}

/* "ram and cpu-time" of the limits that are held in a weaker way. */
static void list_weaker(const struct policy *policy, const struct trial *trial, char *buf,
			size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned int i = 0; i < OPTION_MAX && len < size; i++) {
		const char *rung = is_limit(i) ? rung_of(policy, trial, i) : NULL;

		if (rung != NULL && is_weaker(i, rung))
			len += (size_t)snprintf(buf + len, size - len, "%s%s",
						len == 0 ? "" : " and ", option_table[i].name);
	}
}

static enum doctor_status report_verdict(struct report *report, const struct policy *policy,
					 const struct trial *trial, bool has_workdir)
{
	char weaker[128];
	int task_status = -1;

	if (!trial->started) {
		report_error(report, GROUP_VERDICT, "start", FINDING_MISSING, &trial->err);
		report_add(report, GROUP_VERDICT, "tasks", FINDING_MISSING, "do not start");
		return DOCTOR_FAILS;
	}
	(void)json_unpack(trial->verdict, "{s:i}", "status", &task_status);
	if (task_status != 0) {
		report_add(
		    report, GROUP_VERDICT, "tasks", FINDING_MISSING,
		    "start, but one that only prints its Python's version ended with status %d%s%s",
		    task_status, trial->err.detail[0] != '\0' ? ": " : "", trial->err.detail);
		return DOCTOR_FAILS;
	}
	report_add(report, GROUP_VERDICT, "start", FINDING_OK, "%.1f ms, a whole run of Python %s",
		   (double)trial->us / 1000, trial->python);
	if (!has_workdir) {
		report_add(report, GROUP_VERDICT, "tasks", FINDING_MISSING,
			   "start with --fresh or another --dir only: see Files, sandbox");
		return DOCTOR_FAILS;
	}
	list_weaker(policy, trial, weaker, sizeof(weaker));
	if (weaker[0] != '\0') {
		report_add(report, GROUP_VERDICT, "tasks", FINDING_WEAK,
			   "start; all walls stand; %s by a watchdog, as no cgroup is at hand",
			   weaker);
		return DOCTOR_WEAKER;
	}
	report_add(report, GROUP_VERDICT, "tasks", FINDING_OK,
		   "start; all walls stand; every limit is held");
	return DOCTOR_HOLDS;
}

static int print_json(const struct report *report, const struct policy *policy,
		      const struct trial *trial, enum doctor_status status, FILE *out)
{
	static const char word[3][8] = {"holds", "weaker", "fails"};
	json_t *layers = json_object_get(trial->verdict, "layers");
	json_t *limits = json_object();
	json_t *root;
	int r;

	for (unsigned int i = 0; i < OPTION_MAX; i++) {
		const char *rung = trial->started && is_limit(i) ? rung_of(policy, trial, i) : NULL;
		char buf[32];

		if (rung != NULL)
			(void)json_object_set_new(
			    limits, option_table[i].name,
			    json_pack("{s:s, s:s, s:b}", "value",
				      option_format(policy, i, buf, sizeof(buf)), "rung", rung,
				      "weaker", is_weaker(i, rung) ? 1 : 0));
	}
	root = json_pack("{s:i, s:s, s:i, s:s, s:b, s:f, s:o, s:o, s:o}", "capsule_run_doctor",
			 DOCTOR_VERSION, "version", PACKAGE_VERSION, "status", status, "verdict",
			 word[status == DOCTOR_HOLDS	? 0
			      : status == DOCTOR_WEAKER ? 1
							: 2],
			 "started", trial->started ? 1 : 0, "run_ms", (double)trial->us / 1000,
			 "layers", layers != NULL ? json_incref(layers) : json_array(), "limits",
			 limits, "checks", report_json(report));
	r = root == NULL ? -1
			 : json_dumpf(root, out,
				      JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6));
	json_decref(root);
	return r < 0 || fputc('\n', out) == EOF ? -EIO : 0;
}

static void print_text(const struct report *report, bool brief, FILE *out)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	struct winsize size = {.ws_col = 0};
	bool is_terminal = isatty(fileno(out)) == 1;
	bool colour = is_terminal && (no_color == NULL || *no_color == '\0') && term != NULL &&
		      strcmp(term, "dumb") != 0;

	if (!is_terminal || ioctl(fileno(out), TIOCGWINSZ, &size) < 0 || size.ws_col < 60)
		size.ws_col = 100;
	report_print(report, out, size.ws_col, colour, brief);
}

static void report_ids(struct report *report, const struct idmap *ids)
{
	report_add(report, GROUP_NAMESPACES, "ids", FINDING_OK,
		   "tasks are uid %u, gid %u outside%s", ids->host_uid, ids->host_gid,
		   ids->privileged || getgroups(0, NULL) <= 0
		       ? ""
		       : "; your supplementary groups stay with them");
}

int doctor(const struct policy *policy, char *argv[], FILE *out, int *ret_raise)
{
	struct report report = {NULL, 0, false};
	struct trial trial = {.verdict = NULL};
	enum workdir workdir = WORKDIR_READY;
	enum doctor_status status;
	struct idmap ids;
	struct error err;
	bool has_ids = idmap_choose(&ids, &err) == 0;
	bool has_namespaces;
	int r = 0;

	if (has_ids) {
		report_ids(&report, &ids);
		workdir = check_workdir(&report, policy, &ids);
	} else {
		report_error(&report, GROUP_NAMESPACES, "ids", FINDING_MISSING, &err);
	}
	try_run(policy, policy->files.fresh || workdir != WORKDIR_READY, argv, &trial, ret_raise);
	if (*ret_raise != 0) {
		json_decref(trial.verdict);
		report_fini(&report);
		return DOCTOR_FAILS;
	}
	check_host(&report);
	has_namespaces = check_layers(&report, policy, has_ids ? &ids : NULL);
	check_observer(&report, text_of(&trial, "refusals", "observer"), text_of(&trial, "refusals", "reason"));
	report_rungs(&report, policy, &trial);
	trial.group.no_scope = text_of(&trial, "no_cgroup", "scope");
	trial.group.cure = text_of(&trial, "no_cgroup", "cure");
	check_limits(&report, policy, has_namespaces ? &ids : NULL, &trial.group);
	check_python(&report, policy);
	status = report_verdict(&report, policy, &trial, workdir != WORKDIR_REFUSED);
	if (policy->json)
		r = print_json(&report, policy, &trial, status, out);
	else
		print_text(&report, policy->quiet, out);
	if (report.oom || r < 0 || fflush(out) != 0) {
		error_set(&err, "doctor", report.oom ? ENOMEM : EIO, "print the findings");
		log_error(&err);
		status = DOCTOR_FAILS;
	}
	json_decref(trial.verdict);
	report_fini(&report);
	return (int)status;
}
