#include "test.h"

#include "base/macro.h"
#include "trace/response.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
#define REJECTS_5 "\x0a\x02\x08\x05"

static int parse(const char *text, size_t n, bool ended, Response *ret)
{
        uint8_t *exact = malloc(n + 1); /* so that a sanitizer sees reads beyond the end */
        int r;

        memcpy(exact, text, n);
        r = response_parse(exact, n, ended, 0, ret);
        free(exact);
        return r;
}

/* @text is an answer, complete without the connection's end, and every shorter part is not. */
static Response whole(const char *text, size_t n)
{
        Response answer = {0};

        for (size_t cut = 0; cut < n; cut++) {
                assert_int_equal(parse(text, cut, false, &answer), RESPONSE_E_MORE);
                assert_int_equal(parse(text, cut, true, &answer), RESPONSE_E_BAD);
        }
        assert_int_equal(parse(text, n, false, &answer), 0);
        return answer;
}

#define WHOLE(literal) whole(literal, sizeof(literal) - 1)

static void test_success(void **state)
{
        Response answer = WHOLE(OK_HEAD "Content-Length: 2\r\n\r\n\x0a\x00");

        assert_int_equal(answer.status, 200);
        assert_true(answer.keep_alive);
        assert_true(response_is_success(&answer));
        assert_int_equal(answer.rejected, 0);

        answer = WHOLE(OK_HEAD "Content-Length: 0\r\nConnection: close\r\n\r\n");
        assert_false(answer.keep_alive);
        answer = WHOLE("HTTP/1.1 204 No Content\r\n\r\n");
        assert_true(response_is_success(&answer));
        assert_true(answer.keep_alive);
}

static void test_partial_success(void **state)
{
        Response answer = WHOLE(OK_HEAD "Content-Length: 4\r\n\r\n" REJECTS_5);

        assert_int_equal(answer.rejected, 5);
        answer = WHOLE(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
                               "1\r\n\x0a\r\n3\r\n\x02\x08\x05\r\n0\r\n\r\n");
        assert_int_equal(answer.rejected, 5);
        /* A warning: nothing rejected, but a message. */
        answer = WHOLE(OK_HEAD "Content-Length: 7\r\n\r\n\x0a\x05\x12\x03odd");
        assert_int_equal(answer.rejected, 0);
        /* Minus one. */
        answer = WHOLE(OK_HEAD "Content-Length: 13\r\n\r\n"
                               "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        assert_int_equal(answer.rejected, 0);
}

/* A body that is something else takes nothing back of the 200. */
static void test_other_bodies(void **state)
{
        Response answer = WHOLE("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOK\n");

        assert_true(response_is_success(&answer));
        assert_int_equal(answer.rejected, 0);
        answer = WHOLE("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                       "Content-Length: 2\r\n\r\n{}");
        assert_true(response_is_success(&answer));
}

static void test_until_close(void **state)
{
        static const char text[] = "HTTP/1.0 200 OK\r\n\r\n" REJECTS_5;
        Response answer;

        assert_int_equal(parse(text, sizeof(text) - 1, false, &answer), RESPONSE_E_MORE);
        assert_int_equal(parse(text, sizeof(text) - 1, true, &answer), 0);
        assert_int_equal(answer.rejected, 5);
        assert_false(answer.keep_alive);
}

static void test_interim(void **state)
{
        Response answer = WHOLE("HTTP/1.1 100 Continue\r\n\r\n"
                              "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                              "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");

        assert_int_equal(answer.status, 400);
        assert_int_equal(parse("HTTP/1.1 101 Switching Protocols\r\n\r\n", 36, false, &answer),
                         RESPONSE_E_BAD);
}

static void test_which_are_retried(void **state)
{
        static const unsigned retryable[] = {429, 502, 503, 504};
        static const unsigned final[] = {200, 301, 400, 401, 404, 408, 413, 415, 500, 501, 505};

        for (size_t i = 0; i < ARRAY_SIZE(retryable); i++)
                assert_true(response_is_retryable(&(Response){.status = retryable[i]}));
        for (size_t i = 0; i < ARRAY_SIZE(final); i++)
                assert_false(response_is_retryable(&(Response){.status = final[i]}));
        assert_false(response_is_success(&(Response){.status = 300}));
}

static void test_retry_after(void **state)
{
        Response answer = WHOLE("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");

        assert_true(answer.has_retry_after);
        assert_true(answer.retry_after == 7 * NSEC_PER_SEC);
        answer = WHOLE("HTTP/1.1 503 Busy\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n");
        assert_false(answer.has_retry_after);
        answer = WHOLE("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
        assert_false(answer.has_retry_after);
}

static void test_garbage(void **state)
{
        static const char *const garbage[] = {
                "SSH-2.0-OpenSSH_9.2\r\n",
                "HTTP/1.1 2OO OK\r\n\r\n",
                "HTTP/2 200 OK\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
                OK_HEAD "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        };
        Response answer;

        for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
                if (parse(garbage[i], strlen(garbage[i]), false, &answer) != RESPONSE_E_BAD)
                        fail_msg("accepted: %s", garbage[i]);
}

/* However long the body is or claims to be, RESPONSE_MAX bytes are enough to know the status. */
static void test_huge(void **state)
{
        static const char *const heads[] = {
                OK_HEAD "Content-Length: 18446744073709551615\r\n\r\n",
                OK_HEAD "\r\n",
                OK_HEAD "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n",
        };
        char *text = malloc(RESPONSE_MAX);
        Response answer;

        for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
                memset(text, 'x', RESPONSE_MAX);
                memcpy(text, heads[i], strlen(heads[i]));
                assert_int_equal(parse(text, RESPONSE_MAX - 1, false, &answer), RESPONSE_E_MORE);
                assert_int_equal(parse(text, RESPONSE_MAX, false, &answer), 0);
                assert_int_equal(answer.status, 200);
                assert_false(answer.keep_alive);
                assert_int_equal(answer.rejected, 0);
        }
        /* Interim responses without end. */
        for (size_t i = 0; i + 25 <= RESPONSE_MAX; i += 25)
                memcpy(text + i, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        assert_int_equal(parse(text, RESPONSE_MAX, false, &answer), RESPONSE_E_BAD);
        free(text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_success),
                UNIT_TEST(test_partial_success),
                UNIT_TEST(test_other_bodies),
                UNIT_TEST(test_until_close),
                UNIT_TEST(test_interim),
                UNIT_TEST(test_which_are_retried),
                UNIT_TEST(test_retry_after),
                UNIT_TEST(test_garbage),
                UNIT_TEST(test_huge),
        };

        return RUN_TESTS(tests);
}
