#pragma once

/* The tracer: what init says over the link goes to the host. */

#include "base/address.h"

typedef struct Tracer Tracer;

/* Makes all that needs system calls which the sandbox forbids later. Borrows @link_fd, a
 * SOCK_SEQPACKET socket. Returns 0 or -errno. */
int tracer_new(int link_fd, const Address *endpoint, Tracer **ret);
Tracer *tracer_free(Tracer *tracer);
void tracer_freep(Tracer **tracer);

/* Positive outcome. */
enum {
        TRACER_E_LOST_INIT = 1, /* the link ended before the root span was flushed */
};

/* Runs until init closes the link. Returns 0 if that was after the flush, the outcome above, or
 * -errno. */
int tracer_run(Tracer *tracer);
