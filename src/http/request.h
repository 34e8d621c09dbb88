#pragma once

/* One HTTP request to a receiver of OTLP, read from its bytes as they come: what is asked, whether
 * we take it, and its body. Knows no socket and no clock. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "http/answer.h"
#include "http/chunked.h"

enum {
        REQUEST_BODY_OWN = 16 * 1024,   /* a body that needs nobody's leave */
        REQUEST_SKIP_MAX = 1024 * 1024, /* of the body of a refused request */
};

/* What a receiver takes. */
typedef struct RequestPolicy {
        size_t body_max;           /* as the wire has it */
        bool json;                 /* beside protobuf */
        bool open;                 /* open root spans, beside finished spans */
        const char *authorization; /* what the field of that name must say; NULL: nothing */
} RequestPolicy;

typedef enum RequestPhase {
        REQUEST_HEAD,
        REQUEST_BODY_LENGTH,
        REQUEST_BODY_CHUNKED,
        REQUEST_DONE,
} RequestPhase;

typedef struct Request {
        const RequestPolicy *policy;
        RequestPhase phase;
        const Answer *refusal; /* NULL: take it */
        bool cut;              /* refused before its end: what follows is no request */
        bool keep_alive;
        bool head_only;        /* HEAD */
        bool gzip;
        bool open;             /* it tells of an open root span */
        bool json;
        uint64_t left;         /* of REQUEST_BODY_LENGTH */
        ChunkedDecoder chunked;
        size_t skipped;        /* of the body, if refused */
        size_t wanted;         /* with REQUEST_E_ROOM: what the body's cap must be, at least */
        Buffer body;           /* its cap begins at REQUEST_BODY_OWN */
} Request;

/* Positive outcomes of request_read(). */
enum {
        REQUEST_E_MORE = 1,     /* come again with what was not used and more behind it */
        REQUEST_E_CONTINUE = 2, /* the client waits for 100 Continue; then call again */
        REQUEST_E_ROOM = 3,     /* raise body.max to @wanted; then call again */
};

/* Borrows @policy. */
void request_init(Request *request, const RequestPolicy *policy);
void request_done(Request *request);

/* Reads of @data as much as it can; *ret_used says how much. Returns 0 when the request is
 * complete or refused for good, an outcome above, or -ENOMEM. */
int request_read(Request *request, const uint8_t *data, size_t n, size_t *ret_used);

/* Inflates the body of a complete request in place if it is gzip, to at most @max bytes. Returns
 * NULL, or why the request is refused now. */
const Answer *request_inflate(Request *request, size_t max);
