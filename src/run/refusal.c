#include "run/refusal.h"

#include <errno.h>
#include <linux/prctl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "call-names.h"
#include "stage/stage.h"

/* How a value is said. */
enum style {
	STYLE_NAME,   /* by its name, else its number */
	STYLE_BITS,   /* names of its bits, joined by | */
	STYLE_MODE,   /* a file's type and octal mode */
	STYLE_NUMBER, /* after the label */
	STYLE_RARE,   /* likewise; 0 is not worth a word */
};

/* Texts and not pointers: the program is relocated at each start. */
struct name {
	uint32_t value;
	char text[28];
};

/* The sets of names below. Their values are the same on both machines. */
enum names {
	NAMES_NONE,
	NAMES_FAMILY,
	NAMES_TYPE,
	NAMES_CLONE,
	NAMES_FILE_TYPE,
	NAMES_FCNTL,
	NAMES_PRCTL,
	NAMES_IOCTL,
	NAMES_PTRACE,
	NAMES_SECCOMP,
	NAMES_POLICY,
	NAMES_IOPRIO,
	NAMES_PRIORITY,
	NAMES_HUGE_MMAP,
	NAMES_HUGE_MEMFD,
	NAMES_RENAME,
	NAMES_MESSAGE,
	NAMES_FUTEX,
	NAMES_MAX,
};

