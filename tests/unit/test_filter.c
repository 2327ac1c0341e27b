/*
 * The compiled filters, judged by an interpreter of our own: a table says what each call must
 * be answered, for the programs of both architectures, whatever machine runs the test.
 *
 * All rules compare 32 bits. So every row is judged three times, with different garbage in the
 * upper halves of the arguments, and must get the same answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILTER_WANT_ALL
#include "filter-data.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Not in the headers of every libc that we build with. */
#define NEW_FAMILY_ALG 38
#define NEW_FAMILY_VSOCK 40
#define PROTO_MPTCP 262
#define OPT_SET_VMA 0x53564d41
#define OPT_SME_SET_VL 63
#define OPT_SME_GET_VL 64
#define OPT_SET_MDWE 65
#define OPT_GET_MDWE 66
#define OPT_SET_MEMORY_MERGE 67
#define OPT_GET_AUXV 0x41555856
#define OPT_GET_SHADOW_STACK_STATUS 74
#define OPT_SET_SHADOW_STACK_STATUS 75
#define OPT_LOCK_SHADOW_STACK_STATUS 76
#define COMMAND_DUPFD_QUERY 1027
#define COMMAND_CREATED_QUERY 1028
#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)

enum arch { X86 = 1, ARM = 2, BOTH = X86 | ARM };

enum verdict {
	ALLOW = SECCOMP_RET_ALLOW,
	REFUSE = SECCOMP_RET_ERRNO | EPERM,
	NOSYS = SECCOMP_RET_ERRNO | ENOSYS,
};
#define KILL SECCOMP_RET_KILL_PROCESS

enum which { TASK, STRICT, INIT, PROGRAMS };

struct program {
	const struct sock_filter *code;
	size_t length;
};

struct machine {
	enum arch arch;
	const char *name;
	uint32_t token;
	uint32_t audit_arch;
	struct program programs[PROGRAMS];
};

#define PROGRAM(name) { name, ARRAY_SIZE(name) }

static const struct machine machines[] = {
	{ X86, "x86_64", SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64,
	  { PROGRAM(filter_task_x86_64), PROGRAM(filter_strict_x86_64), PROGRAM(filter_init_x86_64) } },
	{ ARM, "aarch64", SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64,
	  { PROGRAM(filter_task_aarch64), PROGRAM(filter_strict_aarch64),
	    PROGRAM(filter_init_aarch64) } },
};

struct row {
	enum arch arch;
	const char *call;
	uint32_t args[6];
	enum verdict verdict;
};

