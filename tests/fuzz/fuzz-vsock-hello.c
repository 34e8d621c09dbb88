#include <stdio.h>

#include "fuzz.h"
#include "vhost/connection.h"
#include "vhost/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        char line[CONNECTION_HELLO_MAX + 1];
        uint32_t port, again;
        int length;

        if (hello_parse(data, n, &port) < 0)
                return 0;
        assert(data[n - 1] == '\n' && !memchr(data, '\n', n - 1));
        length = snprintf(line, sizeof(line), "CONNECT %u\n", port);
        assert(length > 0 && (size_t)length < sizeof(line) && (size_t)length <= n);
        assert(hello_parse((uint8_t *)line, (size_t)length, &again) == 0 && again == port);
        return 0;
}
