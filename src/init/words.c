/* Splitting text into words, in place. */

#include "init/words.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_space(char c)
{
        return c == ' ' || (c >= '\t' && c <= '\r');
}

char *words_next_kernel(char **cursor)
{
        char *word = *cursor, *p, *end, *value = NULL;
        bool in_quote, quoted;

        while (is_space(*word))
                word++;
        if (*word == '\0')
                return NULL;

        in_quote = quoted = *word == '"';
        if (quoted)
                word++;
        for (p = word; *p && (in_quote || !is_space(*p)); p++) {
                if (*p == '"')
                        in_quote = !in_quote;
                if (*p == '=' && p > word && !value)
                        value = p + 1;
        }
        end = p;
        *cursor = *end ? end + 1 : end;
        *end = '\0';

        if (quoted && end > word && end[-1] == '"')
                *--end = '\0';
        if (value && value < end && *value == '"') {
                if (end - value > 1 && end[-1] == '"')
                        *--end = '\0';
                memmove(value, value + 1, (size_t)(end - value)); /* the NUL comes along */
        }
        return word;
}

/* Copies the word at @p down to itself without its quoting. Returns what follows it, or NULL. */
static char *unquote_word(char *p)
{
        char *to = p;
        char quote = '\0';

        for (; *p && (quote || !is_space(*p)); p++) {
                if (quote == '\0' && (*p == '\'' || *p == '"')) {
                        quote = *p;
                } else if (*p == quote) {
                        quote = '\0';
                } else if (*p == '\\' && quote != '\'' &&
                           (quote == '\0' || p[1] == '"' || p[1] == '\\')) {
                        if (p[1] == '\0')
                                return NULL;
                        *to++ = *++p;
                } else {
                        *to++ = *p;
                }
        }
        if (quote)
                return NULL;
        if (*p)
                p++;
        *to = '\0';
        return p;
}

int words_split_shell(char *text, char **words, size_t max)
{
        size_t n = 0;

        for (char *p = text;;) {
                while (is_space(*p))
                        p++;
                if (*p == '\0')
                        break;
                if (n + 1 >= max)
                        return -E2BIG;
                words[n++] = p;
                p = unquote_word(p);
                if (!p)
                        return -EINVAL;
        }
        words[n] = NULL;
        return (int)n;
}
