/*
 * A stage puts one part of a policy in force, in init (PID 1) or in the task before its exec.
 *
 * Every stage has the same shape, reads the frozen policy, finds descriptors and prepared facts in
 * its context, returns 0 or -errno and fills err. A failing stage means that the task does not start:
 * no stage has a weaker way of its own. Their order is the two tables in run/init.c.
 */
#ifndef CAPSULE_STAGE_STAGE_H
#define CAPSULE_STAGE_STAGE_H

#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <termios.h>

#include "base/error.h"
#include "policy/policy.h"

/* Inside, the task is always this user and group. */
#define STAGE_UID 1000
#define STAGE_GID 1000

/* What a task that is asked for its stacks answers through. */
#define STAGE_STACKS_FIFO POLICY_OWN_DIR "/stacks"

/* One file or directory of the host's that the task is shown, or a link to what it is shown elsewhere. */
struct stage_tree {
	char *host;  /* real path; owned. Of a link: what it holds */
	char *guest; /* absolute; owned */
	bool writable;
	bool runtime; /* the interpreter's own */
	bool directory;
	bool link; /* guest is a symbolic link; the fields below mean nothing */
	int tree_fd; /* detached mount made with the caller's rights (root), or -1: init opens host */
	dev_t dev;   /* identity that was judged: what init opens must be the same object */
	ino_t ino;
};

/* What of the runtime is shown, where that is not all of it: paths without links on the way. */
struct stage_runtime {
	const struct strlist *dirs;
	const struct strlist *files;
	const struct strlist *links; /* a link's path, then what it says, and so on */
};

/* The caller has a terminal: the task gets one of ours. */
struct stage_terminal {
	unsigned int on;       /* mask of 0, 1 and 2 that are to lead to it */
	bool has_modes;	       /* modes are the caller's; else the kernel's own will do */
	struct termios modes;
	struct winsize size;
};

/* A file of ours, made inside; read-only. */
struct stage_file {
	const char *name;
	const char *text;
};

struct stage_ctx {
	const struct stage_tree *trees;
	size_t tree_count;
	const struct stage_runtime *runtime; /* NULL: the system's directories and the runtime's trees as a whole */
	int script_fd;	       /* bytes to copy to script_guest, or -1 */
	const char *script_guest;
	const char *module_dir; /* absolute; where the module goes */
	const struct stage_file *module;
	size_t module_count;
	uint64_t script_bytes; /* known size, for the root tmpfs; 0 when unknown */
	int stdio_fd[3];       /* become 0, 1, 2 of the task */
	int answer_fd;	       /* becomes answer_to of the task, which keeps it; or -1 */
	int answer_to;
	const struct stage_terminal *terminal; /* NULL: the task has none */
	int pty_fd;	       /* our side of it, for the supervisor; and the task's side, which init keeps */
	int tty_fd;
	bool limit_pids;       /* no cgroup holds --pids: RLIMIT_NPROC does */
	bool watch_disk;       /* a watchdog holds --disk: nothing may allocate faster than it looks */
	bool observe;	       /* refusals are to be told to a listener, where one can be had */
	uint64_t nofile;       /* --nofile, or the caller's own hard limit below it */
	int root_fd;	       /* the new root, from stage_root to stage_seal */
	int shm_fd;	       /* /dev/shm and /dev/pts, until stage_seal */
	int pts_fd; /* from stage_terminal or stage_devices: the mount of a devpts */
	int host_proc_fd; /* O_PATH of the host's /proc, until the exec */
	int init_fd;	  /* the task's channel to init, closed by the exec */
	int net_fd;	  /* from stage_network */
	int gate_fd;	  /* to the gate, or -1: there is none */
	int listener_fd;  /* from stage_filter: what is told of refusals, or -1 */
	int listener_errnum; /* why there is none, or 0 */
	unsigned int stacks_minor; /* of the Python 3.minor that can be asked for its stacks; 0: none can */
	int stacks_fd;	  /* from stage_stacks: what it answers, for the supervisor; or -1 */
	int fresh_fd;	       /* root of the --fresh tmpfs, or -1 */
	int proc_fd; /* the sandbox's own /proc: this and both tmpfs are for the supervisor's watchdogs */
};

typedef int stage_fn(const struct policy *policy, struct stage_ctx *ctx, struct error *err);

/* Joins an empty session keyring, so that the caller's is out of reach. keyctl(2). */
stage_fn stage_keyring;

/* Host name of the new UTS namespace. */
stage_fn stage_hostname;

/*
 * The task's view, built in an empty tmpfs, in this order. All need CAP_SYS_ADMIN in the user namespace
 * that owns the mount namespace; from the first to the last the working directory is the new root.
 *
 * root: the tmpfs, and the system's /usr, /bin, /lib in it, or with ctx->runtime the parts that it names.   etc, devices, proc: what they say.
 * stacks: with ctx->stacks_minor, POLICY_OWN_DIR and what is in it.
 * trees: what the policy shows besides, and the script.       seal: everything read-only but the sandbox
 * directory, /dev/shm and the writable bindings; the host's tree is unmounted.
 */
stage_fn stage_root;
stage_fn stage_etc;
stage_fn stage_devices;
stage_fn stage_proc;
stage_fn stage_stacks;
stage_fn stage_trees;
stage_fn stage_seal;

/*
 * The task's terminal, the first of the sandbox's own devpts, which is made for it: pty_fd, tty_fd, and those of
 * stdio_fd that it replaces. The process becomes a session's leader, and the terminal its controlling one; its
 * children inherit that. CAP_SYS_ADMIN, and the ids that the task will have, which own the terminal.
 */
stage_fn stage_terminal;

/* A new network namespace for this process, which opens it as net_fd for init to join. CAP_SYS_ADMIN. */
stage_fn stage_network;

/* Brings up lo in the new network namespace (netlink; CAP_NET_ADMIN). */
stage_fn stage_loopback;

/*
 * With --allow: makes all addresses local to lo, lets low ports be bound, and hands the gate sockets of the network
 * namespace that the process is in (policy/inside.h). Closes gate_fd. CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE.
 */
stage_fn stage_gate;

/* Hands the gate so many more sockets that are bound nowhere. Needs nothing but the network namespace. */
ATTR_CHECKED int stage_gate_stock(int gate_fd, size_t count, struct error *err);

/* The gate's own filter, for a process that will serve the gate and nothing else. */
stage_fn stage_filter_gate;

/* Drops every capability from every set and proves it. capabilities(7). */
stage_fn stage_caps;

/* Own session (with a terminal: own group in init's), default signal dispositions, empty mask, umask 022, nice 0 or worse. */
stage_fn stage_process;

/* The sandbox directory becomes the working directory; fails unless that is inside the new root. */
stage_fn stage_workdir;

/* The relay's pipe ends, and the terminal, become 0, 1 and 2; every other descriptor is closed on exec. */
stage_fn stage_stdio;

/* setrlimit(2): files, file size, cores, and what no cgroup holds. */
stage_fn stage_rlimit;

/*
 * no_new_privs and the task's seccomp filter; also proves that it bites. With `observe`, calls that are refused
 * with EPERM wait for whoever holds listener_fd to say so; where the kernel gives no listener (one filter in a
 * process's chain may have one), listener_errnum says why and the kernel refuses them itself.
 */
stage_fn stage_filter;

/* Whether a call that a narrower filter refused would pass with --filter default. */
bool stage_filter_default_allows(const struct seccomp_data *data);

/* init's own filter, loaded after it forked the task. */
stage_fn stage_filter_init;

#endif
