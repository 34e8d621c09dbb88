#include "test.h"

#include <errno.h>

#include "base/macro.h"
#include "link/record.h"

static LinkRecord flush_record(void)
{
        LinkRecord record = {
                .type = LINK_FLUSH,
                .deadline = UINT64_C(0x1122334455667788),
                .span = {
                        .id = {{1, 2, 3}},
                        .name = "guest",
                        .kind = SPAN_KIND_SERVER,
                        .start = 5,
                        .end = 6,
                        .status = SPAN_STATUS_ERROR,
                        .status_message = "exit code 7",
                },
        };

        attributes_add_string(&record.span.attributes, "a", "");
        attributes_add_int(&record.span.attributes, "b", -7);
        attributes_add_bool(&record.span.attributes, "c", true);
        return record;
}

static void test_flush_round_trip(void **state)
{
        LinkRecord record = flush_record(), back;
        uint8_t data[LINK_RECORD_MAX];
        ptrdiff_t n = link_record_encode(&record, data, sizeof(data));

        assert_true(n > 0);
        assert_int_equal(link_record_decode(data, (size_t)n, &back), 0);
        assert_int_equal(back.type, LINK_FLUSH);
        assert_true(back.deadline == record.deadline);
        assert_memory_equal(&back.span.id, &record.span.id, SPAN_ID_SIZE);
        assert_string_equal(back.span.name, "guest");
        assert_int_equal(back.span.kind, SPAN_KIND_SERVER);
        assert_true(back.span.start == 5 && back.span.end == 6);
        assert_int_equal(back.span.status, SPAN_STATUS_ERROR);
        assert_string_equal(back.span.status_message, "exit code 7");
        assert_int_equal(back.span.attributes.n, 3);
        assert_string_equal(back.span.attributes.items[0].string, "");
        assert_true(back.span.attributes.items[1].integer == -7);
        assert_true(back.span.attributes.items[2].boolean);
}

static void test_small_records_round_trip(void **state)
{
        LinkRecord trace = {.type = LINK_TRACE,
                            .trace = {.trace_id = {{9}}, .agent = {{8}}, .adopt = true,
                                      .resumed = true, .anchor = {1ULL << 40, 1ULL << 63},
                                      .token = "secret"}};
        LinkRecord failed = {.type = LINK_FAILED, .failed = {ECONNRESET, 503}};
        LinkRecord flushed = {.type = LINK_FLUSHED, .flushed = {FLUSH_UNACKED, 1, 1ULL << 40}};
        LinkRecord open = {.type = LINK_OPEN, .span = {{{1}}, {{2}}, "guest", .kind = 1}};
        LinkRecord back;
        uint8_t data[512];
        ptrdiff_t n;

        attributes_add_string(&trace.trace.resource, "service.name", "x");
        n = link_record_encode(&trace, data, sizeof(data));
        assert_int_equal(link_record_decode(data, (size_t)n, &back), 0);
        assert_memory_equal(&back.trace.trace_id, &trace.trace.trace_id, TRACE_ID_SIZE);
        assert_memory_equal(&back.trace.agent, &trace.trace.agent, SPAN_ID_SIZE);
        assert_true(back.trace.adopt);
        assert_true(back.trace.resumed);
        assert_true(back.trace.anchor.boottime == 1ULL << 40);
        assert_true(back.trace.anchor.realtime == 1ULL << 63);
        assert_string_equal(back.trace.token, "secret");
        assert_string_equal(back.trace.resource.items[0].string, "x");

        trace.trace.adopt = trace.trace.resumed = false;
        trace.trace.token = NULL;
        n = link_record_encode(&trace, data, sizeof(data));
        assert_int_equal(link_record_decode(data, (size_t)n, &back), 0);
        assert_false(back.trace.adopt);
        assert_false(back.trace.resumed);
        assert_null(back.trace.token);
        trace.trace.agent = (SpanId){0};
        n = link_record_encode(&trace, data, sizeof(data));
        assert_int_equal(link_record_decode(data, (size_t)n, &back), -EBADMSG);

        n = link_record_encode(&open, data, sizeof(data));
        assert_int_equal(link_record_decode(data, (size_t)n, &back), 0);
        assert_int_equal(back.type, LINK_OPEN);
        assert_memory_equal(&back.span.parent, &open.span.parent, SPAN_ID_SIZE);
        assert_string_equal(back.span.name, "guest");

        n = link_record_encode(&failed, data, sizeof(data));
        assert_int_equal(link_record_decode(data, (size_t)n, &back), 0);
        assert_int_equal(back.failed.error, ECONNRESET);
        assert_int_equal(back.failed.http_status, 503);

        n = link_record_encode(&flushed, data, sizeof(data));
        assert_int_equal(link_record_decode(data, (size_t)n, &back), 0);
        assert_int_equal(back.flushed.outcome, FLUSH_UNACKED);
        assert_true(back.flushed.spans_dropped == 1ULL << 40);
}

