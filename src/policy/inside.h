/*
 * What the gate is handed from inside the task's network namespace: sockets, over a SOCK_SEQPACKET pair (base/fdpass.h).
 * The stage that makes them and the gate that uses them have only this in common.
 */
#ifndef CAPSULE_POLICY_INSIDE_H
#define CAPSULE_POLICY_INSIDE_H

#include "policy/allow.h"

enum inside_tag {
	INSIDE_NAMES,	/* the name server's sockets: UDP, then TCP, which listens */
	INSIDE_PACKETS, /* raw sockets that show what is tried: by TCP and UDP, over IPv4 and then IPv6 */
	INSIDE_LISTENERS, /* sockets that listen on literal addresses that are allowed */
	INSIDE_STOCK,	/* IPv4 TCP sockets that are bound nowhere, for names */
	INSIDE_READY,	/* no sockets, either way: that was all; the gate is ready */
	INSIDE_MORE,	/* from the gate to init: a stock is wanted */
};

/* The name server's own address. Those of names follow it. */
#define INSIDE_SERVER "198.18.0.1"
#define INSIDE_SERVER_ADDRESS 0xc6120001U
#define INSIDE_FIRST_NAME 0xc6120002U

#define INSIDE_PACKET_KINDS 4U

/* How many sockets a message of a stock holds. */
#define INSIDE_STOCK_COUNT 32U

#endif
