#pragma once

/* Listening sockets. */

#include <sys/types.h>

#include "base/address.h"

typedef struct Listener {
        Address address;
        int fd;
        dev_t dev; /* of a Unix socket's path, as we made it */
        ino_t ino;
} Listener;

/* Listens, without blocking. A Unix socket that nobody listens on any more is replaced. Returns 0,
 * -EADDRINUSE if somebody listens there, -EEXIST if the path is something else than a socket, or
 * -errno. */
int listener_init(Listener *listener, const Address *address);

/* Takes the socket @fd that somebody else made to listen, as systemd does, and whose path stays
 * theirs. Returns 0, or -EINVAL if it is none, or -errno. */
int listener_adopt(Listener *listener, int fd);

/* Also removes the path of a Unix socket, unless it is another's by now. */
void listener_done(Listener *listener);
