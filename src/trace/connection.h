#pragma once

/* One connection to the receiver: HTTP requests in, answers out, in order, one at a time. */

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "http/request.h"
#include "trace/loop.h"

/* What a connection is doing, as far as its time is concerned. */
typedef enum ConnectionPhase {
        CONNECTION_IDLE,    /* between requests */
        CONNECTION_REQUEST, /* from the first byte of a request to its last */
        CONNECTION_ANSWER,  /* the client has to take what we say */
        CONNECTION_LINGER,  /* all is said; closing at once could take the answer away again */
        CONNECTION_PHASES,
} ConnectionPhase;

typedef struct Connection Connection;

/* What all connections share. */
typedef struct ConnectionContext {
        Loop *loop;
        RequestPolicy policy;
        nsec_t limits[CONNECTION_PHASES]; /* how long each phase may take */
        size_t memory;                    /* for large bodies, in bytes, still free */
        bool finishing;                   /* the next answer of each connection is its last */

        /* A complete request, not refused yet: gives the answer, good until the next call. */
        void (*take)(void *owner, Request *request, Answer *ret);
        /* A request is refused, to be logged or not. */
        void (*refused)(void *owner, const Answer *answer);
        /* @memory has grown. Calls connection_retry(), but later. */
        void (*memory_freed)(void *owner);
        /* The connection is through, and may be used for another. */
        void (*ended)(void *owner);
        void *owner;
} ConnectionContext;

typedef enum ConnectionState {
        CONNECTION_UNUSED,
        CONNECTION_READING,
        CONNECTION_WAITING, /* for memory */
        CONNECTION_LINGERING,
        CONNECTION_ENDED,
} ConnectionState;

struct Connection {
        ConnectionContext *context;
        ConnectionState state;
        int fd;
        LoopWatch watch;
        LoopTimer timer;
        bool last;   /* the answer in @output is the last */
        bool linger; /* there may be more input behind it */

        ConnectionPhase phase;
        nsec_t phase_start;
        bool new_request; /* since the phase was determined */

        Buffer input;
        Request request;
        size_t claimed; /* of the shared memory */
        Buffer output;
};

/* Takes @fd, a non-blocking stream socket, on success. Borrows @context. @connection is unused.
 * Returns 0 or -errno. */
int connection_begin(Connection *connection, ConnectionContext *context, int fd);

/* Closes it at once. ended() is not called. */
void connection_end(Connection *connection);

/* Since when it is idle (CLOCK_BOOTTIME), or NSEC_INFINITY if it is not. */
nsec_t connection_idle_since(const Connection *connection);

/* Each of these may end the connection. */
void connection_retry(Connection *connection);    /* if it waits for memory */
void connection_give_way(Connection *connection); /* unless a request is under way */
