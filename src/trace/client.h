#pragma once

/* An HTTP client of one host with one request in flight, on a connection that it keeps. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/buffer.h"
#include "trace/response.h"
#include "trace/loop.h"

typedef enum ClientState {
        CLIENT_CLOSED,
        CLIENT_IDLE, /* connected */
        CLIENT_CONNECTING,
        CLIENT_EXCHANGING,
} ClientState;

/* The end of an exchange: @error is 0 with an answer, or -errno and @answer is NULL. The next
 * request may be sent from here. */
typedef void (*ClientDone)(void *owner, int error, const Response *answer);

typedef struct Client {
        Loop *loop;
        const Address *address;
        ClientDone done;
        /* Set by the owner, or NULL: who cares. */
        void (*lost)(void *owner);  /* an idle connection is */
        void (*reset)(void *owner); /* the VM's connections were, behind done() or lost() */
        void *owner;

        ClientState state;
        int fd;
        LoopWatch watch;
        LoopTimer timer;

        const uint8_t *request;
        size_t request_n;
        size_t sent;     /* of the request, on this connection */
        nsec_t deadline; /* of the exchange */
        bool reused;     /* the connection was idle before this exchange */
        bool touched;    /* a byte of the request has left, on this or an earlier connection */
        Buffer answer;
} Client;

/* Borrows @loop and @address. */
void client_init(Client *client, Loop *loop, const Address *address, ClientDone done, void *owner);
void client_done(Client *client);

/* Appends the head of a request that posts @content_length bytes of protobuf to @path. Returns 0,
 * -ENOBUFS or -ENOMEM. */
int client_append_head(const Client *client, const char *path, size_t content_length, Buffer *ret);

/* Sends @n bytes of @request, which are borrowed until the end of the exchange. No exchange may be
 * under way. @deadline is CLOCK_BOOTTIME. Returns 0, and done() is called later, or -errno, and it
 * is not. */
int client_send(Client *client, const uint8_t *request, size_t n, nsec_t deadline);

/* Ends the connection, and with it the exchange that is under way, if any. Neither done() nor
 * lost() is called. */
void client_cancel(Client *client);
