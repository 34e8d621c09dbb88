#pragma once

/* HTTP's Retry-After field (RFC 9110, section 10.2.3). */

#include <stddef.h>

#include "base/clock.h"

/* Reads seconds, or a date in the one format that may still be generated (IMF-fixdate), which is
 * taken relative to @realtime. A date in the past is 0. Returns 0 with the time to wait, or
 * -EINVAL. */
int retry_after_parse(const char *text, size_t n, nsec_t realtime, nsec_t *ret);
