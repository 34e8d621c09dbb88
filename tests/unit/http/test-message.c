#include "test.h"

#include <stdio.h>

#include "base/macro.h"
#include "http/message.h"

typedef int (*ParseFunc)(const uint8_t *data, size_t n, HttpHead *ret, size_t *ret_n);

/* Parses from a buffer of exactly that size, so that the sanitizers see a read beyond it. The
 * head's text is only good until the next call. */
static int parse_bytes(ParseFunc parse, const char *text, size_t n, HttpHead *ret, size_t *ret_n)
{
        static uint8_t *exact;

        free(exact);
        exact = NULL;
        if (n > 0) {
                exact = malloc(n);
                assert_non_null(exact);
                memcpy(exact, text, n);
        }
        return parse(exact, n, ret, ret_n);
}

static int request(const char *text, HttpHead *ret)
{
        size_t n;

        return parse_bytes(http_parse_request, text, strlen(text), ret, &n);
}

static int response(const char *text, HttpHead *ret)
{
        size_t n;

        return parse_bytes(http_parse_response, text, strlen(text), ret, &n);
}

static void assert_text(HttpText text, const char *expected)
{
        assert_non_null(text.data);
        assert_int_equal(text.n, strlen(expected));
        assert_memory_equal(text.data, expected, text.n);
}

static void test_request(void **state)
{
        static const char text[] = "POST /v1/traces?x=%20 HTTP/1.1\r\n"
                                   "Host: 127.0.0.1:4318\r\n"
                                   "User-Agent:OTel (x; y) \"z\" \xc3\xa4\r\n"
                                   "CONTENT-LENGTH:\t12  \r\n"
                                   "content-type: application/x-protobuf\r\n"
                                   "Content-Encoding: \r\n"
                                   "Authorization: Bearer 0a 1b\r\n"
                                   "\r\n"
                                   "body";
        HttpHead head;
        size_t n;

        assert_int_equal(parse_bytes(http_parse_request, text, strlen(text), &head, &n), 0);
        assert_int_equal(n, strlen(text) - strlen("body"));
        assert_text(head.method, "POST");
        assert_text(head.target, "/v1/traces?x=%20");
        assert_int_equal(head.minor, 1);
        assert_true(head.keep_alive);
        assert_false(head.expect_continue);
        assert_int_equal(head.framing, HTTP_FRAMING_LENGTH);
        assert_int_equal(head.content_length, 12);
        assert_text(head.host, "127.0.0.1:4318");
        assert_text(head.content_type, "application/x-protobuf");
        assert_text(head.content_encoding, "");
        assert_text(head.authorization, "Bearer 0a 1b");
        assert_null(head.retry_after.data);
}