/* A row is a rule or a border of one. MINUS is -1 in 32 bits, AT the current directory. */
#define MINUS 0xffffffffU
#define AT ((uint32_t)AT_FDCWD)
static const struct row task_rows[] = {
	/* files and modes */
	{ BOTH, "read", { 0 }, ALLOW },
	{ BOTH, "write", { 1 }, ALLOW },
	{ X86, "open", { 1, O_RDONLY, 0 }, ALLOW },
	{ X86, "open", { 1, O_RDONLY, 06755 }, ALLOW }, /* the mode is not looked at */
	{ X86, "open", { 1, O_WRONLY | O_CREAT, 0644 }, ALLOW },
	{ X86, "open", { 1, O_WRONLY | O_CREAT, 04755 }, REFUSE },
	{ X86, "open", { 1, O_WRONLY | O_CREAT, 02755 }, REFUSE },
	{ X86, "open", { 1, O_RDWR | TMPFILE_BIT, 04755 }, REFUSE },
	{ X86, "open", { 1, O_RDWR | TMPFILE_BIT, 0600 }, ALLOW },
	{ BOTH, "openat", { AT, 1, O_RDONLY, 0 }, ALLOW },
	{ BOTH, "openat", { AT, 1, O_RDONLY, 07777 }, ALLOW },
	{ BOTH, "openat", { AT, 1, MINUS & ~(uint32_t)(O_CREAT | TMPFILE_BIT), 07777 }, ALLOW },
	{ BOTH, "openat", { AT, 1, MINUS, 01777 }, ALLOW },
	{ BOTH, "openat", { AT, 1, O_RDWR | O_CREAT | O_TRUNC, 0666 }, ALLOW },
	{ BOTH, "openat", { AT, 1, O_RDWR | O_CREAT, 04000 }, REFUSE },
	{ BOTH, "openat", { AT, 1, O_CREAT, 02000 }, REFUSE },
	{ BOTH, "openat", { AT, 1, O_CREAT, 0xfffff800 }, REFUSE },
	{ BOTH, "openat", { AT, 1, O_RDWR | TMPFILE_BIT, 0600 }, ALLOW },
	{ BOTH, "openat", { AT, 1, TMPFILE_BIT, 04700 }, REFUSE },
	{ BOTH, "openat", { AT, 1, TMPFILE_BIT, 02700 }, REFUSE },
	{ BOTH, "openat2", { AT, 1, 1, 24 }, NOSYS },
	{ X86, "creat", { 1, 0644 }, ALLOW },
	{ X86, "creat", { 1, 04644 }, REFUSE },
	{ X86, "creat", { 1, 02644 }, REFUSE },
	{ X86, "chmod", { 1, 01777 }, ALLOW },
	{ X86, "chmod", { 1, 04755 }, REFUSE },
	{ X86, "chmod", { 1, 02755 }, REFUSE },
	{ BOTH, "fchmod", { 3, 0777 }, ALLOW },
	{ BOTH, "fchmod", { 3, 04755 }, REFUSE },
	{ BOTH, "fchmod", { 3, 02755 }, REFUSE },
	{ BOTH, "fchmodat", { AT, 1, 01777 }, ALLOW },
	{ BOTH, "fchmodat", { AT, 1, 04755 }, REFUSE },
	{ BOTH, "fchmodat", { AT, 1, 02755 }, REFUSE },
	{ BOTH, "fchmodat", { AT, 04755, 0755 }, ALLOW },
	{ BOTH, "mkdirat", { AT, 1, 02755 }, ALLOW }, /* the kernel drops the bit */
	{ X86, "mknod", { 1, 0644, 0 }, ALLOW },
	{ X86, "mknod", { 1, S_IFIFO | 0600, 0 }, ALLOW },
	{ X86, "mknod", { 1, S_IFREG | 0600, 0 }, ALLOW },
	{ X86, "mknod", { 1, S_IFSOCK | 0600, 0 }, ALLOW },
	{ X86, "mknod", { 1, S_IFCHR | 0600, 0 }, REFUSE },
	{ X86, "mknod", { 1, S_IFBLK | 0600, 0x801 }, REFUSE },
	{ X86, "mknod", { 1, S_IFREG | 04755, 0 }, REFUSE },
	{ BOTH, "mknodat", { AT, 1, 0644, 0 }, ALLOW },
	{ BOTH, "mknodat", { AT, 1, S_IFREG | 01777, 0 }, ALLOW },
	{ BOTH, "mknodat", { AT, 1, S_IFIFO | 0600, 0 }, ALLOW },
	{ BOTH, "mknodat", { AT, 1, S_IFSOCK | 0600, 0 }, ALLOW },
	{ BOTH, "mknodat", { AT, 1, S_IFCHR, 0 }, REFUSE }, /* an overlay whiteout */
	{ BOTH, "mknodat", { AT, 1, S_IFBLK | 0600, 0x801 }, REFUSE },
	{ BOTH, "mknodat", { AT, 1, S_IFDIR, 0 }, REFUSE },
	{ BOTH, "mknodat", { AT, 1, S_IFLNK, 0 }, REFUSE },
	{ BOTH, "mknodat", { AT, 1, S_IFREG | 04755, 0 }, REFUSE },
	{ BOTH, "mknodat", { AT, 1, S_IFREG | 02755, 0 }, REFUSE },
	{ BOTH, "mknodat", { AT, 1, 04755, 0 }, REFUSE },
	{ BOTH, "mknodat", { AT, 1, S_IFIFO | 02600, 0 }, REFUSE },
	{ BOTH, "renameat2", { AT, 1, AT, 1, 0 }, ALLOW },
	{ BOTH, "renameat2", { AT, 1, AT, 1, RENAME_NOREPLACE }, ALLOW },
	{ BOTH, "renameat2", { AT, 1, AT, 1, RENAME_EXCHANGE }, ALLOW },
	{ BOTH, "renameat2", { AT, 1, AT, 1, RENAME_NOREPLACE | RENAME_WHITEOUT }, REFUSE },
	{ BOTH, "setxattr", { 0 }, ALLOW },
	{ BOTH, "fallocate", { 0 }, ALLOW },
	{ BOTH, "copy_file_range", { 0 }, ALLOW },
	{ BOTH, "name_to_handle_at", { AT }, REFUSE },
	{ BOTH, "open_by_handle_at", { 3 }, REFUSE },
	{ BOTH, "fanotify_init", { 0 }, REFUSE },
	{ BOTH, "inotify_init1", { 0 }, ALLOW },

	/* fcntl */
	{ BOTH, "fcntl", { 0, F_GETFL }, ALLOW },
	{ BOTH, "fcntl", { 0, F_SETLKW }, ALLOW },
	{ BOTH, "fcntl", { 0, F_OFD_SETLK }, ALLOW },
	{ BOTH, "fcntl", { 0, 63 }, ALLOW },
	{ BOTH, "fcntl", { 0, 64 }, REFUSE },
	{ BOTH, "fcntl", { 0, F_SETLEASE }, REFUSE },
	{ BOTH, "fcntl", { 0, F_GETLEASE }, REFUSE },
	{ BOTH, "fcntl", { 0, F_NOTIFY }, REFUSE },
	{ BOTH, "fcntl", { 0, COMMAND_DUPFD_QUERY }, ALLOW },
	{ BOTH, "fcntl", { 0, COMMAND_CREATED_QUERY }, ALLOW },
	{ BOTH, "fcntl", { 0, F_DUPFD_CLOEXEC }, ALLOW },
	{ BOTH, "fcntl", { 0, F_SETPIPE_SZ }, ALLOW },
	{ BOTH, "fcntl", { 0, F_GETPIPE_SZ }, ALLOW },
	{ BOTH, "fcntl", { 0, F_ADD_SEALS }, ALLOW },
	{ BOTH, "fcntl", { 0, F_GET_SEALS }, ALLOW },
	{ BOTH, "fcntl", { 0, F_GET_RW_HINT }, ALLOW },
	{ BOTH, "fcntl", { 0, F_SET_RW_HINT }, ALLOW },
	{ BOTH, "fcntl", { 0, F_GET_FILE_RW_HINT }, ALLOW },
	{ BOTH, "fcntl", { 0, F_SET_FILE_RW_HINT }, ALLOW },
	{ BOTH, "fcntl", { 0, 1040 }, REFUSE }, /* delegations */
	{ BOTH, "fcntl", { 0, 1029 }, REFUSE },

	/* memory */
	{ BOTH, "mmap", { 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE }, ALLOW },
	{ BOTH, "mprotect", { 0, 4096, PROT_READ | PROT_EXEC }, ALLOW },
	{ BOTH, "mremap", { 0 }, ALLOW },
	{ BOTH, "madvise", { 0, 4096, MADV_DONTNEED }, ALLOW },
	{ BOTH, "memfd_create", { 0 }, ALLOW },
	{ BOTH, "mlockall", { 0 }, ALLOW },
	{ BOTH, "get_mempolicy", { 0 }, ALLOW },
	{ BOTH, "set_mempolicy", { 0 }, REFUSE },
	{ BOTH, "mbind", { 0 }, REFUSE },
	{ BOTH, "move_pages", { 0 }, REFUSE },
	{ BOTH, "migrate_pages", { 0 }, REFUSE },
	{ BOTH, "vmsplice", { 0 }, REFUSE },
	{ BOTH, "remap_file_pages", { 0 }, REFUSE },
	{ BOTH, "memfd_secret", { 0 }, REFUSE },
	{ BOTH, "userfaultfd", { 0 }, REFUSE },
	{ BOTH, "process_madvise", { 0 }, REFUSE },

	/* processes */
	{ BOTH, "clone", { SIGCHLD }, ALLOW },
	{ BOTH, "clone", { CLONE_VM | CLONE_VFORK | SIGCHLD }, ALLOW },
	{ BOTH, "clone", { CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			   CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
			   CLONE_CHILD_CLEARTID }, ALLOW },
	{ BOTH, "clone", { CLONE_PIDFD | SIGCHLD }, ALLOW },
	{ BOTH, "clone", { MINUS & ~0x7e020000U }, ALLOW },
	{ BOTH, "clone", { CLONE_NEWNS | SIGCHLD }, REFUSE },
	{ BOTH, "clone", { CLONE_NEWCGROUP }, REFUSE },
	{ BOTH, "clone", { CLONE_NEWUTS }, REFUSE },
	{ BOTH, "clone", { CLONE_NEWIPC }, REFUSE },
	{ BOTH, "clone", { CLONE_NEWUSER | SIGCHLD }, REFUSE },
	{ BOTH, "clone", { CLONE_NEWPID }, REFUSE },
	{ BOTH, "clone", { CLONE_NEWNET }, REFUSE },
	{ BOTH, "clone", { MINUS }, REFUSE },
	{ BOTH, "clone3", { 1, 88 }, NOSYS },
	{ BOTH, "unshare", { CLONE_FS }, REFUSE },
	{ BOTH, "unshare", { CLONE_NEWUSER }, REFUSE },
	{ BOTH, "setns", { 3, 0 }, REFUSE },
	{ X86, "fork", { 0 }, ALLOW },
	{ X86, "vfork", { 0 }, ALLOW },
	{ BOTH, "execve", { 0 }, ALLOW },
	{ BOTH, "execveat", { 0 }, ALLOW },
	{ BOTH, "waitid", { 0 }, ALLOW },
	{ BOTH, "pidfd_open", { 2 }, ALLOW },
	{ BOTH, "pidfd_send_signal", { 3 }, ALLOW },
	{ BOTH, "pidfd_getfd", { 3 }, REFUSE },
	{ BOTH, "ptrace", { 0 }, REFUSE },
	{ BOTH, "process_vm_readv", { 1 }, REFUSE },
	{ BOTH, "process_vm_writev", { 1 }, REFUSE },
	{ BOTH, "kcmp", { 1 }, REFUSE },
	{ BOTH, "futex", { 0 }, ALLOW },
	{ BOTH, "futex_waitv", { 0 }, ALLOW },
	{ BOTH, "rseq", { 0 }, ALLOW },
	{ BOTH, "membarrier", { 0 }, ALLOW },
	{ BOTH, "get_robust_list", { 0 }, ALLOW },
	{ BOTH, "get_robust_list", { 1 }, REFUSE },
	{ X86, "arch_prctl", { 0x1002 }, ALLOW },
	{ BOTH, "personality", { PER_LINUX }, ALLOW },
	{ BOTH, "personality", { MINUS }, ALLOW },
	{ BOTH, "personality", { PER_LINUX32 }, REFUSE },
	{ BOTH, "personality", { ADDR_NO_RANDOMIZE }, REFUSE },
	{ BOTH, "personality", { READ_IMPLIES_EXEC }, REFUSE },

	/* prctl and seccomp */
	{ BOTH, "prctl", { PR_SET_NAME }, ALLOW },
	{ BOTH, "prctl", { PR_GET_NAME }, ALLOW },
	{ BOTH, "prctl", { OPT_SET_VMA }, ALLOW },
	{ BOTH, "prctl", { PR_SET_PDEATHSIG }, ALLOW },
	{ BOTH, "prctl", { PR_GET_PDEATHSIG }, ALLOW },
	{ BOTH, "prctl", { PR_SET_CHILD_SUBREAPER }, ALLOW },
	{ BOTH, "prctl", { PR_GET_CHILD_SUBREAPER }, ALLOW },
	{ BOTH, "prctl", { PR_GET_DUMPABLE }, ALLOW },
	{ BOTH, "prctl", { PR_SET_DUMPABLE, 0 }, REFUSE },
	{ BOTH, "prctl", { PR_SET_DUMPABLE, 1 }, REFUSE },
	{ BOTH, "prctl", { PR_GET_SECCOMP }, ALLOW },
	{ BOTH, "prctl", { PR_SET_SECCOMP, 1 }, REFUSE },
	{ BOTH, "prctl", { PR_SET_SECCOMP, 2 }, REFUSE },
	{ BOTH, "prctl", { PR_CAPBSET_READ }, ALLOW },
	{ BOTH, "prctl", { PR_CAPBSET_DROP }, REFUSE },
	{ BOTH, "prctl", { PR_GET_KEEPCAPS }, ALLOW },
	{ BOTH, "prctl", { PR_GET_SECUREBITS }, ALLOW },
	{ BOTH, "prctl", { PR_GET_TSC }, ALLOW },
	{ BOTH, "prctl", { PR_SET_TSC }, REFUSE },
	{ BOTH, "prctl", { PR_SET_SECUREBITS }, REFUSE },
	{ BOTH, "prctl", { PR_SET_TIMERSLACK }, ALLOW },
	{ BOTH, "prctl", { PR_GET_TIMERSLACK }, ALLOW },
	{ BOTH, "prctl", { PR_SET_NO_NEW_PRIVS }, ALLOW },
	{ BOTH, "prctl", { PR_GET_NO_NEW_PRIVS }, ALLOW },
	{ BOTH, "prctl", { PR_GET_TID_ADDRESS }, ALLOW },
	{ BOTH, "prctl", { PR_SET_THP_DISABLE }, ALLOW },
	{ BOTH, "prctl", { PR_GET_THP_DISABLE }, ALLOW },
	{ BOTH, "prctl", { PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET }, ALLOW },
	{ BOTH, "prctl", { PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER }, ALLOW },
	{ BOTH, "prctl", { PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL }, ALLOW },
	{ BOTH, "prctl", { PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE }, REFUSE },
	{ BOTH, "prctl", { PR_SVE_SET_VL }, ALLOW },
	{ BOTH, "prctl", { PR_SVE_GET_VL }, ALLOW },
	{ BOTH, "prctl", { OPT_SME_SET_VL }, ALLOW },
	{ BOTH, "prctl", { OPT_SME_GET_VL }, ALLOW },
	{ BOTH, "prctl", { PR_PAC_RESET_KEYS }, ALLOW },
	{ BOTH, "prctl", { PR_PAC_GET_ENABLED_KEYS }, ALLOW },
	{ BOTH, "prctl", { PR_PAC_SET_ENABLED_KEYS }, REFUSE },
	{ BOTH, "prctl", { PR_SET_TAGGED_ADDR_CTRL }, ALLOW },
	{ BOTH, "prctl", { PR_GET_TAGGED_ADDR_CTRL }, ALLOW },
	{ BOTH, "prctl", { PR_GET_SPECULATION_CTRL }, ALLOW },
	{ BOTH, "prctl", { PR_SET_SPECULATION_CTRL }, REFUSE },
	{ BOTH, "prctl", { OPT_SET_MDWE }, ALLOW },
	{ BOTH, "prctl", { OPT_GET_MDWE }, ALLOW },
	{ BOTH, "prctl", { OPT_SET_MEMORY_MERGE }, REFUSE },
	{ BOTH, "prctl", { OPT_GET_AUXV }, ALLOW },
	{ BOTH, "prctl", { OPT_SET_SHADOW_STACK_STATUS }, ALLOW },
	{ BOTH, "prctl", { OPT_GET_SHADOW_STACK_STATUS }, ALLOW },
	{ BOTH, "prctl", { OPT_LOCK_SHADOW_STACK_STATUS }, ALLOW },
	{ BOTH, "prctl", { PR_SET_MM }, REFUSE },
	{ BOTH, "prctl", { PR_SET_PTRACER }, REFUSE },
	{ BOTH, "prctl", { PR_SCHED_CORE }, REFUSE },
	{ BOTH, "prctl", { PR_SET_SYSCALL_USER_DISPATCH }, REFUSE },
	{ BOTH, "prctl", { 0 }, REFUSE },
	{ BOTH, "prctl", { MINUS }, REFUSE },
	{ BOTH, "seccomp", { SECCOMP_SET_MODE_FILTER, 0 }, REFUSE },
	{ BOTH, "seccomp", { SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER }, REFUSE },
	{ BOTH, "landlock_restrict_self", { 3, 0 }, ALLOW },

	/* limits and scheduling */
	{ BOTH, "prlimit64", { 0, 7 }, ALLOW },
	{ BOTH, "prlimit64", { 1, 7 }, REFUSE },
	{ BOTH, "prlimit64", { MINUS, 7 }, REFUSE },
	{ BOTH, "setpriority", { 0, 0, 0 }, ALLOW },
	{ BOTH, "setpriority", { 0, 0, 19 }, ALLOW },
	{ BOTH, "setpriority", { 0, 0, (uint32_t)-5 }, REFUSE },
	{ BOTH, "ioprio_set", { 1, 0, 0 }, ALLOW },
	{ BOTH, "ioprio_set", { 1, 0, (1 << 13) | 4 }, REFUSE }, /* real time */
	{ BOTH, "ioprio_set", { 1, 0, (2 << 13) | 7 }, ALLOW },
	{ BOTH, "ioprio_set", { 1, 0, 3 << 13 }, ALLOW },
	{ BOTH, "ioprio_set", { 1, 0, 5 << 13 }, REFUSE },
	{ BOTH, "sched_setaffinity", { 0 }, ALLOW },
	{ BOTH, "sched_getaffinity", { 0 }, ALLOW },
	{ BOTH, "sched_setscheduler", { 0, SCHED_OTHER }, ALLOW },
	{ BOTH, "sched_setscheduler", { 0, SCHED_BATCH | SCHED_RESET_ON_FORK }, ALLOW },
	{ BOTH, "sched_setscheduler", { 0, SCHED_IDLE }, ALLOW },
	{ BOTH, "sched_setscheduler", { 0, SCHED_FIFO }, REFUSE },
	{ BOTH, "sched_setscheduler", { 0, SCHED_RR }, REFUSE },
	{ BOTH, "sched_setscheduler", { 0, SCHED_FIFO | SCHED_RESET_ON_FORK }, REFUSE },
	{ BOTH, "sched_setscheduler", { 0, 6 }, REFUSE },
	{ BOTH, "sched_setscheduler", { 0, MINUS }, REFUSE },
	{ BOTH, "sched_setparam", { 0 }, ALLOW },
	{ BOTH, "sched_setattr", { 0 }, REFUSE },

	/* identity and time */
	{ BOTH, "setuid", { 1000 }, ALLOW },
	{ BOTH, "setgroups", { 0 }, ALLOW },
	{ BOTH, "setresgid", { 1000, 1000, 1000 }, ALLOW },
	{ BOTH, "capset", { 0 }, ALLOW },
	{ BOTH, "clock_gettime", { 0 }, ALLOW },
	{ BOTH, "timer_create", { 0 }, ALLOW },
	{ BOTH, "getrandom", { 0 }, ALLOW },
	{ BOTH, "clock_settime", { 0 }, REFUSE },
	{ BOTH, "settimeofday", { 0 }, REFUSE },
	{ BOTH, "adjtimex", { 0 }, REFUSE },
	{ BOTH, "clock_adjtime", { 0 }, REFUSE },

	/* sockets */
	{ BOTH, "socket", { AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0 }, ALLOW },
	{ BOTH, "socket", { AF_UNIX, SOCK_SEQPACKET, 0 }, ALLOW },
	{ BOTH, "socket", { AF_INET, SOCK_STREAM, 0 }, ALLOW },
	{ BOTH, "socket", { AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP }, ALLOW },
	{ BOTH, "socket", { AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0 }, ALLOW },
	{ BOTH, "socket", { AF_INET, SOCK_DGRAM, IPPROTO_UDP }, ALLOW },
	{ BOTH, "socket", { AF_INET6, SOCK_STREAM, 0 }, ALLOW },
	{ BOTH, "socket", { AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP }, ALLOW },
	{ BOTH, "socket", { AF_INET6, SOCK_DGRAM, 0 }, ALLOW },
	{ BOTH, "socket", { AF_INET6, SOCK_DGRAM, IPPROTO_UDP }, ALLOW },
	{ BOTH, "socket", { AF_INET, SOCK_STREAM, IPPROTO_UDP }, REFUSE },
	{ BOTH, "socket", { AF_INET, SOCK_DGRAM, IPPROTO_TCP }, REFUSE },
	{ BOTH, "socket", { AF_INET, SOCK_DGRAM, IPPROTO_ICMP }, REFUSE },
	/* libseccomp 2.5.4 made code for aarch64 that allowed the first one */
	{ BOTH, "socket", { AF_INET, SOCK_STREAM, IPPROTO_ICMP }, REFUSE },
	{ BOTH, "socket", { AF_INET6, SOCK_STREAM, IPPROTO_ICMP }, REFUSE },
	{ BOTH, "socket", { AF_INET6, SOCK_DGRAM, IPPROTO_ICMP }, REFUSE },
	{ BOTH, "socket", { AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6 }, REFUSE },
	{ BOTH, "socket", { AF_INET, SOCK_RAW, 0 }, REFUSE },
	{ BOTH, "socket", { AF_INET, SOCK_RAW, IPPROTO_TCP }, REFUSE },
	{ BOTH, "socket", { AF_INET, SOCK_RAW, IPPROTO_RAW }, REFUSE },
	{ BOTH, "socket", { AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 }, REFUSE },
	{ BOTH, "socket", { AF_INET, SOCK_STREAM, PROTO_MPTCP }, REFUSE },
	{ BOTH, "socket", { AF_INET, SOCK_STREAM, IPPROTO_SCTP }, REFUSE },
	{ BOTH, "socket", { AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP }, REFUSE },
	{ BOTH, "socket", { AF_INET, SOCK_SEQPACKET, 0 }, REFUSE },
	{ BOTH, "socket", { AF_INET, SOCK_DCCP, 0 }, REFUSE },
	{ BOTH, "socket", { AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE }, REFUSE },
	{ BOTH, "socket", { AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE }, ALLOW },
	{ BOTH, "socket", { AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE }, ALLOW },
	{ BOTH, "socket", { AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER }, REFUSE },
	{ BOTH, "socket", { AF_NETLINK, SOCK_RAW, NETLINK_XFRM }, REFUSE },
	{ BOTH, "socket", { AF_NETLINK, SOCK_RAW, NETLINK_GENERIC }, REFUSE },
	{ BOTH, "socket", { AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG }, REFUSE },
	{ BOTH, "socket", { AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT }, REFUSE },
	{ BOTH, "socket", { AF_PACKET, SOCK_RAW, 0x300 }, REFUSE },
	{ BOTH, "socket", { AF_PACKET, SOCK_DGRAM, 0 }, REFUSE },
	{ BOTH, "socket", { NEW_FAMILY_VSOCK, SOCK_DGRAM, 0 }, REFUSE },
	{ BOTH, "socket", { NEW_FAMILY_ALG, SOCK_SEQPACKET, 0 }, REFUSE },
	{ BOTH, "socket", { NEW_FAMILY_VSOCK, SOCK_STREAM, 0 }, REFUSE },
	{ BOTH, "socket", { AF_UNSPEC, SOCK_STREAM, 0 }, REFUSE },
	{ BOTH, "socket", { MINUS, SOCK_STREAM, 0 }, REFUSE },
	{ BOTH, "socketpair", { AF_UNIX, SOCK_STREAM, 0 }, ALLOW },
	{ BOTH, "socketpair", { AF_INET, SOCK_STREAM, 0 }, REFUSE },
	{ BOTH, "socketpair", { 30, SOCK_STREAM, 0 }, REFUSE }, /* TIPC has pairs */
	{ BOTH, "connect", { 3 }, ALLOW },
	{ BOTH, "sendmsg", { 3 }, ALLOW },

	/* ioctl */
	{ BOTH, "ioctl", { 0, TCGETS }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSETS }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSETSW }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSETSF }, ALLOW },
	{ BOTH, "ioctl", { 0, TCGETS2 }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSETS2 }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSETSW2 }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSETSF2 }, ALLOW },
	{ BOTH, "ioctl", { 0, TCGETA }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSETA }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSETAW }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSETAF }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSBRK }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSBRKP }, ALLOW },
	{ BOTH, "ioctl", { 0, TCXONC }, ALLOW },
	{ BOTH, "ioctl", { 0, TCFLSH }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCEXCL }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCNXCL }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCGEXCL }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCSCTTY }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCNOTTY }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCGPGRP }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCSPGRP }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCGSID }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCOUTQ }, ALLOW },
	{ BOTH, "ioctl", { 0, SIOCOUTQ }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCGWINSZ }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCSWINSZ }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCGETD }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCGPTN }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCSPTLCK }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCGPTLCK }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCGPTPEER }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCPKT }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCGPKT }, ALLOW },
	{ BOTH, "ioctl", { 0, FIONREAD }, ALLOW },
	{ BOTH, "ioctl", { 0, FIONBIO }, ALLOW },
	{ BOTH, "ioctl", { 0, FIOCLEX }, ALLOW },
	{ BOTH, "ioctl", { 0, FIONCLEX }, ALLOW },
	{ BOTH, "ioctl", { 0, FIOASYNC }, ALLOW },
	{ BOTH, "ioctl", { 0, FIOQSIZE }, ALLOW },
	{ BOTH, "ioctl", { 0, SIOCATMARK }, ALLOW },
	{ BOTH, "ioctl", { 0, SIOCGIFNAME }, ALLOW },
	{ BOTH, "ioctl", { 0, SIOCGIFCONF }, ALLOW },
	{ BOTH, "ioctl", { 0, SIOCGIFFLAGS }, ALLOW },
	{ BOTH, "ioctl", { 0, SIOCGIFADDR }, ALLOW },
	{ BOTH, "ioctl", { 0, SIOCGIFDSTADDR }, ALLOW },
	{ BOTH, "ioctl", { 0, SIOCGIFBRDADDR }, ALLOW },
	{ BOTH, "ioctl", { 0, SIOCGIFNETMASK }, ALLOW },
	{ BOTH, "ioctl", { 0, SIOCGIFMETRIC }, ALLOW },
	{ BOTH, "ioctl", { 0, SIOCGIFMTU }, ALLOW },
	{ BOTH, "ioctl", { 0, SIOCGIFHWADDR }, ALLOW },
	{ BOTH, "ioctl", { 0, SIOCGIFINDEX }, ALLOW },
	{ BOTH, "ioctl", { 0, SIOCGIFTXQLEN }, ALLOW },
	{ BOTH, "ioctl", { 0, FICLONE }, ALLOW },
	{ BOTH, "ioctl", { 0, FICLONERANGE }, ALLOW },
	{ BOTH, "ioctl", { 0, FS_IOC_FIEMAP }, ALLOW },
	{ BOTH, "ioctl", { 0, FS_IOC_GETFLAGS }, ALLOW },
	{ BOTH, "ioctl", { 0, FS_IOC_FSGETXATTR }, ALLOW },
	{ BOTH, "ioctl", { 0, RNDGETENTCNT }, ALLOW },
	{ BOTH, "ioctl", { 0, BLKSSZGET }, ALLOW },
	{ BOTH, "ioctl", { 0, BLKGETSIZE64 }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCSTI }, REFUSE },
	{ BOTH, "ioctl", { 0, TIOCLINUX }, REFUSE },
	{ BOTH, "ioctl", { 0, TIOCSETD }, REFUSE },
	{ BOTH, "ioctl", { 0, TIOCCONS }, REFUSE },
	{ BOTH, "ioctl", { 0, FIBMAP }, REFUSE },
	{ BOTH, "ioctl", { 0, FIDEDUPERANGE }, REFUSE },
	{ BOTH, "ioctl", { 0, FS_IOC_SETFLAGS }, REFUSE },
	{ BOTH, "ioctl", { 0, FS_IOC_FSSETXATTR }, REFUSE },
	{ BOTH, "ioctl", { 0, SIOCSIFFLAGS }, REFUSE },
	{ BOTH, "ioctl", { 0, RNDADDENTROPY }, REFUSE },
	{ BOTH, "ioctl", { 0, 0x400454ca }, REFUSE }, /* TUNSETIFF */
	{ BOTH, "ioctl", { 0, 0 }, REFUSE },
	{ BOTH, "ioctl", { 0, MINUS }, REFUSE },

	/* mounts and the rest of what is refused */
	{ BOTH, "mount", { 0 }, REFUSE },
	{ BOTH, "umount2", { 0 }, REFUSE },
	{ BOTH, "pivot_root", { 0 }, REFUSE },
	{ BOTH, "chroot", { 0 }, REFUSE },
	{ BOTH, "open_tree", { 0 }, NOSYS },
	{ BOTH, "move_mount", { 0 }, NOSYS },
	{ BOTH, "fsopen", { 0 }, NOSYS },
	{ BOTH, "fsconfig", { 0 }, NOSYS },
	{ BOTH, "fsmount", { 0 }, NOSYS },
	{ BOTH, "fspick", { 0 }, NOSYS },
	{ BOTH, "mount_setattr", { 0 }, NOSYS },
	{ BOTH, "swapon", { 0 }, REFUSE },
	{ BOTH, "swapoff", { 0 }, REFUSE },
	{ BOTH, "acct", { 0 }, REFUSE },
	{ BOTH, "quotactl", { 0 }, REFUSE },
	{ BOTH, "quotactl_fd", { 0 }, REFUSE },
	{ BOTH, "shmget", { 0 }, REFUSE },
	{ BOTH, "shmat", { 0 }, REFUSE },
	{ BOTH, "semget", { 0 }, REFUSE },
	{ BOTH, "msgget", { 0 }, REFUSE },
	{ BOTH, "mq_open", { 0 }, REFUSE },
	{ BOTH, "io_setup", { 0 }, NOSYS },
	{ BOTH, "io_destroy", { 0 }, NOSYS },
	{ BOTH, "io_submit", { 0 }, NOSYS },
	{ BOTH, "io_cancel", { 0 }, NOSYS },
	{ BOTH, "io_getevents", { 0 }, NOSYS },
	{ BOTH, "io_pgetevents", { 0 }, NOSYS },
	{ BOTH, "io_uring_setup", { 0 }, NOSYS },
	{ BOTH, "io_uring_enter", { 0 }, NOSYS },
	{ BOTH, "io_uring_register", { 0 }, NOSYS },
	{ BOTH, "add_key", { 0 }, REFUSE },
	{ BOTH, "request_key", { 0 }, REFUSE },
	{ BOTH, "keyctl", { 0 }, REFUSE },
	{ BOTH, "bpf", { 0 }, REFUSE },
	{ BOTH, "perf_event_open", { 0 }, REFUSE },
	{ BOTH, "init_module", { 0 }, REFUSE },
	{ BOTH, "finit_module", { 0 }, REFUSE },
	{ BOTH, "delete_module", { 0 }, REFUSE },
	{ BOTH, "kexec_load", { 0 }, REFUSE },
	{ BOTH, "kexec_file_load", { 0 }, REFUSE },
	{ BOTH, "reboot", { 0 }, REFUSE },
	{ BOTH, "syslog", { 0 }, REFUSE },
	{ BOTH, "lookup_dcookie", { 0 }, REFUSE },
	{ BOTH, "sethostname", { 0 }, REFUSE },
	{ BOTH, "setdomainname", { 0 }, REFUSE },
	{ BOTH, "vhangup", { 0 }, REFUSE },
	{ X86, "iopl", { 0 }, REFUSE },
	{ X86, "ioperm", { 0 }, REFUSE },
	{ X86, "modify_ldt", { 0 }, REFUSE },
	{ X86, "uselib", { 0 }, REFUSE },
	{ X86, "ustat", { 0 }, REFUSE },
	{ X86, "sysfs", { 0 }, REFUSE },
	{ X86, "_sysctl", { 0 }, NOSYS },
	{ X86, "create_module", { 0 }, NOSYS },
	{ X86, "get_kernel_syms", { 0 }, NOSYS },
	{ X86, "query_module", { 0 }, NOSYS },
	{ X86, "getpmsg", { 0 }, NOSYS },
	{ X86, "putpmsg", { 0 }, NOSYS },
	{ X86, "afs_syscall", { 0 }, NOSYS },
	{ X86, "tuxcall", { 0 }, NOSYS },
	{ X86, "security", { 0 }, NOSYS },
	{ X86, "vserver", { 0 }, NOSYS },
	{ X86, "epoll_ctl_old", { 0 }, NOSYS },
	{ X86, "epoll_wait_old", { 0 }, NOSYS },
	{ X86, "get_thread_area", { 0 }, NOSYS },
	{ X86, "set_thread_area", { 0 }, NOSYS },
	{ BOTH, "nfsservctl", { 0 }, NOSYS },
};

