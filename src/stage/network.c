#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sched.h>

#include "stage/stage.h"

/* lo is the first interface of every network namespace. */
#define LOOPBACK_INDEX 1

int stage_network(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	(void)policy;
	if (unshare(CLONE_NEWNET) < 0)
		return error_set(err, "net", errno, "make a network namespace");
	/* Of the host's /proc: ours may not be there yet. */
	ctx->net_fd = openat(ctx->host_proc_fd, "self/ns/net", O_RDONLY | O_CLOEXEC);
	return ctx->net_fd < 0 ? error_set(err, "net", errno, "open the network namespace") : 0;
}

int stage_loopback(const struct policy *policy, struct stage_ctx *ctx, struct error *err)
{
	struct ifinfomsg up = {.ifi_family = AF_UNSPEC,
			       .ifi_index = LOOPBACK_INDEX,
			       .ifi_flags = IFF_UP,
			       .ifi_change = IFF_UP};
	struct nl_sock *sk = nl_socket_alloc();
	int r;

	(void)policy;
	(void)ctx;
	if (sk == NULL)
		return error_set(err, "net", 0, "netlink socket: out of memory");
	r = nl_connect(sk, NETLINK_ROUTE);
	if (r == 0)
		r = nl_send_simple(sk, RTM_NEWLINK, NLM_F_ACK, &up, sizeof(up));
	if (r >= 0)
		r = nl_wait_for_ack(sk);
	nl_socket_free(sk);
	return r < 0 ? error_set(err, "net", 0, "bring up lo: %s", nl_geterror(r)) : 0;
}
