#include "test.h"

#include "http/answer.h"

static void check(const Answer *answer, AnswerForm form, const char *expected, size_t n)
{
        Buffer out;

        buffer_init(&out, ANSWER_MAX);
        assert_int_equal(answer_append(answer, &form, &out), 0);
        assert_int_equal(buffer_length(&out), n);
        assert_memory_equal(buffer_data(&out), expected, n);
        buffer_done(&out);
}

/* @text is a literal, in which bytes may be 0. */
#define CHECK(answer, form, text) check(answer, (AnswerForm)form, text, sizeof(text) - 1)

#define FORM(...) {__VA_ARGS__}
#define KEPT .keep_alive = true

static void test_success(void **state)
{
        const Answer partial = {.status = 200, .message = "Span.name: no", .rejected = 300};

        CHECK(&answer_ok, FORM(KEPT),
              "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 2\r\n\r\n"
              "\x0a\x00");
        CHECK(&answer_ok, FORM(.json = true),
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n"
              "Connection: close\r\n\r\n{\"partialSuccess\":{}}");
        CHECK(&partial, FORM(KEPT),
              "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 20\r\n\r\n"
              "\x0a\x12\x08\xac\x02\x12\x0dSpan.name: no");
        CHECK(&partial, FORM(KEPT, .json = true),
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 73\r\n\r\n"
              "{\"partialSuccess\":{\"rejectedSpans\":\"300\",\"errorMessage\":\"Span.name: no\"}}");
}

static void test_refusal(void **state)
{
        const Answer busy = {429, "the store is full", "Retry-After: 1"};

        CHECK(&busy, FORM(KEPT),
              "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/x-protobuf\r\n"
              "Content-Length: 21\r\nRetry-After: 1\r\n\r\n\x08\x08\x12\x11the store is full");
        CHECK(&busy, FORM(KEPT, .json = true),
              "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n"
              "Content-Length: 40\r\nRetry-After: 1\r\n\r\n"
              "{\"code\":8,\"message\":\"the store is full\"}");
        CHECK(&busy, FORM(.head_only = true),
              "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/x-protobuf\r\n"
              "Content-Length: 21\r\nRetry-After: 1\r\nConnection: close\r\n\r\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_success),
                UNIT_TEST(test_refusal),
        };

        return RUN_TESTS(tests);
}
