/* What a client may say in HTTP/1, and what it is refused; byte by byte and at once. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gate/http.h"

#define GET "GET / HTTP/1.1\r\nHost: a.test\r\n"
#define POST "POST /x HTTP/1.1\r\nHost: a.test\r\n"

/* How much of a text passes when it comes in pieces of that size; -EPERM when it is refused in the end. */
static ssize_t pass(struct http *http, const char *text, size_t piece, const char **ret_why)
{
	size_t len = strlen(text);
	size_t done = 0;

	memset(http, 0, sizeof(*http));
	for (size_t have = piece < len ? piece : len;; have = have + piece < len ? have + piece : len) {
		for (;;) {
			ssize_t n = http_judge(http, (const uint8_t *)text + done, have - done, "a.test", 80, ret_why);

			if (n < 0)
				return n;
			done += (size_t)n;
			if (n == 0)
				break;
		}
		if (have == len)
			return (ssize_t)done;
	}
}

static void test_passes(void **state)
{
	static const struct {
		const char *text;
		unsigned int requests;
		size_t held; /* bytes at the end that wait */
	} rows[] = {
	    {GET "\r\n", 1, 0},
	    {GET "\r\n" GET "\r\n", 2, 0},
	    {GET "\r\n\r\n" GET "\r\n", 2, 0},
	    {GET "\r\nGET / HT", 1, 8},
	    {"GET http://a.test/x HTTP/1.1\r\nHost: a.test:80\r\n\r\n", 1, 0},
	    {"GET http://A.TEST.:80?q HTTP/1.1\r\nHost: A.test\r\n\r\n", 1, 0},
	    {"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", 1, 0},
	    {"GET / HTTP/1.0\r\n\r\n", 1, 0},
	    {POST "Content-Length: 5\r\n\r\nhello" GET "\r\n", 2, 0},
	    {POST "content-length:\t5 \r\n\r\nhel", 1, 0},
	    {POST "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n" GET "\r\n", 2, 0},
	    {POST "Transfer-Encoding: Chunked\r\n\r\nA\r\n0123456789\r\n00\r\nTrail: x\r\n\r\n" GET "\r\n", 2, 0},
	    {POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello", 1, 0},
	    {GET "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nframes", 1, 6},
	    {GET "X: \xc3\xbc\r\nEmpty:\r\n\r\n", 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t piece = 1; piece <= 64; piece += 21) {
			struct http http;
			const char *why = NULL;
			ssize_t n = pass(&http, rows[i].text, piece, &why);

			CHECK(n == (ssize_t)(strlen(rows[i].text) - rows[i].held) && http.requests == rows[i].requests,
			      "%zu in pieces of %zu: %zd, %s", i, piece, n, why);
		}
	}
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
	    "GET / HTTP/1.1\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: b.test\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: a.test.b.test\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: a.test:81\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: x@a.test\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: a.test/\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost:\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n",
	    GET "Host: a.test\r\n\r\n",
	    GET "Host: b.test\r\n\r\n",
	    GET " Host: b.test\r\n\r\n",
	    GET "X: y\r\n folded\r\n\r\n",
	    GET "Host : b.test\r\n\r\n",
	    GET "\x01: y\r\n\r\n",
	    GET "X: a\rb\r\n\r\n",
	    GET "NoColon\r\n\r\n",
	    "GET / HTTP/1.1\nHost: a.test\n\n",
	    "GET / HTTP/1.1\r\nHost: a.test\n\r\n",
	    "GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
	    "GET http://a.test@b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
	    "GET https://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
	    "GET //b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n",
	    "GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
	    "GET a.test HTTP/1.1\r\nHost: a.test\r\n\r\n",
	    "GET /  HTTP/1.1\r\nHost: a.test\r\n\r\n",
	    "GET / x HTTP/1.1\r\nHost: a.test\r\n\r\n",
	    "GET\t/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
	    "GET / HTTP/2.0\r\nHost: a.test\r\n\r\n",
	    "GET / HTTP/1.2\r\nHost: a.test\r\n\r\n",
	    "GET / http/1.1\r\nHost: a.test\r\n\r\n",
	    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	    "CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n",
	    "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test\r\n\r\n",
	    POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
	    POST "Content-Length: 5, 5\r\n\r\nhello",
	    POST "Content-Length: +5\r\n\r\nhello",
	    POST "Content-Length: 0x5\r\n\r\nhello",
	    POST "Content-Length: 99999999999999999999\r\n\r\n",
	    POST "Content-Length: -1\r\n\r\n",
	    POST "Content-Length:\r\n\r\n",
	    POST "Content_Length: 5\r\n\r\nhello",
	    POST "Transfer_Encoding: chunked\r\n\r\n",
	    POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	    POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	    POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	    POST "Transfer-Encoding: identity\r\n\r\n",
	    "POST / HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    POST "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
	    POST "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
	    POST "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
	    POST "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
	    POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
	    POST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
	    POST "Transfer-Encoding: chunked\r\n\r\n\r\n",
	    POST "Transfer-Encoding: chunked\r\n\r\n0\r\nx\n\r\n",
	    GET "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
	    GET "\r\n" GET "Upgrade: websocket\r\n\r\n",
	    POST "Upgrade: websocket\r\nContent-Length: 1\r\n\r\n",
	    /* The second request, behind each kind of body. */
	    GET "\r\nGET / HTTP/1.1\r\nHost: b.test\r\n\r\n",
	    POST "Content-Length: 2\r\n\r\nokGET / HTTP/1.1\r\nHost: b.test\r\n\r\n",
	    POST "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: b.test\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		for (size_t piece = 1; piece <= 64; piece += 21) {
			struct http http;
			const char *why = NULL;
			ssize_t n = pass(&http, texts[i], piece, &why);

			CHECK(n == -EPERM && why != NULL, "%zu in pieces of %zu: %zd, %s", i, piece, n, texts[i]);
		}
	}
}

