#include "gate/http.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define LINE_MAX_BYTES 8192

/* A part of the bytes at hand. */
struct span {
	const char *at;
	size_t len;
};

struct head {
	struct span method;
	struct span target;
	bool is_10; /* HTTP/1.0 */
	unsigned int hosts;
	unsigned int lengths;
	unsigned int encodings;
	struct span host;
	uint64_t length;
	bool upgrades;
};

static bool is_token_char(unsigned char c)
{
	return c > 0x20 && c < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;
}

static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_token_char((unsigned char)s.at[i]))
			return false;
	return s.len > 0;
}

static bool equals(struct span s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

/* Equal, but for "_" in place of "-": what gateways that make variables of headers can't tell apart. */
static bool looks_like(struct span s, const char *word)
{
	if (s.len != strlen(word))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i] == '_' ? '-' : (char)tolower((unsigned char)s.at[i]);

		if (c != tolower((unsigned char)word[i]))
			return false;
	}
	return true;
}

static bool contains(struct span s, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= s.len; i++)
		if (strncasecmp(s.at + i, word, n) == 0)
			return true;
	return false;
}

static struct span trim(struct span s)
{
	while (s.len > 0 && (*s.at == ' ' || *s.at == '\t')) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* The bytes before c, which are taken off with it. False when there is no c. */
static bool cut(struct span *s, char c, struct span *ret)
{
	const char *found = s->len == 0 ? NULL : memchr(s->at, c, s->len);

	if (found == NULL)
		return false;
	ret->at = s->at;
	ret->len = (size_t)(found - s->at);
	s->len -= ret->len + 1;
	s->at = found + 1;
	return true;
}

int http_detect(const uint8_t *data, size_t len)
{
	size_t i = 0;
	const uint8_t *end;

	/* Servers skip empty lines before a request. */
	while (i < len && (data[i] == '\r' || data[i] == '\n'))
		i++;
	if (i == len)
		return len < LINE_MAX_BYTES ? -EAGAIN : 0;
	data += i;
	len -= i;
	for (i = 0; i < len && is_token_char(data[i]); i++)
		;
	if (i == 0 || (i < len && data[i] != ' ' && data[i] != '\t'))
		return 0;
	/* A request's line has the protocol in it, whatever else a lenient server makes of it. */
	end = memchr(data, '\n', len);
	if (contains((struct span){(const char *)data, end != NULL ? (size_t)(end - data) : len}, "HTTP/"))
		return 1;
	return end != NULL ? 0 : len < HTTP_HEAD_MAX ? -EAGAIN : 0;
}

/* HOST[:PORT], which must be what was asked for. */
static const char *judge_authority(struct http *http, struct span authority, const char *name, uint16_t port)
{
	char normal[ALLOW_NAME_MAX + 1];
	struct span rest = authority;
	struct span host = authority;
	size_t n;

	if (authority.len > 0 && authority.at[0] == '[') {
		if (!cut(&rest, ']', &host))
			return "a host that is not understood";
		host.at++;
		host.len--;
		if (rest.len > 0 && *rest.at != ':')
			return "a host that is not understood";
		rest.at += rest.len > 0;
		rest.len -= rest.len > 0;
	} else if (!cut(&rest, ':', &host)) {
		rest.len = 0;
	}
	if (allow_normalize(host.at, host.len, normal)) {
		http->named_other = strcmp(normal, name) != 0;
		(void)snprintf(http->other, sizeof(http->other), "%s", normal);
		if (http->named_other)
			return "a request for another host";
	} else if (host.len != strlen(name) || strncasecmp(host.at, name, host.len) != 0) {
		return "a host that is not understood";
	}
	if (rest.len > 0) {
		char digits[8];
		uint64_t number = 0;

		n = rest.len < sizeof(digits) ? rest.len : 0;
		memcpy(digits, rest.at, n);
		digits[n] = '\0';
		if (n == 0 || text_parse_u64(digits, &number) < 0 || number != port)
			return "a request for another port";
	}
	return NULL;
}

static const char *judge_target(struct http *http, const struct head *head, const char *name, uint16_t port)
{
	struct span target = head->target;
	struct span authority;
	size_t scheme;

	for (size_t i = 0; i < target.len; i++)
		if ((unsigned char)target.at[i] <= 0x20 || target.at[i] == 0x7f)
			return "a request's target that is not understood";
	if (target.len > 0 && target.at[0] == '/')
		return NULL;
	if (equals(target, "*") && equals(head->method, "OPTIONS"))
		return NULL;
	scheme = target.len > 7 && strncasecmp(target.at, "http://", 7) == 0    ? 7
		 : target.len > 8 && strncasecmp(target.at, "https://", 8) == 0 ? 8
										 : 0;
	if (scheme == 0)
		return "a request's target that is not understood";
	target.at += scheme;
	target.len -= scheme;
	authority = target;
	for (authority.len = 0; authority.len < target.len && strchr("/?#", target.at[authority.len]) == NULL;)
		authority.len++;
	return judge_authority(http, authority, name, port);
}

static const char *parse_request_line(struct span line, struct head *head)
{
	if (!cut(&line, ' ', &head->method) || !cut(&line, ' ', &head->target) || !is_token(head->method) ||
	    head->target.len == 0)
		return "a request's line that is not understood";
	if (head->method.len >= HTTP_METHOD_MAX)
		return "a method that is too long";
	head->is_10 = line.len == 8 && memcmp(line.at, "HTTP/1.0", 8) == 0;
	if (!head->is_10 && (line.len != 8 || memcmp(line.at, "HTTP/1.1", 8) != 0))
		return "another version than HTTP/1.0 and 1.1";
	if (equals(head->method, "CONNECT"))
		return "CONNECT: the host is to be no proxy";
	return NULL;
}

static const char *parse_field(struct span line, struct head *head)
{
	struct span name;
	struct span value = line;
	char digits[20];

	if (!cut(&value, ':', &name) || !is_token(name))
		return "a header that is not understood";
	value = trim(value);
	for (size_t i = 0; i < value.len; i++)
		if (((unsigned char)value.at[i] < 0x20 && value.at[i] != '\t') || value.at[i] == 0x7f)
			return "a header that is not understood";
	if (equals(name, "Host")) {
		head->hosts++;
		head->host = value;
	} else if (looks_like(name, "Content-Length")) {
		head->lengths++;
		if (!equals(name, "Content-Length") || value.len == 0 || value.len >= sizeof(digits))
			return "a length that is not understood";
		memcpy(digits, value.at, value.len);
		digits[value.len] = '\0';
		if (text_parse_u64(digits, &head->length) < 0)
			return "a length that is not understood";
	} else if (looks_like(name, "Transfer-Encoding")) {
		head->encodings++;
		if (!equals(name, "Transfer-Encoding") || !equals(value, "chunked"))
			return "another transfer encoding than chunked";
	} else if (equals(name, "Upgrade")) {
		head->upgrades = true;
		if (contains(value, "h2c"))
			return "an upgrade to HTTP/2, which is not judged";
	}
	return NULL;
}

/* The head is whole, with its last empty line. */
static const char *parse_head(struct http *http, struct span rest, const char *name, uint16_t port,
			      struct head *head)
{
	struct span line;
	const char *why;
	bool first = true;

