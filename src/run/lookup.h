/*
 * What a hint may say about the host's files. A task chooses the words of its last message, so it
 * must not choose which of the caller's files a hint tells to show: only what the caller pointed at
 * himself is looked for (below his working directory or the script's, or an argument of the
 * task's), and what looks like a secret, lies where tasks write, or would need quoting is never
 * named.
 */
#ifndef CAPSULE_RUN_LOOKUP_H
#define CAPSULE_RUN_LOOKUP_H

#include "run/plan.h"

#define LOOKUP_NAME_MAX 192

enum lookup {
	LOOKUP_ABSENT,	/* not on the host, or not for a hint to speak of: in the sandbox already */
	LOOKUP_UNKNOWN, /* may not be looked for, or not be named */
	LOOKUP_FOUND,
};

/*
 * Looks for a path that the task did not find, absolute or relative, len bytes of it. FOUND: *name
 * is the host's absolute path. No symbolic link is followed and nothing is opened but for its place
 * (O_PATH).
 */
enum lookup lookup_file(const struct policy *policy, const struct plan *plan, const char *path,
			size_t len, char name[LOOKUP_NAME_MAX]);

enum lookup_module {
	LOOKUP_MODULE_ABSENT,
	LOOKUP_MODULE_BESIDE, /* in the script's directory, or the working directory of -c and -m */
	LOOKUP_MODULE_CROWDED,	 /* likewise, but that directory holds too much to be shown */
	LOOKUP_MODULE_VENV,	 /* in the .venv or venv of one of the two */
	LOOKUP_MODULE_USER_SITE, /* in ~/.local */
};

/*
 * Looks for a top-level module, len bytes of name, in the places where it is missed most often.
 * *dir is the directory to show (BESIDE) or the environment (VENV).
 */
enum lookup_module lookup_module(const struct policy *policy, const struct plan *plan,
				 const char *module, size_t len, char dir[LOOKUP_NAME_MAX]);

#endif
