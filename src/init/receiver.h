#pragma once

/* Where programs of the guest hand in their spans: the sockets and the token. They are made here,
 * before the agent starts, so that its first connection finds them whenever the tracer is ready,
 * and its later ones outlive a tracer that is replaced. */

#include <stddef.h>

#include "base/listener.h"

enum {
        RECEIVER_SOCKETS_MAX = 2,
        RECEIVER_TOKEN_MAX = 2 * 16 + 1,
};

typedef struct Receiver {
        Listener listeners[RECEIVER_SOCKETS_MAX];
        size_t n;
        Address address;                /* for HTTP over TCP; not set if there is none */
        char token[RECEIVER_TOKEN_MAX]; /* drawn for this boot */
} Receiver;

/* Listens on the loopback interface and on a Unix socket, as far as possible; logs what is not.
 * Returns 0, or -errno if there is nothing at all. */
int receiver_open(Receiver *receiver);
void receiver_close(Receiver *receiver);
