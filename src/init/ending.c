/* How a guest came to its end. */

#include "init/ending.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/macro.h"

const char *end_reason_name(EndReason reason)
{
        switch (reason) {
        case END_AGENT_EXIT:
                return "agent-exit";
        case END_AGENT_SIGNAL:
                return "agent-signal";
        case END_AGENT_OOM:
                return "agent-oom";
        case END_AGENT_START_FAILURE:
                return "agent-start-failure";
        case END_STOP_REQUEST:
                return "stop-request";
        case END_STOP_TIMEOUT:
                return "stop-timeout";
        case END_CONFIG_ERROR:
                return "config-error";
        case END_TRACE_UNREACHABLE:
                return "trace-unreachable";
        case END_INIT_FAULT:
                return "init-fault";
        }
        return "unknown";
}

void ending_set_status(Ending *ending, int status, const struct rusage *usage)
{
        bool killed = WIFSIGNALED(status);

        ending->usage = *usage;
        ending->exit_signal = killed ? WTERMSIG(status) : 0;
        ending->exit_code = killed ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        ending->core_dumped = killed && WCOREDUMP(status);
}

void ending_accept_reboot(Ending *ending)
{
        if (ending->exit_signal == SIGINT || ending->exit_signal == SIGHUP) {
                ending->exit_signal = 0;
                ending->exit_code = 0;
        }
}

nsec_t ending_start(const Ending *ending)
{
        if (ending->wait_end != 0)
                return ending->wait_end;
        return ending->kill_start != 0 ? ending->kill_start : ending->agent_end;
}

bool ending_is_success(const Ending *ending)
{
        return ending->agent_ran && ending->exit_code == 0;
}

/* Milliseconds between two times, 0 if either did not happen. */
static unsigned long long ms_between(nsec_t from, nsec_t to)
{
        return from == 0 || to == 0 ? 0 : nsec_left(to, from) / NSEC_PER_MSEC;
}

void ending_format(const Ending *ending, char ret[static ENDING_LINE_MAX])
{
        nsec_t flush_end = ending->flush_end ? ending->flush_end : ending->agent_end;
        nsec_t stop_start = MAX(flush_end, ending->wait_end);

        (void)snprintf(ret, ENDING_LINE_MAX,
                       "end reason=%s code=%d signal=%d core=%s flush=%s sent=%llu dropped=%llu "
                       "flush_ms=%llu stop_ms=%llu sync_ms=%llu total_ms=%llu",
                       end_reason_name(ending->reason), ending->exit_code, ending->exit_signal,
                       ending->core_dumped ? "yes" : "no",
                       ending->flushed ? flush_outcome_name(ending->flush_outcome) : "none",
                       (unsigned long long)ending->spans_sent,
                       (unsigned long long)ending->spans_dropped,
                       ms_between(ending->agent_end, ending->flush_end),
                       ms_between(stop_start, ending->stop_end),
                       ms_between(ending->stop_end, ending->sync_end),
                       ms_between(ending->agent_end, ending->sync_end));
}