/* What --filter strict takes away, and the borders of what it leaves. */
static const struct row strict_rows[] = {
	{ BOTH, "socket", { AF_UNIX, SOCK_STREAM, 0 }, ALLOW },
	{ BOTH, "socket", { AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0 }, ALLOW },
	{ BOTH, "socket", { AF_UNIX, SOCK_DGRAM, 0 }, REFUSE },
	{ BOTH, "socket", { AF_UNIX, SOCK_SEQPACKET, 0 }, REFUSE },
	{ BOTH, "socket", { AF_INET, SOCK_STREAM, 0 }, REFUSE },
	{ BOTH, "socket", { AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP }, REFUSE },
	{ BOTH, "socket", { AF_INET, SOCK_DGRAM, IPPROTO_UDP }, REFUSE },
	{ BOTH, "socket", { AF_INET6, SOCK_STREAM, 0 }, REFUSE },
	{ BOTH, "socket", { AF_INET6, SOCK_DGRAM, 0 }, REFUSE },
	{ BOTH, "socket", { AF_NETLINK, SOCK_RAW, NETLINK_ROUTE }, REFUSE },
	{ BOTH, "socket", { AF_UNSPEC, SOCK_STREAM, 0 }, REFUSE },
	{ BOTH, "socketpair", { AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0 }, ALLOW },
	{ BOTH, "socketpair", { AF_UNIX, SOCK_DGRAM, 0 }, REFUSE },
	{ BOTH, "socketpair", { AF_INET, SOCK_STREAM, 0 }, REFUSE },
	{ BOTH, "sendto", { 3, 1, 1, MSG_NOSIGNAL | MSG_DONTWAIT }, ALLOW },
	{ BOTH, "sendto", { 3, 1, 1, MSG_OOB }, REFUSE },
	{ BOTH, "sendto", { 3, 1, 1, MSG_OOB | MSG_NOSIGNAL }, REFUSE },
	{ BOTH, "sendmsg", { 3, 1, MSG_NOSIGNAL }, ALLOW },
	{ BOTH, "sendmsg", { 3, 1, MSG_OOB }, REFUSE },
	{ BOTH, "sendmmsg", { 3, 1, 1, 0 }, REFUSE },
	{ BOTH, "recvmmsg", { 3, 1, 1, 0 }, REFUSE },
	{ BOTH, "recvmsg", { 3, 1, 0 }, ALLOW },
	{ BOTH, "setsockopt", { 3, SOL_SOCKET, SO_REUSEADDR }, ALLOW },
	{ BOTH, "setsockopt", { 3, SOL_SOCKET, SO_SNDBUF }, ALLOW },
	{ BOTH, "setsockopt", { 3, SOL_SOCKET, SO_RCVBUF }, ALLOW },
	{ BOTH, "setsockopt", { 3, SOL_SOCKET, SO_KEEPALIVE }, ALLOW },
	{ BOTH, "setsockopt", { 3, SOL_SOCKET, SO_LINGER }, ALLOW },
	{ BOTH, "setsockopt", { 3, SOL_SOCKET, SO_PASSCRED }, ALLOW },
	{ BOTH, "setsockopt", { 3, SOL_SOCKET, SO_RCVTIMEO }, ALLOW },
	{ BOTH, "setsockopt", { 3, SOL_SOCKET, SO_SNDTIMEO }, ALLOW },
	{ BOTH, "setsockopt", { 3, SOL_SOCKET, SO_ATTACH_FILTER }, REFUSE },
	{ BOTH, "setsockopt", { 3, SOL_SOCKET, SO_ATTACH_BPF }, REFUSE },
	{ BOTH, "setsockopt", { 3, SOL_SOCKET, SO_ZEROCOPY }, REFUSE },
	{ BOTH, "setsockopt", { 3, IPPROTO_IP, SO_REUSEADDR }, REFUSE },
	{ BOTH, "setsockopt", { 3, IPPROTO_TCP, SO_REUSEADDR }, REFUSE },
	{ X86, "inotify_init", { 0 }, REFUSE },
	{ BOTH, "inotify_init1", { 0 }, REFUSE },
	{ BOTH, "inotify_add_watch", { 0 }, REFUSE },
	{ X86, "mknod", { 1, S_IFIFO | 0600, 0 }, REFUSE },
	{ BOTH, "mknodat", { AT, 1, S_IFIFO | 0600, 0 }, REFUSE },
	{ BOTH, "mknodat", { AT, 1, S_IFREG | 0600, 0 }, REFUSE },
	{ BOTH, "setxattr", { 0 }, REFUSE },
	{ BOTH, "fsetxattr", { 0 }, REFUSE },
	{ BOTH, "removexattr", { 0 }, REFUSE },
	{ BOTH, "listxattr", { 0 }, ALLOW },
	{ BOTH, "getxattr", { 0 }, ALLOW },
	{ BOTH, "splice", { 0 }, REFUSE },
	{ BOTH, "tee", { 0 }, REFUSE },
	{ BOTH, "sendfile", { 0 }, ALLOW },
	{ BOTH, "copy_file_range", { 0 }, ALLOW },
	{ BOTH, "sync", { 0 }, REFUSE },
	{ BOTH, "syncfs", { 0 }, REFUSE },
	{ BOTH, "fsync", { 0 }, ALLOW },
	{ BOTH, "signalfd4", { 0 }, REFUSE },
	{ BOTH, "eventfd2", { 0 }, ALLOW },
	{ BOTH, "timerfd_create", { 0 }, ALLOW },
	{ BOTH, "openat", { AT, 1, O_RDWR | O_CREAT, 0644 }, ALLOW },
	{ BOTH, "openat", { AT, 1, O_RDWR | O_CREAT, 04755 }, REFUSE },
	{ BOTH, "fcntl", { 0, F_SETLKW }, ALLOW },
	{ BOTH, "fcntl", { 0, F_SETOWN }, REFUSE },
	{ BOTH, "fcntl", { 0, 10 }, REFUSE }, /* F_SETSIG */
	{ BOTH, "fcntl", { 0, 15 }, REFUSE }, /* F_SETOWN_EX */
	{ BOTH, "fcntl", { 0, F_OFD_GETLK }, ALLOW },
	{ BOTH, "fcntl", { 0, F_OFD_SETLK }, ALLOW },
	{ BOTH, "fcntl", { 0, F_OFD_SETLKW }, ALLOW },
	{ BOTH, "fcntl", { 0, 39 }, REFUSE },
	{ BOTH, "fcntl", { 0, F_DUPFD_CLOEXEC }, ALLOW },
	{ BOTH, "fcntl", { 0, F_SETPIPE_SZ }, ALLOW },
	{ BOTH, "fcntl", { 0, F_GETPIPE_SZ }, ALLOW },
	{ BOTH, "fcntl", { 0, F_ADD_SEALS }, ALLOW },
	{ BOTH, "fcntl", { 0, F_GET_SEALS }, ALLOW },
	{ BOTH, "fcntl", { 0, F_SET_RW_HINT }, REFUSE },
	{ BOTH, "fcntl", { 0, F_SETLEASE }, REFUSE },
	{ BOTH, "mmap", { 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE }, ALLOW },
	{ BOTH, "mprotect", { 0, 4096, PROT_READ | PROT_EXEC }, ALLOW },
	{ BOTH, "pkey_alloc", { 0 }, NOSYS },
	{ BOTH, "execve", { 0 }, ALLOW },
	{ BOTH, "execveat", { 0 }, REFUSE },
	{ BOTH, "clone", { SIGCHLD }, ALLOW },
	{ BOTH, "clone", { CLONE_NEWUSER | SIGCHLD }, REFUSE },
	{ BOTH, "futex_waitv", { 0 }, NOSYS },
	{ BOTH, "get_robust_list", { 0 }, REFUSE },
	{ BOTH, "futex", { 1, 0 }, ALLOW },		    /* WAIT */
	{ BOTH, "futex", { 1, 1 | 128 }, ALLOW },	    /* WAKE, private */
	{ BOTH, "futex", { 1, 3 }, ALLOW },		    /* REQUEUE */
	{ BOTH, "futex", { 1, 4 | 128 }, ALLOW },	    /* CMP_REQUEUE */
	{ BOTH, "futex", { 1, 5 }, ALLOW },		    /* WAKE_OP */
	{ BOTH, "futex", { 1, 9 | 128 | 256 }, ALLOW },	    /* WAIT_BITSET, real-time clock */
	{ BOTH, "futex", { 1, 10 }, ALLOW },		    /* WAKE_BITSET */
	{ BOTH, "futex", { 1, 2 }, REFUSE },
	{ BOTH, "futex", { 1, 6 }, REFUSE },		    /* LOCK_PI */
	{ BOTH, "futex", { 1, 6 | 128 }, REFUSE },
	{ BOTH, "futex", { 1, 7 }, REFUSE },		    /* UNLOCK_PI */
	{ BOTH, "futex", { 1, 8 | 128 }, REFUSE },	    /* TRYLOCK_PI */
	{ BOTH, "futex", { 1, 11 }, REFUSE },		    /* WAIT_REQUEUE_PI */
	{ BOTH, "futex", { 1, 12 | 128 }, REFUSE },	    /* CMP_REQUEUE_PI */
	{ BOTH, "futex", { 1, 13 }, REFUSE },		    /* LOCK_PI2 */
	{ BOTH, "personality", { MINUS }, REFUSE },
	{ BOTH, "personality", { PER_LINUX }, REFUSE },
	{ BOTH, "setpriority", { 0, 0, 19 }, REFUSE },
	{ BOTH, "ioprio_set", { 1, 0, 0 }, REFUSE },
	{ BOTH, "sched_setaffinity", { 0 }, REFUSE },
	{ BOTH, "sched_setscheduler", { 0, SCHED_OTHER }, REFUSE },
	{ BOTH, "sched_setparam", { 0 }, REFUSE },
	{ BOTH, "sched_getaffinity", { 0 }, ALLOW },
	{ BOTH, "landlock_create_ruleset", { 0 }, NOSYS },
	{ BOTH, "landlock_restrict_self", { 3, 0 }, NOSYS },
	{ BOTH, "timer_create", { 0 }, REFUSE },
	{ BOTH, "timer_settime", { 0 }, REFUSE },
	{ BOTH, "setitimer", { 0 }, ALLOW },
	{ BOTH, "ioctl", { 0, TCGETS }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSETS }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSETSW }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSETSF }, ALLOW },
	{ BOTH, "ioctl", { 0, TCGETS2 }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSETS2 }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSETSW2 }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSETSF2 }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCGWINSZ }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCGPGRP }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCSPGRP }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCGSID }, ALLOW },
	{ BOTH, "ioctl", { 0, TIOCOUTQ }, ALLOW },
	{ BOTH, "ioctl", { 0, TCFLSH }, ALLOW },
	{ BOTH, "ioctl", { 0, TCSBRK }, ALLOW },
	{ BOTH, "ioctl", { 0, FIONREAD }, ALLOW },
	{ BOTH, "ioctl", { 0, FIONBIO }, ALLOW },
	{ BOTH, "ioctl", { 0, FIOCLEX }, ALLOW },
	{ BOTH, "ioctl", { 0, FIONCLEX }, ALLOW },
	{ BOTH, "ioctl", { 0, FIOASYNC }, REFUSE },
	{ BOTH, "ioctl", { 0, TIOCSWINSZ }, REFUSE },
	{ BOTH, "ioctl", { 0, TIOCSCTTY }, REFUSE },
	{ BOTH, "ioctl", { 0, TIOCGPTN }, REFUSE },
	{ BOTH, "ioctl", { 0, TIOCSPTLCK }, REFUSE },
	{ BOTH, "ioctl", { 0, TIOCGPTPEER }, REFUSE },
	{ BOTH, "ioctl", { 0, SIOCGIFCONF }, REFUSE },
	{ BOTH, "ioctl", { 0, FICLONE }, REFUSE },
	{ BOTH, "ioctl", { 0, TIOCSTI }, REFUSE },
};

