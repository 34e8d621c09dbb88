/* The receiver's sockets. Nothing is accepted or read here. */

#include "init/receiver.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/macro.h"
#include "base/parse.h"
#include "base/random.h"

#define DIRECTORY "/run/rootspan"
#define SOCKET_PATH DIRECTORY "/otlp.sock"

enum { PORT = 4318 }; /* OTLP/HTTP's own */

static int add(Receiver *receiver, const Address *address)
{
        int r = listener_init(&receiver->listeners[receiver->n], address);

        if (r == 0)
                receiver->n++;
        return r;
}

/* The port of our own, when the usual one belongs to somebody else. */
static int find_port(const Listener *listener, Address *address)
{
        struct sockaddr_in in;
        socklen_t n = sizeof(in);
        int r = RET_ERRNO(getsockname(listener->fd, (struct sockaddr *)&in, &n));

        if (r == 0)
                address->port = ntohs(in.sin_port);
        return r;
}

static int open_tcp(Receiver *receiver)
{
        Address address = {.kind = ADDRESS_INET, .ip = INADDR_LOOPBACK, .port = PORT};
        int r = add(receiver, &address);

        if (r == -EADDRINUSE) {
                address.port = 0;
                r = add(receiver, &address);
                if (r == 0)
                        r = find_port(&receiver->listeners[receiver->n - 1], &address);
                if (r == 0)
                        log_warning("Port %d is in use: taking spans at port %u", PORT,
                                    address.port);
        }
        if (r == 0)
                receiver->address = address;
        else
                log_warning_errno(r, "Cannot take spans at port %d", PORT);
        return r;
}

/* Whoever has the token may use it, whatever user that is. */
static int open_unix(Receiver *receiver)
{
        Address address = {.kind = ADDRESS_UNIX, .path = SOCKET_PATH};
        int r = RET_ERRNO(mkdir(DIRECTORY, 0755));

        if (r == 0 || r == -EEXIST)
                r = add(receiver, &address);
        if (r == 0)
                r = RET_ERRNO(chmod(SOCKET_PATH, 0666));
        if (r < 0)
                log_warning_errno(r, "Cannot take spans at " SOCKET_PATH);
        return r;
}

int receiver_open(Receiver *receiver)
{
        uint8_t random[RECEIVER_TOKEN_MAX / 2];
        int r = random_id(random, sizeof(random)), tcp;

        *receiver = (Receiver){0};
        if (r < 0)
                return r;
        format_hex(random, sizeof(random), receiver->token);
        tcp = open_tcp(receiver);
        r = open_unix(receiver);
        return receiver->n > 0 ? 0 : MIN(tcp, r);
}

void receiver_close(Receiver *receiver)
{
        for (size_t i = 0; i < receiver->n; i++)
                listener_done(&receiver->listeners[i]);
        receiver->n = 0;
}
