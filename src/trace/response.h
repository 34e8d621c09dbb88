#pragma once

/* What the host answered to a request for export: HTTP response and OTLP body, read as one. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

enum {
        RESPONSE_MAX = 64 * 1024, /* bytes that are read of an answer, interim responses included */
};

typedef struct Response {
        unsigned status;       /* of the final response */
        bool keep_alive;       /* the answer was read to its end and the connection may go on */
        bool has_retry_after;
        nsec_t retry_after;    /* from now */
        uint64_t rejected;     /* spans the host will not take, of an accepted request */
} Response;

/* Positive outcomes. */
enum {
        RESPONSE_E_MORE = 1, /* the answer goes on */
        RESPONSE_E_BAD = 2,  /* not an answer, or one that @ended too early */
};

/* Reads all bytes that came back so far; @ended says that none will follow. @realtime is the time
 * now, for a date in Retry-After. An answer that has not ended after RESPONSE_MAX bytes is judged
 * by its status alone. Returns 0 with the answer, or an outcome above. */
int response_parse(const uint8_t *data, size_t n, bool ended, nsec_t realtime, Response *ret);

/* Did the host take the request? */
bool response_is_success(const Response *answer);

/* Does OTLP want the request sent again? */
bool response_is_retryable(const Response *answer);
