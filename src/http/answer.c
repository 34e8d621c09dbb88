/* The bytes of an answer: status line, fields, and a body in the type of the request, which is
 * protobuf. */

#include "http/answer.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "otlp.pb-c.h"

#include "base/macro.h"
#include "http/message.h"

const Answer answer_ok = {200, NULL, NULL};

/* The google.rpc.Code that says the same as an HTTP status. */
static int32_t rpc_code(unsigned status)
{
        static const struct {
                unsigned status;
                int32_t code;
        } codes[] = {
                {404, 5},  /* NOT_FOUND */
                {405, 12}, /* UNIMPLEMENTED */
                {413, 8},  /* RESOURCE_EXHAUSTED */
                {501, 12}, /* UNIMPLEMENTED */
                {503, 14}, /* UNAVAILABLE */
        };

        for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
                if (codes[i].status == status)
                        return codes[i].code;
        return 3; /* INVALID_ARGUMENT */
}

static size_t pack_body(const Answer *answer, uint8_t body[static ANSWER_MAX])
{
        /* An ExportTraceServiceResponse with an empty partial_success: what the OpenTelemetry
         * Collector says when it took everything. */
        static const uint8_t success[] = {0x0a, 0x00};
        Otlp__RpcStatus status = OTLP__RPC_STATUS__INIT;

        if (!answer->message) {
                memcpy(body, success, sizeof(success));
                return sizeof(success);
        }
        status.code = rpc_code(answer->status);
        status.message = (char *)answer->message;
        if (otlp__rpc_status__get_packed_size(&status) > ANSWER_MAX)
                return 0;
        return otlp__rpc_status__pack(&status, body);
}

int answer_append(const Answer *answer, bool keep_alive, bool head_only, Buffer *ret)
{
        uint8_t body[ANSWER_MAX];
        char head[ANSWER_MAX];
        size_t body_n = pack_body(answer, body);
        int n, r;

        n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %u %s\r\n"
                     "Content-Type: application/x-protobuf\r\n"
                     "Content-Length: %zu\r\n"
                     "%s%s"
                     "%s"
                     "\r\n",
                     answer->status, http_reason(answer->status), body_n,
                     answer->field ? answer->field : "", answer->field ? "\r\n" : "",
                     keep_alive ? "" : "Connection: close\r\n");
        r = buffer_append(ret, head, (size_t)n);
        if (r < 0 || head_only)
                return r;
        return buffer_append(ret, body, body_n);
}

int answer_append_continue(Buffer *ret)
{
        static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

        return buffer_append(ret, text, sizeof(text) - 1);
}
