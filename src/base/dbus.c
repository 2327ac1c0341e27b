#include "base/dbus.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "messages are written as the host has them");

#define HEADER_LEN 16
#define FIELDS_MAX 4096

enum field { FIELD_PATH = 1, FIELD_INTERFACE, FIELD_MEMBER, FIELD_ERROR, FIELD_REPLY_SERIAL, FIELD_SIGNATURE = 8 };

static void put(struct dbus_writer *writer, const void *data, size_t len)
{
	if (len > sizeof(writer->data) - writer->len) {
		writer->full = true;
		return;
	}
	memcpy(writer->data + writer->len, data, len);
	writer->len += len;
}

static size_t padding(size_t at, size_t to)
{
	return (to - at % to) % to;
}

void dbus_put_align(struct dbus_writer *writer, size_t to)
{
	static const unsigned char zeros[8];

	put(writer, zeros, padding(writer->len, to));
}

void dbus_put_u32(struct dbus_writer *writer, uint32_t value)
{
	dbus_put_align(writer, sizeof(value));
	put(writer, &value, sizeof(value));
}

void dbus_put_string(struct dbus_writer *writer, const char *text)
{
	dbus_put_u32(writer, (uint32_t)strlen(text));
	put(writer, text, strlen(text) + 1);
}

void dbus_put_signature(struct dbus_writer *writer, const char *signature)
{
	const unsigned char len = (unsigned char)strlen(signature);

	put(writer, &len, 1);
	put(writer, signature, strlen(signature) + 1);
}

size_t dbus_put_array_begin(struct dbus_writer *writer)
{
	size_t mark;

	dbus_put_u32(writer, 0);
	mark = writer->len;
	/* This padding is there in an empty array too, and does not count in its length. */
	dbus_put_align(writer, 8);
	return mark;
}

void dbus_put_array_end(struct dbus_writer *writer, size_t mark)
{
	uint32_t len = (uint32_t)(writer->len - mark - padding(mark, 8));

	if (!writer->full)
		memcpy(writer->data + mark - sizeof(len), &len, sizeof(len));
}

/* The next len bytes at the alignment, or NULL. */
static const unsigned char *get(struct dbus_reader *reader, size_t align, size_t len)
{
	size_t start = reader->at + padding(reader->at, align);

	if (start > reader->len || len > reader->len - start)
		return NULL;
	reader->at = start + len;
	return reader->data + start;
}

int dbus_get_u32(struct dbus_reader *reader, uint32_t *ret)
{
	const unsigned char *data = get(reader, sizeof(*ret), sizeof(*ret));

	if (data == NULL)
		return -EPROTO;
	memcpy(ret, data, sizeof(*ret));
	return 0;
}

static int get_text(struct dbus_reader *reader, size_t len, const char **ret)
{
	const unsigned char *data = len == SIZE_MAX ? NULL : get(reader, 1, len + 1);

	if (data == NULL || memchr(data, '\0', len + 1) != data + len)
		return -EPROTO;
	*ret = (const char *)data;
	return 0;
}

int dbus_get_string(struct dbus_reader *reader, const char **ret)
{
	uint32_t len;
	int r = dbus_get_u32(reader, &len);

	return r < 0 ? r : get_text(reader, len, ret);
}

static int get_signature(struct dbus_reader *reader, const char **ret)
{
	const unsigned char *len = get(reader, 1, 1);

	return len == NULL ? -EPROTO : get_text(reader, *len, ret);
}

static void keep(char *to, size_t size, const char *text)
{
	(void)snprintf(to, size, "%.*s", (int)size - 1, text);
}

/* One field: a struct of a code and a variant. */
static int parse_field(struct dbus_reader *reader, struct dbus_message *ret)
{
	const unsigned char *code = get(reader, 8, 1);
	const char *type;
	const char *text = "";
	uint32_t number = 0;
	int r = code == NULL ? -EPROTO : get_signature(reader, &type);

	if (r < 0)
		return r;
	if (strcmp(type, "s") == 0 || strcmp(type, "o") == 0)
		r = dbus_get_string(reader, &text);
	else if (strcmp(type, "u") == 0)
		r = dbus_get_u32(reader, &number);
	else if (strcmp(type, "g") == 0)
		r = get_signature(reader, &text);
	else
		r = -EPROTO;
	if (r < 0)
		return r;
	if (*code == FIELD_MEMBER)
		keep(ret->member, sizeof(ret->member), text);
	else if (*code == FIELD_ERROR)
		keep(ret->error, sizeof(ret->error), text);
	else if (*code == FIELD_REPLY_SERIAL)
		ret->reply_serial = number;
	return 0;
}

int dbus_parse_fields(const unsigned char *fields, size_t len, struct dbus_message *ret)
{
	struct dbus_reader reader = {.data = fields, .len = len};
	int r = 0;

	ret->reply_serial = 0;
	ret->member[0] = ret->error[0] = '\0';
	while (r == 0 && reader.at < reader.len)
		r = parse_field(&reader, ret);
	return r;
}

