#pragma once

/* HTTP responses. Every one but success carries a google.rpc.Status, as OTLP/HTTP wants it. */

#include <stdbool.h>

#include "base/buffer.h"

enum { ANSWER_MAX = 1024 }; /* bytes of any answer */

typedef struct Answer {
        unsigned status;
        const char *message; /* of the body */
        const char *field;   /* one more header field, "Name: value", or NULL */
} Answer;

/* The export succeeded, in full. */
extern const Answer answer_ok;

/* Appends the response. @keep_alive: the connection can carry another request. @head_only leaves
 * out the body, for HEAD. Returns 0, -ENOBUFS, or -ENOMEM. */
int answer_append(const Answer *answer, bool keep_alive, bool head_only, Buffer *ret);

/* Appends "100 Continue". */
int answer_append_continue(Buffer *ret);