static const struct name family_names[] = {
    {1, "AF_UNIX"},	   {2, "AF_INET"},     {3, "AF_AX25"},	     {4, "AF_IPX"},
    {5, "AF_APPLETALK"},   {9, "AF_X25"},      {10, "AF_INET6"},     {15, "AF_KEY"},
    {16, "AF_NETLINK"},	   {17, "AF_PACKET"},  {18, "AF_ASH"},	     {21, "AF_RDS"},
    {24, "AF_PPPOX"},	   {26, "AF_LLC"},     {27, "AF_IB"},	     {28, "AF_MPLS"},
    {29, "AF_CAN"},	   {30, "AF_TIPC"},    {31, "AF_BLUETOOTH"}, {33, "AF_RXRPC"},
    {36, "AF_IEEE802154"}, {38, "AF_ALG"},     {39, "AF_NFC"},	     {40, "AF_VSOCK"},
    {41, "AF_KCM"},	   {42, "AF_QIPCRTR"}, {43, "AF_SMC"},	     {44, "AF_XDP"},
    {45, "AF_MCTP"},
};
static const struct name type_names[] = {
    {1, "SOCK_STREAM"},	   {2, "SOCK_DGRAM"}, {3, "SOCK_RAW"},	   {4, "SOCK_RDM"},
    {5, "SOCK_SEQPACKET"}, {6, "SOCK_DCCP"},  {10, "SOCK_PACKET"},
};
static const struct name clone_names[] = {
    {0x80, "CLONE_NEWTIME"},	  {0x200, "CLONE_FS"},		{0x400, "CLONE_FILES"},
    {0x20000, "CLONE_NEWNS"},	  {0x40000, "CLONE_SYSVSEM"},	{0x2000000, "CLONE_NEWCGROUP"},
    {0x4000000, "CLONE_NEWUTS"},  {0x8000000, "CLONE_NEWIPC"},	{0x10000000, "CLONE_NEWUSER"},
    {0x20000000, "CLONE_NEWPID"}, {0x40000000, "CLONE_NEWNET"},
};
static const struct name file_type_names[] = {
    {0010000, "S_IFIFO"}, {0020000, "S_IFCHR"}, {0040000, "S_IFDIR"},  {0060000, "S_IFBLK"},
    {0100000, "S_IFREG"}, {0120000, "S_IFLNK"}, {0140000, "S_IFSOCK"},
};
static const struct name fcntl_names[] = {
    {1024, "F_SETLEASE"}, {1025, "F_GETLEASE"}, {1026, "F_NOTIFY"},
    {1029, "F_CANCELLK"}, {1039, "F_GETDELEG"}, {1040, "F_SETDELEG"},
};
static const struct name prctl_names[] = {
    {PR_SET_DUMPABLE, "PR_SET_DUMPABLE"},
    {PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS"},
    {PR_SET_SECCOMP, "PR_SET_SECCOMP"},
    {PR_CAPBSET_DROP, "PR_CAPBSET_DROP"},
    {PR_SET_TSC, "PR_SET_TSC"},
    {PR_SET_SECUREBITS, "PR_SET_SECUREBITS"},
    {PR_MCE_KILL, "PR_MCE_KILL"},
    {PR_SET_MM, "PR_SET_MM"},
    {PR_CAP_AMBIENT, "PR_CAP_AMBIENT"},
    {PR_SET_SPECULATION_CTRL, "PR_SET_SPECULATION_CTRL"},
    {PR_SET_IO_FLUSHER, "PR_SET_IO_FLUSHER"},
    {PR_SET_SYSCALL_USER_DISPATCH, "PR_SET_SYSCALL_USER_DISPATCH"},
    {PR_SCHED_CORE, "PR_SCHED_CORE"},
    {67, "PR_SET_MEMORY_MERGE"},
    {PR_SET_PTRACER, "PR_SET_PTRACER"},
};
static const struct name ioctl_names[] = {
    {0x5412, "TIOCSTI"},
    {0x541c, "TIOCLINUX"},
    {0x541d, "TIOCCONS"},
    {0x5423, "TIOCSETD"},
    {0x8914, "SIOCSIFFLAGS"},
    {0x8916, "SIOCSIFADDR"},
    {0x8924, "SIOCSIFHWADDR"},
    {0x8946, "SIOCETHTOOL"},
    {0x894c, "SIOCSHWTSTAMP"},
    {0x400454ca, "TUNSETIFF"},
    {0x4c00, "LOOP_SET_FD"},
    {0xae01, "KVM_CREATE_VM"},
    {0x125f, "BLKRRPART"},
    {0x1261, "BLKFLSBUF"},
    {0x40086602, "FS_IOC_SETFLAGS"},
    {0x401c5820, "FS_IOC_FSSETXATTR"},
    {0xc0045877, "FIFREEZE"},
    {0xc0185879, "FITRIM"},
    {0xc0189436, "FIDEDUPERANGE"},
    {0x2285, "SG_IO"},
};
static const struct name ptrace_names[] = {
    {0, "PTRACE_TRACEME"},  {1, "PTRACE_PEEKTEXT"}, {2, "PTRACE_PEEKDATA"},
    {3, "PTRACE_PEEKUSER"}, {4, "PTRACE_POKETEXT"}, {5, "PTRACE_POKEDATA"},
    {7, "PTRACE_CONT"},	    {8, "PTRACE_KILL"},	    {16, "PTRACE_ATTACH"},
    {17, "PTRACE_DETACH"},  {24, "PTRACE_SYSCALL"}, {0x4206, "PTRACE_SEIZE"},
};
static const struct name seccomp_names[] = {
    {0, "SECCOMP_SET_MODE_STRICT"},
    {1, "SECCOMP_SET_MODE_FILTER"},
    {2, "SECCOMP_GET_ACTION_AVAIL"},
    {3, "SECCOMP_GET_NOTIF_SIZES"},
};
static const struct name policy_names[] = {
    {0, "SCHED_OTHER"}, {1, "SCHED_FIFO"}, {2, "SCHED_RR"},
    {3, "SCHED_BATCH"}, {5, "SCHED_IDLE"}, {6, "SCHED_DEADLINE"},
};
static const struct name ioprio_names[] = {
    {0, "IOPRIO_CLASS_NONE"},
    {0x2000, "IOPRIO_CLASS_RT"},
    {0x4000, "IOPRIO_CLASS_BE"},
    {0x6000, "IOPRIO_CLASS_IDLE"},
};
static const struct name priority_names[] = {
    {0, "PRIO_PROCESS"}, {1, "PRIO_PGRP"}, {2, "PRIO_USER"}};
static const struct name huge_mmap_names[] = {{0x40000, "MAP_HUGETLB"}};
static const struct name huge_memfd_names[] = {{4, "MFD_HUGETLB"}};
static const struct name rename_names[] = {{4, "RENAME_WHITEOUT"}};
/* Refused by --filter strict. */
static const struct name message_names[] = {{1, "MSG_OOB"}};
static const struct name futex_names[] = {
    {6, "FUTEX_LOCK_PI"},	   {7, "FUTEX_UNLOCK_PI"},	 {8, "FUTEX_TRYLOCK_PI"},
    {11, "FUTEX_WAIT_REQUEUE_PI"}, {12, "FUTEX_CMP_REQUEUE_PI"}, {13, "FUTEX_LOCK_PI2"},
};

static const struct {
	const struct name *list;
	size_t count;
} names[] = {
#define LIST(names) {(names), ARRAY_SIZE(names)}
    [NAMES_NONE] = {NULL, 0},
    [NAMES_FAMILY] = LIST(family_names),
    [NAMES_TYPE] = LIST(type_names),
    [NAMES_CLONE] = LIST(clone_names),
    [NAMES_FILE_TYPE] = LIST(file_type_names),
    [NAMES_FCNTL] = LIST(fcntl_names),
    [NAMES_PRCTL] = LIST(prctl_names),
    [NAMES_IOCTL] = LIST(ioctl_names),
    [NAMES_PTRACE] = LIST(ptrace_names),
    [NAMES_SECCOMP] = LIST(seccomp_names),
    [NAMES_POLICY] = LIST(policy_names),
    [NAMES_IOPRIO] = LIST(ioprio_names),
    [NAMES_PRIORITY] = LIST(priority_names),
    [NAMES_HUGE_MMAP] = LIST(huge_mmap_names),
    [NAMES_HUGE_MEMFD] = LIST(huge_memfd_names),
    [NAMES_RENAME] = LIST(rename_names),
    [NAMES_MESSAGE] = LIST(message_names),
    [NAMES_FUTEX] = LIST(futex_names),
#undef LIST
};
_Static_assert(ARRAY_SIZE(names) == NAMES_MAX, "one list for each set of names");

struct argument {
	unsigned int index;
	uint32_t mask; /* 0: no such argument */
	enum style style;
	enum names names;
	char label[10];
};

struct call {
	int nr;
	struct argument argument[REFUSAL_VALUES];
};

#define ALL 0xffffffffU
#define NAMED(i, set) {(i), ALL, STYLE_NAME, (set), ""}
#define BITS(i, m, set) {(i), (m), STYLE_BITS, (set), ""}
#define MODE(i) {(i), 0177777, STYLE_MODE, NAMES_FILE_TYPE, ""}
#define PID(i) {(i), ALL, STYLE_RARE, NAMES_NONE, "pid "}
#define NUMBER(i, l) {(i), ALL, STYLE_NUMBER, NAMES_NONE, l}

/* Which arguments decide. A call that is refused whatever they are is not here, unless they tell
 * what for. */
static const struct call calls[] = {
    {SYS_socket,
     {NAMED(0, NAMES_FAMILY),
      {1, 0xf, STYLE_NAME, NAMES_TYPE, ""},
      {2, ALL, STYLE_RARE, NAMES_NONE, "protocol "}}},
    {SYS_socketpair, {NAMED(0, NAMES_FAMILY), {1, 0xf, STYLE_NAME, NAMES_TYPE, ""}}},
    {SYS_setsockopt, {NUMBER(1, "level "), NUMBER(2, "option ")}},
    {SYS_sendto, {BITS(3, 1, NAMES_MESSAGE)}},
    {SYS_sendmsg, {BITS(2, 1, NAMES_MESSAGE)}},
    {SYS_futex, {{1, 0x7f, STYLE_NAME, NAMES_FUTEX, ""}}},
    {SYS_ioctl, {NAMED(1, NAMES_IOCTL)}},
    {SYS_fcntl, {NAMED(1, NAMES_FCNTL)}},
    {SYS_prctl, {NAMED(0, NAMES_PRCTL)}},
    {SYS_clone, {BITS(0, 0x7e020000, NAMES_CLONE)}},
    {SYS_unshare, {BITS(0, ALL, NAMES_CLONE)}},
    {SYS_setns, {BITS(1, ALL, NAMES_CLONE)}},
    {SYS_openat, {MODE(3)}},
    {SYS_fchmod, {MODE(1)}},
    {SYS_fchmodat, {MODE(2)}},
    {SYS_mknodat, {MODE(2)}},
#ifdef SYS_open
    {SYS_open, {MODE(2)}},
    {SYS_creat, {MODE(1)}},
    {SYS_chmod, {MODE(1)}},
    {SYS_mknod, {MODE(1)}},
#endif
    {SYS_renameat2, {BITS(4, 4, NAMES_RENAME)}},
    {SYS_mmap, {BITS(3, 0x40000, NAMES_HUGE_MMAP)}},
    {SYS_memfd_create, {BITS(1, 4, NAMES_HUGE_MEMFD)}},
    {SYS_ptrace, {NAMED(0, NAMES_PTRACE), PID(1)}},
    {SYS_process_vm_readv, {PID(0)}},
    {SYS_process_vm_writev, {PID(0)}},
    {SYS_kcmp, {PID(0), PID(1)}},
    {SYS_prlimit64, {PID(0)}},
    {SYS_get_robust_list, {PID(0)}},
    {SYS_migrate_pages, {PID(0)}},
    {SYS_move_pages, {PID(0)}},
    {SYS_seccomp, {NAMED(0, NAMES_SECCOMP)}},
    {SYS_personality, {NAMED(0, NAMES_NONE)}},
    {SYS_setpriority, {NAMED(0, NAMES_PRIORITY), NUMBER(1, ""), NUMBER(2, "nice ")}},
    {SYS_ioprio_set, {PID(1), {2, 0xe000, STYLE_NAME, NAMES_IOPRIO, ""}}},
    {SYS_sched_setscheduler, {PID(0), {1, 0xbfffffff, STYLE_NAME, NAMES_POLICY, ""}}},
    {SYS_sched_setparam, {PID(0)}},
    {SYS_sched_setaffinity, {PID(0)}},
    {SYS_sched_setattr, {PID(0)}},
    {SYS_bpf, {NUMBER(0, "command ")}},
    {SYS_keyctl, {NUMBER(0, "operation ")}},
    {SYS_syslog, {NUMBER(0, "action ")}},
};

static const struct call *find_call(int nr)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

void refusals_record(struct refusals *refusals, const struct seccomp_data *data,
		     const char *process)
{
	const struct call *call = find_call(data->nr);
	struct refusal new = {.nr = data->nr, .count = 1};

	(void)snprintf(new.process, sizeof(new.process), "%s", process);
	for (size_t i = 0; call != NULL && i < REFUSAL_VALUES; i++)
		new.value[i] =
		    (uint32_t)data->args[call->argument[i].index] & call->argument[i].mask;
	for (size_t i = 0; i < refusals->row_count; i++) {
		struct refusal *row = &refusals->rows[i];

		if (row->nr != new.nr || memcmp(row->value, new.value, sizeof(new.value)) != 0 ||
		    strcmp(row->process, new.process) != 0)
			continue;
		row->count++;
		refusals->recorded++;
		refusals->last = i;
		return;
	}
	if (refusals->row_count == REFUSAL_ROWS)
		return;
	new.allowed_by = stage_filter_default_allows(data) ? "--filter default" : NULL;
	refusals->last = refusals->row_count++;
	refusals->rows[refusals->last] = new;
	refusals->recorded++;
}

static const char *name_of(int nr)
{
	const char *name = call_names;

	for (int i = 0; i < nr && name < call_names + sizeof(call_names) - 1; i++)
		name += strlen(name) + 1;
	return nr >= 0 && name < call_names + sizeof(call_names) - 1 ? name : "";
}

const struct refusal *refusals_last(const struct refusals *refusals)
{
	return refusals->row_count > 0 ? &refusals->rows[refusals->last] : NULL;
}

const char *refusal_call(const struct refusal *refusal, char *buf, size_t size)
{
	const char *name = name_of(refusal->nr);

	if (name[0] != '\0')
		return name;
	(void)snprintf(buf, size, "call %d", refusal->nr);
	return buf;
}

static const char *value_name(enum names set, uint32_t value)
{
	for (size_t i = 0; i < names[set].count; i++)
		if (names[set].list[i].value == value)
			return names[set].list[i].text;
	return NULL;
}

/* Joins words by blanks and bits by |. */
static void append(char *buf, size_t size, const char *separator, const char *format, ...)
    ATTR_PRINTF(4, 5);
static void append(char *buf, size_t size, const char *separator, const char *format, ...)
{
	size_t used = strlen(buf);
	va_list ap;

	if (used > 0) {
		(void)snprintf(buf + used, size - used, "%s", separator);
		used = strlen(buf);
	}
	va_start(ap, format);
	(void)vsnprintf(buf + used, size - used, format, ap);
	va_end(ap);
}

static void append_bits(enum names set, uint32_t value, char *buf, size_t size)
{
	char bits[REFUSAL_ARGUMENT_MAX] = "";

	for (size_t i = 0; i < names[set].count; i++) {
		const struct name *bit = &names[set].list[i];

		if ((value & bit->value) == 0)
			continue;
		append(bits, sizeof(bits), "|", "%s", bit->text);
		value &= ~bit->value;
	}
	if (value != 0 || bits[0] == '\0')
		append(bits, sizeof(bits), "|", "%#x", value);
	append(buf, size, " ", "%s", bits);
}

static void append_value(const struct argument *argument, uint32_t value, char *buf, size_t size)
{
	const char *name;

	switch (argument->style) {
	case STYLE_NAME:
		name = value_name(argument->names, value);
		if (name != NULL)
			append(buf, size, " ", "%s", name);
		else
			append(buf, size, " ", "%#x", value);
		break;
	case STYLE_BITS:
		append_bits(argument->names, value, buf, size);
		break;
	case STYLE_MODE:
		name = value_name(argument->names, value & 0170000);
		if (name != NULL)
			append(buf, size, " ", "%s", name);
		append(buf, size, " ", "0%03o", value & 07777);
		break;
	case STYLE_NUMBER:
	case STYLE_RARE:
		if (argument->style == STYLE_NUMBER || value != 0)
			append(buf, size, " ", "%s%d", argument->label, (int32_t)value);
		break;
	}
}

const char *refusal_argument(const struct refusal *refusal, char *buf, size_t size)
{
	const struct call *call = find_call(refusal->nr);

	buf[0] = '\0';
	for (size_t i = 0; call != NULL && i < REFUSAL_VALUES; i++)
		if (call->argument[i].mask != 0)
			append_value(&call->argument[i], refusal->value[i], buf, size);
	return buf[0] != '\0' ? buf : NULL;
}

const char *refusals_reason(const struct refusals *refusals)
{
	return refusals->errnum == EBUSY ? "a filter outside already has a listener"
					 : strerror(refusals->errnum);
}