	while (cut(&rest, '\n', &line)) {
		if (line.len == 0 || line.at[line.len - 1] != '\r' || memchr(line.at, '\r', line.len - 1) != NULL)
			return "a line that does not end in CR and LF";
		line.len--;
		if (line.len == 0)
			break;
		why = first ? parse_request_line(line, head) : parse_field(line, head);
		if (why == NULL && first)
			why = judge_target(http, head, name, port);
		if (why != NULL)
			return why;
		first = false;
	}
	if (head->hosts > 1 || head->lengths > 1 || head->encodings > 1)
		return "the same header twice";
	if (head->hosts == 0 && !head->is_10)
		return "no Host";
	if (head->encodings > 0 && (head->lengths > 0 || head->is_10))
		return "two ways to tell where a request ends";
	return head->hosts > 0 ? judge_authority(http, head->host, name, port) : NULL;
}

static void note_request(struct http *http, const struct head *head)
{
	struct span path = head->target;
	size_t n = 0;

	(void)snprintf(http->method, sizeof(http->method), "%.*s", (int)head->method.len, head->method.at);
	for (; n < path.len && n < HTTP_PATH_MAX - 1 && path.at[n] != '?' && path.at[n] != '#'; n++)
		http->path[n] = (unsigned char)path.at[n] < 0x7f ? path.at[n] : '?';
	http->path[n] = '\0';
	http->requests++;
}

/* The length of the head that data starts with, up to and with its empty line; 0 when that has not come. */
static size_t head_length(const uint8_t *data, size_t len)
{
	size_t blank = 0;

	for (const uint8_t *p = data; (p = memchr(p, '\n', len - (size_t)(p - data))) != NULL; p++) {
		size_t here = (size_t)(p - data) + 1;

		/* An empty line, or one that only lenient servers take for empty: parse_head() refuses that. */
		if (here - blank == 1 || (here - blank == 2 && p[-1] == '\r'))
			return here;
		blank = here;
	}
	return 0;
}

static ssize_t judge_head(struct http *http, const uint8_t *data, size_t len, const char *name, uint16_t port,
			  const char **ret_why)
{
	struct head head = {.is_10 = false};
	size_t n;

	/* An empty line between two requests. */
	if (len >= 2 && data[0] == '\r' && data[1] == '\n')
		return 2;
	if (len == 1 && data[0] == '\r')
		return 0;
	n = head_length(data, len);
	if (n == 0) {
		if (len < HTTP_HEAD_MAX)
			return 0;
		*ret_why = "a request's head that is too long";
		return -EPERM;
	}
	if (memchr(data, '\0', n) != NULL)
		*ret_why = "a NUL byte in a request's head";
	else
		*ret_why = parse_head(http, (struct span){(const char *)data, n}, name, port, &head);
	if (*ret_why == NULL && head.upgrades && http->requests > 0)
		*ret_why = "an upgrade of a connection that had other requests";
	if (*ret_why != NULL)
		return -EPERM;
	note_request(http, &head);
	http->left = head.length;
	http->state = head.encodings > 0 ? HTTP_CHUNK_SIZE : head.length > 0 ? HTTP_BODY : HTTP_HEAD;
	if (head.upgrades) {
		if (http->state != HTTP_HEAD) {
			*ret_why = "an upgrade with a body";
			return -EPERM;
		}
		http->state = HTTP_UPGRADE;
	}
	return (ssize_t)n;
}

/* A line of the chunked coding: SIZE[;EXTENSIONS], or a trailer. */
static ssize_t judge_line(struct http *http, const uint8_t *data, size_t len, const char **ret_why)
{
	const uint8_t *end = memchr(data, '\n', len < LINE_MAX_BYTES ? len : LINE_MAX_BYTES);
	size_t n;
	size_t digits = 0;
	uint64_t size = 0;

	if (end == NULL && len < LINE_MAX_BYTES)
		return 0;
	n = end == NULL ? 0 : (size_t)(end - data);
	*ret_why = "a chunk that is not understood";
	if (n == 0 || data[n - 1] != '\r' || memchr(data, '\r', n - 1) != NULL || memchr(data, '\0', n) != NULL)
		return -EPERM;
	if (http->state == HTTP_TRAILER) {
		/* Whatever a trailer says, it can't say where the request ends. */
		if (n == 1)
			http->state = HTTP_HEAD;
		return (ssize_t)n + 1;
	}
	for (; digits < n - 1 && isxdigit(data[digits]) && digits < 15; digits++) {
		int c = tolower(data[digits]);

		size = size << 4 | (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	if (digits == 0 || (digits < n - 1 && data[digits] != ';'))
		return -EPERM;
	http->left = size;
	http->state = size == 0 ? HTTP_TRAILER : HTTP_CHUNK_DATA;
	return (ssize_t)n + 1;
}

static ssize_t judge_chunk(struct http *http, const uint8_t *data, size_t len, const char **ret_why)
{
	if (http->left > 0) {
		size_t n = len < http->left ? len : (size_t)http->left;

		http->left -= n;
		return (ssize_t)n;
	}
	if (len < 2)
		return 0;
	*ret_why = "a chunk that is not understood";
	if (data[0] != '\r' || data[1] != '\n')
		return -EPERM;
	http->state = HTTP_CHUNK_SIZE;
	return 2;
}

ssize_t http_judge(struct http *http, const uint8_t *data, size_t len, const char *name, uint16_t port,
		   const char **ret_why)
{
	size_t done = 0;

	http->named_other = false;
	while (done < len) {
		const uint8_t *at = data + done;
		size_t left = len - done;
		uint64_t requests = http->requests;
		ssize_t n = 0;

		switch (http->state) {
		case HTTP_HEAD:
			n = judge_head(http, at, left, name, port, ret_why);
			break;
		case HTTP_BODY:
			n = (ssize_t)(left < http->left ? left : (size_t)http->left);
			http->left -= (uint64_t)n;
			if (http->left == 0)
				http->state = HTTP_HEAD;
			break;
		case HTTP_CHUNK_SIZE:
		case HTTP_TRAILER:
			n = judge_line(http, at, left, ret_why);
			break;
		case HTTP_CHUNK_DATA:
			n = judge_chunk(http, at, left, ret_why);
			break;
		case HTTP_UPGRADE:
			break;
		case HTTP_OPAQUE:
			n = (ssize_t)left;
			break;
		}
		/* What was judged before goes out before the refusal. */
		if (n < 0)
			return done > 0 ? (ssize_t)done : n;
		done += (size_t)n;
		if (n == 0 || http->requests != requests)
			break;
	}
	return (ssize_t)done;
}

void http_answer(struct http *http, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len && http->state == HTTP_UPGRADE; i++) {
		if (http->skipping) {
			/* The end of an interim response: an empty line. */
			if (data[i] == '\n' && http->answer_len == 0) {
				http->skipping = false;
				continue;
			}
			http->answer_len = data[i] == '\n' ? 0 : data[i] == '\r' ? http->answer_len : 1;
			continue;
		}
		http->answer[http->answer_len++] = (char)data[i];
		if (http->answer_len < 12)
			continue;
		http->answer_len = 1;
		if (memcmp(http->answer, "HTTP/1.1 101", 12) == 0)
			http->state = HTTP_OPAQUE;
		else if (memcmp(http->answer, "HTTP/1.", 7) == 0 && http->answer[9] == '1')
			http->skipping = true;
		else
			http->state = HTTP_HEAD;
	}
}
