#pragma once

/* HTTP/1.1 messages (RFC 9110, RFC 9112): heads, as much of them as OTLP/HTTP needs. Pure: bytes
 * in, structs out; a parsed head borrows its text from the input. Strict where leniency lets two
 * parsers disagree (request smuggling): bare LF, folded lines, space before a colon, repeated or
 * odd Content-Length, Content-Length beside Transfer-Encoding are all refused. So is a second
 * occurrence of any field below that has one value. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        HTTP_HEAD_MAX = 16 * 1024, /* start line and fields together */
        HTTP_FIELDS_MAX = 100,
};

typedef struct HttpText {
        const char *data; /* not NUL-terminated; NULL when the field is absent */
        size_t n;
} HttpText;

typedef enum HttpFraming {
        HTTP_FRAMING_NONE,    /* no body */
        HTTP_FRAMING_LENGTH,  /* @content_length bytes follow */
        HTTP_FRAMING_CHUNKED, /* see http/chunked.h */
        HTTP_FRAMING_CLOSE,   /* of a response: all until the connection ends */
} HttpFraming;

typedef struct HttpHead {
        HttpText method;  /* of a request */
        HttpText target;  /* of a request, origin form: a path, perhaps with "?" and a query */
        unsigned status;  /* of a response, 100 to 599; below 200 the real response is yet to come */
        unsigned minor;   /* HTTP/1.minor, 0 or 1 */
        bool keep_alive;  /* the connection may carry another message after this one */
        bool expect_continue;
        HttpFraming framing;
        uint64_t content_length; /* of HTTP_FRAMING_LENGTH */
        HttpText host;
        HttpText content_type;
        HttpText content_encoding;
        HttpText retry_after;
        HttpText authorization;
} HttpHead;

/* Positive outcomes of the two parsers. */
enum {
        HTTP_E_MORE = 1,        /* the head is not complete yet */
        HTTP_E_BAD = 2,         /* not HTTP/1.x as we accept it: 400 */
        HTTP_E_TOO_LARGE = 3,   /* head beyond HTTP_HEAD_MAX or HTTP_FIELDS_MAX: 431 */
        HTTP_E_VERSION = 4,     /* an HTTP version other than 1.0 and 1.1: 505 */
        HTTP_E_NOT_ENCODED = 5, /* a transfer coding other than chunked: 501 */
};

/* Each returns 0 with *ret and the length of the head in *ret_n, or an outcome above. A response
 * is read as one to a GET or POST without Upgrade: what answers HEAD or CONNECT is framed
 * otherwise, and 101 is refused. */
int http_parse_request(const uint8_t *data, size_t n, HttpHead *ret, size_t *ret_n);
int http_parse_response(const uint8_t *data, size_t n, HttpHead *ret, size_t *ret_n);

/* Case-insensitive comparison of a field's value, without its parameters ("; charset=..."). */
bool http_text_is(HttpText text, const char *token);

/* "OK" of 200; "" of a status not in our table. */
const char *http_reason(unsigned status);
