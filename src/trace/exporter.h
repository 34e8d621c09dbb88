#pragma once

/* Gets what is in the store acknowledged by the host: batches, attempts, and the waits between
 * them. */

#include <stdbool.h>

#include "base/address.h"
#include "base/clock.h"
#include "link/record.h"
#include "trace/loop.h"
#include "trace/store.h"

typedef struct Exporter Exporter;

/* All of them are called from the loop or from within the functions below, and may call these. */
typedef struct ExporterEvents {
        /* The host has acknowledged its first request. */
        void (*acknowledged)(void *owner);
        /* An attempt failed for another reason than the attempt before: an errno value (positive),
         * or 0 and the status of the host's answer. */
        void (*failed)(void *owner, int error, unsigned http_status);
        /* The end of exporter_drain(): was everything acknowledged, was at least something sent,
         * or neither? */
        void (*drained)(void *owner, FlushOutcome outcome);
        /* The VM's connections were reset, as when it is resumed from a snapshot. */
        void (*reset)(void *owner);
} ExporterEvents;

/* Borrows everything but @endpoint. Returns 0 or -ENOMEM. */
int exporter_new(Loop *loop, SpanStore *store, const Address *endpoint,
                 const ExporterEvents *events, void *owner, Exporter **ret);
Exporter *exporter_free(Exporter *exporter);
void exporter_freep(Exporter **exporter);

/* To be called after spans were added to the store. Sends at once, unless an attempt or a wait
 * between two is under way. */
void exporter_kick(Exporter *exporter);

/* Puts off the attempt under way, if any, so that the spans in the store can be changed. Returns
 * whether a byte of any request has left since the last call. */
bool exporter_interrupt(Exporter *exporter);

/* Tries hard until the store is empty or @deadline (CLOCK_BOOTTIME) has passed, when what is left
 * in the store is dropped. drained() tells the end, perhaps before this function returns. May be
 * called again then. */
void exporter_drain(Exporter *exporter, nsec_t deadline);
