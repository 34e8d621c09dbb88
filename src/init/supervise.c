/* The loop of PID 1 or of the service: waits with a bare ppoll over two descriptors, the signals and the link to
 * the tracer, turns what comes into events, and runs what the life-cycle table says. It never
 * blocks anywhere else. */

#include "init/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"
#include "init/agent-environment.h"
#include "init/lifecycle.h"
#include "init/oom.h"
#include "init/receiver.h"
#include "init/signal-name.h"
#include "init/spawn.h"
#include "init/tracer.h"
#include "init/vmm.h"

enum {
        TRACER_STARTS_MAX = 4,   /* then a guest goes on without */
        REAP_BURST = 512,        /* children reaped before other descriptors get their turn */
        LINK_BURST = 512,        /* records read likewise; more than the link holds */
        SIGNAL_BURST = 4,        /* as many as there are that we wait for */
        KILL_TIMEOUT_MSEC = 500, /* for a killed agent to be gone */
        NOTIFY_TIMEOUT_MSEC = 2000,
};

/* As Kata's units have it. PID 1 needs no score: the kernel never kills it for memory. */
#define AGENT_OOM_SCORE "-997"

typedef struct Supervisor {
        const Role *role;
        const Config *config;
        BootLog *log;
        GuestTrace *trace;
        char *const *environment;
        Ending *ending;
        int signal_fd;
        bool traced; /* from boot on: static mode */
        bool asked_to_stop; /* by a signal, in whatever state */
        LifeState state;
        nsec_t deadline; /* of @state */
        pid_t agent;
        Tracer tracer;
        Receiver receiver;
        pid_t teller; /* tells the tracer what was before us, 0 when it has; see Role */
        nsec_t connect_start;
        bool more_to_reap;
        bool flush_unsent; /* the link was full when the flush was due */
        int trace_error;   /* what the tracer last said, see LINK_FAILED */
        uint32_t trace_http_status;
} Supervisor;

/* What an action returns when it raises no event. */
enum { NO_EVENT = -1 };

static void set_deadline(Supervisor *s, nsec_t timeout)
{
        s->deadline = nsec_add(clock_boottime(), timeout);
}

/* A new tracer knows nothing: tell it the trace and all of boot. */
static void tell_boot(Supervisor *s)
{
        LinkRecord record;

        guest_trace_resource(s->trace, &record);
        record.trace.adopt = s->config->adopt;
        record.trace.token = s->receiver.token;
        (void)tracer_send(&s->tracer, &record); /* if it fails, the next spans count as lost */
        guest_trace_open(s->trace, &record);
        (void)tracer_send(&s->tracer, &record); /* if it fails, the host cannot end the root span */
        s->teller = s->role->tell_past(s->trace, &s->tracer);
        for (size_t i = 0; i < s->log->n; i++)
                if (guest_trace_step(s->trace, s->log, i, &record) == 0)
                        (void)tracer_send(&s->tracer, &record);
        if (s->trace->agent_start != 0) {
                guest_trace_boot(s->trace, s->trace->agent_start, s->ending, &record);
                (void)tracer_send(&s->tracer, &record);
        }
}

static void open_receiver(Supervisor *s)
{
        nsec_t start = clock_boottime();

        boot_log_add(s->log, "listen for spans", start, receiver_open(&s->receiver));
}

static int start_tracer(Supervisor *s)
{
        nsec_t start = clock_boottime();
        int r = tracer_start(&s->tracer, &s->config->trace_endpoint, &s->receiver);

        if (r < 0) {
                log_error_errno(r, "Cannot start %s", TRACER_PATH);
                receiver_close(&s->receiver); /* rather than let the agent wait */
                return r;
        }
        if (s->state == LIFE_CONNECT && s->tracer.starts == 1)
                boot_log_add(s->log, "start tracer", start, 0);
        tell_boot(s);
        return 0;
}

static int do_connect(Supervisor *s)
{
        set_deadline(s, s->config->trace_connect_timeout);
        if (start_tracer(s) < 0)
                return LIFE_ON_TIMEOUT;
        s->connect_start = clock_boottime();
        return NO_EVENT;
}

