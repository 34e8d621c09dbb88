#pragma once

/* What holds for the heads of requests and responses alike. */

#include "base/macro.h"
#include "fuzz.h"
#include "http/message.h"

typedef int (*ParseHead)(const uint8_t *data, size_t n, HttpHead *ret, size_t *ret_n);

static inline void check_text(HttpText text, const uint8_t *data, size_t n)
{
        const uint8_t *start = (const uint8_t *)text.data;

        if (!start) {
                assert(text.n == 0);
                return;
        }
        assert(start >= data && text.n <= n && (size_t)(start - data) <= n - text.n);
        for (size_t i = 0; i < text.n; i++)
                assert(start[i] >= ' ' || start[i] == '\t');
}

/* Returns whether there is a head, in *ret. */
static inline bool check_head(ParseHead parse, const uint8_t *data, size_t n, HttpHead *ret)
{
        HttpHead head, again;
        size_t head_n, again_n, step = n / 256 + 1;
        int r = parse(data, n, &head, &head_n);

        /* As it arrives, a head is waited for until the answer is known, and that then stands. */
        for (size_t cut = 0; cut < n; cut += step) {
                int early = parse(data, cut, &again, &again_n);

                assert(early == HTTP_E_MORE || early == r);
                assert(early != 0 || (again_n == head_n && again_n <= cut));
        }
        if (r != 0) {
                assert(r >= HTTP_E_MORE && r <= HTTP_E_NOT_ENCODED);
                assert(r != HTTP_E_MORE || n < HTTP_HEAD_MAX);
                return false;
        }

        assert(head_n >= 4 && head_n <= MIN(n, (size_t)HTTP_HEAD_MAX));
        assert(memcmp(data + head_n - 4, "\r\n\r\n", 4) == 0);
        assert(parse(data, head_n, &again, &again_n) == 0 && again_n == head_n);
        assert(parse(data, head_n - 1, &again, &again_n) == HTTP_E_MORE);
        assert(head.minor <= 1);
        assert(head.content_length == 0 || head.framing == HTTP_FRAMING_LENGTH);
        assert(head.framing != HTTP_FRAMING_CHUNKED || head.minor == 1);
        check_text(head.method, data, head_n);
        check_text(head.target, data, head_n);
        check_text(head.host, data, head_n);
        check_text(head.content_type, data, head_n);
        check_text(head.content_encoding, data, head_n);
        check_text(head.retry_after, data, head_n);
        check_text(head.authorization, data, head_n);
        (void)http_text_is(head.content_type, "application/x-protobuf");
        *ret = head;
        return true;
}
