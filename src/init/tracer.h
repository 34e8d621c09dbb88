#pragma once

/* The tracer process as PID 1 sees it: a child with a link. Nothing here blocks, and nothing the
 * tracer does or sends can harm the caller. */

#include <stdint.h>
#include <sys/types.h>

#include "base/address.h"
#include "init/receiver.h"
#include "link/record.h"

#define TRACER_PATH "/sbin/rootspan-tracer"

typedef struct Tracer {
        pid_t pid;       /* 0 when there is none to be reaped */
        int link;        /* -EBADF when closed */
        unsigned starts; /* how often it was started */
        uint64_t lost;   /* spans that did not fit into the link */
} Tracer;

void tracer_init(Tracer *tracer);
void tracer_done(Tracer *tracer);

/* Starts the process, with @endpoint to send to and the sockets of @receiver to receive from.
 * Returns 0 or -errno. */
int tracer_start(Tracer *tracer, const Address *endpoint, const Receiver *receiver);

/* Returns 0, -EAGAIN if the link is full, or -errno. A LINK_SPAN that cannot be sent counts as
 * lost. */
int tracer_send(Tracer *tracer, const LinkRecord *record);

/* Positive outcomes of tracer_receive(). */
enum {
        TRACER_E_NONE = 1, /* nothing there now */
        TRACER_E_GONE = 2, /* the tracer closed the link, which is closed here, too */
        TRACER_E_BAD = 3,  /* a datagram that is no record, or not one for init */
};

/* Takes one record, which is good until the next call of this or of tracer_send(). Returns 0 or an outcome. */
int tracer_receive(Tracer *tracer, LinkRecord *ret);
