#pragma once

/* What the host answered to a request for export: HTTP response and OTLP body, read as one. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

enum {
        ANSWER_MAX = 64 * 1024, /* bytes that are read of an answer, interim responses included */
};

typedef struct Answer {
        unsigned status;       /* of the final response */
        bool keep_alive;       /* the answer was read to its end and the connection may go on */
        bool has_retry_after;
        nsec_t retry_after;    /* from now */
        uint64_t rejected;     /* spans the host will not take, of an accepted request */
} Answer;

/* Positive outcomes. */
enum {
        ANSWER_E_MORE = 1, /* the answer goes on */
        ANSWER_E_BAD = 2,  /* not an answer, or one that @ended too early */
};

/* Reads all bytes that came back so far; @ended says that none will follow. @realtime is the time
 * now, for a date in Retry-After. An answer that has not ended after ANSWER_MAX bytes is judged by
 * its status alone. Returns 0 with the answer, or an outcome above. */
int answer_parse(const uint8_t *data, size_t n, bool ended, nsec_t realtime, Answer *ret);

/* Did the host take the request? */
bool answer_is_success(const Answer *answer);

/* Does OTLP want the request sent again? */
bool answer_is_retryable(const Answer *answer);