/* The calls that it takes away altogether. */
static const char *const strict_may_not[] = {
	"execveat", "fremovexattr", "fsetxattr", "futex_waitv", "get_robust_list",
	"inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "ioprio_get",
	"ioprio_set", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
	"lremovexattr", "lsetxattr", "mknod", "mknodat", "personality", "pkey_alloc", "pkey_free",
	"pkey_mprotect", "recvmmsg", "removexattr", "sched_setaffinity", "sched_setparam",
	"sched_setscheduler", "sendmmsg", "setpriority", "setxattr", "signalfd", "signalfd4",
	"splice", "sync", "syncfs", "tee", "timer_create", "timer_delete", "timer_getoverrun",
	"timer_gettime", "timer_settime",
};

static const struct row init_rows[] = {
	{ BOTH, "read", { 0 }, ALLOW },
	{ BOTH, "write", { 0 }, ALLOW },
	{ BOTH, "close", { 0 }, ALLOW },
	{ BOTH, "recvmsg", { 0 }, ALLOW },
	{ BOTH, "sendmsg", { 0 }, ALLOW },
	{ BOTH, "sendto", { 0 }, ALLOW },
	{ BOTH, "recvfrom", { 0 }, ALLOW },
	{ X86, "poll", { 0 }, ALLOW },
	{ BOTH, "ppoll", { 0 }, ALLOW },
	{ X86, "epoll_wait", { 0 }, ALLOW },
	{ BOTH, "epoll_pwait", { 0 }, ALLOW },
	{ BOTH, "epoll_ctl", { 0 }, ALLOW },
	{ BOTH, "epoll_create1", { 0 }, ALLOW },
	{ BOTH, "timerfd_settime", { 0 }, ALLOW },
	{ BOTH, "wait4", { 0 }, ALLOW },
	{ BOTH, "waitid", { 0 }, ALLOW },
	{ BOTH, "kill", { 2, SIGTERM }, ALLOW },
	{ BOTH, "pidfd_send_signal", { 0 }, ALLOW },
	{ BOTH, "getpid", { 0 }, ALLOW },
	{ BOTH, "rt_sigaction", { 0 }, ALLOW },
	{ BOTH, "rt_sigprocmask", { 0 }, ALLOW },
	{ BOTH, "rt_sigtimedwait", { 0 }, ALLOW },
	{ BOTH, "rt_sigreturn", { 0 }, ALLOW },
	{ BOTH, "signalfd4", { 0 }, ALLOW },
	{ BOTH, "restart_syscall", { 0 }, ALLOW },
	{ BOTH, "brk", { 0 }, ALLOW },
	{ BOTH, "munmap", { 0 }, ALLOW },
	{ BOTH, "mmap", { 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS }, ALLOW },
	{ BOTH, "mmap", { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS }, REFUSE },
	{ BOTH, "mmap", { 0, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS }, REFUSE },
	{ BOTH, "clock_gettime", { 0 }, ALLOW },
	{ BOTH, "exit_group", { 0 }, ALLOW },
	{ BOTH, "exit", { 0 }, ALLOW },
	{ BOTH, "clock_nanosleep", { 0 }, ALLOW },
	{ BOTH, "nanosleep", { 0 }, ALLOW },
	{ BOTH, "futex", { 0 }, ALLOW },
	{ BOTH, "getrandom", { 0 }, ALLOW },
	{ BOTH, "prlimit64", { 5, 2 }, ALLOW },
	{ BOTH, "prlimit64", { 5, 7 }, REFUSE },
	{ BOTH, "ioctl", { 3, TIOCSPGRP }, ALLOW },
	{ BOTH, "ioctl", { 3, TIOCGPGRP }, ALLOW },
	{ BOTH, "ioctl", { 3, TIOCSTI }, REFUSE },
	{ BOTH, "ioctl", { 3, TCGETS }, REFUSE },
	{ BOTH, "epoll_pwait2", { 0 }, REFUSE },
	{ BOTH, "futex_waitv", { 0 }, REFUSE },
	{ BOTH, "mprotect", { 0, 4096, PROT_READ }, REFUSE },
	{ BOTH, "openat", { AT, 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC }, ALLOW },
	{ BOTH, "openat", { AT, 1, O_WRONLY }, REFUSE },
	{ BOTH, "openat", { AT, 1, O_RDWR }, REFUSE },
	{ BOTH, "openat", { AT, 1, O_RDONLY | O_CREAT, 0600 }, REFUSE },
	{ BOTH, "openat", { AT, 1, O_RDONLY | O_TRUNC }, REFUSE },
	{ BOTH, "openat", { AT, 1, O_RDWR | TMPFILE_BIT, 0600 }, REFUSE },
	{ BOTH, "getdents64", { 0 }, ALLOW },
	{ BOTH, "newfstatat", { 0 }, ALLOW },
	{ BOTH, "fstat", { 0 }, ALLOW },
	{ BOTH, "fcntl", { 0, F_GETFL }, ALLOW },
	{ BOTH, "fcntl", { 0, F_SETFD, FD_CLOEXEC }, ALLOW },
	{ BOTH, "fcntl", { 0, F_SETFL }, REFUSE },
	{ BOTH, "execve", { 0 }, REFUSE },
	{ BOTH, "clone", { SIGCHLD }, REFUSE },
	{ X86, "fork", { 0 }, REFUSE },
	{ BOTH, "clone3", { 1, 88 }, REFUSE },
	{ BOTH, "socket", { AF_UNIX, SOCK_STREAM, 0 }, REFUSE },
	{ BOTH, "ioctl", { 0, TCGETS }, REFUSE },
	{ BOTH, "mount", { 0 }, REFUSE },
	{ BOTH, "tgkill", { 2, 2, SIGTERM }, REFUSE },
	{ BOTH, "ptrace", { 0 }, REFUSE },
	{ BOTH, "prctl", { PR_SET_DUMPABLE, 1 }, REFUSE },
	{ BOTH, "setuid", { 0 }, REFUSE },
	{ BOTH, "prlimit64", { 0 }, REFUSE },
};

