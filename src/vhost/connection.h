#pragma once

/* One stream between a port of the guest and a Unix socket. It turns packets of the guest into what
 * happens on the socket, and what happens on the socket into packets that it owes the guest; those
 * are fetched from it when there is room in the guest's queue. It waits for nothing and frees
 * nothing: its owner looks at its state after every call. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buffer.h"
#include "vhost/credit.h"
#include "vhost/packet.h"

enum { CONNECTION_HELLO_MAX = sizeof("CONNECT 4294967295\n") - 1 };

typedef enum ConnectionState {
        CONNECTION_HELLO,     /* the Unix peer has to say which port it wants */
        CONNECTION_REQUESTED, /* the guest has to answer our REQUEST */
        CONNECTION_OPEN,
        CONNECTION_CLOSING, /* the guest has closed: its last bytes, then RST */
        CONNECTION_CLOSED,  /* the Unix peer has closed: the guest has to answer our SHUTDOWN */
        CONNECTION_RESET,   /* nothing is left but to send RST */
        CONNECTION_LINGER,  /* the guest has gone, its last bytes have not */
        CONNECTION_DEAD,    /* to be freed */
        CONNECTION_STATES,
} ConnectionState;

typedef struct Connection {
        ConnectionState state;
        int fd; /* owned; non-blocking */
        uint32_t guest_port;
        uint32_t host_port;
        Credit credit;
        Buffer out;              /* from the guest, for the socket */
        unsigned owed;           /* packets that the guest must get, one bit each */
        uint32_t guest_shutdown; /* VIRTIO_VSOCK_SHUTDOWN_* the guest has announced ... */
        uint32_t host_shutdown;  /* ... and what the Unix peer has done, as seen from there */
        bool asked;              /* for credit, and not answered yet */
        bool readable;           /* until the socket says EAGAIN */
        bool hung_up;            /* the Unix peer neither sends nor receives any more */
        char hello[CONNECTION_HELLO_MAX];
        size_t n_hello;
} Connection;

/* Each takes @fd. From a Unix peer that has connected to us: */
void connection_init_hello(Connection *connection, int fd);
/* From a socket that has been connected because the guest sent @request: */
void connection_init_open(Connection *connection, int fd, const Packet *request);
/* Closes the socket, which nobody may be watching any more. */
void connection_done(Connection *connection);

/* A packet of the guest for this connection, its payload in @n pieces of memory, which are
 * changed. */
void connection_on_packet(Connection *connection, const Packet *packet, struct iovec *pieces,
                          size_t n);

/* epoll's events for the socket, edge-triggered. */
void connection_on_socket(Connection *connection, uint32_t events);

/* It has been in this state for too long (never happens to an open one). */
void connection_on_timeout(Connection *connection);

/* Too much memory is in use: this one has to go. */
void connection_on_overload(Connection *connection);

/* The guest's driver has forgotten all its connections. */
void connection_on_guest_reset(Connection *connection);

/* Must the socket be watched for room to write? */
bool connection_wants_to_write(const Connection *connection);

/* Has it a packet or bytes to send to the guest? */
bool connection_wants_to_send(const Connection *connection);

/* Fills in the next packet without payload that it owes. Returns false if there is none. */
bool connection_next_packet(Connection *connection, Packet *packet);

/* Reads bytes for the guest into @n pieces, which are cut to what the guest has room for. Returns
 * how many, 0 if there are none for now. */
size_t connection_read(Connection *connection, struct iovec *pieces, size_t n);

/* Fills in the header of a packet with @length of these bytes. */
void connection_data_packet(Connection *connection, uint32_t length, Packet *packet);
