#include "test.h"

#include <stdbool.h>
#include <stdio.h>

#include "http/request.h"

enum { BODY_MAX = 64 * 1024 * 1024 };

static const RequestPolicy policy = {.body_max = BODY_MAX};

#define HEAD "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"

/* Reads @text in two parts, granting whatever room is asked for; returns how much was used. */
static size_t read_split(Request *request, const RequestPolicy *asked, const char *text, size_t n,
                         size_t split)
{
        size_t end = split, used = 0, step;
        int r;

        request_init(request, asked);
        for (;;) {
                r = request_read(request, (const uint8_t *)text + used, end - used, &step);
                used += step;
                switch (r) {
                case 0:
                        return used;
                case REQUEST_E_MORE:
                        assert_true(end < n);
                        end = n;
                        break;
                case REQUEST_E_ROOM:
                        assert_true(request->wanted > request->body.max);
                        request->body.max = request->wanted;
                        break;
                default:
                        assert_int_equal(r, REQUEST_E_CONTINUE);
                        break;
                }
        }
}

static void check_policy(const RequestPolicy *asked, const char *text, unsigned status, bool cut,
                         const char *body)
{
        size_t n = strlen(text);

        for (size_t split = 0; split <= n; split++) {
                Request request;
                size_t used = read_split(&request, asked, text, n, split);

                assert_int_equal(request.cut, cut);
                if (status == 0) {
                        assert_null(request.refusal);
                        assert_int_equal(buffer_length(&request.body), strlen(body));
                        if (body[0] != '\0')
                                assert_memory_equal(buffer_data(&request.body), body,
                                                    strlen(body));
                } else {
                        assert_non_null(request.refusal);
                        assert_int_equal(request.refusal->status, status);
                }
                if (!cut)
                        assert_int_equal(used, n);
                request_done(&request);
        }
}

static void check(const char *text, unsigned status, bool cut, const char *body)
{
        check_policy(&policy, text, status, cut, body);
}

static void test_bodies(void **state)
{
        check(HEAD "Content-Length: 5\r\n\r\nhello", 0, false, "hello");
        check(HEAD "Content-Length: 0\r\n\r\n", 0, false, "");
        check(HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nA: b\r\n\r\n", 0,
              false, "hello");
        check(HEAD "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", 0, false, "hello");
        check("POST /v1/traces?a=b HTTP/1.0\r\nContent-Type: application/x-protobuf; a=b\r\n"
              "Content-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi",
              0, false, "hi");
}