/* Whatever is cut off, added or changed, a record is refused or read within its bytes. */
static void test_damage(void **state)
{
        LinkRecord record = flush_record(), back;
        uint8_t data[LINK_RECORD_MAX];
        size_t n = (size_t)link_record_encode(&record, data, sizeof(data));

        for (size_t cut = 0; cut < n; cut++) {
                uint8_t *exact = malloc(cut + 1);

                memcpy(exact, data, cut);
                assert_int_equal(link_record_decode(exact, cut, &back), -EBADMSG);
                free(exact);
        }
        data[n] = 0;
        assert_int_equal(link_record_decode(data, n + 1, &back), -EBADMSG);
        for (size_t i = 0; i < n; i++) {
                uint8_t saved = data[i];

                for (int bit = 0; bit < 8; bit++) {
                        data[i] = saved ^ (uint8_t)(1 << bit);
                        if (link_record_decode(data, n, &back) == 0 && back.type == LINK_FLUSH)
                                assert_in_range(strlen(back.span.name), 0, n);
                }
                data[i] = saved;
        }
}

static void test_refused(void **state)
{
        static const uint8_t unknown_type[] = {77}, no_type[] = {0};
        LinkRecord record = flush_record(), back;
        uint8_t data[LINK_RECORD_MAX];
        ptrdiff_t n;

        assert_int_equal(link_record_decode(NULL, 0, &back), -EBADMSG);
        assert_int_equal(link_record_decode(unknown_type, 1, &back), -EBADMSG);
        assert_int_equal(link_record_decode(no_type, 1, &back), -EBADMSG);

        record.span.end = record.span.start - 1;
        n = link_record_encode(&record, data, sizeof(data));
        assert_int_equal(link_record_decode(data, (size_t)n, &back), -EBADMSG);

        record = flush_record();
        record.span.id = (SpanId){0};
        n = link_record_encode(&record, data, sizeof(data));
        assert_int_equal(link_record_decode(data, (size_t)n, &back), -EBADMSG);
}

/* An agent's name may be any bytes: it costs a few characters then, not the record. */
static void test_not_utf8(void **state)
{
        LinkRecord record = flush_record(), back;
        uint8_t data[LINK_RECORD_MAX];
        ptrdiff_t n;

        record.span.name = "caf\xe9 \xc3\xa9";
        n = link_record_encode(&record, data, sizeof(data));
        assert_int_equal(link_record_decode(data, (size_t)n, &back), 0);
        assert_string_equal(back.span.name, "caf? \xc3\xa9");

        *(char *)back.span.name = '\xff';
        assert_int_equal(link_record_decode(data, (size_t)n, &back), -EBADMSG);
}

static void test_too_long(void **state)
{
        LinkRecord record = flush_record();
        uint8_t data[LINK_RECORD_MAX];
        char *name = malloc(70000);

        memset(name, 'x', 69999);
        name[69999] = '\0';
        record.span.name = name;
        assert_int_equal(link_record_encode(&record, data, sizeof(data)), -EMSGSIZE);
        name[LINK_RECORD_MAX] = '\0';
        assert_int_equal(link_record_encode(&record, data, sizeof(data)), -EMSGSIZE);
        record.span.name = "x";
        assert_int_equal(link_record_encode(&record, data, 20), -EMSGSIZE);
        free(name);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_flush_round_trip), UNIT_TEST(test_small_records_round_trip),
                UNIT_TEST(test_damage),           UNIT_TEST(test_refused),
                UNIT_TEST(test_not_utf8),         UNIT_TEST(test_too_long),
        };

        return RUN_TESTS(tests);
}
