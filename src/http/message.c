/* Heads of HTTP/1.1 messages. The input is read line by line, so that nonsense is refused with
 * its first line instead of being waited out. Fields we have no use for are checked for their
 * form and dropped; the others land in a table, once each, and are understood after the last line,
 * when all that bears on the framing is known. */

#include "http/message.h"

#include <string.h>
#include <strings.h>

#include "base/macro.h"
#include "base/parse.h"

/* The fields that have one value. Connection, a list that may be spread over lines, is apart. */
typedef enum Field {
        FIELD_HOST,
        FIELD_CONTENT_LENGTH,
        FIELD_TRANSFER_ENCODING,
        FIELD_EXPECT,
        FIELD_CONTENT_TYPE,
        FIELD_CONTENT_ENCODING,
        FIELD_RETRY_AFTER,
        FIELD_AUTHORIZATION,
        FIELD_N,
} Field;

static const char *const field_names[FIELD_N] = {
        [FIELD_HOST] = "Host",
        [FIELD_CONTENT_LENGTH] = "Content-Length",
        [FIELD_TRANSFER_ENCODING] = "Transfer-Encoding",
        [FIELD_EXPECT] = "Expect",
        [FIELD_CONTENT_TYPE] = "Content-Type",
        [FIELD_CONTENT_ENCODING] = "Content-Encoding",
        [FIELD_RETRY_AFTER] = "Retry-After",
        [FIELD_AUTHORIZATION] = "Authorization",
};

/* What RFC 9110 (tokens) and RFC 3986 (path and query, host and port) allow beside letters and
 * digits. */
static const char token_marks[] = "!#$%&'*+-.^_`|~";
static const char target_marks[] = "/?%:@-._~!$&'()*+,;=";
static const char host_marks[] = "[]%:-._~!$&'()*+,;=";

typedef struct Message {
        HttpHead head;
        HttpText fields[FIELD_N];
        bool close;      /* tokens of Connection */
        bool keep_alive;
} Message;

typedef struct Lines {
        const uint8_t *data;
        size_t n;
        size_t used;
} Lines;

/* Takes the next line, without its CRLF. */
static int next_line(Lines *lines, HttpText *ret)
{
        size_t limit = MIN(lines->n, (size_t)HTTP_HEAD_MAX);
        const uint8_t *start, *end = NULL;

        if (lines->used < limit) {
                start = lines->data + lines->used;
                end = memchr(start, '\n', limit - lines->used);
        }
        if (!end)
                return lines->n < HTTP_HEAD_MAX ? HTTP_E_MORE : HTTP_E_TOO_LARGE;
        if (end == start || end[-1] != '\r')
                return HTTP_E_BAD;
        *ret = (HttpText){(const char *)start, (size_t)(end - 1 - start)};
        lines->used += ret->n + 2;
        return 0;
}

static HttpText sub_text(HttpText text, size_t start, size_t end)
{
        return (HttpText){text.data + start, end - start};
}

/* The position of @c, or the length of the text. */
static size_t find(HttpText text, char c)
{
        const char *p = text.n > 0 ? memchr(text.data, c, text.n) : NULL;

        return p ? (size_t)(p - text.data) : text.n;
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

static HttpText trim(HttpText text)
{
        size_t start = 0, end = text.n;

        while (start < end && is_blank(text.data[start]))
                start++;
        while (end > start && is_blank(text.data[end - 1]))
                end--;
        return sub_text(text, start, end);
}

static bool text_equal_nocase(HttpText text, const char *s)
{
        return text.n == strlen(s) && strncasecmp(text.data, s, text.n) == 0;
}

/* Only letters, digits and @marks? */
static bool consists_of(HttpText text, const char *marks)
{
        size_t marks_n = strlen(marks);

        for (size_t i = 0; i < text.n; i++) {
                char c = text.data[i];

                if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
                    !memchr(marks, c, marks_n))
                        return false;
        }
        return true;
}

static bool has_control_characters(HttpText text)
{
        for (size_t i = 0; i < text.n; i++) {
                unsigned char c = (unsigned char)text.data[i];

                if ((c < ' ' && c != '\t') || c == 0x7f)
                        return true;
        }
        return false;
}