/* Every call the task may make with some arguments; a new row in the filter wants a name here. */
static const char *const task_may[] = {
	"accept", "accept4", "access", "alarm", "arch_prctl", "bind", "brk", "capget", "capset",
	"chdir", "chmod", "chown", "clock_getres", "clock_gettime", "clock_nanosleep", "clone",
	"close", "close_range", "connect", "copy_file_range", "creat", "dup", "dup2", "dup3",
	"epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
	"eventfd", "eventfd2", "execve", "execveat", "exit", "exit_group", "faccessat", "faccessat2",
	"fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchown", "fchownat", "fcntl",
	"fdatasync", "fgetxattr", "flistxattr", "flock", "fork", "fremovexattr", "fsetxattr", "fstat",
	"fstatfs", "fsync", "ftruncate", "futex", "futex_waitv", "futimesat", "get_mempolicy",
	"get_robust_list", "getcpu", "getcwd", "getdents", "getdents64", "getegid", "geteuid",
	"getgid", "getgroups", "getitimer", "getpeername", "getpgid", "getpgrp", "getpid", "getppid",
	"getpriority", "getrandom", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid",
	"getsockname", "getsockopt", "gettid", "gettimeofday", "getuid", "getxattr",
	"inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "ioctl",
	"ioprio_get", "ioprio_set", "kill", "landlock_add_rule", "landlock_create_ruleset",
	"landlock_restrict_self", "lchown", "lgetxattr", "link", "linkat", "listen", "listxattr",
	"llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "madvise", "map_shadow_stack",
	"membarrier", "memfd_create", "mincore", "mkdir", "mkdirat", "mknod", "mknodat", "mlock",
	"mlock2", "mlockall", "mmap", "mprotect", "mremap", "msync", "munlock", "munlockall",
	"munmap", "nanosleep", "newfstatat", "open", "openat", "pause", "personality", "pidfd_open",
	"pidfd_send_signal", "pipe", "pipe2", "pkey_alloc", "pkey_free", "pkey_mprotect", "poll",
	"ppoll", "prctl", "pread64", "preadv", "preadv2", "prlimit64", "pselect6", "pwrite64",
	"pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv", "recvfrom",
	"recvmmsg", "recvmsg", "removexattr", "rename", "renameat", "renameat2", "restart_syscall",
	"rmdir", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
	"rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo",
	"sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr",
	"sched_getparam", "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity",
	"sched_setparam", "sched_setscheduler", "sched_yield", "select", "sendfile", "sendmmsg",
	"sendmsg", "sendto", "set_robust_list", "set_tid_address", "setfsgid", "setfsuid", "setgid",
	"setgroups", "setitimer", "setpgid", "setpriority", "setregid", "setresgid", "setresuid",
	"setreuid", "setrlimit", "setsid", "setsockopt", "setuid", "setxattr", "shutdown",
	"sigaltstack", "signalfd", "signalfd4", "socket", "socketpair", "splice", "stat", "statfs",
	"statx", "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "sysinfo", "tee",
	"tgkill", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
	"timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime", "times", "tkill",
	"truncate", "umask", "uname", "unlink", "unlinkat", "utime", "utimensat", "utimes", "vfork",
	"wait4", "waitid", "write", "writev",
};

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t value;

	assert_true(offset % 4 == 0 && offset <= sizeof(*data) - sizeof(value));
	memcpy(&value, (const char *)data + offset, sizeof(value));
	return value;
}

