/* The kinds of protection, by the names that --require, the verdict and the manual use. */
#ifndef CAPSULE_POLICY_LAYER_H
#define CAPSULE_POLICY_LAYER_H

#include <stdint.h>

enum layer {
	LAYER_USER,
	LAYER_MOUNT,
	LAYER_PID,
	LAYER_NET,
	LAYER_IPC,
	LAYER_UTS,
	LAYER_CGROUP_NS,
	LAYER_NO_NEW_PRIVS,
	LAYER_CAPABILITIES,
	LAYER_SECCOMP,
	LAYER_CGROUP,
	LAYER_MAX,
};

#define LAYER_BIT(layer) (1U << (layer))

/* The name of a layer, never NULL. */
const char *layer_name(enum layer layer);

/* Adds the layers of a comma-separated list to *mask. 0, or -EINVAL with *ret_bad pointing at the
 * word that is no layer (*ret_len bytes of it). */
int layer_parse_list(const char *text, uint32_t *mask, const char **ret_bad, int *ret_len);

/* "user, mount, ..." for messages; a static string. */
const char *layer_list(void);

#endif