static int restart_tracer(Supervisor *s)
{
        if (s->tracer.starts >= TRACER_STARTS_MAX) {
                log_error("The tracer ended %u times: going on without it", s->tracer.starts);
                receiver_close(&s->receiver);
                return -EAGAIN;
        }
        log_warning("The tracer ended, starting it again");
        s->ending->tracer_restarts++;
        s->flush_unsent = false; /* to the one before */
        return start_tracer(s);
}

static int do_restart_tracer(Supervisor *s)
{
        return restart_tracer(s) < 0 && s->state == LIFE_CONNECT ? LIFE_ON_TIMEOUT : NO_EVENT;
}

static _Noreturn void run_notify_ready(const Address *address)
{
        nsec_t deadline = nsec_add(clock_boottime(), NOTIFY_TIMEOUT_MSEC * NSEC_PER_MSEC);
        int fd = -EBADF, r = vmm_send(address, "READY=1\n", deadline, &fd);
        sigset_t none;

        /* Once that is sent, a shutdown need not wait for us: SIGTERM may end this. */
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        if (r == 0)
                r = vmm_await_close(fd, deadline);
        if (r < 0)
                log_warning_errno(r, "Cannot tell the VMM that the agent runs");
        _exit(EXIT_SUCCESS);
}

/* By a child, since the VMM may not answer; the reaper takes care of it. */
static void notify_ready(const Supervisor *s)
{
        if (address_is_set(&s->config->notify_socket) && fork() == 0)
                run_notify_ready(&s->config->notify_socket);
}

static int do_start_agent(Supervisor *s)
{
        AgentEnvironment environment;
        size_t steps = s->log->n;
        LinkRecord record;
        int r;

        if (s->connect_start != 0) {
                boot_log_add(s->log, "await receiver", s->connect_start, 0);
                if (s->log->n > steps && guest_trace_step(s->trace, s->log, steps, &record) == 0)
                        (void)tracer_send(&s->tracer, &record);
        }
        agent_environment_fill(&environment, s->environment, s->config, s->traced ? s->trace : NULL,
                               &s->receiver);
        s->trace->agent_start = clock_boottime();
        r = spawn(&(SpawnOptions){.argv = s->config->agent,
                                  .envp = environment.variables,
                                  .oom_score = AGENT_OOM_SCORE,
                                  .pid1 = s->config->agent_pid1,
                                  .new_session = true,
                                  .own_terminal = true},
                  &s->agent);
        if (s->traced && s->tracer.starts == 0) {
                (void)start_tracer(s); /* not required, and its failure was logged */
        } else if (s->traced) {
                guest_trace_boot(s->trace, s->trace->agent_start, s->ending, &record);
                (void)tracer_send(&s->tracer, &record);
        }
        if (r < 0) {
                log_error_errno(r, "Cannot execute the agent %s", s->config->agent[0]);
                s->ending->reason = END_AGENT_START_FAILURE;
                s->ending->start_error = r;
                s->ending->exit_code = r == -ENOENT ? 127 : 126;
                return LIFE_ON_START_FAILED;
        }
        s->ending->agent_ran = true;
        notify_ready(s);
        log_debug("Agent %s runs as process %d", s->config->agent[0], (int)s->agent);
        return NO_EVENT;
}

/* To the agent's whole process group; a stopped one must be woken up to die. */
static void signal_agent(const Supervisor *s, int signal)
{
        (void)kill(-s->agent, signal); /* ESRCH: it is gone already, which the reaper will say */
        (void)kill(-s->agent, SIGCONT);
}

static int do_stop_agent(Supervisor *s)
{
        log_info("Asked to stop: sending SIGTERM to the agent");
        s->ending->reason = END_STOP_REQUEST;
        signal_agent(s, SIGTERM);
        set_deadline(s, s->config->stop_timeout);
        return NO_EVENT;
}

static int do_kill_agent(Supervisor *s)
{
        log_warning("The agent did not stop in time: killing it");
        s->ending->reason = END_STOP_TIMEOUT;
        ending_set_status(s->ending, SIGKILL, &(struct rusage){0}); /* should it not even die */
        s->ending->kill_start = clock_boottime();
        signal_agent(s, SIGKILL);
        set_deadline(s, MIN(KILL_TIMEOUT_MSEC * NSEC_PER_MSEC, s->config->end_timeout / 2));
        return NO_EVENT;
}