static void test_names_the_other(void **state)
{
	struct http http;
	const char *why = NULL;

	(void)state;
	assert_int_equal(pass(&http, "GET / HTTP/1.1\r\nHost: B.test.:80\r\n\r\n", 100, &why), -EPERM);
	assert_true(http.named_other);
	assert_string_equal(http.other, "b.test");
	(void)pass(&http, "PUT /a/b?secret#x HTTP/1.1\r\nHost: a.test\r\n\r\n", 100, &why);
	assert_string_equal(http.method, "PUT");
	assert_string_equal(http.path, "/a/b");
}

static void test_detect(void **state)
{
	static const struct {
		const char *text;
		int found;
	} rows[] = {
	    {"", -EAGAIN},	       {"\r\n", -EAGAIN},	     {"G", -EAGAIN},
	    {"GET", -EAGAIN},	       {"GET /", -EAGAIN},	     {"GET / HTTP/", 1},
	    {"\r\n\r\nGET / HTTP/1.1", 1}, {"GET / http/1.1\r\n", 1}, {"get \t HTTP/x\r\n", 1},
	    {"GET /\r\n", 0},	       {"SSH-2.0-x\r\n", 0},	     {"\x80\x01", 0},
	    {"*1\r\n$4\r\nPING\r\n", 0}, {"{\"a\":1}", 0},	     {"CONNECT {\"x\":1}\r\n", 0},
	    {"a\r\nGET / HTTP/1.1", 0}, {" GET / HTTP/1.1", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK(http_detect((const uint8_t *)rows[i].text, strlen(rows[i].text)) == rows[i].found, "%s",
		      rows[i].text);
}

static void test_upgrade(void **state)
{
	static const struct {
		const char *answer;
		enum http_state state;
	} rows[] = {
	    {"HTTP/1.1 101 Switching Protocols\r\n\r\n", HTTP_OPAQUE},
	    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 S\r\n", HTTP_OPAQUE},
	    {"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 400 No\r\n", HTTP_HEAD},
	    {"HTTP/1.1 200 OK\r\n\r\n", HTTP_HEAD},
	    {"HTTP/1.1 1", HTTP_UPGRADE},
	    {"nonsense and more", HTTP_HEAD},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t piece = 1; piece < 50; piece += 48) {
			struct http http = {.state = HTTP_UPGRADE};
			size_t len = strlen(rows[i].answer);

			for (size_t at = 0; at < len; at += piece)
				http_answer(&http, (const uint8_t *)rows[i].answer + at, len - at < piece ? len - at : piece);
			CHECK(http.state == rows[i].state, "%s", rows[i].answer);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_passes), cmocka_unit_test(test_refused), cmocka_unit_test(test_names_the_other),
	    cmocka_unit_test(test_detect), cmocka_unit_test(test_upgrade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