static int wait_for(int fd, short events, uint64_t deadline_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};
	uint64_t now = clock_ms();
	int n;

	if (now >= deadline_ms)
		return -ETIMEDOUT;
	n = poll(&poll_fd, 1, (int)(deadline_ms - now));
	if (n < 0 && errno != EINTR)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

static int send_all(int fd, const void *data, size_t len, uint64_t deadline_ms)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (n >= 0) {
			p += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_for(fd, POLLOUT, deadline_ms);
		if (r < 0)
			return r;
	}
	return 0;
}

static int receive_all(int fd, void *data, size_t len, uint64_t deadline_ms)
{
	char *p = data;

	while (len > 0) {
		ssize_t n = recv(fd, p, len, MSG_DONTWAIT);
		int r;

		if (n == 0)
			return -ECONNRESET;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_for(fd, POLLIN, deadline_ms);
		if (r < 0)
			return r;
	}
	return 0;
}

/* EXTERNAL: the kernel tells the other end who we are; what is sent is the same uid in hexadecimal digits. */
static int authenticate(int fd, uint64_t deadline_ms)
{
	char uid[16];
	char text[64];
	char answer[128];
	size_t len = (size_t)snprintf(text, sizeof(text), "%cAUTH EXTERNAL ", '\0');
	int r;

	(void)snprintf(uid, sizeof(uid), "%u", geteuid());
	for (const char *digit = uid; *digit != '\0'; digit++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%02x", (unsigned char)*digit);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n");
	r = send_all(fd, text, len, deadline_ms);
	for (len = 0; r == 0 && (len == 0 || answer[len - 1] != '\n'); len++)
		r = len < sizeof(answer) ? receive_all(fd, answer + len, 1, deadline_ms) : -EPROTO;
	if (r == 0 && (len < 3 || memcmp(answer, "OK ", 3) != 0))
		r = -EACCES;
	return r < 0 ? r : send_all(fd, "BEGIN\r\n", strlen("BEGIN\r\n"), deadline_ms);
}

int dbus_connect(const char *path, uint64_t deadline_ms)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = authenticate(fd, deadline_ms);
	return r < 0 ? r : take_fd(&fd);
}

static void put_field(struct dbus_writer *writer, enum field field, const char *type, const char *text)
{
	const unsigned char code = (unsigned char)field;

	dbus_put_align(writer, 8);
	put(writer, &code, 1);
	dbus_put_signature(writer, type);
	if (strcmp(type, "g") == 0)
		dbus_put_signature(writer, text);
	else
		dbus_put_string(writer, text);
}

int dbus_call(int fd, uint32_t serial, const char *object, const char *interface, const char *member,
	      const char *signature, const struct dbus_writer *body, uint64_t deadline_ms)
{
	struct dbus_writer head = {.len = 0};
	size_t mark;
	int r;

	put(&head, (const unsigned char[]){'l', DBUS_CALL, 0, 1}, 4);
	dbus_put_u32(&head, (uint32_t)body->len);
	dbus_put_u32(&head, serial);
	mark = dbus_put_array_begin(&head);
	put_field(&head, FIELD_PATH, "o", object);
	put_field(&head, FIELD_INTERFACE, "s", interface);
	put_field(&head, FIELD_MEMBER, "s", member);
	put_field(&head, FIELD_SIGNATURE, "g", signature);
	dbus_put_array_end(&head, mark);
	dbus_put_align(&head, 8);
	if (head.full || body->full)
		return -EMSGSIZE;
	r = send_all(fd, head.data, head.len, deadline_ms);
	return r < 0 ? r : send_all(fd, body->data, body->len, deadline_ms);
}

int dbus_receive(int fd, struct dbus_message *ret, uint64_t deadline_ms)
{
	unsigned char fields[FIELDS_MAX];
	unsigned char head[HEADER_LEN];
	uint32_t body_len;
	uint32_t fields_len;
	int r = receive_all(fd, head, sizeof(head), deadline_ms);

	if (r < 0)
		return r;
	memcpy(&body_len, head + 4, sizeof(body_len));
	memcpy(&fields_len, head + 12, sizeof(fields_len));
	if (head[0] != 'l' || head[1] < DBUS_CALL || head[1] > DBUS_SIGNAL || head[3] != 1 ||
	    fields_len > sizeof(fields) - 8)
		return -EPROTO;
	ret->type = head[1];
	r = receive_all(fd, fields, fields_len + padding(fields_len, 8), deadline_ms);
	if (r == 0)
		r = dbus_parse_fields(fields, fields_len, ret);
	ret->body_len = body_len <= sizeof(ret->body) ? body_len : 0;
	/* A long body, which is nothing for us, is read over. */
	while (r == 0 && body_len > sizeof(ret->body)) {
		r = receive_all(fd, ret->body, sizeof(ret->body), deadline_ms);
		body_len -= (uint32_t)sizeof(ret->body);
	}
	return r < 0 ? r : receive_all(fd, ret->body, body_len, deadline_ms);
}
