#include "run/meter.h"

#define BLOCK_BYTES 512

static const char *const source_names[] = {
    [METER_CGROUP] = "cgroup", [METER_WATCHDOG] = "watchdog", [METER_RUSAGE] = "rusage"};

static uint64_t time_us(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

void meter_take_rusage(struct meter *meter, const struct rusage *usage)
{
	struct account *account = &meter->account;
	struct rusage children;

	account->user_us = time_us(&usage->ru_utime);
	account->system_us = time_us(&usage->ru_stime);
	account->throttled_us = account->pids_peak = ACCOUNT_UNKNOWN;
	account->page_faults = (uint64_t)usage->ru_minflt + (uint64_t)usage->ru_majflt;
	account->major_faults = (uint64_t)usage->ru_majflt;
	account->read_bytes = (uint64_t)usage->ru_inblock * BLOCK_BYTES;
	account->written_bytes = (uint64_t)usage->ru_oublock * BLOCK_BYTES;
	meter->cpu_ms = (account->user_us + account->system_us) / 1000;
	meter->cpu_from = meter->faults_from = meter->io_from = METER_RUSAGE;
	if (getrusage(RUSAGE_CHILDREN, &children) < 0)
		return;
	meter->memory_peak_bytes = (uint64_t)children.ru_maxrss * 1024;
	meter->memory_from = METER_RUSAGE;
}

void meter_forget_rusage(struct meter *meter)
{
	meter->cpu_from = meter->faults_from = meter->io_from = METER_NONE;
	meter->cpu_ms = 0;
}

void meter_take_watch(struct meter *meter, uint64_t peak_bytes, uint64_t cpu_ms)
{
	/* Sampled, so the kernel's own figure for one process may be the higher one. */
	if (peak_bytes > meter->memory_peak_bytes) {
		meter->memory_peak_bytes = peak_bytes;
		meter->memory_from = METER_WATCHDOG;
	}
	if (cpu_ms > meter->cpu_ms) {
		meter->cpu_ms = cpu_ms;
		meter->cpu_from = METER_WATCHDOG;
	}
}

/* Figures of one kind come from one source. */
static void take_account(struct meter *meter, const struct account *group)
{
	struct account *account = &meter->account;

	account->throttled_us = group->throttled_us;
	account->pids_peak = group->pids_peak;
	if (meter->cpu_from != METER_RUSAGE) {
		account->user_us = group->user_us;
		account->system_us = group->system_us;
	}
	if (group->page_faults != ACCOUNT_UNKNOWN) {
		account->page_faults = group->page_faults;
		account->major_faults = group->major_faults;
		meter->faults_from = METER_CGROUP;
	}
	if (group->read_bytes != ACCOUNT_UNKNOWN) {
		account->read_bytes = group->read_bytes;
		account->written_bytes = group->written_bytes;
		meter->io_from = METER_CGROUP;
	}
	meter->is_detailed = true;
}

void meter_take_group(struct meter *meter, const struct cgroup *cg, const struct cgroup_stats *stats, bool detailed)
{
	struct account group;

	if (stats->has_memory) {
		meter->memory_peak_bytes = stats->memory_peak_bytes;
		meter->memory_from = METER_CGROUP;
	}
	if (stats->has_cpu) {
		meter->cpu_ms = stats->cpu_us / 1000;
		meter->cpu_from = METER_CGROUP;
	}
	if (!detailed)
		return;
	account_read(cg, &group);
	take_account(meter, &group);
}

static void put(json_t *object, const char *name, bool known, uint64_t value)
{
	(void)json_object_set_new(object, name, known ? json_integer((json_int_t)value) : json_null());
}

static void put_source(json_t *object, const char *name, enum meter_source source)
{
	(void)json_object_set_new(object, name,
				  source == METER_NONE ? json_null() : json_string(source_names[source]));
}

json_t *meter_json(const struct meter *meter)
{
	const struct account *account = &meter->account;
	bool detailed = meter->is_detailed;
	bool has_cpu = meter->cpu_from != METER_NONE;
	bool has_split = has_cpu && (detailed || meter->cpu_from == METER_RUSAGE);
	bool has_faults = meter->faults_from != METER_NONE;
	bool has_io = meter->io_from != METER_NONE;
	json_t *usage = json_object();
	json_t *sources = json_object();

	put(usage, "wall_ms", true, meter->wall_ms);
	put(usage, "cpu_ms", has_cpu, meter->cpu_ms);
	put(usage, "user_ms", has_split && account->user_us != ACCOUNT_UNKNOWN, account->user_us / 1000);
	put(usage, "system_ms", has_split && account->system_us != ACCOUNT_UNKNOWN, account->system_us / 1000);
	put(usage, "throttled_ms", detailed && account->throttled_us != ACCOUNT_UNKNOWN,
	    account->throttled_us / 1000);
	put(usage, "memory_peak_bytes", meter->memory_from != METER_NONE, meter->memory_peak_bytes);
	put(usage, "page_faults", has_faults, account->page_faults);
	put(usage, "major_page_faults", has_faults && account->major_faults != ACCOUNT_UNKNOWN,
	    account->major_faults);
	put(usage, "pids_peak", detailed && account->pids_peak != ACCOUNT_UNKNOWN, account->pids_peak);
	put(usage, "read_bytes", has_io, account->read_bytes);
	put(usage, "written_bytes", has_io, account->written_bytes);
	put(usage, "output_bytes", true, meter->output_bytes);
	put_source(sources, "cpu", meter->cpu_from);
	put_source(sources, "memory", meter->memory_from);
	put_source(sources, "page_faults", meter->faults_from);
	put_source(sources, "io", meter->io_from);
	(void)json_object_set_new(usage, "sources", sources);
	return usage;
}

json_t *meter_brief_json(const struct meter *meter)
{
	json_t *usage = json_object();

	put(usage, "wall_ms", true, meter->wall_ms);
	put(usage, "cpu_ms", meter->cpu_from != METER_NONE, meter->cpu_ms);
	put(usage, "memory_peak_bytes", meter->memory_from != METER_NONE, meter->memory_peak_bytes);
	return usage;
}
