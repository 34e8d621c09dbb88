#pragma once

/* The life of PID 1 as a table: states x events -> action and next state. Pure; the same table
 * stands in docs/architecture.md. */

typedef enum LifeState {
        LIFE_BOOT,    /* mounts are made, options are read */
        LIFE_CONNECT, /* the tracer runs, the host has not acknowledged anything yet */
        LIFE_RUN,     /* the agent runs */
        LIFE_STOP,    /* the agent was asked to stop */
        LIFE_KILL,    /* the agent was killed */
        LIFE_FLUSH,   /* the agent is gone, the tracer sends the last spans */
        LIFE_WAIT,    /* all is sent; the host ends the VM, or we do at once */
        LIFE_END,
        LIFE_STATES_N,
} LifeState;

typedef enum LifeEvent {
        LIFE_ON_HOST_NEEDED, /* boot is done, the agent must wait for the host */
        LIFE_ON_READY,       /* boot is done, the agent need not wait */
        LIFE_ON_ACKED,
        LIFE_ON_START_FAILED, /* the agent could not be executed */
        LIFE_ON_AGENT_EXIT,
        LIFE_ON_TRACER_EXIT,
        LIFE_ON_FLUSHED,
        LIFE_ON_STOP, /* a signal asks for the end */
        LIFE_ON_TIMEOUT,
        LIFE_ON_VM_ENDS, /* it is for us to end the VM */
        LIFE_EVENTS_N,
} LifeEvent;

typedef enum LifeAction {
        LIFE_DO_NOTHING,
        LIFE_DO_CONNECT,        /* start the tracer, wait for the host */
        LIFE_DO_START_AGENT,
        LIFE_DO_STOP_AGENT,     /* TERM and a deadline */
        LIFE_DO_KILL_AGENT,     /* KILL and a deadline */
        LIFE_DO_RESTART_TRACER,
        LIFE_DO_GIVE_UP,        /* the host did not answer in time */
        LIFE_DO_FLUSH,
        LIFE_DO_FLUSH_AGAIN,    /* restart the tracer, in what is left of the time */
        LIFE_DO_FINISH,         /* decide who ends the VM */
        LIFE_DO_END_WAIT,       /* the host asks for the end it was to bring */
} LifeAction;

typedef struct LifeTransition {
        LifeAction action;
        LifeState next;
} LifeTransition;

LifeTransition life_next(LifeState state, LifeEvent event);

const char *life_state_name(LifeState state);