/* The one clear line that says why there is no agent and no trace. */
static int do_give_up(Supervisor *s)
{
        char endpoint[ADDRESS_TEXT_MAX], cause[64] = "no answer";

        if (s->trace_error != 0)
                (void)snprintf(cause, sizeof(cause), "%s", strerror(s->trace_error));
        else if (s->trace_http_status != 0)
                (void)snprintf(cause, sizeof(cause), "HTTP status %u", s->trace_http_status);
        address_format(&s->config->trace_endpoint, endpoint);
        log_error("No span was acknowledged at %s within %llu ms (%s): ending the VM without "
                  "starting the agent; rootspan.trace_require=no would start it",
                  endpoint, (unsigned long long)(s->config->trace_connect_timeout / NSEC_PER_MSEC),
                  cause);
        s->ending->reason = END_TRACE_UNREACHABLE;
        s->ending->exit_code = ENDING_CODE_OWN;
        s->ending->flushed = true;
        s->ending->flush_outcome = FLUSH_UNREACHABLE;
        s->ending->agent_end = clock_boottime();
        return LIFE_ON_VM_ENDS;
}

static nsec_t flush_deadline(const Supervisor *s)
{
        nsec_t timeout = MIN(s->config->flush_timeout, s->config->end_timeout);

        return nsec_add(ending_start(s->ending), timeout);
}

/* Sends the root span; its record is made anew so that it need not be kept. */
static void send_flush(Supervisor *s)
{
        LinkRecord record;
        int r;

        guest_trace_root(s->trace, s->ending, s->deadline, &record);
        r = tracer_send(&s->tracer, &record);
        s->flush_unsent = r == -EAGAIN;
}

static void send_last_spans(Supervisor *s)
{
        LinkRecord record;

        if (s->trace->agent_start != 0)
                guest_trace_agent(s->trace, s->config, s->agent, s->ending, &record);
        else
                guest_trace_boot(s->trace, s->ending->agent_end, s->ending, &record);
        (void)tracer_send(&s->tracer, &record);
        if (s->teller > 0)
                (void)kill(s->teller, SIGTERM); /* its end lets the root span go, which is last */
        else
                send_flush(s);
}

static int do_flush(Supervisor *s)
{
        Ending *ending = s->ending;

        ending->agent_end = clock_boottime();
        if (!ending->agent_ran && ending->reason != END_AGENT_START_FAILURE) {
                ending->reason = END_STOP_REQUEST;
                ending->exit_code = ENDING_CODE_OWN;
        }
        if (!s->traced)
                return LIFE_ON_FLUSHED;

        ending->flushed = true;
        ending->flush_outcome = FLUSH_UNREACHABLE; /* until the tracer says better */
        s->deadline = flush_deadline(s);
        if (s->tracer.pid == 0)
                return LIFE_ON_FLUSHED;
        if (s->tracer.link >= 0) /* else it is being killed, and the next one sends them */
                send_last_spans(s);
        return NO_EVENT;
}

/* The tracer died over the last spans. What it had received is lost, what we know is told anew. */
static int do_flush_again(Supervisor *s)
{
        if (restart_tracer(s) < 0)
                return LIFE_ON_FLUSHED;
        send_last_spans(s);
        return NO_EVENT;
}

/* A host that has asked for the end is not waited for to bring it. */
static bool guest_ends_vm(const Supervisor *s)
{
        if (s->asked_to_stop)
                return true;
        switch ((OnAgentExit)s->config->on_agent_exit) {
        case ON_AGENT_EXIT_END:
                return true;
        case ON_AGENT_EXIT_WAIT:
                return false;
        case ON_AGENT_EXIT_AUTO:
                return s->traced || !ending_is_success(s->ending);
        }
        return true;
}

