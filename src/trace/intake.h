#pragma once

/* From a complete request of a local program to spans in the store, or to the answer that refuses
 * it. */

#include "http/answer.h"
#include "http/request.h"
#include "otlp/adopt.h"
#include "trace/store.h"

enum { INTAKE_BODY_MAX = 4 * 1024 * 1024 }; /* of a request, and again once inflated */

typedef struct Intake {
        SpanStore *store;
        Adoption adoption;
        uint64_t rejected;  /* spans at fault, of which their senders were told */
        AdoptResult result; /* of the last request: the answer's text is in it */
} Intake;

/* Takes what can be taken of @request, which is complete and not refused by its head. *ret is good
 * until the next call. */
void intake_take(Intake *intake, Request *request, Answer *ret);
