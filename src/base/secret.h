#pragma once

/* Comparing what nobody must be able to guess piece by piece. */

#include <stdbool.h>
#include <stddef.h>

/* Is the text of length @n the string @secret? Takes as long wherever the two differ. */
bool secret_equal(const char *text, size_t n, const char *secret);