static int do_finish(Supervisor *s)
{
        s->ending->flush_end = clock_boottime();
        s->ending->spans_dropped += s->tracer.lost;
        tracer_done(&s->tracer); /* upon which the tracer exits */
        receiver_close(&s->receiver);
        if (!s->role->awaits_host || guest_ends_vm(s))
                return LIFE_ON_VM_ENDS;
        log_info("The agent exited with code %d; it is for the host to end the VM",
                 s->ending->exit_code);
        return NO_EVENT;
}

/* The host let the guest wait, perhaps for days: what is left gets its full time to end. */
static int do_end_wait(Supervisor *s)
{
        s->ending->wait_end = clock_boottime();
        return NO_EVENT;
}

static int run_action(Supervisor *s, LifeAction action)
{
        switch (action) {
        case LIFE_DO_NOTHING:
                return NO_EVENT;
        case LIFE_DO_CONNECT:
                return do_connect(s);
        case LIFE_DO_START_AGENT:
                return do_start_agent(s);
        case LIFE_DO_STOP_AGENT:
                return do_stop_agent(s);
        case LIFE_DO_KILL_AGENT:
                return do_kill_agent(s);
        case LIFE_DO_RESTART_TRACER:
                return do_restart_tracer(s);
        case LIFE_DO_GIVE_UP:
                return do_give_up(s);
        case LIFE_DO_FLUSH:
                return do_flush(s);
        case LIFE_DO_FLUSH_AGAIN:
                return do_flush_again(s);
        case LIFE_DO_FINISH:
                return do_finish(s);
        case LIFE_DO_END_WAIT:
                return do_end_wait(s);
        }
        return NO_EVENT;
}

static void dispatch(Supervisor *s, int event)
{
        LifeState before = s->state;

        while (event != NO_EVENT) {
                LifeTransition transition = life_next(s->state, (LifeEvent)event);

                if (transition.next != s->state) {
                        log_debug("%s -> %s", life_state_name(s->state),
                                  life_state_name(transition.next));
                        s->state = transition.next;
                        s->deadline = NSEC_INFINITY; /* the action sets a new one */
                }
                event = run_action(s, transition.action);
        }
        if (s->state != before)
                s->role->entered(s->state, s->deadline);
}

static void on_agent_exit(Supervisor *s, int status, const struct rusage *usage)
{
        ending_set_status(s->ending, status, usage);
        if (s->config->agent_pid1)
                ending_accept_reboot(s->ending);
        if (s->ending->exit_signal == SIGKILL)
                s->ending->oom_kills = oom_count_kills();
        if (s->ending->reason == END_AGENT_EXIT && s->ending->exit_signal != 0)
                s->ending->reason = s->ending->oom_kills > 0 && oom_was_killed(s->agent)
                                            ? END_AGENT_OOM
                                            : END_AGENT_SIGNAL;
        if (s->ending->exit_signal != 0)
                log_info("The agent was killed by signal %d (%s)", s->ending->exit_signal,
                         signal_name(s->ending->exit_signal));
        dispatch(s, LIFE_ON_AGENT_EXIT);
}

static void on_record(Supervisor *s, const LinkRecord *record)
{
        if (record->type == LINK_ACKED) {
                dispatch(s, LIFE_ON_ACKED);
        } else if (record->type == LINK_FAILED) {
                s->trace_error = record->failed.error;
                s->trace_http_status = record->failed.http_status;
        } else if (record->type == LINK_RESUMED) {
                s->trace->resumed = true;
        } else if (record->type == LINK_FLUSHED && s->state == LIFE_FLUSH) {
                s->ending->flush_outcome = record->flushed.outcome;
                s->ending->spans_sent = record->flushed.spans_sent;
                s->ending->spans_dropped = record->flushed.spans_dropped;
                dispatch(s, LIFE_ON_FLUSHED);
        }
}

static void read_link(Supervisor *s)
{
        LinkRecord record;

        for (int i = 0; i < LINK_BURST && s->tracer.link >= 0; i++) {
                int r = tracer_receive(&s->tracer, &record);

                if (r == TRACER_E_NONE)
                        return;
                if (r == TRACER_E_GONE) {
                        if (s->tracer.pid > 0) /* of no use without a link, should it live on */
                                (void)kill(s->tracer.pid, SIGKILL);
                        return; /* the reaper goes on with it */
                }
                if (r == TRACER_E_BAD)
                        log_debug("The tracer sent what is no record, ignored");
                else
                        on_record(s, &record);
        }
}

