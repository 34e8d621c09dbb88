#pragma once

/* HTTP responses. Success carries an ExportTraceServiceResponse, all others a google.rpc.Status, as
 * OTLP/HTTP wants it, in the type of the request. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

enum { ANSWER_MAX = 1024 }; /* bytes of any answer */

typedef struct Answer {
        unsigned status;
        const char *message; /* of the body; NULL for success without one */
        const char *field;   /* one more header field, "Name: value", or NULL */
        uint64_t rejected;   /* spans, of status 200 */
} Answer;

/* What the request has to do with it. */
typedef struct AnswerForm {
        bool keep_alive; /* the connection can carry another request */
        bool head_only;  /* no body, for HEAD */
        bool json;       /* the body is not protobuf */
} AnswerForm;

/* The export succeeded, in full. */
extern const Answer answer_ok;

/* Appends the response. The message is ours: ASCII without quotes and backslashes. Returns 0,
 * -ENOBUFS, or -ENOMEM. */
int answer_append(const Answer *answer, const AnswerForm *form, Buffer *ret);

/* Appends "100 Continue". */
int answer_append_continue(Buffer *ret);
