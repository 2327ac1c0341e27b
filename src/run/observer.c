#include "run/observer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/fd.h"

/* Linux 6.6; not in Debian 12's headers. */
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS	   SECCOMP_IOW(4, __u64)
#endif

/* A newer kernel's structs may be longer. */
union request {
	struct seccomp_notif notif;
	char room[256];
};
union response {
	struct seccomp_notif_resp resp;
	char room[128];
};

bool observer_is_possible(struct refusals *refusals)
{
	struct seccomp_notif_sizes sizes = {0};

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		refusals->errnum = errno;
	else if (sizes.seccomp_notif > sizeof(union request) ||
		 sizes.seccomp_notif_resp > sizeof(union response) ||
		 sizes.seccomp_data < sizeof(struct seccomp_data))
		refusals->errnum = E2BIG;
	else
		return true;
	refusals->state = REFUSALS_UNOBSERVED;
	return false;
}

void observer_start(struct observer *observer, int listener_fd, struct refusals *refusals)
{
	observer->listener_fd = listener_fd;
	observer->budget = OBSERVER_BUDGET;
	refusals->state = REFUSALS_OBSERVED;
	refusals->errnum = 0;
	/* Each side waits for the other: who wakes hands its CPU over. An older kernel only takes
	 * longer. */
	(void)ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

/* The thread's name, unless it has gone and its number may be another's. */
static void read_name(const struct observer *observer, const struct seccomp_notif *notif, char *buf,
		      size_t size)
{
	char path[32];
	__u64 id = notif->id;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%u/comm", notif->pid);
	n = notif->pid == 0 ? -ESRCH : fd_read_file_at(AT_FDCWD, path, buf, size);
	if (n <= 0 || ioctl(observer->listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0)
		buf[0] = '\0';
	else if (buf[n - 1] == '\n')
		buf[n - 1] = '\0';
}

/* One refusal. 0, or -errno where there will be no other. */
static int answer_one(struct observer *observer, struct refusals *refusals)
{
	union request request;
	union response response;
	char name[REFUSAL_PROCESS_MAX + 1];

	memset(&request, 0, sizeof(request));
	memset(&response, 0, sizeof(response));
	/* ENOENT: killed, or a signal's handler comes first. */
	if (ioctl(observer->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
		return errno == ENOENT || errno == EINTR ? 0 : -errno;
	refusals->total++;
	if (observer->budget > 0) {
		observer->budget--;
		read_name(observer, &request.notif, name, sizeof(name));
		refusals_record(refusals, &request.notif.data, name);
	}
	response.resp.id = request.notif.id;
	response.resp.error = -EPERM;
	if (ioctl(observer->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0 &&
	    errno != ENOENT)
		return -errno;
	return 0;
}

void observer_run(struct observer *observer, struct refusals *refusals)
{
	for (unsigned int i = 0; i < OBSERVER_TURN && observer->listener_fd >= 0; i++) {
		struct pollfd fd = {.fd = observer->listener_fd, .events = POLLIN};

		/* Without that, receiving would wait; with it never: a withdrawn request stays
		 * counted. */
		if (poll(&fd, 1, 0) <= 0)
			return;
		/* Nobody has the filter any more; or something is wrong, and the kernel refuses
		 * alone. */
		if ((fd.revents & POLLIN) == 0 || answer_one(observer, refusals) < 0)
			close_fd(&observer->listener_fd);
	}
}

void observer_fini(struct observer *observer)
{
	close_fd(&observer->listener_fd);
}
