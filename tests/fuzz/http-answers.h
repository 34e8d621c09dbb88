#pragma once

/* What a server of ours has answered: well-formed responses, one behind the other. */

#include "fuzz.h"
#include "http/message.h"

/* How many of them are 200. */
static inline size_t count_successes(const uint8_t *answers, size_t n)
{
        size_t successes = 0, head_n;
        HttpHead head;

        for (size_t at = 0; at < n; at += head_n) {
                assert(http_parse_response(answers + at, n - at, &head, &head_n) == 0);
                assert(head.status == 100 || head.framing == HTTP_FRAMING_LENGTH);
                successes += head.status == 200;
                /* The answer to HEAD has no body, and then another one follows, or nothing. */
                if (head.status != 100 && at + head_n < n &&
                    memcmp(answers + at + head_n, "HTTP", 4) != 0)
                        head_n += head.content_length;
        }
        return successes;
}
