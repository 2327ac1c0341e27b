#include "run/account.h"

#include <string.h>

#include "base/fd.h"

static void read_key(int dir_fd, const char *file, const char *key, uint64_t unit, uint64_t *ret)
{
	uint64_t value;

	if (fd_read_key_at(dir_fd, file, key, &value) == 0)
		*ret = value / unit;
}

static void read_number(int dir_fd, const char *file, uint64_t unit, uint64_t *ret)
{
	uint64_t value;

	if (fd_read_u64_at(dir_fd, file, &value) == 0)
		*ret = value / unit;
}

/* Adds up KEY=NUMBER over the devices: one line each. */
static uint64_t sum_of(const char *text, const char *key)
{
	uint64_t sum = 0;
	size_t len = strlen(key);

	for (const char *at = strstr(text, key); at != NULL; at = strstr(at + len, key)) {
		char digits[24];
		uint64_t value;

		(void)text_copy(digits, sizeof(digits), at + len, strspn(at + len, "0123456789"));
		if (text_parse_u64(digits, &value) == 0)
			sum += value;
	}
	return sum;
}

/* The file is there only where the group's parent hands the io controller on. */
static void read_io(int dir_fd, struct account *ret)
{
	char text[16384];

	if (fd_read_file_at(dir_fd, "io.stat", text, sizeof(text)) < 0)
		return;
	ret->read_bytes = sum_of(text, " rbytes=");
	ret->written_bytes = sum_of(text, " wbytes=");
}

static void read_faults(int dir_fd, struct account *ret)
{
	read_key(dir_fd, "memory.stat", "pgfault", 1, &ret->page_faults);
	read_key(dir_fd, "memory.stat", "pgmajfault", 1, &ret->major_faults);
}

static void read_v1(const struct cgroup *cg, struct account *ret)
{
	for (unsigned int i = 0; i < cg->part_count; i++) {
		int dir_fd = cg->part[i].dir_fd;
		const char *controller = cg->part[i].controller;

		if (strcmp(controller, "memory") == 0) {
			read_faults(dir_fd, ret);
		} else if (strcmp(controller, "pids") == 0) {
			read_number(dir_fd, "pids.peak", 1, &ret->pids_peak);
		} else if (strcmp(controller, "cpu") == 0) {
			read_key(dir_fd, "cpu.stat", "throttled_time", 1000, &ret->throttled_us);
		} else if (strcmp(controller, "cpuacct") == 0) {
			read_number(dir_fd, "cpuacct.usage_user", 1000, &ret->user_us);
			read_number(dir_fd, "cpuacct.usage_sys", 1000, &ret->system_us);
		}
	}
}

void account_read(const struct cgroup *cg, struct account *ret)
{
	int dir_fd = cg->part[0].dir_fd;

	*ret = (struct account){ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN,
				ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN};
	if (cg->version == 1) {
		read_v1(cg, ret);
	} else if (cg->version == 2) {
		read_key(dir_fd, "cpu.stat", "user_usec", 1, &ret->user_us);
		read_key(dir_fd, "cpu.stat", "system_usec", 1, &ret->system_us);
		read_key(dir_fd, "cpu.stat", "throttled_usec", 1, &ret->throttled_us);
		read_faults(dir_fd, ret);
		/* Since Linux 6.1. */
		read_number(dir_fd, "pids.peak", 1, &ret->pids_peak);
		read_io(dir_fd, ret);
	}
}

void account_read_now(const struct cgroup *cg, struct account_now *ret)
{
	*ret = (struct account_now){ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN, ACCOUNT_UNKNOWN};
	for (unsigned int i = 0; cg->version != 0 && i < cg->part_count; i++) {
		int dir_fd = cg->part[i].dir_fd;
		const char *controller = cg->part[i].controller;

		if (cg->version == 2) {
			read_number(dir_fd, "memory.current", 1, &ret->ram_bytes);
			read_key(dir_fd, "cpu.stat", "usage_usec", 1000, &ret->cpu_ms);
		} else if (strcmp(controller, "memory") == 0) {
			read_number(dir_fd, "memory.usage_in_bytes", 1, &ret->ram_bytes);
		} else if (strcmp(controller, "cpuacct") == 0) {
			read_number(dir_fd, "cpuacct.usage", 1000000, &ret->cpu_ms);
		}
		if (cg->version == 2 || strcmp(controller, "pids") == 0)
			read_number(dir_fd, "pids.current", 1, &ret->pids);
	}
}
