#pragma once

/* Root spans that have begun and not ended, each held by a connection of its guest. When that is
 * lost and no other takes its place in time, the guest is taken for lost and the span is ended
 * here, by what is known of it. */

#include <stddef.h>

#include <systemd/sd-event.h>

#include "base/clock.h"
#include "forward/batch.h"
#include "forward/delivery.h"
#include "forward/sink.h"

#define OPEN_ROOTS_GRACE (10 * NSEC_PER_SEC)

enum { OPEN_ROOT_SIZE_MAX = 16 * 1024 }; /* in bytes, encoded */

typedef struct OpenRoots OpenRoots;
typedef struct OpenRoot OpenRoot;

/* Keeps @max root spans at the most. @grace is how long one may be without a connection. Returns 0
 * or -ENOMEM. */
int open_roots_new(sd_event *event, size_t max, nsec_t grace, OpenRoots **ret);
OpenRoots *open_roots_free(OpenRoots *roots);

/* By this sink it learns which root spans have ended: put it behind those that store. */
Sink *open_roots_sink(OpenRoots *roots);

/* Where the spans go that are ended here. Borrows @delivery; comes before the first root span. */
void open_roots_set_delivery(OpenRoots *roots, Delivery *delivery);

/* Positive outcomes of open_roots_hold(). */
enum {
        OPEN_ROOTS_E_BAD = 1,       /* not one span that has begun */
        OPEN_ROOTS_E_TOO_LARGE = 2, /* above OPEN_ROOT_SIZE_MAX */
        OPEN_ROOTS_E_FULL = 3,
};

/* Keeps a copy of the one span in @batch, whose end is the guest's time now. *holder, which is NULL
 * or of an earlier call, belongs to the connection: it is the root span that is held, and becomes
 * NULL when that has ended or is held by another. Returns 0, -errno or an outcome above. */
int open_roots_hold(OpenRoots *roots, const Batch *batch, OpenRoot **holder);

/* The connection is gone, however it ended. */
void open_root_release(OpenRoot *root);

/* Ends at once what nobody holds, before the program stops. The others are left alone: their
 * guests live on, and will tell of them again. */
void open_roots_finish(OpenRoots *roots);
