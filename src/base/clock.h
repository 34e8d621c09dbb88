#pragma once

/* Time. There is one time type, nsec_t: nanoseconds, either of CLOCK_BOOTTIME (deadlines and
 * everything measured in the guest) or since the Unix epoch (what goes on the wire). */

#include <stdint.h>

typedef uint64_t nsec_t;

#define NSEC_INFINITY UINT64_MAX
#define NSEC_PER_SEC UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_USEC UINT64_C(1000)

nsec_t clock_boottime(void);
nsec_t clock_realtime(void);

/* @a + @b, NSEC_INFINITY when that does not fit. */
nsec_t nsec_add(nsec_t a, nsec_t b);

/* What is left until @deadline at @now, 0 when it has passed. */
nsec_t nsec_left(nsec_t deadline, nsec_t now);

/* The time-out for poll(2) in milliseconds, rounded up so that the deadline has really passed when
 * poll returns; -1 for NSEC_INFINITY. */
int nsec_to_poll(nsec_t left);

/* One reading of both clocks: wall-clock times are boot times plus this fixed distance, so that
 * later steps of the wall clock cannot turn spans inside out. */
typedef struct ClockAnchor {
        nsec_t boottime;
        nsec_t realtime;
} ClockAnchor;

ClockAnchor clock_anchor(void);

/* The wall-clock time of the boot time @boottime, never below 0. */
nsec_t clock_anchor_realtime(const ClockAnchor *anchor, nsec_t boottime);
