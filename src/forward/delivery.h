#pragma once

/* Group commit: collects the batches of one turn of the event loop, gives them to every sink, and
 * then tells each sender how it went. */

#include <stddef.h>

#include <systemd/sd-event.h>

#include "forward/batch.h"
#include "forward/sink.h"

enum { DELIVERY_SINKS_MAX = 4 };

typedef struct Delivery Delivery;

/* One batch under way. */
typedef struct Parcel Parcel;

/* @result is 0 when every sink has the batch, or -errno. */
typedef void (*DeliveredCallback)(void *userdata, int result);

/* Borrows the @n sinks. A later sink gets only what the earlier ones have made safe, so the last
 * may be one that merely shows. Returns 0 or -errno. */
int delivery_new(sd_event *event, Sink *const *sinks, size_t n, Delivery **ret);
Delivery *delivery_free(Delivery *delivery);

/* Takes @batch on success. Calls back once, later, from the event loop, unless the parcel was
 * forgotten before. Returns 0, or -ENOMEM. */
int delivery_add(Delivery *delivery, Batch *batch, DeliveredCallback callback, void *userdata,
                 Parcel **ret);

/* Delivers at once what has been added so far. */
void delivery_run(Delivery *delivery);

/* The sender is gone: deliver, but do not call back. */
void parcel_forget(Parcel *parcel);
