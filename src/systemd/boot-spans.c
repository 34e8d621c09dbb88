/* systemd's boot as spans: kernel, initrd and userspace, below that each unit's activation. They go
 * into the link as rootspan-init's own records do. */

#include "systemd/boot-spans.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-event.h>

#include "base/log.h"
#include "base/macro.h"
#include "base/random.h"
#include "link/record.h"
#include "systemd/boot.h"
#include "systemd/manager.h"

/* A boot that is not complete by then waits for something that may never come. */
#define BOOT_TIMEOUT (60 * NSEC_PER_SEC)

/* For an answer of the manager, which has much to do just now. */
#define MANAGER_TIMEOUT (20 * NSEC_PER_SEC)

typedef struct Teller {
        const BootSpans *options;
        sd_bus *bus;
        nsec_t monotonic_offset; /* CLOCK_MONOTONIC + this is CLOCK_BOOTTIME */
        SpanId userspace;
        Interval userspace_interval;
        bool hurried;
        bool awaited; /* the boot, long enough */
} Teller;

static void teller_done(Teller *teller)
{
        sd_bus_unref(teller->bus);
}

static sigset_t sigterm_set(void)
{
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        return set;
}

static void hurry(Teller *teller)
{
        (void)alarm(teller->options->grace_sec); /* whatever hangs, SIGALRM ends us */
        teller->hurried = true;
}

/* Has SIGTERM come by now? It stays blocked, so that it interrupts nothing. */
static void look_for_hurry(Teller *teller)
{
        static const struct timespec now;
        sigset_t set = sigterm_set();

        if (!teller->hurried && sigtimedwait(&set, NULL, &now) == SIGTERM)
                hurry(teller);
}

/* For the tracer there is no difference to a record of init. A socket that is writable has three
 * quarters of its buffer free: waiting for that each time leaves init room for its own, which it
 * does not wait to send. */
static int send_span(const Teller *teller, const LinkRecord *record)
{
        static uint8_t data[LINK_RECORD_MAX];
        struct pollfd link = {.fd = teller->options->link_fd, .events = POLLOUT};
        ptrdiff_t n = link_record_encode(record, data, sizeof(data));

        if (n < 0)
                return (int)n;
        for (;;) {
                ssize_t done;

                if (poll(&link, 1, -1) < 0)
                        return -errno;
                done = RET_ERRNO(send(link.fd, data, (size_t)n, MSG_NOSIGNAL));
                if (done != -EAGAIN)
                        return (int)MIN(done, 0);
        }
}

static nsec_t to_realtime(const Teller *teller, nsec_t monotonic)
{
        /* The kernel starts both clocks at once: 0 is 0 on either. */
        return teller->options->epoch + (monotonic > 0 ? monotonic + teller->monotonic_offset : 0);
}

/* Fills @ret, all but attributes and status. */
static int fill_span(const Teller *teller, const char *name, SpanId parent,
                     const Interval *interval, LinkRecord *ret)
{
        SpanId id;
        int r = random_id(id.bytes, sizeof(id.bytes));

        if (r < 0)
                return r;
        *ret = (LinkRecord){
                .type = LINK_SPAN,
                .span = {
                        .id = id,
                        .parent = parent,
                        .name = name,
                        .kind = SPAN_KIND_INTERNAL,
                        .start = to_realtime(teller, interval->start),
                        .end = to_realtime(teller, interval->end),
                },
        };
        return 0;
}

