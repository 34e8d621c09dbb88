/* Text to values: pure, over (pointer, length), so that the same functions read kernel command
 * lines, HTTP fields and program options. */

#include "base/parse.h"

#include <errno.h>
#include <string.h>

#include "base/macro.h"

bool text_equal(const char *text, size_t n, const char *s)
{
        return n == strlen(s) && memcmp(text, s, n) == 0;
}

int parse_u64(const char *text, size_t n, uint64_t max, uint64_t *ret)
{
        uint64_t value = 0;

        if (n == 0)
                return -EINVAL;
        for (size_t i = 0; i < n; i++)
                if (text[i] < '0' || text[i] > '9')
                        return -EINVAL;
        for (size_t i = 0; i < n; i++) {
                uint64_t digit = (uint64_t)(text[i] - '0');

                if (value > (max - MIN(digit, max)) / 10 || digit > max)
                        return -ERANGE;
                value = value * 10 + digit;
        }
        *ret = value;
        return 0;
}

int parse_u32(const char *text, size_t n, uint32_t max, uint32_t *ret)
{
        uint64_t value;
        int r = parse_u64(text, n, max, &value);

        if (r < 0)
                return r;
        *ret = (uint32_t)value;
        return 0;
}

int parse_bool(const char *text, size_t n, bool *ret)
{
        static const char *const yes[] = {"yes", "true", "on", "1"};
        static const char *const no[] = {"no", "false", "off", "0"};

        for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
                if (text_equal(text, n, yes[i])) {
                        *ret = true;
                        return 0;
                }
        for (size_t i = 0; i < ARRAY_SIZE(no); i++)
                if (text_equal(text, n, no[i])) {
                        *ret = false;
                        return 0;
                }
        return -EINVAL;
}

int parse_duration(const char *text, size_t n, nsec_t *ret)
{
        static const struct {
                const char *unit;
                nsec_t nsec;
        } units[] = {
                {"", NSEC_PER_SEC},       {"s", NSEC_PER_SEC},
                {"ms", NSEC_PER_MSEC},    {"us", NSEC_PER_USEC},
                {"ns", 1},                {"m", 60 * NSEC_PER_SEC},
                {"h", 3600 * NSEC_PER_SEC},
        };
        size_t digits = 0;

        while (digits < n && text[digits] >= '0' && text[digits] <= '9')
                digits++;
        for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
                uint64_t value;
                int r;

                if (!text_equal(text + digits, n - digits, units[i].unit))
                        continue;
                r = parse_u64(text, digits, (NSEC_INFINITY - 1) / units[i].nsec, &value);
                if (r < 0)
                        return r;
                *ret = value * units[i].nsec;
                return 0;
        }
        return -EINVAL;
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return -EINVAL;
}

int parse_hex(const char *text, size_t n, uint8_t *ret, size_t size)
{
        if (n != 2 * size)
                return -EINVAL;
        for (size_t i = 0; i < n; i++)
                if (hex_digit(text[i]) < 0)
                        return -EINVAL;
        for (size_t i = 0; i < size; i++)
                ret[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
        return 0;
}

void format_hex(const uint8_t *data, size_t n, char *ret)
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < n; i++) {
                *ret++ = digits[data[i] >> 4];
                *ret++ = digits[data[i] & 0xf];
        }
        *ret = '\0';
}
