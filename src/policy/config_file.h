/* Where the configuration of a directory of tasks is; config.h says what it holds. */
#ifndef CAPSULE_POLICY_CONFIG_FILE_H
#define CAPSULE_POLICY_CONFIG_FILE_H

/* The file that counts in the working directory: capsule.toml, Capsule.toml, or a pyproject.toml that may have a table
 * of ours; or NULL. */
const char *config_find(void);

#endif