/* A head is asked for to the last byte, and nothing behind it is touched. */
static void test_every_prefix_asks_for_more(void **state)
{
        static const char text[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
        HttpHead head = {.status = 42};
        size_t n = 42;

        for (size_t cut = 0; cut < strlen(text); cut++)
                assert_int_equal(parse_bytes(http_parse_request, text, cut, &head, &n),
                                 HTTP_E_MORE);
        assert_int_equal(head.status, 42);
        assert_int_equal(n, 42);
}

static void test_requests_refused(void **state)
{
        static const struct {
                const char *text;
                int r;
        } cases[] = {
                /* line ends */
                {"GET / HTTP/1.1\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: a\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: a\r\n\n", HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", HTTP_E_BAD},
                {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"\n", HTTP_E_BAD},
                /* the request line */
                {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"GET / \r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"GET /\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"GET\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"GET x HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                /* the version */
                {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", HTTP_E_VERSION},
                {"GET / HTTP/0.9\r\nHost: a\r\n\r\n", HTTP_E_VERSION},
                {"PRI * HTTP/2.0\r\n\r\n", HTTP_E_VERSION},
                {"GET / http/1.1\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1x\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/11.1\r\nHost: a\r\n\r\n", HTTP_E_BAD},
                /* fields */
                {"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: a\r\n X: y\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: a\r\nX\xe4: y\r\n\r\n", HTTP_E_BAD},
                /* Host */
                {"GET / HTTP/1.1\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", HTTP_E_BAD},
                /* framing */
                {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                 HTTP_E_BAD},
                {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", HTTP_E_BAD},
                {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", HTTP_E_BAD},
                {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", HTTP_E_BAD},
                {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", HTTP_E_BAD},
                {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", HTTP_E_BAD},
                {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
                 HTTP_E_BAD},
                {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: "
                 "chunked\r\n\r\n",
                 HTTP_E_BAD},
                {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
                 "chunked\r\n\r\n",
                 HTTP_E_BAD},
                {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_E_BAD},
                {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                 HTTP_E_NOT_ENCODED},
                {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
                 HTTP_E_NOT_ENCODED},
                {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;x\r\n\r\n",
                 HTTP_E_NOT_ENCODED},
                {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", HTTP_E_NOT_ENCODED},
                {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0b"
                 "chunked\r\n\r\n",
                 HTTP_E_BAD},
                /* one-value fields given twice */
                {"GET / HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
                 HTTP_E_BAD},
                {"GET / HTTP/1.1\r\nHost: a\r\nAuthorization:\r\nAuthorization: x\r\n\r\n",
                 HTTP_E_BAD},
        };
        HttpHead head = {.status = 42};

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                int r = request(cases[i].text, &head);

                if (r != cases[i].r)
                        fail_msg("%d instead of %d for: %s", r, cases[i].r, cases[i].text);
        }
        assert_int_equal(parse_bytes(http_parse_request, "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 29,
                                     &head, &(size_t){0}),
                         HTTP_E_BAD);
        assert_int_equal(head.status, 42);
}

/* What cannot become a request is refused with its first line, not waited for. */
static void test_refused_early(void **state)
{
        HttpHead head;

        assert_int_equal(request("\x16\x03\x01 hello\r\n", &head), HTTP_E_BAD);
        assert_int_equal(request("PRI * HTTP/2.0\r\n", &head), HTTP_E_VERSION);
        assert_int_equal(request("GET / HTTP/1.1\r\nX : y\r\n", &head), HTTP_E_BAD);
}

static void test_framing_of_requests(void **state)
{
        HttpHead head;

        assert_int_equal(request("GET / HTTP/1.1\r\nHost:\r\n\r\n", &head), 0);
        assert_int_equal(head.framing, HTTP_FRAMING_NONE);
        assert_int_equal(request("POST / HTTP/1.1\r\nHost: [::1]:80\r\n"
                                 "Transfer-Encoding:  Chunked \r\n\r\n",
                                 &head),
                         0);
        assert_int_equal(head.framing, HTTP_FRAMING_CHUNKED);
        assert_int_equal(request("POST / HTTP/1.0\r\nContent-Length: 18446744073709551615\r\n\r\n",
                                 &head),
                         0);
        assert_int_equal(head.framing, HTTP_FRAMING_LENGTH);
        assert_true(head.content_length == UINT64_MAX);
}

static void test_connection(void **state)
{
        static const struct {
                const char *minor, *fields;
                bool keep_alive;
        } cases[] = {
                {"1", "", true},
                {"0", "", false},
                {"1", "Connection: close\r\n", false},
                {"1", "Connection: CLOSE\r\n", false},
                {"1", "Connection: keep-alive, close\r\n", false},
                {"1", "Connection: upgrade\r\nConnection: ,x ,close\t,y\r\n", false},
                {"1", "Connection: closed, not-close, close;x\r\n", true},
                {"1", "Connection: \r\n", true},
                {"0", "Connection: Keep-Alive\r\n", true},
                {"0", "Connection: close, keep-alive\r\n", false},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char text[256];
                HttpHead head;

                (void)snprintf(text, sizeof(text), "GET / HTTP/1.%s\r\nHost: a\r\n%s\r\n",
                               cases[i].minor, cases[i].fields);
                assert_int_equal(request(text, &head), 0);
                assert_int_equal(head.keep_alive, cases[i].keep_alive);
        }
}

static void test_expect(void **state)
{
        HttpHead head;

        assert_int_equal(request("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n", &head),
                         0);
        assert_true(head.expect_continue);
        assert_int_equal(request("POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", &head),
                         0);
        assert_false(head.expect_continue);
}

/* A head that ends with the last byte allowed is taken, one byte more is not, whether or not the
 * rest is there yet. */
static void test_largest_head(void **state)
{
        static const char start[] = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
        char text[HTTP_HEAD_MAX + 8];
        HttpHead head;
        size_t n;

        memset(text, 'x', sizeof(text));
        memcpy(text, start, strlen(start));
        assert_int_equal(parse_bytes(http_parse_request, text, HTTP_HEAD_MAX - 1, &head, &n),
                         HTTP_E_MORE);
        assert_int_equal(parse_bytes(http_parse_request, text, HTTP_HEAD_MAX, &head, &n),
                         HTTP_E_TOO_LARGE);
        memcpy(text + HTTP_HEAD_MAX - 3, "\r\n\r\n", 4);
        assert_int_equal(parse_bytes(http_parse_request, text, HTTP_HEAD_MAX + 1, &head, &n),
                         HTTP_E_TOO_LARGE);
        memcpy(text + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
        assert_int_equal(parse_bytes(http_parse_request, text, sizeof(text), &head, &n), 0);
        assert_int_equal(n, HTTP_HEAD_MAX);
}

static void test_most_fields(void **state)
{
        char text[16 + 6 * (HTTP_FIELDS_MAX + 1) + 32];
        HttpHead head;
        size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");

        for (int i = 1; i < HTTP_FIELDS_MAX; i++)
                n += (size_t)sprintf(text + n, "X: y\r\n");
        strcpy(text + n, "\r\n");
        assert_int_equal(request(text, &head), 0);
        strcpy(text + n, "X: y\r\n\r\n");
        assert_int_equal(request(text, &head), HTTP_E_TOO_LARGE);
}

static void test_responses(void **state)
{
        static const struct {
                const char *text;
                unsigned status;
                HttpFraming framing;
                bool keep_alive;
        } cases[] = {
                {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 200, HTTP_FRAMING_LENGTH, true},
                {"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n", 200, HTTP_FRAMING_CHUNKED,
                 true},
                {"HTTP/1.1 200 OK\r\n\r\n", 200, HTTP_FRAMING_CLOSE, false},
                {"HTTP/1.0 503 Go \xe4way\r\nContent-Length: 0\r\n\r\n", 503, HTTP_FRAMING_LENGTH,
                 false},
                {"HTTP/1.1 100 Continue\r\n\r\n", 100, HTTP_FRAMING_NONE, true},
                {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 103, HTTP_FRAMING_NONE, true},
                {"HTTP/1.1 204 No Content\r\n\r\n", 204, HTTP_FRAMING_NONE, true},
                {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", 204,
                 HTTP_FRAMING_NONE, true},
                {"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304, HTTP_FRAMING_NONE,
                 true},
                {"HTTP/1.1 599 ?\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 599,
                 HTTP_FRAMING_LENGTH, false},
        };
        HttpHead head;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                assert_int_equal(response(cases[i].text, &head), 0);
                assert_int_equal(head.status, cases[i].status);
                assert_int_equal(head.framing, cases[i].framing);
                assert_int_equal(head.keep_alive, cases[i].keep_alive);
                if (head.framing != HTTP_FRAMING_LENGTH)
                        assert_int_equal(head.content_length, 0);
        }
        assert_int_equal(response("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\n\r\n", &head), 0);
        assert_text(head.retry_after, "7");
}

static void test_responses_refused(void **state)
{
        static const struct {
                const char *text;
                int r;
        } cases[] = {
                {"HTTP/1.1 200\r\n\r\n", HTTP_E_BAD},
                {"HTTP/1.1  200 OK\r\n\r\n", HTTP_E_BAD},
                {"HTTP/1.1 2000 OK\r\n\r\n", HTTP_E_BAD},
                {"HTTP/1.1 20 OK\r\n\r\n", HTTP_E_BAD},
                {"HTTP/1.1 +20 OK\r\n\r\n", HTTP_E_BAD},
                {"HTTP/1.1 099 OK\r\n\r\n", HTTP_E_BAD},
                {"HTTP/1.1 600 OK\r\n\r\n", HTTP_E_BAD},
                {"HTTP/1.1 101 Switching Protocols\r\n\r\n", HTTP_E_BAD},
                {"HTTP/1.1 200 O\x01K\r\n\r\n", HTTP_E_BAD},
                {"HTTP/1.1 200 OK\n\r\n", HTTP_E_BAD},
                {"HTTP/2.0 200 OK\r\n\r\n", HTTP_E_VERSION},
                {"ICY 200 OK\r\n\r\n", HTTP_E_BAD},
                {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", HTTP_E_BAD},
                {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
                 HTTP_E_BAD},
                {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_E_BAD},
                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", HTTP_E_NOT_ENCODED},
                {"HTTP/1.1 204 x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", HTTP_E_BAD},
        };
        HttpHead head;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                int r = response(cases[i].text, &head);

                if (r != cases[i].r)
                        fail_msg("%d instead of %d for: %s", r, cases[i].r, cases[i].text);
        }
}

static void test_text_is(void **state)
{
        static const struct {
                const char *text;
                bool is;
        } cases[] = {
                {"application/json", true},     {"Application/JSON", true},
                {"application/json;a=b", true}, {"application/json ; a=b", true},
                {"application/jsonl", false},   {"application/jso", false},
                {"", false},                    {";application/json", false},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                assert_int_equal(http_text_is((HttpText){cases[i].text, strlen(cases[i].text)},
                                              "application/json"),
                                 cases[i].is);
        assert_false(http_text_is((HttpText){0}, ""));
        assert_true(http_text_is((HttpText){"", 0}, ""));
}

static void test_reason(void **state)
{
        assert_string_equal(http_reason(200), "OK");
        assert_string_equal(http_reason(431), "Request Header Fields Too Large");
        assert_string_equal(http_reason(299), "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_request),
                UNIT_TEST(test_every_prefix_asks_for_more),
                UNIT_TEST(test_requests_refused),
                UNIT_TEST(test_refused_early),
                UNIT_TEST(test_framing_of_requests),
                UNIT_TEST(test_connection),
                UNIT_TEST(test_expect),
                UNIT_TEST(test_largest_head),
                UNIT_TEST(test_most_fields),
                UNIT_TEST(test_responses),
                UNIT_TEST(test_responses_refused),
                UNIT_TEST(test_text_is),
                UNIT_TEST(test_reason),
        };

        return RUN_TESTS(tests);
}