/* Classic BPF as far as these programs use it; whatever else turns up is a failure. */
static uint32_t run(const struct sock_filter *code, size_t length, const struct seccomp_data *data)
{
	uint32_t a = 0;
	size_t pc = 0;

	while (pc < length) {
		const struct sock_filter *i = &code[pc++];
		bool taken;

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = load(data, i->k);
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_JMP | BPF_JA:
			assert_true(i->k < length - pc);
			pc += i->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			taken = a == i->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			taken = a > i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			taken = a >= i->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			taken = (a & i->k) != 0;
			break;
		default:
			fail_msg("instruction %zu has the unknown code %#x", pc - 1, i->code);
			return 0;
		}
		pc += taken ? i->jt : i->jf;
	}
	fail_msg("the program runs past its end");
	return 0;
}

static uint32_t judge(const struct machine *m, enum which which, uint32_t arch, uint32_t nr,
		      const uint32_t args[6], uint32_t upper)
{
	struct seccomp_data data = { .nr = (int)nr, .arch = arch };

	for (size_t i = 0; i < 6; i++)
		data.args[i] = (uint64_t)upper << 32 | (args ? args[i] : 0);
	return run(m->programs[which].code, m->programs[which].length, &data);
}

static const char *verdict_text(uint32_t verdict)
{
	switch (verdict) {
	case SECCOMP_RET_ALLOW:
		return "allow";
	case SECCOMP_RET_ERRNO | EPERM:
		return "EPERM";
	case SECCOMP_RET_ERRNO | ENOSYS:
		return "ENOSYS";
	case SECCOMP_RET_KILL_PROCESS:
		return "kill";
	default:
		return "something else";
	}
}

