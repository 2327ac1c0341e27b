#include "gate/record.h"

#include <string.h>

static const char *const refusal_names[] = {
    [GATE_REFUSED_NAME] = "name",	   [GATE_REFUSED_ADDRESS] = "address",
    [GATE_REFUSED_UDP] = "udp",		   [GATE_REFUSED_PORT] = "port",
    [GATE_REFUSED_DESTINATION] = "destination", [GATE_REFUSED_TLS] = "tls",
    [GATE_REFUSED_HTTP] = "http",	   [GATE_REFUSED_BYTES] = "net-bytes",
    [GATE_REFUSED_CONNECTIONS] = "net-connections", [GATE_REFUSED_NAMES] = "names",
    [GATE_REFUSED_BUSY] = "busy",
};
_Static_assert(ARRAY_SIZE(refusal_names) == GATE_REFUSED_MAX, "one name for each refusal");

static const char *const ending_names[] = {
    [GATE_ENDED_CLOSED] = "closed",	 [GATE_ENDED_RESET] = "reset",	   [GATE_ENDED_UNREACHABLE] = "unreachable",
    [GATE_ENDED_NO_NAME] = "no-address", [GATE_ENDED_REFUSED] = "refused", [GATE_ENDED_RUN] = "cut",
};
_Static_assert(ARRAY_SIZE(ending_names) == GATE_ENDED_MAX, "one name for each ending");

const char *gate_refusal_name(enum gate_refusal refusal)
{
	return refusal_names[refusal];
}

const char *gate_ending_name(enum gate_ending ending)
{
	return ending_names[ending];
}

/* What the task chose is ASCII when it comes from the gate; nothing else may come out of here. */
static void clean(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			*text = '?';
}

bool gate_record_check(struct gate_record *record, size_t len)
{
	if (len != sizeof(*record) || record->type >= GATE_RECORD_MAX || record->refusal >= GATE_REFUSED_MAX ||
	    record->ending >= GATE_ENDED_MAX || record->row >= GATE_REFUSALS_MAX)
		return false;
	clean(record->name, sizeof(record->name));
	clean(record->other, sizeof(record->other));
	clean(record->address, sizeof(record->address));
	clean(record->why, sizeof(record->why));
	clean(record->method, sizeof(record->method));
	clean(record->path, sizeof(record->path));
	clean(record->error.stage, sizeof(record->error.stage));
	clean(record->error.detail, sizeof(record->error.detail));
	clean(record->error.hint, sizeof(record->error.hint));
	return true;
}
