/* UTF-8, by Unicode's table 3-7: the first byte says how many follow and what the second one may
 * be, which is all it takes to tell over-long forms and surrogates. */

#include "base/utf8.h"

#include "base/macro.h"

static const struct {
        uint8_t first_min, first_max, second_min, second_max;
        uint8_t length;
} forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3},
        {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
};

size_t utf8_sequence(const uint8_t *text, size_t n)
{
        if (text[0] < 0x80)
                return 1;
        for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
                if (text[0] < forms[i].first_min || text[0] > forms[i].first_max)
                        continue;
                if (forms[i].length > n || text[1] < forms[i].second_min ||
                    text[1] > forms[i].second_max)
                        return 0;
                for (size_t k = 2; k < forms[i].length; k++)
                        if ((text[k] & 0xc0) != 0x80)
                                return 0;
                return forms[i].length;
        }
        return 0;
}

bool utf8_is_valid(const uint8_t *text, size_t n)
{
        size_t length;

        for (size_t i = 0; i < n; i += length) {
                length = utf8_sequence(text + i, n - i);
                if (length == 0)
                        return false;
        }
        return true;
}

void utf8_clean(uint8_t *text, size_t n)
{
        for (size_t i = 0; i < n;) {
                size_t length = utf8_sequence(text + i, n - i);

                if (length == 0)
                        text[i++] = '?';
                else
                        i += length;
        }
}
