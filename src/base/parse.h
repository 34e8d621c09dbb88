#pragma once

/* Text to values. Every function takes the whole of its input, accepts nothing around it (no
 * space, no sign, no leading "0x"), and returns 0, or -EINVAL for another form, or -ERANGE for a
 * value outside the range. Outputs are written on success only. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

int parse_u64(const char *text, size_t n, uint64_t max, uint64_t *ret);
int parse_u32(const char *text, size_t n, uint32_t max, uint32_t *ret);

/* yes, true, on, 1; no, false, off, 0. */
int parse_bool(const char *text, size_t n, bool *ret);

/* A whole number with a unit: ns, us, ms, s, m, h. A bare number is seconds. */
int parse_duration(const char *text, size_t n, nsec_t *ret);

/* Exactly 2 * @size lower-case hex digits (W3C Trace Context writes no others). */
int parse_hex(const char *text, size_t n, uint8_t *ret, size_t size);

/* Writes 2 * @n lower-case digits and a NUL. */
void format_hex(const uint8_t *data, size_t n, char *ret);

/* Does the text of length @n equal the string @s? */
bool text_equal(const char *text, size_t n, const char *s);
