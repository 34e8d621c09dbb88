#include "test.h"

#include "vhost/credit.h"

static Credit with_peer(uint32_t buffer, uint32_t forwarded)
{
        Packet packet = {.buf_alloc = buffer, .fwd_cnt = forwarded};
        Credit credit = {0};

        credit_learn(&credit, &packet);
        return credit;
}

static void test_room_shrinks_and_grows(void **state)
{
        Credit credit = with_peer(1000, 0);
        Packet packet = {.buf_alloc = 1000, .fwd_cnt = 300};

        assert_int_equal(credit_room(&credit), 1000);
        credit_send(&credit, 1000);
        assert_int_equal(credit_room(&credit), 0);
        credit_learn(&credit, &packet);
        assert_int_equal(credit_room(&credit), 300);
}

/* 32 bits are used up after 4 GiB; nothing may happen then. */
static void test_counters_wrap(void **state)
{
        const uint32_t step = 64 * 1024;
        Credit credit = with_peer(CREDIT_BUFFER, 0);

        for (uint64_t total = 0; total < UINT64_C(5) << 32; total += step) {
                Packet packet = {.buf_alloc = CREDIT_BUFFER};

                assert_int_equal(credit_room(&credit), CREDIT_BUFFER);
                credit_send(&credit, step);
                assert_int_equal(credit_room(&credit), CREDIT_BUFFER - step);
                packet.fwd_cnt = (uint32_t)(total + step);
                credit_learn(&credit, &packet);

                assert_true(credit_receive(&credit, step));
                credit_forward(&credit, step);
        }
}

/* Whatever the guest claims, it gets no more than a buffer's worth. */
static void test_lies(void **state)
{
        Credit credit = with_peer(1000, UINT32_MAX); /* more than was sent */

        assert_true(credit_room(&credit) <= 1000);
        credit = with_peer(1000, 1001);
        assert_int_equal(credit_room(&credit), 0);

        credit = with_peer(1000, 0);
        credit_send(&credit, 900);
        credit_learn(&credit, &(Packet){.buf_alloc = 500}); /* a buffer that shrank */
        assert_int_equal(credit_room(&credit), 0);
        credit_learn(&credit, &(Packet){.buf_alloc = 0});
        assert_int_equal(credit_room(&credit), 0);
}

static void test_receive_more_than_was_offered(void **state)
{
        Credit credit = {0};

        assert_true(credit_receive(&credit, CREDIT_BUFFER - 1));
        assert_false(credit_receive(&credit, 2));
        assert_false(credit_receive(&credit, UINT32_MAX));
        assert_true(credit_receive(&credit, 1));
        credit_forward(&credit, 10);
        assert_false(credit_receive(&credit, 11));
        assert_true(credit_receive(&credit, 10));
}

static void test_news(void **state)
{
        Credit credit = {0};
        Packet packet = {0};

        assert_true(credit_receive(&credit, CREDIT_BUFFER));
        credit_forward(&credit, CREDIT_BUFFER / 4 - 1);
        assert_false(credit_is_news(&credit));
        credit_forward(&credit, 1);
        assert_true(credit_is_news(&credit));
        credit_tell(&credit, &packet);
        assert_int_equal(packet.fwd_cnt, CREDIT_BUFFER / 4);
        assert_int_equal(packet.buf_alloc, CREDIT_BUFFER);
        assert_false(credit_is_news(&credit));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_room_shrinks_and_grows),
                UNIT_TEST(test_counters_wrap),
                UNIT_TEST(test_lies),
                UNIT_TEST(test_receive_more_than_was_offered),
                UNIT_TEST(test_news),
        };

        return RUN_TESTS(tests);
}
