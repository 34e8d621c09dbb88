#pragma once

/* The tracer: what init says over the link, and what programs of the guest hand in, goes to the
 * host. */

#include "base/address.h"
#include "trace/receiver.h"

typedef struct Tracer Tracer;

typedef struct TracerOptions {
        int link_fd; /* a SOCK_SEQPACKET socket to init */
        int listen_fds[RECEIVER_SOCKETS_MAX]; /* where programs of the guest connect to */
        size_t n_listen_fds;
        Address endpoint;
} TracerOptions;

/* Makes all that needs system calls which the sandbox forbids later. Borrows the descriptors.
 * Returns 0 or -errno. */
int tracer_new(const TracerOptions *options, Tracer **ret);
Tracer *tracer_free(Tracer *tracer);
void tracer_freep(Tracer **tracer);

/* Positive outcome. */
enum {
        TRACER_E_LOST_INIT = 1, /* the link ended before the root span was flushed */
};

/* Runs until init closes the link. Returns 0 if that was after the flush, the outcome above, or
 * -errno. */
int tracer_run(Tracer *tracer);
