#pragma once

/* The receiver for programs of the guest: listening sockets and connections, bounded in number,
 * memory and time. */

#include <stddef.h>

#include "base/clock.h"
#include "trace/intake.h"
#include "trace/loop.h"

enum {
        RECEIVER_SOCKETS_MAX = 2,
        RECEIVER_CONNECTIONS_MAX = 32,
};

typedef struct Receiver Receiver;

typedef struct ReceiverEvents {
        /* Spans were added to the store. */
        void (*received)(void *owner);
        /* The end of receiver_finish(). */
        void (*finished)(void *owner);
} ReceiverEvents;

/* Borrows everything; @fds are @n sockets that listen already, without blocking. Nothing is
 * accepted before receiver_start(). Returns 0 or -errno. */
int receiver_new(Loop *loop, Intake *intake, const int *fds, size_t n,
                 const ReceiverEvents *events, void *owner, Receiver **ret);
Receiver *receiver_free(Receiver *receiver);
void receiver_freep(Receiver **receiver);

/* Receives from those who present @authorization, the value of that field; it is borrowed. */
void receiver_start(Receiver *receiver, const char *authorization);

/* Lets what has arrived, in the listening sockets too, come to its end, but not beyond @deadline
 * (CLOCK_BOOTTIME). Then calls finished(), from the loop, and receives nothing more. */
void receiver_finish(Receiver *receiver, nsec_t deadline);
