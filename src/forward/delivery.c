/* Group commit. The event source runs behind all input that is ready, and before it once enough
 * has been collected. */

#include "forward/delivery.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/macro.h"

enum {
        GROUP_PARCELS_MAX = 256,
        GROUP_BYTES_MAX = 64 * 1024 * 1024, /* of decoded batches */
};

struct Parcel {
        Parcel *next;
        Batch *batch;
        DeliveredCallback callback; /* NULL: forgotten */
        void *userdata;
        int result;
};

typedef struct Outlet {
        Sink *sink;
        bool failing; /* and that has been logged */
} Outlet;

struct Delivery {
        sd_event_source *source;
        Outlet outlets[DELIVERY_SINKS_MAX];
        size_t n_outlets;
        Parcel *first, **end;
        size_t n_parcels;
        size_t n_bytes;
};

/* The first failure is logged, and the end of a row of them. */
static void log_outcome(Outlet *outlet, int r)
{
        if (r < 0 && !outlet->failing)
                log_error_errno(r, "cannot write to %s, refusing spans until that works",
                                outlet->sink->name);
        if (r == 0 && outlet->failing)
                log_info("writing to %s works again", outlet->sink->name);
        outlet->failing = r < 0;
}

static void deliver_to(Outlet *outlet, Parcel *parcels)
{
        Sink *sink = outlet->sink;
        bool written = false;
        int first_error = 0, r;

        for (Parcel *p = parcels; p; p = p->next) {
                if (p->result < 0)
                        continue;
                p->result = sink->ops->write(sink, p->batch);
                written |= p->result == 0;
                first_error = first_error ?: p->result;
        }
        if (written) {
                r = sink->ops->commit(sink);
                for (Parcel *p = parcels; p && r < 0; p = p->next)
                        p->result = p->result ?: r;
                first_error = first_error ?: r;
        }
        if (written || first_error < 0)
                log_outcome(outlet, first_error);
}

static void parcel_free(Parcel *parcel)
{
        parcel->batch = batch_free(parcel->batch);
        free(parcel);
}

static void drop_all(Delivery *delivery)
{
        delivery->first = NULL;
        delivery->end = &delivery->first;
        delivery->n_parcels = 0;
        delivery->n_bytes = 0;
}

/* Callbacks may add parcels: these make the next group. */
void delivery_run(Delivery *delivery)
{
        Parcel *parcels = delivery->first;

        drop_all(delivery);
        for (size_t i = 0; i < delivery->n_outlets; i++)
                deliver_to(&delivery->outlets[i], parcels);
        while (parcels) {
                Parcel *p = parcels;

                parcels = p->next;
                if (p->callback)
                        p->callback(p->userdata, p->result);
                parcel_free(p);
        }
}

static int on_turn_end(sd_event_source *source, void *userdata)
{
        (void)sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE); /* a valid argument */
        delivery_run(userdata);
        return 0;
}

int delivery_new(sd_event *event, Sink *const *sinks, size_t n, Delivery **ret)
{
        Delivery *delivery;
        int r;

        if (n > DELIVERY_SINKS_MAX)
                return -E2BIG;
        delivery = calloc(1, sizeof(*delivery));
        if (!delivery)
                return -ENOMEM;
        drop_all(delivery);
        for (size_t i = 0; i < n; i++)
                delivery->outlets[i].sink = sinks[i];
        delivery->n_outlets = n;
        r = sd_event_add_defer(event, &delivery->source, on_turn_end, delivery);
        if (r >= 0)
                r = sd_event_source_set_enabled(delivery->source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_priority(delivery->source, SD_EVENT_PRIORITY_IDLE);
        if (r < 0) {
                (void)delivery_free(delivery);
                return r;
        }
        *ret = delivery;
        return 0;
}

Delivery *delivery_free(Delivery *delivery)
{
        if (!delivery)
                return NULL;
        while (delivery->first) {
                Parcel *p = delivery->first;

                delivery->first = p->next;
                parcel_free(p);
        }
        (void)sd_event_source_disable_unref(delivery->source);
        free(delivery);
        return NULL;
}

int delivery_add(Delivery *delivery, Batch *batch, DeliveredCallback callback, void *userdata,
                 Parcel **ret)
{
        Parcel *parcel = malloc(sizeof(*parcel));
        int r;

        if (!parcel)
                return -ENOMEM;
        r = sd_event_source_set_enabled(delivery->source, SD_EVENT_ONESHOT);
        if (r < 0) {
                free(parcel);
                return r;
        }
        *parcel = (Parcel){.batch = batch, .callback = callback, .userdata = userdata};
        *delivery->end = parcel;
        delivery->end = &parcel->next;
        delivery->n_parcels++;
        delivery->n_bytes += batch->arena.size;
        if (delivery->n_parcels >= GROUP_PARCELS_MAX || delivery->n_bytes >= GROUP_BYTES_MAX)
                (void)sd_event_source_set_priority(delivery->source,
                                                   SD_EVENT_PRIORITY_IMPORTANT); /* valid */
        *ret = parcel;
        return 0;
}

void parcel_forget(Parcel *parcel)
{
        parcel->callback = NULL;
}