static int parse_version(HttpText text, unsigned *ret_minor)
{
        static const char form[] = "HTTP/d.d";

        if (text.n != strlen(form))
                return HTTP_E_BAD;
        for (size_t i = 0; i < text.n; i++)
                if (form[i] == 'd' ? text.data[i] < '0' || text.data[i] > '9'
                                   : text.data[i] != form[i])
                        return HTTP_E_BAD;
        if (text.data[5] != '1' || text.data[7] > '1')
                return HTTP_E_VERSION;
        *ret_minor = (unsigned)(text.data[7] - '0');
        return 0;
}

/* method SP target SP version */
static int parse_request_line(HttpText line, HttpHead *head)
{
        size_t space = find(line, ' ');
        HttpText rest;
        int r;

        head->method = sub_text(line, 0, space);
        if (space == line.n || space == 0 || !consists_of(head->method, token_marks))
                return HTTP_E_BAD;
        rest = sub_text(line, space + 1, line.n);
        space = find(rest, ' ');
        if (space == rest.n)
                return HTTP_E_BAD;
        head->target = sub_text(rest, 0, space);

        /* The version first: "PRI * HTTP/2.0" is a client that only needs to be told. */
        r = parse_version(sub_text(rest, space + 1, rest.n), &head->minor);
        if (r != 0)
                return r;
        if (head->target.n == 0 || head->target.data[0] != '/' ||
            !consists_of(head->target, target_marks))
                return HTTP_E_BAD;
        return 0;
}

/* version SP 3DIGIT SP [reason] */
static int parse_status_line(HttpText line, HttpHead *head)
{
        enum { STATUS = 9, REASON = STATUS + 4 };
        uint32_t status;
        int r;

        if (line.n < REASON || line.data[STATUS - 1] != ' ' || line.data[REASON - 1] != ' ' ||
            has_control_characters(line))
                return HTTP_E_BAD;
        r = parse_version(sub_text(line, 0, STATUS - 1), &head->minor);
        if (r != 0)
                return r;
        if (parse_u32(line.data + STATUS, 3, 599, &status) < 0 || status < 100 || status == 101)
                return HTTP_E_BAD;
        head->status = status;
        return 0;
}

static void parse_connection(HttpText list, Message *message)
{
        size_t start = 0;

        while (start < list.n) {
                HttpText rest = sub_text(list, start, list.n);
                size_t comma = find(rest, ',');
                HttpText token = trim(sub_text(rest, 0, comma));

                if (text_equal_nocase(token, "close"))
                        message->close = true;
                if (text_equal_nocase(token, "keep-alive"))
                        message->keep_alive = true;
                start += comma + 1;
        }
}

/* name ":" OWS value OWS */
static int parse_field(HttpText line, Message *message)
{
        size_t colon = find(line, ':');
        HttpText name = sub_text(line, 0, colon), value;

        if (colon == line.n || colon == 0 || !consists_of(name, token_marks))
                return HTTP_E_BAD;
        value = trim(sub_text(line, colon + 1, line.n));
        if (has_control_characters(value))
                return HTTP_E_BAD;

        if (text_equal_nocase(name, "Connection"))
                parse_connection(value, message);
        for (size_t i = 0; i < FIELD_N; i++)
                if (text_equal_nocase(name, field_names[i])) {
                        if (message->fields[i].data)
                                return HTTP_E_BAD;
                        message->fields[i] = value;
                }
        return 0;
}

static int parse_fields(Lines *lines, Message *message)
{
        for (size_t i = 0;; i++) {
                HttpText line;
                int r = next_line(lines, &line);

                if (r != 0)
                        return r;
                if (line.n == 0)
                        return 0;
                if (i == HTTP_FIELDS_MAX)
                        return HTTP_E_TOO_LARGE;
                r = parse_field(line, message);
                if (r != 0)
                        return r;
        }
}

/* RFC 9112, section 6.3, as far as it is the same for requests and responses. Leaves
 * HTTP_FRAMING_NONE where no field says anything. */
