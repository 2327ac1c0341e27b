#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "stage/stage.h"

#define NAME "caps"

/* An empty set is what was asked for; a kernel that says otherwise ends the start. */
static int verify(struct error *err)
{
	static const cap_flag_t flags[] = {CAP_EFFECTIVE, CAP_PERMITTED, CAP_INHERITABLE};
	cap_t now = cap_get_proc();
	int r = 0;

	if (now == NULL)
		return error_set(err, NAME, errno, "capget");
	for (cap_value_t cap = 0; cap < cap_max_bits() && r == 0; cap++) {
		for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
			cap_flag_value_t value = CAP_SET;

			if (cap_get_flag(now, cap, flags[i], &value) < 0 || value != CAP_CLEAR)
				r = error_set(err, NAME, 0, "capability %d is still held", cap);
		}
		/* What is not permitted can't be ambient: capabilities(7). */
		if (r == 0 && cap_get_bound(cap) != 0)
			r = error_set(err, NAME, 0, "capability %d is still in the bounding set", cap);
	}
	cap_free(now);
	/* And the proof by trying: this needs CAP_SYS_ADMIN. */
	if (r == 0 && sethostname("capsule", 7) == 0)
		r = error_set(err, NAME, 0, "privileges were not lost");
	return r;
}

int stage_caps(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	cap_t none = cap_init();
	int r = 0;

	(void)policy;
	(void)ctx;
	if (none == NULL)
		return error_set(err, NAME, errno, "cap_init");
	/* One call, where cap_reset_ambient() asks for each capability. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		r = error_set(err, NAME, errno, "clear the ambient set");
	for (cap_value_t cap = 0; cap < cap_max_bits() && r == 0; cap++)
		if (cap_drop_bound(cap) < 0)
			r = error_set(err, NAME, errno, "drop capability %d from the bounding set", cap);
	if (r == 0 && cap_set_proc(none) < 0)
		r = error_set(err, NAME, errno, "capset");
	cap_free(none);
	return r < 0 ? r : verify(err);
}
