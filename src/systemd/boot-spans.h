#pragma once

/* systemd's own boot, told to rootspan-tracer. */

#include "base/clock.h"
#include "otlp/traceparent.h"

typedef struct BootSpans {
        int link_fd;        /* to the tracer */
        Traceparent parent; /* the root span */
        nsec_t epoch;       /* when CLOCK_BOOTTIME was 0, as init says, since the Unix epoch */
        unsigned grace_sec; /* for all that follows SIGTERM */
} BootSpans;

/* Waits until the boot is complete, or SIGTERM, which is to be blocked, says that there is no more
 * time for that, and tells what is known by then. When @grace_sec are over after SIGTERM, the
 * process ends as it is. Returns 0 or -errno. */
int boot_spans(const BootSpans *options);
