#pragma once

/* What systemd says about a boot, as intervals. Pure. All times are of one clock, 0 for what did
 * not happen. */

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

typedef struct Interval {
        nsec_t start;
        nsec_t end;
} Interval;

typedef struct BootTimes {
        nsec_t initrd;    /* systemd began in the initrd */
        nsec_t userspace; /* systemd began in the root file system */
        nsec_t finish;    /* the boot was complete */
} BootTimes;

/* A unit's state changes, the last of each kind. */
typedef struct UnitTimes {
        nsec_t inactive_exit;
        nsec_t active_enter;
        nsec_t inactive_enter;
} UnitTimes;

typedef enum BootPhase {
        BOOT_KERNEL, /* from 0, the kernel's start */
        BOOT_INITRD,
        BOOT_USERSPACE,
        BOOT_PHASES_N,
} BootPhase;

/* "kernel" and so on. */
const char *boot_phase_name(BootPhase phase);

/* When @phase was, with @now as the end of a boot that is not complete. False if it was not. */
bool boot_phase_interval(const BootTimes *times, BootPhase phase, nsec_t now, Interval *ret);

/* When the unit became active, or tried to and failed, in @userspace. False if it did not, or not
 * for the first time, or is still at it. */
bool boot_unit_interval(const UnitTimes *times, const Interval *userspace, Interval *ret);
