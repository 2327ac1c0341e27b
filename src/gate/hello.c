#include "gate/hello.h"

#include <string.h>

#define RECORD_HANDSHAKE 22
#define CLIENT_HELLO 1
#define RECORD_MAX 16384
#define EXTENSION_NAME 0
#define EXTENSION_ECH 0xfe0d
#define EXTENSION_ECH_OUTER 0xfd00
#define EXTENSION_ESNI 0xffce

/* What is left to be read; a read past the end makes it bad, and then everything reads as 0. */
struct cursor {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static const uint8_t *take(struct cursor *c, size_t n)
{
	const uint8_t *at = c->at;

	if (c->bad || n > c->left) {
		c->bad = true;
		return NULL;
	}
	c->at += n;
	c->left -= n;
	return at;
}

static size_t number(struct cursor *c, unsigned int bytes)
{
	const uint8_t *p = take(c, bytes);
	size_t value = 0;

	for (unsigned int i = 0; i < bytes && p != NULL; i++)
		value = value << 8 | p[i];
	return value;
}

/* A vector whose length stands before it, in that many bytes. */
static struct cursor vector(struct cursor *c, unsigned int bytes)
{
	struct cursor inner = {.left = number(c, bytes)};

	inner.at = take(c, inner.left);
	inner.bad = c->bad;
	if (inner.bad)
		inner.left = 0;
	return inner;
}

static bool parse_names(struct cursor extension, struct hello *ret)
{
	struct cursor list = vector(&extension, 2);

	if (list.bad || extension.left != 0)
		return false;
	while (list.left > 0) {
		size_t type = number(&list, 1);
		struct cursor name = vector(&list, 2);

		/* One name of one type is all that there is. */
		if (name.bad || type != 0 || ret->has_name ||
		    !allow_normalize((const char *)name.at, name.left, ret->name))
			return false;
		ret->has_name = true;
	}
	return ret->has_name;
}

static bool parse_extensions(struct cursor list, struct hello *ret)
{
	bool seen = false;

	while (list.left > 0) {
		size_t type = number(&list, 2);
		struct cursor extension = vector(&list, 2);

		if (extension.bad)
			return false;
		if (type == EXTENSION_ECH || type == EXTENSION_ECH_OUTER || type == EXTENSION_ESNI)
			ret->is_encrypted = true;
		if (type == EXTENSION_NAME) {
			if (seen || !parse_names(extension, ret))
				return false;
			seen = true;
		}
	}
	return !list.bad;
}

static bool parse_hello(struct cursor body, struct hello *ret)
{
	struct cursor part;

	(void)take(&body, 2 + 32); /* version, random */
	part = vector(&body, 1);   /* session */
	if (part.bad)
		return false;
	part = vector(&body, 2); /* ciphers */
	if (part.bad)
		return false;
	part = vector(&body, 1); /* compression */
	if (part.bad)
		return false;
	if (body.left == 0)
		return true;
	part = vector(&body, 2);
	return !part.bad && body.left == 0 && parse_extensions(part, ret);
}

enum hello_state hello_parse(const uint8_t *data, size_t len, struct hello *ret)
{
	uint8_t message[HELLO_MAX];
	size_t used = 0;
	size_t pos = 0;
	struct hello hello = {.has_name = false};

	if (len > 0 && data[0] != RECORD_HANDSHAKE)
		return HELLO_NONE;
	if (len > 1 && data[1] != 3)
		return HELLO_NONE;
	/* The message may be spread over records. */
	for (;;) {
		size_t record;
		size_t whole;

		if (len - pos < 5)
			return len >= HELLO_MAX ? HELLO_MALFORMED : HELLO_PART;
		record = (size_t)data[pos + 3] << 8 | data[pos + 4];
		if (data[pos] != RECORD_HANDSHAKE || data[pos + 1] != 3 || record == 0 || record > RECORD_MAX)
			return HELLO_MALFORMED;
		if (record > len - pos - 5)
			record = len - pos - 5;
		if (record > sizeof(message) - used)
			return HELLO_MALFORMED;
		memcpy(message + used, data + pos + 5, record);
		used += record;
		if (used > 0 && message[0] != CLIENT_HELLO)
			return HELLO_MALFORMED;
		if (used >= 4) {
			struct cursor body = {.at = message + 4};

			whole = (size_t)message[1] << 16 | (size_t)message[2] << 8 | message[3];
			if (whole + 4 > sizeof(message) - 512)
				return HELLO_MALFORMED;
			if (used >= whole + 4) {
				body.left = whole;
				if (!parse_hello(body, &hello))
					return HELLO_MALFORMED;
				*ret = hello;
				return HELLO_WHOLE;
			}
		}
		pos += 5 + ((size_t)data[pos + 3] << 8 | data[pos + 4]);
		if (pos >= len)
			return len >= HELLO_MAX ? HELLO_MALFORMED : HELLO_PART;
	}
}
