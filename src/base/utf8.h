#pragma once

/* UTF-8, as far as one must know before calling bytes a string. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Well-formed as Unicode defines it (table 3-7): nothing over-long, no surrogates, nothing above
 * U+10FFFF. A NUL is a character like others. */
bool utf8_is_valid(const uint8_t *text, size_t n);

/* Puts '?' in the place of every byte that belongs to no well-formed sequence. */
void utf8_clean(uint8_t *text, size_t n);

/* The length in bytes of the character at the start of @text, 0 if it is ill-formed or cut off.
 * @n is not 0. */
size_t utf8_sequence(const uint8_t *text, size_t n);
