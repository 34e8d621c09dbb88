/* The life of PID 1 as a table. What is not in it changes nothing: an event that comes too late
 * or twice is no error. */

#include "init/lifecycle.h"

#include <stdbool.h>

typedef struct Row {
        bool used;
        LifeTransition transition;
} Row;

#define ROW(action, next) {true, {LIFE_DO_##action, LIFE_##next}}

static const Row table[LIFE_STATES_N][LIFE_EVENTS_N] = {
        [LIFE_BOOT] = {
                [LIFE_ON_HOST_NEEDED] = ROW(CONNECT, CONNECT),
                [LIFE_ON_READY] = ROW(START_AGENT, RUN),
        },
        [LIFE_CONNECT] = {
                [LIFE_ON_ACKED] = ROW(START_AGENT, RUN),
                [LIFE_ON_TRACER_EXIT] = ROW(RESTART_TRACER, CONNECT),
                [LIFE_ON_STOP] = ROW(FLUSH, FLUSH),
                [LIFE_ON_TIMEOUT] = ROW(GIVE_UP, WAIT),
        },
        [LIFE_RUN] = {
                [LIFE_ON_START_FAILED] = ROW(FLUSH, FLUSH),
                [LIFE_ON_AGENT_EXIT] = ROW(FLUSH, FLUSH),
                [LIFE_ON_TRACER_EXIT] = ROW(RESTART_TRACER, RUN),
                [LIFE_ON_STOP] = ROW(STOP_AGENT, STOP),
        },
        [LIFE_STOP] = {
                [LIFE_ON_AGENT_EXIT] = ROW(FLUSH, FLUSH),
                [LIFE_ON_TRACER_EXIT] = ROW(RESTART_TRACER, STOP),
                [LIFE_ON_STOP] = ROW(KILL_AGENT, KILL),
                [LIFE_ON_TIMEOUT] = ROW(KILL_AGENT, KILL),
        },
        [LIFE_KILL] = {
                [LIFE_ON_AGENT_EXIT] = ROW(FLUSH, FLUSH),
                [LIFE_ON_TRACER_EXIT] = ROW(RESTART_TRACER, KILL),
                [LIFE_ON_TIMEOUT] = ROW(FLUSH, FLUSH),
        },
        [LIFE_FLUSH] = {
                [LIFE_ON_FLUSHED] = ROW(FINISH, WAIT),
                [LIFE_ON_TRACER_EXIT] = ROW(FLUSH_AGAIN, FLUSH),
                [LIFE_ON_TIMEOUT] = ROW(FINISH, WAIT),
        },
        [LIFE_WAIT] = {
                [LIFE_ON_VM_ENDS] = ROW(NOTHING, END),
                [LIFE_ON_STOP] = ROW(END_WAIT, END),
        },
};

LifeTransition life_next(LifeState state, LifeEvent event)
{
        const Row *row = &table[state][event];

        return row->used ? row->transition : (LifeTransition){LIFE_DO_NOTHING, state};
}

const char *life_state_name(LifeState state)
{
        static const char *const names[LIFE_STATES_N] = {
                [LIFE_BOOT] = "boot", [LIFE_CONNECT] = "connect", [LIFE_RUN] = "run",
                [LIFE_STOP] = "stop", [LIFE_KILL] = "kill",       [LIFE_FLUSH] = "flush",
                [LIFE_WAIT] = "wait", [LIFE_END] = "end",
        };

        return names[state];
}
