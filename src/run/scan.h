/*
 * What the processes of a sandbox use, read from its own /proc by the supervisor. Processes come and go
 * meanwhile; what can't be read makes a scan fail, and its caller takes that as over the limit.
 */
#ifndef CAPSULE_RUN_SCAN_H
#define CAPSULE_RUN_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct scan {
	bool count_memory; /* in: memory; else files that are deleted but open */
	dev_t disk_dev;	   /* in: where those count */
	dev_t shmem_dev;   /* in: scan_shmem_dev() */
	uint64_t own_bytes;    /* anonymous and file pages, shared ones in proportion */
	uint64_t shared_bytes; /* shared mappings and open memfds, at their full length */
	uint64_t memfd_bytes;  /* of these, what open memfds hold at least */
	bool hidden; /* there is shared memory whose size nothing shows: mapped without a descriptor, or its
		      * descriptor in a socket's queue */
	bool inet_sockets;     /* the network namespace has TCP or UDP sockets */
	uint64_t deleted_bytes;
	uint64_t deleted_inodes;
	void *seen;   /* files that were counted; the scan's own, as is the next */
	void *mapped; /* the kernel's own shared memory (memfds, shared anonymous memory) in any mapping */
};

/* The device of the kernel's own shared memory, or 0 when that can't be had. */
dev_t scan_shmem_dev(void);

/* Adds the resident sizes of all processes: an upper bound, cheap. False when something can't be read. */
bool scan_memory_bound(int proc_fd, uint64_t *sum);

/* Adds up as struct scan says. Exact when the processes are stopped. */
bool scan_exact(int proc_fd, struct scan *sum);

/* CPU time of the whole tree in ms, waited-for children included; and, unless NULL, whether anything but init neither
 * stands still nor has ended. */
bool scan_cpu(int proc_fd, uint64_t *ret_ms, bool *ret_awake);

/* Whether a signal is sent to the process and not delivered yet. */
bool scan_has_pending(int proc_fd, pid_t pid, int sig);

/* Calls fn with each process but init and the private memory that it has reserved (RLIMIT_DATA counts that), stacks
 * included. Those that can't be read are left out. */
void scan_data(int proc_fd, void (*fn)(pid_t pid, uint64_t data_bytes));

/* Adds the number of threads of all processes but init. False when something can't be read. */
bool scan_threads(int proc_fd, uint64_t *sum);

/* Shared memory, and memory of TCP and UDP sockets, of the whole host in bytes: no process shows it. */
uint64_t scan_host_shmem(void);
uint64_t scan_host_sockets(void);

#endif
