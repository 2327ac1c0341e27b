/*
 * As much of D-Bus as one method call needs, over a socket at whose other end the called program itself
 * is (systemd's private sockets): no bus daemon, no addresses, no descriptors. Every wait has a deadline.
 *
 * Ours, and no library: libdbus doubles the static program and costs every start 45 us of relocations, its
 * connect() can block, and what it links to (libsystemd, as sd-bus itself) has no static archive.
 *
 * D-Bus Specification 0.38, "Message Protocol" and "Authentication Protocol".
 */
#ifndef CAPSULE_BASE_DBUS_H
#define CAPSULE_BASE_DBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum dbus_type { DBUS_CALL = 1, DBUS_RETURN = 2, DBUS_ERROR = 3, DBUS_SIGNAL = 4 };

/* A message that is being written. What does not fit sets `full`, and it is not sent. */
struct dbus_writer {
	unsigned char data[1024];
	size_t len;
	bool full;
};

/* Pads to a multiple of `to`, which starts a struct (8). */
void dbus_put_align(struct dbus_writer *writer, size_t to);
void dbus_put_u32(struct dbus_writer *writer, uint32_t value);
void dbus_put_string(struct dbus_writer *writer, const char *text);
/* A type signature, as it stands before a variant's value. */
void dbus_put_signature(struct dbus_writer *writer, const char *signature);
/* An array of structs: begin returns a mark that end takes, to fill in the length. */
size_t dbus_put_array_begin(struct dbus_writer *writer);
void dbus_put_array_end(struct dbus_writer *writer, size_t mark);

/* What is read of a message: the peer may be hostile, so every step checks. */
struct dbus_reader {
	const unsigned char *data;
	size_t len;
	size_t at;
};

/* The next value of a body. 0, or -EPROTO when it is not there whole. Text is terminated and stays in the body. */
ATTR_CHECKED int dbus_get_u32(struct dbus_reader *reader, uint32_t *ret);
ATTR_CHECKED int dbus_get_string(struct dbus_reader *reader, const char **ret);

struct dbus_message {
	enum dbus_type type;
	uint32_t reply_serial; /* of a return or an error; else 0 */
	char member[64];       /* of a signal; cut when longer */
	char error[96];	       /* name of an error; cut when longer */
	size_t body_len;       /* 0 for a body that is longer than there is room */
	unsigned char body[2048];
};

/* Fills a message from the array of its header's fields. 0 or -EPROTO. */
ATTR_CHECKED int dbus_parse_fields(const unsigned char *fields, size_t len, struct dbus_message *ret);

/*
 * Connects to a socket and authenticates as the caller's uid. Returns a non-blocking descriptor, or -errno: ENOENT
 * and ECONNREFUSED when nobody is there, EAGAIN when he does not take connections, EACCES when he refuses us,
 * ETIMEDOUT at deadline_ms (clock_ms()'s).
 */
ATTR_CHECKED int dbus_connect(const char *path, uint64_t deadline_ms);

/* Sends a method call; its answer will have this serial. 0 or -errno. */
ATTR_CHECKED int dbus_call(int fd, uint32_t serial, const char *object, const char *interface, const char *member,
			   const char *signature, const struct dbus_writer *body, uint64_t deadline_ms);

/* Reads the next message. 0 or -errno: EPROTO for what is none, ECONNRESET at the end, ETIMEDOUT. */
ATTR_CHECKED int dbus_receive(int fd, struct dbus_message *ret, uint64_t deadline_ms);

#endif
