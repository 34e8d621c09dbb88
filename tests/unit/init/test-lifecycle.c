#include "test.h"

#include "base/macro.h"
#include "init/lifecycle.h"

/* From every state, this chain of events leads to the end: nothing can be stuck. */
static void test_stop_requests_and_timeouts_always_end_the_vm(void **state)
{
        for (LifeState start = LIFE_CONNECT; start < LIFE_END; start++) {
                LifeState s = start;

                for (int i = 0; i < 8 && s != LIFE_END; i++) {
                        s = life_next(s, LIFE_ON_TIMEOUT).next;
                        s = life_next(s, LIFE_ON_STOP).next;
                }
                assert_int_equal(s, LIFE_END);
        }
}

static void test_a_good_life(void **state)
{
        static const struct {
                LifeEvent event;
                LifeAction action;
                LifeState next;
        } life[] = {
                {LIFE_ON_HOST_NEEDED, LIFE_DO_CONNECT, LIFE_CONNECT},
                {LIFE_ON_AGENT_EXIT, LIFE_DO_NOTHING, LIFE_CONNECT}, /* there is none yet */
                {LIFE_ON_ACKED, LIFE_DO_START_AGENT, LIFE_RUN},
                {LIFE_ON_ACKED, LIFE_DO_NOTHING, LIFE_RUN}, /* a tracer that was restarted */
                {LIFE_ON_TRACER_EXIT, LIFE_DO_RESTART_TRACER, LIFE_RUN},
                {LIFE_ON_AGENT_EXIT, LIFE_DO_FLUSH, LIFE_FLUSH},
                {LIFE_ON_STOP, LIFE_DO_NOTHING, LIFE_FLUSH},
                {LIFE_ON_TRACER_EXIT, LIFE_DO_FLUSH_AGAIN, LIFE_FLUSH},
                {LIFE_ON_FLUSHED, LIFE_DO_FINISH, LIFE_WAIT},
                {LIFE_ON_TRACER_EXIT, LIFE_DO_NOTHING, LIFE_WAIT},
                {LIFE_ON_VM_ENDS, LIFE_DO_NOTHING, LIFE_END},
        };
        LifeState s = LIFE_BOOT;

        for (size_t i = 0; i < ARRAY_SIZE(life); i++) {
                LifeTransition transition = life_next(s, life[i].event);

                assert_int_equal(transition.action, life[i].action);
                assert_int_equal(transition.next, life[i].next);
                s = transition.next;
        }
}

/* Only the flush may be followed by the end; nobody's agent is dropped unflushed. */
static void test_no_way_around_the_flush(void **state)
{
        for (LifeState s = LIFE_RUN; s <= LIFE_KILL; s++)
                for (LifeEvent event = 0; event < LIFE_EVENTS_N; event++)
                        assert_true(life_next(s, event).next <= LIFE_FLUSH);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_stop_requests_and_timeouts_always_end_the_vm),
                UNIT_TEST(test_a_good_life),
                UNIT_TEST(test_no_way_around_the_flush),
        };

        return RUN_TESTS(tests);
}
