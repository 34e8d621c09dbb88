/* W3C Trace Context: the traceparent value. */

#include "otlp/traceparent.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"

int traceparent_parse(const char *text, size_t n, Traceparent *ret)
{
        Traceparent traceparent;
        uint8_t version;

        if (n < TRACEPARENT_LENGTH || text[2] != '-' || text[35] != '-' || text[52] != '-')
                return -EINVAL;
        if (parse_hex(text, 2, &version, 1) < 0 || version == 0xff)
                return -EINVAL;
        if (n > TRACEPARENT_LENGTH && (version == 0 || text[TRACEPARENT_LENGTH] != '-'))
                return -EINVAL;
        if (parse_hex(text + 3, 32, traceparent.trace_id.bytes, TRACE_ID_SIZE) < 0 ||
            parse_hex(text + 36, 16, traceparent.span_id.bytes, SPAN_ID_SIZE) < 0 ||
            parse_hex(text + 53, 2, &traceparent.flags, 1) < 0)
                return -EINVAL;
        if (!trace_id_is_valid(&traceparent.trace_id) || !span_id_is_valid(&traceparent.span_id))
                return -EINVAL;
        *ret = traceparent;
        return 0;
}

void traceparent_format(const Traceparent *traceparent, char ret[static TRACEPARENT_TEXT_MAX])
{
        char *p = ret;

        memcpy(p, "00-", 3);
        format_hex(traceparent->trace_id.bytes, TRACE_ID_SIZE, p + 3);
        p[35] = '-';
        format_hex(traceparent->span_id.bytes, SPAN_ID_SIZE, p + 36);
        p[52] = '-';
        format_hex(&traceparent->flags, 1, p + 53);
}