/* Refused, but the body is skipped and the next request can be read. */
static void test_refused(void **state)
{
        check("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404, false, NULL);
        check("POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 404, false, NULL);
        check("POST /v1/tracesx HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 404, false,
              NULL);
        check("GET /v1/traces HTTP/1.1\r\nHost: x\r\n\r\n", 405, false, NULL);
        check("DELETE /v1/traces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
              "3\r\nabc\r\n0\r\n\r\n",
              405, false, NULL);
        check(HEAD "\r\n", 411, false, NULL);
        check("POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
              "Content-Length: 2\r\n\r\n{}",
              415, false, NULL);
        check("POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 415, false, NULL);
        check(HEAD "Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}", 415, false, NULL);
}

/* Refused, and nobody knows where the next request begins. */
static void test_cut(void **state)
{
        check("hello\r\n\r\n", 400, true, NULL);
        check("GET\r\n\r\n", 400, true, NULL);
        check("POST /v1/traces HTTP/2.0\r\n\r\n", 505, true, NULL);
        check(HEAD "Transfer-Encoding: gzip\r\n\r\n", 501, true, NULL);
        check(HEAD "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400, true, NULL);
        check(HEAD "Content-Length: 67108865\r\n\r\n", 413, true, NULL);
        check("POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n", 404, true,
              NULL);
        check("POST /v1/logs HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
              404, true, NULL);
}

static void test_json(void **state)
{
        static const char text[] = "POST /v1/traces HTTP/1.1\r\nHost: x\r\n"
                                   "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        const RequestPolicy json = {.body_max = BODY_MAX, .json = true};
        Request request;

        check_policy(&json, text, 0, false, "{}");
        check_policy(&json, HEAD "Content-Length: 2\r\n\r\n{}", 0, false, "{}");
        check_policy(&json, "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
                     "Content-Length: 2\r\n\r\n{}", 415, false, NULL);
        (void)read_split(&request, &json, text, strlen(text), 10);
        assert_true(request.json);
        request_done(&request);
        (void)read_split(&request, &policy, text, strlen(text), 10);
        assert_false(request.json);
        request_done(&request);
}

/* Only who asks for open root spans is sent any. */
static void test_open(void **state)
{
        static const char text[] = "POST /rootspan/v1/open HTTP/1.1\r\nHost: x\r\n"
                                   "Content-Type: application/x-protobuf\r\n"
                                   "Content-Length: 2\r\n\r\nhi";
        const RequestPolicy open = {.body_max = BODY_MAX, .open = true};
        Request request;

        check_policy(&open, text, 0, false, "hi");
        check_policy(&open, HEAD "Content-Length: 2\r\n\r\nhi", 0, false, "hi");
        check(text, 404, false, NULL);
        (void)read_split(&request, &open, text, strlen(text), 10);
        assert_true(request.open);
        request_done(&request);
        (void)read_split(&request, &open, HEAD "Content-Length: 0\r\n\r\n",
                         sizeof(HEAD "Content-Length: 0\r\n\r\n") - 1, 10);
        assert_false(request.open);
        request_done(&request);
}

static void test_authorization(void **state)
{
        static const struct {
                const char *field;
                unsigned status;
        } cases[] = {
                {"Authorization: Bearer 0123\r\n", 0},
                {"authorization:  Bearer 0123 \r\n", 0},
                {"", 401},
                {"Authorization:\r\n", 401},
                {"Authorization: Bearer 012\r\n", 401},
                {"Authorization: Bearer 01234\r\n", 401},
                {"Authorization: Bearer 0124\r\n", 401},
                {"Authorization: 0123\r\n", 401},
        };
        const RequestPolicy guarded = {.body_max = BODY_MAX, .authorization = "Bearer 0123"};
        char text[512];

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                (void)snprintf(text, sizeof(text), HEAD "%sContent-Length: 2\r\n\r\nhi",
                               cases[i].field);
                check_policy(&guarded, text, cases[i].status, false, "hi");
        }
        /* Whoever has no token learns nothing else, either. */
        check_policy(&guarded, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", 401, false, NULL);
}

static void test_first_byte(void **state)
{
        static const char *const others[] = {"\x01", "\x16\x03\x01", "{", "\r\n", " GET", "get"};
        Request request;
        size_t used;

        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
                request_init(&request, &policy);
                assert_int_equal(request_read(&request, (const uint8_t *)others[i],
                                              strlen(others[i]), &used), 0);
                assert_int_equal(request.refusal->status, 400);
                assert_true(request.cut);
                request_done(&request);
        }
}

static void test_head_too_large(void **state)
{
        static char text[16 * 1024];
        Request request;
        size_t used;

        memset(text, 'A', sizeof(text));
        request_init(&request, &policy);
        assert_int_equal(request_read(&request, (const uint8_t *)text, sizeof(text) - 1, &used),
                         REQUEST_E_MORE);
        assert_int_equal(request_read(&request, (const uint8_t *)text, sizeof(text), &used), 0);
        assert_int_equal(request.refusal->status, 431);
        request_done(&request);
}

/* Feeds @text again and again until the request is complete. */
static size_t read_endless(Request *request, const char *text)
{
        size_t total = 0, used;

        for (;;) {
                size_t n = strlen(text), at = 0;

                while (at < n) {
                        int r = request_read(request, (const uint8_t *)text + at, n - at, &used);

                        at += used;
                        if (r == 0)
                                return total + at;
                        if (r == REQUEST_E_ROOM)
                                request->body.max = request->wanted;
                }
                total += n;
        }
}

/* A chunked body says nowhere how large it will be: it grows in steps, up to the limit. */
static void test_endless_chunks(void **state)
{
        static char chunk[64 * 1024];
        const char *heads[] = {
                HEAD "Transfer-Encoding: chunked\r\n\r\n",
                "POST /v1/logs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        };
        const size_t limits[] = {BODY_MAX, REQUEST_SKIP_MAX};
        Request request;
        size_t used;
        int n = snprintf(chunk, sizeof(chunk), "fff0\r\n");

        memset(chunk + n, 'x', sizeof(chunk) - 16);
        memcpy(chunk + n + 0xfff0, "\r\n", 3);
        for (size_t i = 0; i < 2; i++) {
                size_t total;

                request_init(&request, &policy);
                assert_int_equal(request_read(&request, (const uint8_t *)heads[i],
                                              strlen(heads[i]), &used), REQUEST_E_MORE);
                total = read_endless(&request, chunk);
                assert_int_equal(request.refusal->status, i == 0 ? 413 : 404);
                assert_true(request.cut);
                assert_in_range(total, limits[i] - sizeof(chunk), limits[i] + sizeof(chunk));
                request_done(&request);
        }
}

static void test_room(void **state)
{
        static const char head[] = HEAD "Content-Length: 16385\r\n\r\n";
        Request request;
        size_t used;

        request_init(&request, &policy);
        assert_int_equal(request_read(&request, (const uint8_t *)head, strlen(head), &used),
                         REQUEST_E_ROOM);
        assert_int_equal(used, strlen(head));
        assert_int_equal(request.wanted, 16385);
        request_done(&request);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_bodies),
                UNIT_TEST(test_refused),
                UNIT_TEST(test_cut),
                UNIT_TEST(test_json),
                UNIT_TEST(test_open),
                UNIT_TEST(test_authorization),
                UNIT_TEST(test_first_byte),
                UNIT_TEST(test_head_too_large),
                UNIT_TEST(test_endless_chunks),
                UNIT_TEST(test_room),
        };

        return RUN_TESTS(tests);
}
