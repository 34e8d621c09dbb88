/* Reading a request. What can be refused by its head is; the body of such a request is skipped if
 * it is short, so that the connection survives a client that merely asked for the wrong thing. */

#include "http/request.h"

#include <errno.h>
#include <string.h>

#include "base/macro.h"
#include "base/parse.h"
#include "base/secret.h"
#include "http/gunzip.h"
#include "http/message.h"

#define TRACES_PATH "/v1/traces"
#define OPEN_PATH "/rootspan/v1/open"

static const Answer bad_head = {400, "not an HTTP/1.1 request"};
static const Answer bad_gzip = {400, "the body is not whole gzip"};
static const Answer bad_chunk = {400, "the chunked body is malformed"};
static const Answer unauthorized = {401, "the token is missing or wrong",
                                    "WWW-Authenticate: Bearer"};
static const Answer not_found = {404, "nothing here; traces go to POST " TRACES_PATH, NULL};
static const Answer not_allowed = {405, "only POST", "Allow: POST"};
static const Answer no_length = {411, "neither Content-Length nor chunked"};
static const Answer too_large = {413, "the body is too large"};
static const Answer inflates_too_far = {413, "the body is too large once inflated"};
static const Answer bad_type = {415, "the body must be application/x-protobuf",
                                "Accept: application/x-protobuf"};
static const Answer bad_type_of_two = {
        415, "the body must be application/x-protobuf or application/json",
        "Accept: application/x-protobuf, application/json"};
static const Answer bad_encoding = {415, "the body must be plain or gzip",
                                    "Accept-Encoding: gzip, identity"};
static const Answer head_too_large = {431, "the head is larger than 16 KiB or 100 fields"};
static const Answer no_memory = {503, "out of memory", "Retry-After: 1"};
static const Answer bad_coding = {501, "no transfer coding but chunked"};
static const Answer bad_version = {505, "only HTTP/1.1 and HTTP/1.0"};

void request_init(Request *request, const RequestPolicy *policy)
{
        *request = (Request){.policy = policy, .phase = REQUEST_HEAD};
        buffer_init(&request->body, REQUEST_BODY_OWN);
}

void request_done(Request *request)
{
        buffer_done(&request->body);
}

/* Gives up on the rest: nobody knows where the next request begins. */
static int refuse_at_once(Request *request, const Answer *refusal)
{
        request->refusal = refusal;
        request->cut = true;
        request->phase = REQUEST_DONE;
        return 0;
}

static bool is_path(HttpText target, const char *path)
{
        const char *query = memchr(target.data, '?', target.n);

        return text_equal(target.data, query ? (size_t)(query - target.data) : target.n,
                          path);
}

static bool is_known_path(const RequestPolicy *policy, HttpText target)
{
        return is_path(target, TRACES_PATH) || (policy->open && is_path(target, OPEN_PATH));
}

static bool is_authorized(const RequestPolicy *policy, HttpText authorization)
{
        return !policy->authorization ||
               secret_equal(authorization.data, authorization.n, policy->authorization);
}

static const Answer *find_type_refusal(const RequestPolicy *policy, HttpText type)
{
        if (http_text_is(type, "application/x-protobuf"))
                return NULL;
        if (!policy->json)
                return &bad_type;
        return http_text_is(type, "application/json") ? NULL : &bad_type_of_two;
}

/* Why we do not take a request with this head, or NULL. */
static const Answer *find_refusal(const RequestPolicy *policy, const HttpHead *head)
{
        const Answer *refusal;

        if (!is_authorized(policy, head->authorization))
                return &unauthorized;
        if (!is_known_path(policy, head->target))
                return &not_found;
        if (!text_equal(head->method.data, head->method.n, "POST"))
                return &not_allowed;
        if (head->framing == HTTP_FRAMING_NONE)
                return &no_length;
        refusal = find_type_refusal(policy, head->content_type);
        if (refusal)
                return refusal;
        if (head->content_encoding.data && !http_text_is(head->content_encoding, "gzip") &&
            !http_text_is(head->content_encoding, "identity"))
                return &bad_encoding;
        return NULL;
}

static int begin_body(Request *request, const HttpHead *head)
{
        request->refusal = find_refusal(request->policy, head);
        if (head->framing == HTTP_FRAMING_NONE) {
                request->phase = REQUEST_DONE;
                return 0;
        }
        if (head->framing == HTTP_FRAMING_LENGTH) {
                if (head->content_length > request->policy->body_max)
                        return refuse_at_once(request, request->refusal ?: &too_large);
                if (request->refusal && head->content_length > REQUEST_SKIP_MAX)
                        return refuse_at_once(request, request->refusal);
        }
        /* Whoever asks first may leave out the body when we decline, and may not. */
        if (request->refusal && head->expect_continue)
                return refuse_at_once(request, request->refusal);

        request->left = head->content_length;
        chunked_init(&request->chunked);
        request->phase = head->framing == HTTP_FRAMING_CHUNKED ? REQUEST_BODY_CHUNKED
                                                               : REQUEST_BODY_LENGTH;
        request->wanted = head->content_length;
        return head->expect_continue ? REQUEST_E_CONTINUE : 0;
}

