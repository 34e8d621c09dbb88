#pragma once

/* Untrusted text for a terminal. */

#include <stddef.h>

#include "base/buffer.h"

/* Appends @text in at most @columns columns of a terminal, cut with an ellipsis if it needs more.
 * Whatever a terminal could take as a command or as a change of direction, and what is no UTF-8, is
 * replaced; line breaks and tabs become spaces. *ret_columns (if not NULL) is how many columns it
 * takes. Widths are those of the LC_CTYPE locale, which must be a UTF-8 one. Returns 0, -ENOBUFS or
 * -ENOMEM. */
int terminal_append(Buffer *ret, const char *text, size_t columns, size_t *ret_columns);

/* The number of columns @text takes when written by terminal_append() without a limit. */
size_t terminal_columns(const char *text);
