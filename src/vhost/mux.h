#pragma once

/* Between the guest's queues and its connections: to which of them a packet of the guest goes, and
 * from which the guest gets the next one. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "vhost/virtqueue.h"

/* What a call on a queue has left, if not an error. */
enum {
        MUX_DONE = 0,    /* nothing */
        MUX_MORE = 1,    /* work beyond the budget */
        MUX_BLOCKED = 2, /* work for which the guest has to add buffers to the queue to it */
};

typedef struct Mux Mux;

/* Borrows @uds_path. @changed is called when there is something new to send to the guest, and when
 * a connection has ended. Returns 0 or -errno. */
int mux_new(sd_event *event, const char *uds_path, uint32_t guest_cid,
            void (*changed)(void *userdata), void *userdata, Mux **ret);
Mux *mux_free(Mux *mux);

bool mux_is_empty(const Mux *mux); /* without any connection */
bool mux_is_full(const Mux *mux);  /* with as many as it can have */

/* A Unix peer that has connected, as long as it is not full; takes @fd on success only. Returns 0
 * or -errno. */
int mux_add(Mux *mux, int fd);

/* Handles up to @budget packets of the guest, or sends it as many. Returns MUX_*, or -EBADMSG for a
 * queue that is broken. */
int mux_from_guest(Mux *mux, VirtQueue *queue, unsigned budget);
int mux_to_guest(Mux *mux, VirtQueue *queue, unsigned budget);

/* The guest's driver starts anew and has forgotten its connections. What they still have for their
 * Unix sockets gets there if it is taken in time. */
void mux_on_guest_reset(Mux *mux);

/* The guest is dead. The last packets it left in @queue, NULL if it has none, are handled first.
 * The connections end one by one, each within a time-out. */
void mux_on_guest_death(Mux *mux, VirtQueue *queue);
