#include "http-head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        HttpHead head;

        if (!check_head(http_parse_response, data, n, &head))
                return 0;
        assert(head.status >= 100 && head.status <= 599);
        assert(head.status >= 200 || head.framing == HTTP_FRAMING_NONE);
        assert(head.framing != HTTP_FRAMING_CLOSE || !head.keep_alive);
        assert(!head.method.data && !head.target.data && !head.expect_continue);
        return 0;
}