static const uint32_t upper_halves[] = { 0, UINT32_MAX, 0xdeadbeef };

static void judge_rows(enum which which, const struct row *rows, size_t count)
{
	unsigned int wrong = 0;

	for (size_t r = 0; r < count * ARRAY_SIZE(machines) * ARRAY_SIZE(upper_halves); r++) {
		uint32_t upper = upper_halves[r % ARRAY_SIZE(upper_halves)];
		const struct machine *m = &machines[r / ARRAY_SIZE(upper_halves) % ARRAY_SIZE(machines)];
		const struct row *row = &rows[r / ARRAY_SIZE(upper_halves) / ARRAY_SIZE(machines)];
		uint32_t verdict;
		int nr;

		if (!(row->arch & m->arch))
			continue;
		nr = seccomp_syscall_resolve_name_arch(m->token, row->call);
		if (nr < 0)
			fail_msg("%s is no system call of %s", row->call, m->name);
		verdict = judge(m, which, m->audit_arch, (uint32_t)nr, row->args, upper);
		if (verdict == (uint32_t)row->verdict)
			continue;
		print_error("%s: %s(%#x, %#x, %#x, %#x, %#x), upper halves %#x: %s, not %s\n",
			    m->name, row->call, row->args[0], row->args[1], row->args[2],
			    row->args[3], row->args[4], upper, verdict_text(verdict),
			    verdict_text((uint32_t)row->verdict));
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void test_task_rows(void **state)
{
	(void)state;
	judge_rows(TASK, task_rows, ARRAY_SIZE(task_rows));
}

static void test_init_rows(void **state)
{
	(void)state;
	judge_rows(INIT, init_rows, ARRAY_SIZE(init_rows));
}

static void test_strict_rows(void **state)
{
	(void)state;
	judge_rows(STRICT, strict_rows, ARRAY_SIZE(strict_rows));
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static bool may(enum which which, const char *name)
{
	return is_one_of(name, task_may, ARRAY_SIZE(task_may)) &&
	       (which == TASK || !is_one_of(name, strict_may_not, ARRAY_SIZE(strict_may_not)));
}

/* Whatever the number and the arguments: what the default filter refuses, the strict one does, too. */
static void strict_gives_no_more(const struct machine *m, uint32_t nr, const uint32_t args[6])
{
	uint32_t strict = judge(m, STRICT, m->audit_arch, nr, args, 0);
	uint32_t task = judge(m, TASK, m->audit_arch, nr, args, 0);

	if (strict == ALLOW && task != ALLOW)
		fail_msg("%s: call %u with %#x, %#x, %#x: allowed by the strict filter only", m->name, nr,
			 args[0], args[1], args[2]);
}

static void test_strict_gives_no_more(void **state)
{
	(void)state;
	for (const struct machine *m = machines; m < machines + ARRAY_SIZE(machines); m++)
		for (uint32_t nr = 0; nr < 512; nr++) {
			for (size_t i = 0; i < ARRAY_SIZE(task_rows); i++)
				strict_gives_no_more(m, nr, task_rows[i].args);
			for (size_t i = 0; i < ARRAY_SIZE(strict_rows); i++)
				strict_gives_no_more(m, nr, strict_rows[i].args);
		}
}

/* A call outside the list is refused whatever its arguments; one in it has a way through. */
static void allows_no_other_call(enum which which)
{
	static const uint32_t some[][6] = {
		{ 0 },
		{ 1, 1, 1, 1, 1, 1 },
		{ 0, TCGETS },
		{ AF_INET, SOCK_STREAM, IPPROTO_TCP },
		{ AF_UNIX, SOCK_STREAM },
		{ 0, SOL_SOCKET, SO_RCVBUF },
		{ MINUS, MINUS, MINUS, MINUS, MINUS, MINUS },
	};

	for (const struct machine *m = machines; m < machines + ARRAY_SIZE(machines); m++) {
		for (uint32_t nr = 0; nr < 1024; nr++) {
			char *name = seccomp_syscall_resolve_num_arch(m->token, (int)nr);
			bool allowed = false;

			for (size_t i = 0; i < ARRAY_SIZE(some); i++)
				allowed |= judge(m, which, m->audit_arch, nr, some[i], 0) == ALLOW;
			if (allowed != (name && may(which, name)))
				fail_msg("%s: %s (%u) is %s", m->name, name ? name : "a gap", nr,
					 allowed ? "allowed" : "refused");
			free(name);
		}
	}
}

static void test_task_allows_no_other_call(void **state)
{
	(void)state;
	allows_no_other_call(TASK);
	allows_no_other_call(STRICT);
}

/* What no table knows gets ENOSYS; what it knows and nobody lists, EPERM. */
static void test_unknown_numbers(void **state)
{
	static const uint32_t numbers[] = { 457, 458, 460, 462, 470, 500, 1023, 4095, 0x3fffffff };

	(void)state;
	for (const struct machine *m = machines; m < machines + ARRAY_SIZE(machines); m++) {
		uint32_t gap_first = m->arch == X86 ? 335 : 295;

		for (enum which which = 0; which < PROGRAMS; which++) {
			for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
				assert_int_equal(judge(m, which, m->audit_arch, numbers[i], NULL, 0),
						 NOSYS);
			for (uint32_t nr = gap_first; nr <= 423; nr++)
				assert_int_equal(judge(m, which, m->audit_arch, nr, NULL, 0), NOSYS);
			/* a tracer took the call back */
			assert_int_equal(judge(m, which, m->audit_arch, MINUS, NULL, 0), NOSYS);
			assert_int_not_equal(judge(m, which, m->audit_arch, 424, NULL, 0), NOSYS);
		}
		assert_int_equal(judge(m, TASK, m->audit_arch, gap_first - 1, NULL, 0),
				 m->arch == X86 ? ALLOW : REFUSE); /* rseq, kexec_file_load */
		assert_int_equal(judge(m, TASK, m->audit_arch, 424, NULL, 0), ALLOW);
		assert_int_equal(judge(m, TASK, m->audit_arch, 0, NULL, 0),
				 m->arch == X86 ? ALLOW : NOSYS); /* read, io_setup */
	}
	for (uint32_t nr = 244; nr <= 259; nr++)
		assert_int_equal(judge(&machines[1], TASK, AUDIT_ARCH_AARCH64, nr, NULL, 0), NOSYS);
	assert_int_equal(judge(&machines[1], TASK, AUDIT_ARCH_AARCH64, 243, NULL, 0), ALLOW);
	assert_int_equal(judge(&machines[1], TASK, AUDIT_ARCH_AARCH64, 260, NULL, 0), ALLOW);
}

/* Newer than some build's libseccomp, so by number. */
static void test_newer_calls(void **state)
{
	static const uint32_t nosys[] = { 451, 452, 454, 455, 456 };

	(void)state;
	for (const struct machine *m = machines; m < machines + ARRAY_SIZE(machines); m++)
		for (size_t i = 0; i < ARRAY_SIZE(nosys); i++)
			assert_int_equal(judge(m, TASK, m->audit_arch, nosys[i], NULL, 0), NOSYS);
}

static void test_other_abis_die(void **state)
{
	static const uint32_t foreign[] = {
		AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64, 0, UINT32_MAX,
	};
	static const uint32_t numbers[] = { 0, 1, 20, 39, 120, 424, 500 };

	(void)state;
	for (const struct machine *m = machines; m < machines + ARRAY_SIZE(machines); m++) {
		uint32_t other = m->arch == X86 ? AUDIT_ARCH_AARCH64 : AUDIT_ARCH_X86_64;

		for (enum which which = 0; which < PROGRAMS; which++) {
			for (size_t n = 0; n < ARRAY_SIZE(numbers); n++) {
				for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
					assert_int_equal(judge(m, which, foreign[i], numbers[n], NULL, 0),
							 KILL);
				assert_int_equal(judge(m, which, other, numbers[n], NULL, 0), KILL);
				/* x32; on aarch64 the bit is only part of an unknown number */
				assert_int_equal(judge(m, which, m->audit_arch,
						       0x40000000 | numbers[n], NULL, 0),
						 m->arch == X86 ? KILL : NOSYS);
			}
			assert_int_equal(judge(m, which, m->audit_arch, 0xc0000027, NULL, 0),
					 m->arch == X86 ? KILL : NOSYS);
			assert_int_equal(judge(m, which, m->audit_arch, 0x80000000, NULL, 0), NOSYS);
		}
	}
}

/* The kernel's own conditions, for every instruction and not only for those that ran. */
static void check_shape(const struct sock_filter *code, size_t length)
{
	assert_true(length > 0 && length <= BPF_MAXINSNS);
	for (size_t i = 0; i < length; i++) {
		size_t left = length - i - 1;

		if (BPF_CLASS(code[i].code) == BPF_JMP && BPF_OP(code[i].code) == BPF_JA)
			assert_true(code[i].k < left);
		else if (BPF_CLASS(code[i].code) == BPF_JMP)
			assert_true(code[i].jt < left && code[i].jf < left);
		else if (BPF_CLASS(code[i].code) == BPF_LD)
			assert_true(code[i].k % 4 == 0 && code[i].k < sizeof(struct seccomp_data));
	}
	assert_int_equal(code[length - 1].code, BPF_RET | BPF_K);
}

static void test_shape(void **state)
{
	(void)state;
	for (const struct machine *m = machines; m < machines + ARRAY_SIZE(machines); m++) {
		for (enum which which = 0; which < PROGRAMS; which++)
			check_shape(m->programs[which].code, m->programs[which].length);
	}
}

/* In the child: what went wrong, or 0. */
static int try_in_kernel(void)
{
	struct sock_fprog program = { .len = ARRAY_SIZE(FILTER_TASK) };
	struct sock_filter code[ARRAY_SIZE(FILTER_TASK)];

	memcpy(code, FILTER_TASK, sizeof(code));
	program.filter = code;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return 1;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		return 2;
	if (getppid() <= 0)
		return 3;
	if (syscall(SYS_unshare, CLONE_FILES) != -1 || errno != EPERM)
		return 4;
	if (syscall(435, 0, 0) != -1 || errno != ENOSYS) /* clone3 */
		return 5;
	if (syscall(400) != -1 || errno != ENOSYS)
		return 6;
	if (syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY) < 0)
		return 7;
	if (prctl(PR_SET_DUMPABLE, 0) != -1 || errno != EPERM)
		return 8;
	return 0;
}

static void test_kernel_takes_it(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (!pid)
		_exit(try_in_kernel());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_task_rows),
		cmocka_unit_test(test_strict_rows),
		cmocka_unit_test(test_strict_gives_no_more),
		cmocka_unit_test(test_init_rows),
		cmocka_unit_test(test_task_allows_no_other_call),
		cmocka_unit_test(test_unknown_numbers),
		cmocka_unit_test(test_newer_calls),
		cmocka_unit_test(test_other_abis_die),
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_kernel_takes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