static int read_head(Request *request, const uint8_t *data, size_t n, size_t *ret_used)
{
        HttpHead head;

        if (n == 0)
                return REQUEST_E_MORE;
        /* Another protocol shows with its first byte; a line of it may never end. */
        if (data[0] < 'A' || data[0] > 'Z')
                return refuse_at_once(request, &bad_head);
        switch (http_parse_request(data, n, &head, ret_used)) {
        case 0:
                request->keep_alive = head.keep_alive;
                request->head_only = text_equal(head.method.data, head.method.n, "HEAD");
                request->open = is_path(head.target, OPEN_PATH); /* or it is refused */
                request->gzip = http_text_is(head.content_encoding, "gzip");
                request->json = request->policy->json &&
                                http_text_is(head.content_type, "application/json");
                return begin_body(request, &head);
        case HTTP_E_MORE:
                return REQUEST_E_MORE;
        case HTTP_E_TOO_LARGE:
                return refuse_at_once(request, &head_too_large);
        case HTTP_E_VERSION:
                return refuse_at_once(request, &bad_version);
        case HTTP_E_NOT_ENCODED:
                return refuse_at_once(request, &bad_coding);
        }
        return refuse_at_once(request, &bad_head);
}

/* Keeps or skips a piece of the body, for which there is room. */
static int add_piece(Request *request, const uint8_t *data, size_t n)
{
        if (!request->refusal)
                return buffer_append(&request->body, data, n) < 0 ? -ENOMEM : 0;
        request->skipped += n;
        if (request->skipped > REQUEST_SKIP_MAX)
                return refuse_at_once(request, request->refusal);
        return 0;
}

static int read_fixed(Request *request, const uint8_t *data, size_t n, size_t *ret_used)
{
        int r;

        if (!request->refusal && request->left > request->body.max - buffer_length(&request->body))
                return REQUEST_E_ROOM;
        n = MIN(n, request->left);
        r = add_piece(request, data, n);
        if (r < 0)
                return r;
        request->left -= n;
        *ret_used = n;
        if (request->left == 0)
                request->phase = REQUEST_DONE;
        return request->phase == REQUEST_DONE ? 0 : REQUEST_E_MORE;
}

/* The decoder is given no more than what would fit if it were all data, since what it has taken
 * cannot be given back. */
static int read_chunked(Request *request, const uint8_t *data, size_t n, size_t *ret_used)
{
        size_t used = 0;

        while (used < n) {
                size_t room = request->body.max - buffer_length(&request->body), piece_n, step;
                const uint8_t *piece;
                int r, outcome;

                if (room == 0 && request->body.max >= request->policy->body_max)
                        return refuse_at_once(request, &too_large);
                if (room == 0 && !request->refusal) {
                        request->wanted = MIN(2 * request->body.max, request->policy->body_max);
                        *ret_used = used;
                        return REQUEST_E_ROOM;
                }
                outcome = chunked_decode(&request->chunked, data + used, MIN(n - used, room), &step,
                                         &piece, &piece_n);
                if (outcome == CHUNKED_E_BAD)
                        return refuse_at_once(request, request->refusal ?: &bad_chunk);
                r = add_piece(request, piece, piece_n);
                if (r < 0)
                        return r;
                used += step;
                if (outcome == 0)
                        request->phase = REQUEST_DONE;
                if (request->phase == REQUEST_DONE)
                        break;
        }
        *ret_used = used;
        return request->phase == REQUEST_DONE ? 0 : REQUEST_E_MORE;
}

static int read_body(Request *request, const uint8_t *data, size_t n, size_t *ret_used)
{
        *ret_used = 0;
        if (request->phase == REQUEST_BODY_LENGTH)
                return read_fixed(request, data, n, ret_used);
        if (request->phase == REQUEST_BODY_CHUNKED)
                return read_chunked(request, data, n, ret_used);
        return 0;
}

int request_read(Request *request, const uint8_t *data, size_t n, size_t *ret_used)
{
        size_t head_n = 0;
        int r = 0;

        *ret_used = 0;
        if (request->phase == REQUEST_HEAD)
                r = read_head(request, data, n, &head_n);
        if (r == 0)
                r = read_body(request, data + head_n, n - head_n, ret_used);
        *ret_used += head_n;
        return r;
}

const Answer *request_inflate(Request *request, size_t max)
{
        Buffer plain;
        int r;

        if (!request->gzip)
                return NULL;
        buffer_init(&plain, max);
        r = gunzip(buffer_data(&request->body), buffer_length(&request->body), &plain);
        buffer_done(&request->body);
        request->body = plain;
        request->gzip = false;
        switch (r) {
        case 0:
                return NULL;
        case -ENOBUFS:
                return &inflates_too_far;
        case -EBADMSG:
                return &bad_gzip;
        }
        return &no_memory;
}
