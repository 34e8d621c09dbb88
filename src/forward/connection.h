#pragma once

/* One HTTP connection: requests in, answers out, in order, one at a time. */

#include <stdbool.h>
#include <stddef.h>

#include <systemd/sd-event.h>

#include "base/clock.h"
#include "forward/delivery.h"
#include "forward/open-roots.h"

typedef struct Connection Connection;

/* What a connection is doing, as far as its time is concerned. */
typedef enum ConnectionPhase {
        CONNECTION_IDLE,     /* between requests */
        CONNECTION_REQUEST,  /* from the first byte of a request to its last */
        CONNECTION_DELIVERY, /* the sinks are at it */
        CONNECTION_ANSWER,   /* the client has to take what we say */
        CONNECTION_LINGER,   /* all is said; closing at once could take the answer away again */
        CONNECTION_PHASES,
} ConnectionPhase;

/* What all connections share. */
typedef struct ConnectionContext {
        sd_event *event;
        Delivery *delivery;
        OpenRoots *roots;
        nsec_t limits[CONNECTION_PHASES]; /* how long each phase may take */
        size_t memory;                    /* for large bodies, in bytes, still free */
        nsec_t quiet_until;               /* no refusal is logged before */
        bool stopping;                    /* the next answer of each connection is its last */

        /* The connection is through. Frees it. */
        void (*ended)(void *userdata, Connection *connection);
        /* @memory has grown. Calls connection_retry(), but later. */
        void (*memory_freed)(void *userdata);
        void *userdata;
} ConnectionContext;

/* Takes @fd on success, a non-blocking stream socket. Borrows @context. @peer names the client in
 * log lines and is copied. Returns 0 or -errno. */
int connection_new(ConnectionContext *context, int fd, const char *peer, Connection **ret);
Connection *connection_free(Connection *connection);

/* Links for the owner's list. */
typedef struct ConnectionLinks {
        Connection *previous;
        Connection *next;
} ConnectionLinks;
ConnectionLinks *connection_links(Connection *connection);

/* Since when it is idle (CLOCK_BOOTTIME), or NSEC_INFINITY if it is not, or holds a root span. */
nsec_t connection_idle_since(const Connection *connection);

/* Each of these may end the connection. */
void connection_retry(Connection *connection); /* if it waits for memory */
void connection_stop(Connection *connection);  /* @stopping has been set */