static void on_tracer_exit(Supervisor *s)
{
        s->tracer.pid = 0;
        read_link(s); /* its last words may have come since we looked */
        tracer_done(&s->tracer);
        dispatch(s, LIFE_ON_TRACER_EXIT);
}

/* The only place that waits for children before the shutdown. */
static void reap(Supervisor *s)
{
        for (int i = 0; i < REAP_BURST; i++) {
                struct rusage usage;
                int status;
                pid_t pid = wait4(-1, &status, WNOHANG, &usage);

                s->more_to_reap = pid > 0;
                if (pid <= 0)
                        return;
                if (pid == s->agent && s->ending->agent_end == 0) {
                        on_agent_exit(s, status, &usage);
                } else if (pid == s->tracer.pid) {
                        on_tracer_exit(s);
                } else if (pid == s->teller) {
                        s->teller = 0;
                        if (s->state == LIFE_FLUSH) {
                                s->ending->told_end = clock_boottime();
                                send_flush(s);
                        }
                }
        }
}

static void on_signals(Supervisor *s)
{
        struct signalfd_siginfo infos[SIGNAL_BURST];
        ssize_t n = read(s->signal_fd, infos, sizeof(infos));

        for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(*infos); i++) {
                if (infos[i].ssi_signo == SIGCHLD) {
                        s->more_to_reap = true;
                } else {
                        s->asked_to_stop = true;
                        dispatch(s, LIFE_ON_STOP);
                }
        }
}

static void on_link(Supervisor *s, short revents)
{
        if ((revents & POLLOUT) && s->flush_unsent)
                send_flush(s);
        read_link(s);
}

/* What took longer than it may is not waited for, but said. */
static void on_timeout(Supervisor *s)
{
        if (s->state == LIFE_FLUSH)
                log_warning("The last spans were not acknowledged in time, going on");
        else if (s->state == LIFE_KILL)
                log_warning("The killed agent is still there, going on");
        dispatch(s, LIFE_ON_TIMEOUT);
}

static void wait_for_events(Supervisor *s)
{
        nsec_t now = clock_boottime(), wake = MIN(s->deadline, s->role->tick(now));
        nsec_t left = s->more_to_reap ? 0 : nsec_left(wake, now);
        struct timespec timeout = {(time_t)(left / NSEC_PER_SEC), (long)(left % NSEC_PER_SEC)};
        struct pollfd fds[] = {
                {.fd = s->signal_fd, .events = POLLIN},
                {.fd = s->tracer.link, .events = (short)(POLLIN | (s->flush_unsent ? POLLOUT : 0))},
        };
        int n = ppoll(fds, ARRAY_SIZE(fds), left == NSEC_INFINITY ? NULL : &timeout, NULL);

        if (n > 0 && fds[0].revents != 0)
                on_signals(s);
        /* The link before the reaper: a tracer's last words come before its death. */
        if (n > 0 && fds[1].revents != 0)
                on_link(s, fds[1].revents);
        if (s->more_to_reap)
                reap(s);
        if (nsec_left(s->deadline, clock_boottime()) == 0)
                on_timeout(s);
}

void supervise(const Role *role, const Config *config, BootLog *log, GuestTrace *trace,
               int signal_fd, char *const *environment, Ending *ending)
{
        static Supervisor s; /* too large for a stack, and there is one PID 1 */

        s = (Supervisor){
                .role = role,
                .config = config,
                .log = log,
                .trace = trace,
                .environment = environment,
                .ending = ending,
                .signal_fd = signal_fd,
                .traced = config_trace_mode(config) == TRACE_STATIC,
                .deadline = NSEC_INFINITY,
        };
        tracer_init(&s.tracer);
        if (s.traced)
                open_receiver(&s);
        dispatch(&s, s.traced && config->trace_require ? LIFE_ON_HOST_NEEDED : LIFE_ON_READY);
        while (s.state != LIFE_END)
                wait_for_events(&s);
        tracer_done(&s.tracer);
}
