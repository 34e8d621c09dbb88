#pragma once

/* What every fuzz target includes. A target states by assert() what holds for any input: that
 * nothing crashes is only the least of it. */

#ifdef NDEBUG
#error "fuzz targets need assert()"
#endif

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* One target per program, the name is libFuzzer's. @data is of exactly @n bytes, so that the
 * sanitizers see a read beyond it. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
