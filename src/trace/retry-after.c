/* Retry-After. The date is computed here because timegm() may look for time zone files, which the
 * sandbox does not allow. */

#include "trace/retry-after.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/macro.h"
#include "base/parse.h"

static bool is_leap(uint32_t year)
{
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static uint64_t leap_years_before(uint32_t year)
{
        year--;
        return year / 4 - year / 100 + year / 400;
}

/* Days from 1970-01-01 to the first of @month (0 to 11) of @year. */
static uint64_t days_before_month(uint32_t year, size_t month)
{
        static const uint16_t days[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};

        return UINT64_C(365) * (year - 1970) + leap_years_before(year) - leap_years_before(1970) +
               days[month] + (month > 1 && is_leap(year));
}

static int parse_month(const char *text, size_t *ret)
{
        static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

        for (size_t i = 0; i < 12; i++)
                if (memcmp(text, names + 3 * i, 3) == 0) {
                        *ret = i;
                        return 0;
                }
        return -EINVAL;
}

/* Each character of the pattern stands for itself, but '?' for any. */
static bool has_shape(const char *text, size_t n, const char *pattern)
{
        if (n != strlen(pattern))
                return false;
        for (size_t i = 0; i < n; i++)
                if (pattern[i] != '?' && pattern[i] != text[i])
                        return false;
        return true;
}

static int parse_date(const char *text, size_t n, nsec_t *ret)
{
        uint32_t day, year, hour, minute, second;
        uint64_t days;
        size_t month;

        if (!has_shape(text, n, "???, ?? ??? ???? ??:??:?? GMT"))
                return -EINVAL;
        if (parse_u32(text + 5, 2, 31, &day) < 0 || parse_month(text + 8, &month) < 0 ||
            parse_u32(text + 12, 4, 2500, &year) < 0 || parse_u32(text + 17, 2, 23, &hour) < 0 ||
            parse_u32(text + 20, 2, 59, &minute) < 0 || parse_u32(text + 23, 2, 60, &second) < 0)
                return -EINVAL;
        if (day == 0 || year < 1970)
                return -EINVAL;
        days = days_before_month(year, month) + day - 1;
        *ret = (((days * 24 + hour) * 60 + minute) * 60 + second) * NSEC_PER_SEC;
        return 0;
}

int retry_after_parse(const char *text, size_t n, nsec_t realtime, nsec_t *ret)
{
        uint64_t seconds;
        nsec_t date;
        int r;

        r = parse_u64(text, n, NSEC_INFINITY / NSEC_PER_SEC, &seconds);
        if (r == 0) {
                *ret = seconds * NSEC_PER_SEC;
                return 0;
        }
        r = parse_date(text, n, &date);
        if (r < 0)
                return r;
        *ret = nsec_left(date, realtime);
        return 0;
}
