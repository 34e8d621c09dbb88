#include "trace/backoff.h"

#include <sys/random.h>

#include "base/macro.h"

static const nsec_t WAIT_MIN = 50 * NSEC_PER_MSEC;
static const nsec_t WAIT_MAX = 5 * NSEC_PER_SEC;

void backoff_reset(Backoff *backoff)
{
        backoff->wait = WAIT_MIN;
}

/* Half of the wait is for certain, the other half by chance. */
nsec_t backoff_next(Backoff *backoff)
{
        nsec_t wait = backoff->wait;
        uint32_t random = 0;

        /* If it fails there is no jitter, which matters little. */
        (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
        backoff->wait = MIN(2 * wait, WAIT_MAX);
        return wait / 2 + random % (wait / 2);
}
