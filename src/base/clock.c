/* Time: reads of the two clocks and saturating arithmetic. clock_gettime(2) cannot fail for these
 * clocks on any kernel we run on. */

#include "base/clock.h"

#include <assert.h>
#include <limits.h>
#include <time.h>

/* The clocks are read one after the other: again, if something came in between. */
enum { ANCHOR_ATTEMPTS = 8 };
static const nsec_t ANCHOR_GAP = 100 * NSEC_PER_USEC;

static nsec_t read_clock(clockid_t id)
{
        struct timespec ts;
        int r = clock_gettime(id, &ts);

        assert(r == 0);
        (void)r; /* only read by the assertion */
        return (nsec_t)ts.tv_sec * NSEC_PER_SEC + (nsec_t)ts.tv_nsec;
}

nsec_t clock_boottime(void)
{
        return read_clock(CLOCK_BOOTTIME);
}

nsec_t clock_realtime(void)
{
        return read_clock(CLOCK_REALTIME);
}

nsec_t nsec_add(nsec_t a, nsec_t b)
{
        return b > NSEC_INFINITY - a ? NSEC_INFINITY : a + b;
}

nsec_t nsec_left(nsec_t deadline, nsec_t now)
{
        return deadline == NSEC_INFINITY ? NSEC_INFINITY : deadline > now ? deadline - now : 0;
}

int nsec_to_poll(nsec_t left)
{
        nsec_t ms;

        if (left == NSEC_INFINITY)
                return -1;
        ms = left / NSEC_PER_MSEC + (left % NSEC_PER_MSEC != 0);
        return ms > INT_MAX ? INT_MAX : (int)ms;
}

ClockAnchor clock_anchor(void)
{
        ClockAnchor best = {0};
        nsec_t best_gap = NSEC_INFINITY;

        for (int i = 0; i < ANCHOR_ATTEMPTS && best_gap > ANCHOR_GAP; i++) {
                ClockAnchor anchor = {.boottime = clock_boottime(), .realtime = clock_realtime()};
                nsec_t gap = clock_boottime() - anchor.boottime;

                if (gap < best_gap) {
                        best = anchor;
                        best_gap = gap;
                }
        }
        return best;
}

nsec_t clock_anchor_realtime(const ClockAnchor *anchor, nsec_t boottime)
{
        if (boottime >= anchor->boottime)
                return nsec_add(anchor->realtime, boottime - anchor->boottime);
        return nsec_left(anchor->realtime, anchor->boottime - boottime);
}
