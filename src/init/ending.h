#pragma once

/* How a guest came to its end: the taxonomy, and everything known about it. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "link/record.h"

typedef enum EndReason {
        END_AGENT_EXIT,          /* the agent exited by itself */
        END_AGENT_SIGNAL,        /* a signal killed the agent */
        END_AGENT_OOM,           /* the kernel killed it, out of memory */
        END_AGENT_START_FAILURE, /* the agent could not be executed */
        END_STOP_REQUEST,        /* we were asked to stop, and the agent did */
        END_STOP_TIMEOUT,        /* we were asked to stop, and the agent had to be killed */
        END_CONFIG_ERROR,
        END_TRACE_UNREACHABLE, /* the receiver of spans is required and did not answer */
        END_INIT_FAULT,        /* something the guest cannot do without failed */
} EndReason;

enum { ENDING_CODE_OWN = 125 }; /* the exit code when the agent never ran, for a reason of ours */

typedef struct Ending {
        EndReason reason;
        bool agent_ran;
        int exit_code;     /* of the agent; 128 + n for signal n, 127 if it could not be executed */
        int exit_signal;   /* 0 if it exited by itself */
        bool core_dumped;
        int start_error;   /* -errno of an agent that could not be executed */
        struct rusage usage;
        uint64_t oom_kills; /* by the kernel in this VM, of whatever process */
        unsigned tracer_restarts; /* what an earlier tracer still held is lost, and not counted */
        bool flushed;      /* whether the three below are known */
        FlushOutcome flush_outcome;
        uint64_t spans_sent;
        uint64_t spans_dropped;
        nsec_t kill_start; /* CLOCK_BOOTTIME of what follows, 0 for what did not happen */
        nsec_t agent_end;
        nsec_t told_end; /* it was only now that all from before us was told: the root span's end */
        nsec_t flush_end;
        nsec_t wait_end; /* the host asked for the end that it had kept for itself */
        nsec_t stop_end; /* all other processes are gone */
        nsec_t sync_end; /* file systems are synced and unmounted */
} Ending;

/* "agent-exit" and so on. */
const char *end_reason_name(EndReason reason);

/* Fills in what a wait status (wait(2)) says of the agent. */
void ending_set_status(Ending *ending, int status, const struct rusage *usage);

/* Of an agent that is PID 1 of a namespace: its reboot(2) ended only that, by SIGINT (power off,
 * halt) or SIGHUP (restart), which nobody else can send it; that is a clean end (pid_namespaces(7)). */
void ending_accept_reboot(Ending *ending);

/* What rootspan.end_timeout counts from: the agent's exit or, as it may not even die, the SIGKILL it
 * was sent; when the guest waited for the host, the host's request. */
nsec_t ending_start(const Ending *ending);

/* Was the agent's life a success? */
bool ending_is_success(const Ending *ending);

/* The last console line, one that a machine can read: key=value words. */
enum { ENDING_LINE_MAX = 320 };
void ending_format(const Ending *ending, char ret[static ENDING_LINE_MAX]);
