/* Descriptors over a SOCK_SEQPACKET pair, a few at a time, with one byte that says what they are. */
#ifndef CAPSULE_BASE_FDPASS_H
#define CAPSULE_BASE_FDPASS_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define FDPASS_MAX 64

/* Sends count descriptors (0 to FDPASS_MAX), which stay the caller's. 0 or -errno. Waits while the peer has a whole
 * buffer unread. */
ATTR_CHECKED int fdpass_send(int fd, uint8_t tag, const int *fds, size_t count);

/* Receives one message without waiting. 1: *ret_tag is what was sent, and the first *ret_count of fds (FDPASS_MAX of
 * them) are the caller's. 0: the peer is gone. -EAGAIN: nothing there. -EBADMSG: not a message of this kind. */
ATTR_CHECKED int fdpass_receive(int fd, uint8_t *ret_tag, int *fds, size_t *ret_count);

#endif