static int parse_framing(Message *message)
{
        HttpText coding = message->fields[FIELD_TRANSFER_ENCODING];
        HttpText length = message->fields[FIELD_CONTENT_LENGTH];
        HttpHead *head = &message->head;

        if (coding.data) {
                if (length.data || head->minor == 0)
                        return HTTP_E_BAD;
                if (!text_equal_nocase(coding, "chunked"))
                        return HTTP_E_NOT_ENCODED;
                head->framing = HTTP_FRAMING_CHUNKED;
        } else if (length.data) {
                if (parse_u64(length.data, length.n, UINT64_MAX, &head->content_length) < 0)
                        return HTTP_E_BAD;
                head->framing = HTTP_FRAMING_LENGTH;
        }
        return 0;
}

/* All lines after the first, and what they mean. */
static int parse_rest(Lines *lines, Message *message)
{
        HttpHead *head = &message->head;
        int r = parse_fields(lines, message);

        if (r != 0)
                return r;
        head->host = message->fields[FIELD_HOST];
        head->content_type = message->fields[FIELD_CONTENT_TYPE];
        head->content_encoding = message->fields[FIELD_CONTENT_ENCODING];
        head->retry_after = message->fields[FIELD_RETRY_AFTER];
        head->authorization = message->fields[FIELD_AUTHORIZATION];
        head->keep_alive = !message->close && (head->minor == 1 || message->keep_alive);
        return parse_framing(message);
}

int http_parse_request(const uint8_t *data, size_t n, HttpHead *ret, size_t *ret_n)
{
        Lines lines = {.data = data, .n = n};
        Message message = {0};
        HttpHead *head = &message.head;
        HttpText line;
        int r;

        r = next_line(&lines, &line);
        if (r != 0)
                return r;
        r = parse_request_line(line, head);
        if (r != 0)
                return r;
        r = parse_rest(&lines, &message);
        if (r != 0)
                return r;
        if ((!head->host.data && head->minor == 1) || !consists_of(head->host, host_marks))
                return HTTP_E_BAD;
        /* A client of HTTP/1.0 does not know 100 (RFC 9110, section 10.1.1). */
        head->expect_continue =
                head->minor == 1 && http_text_is(message.fields[FIELD_EXPECT], "100-continue");
        *ret = *head;
        *ret_n = lines.used;
        return 0;
}

int http_parse_response(const uint8_t *data, size_t n, HttpHead *ret, size_t *ret_n)
{
        Lines lines = {.data = data, .n = n};
        Message message = {0};
        HttpHead *head = &message.head;
        HttpText line;
        int r;

        r = next_line(&lines, &line);
        if (r != 0)
                return r;
        r = parse_status_line(line, head);
        if (r != 0)
                return r;
        r = parse_rest(&lines, &message);
        if (r != 0)
                return r;
        if (head->status < 200 || head->status == 204 || head->status == 304) {
                /* No body, whatever the fields say: in 304 they describe one that is not sent. */
                head->framing = HTTP_FRAMING_NONE;
                head->content_length = 0;
        } else if (head->framing == HTTP_FRAMING_NONE) {
                head->framing = HTTP_FRAMING_CLOSE;
                head->keep_alive = false;
        }
        *ret = *head;
        *ret_n = lines.used;
        return 0;
}

bool http_text_is(HttpText text, const char *token)
{
        return text.data && text_equal_nocase(trim(sub_text(text, 0, find(text, ';'))), token);
}

const char *http_reason(unsigned status)
{
        static const struct {
                unsigned status;
                const char *reason;
        } reasons[] = {
                {100, "Continue"},
                {200, "OK"},
                {204, "No Content"},
                {400, "Bad Request"},
                {401, "Unauthorized"},
                {403, "Forbidden"},
                {404, "Not Found"},
                {405, "Method Not Allowed"},
                {408, "Request Timeout"},
                {411, "Length Required"},
                {413, "Content Too Large"},
                {415, "Unsupported Media Type"},
                {429, "Too Many Requests"},
                {431, "Request Header Fields Too Large"},
                {500, "Internal Server Error"},
                {501, "Not Implemented"},
                {502, "Bad Gateway"},
                {503, "Service Unavailable"},
                {504, "Gateway Timeout"},
                {505, "HTTP Version Not Supported"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
                if (reasons[i].status == status)
                        return reasons[i].reason;
        return "";
}
