#pragma once

/* Splitting text into words, in place, by two sets of rules: the kernel's for its command line
 * and a shell's for `agent=`. Pure; the words point into the text, which is changed. */

#include <stddef.h>

/* The next word of a kernel command line, as the kernel itself cuts it (next_arg() in
 * lib/cmdline.c): white space separates, double quotes protect it, a pair of them around the
 * whole word or around the value behind the first '=' is taken off. There are no escapes.
 * *cursor is advanced; returns NULL at the end. */
char *words_next_kernel(char **cursor);

/* Splits @text like a shell without expansions: white space separates; '...', "..." and
 * backslashes protect ("\\", "\"" within double quotes). Fills @words, which has room for @max
 * pointers, the last one NULL. Returns the number of words, -E2BIG for too many, or -EINVAL for
 * a quote or backslash without its end. */
int words_split_shell(char *text, char **words, size_t max);
