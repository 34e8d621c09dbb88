#pragma once

/* A host that misbehaves as it is told. It listens on a Unix socket and runs on the same loop as
 * what is tested, so that nothing depends on who is faster. */

#include <stddef.h>

#include "base/address.h"
#include "base/buffer.h"
#include "trace/loop.h"

enum { HOST_CONNECTIONS_MAX = 16, HOST_SCRIPT_MAX = 8 };

typedef enum HostDeed {
        HOST_ANSWERS,       /* reads the request, sends @answer */
        HOST_ANSWERS_LATE,  /* the same 100 ms later */
        HOST_ANSWERS_EARLY, /* sends @answer and closes before it has read all of the request */
        HOST_HANGS_UP,      /* reads the request, sends @answer (or nothing), closes */
        HOST_RESETS,        /* closes with the request unread */
        HOST_IS_SILENT,     /* reads the request, then nothing */
        HOST_IS_STUCK,      /* reads nothing */
} HostDeed;

/* What it does upon one request. */
typedef struct HostTurn {
        HostDeed deed;
        const char *answer;
        size_t answer_n; /* 0: strlen() */
} HostTurn;

typedef struct FakeHost FakeHost;

typedef struct HostConnection {
        FakeHost *host;
        int fd;
        LoopWatch watch;
        LoopTimer late;
        Buffer input;
        HostTurn turn; /* of the present request */
        bool has_turn;
} HostConnection;

struct FakeHost {
        Loop *loop;
        char path[64];
        Address address;
        int fd; /* the listener */
        LoopWatch watch;
        HostConnection connections[HOST_CONNECTIONS_MAX];
        size_t connections_n;
        const HostTurn *script; /* ends with a turn that is all zeroes; the last one repeats */
        size_t requests_n;      /* that were read to their end */
        Buffer bodies;          /* of all requests that were read to their end, with a '|' each */
};

/* Makes up an address but does not listen. */
void fake_host_init(FakeHost *host, Loop *loop, const HostTurn *script);
void fake_host_listen(FakeHost *host);

/* Ends all connections and listens no more. */
void fake_host_close(FakeHost *host);
void fake_host_done(FakeHost *host);

/* The bodies as a string. */
const char *fake_host_bodies(FakeHost *host);
