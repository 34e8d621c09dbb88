/* The line with which a Unix peer says which port of the guest it wants. */

#include "vhost/hello.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"

int hello_parse(const uint8_t *line, size_t n, uint32_t *ret_port)
{
        static const char word[] = "CONNECT ";
        const size_t n_word = sizeof(word) - 1;

        if (n <= n_word || memcmp(line, word, n_word) != 0 || line[n - 1] != '\n')
                return -EINVAL;
        return parse_u32((const char *)line + n_word, n - n_word - 1, UINT32_MAX, ret_port);
}
