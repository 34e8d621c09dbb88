/* The host's answer. Always read from its first byte: an answer is a few dozen bytes that come in
 * one piece, and a hostile one is bounded, so keeping the state of a half-read one would cost more
 * than it saves. */

#include "trace/response.h"

#include "base/buffer.h"
#include "base/macro.h"
#include "base/parse.h"
#include "http/chunked.h"
#include "http/message.h"
#include "otlp.pb-c.h"
#include "trace/retry-after.h"

/* Appends the chunked body that @data begins with to @ret. */
static int read_chunked(const uint8_t *data, size_t n, Buffer *ret)
{
        ChunkedDecoder decoder;

        chunked_init(&decoder);
        for (;;) {
                const uint8_t *piece;
                size_t used, piece_n;
                int r = chunked_decode(&decoder, data, n, &used, &piece, &piece_n);

                if (r == CHUNKED_E_BAD || buffer_append(ret, piece, piece_n) < 0)
                        return RESPONSE_E_BAD;
                if (r == 0)
                        return 0;
                data += used;
                n -= used;
                if (n == 0)
                        return RESPONSE_E_MORE;
        }
}

/* Appends the body that @data begins with to @ret. */
static int read_body(const HttpHead *head, const uint8_t *data, size_t n, bool ended, Buffer *ret)
{
        switch (head->framing) {
        case HTTP_FRAMING_NONE:
                return 0;
        case HTTP_FRAMING_LENGTH:
                if (n < head->content_length)
                        return RESPONSE_E_MORE;
                return buffer_append(ret, data, (size_t)head->content_length) < 0 ? RESPONSE_E_BAD
                                                                                  : 0;
        case HTTP_FRAMING_CHUNKED:
                return read_chunked(data, n, ret);
        case HTTP_FRAMING_CLOSE:
                if (!ended)
                        return RESPONSE_E_MORE;
                return buffer_append(ret, data, n) < 0 ? RESPONSE_E_BAD : 0;
        }
        return RESPONSE_E_BAD;
}

/* The one number of the body that matters. A body that is no ExportTraceServiceResponse takes
 * nothing back of the status. The message is two levels deep, whatever the bytes. */
static uint64_t read_rejected(const Buffer *body)
{
        Otlp__ExportTraceServiceResponse *response;
        uint64_t rejected = 0;

        response = otlp__export_trace_service_response__unpack(NULL, buffer_length(body),
                                                               buffer_data(body));
        if (!response)
                return 0;
        if (response->partial_success && response->partial_success->rejected_spans > 0)
                rejected = (uint64_t)response->partial_success->rejected_spans;
        otlp__export_trace_service_response__free_unpacked(response, NULL);
        return rejected;
}

/* Reads the final response. */
static int read_response(const HttpHead *head, const uint8_t *data, size_t n, bool full, bool ended,
                         nsec_t realtime, Response *ret)
{
        _cleanup_(buffer_done) Buffer body;
        Response answer = {.status = head->status};
        int r;

        buffer_init(&body, RESPONSE_MAX);
        r = read_body(head, data, n, ended, &body);
        if (r != 0 && !full)
                return r == RESPONSE_E_MORE && ended ? RESPONSE_E_BAD : r;
        answer.keep_alive = r == 0 && head->keep_alive;
        if (r == 0 && response_is_success(&answer))
                answer.rejected = read_rejected(&body);
        if (head->retry_after.data)
                answer.has_retry_after =
                        retry_after_parse(head->retry_after.data, head->retry_after.n, realtime,
                                          &answer.retry_after) == 0;
        *ret = answer;
        return 0;
}

int response_parse(const uint8_t *data, size_t n, bool ended, nsec_t realtime, Response *ret)
{
        bool full = n >= RESPONSE_MAX;

        for (;;) {
                HttpHead head;
                size_t head_n;
                int r = http_parse_response(data, n, &head, &head_n);

                if (r == HTTP_E_MORE)
                        return ended || full ? RESPONSE_E_BAD : RESPONSE_E_MORE;
                if (r != 0)
                        return RESPONSE_E_BAD;
                data += head_n;
                n -= head_n;
                if (head.status >= 200)
                        return read_response(&head, data, n, full, ended, realtime, ret);
        }
}

bool response_is_success(const Response *answer)
{
        return answer->status >= 200 && answer->status <= 299;
}

bool response_is_retryable(const Response *answer)
{
        static const unsigned retryable[] = {429, 502, 503, 504};

        for (size_t i = 0; i < ARRAY_SIZE(retryable); i++)
                if (answer->status == retryable[i])
                        return true;
        return false;
}
