#include "test.h"

#include <errno.h>

#include "base/macro.h"
#include "trace/store.h"

static void add(SpanStore *store, const char *text, size_t spans)
{
        assert_int_equal(span_store_add(store, LANE_GUEST, (const uint8_t *)text, strlen(text), spans), 0);
}

static void assert_counts(const SpanStore *store, uint64_t held, uint64_t sent, uint64_t dropped)
{
        SpanCounts counts = span_store_counts(store);

        assert_int_equal(counts.held, held);
        assert_int_equal(counts.sent, sent);
        assert_int_equal(counts.dropped, dropped);
}

static void assert_reads(const SpanStore *store, const SpanBatch *batch, const char *text)
{
        _cleanup_(buffer_done) Buffer buffer;

        buffer_init(&buffer, 1000);
        assert_int_equal(span_store_read(store, batch, &buffer), 0);
        assert_int_equal(buffer_length(&buffer), batch->bytes);
        assert_int_equal(buffer_length(&buffer), strlen(text));
        assert_memory_equal(buffer_data(&buffer), text, strlen(text));
}

static void test_empty(void **state)
{
        _cleanup_(span_store_freep) SpanStore *store = NULL;
        SpanBatch batch;

        assert_int_equal(span_store_new(1000, 100, &store), 0);
        batch = span_store_peek(store, 100, 100);
        assert_int_equal(batch.pieces, 0);
        assert_counts(store, 0, 0, 0);
        assert_null(span_store_free(NULL));
}

static void test_order_and_commit(void **state)
{
        _cleanup_(span_store_freep) SpanStore *store = NULL;
        SpanBatch batch;

        assert_int_equal(span_store_new(1000, 100, &store), 0);
        add(store, "one", 1);
        add(store, "two", 2);
        add(store, "three", 3);

        batch = span_store_peek(store, 6, 100);
        assert_int_equal(batch.pieces, 2);
        assert_int_equal(batch.spans, 3);
        assert_reads(store, &batch, "onetwo");

        /* Nothing is gone before the commit, and what came meanwhile is not part of it. */
        assert_counts(store, 6, 0, 0);
        add(store, "four", 4);
        span_store_commit(store, &batch, 1);
        assert_counts(store, 7, 2, 1);

        batch = span_store_peek(store, 100, 100);
        assert_reads(store, &batch, "threefour");
        span_store_drop(store, &batch, DROP_LATE);
        assert_counts(store, 0, 2, 8);

        add(store, "five", 5);
        batch = span_store_peek(store, 100, 100);
        assert_reads(store, &batch, "five");
        /* More rejected than there were: the host's nonsense does not break the ledger. */
        span_store_commit(store, &batch, UINT64_MAX);
        assert_counts(store, 0, 2, 13);
        assert_int_equal(span_store_counts(store).by_cause[DROP_REFUSED], 6);
        assert_int_equal(span_store_counts(store).by_cause[DROP_LATE], 7);
}

static void test_limits_of_a_batch(void **state)
{
        _cleanup_(span_store_freep) SpanStore *store = NULL;
        SpanBatch batch;

        assert_int_equal(span_store_new(1000, 100, &store), 0);
        add(store, "0123456789", 10);
        add(store, "a", 1);
        add(store, "b", 1);

        batch = span_store_peek(store, 9, 100); /* the first piece alone is too large already */
        assert_int_equal(batch.pieces, 1);
        batch = span_store_peek(store, 100, 9);
        assert_int_equal(batch.pieces, 1);
        batch = span_store_peek(store, 10, 100);
        assert_int_equal(batch.pieces, 1);
        batch = span_store_peek(store, 11, 100);
        assert_int_equal(batch.pieces, 2);
        batch = span_store_peek(store, 100, 11);
        assert_int_equal(batch.pieces, 2);
        batch = span_store_peek(store, SIZE_MAX, SIZE_MAX);
        assert_int_equal(batch.pieces, 3);
}

