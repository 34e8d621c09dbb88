/* The bytes of an answer: status line, fields, and a body in the type of the request. */

#include "http/answer.h"

#include <inttypes.h>
#include <stdio.h>

#include "otlp.pb-c.h"

#include "base/macro.h"
#include "http/message.h"

const Answer answer_ok = {.status = 200};

/* The google.rpc.Code that says the same as an HTTP status. */
static int32_t rpc_code(unsigned status)
{
        static const struct {
                unsigned status;
                int32_t code;
        } codes[] = {
                {401, 16}, /* UNAUTHENTICATED */
                {404, 5},  /* NOT_FOUND */
                {405, 12}, /* UNIMPLEMENTED */
                {413, 8},  /* RESOURCE_EXHAUSTED */
                {429, 8},  /* RESOURCE_EXHAUSTED */
                {501, 12}, /* UNIMPLEMENTED */
                {503, 14}, /* UNAVAILABLE */
        };

        for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
                if (codes[i].status == status)
                        return codes[i].code;
        return 3; /* INVALID_ARGUMENT */
}

static size_t pack_success(const Answer *answer, uint8_t body[static ANSWER_MAX])
{
        /* An empty partial_success is what the OpenTelemetry Collector says when it took all. */
        Otlp__ExportTracePartialSuccess partial = OTLP__EXPORT_TRACE_PARTIAL_SUCCESS__INIT;
        Otlp__ExportTraceServiceResponse response = OTLP__EXPORT_TRACE_SERVICE_RESPONSE__INIT;

        partial.rejected_spans = (int64_t)answer->rejected;
        if (answer->message)
                partial.error_message = (char *)answer->message;
        response.partial_success = &partial;
        if (otlp__export_trace_service_response__get_packed_size(&response) > ANSWER_MAX)
                return 0;
        return otlp__export_trace_service_response__pack(&response, body);
}

static size_t pack_status(const Answer *answer, uint8_t body[static ANSWER_MAX])
{
        Otlp__RpcStatus status = OTLP__RPC_STATUS__INIT;

        status.code = rpc_code(answer->status);
        status.message = (char *)answer->message;
        if (otlp__rpc_status__get_packed_size(&status) > ANSWER_MAX)
                return 0;
        return otlp__rpc_status__pack(&status, body);
}

static size_t print_json(const Answer *answer, char body[static ANSWER_MAX])
{
        int n;

        if (answer->status != 200)
                n = snprintf(body, ANSWER_MAX, "{\"code\":%d,\"message\":\"%s\"}",
                             rpc_code(answer->status), answer->message);
        else if (answer->rejected > 0)
                n = snprintf(body, ANSWER_MAX,
                             "{\"partialSuccess\":{\"rejectedSpans\":\"%" PRIu64
                             "\",\"errorMessage\":\"%s\"}}",
                             answer->rejected, answer->message);
        else
                n = snprintf(body, ANSWER_MAX, "{\"partialSuccess\":{}}");
        return n < ANSWER_MAX ? (size_t)n : 0;
}

int answer_append(const Answer *answer, const AnswerForm *form, Buffer *ret)
{
        uint8_t body[ANSWER_MAX];
        char head[ANSWER_MAX];
        size_t body_n;
        int n, r;

        if (form->json)
                body_n = print_json(answer, (char *)body);
        else if (answer->status == 200)
                body_n = pack_success(answer, body);
        else
                body_n = pack_status(answer, body);
        n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %u %s\r\n"
                     "Content-Type: application/%s\r\n"
                     "Content-Length: %zu\r\n"
                     "%s%s"
                     "%s"
                     "\r\n",
                     answer->status, http_reason(answer->status),
                     form->json ? "json" : "x-protobuf", body_n, answer->field ? answer->field : "", answer->field ? "\r\n" : "",
                     form->keep_alive ? "" : "Connection: close\r\n");
        r = buffer_append(ret, head, (size_t)n);
        if (r < 0 || form->head_only)
                return r;
        return buffer_append(ret, body, body_n);
}

int answer_append_continue(Buffer *ret)
{
        static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

        return buffer_append(ret, text, sizeof(text) - 1);
}
