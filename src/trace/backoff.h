#pragma once

/* The waits between attempts that fail one after the other: each twice as long as the one before,
 * with jitter, so that a host that comes back does not meet all its guests at once. */

#include "base/clock.h"

typedef struct Backoff {
        nsec_t wait; /* the next, before jitter */
} Backoff;

/* At the beginning, and after a success. */
void backoff_reset(Backoff *backoff);

/* How long to wait after the failure there was now. */
nsec_t backoff_next(Backoff *backoff);