static int tell_phases(Teller *teller)
{
        static const char *const properties[] = {
                "InitRDTimestampMonotonic", "UserspaceTimestampMonotonic",
                "FinishTimestampMonotonic",
        };
        nsec_t times[ARRAY_SIZE(properties)], now;
        BootTimes boot;

        for (size_t i = 0; i < ARRAY_SIZE(properties); i++) {
                int r = manager_get_time(teller->bus, NULL, properties[i], &times[i]);

                if (r < 0)
                        return r;
        }
        boot = (BootTimes){.initrd = times[0], .userspace = times[1], .finish = times[2]};
        now = clock_boottime() - teller->monotonic_offset;
        for (BootPhase phase = 0; phase < BOOT_PHASES_N; phase++) {
                LinkRecord record;
                Interval interval;
                int r;

                if (!boot_phase_interval(&boot, phase, now, &interval))
                        continue;
                r = fill_span(teller, boot_phase_name(phase), teller->options->parent.span_id,
                              &interval, &record);
                if (r < 0)
                        return r;
                if (phase == BOOT_USERSPACE) {
                        teller->userspace = record.span.id;
                        teller->userspace_interval = interval;
                        if (boot.finish == 0)
                                attributes_add_bool(&record.span.attributes,
                                                    "rootspan.systemd.unfinished", true);
                }
                r = send_span(teller, &record);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The interface of a unit's type, which has its result: "Service" for a.service. */
static int type_interface(const char *unit, char *ret, size_t size)
{
        const char *dot = strrchr(unit, '.');

        if (!dot || dot[1] == '\0' || strlen(dot + 1) >= size)
                return -EINVAL;
        memcpy(ret, dot + 1, strlen(dot + 1) + 1);
        ret[0] = (char)(ret[0] - 'a' + 'A'); /* systemd's types are lower-case letters */
        return 0;
}

/* Of a unit that failed: "exit-code", "timeout" and so on, or NULL. The caller frees it. */
static char *get_result(sd_bus *bus, const char *name, const char *path)
{
        char interface[16], *result;

        if (type_interface(name, interface, sizeof(interface)) < 0 ||
            manager_get_string(bus, path, interface, "Result", &result) < 0)
                return NULL;
        return result;
}

/* Asks for no more than it must: each question is a round trip, and init waits. */
static int get_unit_times(sd_bus *bus, const char *path, UnitTimes *ret)
{
        UnitTimes times = {0};
        int r;

        r = manager_get_time(bus, path, "InactiveExitTimestampMonotonic", &times.inactive_exit);
        if (r == 0 && times.inactive_exit != 0)
                r = manager_get_time(bus, path, "ActiveEnterTimestampMonotonic",
                                     &times.active_enter);
        if (r == 0 && times.active_enter < times.inactive_exit)
                r = manager_get_time(bus, path, "InactiveEnterTimestampMonotonic",
                                     &times.inactive_enter);
        if (r == 0)
                *ret = times;
        return r;
}

static int tell_unit(const Teller *teller, const char *name, const char *path, const char *state)
{
        UnitTimes times;
        bool failed = strcmp(state, "failed") == 0;
        char *result = NULL;
        LinkRecord record;
        Interval interval;
        int r;

        r = get_unit_times(teller->bus, path, &times);
        if (r < 0)
                return r;
        if (!boot_unit_interval(&times, &teller->userspace_interval, &interval))
                return 0;
        r = fill_span(teller, name, teller->userspace, &interval, &record);
        if (r < 0)
                return r;
        if (failed) {
                result = get_result(teller->bus, name, path);
                record.span.status = SPAN_STATUS_ERROR;
                record.span.status_message = result;
                if (result)
                        attributes_add_string(&record.span.attributes, "error.type", result);
        }
        attributes_add_string(&record.span.attributes, "rootspan.systemd.result",
                              result ? result : failed ? "failed" : "success");
        r = send_span(teller, &record);
        free(result);
        return r;
}

static int tell_units(Teller *teller)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *name, *state, *path;
        int r;

        r = manager_list_units(teller->bus, &reply);
        if (r < 0)
                return r;
        while ((r = manager_next_unit(reply, &name, &state, &path)) > 0) {
                look_for_hurry(teller);
                r = tell_unit(teller, name, path, state);
                if (r == -EPIPE || r == -ETIMEDOUT)
                        return r; /* nobody is there to tell, or to ask */
                if (r < 0)
                        log_warning_errno(r, "Cannot tell the start of %s", name);
        }
        return r;
}

static int on_sigterm(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
        Teller *teller = userdata;

        hurry(teller);
        teller->awaited = true;
        return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
        ((Teller *)userdata)->awaited = true;
        return 0;
}

static int on_finished(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
        ((Teller *)userdata)->awaited = true;
        return 0;
}

/* Returns when the boot is complete, or never will be in time. */
static int await_boot(Teller *teller)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        nsec_t finish;
        int r;

        r = sd_event_new(&event);
        if (r < 0)
                return r;
        r = sd_event_add_signal(event, NULL, SIGTERM, on_sigterm, teller);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(event, NULL, CLOCK_BOOTTIME, BOOT_TIMEOUT / NSEC_PER_USEC, 0,
                                       on_timeout, teller);
        if (r < 0)
                return r;
        r = manager_watch_boot(teller->bus, on_finished, teller);
        if (r < 0)
                return r;
        r = manager_get_time(teller->bus, NULL, "FinishTimestampMonotonic", &finish);
        if (r < 0 || finish != 0) /* asked after the watch began, so that it cannot be missed */
                return r;
        r = sd_bus_attach_event(teller->bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        while (r >= 0 && !teller->awaited) /* not by sd_event_exit(3), which closes the bus */
                r = sd_event_run(event, UINT64_MAX);
        (void)sd_bus_detach_event(teller->bus);
        return MIN(r, 0);
}

int boot_spans(const BootSpans *options)
{
        _cleanup_(teller_done) Teller teller = {.options = options};
        struct timespec monotonic;
        int r;

        r = manager_open(MANAGER_TIMEOUT, &teller.bus);
        if (r < 0)
                return r;
        r = await_boot(&teller);
        if (r < 0)
                return r;
        (void)clock_gettime(CLOCK_MONOTONIC, &monotonic); /* cannot fail */
        teller.monotonic_offset = clock_boottime() - (nsec_t)monotonic.tv_sec * NSEC_PER_SEC -
                                  (nsec_t)monotonic.tv_nsec;
        r = tell_phases(&teller);
        if (r < 0)
                return r;
        return tell_units(&teller);
}
