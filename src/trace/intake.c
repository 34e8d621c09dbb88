/* The intake. What is answered 200 is in the store; a store without room is the sender's to wait
 * for, so nothing it could send again is dropped here. */

#include "trace/intake.h"

#include <errno.h>
#include <stdio.h>

#include "base/macro.h"
#include "otlp/from-json.h"

enum { ADOPTED_MAX = 2 * INTAKE_BODY_MAX }; /* of tiny spans, adoption makes much larger ones */

static const Answer store_full = {429, "the store is full until the host has taken some spans",
                                  "Retry-After: 1"};
static const Answer no_memory = {503, "out of memory", "Retry-After: 1"};
static const Answer too_large = {413, "the spans are too large once converted"};

/* Puts the protobuf form in the place of the JSON one. */
static int convert(Intake *intake, Buffer *body)
{
        const char *where;
        Buffer protobuf;
        int r;

        buffer_init(&protobuf, INTAKE_BODY_MAX);
        r = otlp_from_json(buffer_data(body), buffer_length(body), &protobuf, &where);
        if (r > 0)
                (void)snprintf(intake->result.fault, sizeof(intake->result.fault),
                               "%s: not as OTLP has it", where);
        buffer_done(body);
        *body = protobuf;
        return r;
}

/* Returns 0, -EAGAIN for a store that is full, and else as adopt_request() does. */
static int store(Intake *intake, const Buffer *body)
{
        _cleanup_(buffer_done) Buffer adopted;
        int r;

        buffer_init(&adopted, ADOPTED_MAX);
        r = adopt_request(&intake->adoption, buffer_data(body), buffer_length(body), &adopted,
                          &intake->result);
        if (r != 0 || intake->result.taken == 0)
                return r;
        if (buffer_length(&adopted) > span_store_room(intake->store, LANE_PROGRAMS))
                return -EAGAIN;
        return span_store_add(intake->store, LANE_PROGRAMS, buffer_data(&adopted),
                              buffer_length(&adopted), intake->result.taken);
}

void intake_take(Intake *intake, Request *request, Answer *ret)
{
        const AdoptResult *result = &intake->result;
        const Answer *refusal = request_inflate(request, INTAKE_BODY_MAX);
        int r;

        if (refusal) {
                *ret = *refusal;
                return;
        }
        r = request->json ? convert(intake, &request->body) : 0;
        if (r == 0)
                r = store(intake, &request->body);
        if (r > 0) {
                *ret = (Answer){.status = 400, .message = result->fault};
        } else if (r < 0) {
                *ret = r == -EAGAIN ? store_full : r == -ENOBUFS ? too_large : no_memory;
        } else {
                intake->rejected += result->rejected;
                *ret = (Answer){.status = 200,
                                .message = result->rejected > 0 ? result->fault : NULL,
                                .rejected = result->rejected};
        }
}
