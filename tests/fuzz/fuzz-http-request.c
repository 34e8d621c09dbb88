#include "http-head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        HttpHead head;

        if (!check_head(http_parse_request, data, n, &head))
                return 0;
        assert(head.method.n > 0 && head.target.n > 0 && head.target.data[0] == '/');
        assert(head.framing != HTTP_FRAMING_CLOSE);
        assert(head.host.data || head.minor == 0);
        assert(head.status == 0);
        return 0;
}