static void test_full(void **state)
{
        _cleanup_(span_store_freep) SpanStore *store = NULL;
        uint8_t large[600] = {0};
        SpanBatch batch;

        assert_int_equal(span_store_new(1000, 100, &store), 0);
        assert_int_equal(span_store_add(store, LANE_GUEST, large, sizeof(large), 2), 0);
        assert_int_equal(span_store_add(store, LANE_GUEST, large, sizeof(large), 3), -ENOBUFS);
        assert_counts(store, 2, 0, 3);
        assert_int_equal(span_store_counts(store).by_cause[DROP_FULL], 3);
        assert_in_range(span_store_room(store, LANE_GUEST), 1, sizeof(large));

        /* What is smaller may still fit, and a commit makes room again. */
        assert_int_equal(span_store_add(store, LANE_GUEST, large, 1, 1), 0);
        batch = span_store_peek(store, SIZE_MAX, SIZE_MAX);
        span_store_commit(store, &batch, 0);
        assert_int_equal(span_store_add(store, LANE_GUEST, large, sizeof(large), 3), 0);
        assert_counts(store, 3, 3, 3);
        assert_int_equal(span_store_add(store, LANE_GUEST, large, SIZE_MAX, 1), -ENOBUFS);
}

/* The guest's own spans find room when programs have taken all that is theirs, and go first. */
static void test_lanes(void **state)
{
        _cleanup_(span_store_freep) SpanStore *store = NULL;
        uint8_t large[600] = {0};
        SpanBatch programs, guest;

        assert_int_equal(span_store_new(1000, 300, &store), 0);
        assert_int_equal(span_store_add(store, LANE_PROGRAMS, large, sizeof(large), 5), 0);
        assert_int_equal(span_store_add(store, LANE_PROGRAMS, large, 200, 1), -ENOBUFS);
        assert_in_range(span_store_room(store, LANE_PROGRAMS), 1, 100);
        programs = span_store_peek(store, SIZE_MAX, SIZE_MAX);
        assert_int_equal(programs.spans, 5);

        assert_int_equal(span_store_add(store, LANE_GUEST, large, 200, 2), 0);
        guest = span_store_peek(store, SIZE_MAX, SIZE_MAX);
        assert_int_equal(guest.spans, 2);
        /* A batch that was picked before is not disturbed. */
        span_store_commit(store, &programs, 0);
        assert_counts(store, 2, 5, 1);
        span_store_commit(store, &guest, 0);
        assert_counts(store, 0, 7, 1);
}

static void mark(void *owner, uint8_t *data, size_t n)
{
        *(size_t *)owner += n;
        data[n - 1] = '!';
}

static void test_change(void **state)
{
        _cleanup_(span_store_freep) SpanStore *store = NULL;
        _cleanup_(buffer_done) Buffer buffer;
        size_t total = 0;

        buffer_init(&buffer, 100);
        assert_int_equal(span_store_new(1000, 100, &store), 0);
        assert_int_equal(span_store_add(store, LANE_PROGRAMS, (const uint8_t *)"pro", 3, 1), 0);
        assert_int_equal(span_store_add(store, LANE_GUEST, (const uint8_t *)"one", 3, 1), 0);
        assert_int_equal(span_store_add(store, LANE_GUEST, (const uint8_t *)"more", 4, 1), 0);
        span_store_change(store, mark, &total);
        assert_int_equal(total, 10);
        for (SpanBatch batch; (batch = span_store_peek(store, 100, 100)).pieces > 0;) {
                assert_int_equal(span_store_read(store, &batch, &buffer), 0);
                span_store_commit(store, &batch, 0);
        }
        assert_int_equal(buffer_length(&buffer), 10);
        assert_memory_equal(buffer_data(&buffer), "on!mor!pr!", 10);
}

static void test_tiny_pieces_are_bounded(void **state)
{
        _cleanup_(span_store_freep) SpanStore *store = NULL;
        size_t n = 0;

        assert_int_equal(span_store_new(1000, 100, &store), 0);
        while (span_store_add(store, LANE_GUEST, (const uint8_t *)"x", 1, 1) == 0)
                assert_in_range(++n, 1, 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_empty),
                UNIT_TEST(test_order_and_commit),
                UNIT_TEST(test_limits_of_a_batch),
                UNIT_TEST(test_full),
                UNIT_TEST(test_lanes),
                UNIT_TEST(test_change),
                UNIT_TEST(test_tiny_pieces_are_bounded),
        };

        return RUN_TESTS(tests);
}
