/* Untrusted text for a terminal. The C library knows what has no width because it is no printable
 * character; what it counts as printable and yet moves text about is in the table below. */

#include "forward/terminal.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include "base/macro.h"
#include "base/utf8.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
static const char ellipsis[] = "\xe2\x80\xa6";    /* U+2026 */

/* Directional marks, embeddings, overrides and isolates; line and paragraph separators; invisible
 * characters and tags that could make two names look the same. */
static const struct {
        uint32_t first, last;
} unwanted[] = {
        {0x00ad, 0x00ad}, {0x061c, 0x061c}, {0x180e, 0x180e},   {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff},   {0xfff9, 0xfffb},
        {0xe0000, 0xe0fff},
};

/* A character as it is written. */
typedef struct Glyph {
        const char *text;
        size_t n;
        size_t columns;
        size_t input; /* bytes of the original */
} Glyph;

static uint32_t decode(const uint8_t *text, size_t n)
{
        uint32_t c = n == 1 ? text[0] : text[0] & (0x7fU >> n);

        for (size_t i = 1; i < n; i++)
                c = c << 6 | (text[i] & 0x3f);
        return c;
}

static bool is_unwanted(uint32_t c)
{
        for (size_t i = 0; i < ARRAY_SIZE(unwanted); i++)
                if (c >= unwanted[i].first && c <= unwanted[i].last)
                        return true;
        return false;
}

static Glyph next_glyph(const char *text, size_t n)
{
        size_t length = utf8_sequence((const uint8_t *)text, n);
        uint32_t c;
        int columns;

        if (length == 0)
                return (Glyph){replacement, 3, 1, 1};
        c = decode((const uint8_t *)text, length);
        if (c == '\n' || c == '\r' || c == '\t')
                return (Glyph){" ", 1, 1, 1};
        columns = wcwidth((wchar_t)c);
        if (columns < 0 || is_unwanted(c))
                return (Glyph){replacement, 3, 1, length};
        return (Glyph){text, length, (size_t)columns, length};
}

size_t terminal_columns(const char *text)
{
        size_t n = strlen(text), columns = 0;

        for (size_t i = 0; i < n;) {
                Glyph glyph = next_glyph(text + i, n - i);

                columns += glyph.columns;
                i += glyph.input;
        }
        return columns;
}

int terminal_append(Buffer *ret, const char *text, size_t columns, size_t *ret_columns)
{
        size_t n = strlen(text), taken = 0;
        bool cut = terminal_columns(text) > columns;
        size_t room = cut && columns > 0 ? columns - 1 : columns;
        int r;

        for (size_t i = 0; i < n;) {
                Glyph glyph = next_glyph(text + i, n - i);

                if (glyph.columns > room - taken)
                        break;
                r = buffer_append(ret, glyph.text, glyph.n);
                if (r < 0)
                        return r;
                taken += glyph.columns;
                i += glyph.input;
        }
        if (cut && columns > 0) {
                r = buffer_append(ret, ellipsis, 3);
                if (r < 0)
                        return r;
                taken++;
        }
        if (ret_columns)
                *ret_columns = taken;
        return 0;
}
