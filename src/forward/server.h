#pragma once

/* All listeners and connections, and what limits them together. */

#include <stddef.h>

#include <systemd/sd-event.h>

#include "base/address.h"
#include "base/clock.h"
#include "forward/connection.h"
#include "forward/delivery.h"
#include "forward/open-roots.h"

typedef struct Server Server;

typedef struct ServerLimits {
        size_t connections;
        size_t memory; /* for bodies above REQUEST_BODY_OWN, of all connections together */
        nsec_t phases[CONNECTION_PHASES];
        nsec_t stop; /* how long requests under way may take to finish in the end */
} ServerLimits;

extern const ServerLimits server_limits_default;

/* Borrows @event, @delivery and @roots. Returns 0 or -errno. */
int server_new(sd_event *event, Delivery *delivery, OpenRoots *roots, const ServerLimits *limits,
               Server **ret);
Server *server_free(Server *server);

/* Listens on @address, as listener_init() does. Returns 0 or -errno. */
int server_listen(Server *server, const Address *address);

/* The same on a socket that somebody else made to listen, which it takes on success. */
int server_adopt(Server *server, int fd);

/* Serves the connected socket @fd, which it takes on success. Returns 0 or -errno. */
int server_add_connection(Server *server, int fd, const char *peer);

/* Listens no more, and ends the event loop when the requests under way are answered, or after
 * limits.stop. Returns 0 or -errno. */
int server_stop(Server *server);
