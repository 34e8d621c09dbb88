/* The intervals of a boot, as systemd-analyze(1) understands them. */

#include "systemd/boot.h"

const char *boot_phase_name(BootPhase phase)
{
        static const char *const names[BOOT_PHASES_N] = {
                [BOOT_KERNEL] = "kernel",
                [BOOT_INITRD] = "initrd",
                [BOOT_USERSPACE] = "userspace",
        };

        return names[phase];
}

bool boot_phase_interval(const BootTimes *times, BootPhase phase, nsec_t now, Interval *ret)
{
        switch (phase) {
        case BOOT_KERNEL:
                *ret = (Interval){0, times->initrd ? times->initrd : times->userspace};
                return true;
        case BOOT_INITRD:
                *ret = (Interval){times->initrd, times->userspace};
                return times->initrd != 0;
        case BOOT_USERSPACE:
                *ret = (Interval){times->userspace, times->finish ? times->finish : now};
                return true;
        case BOOT_PHASES_N:
                break;
        }
        return false;
}

bool boot_unit_interval(const UnitTimes *times, const Interval *userspace, Interval *ret)
{
        Interval interval = {.start = times->inactive_exit, .end = times->active_enter};

        /* One that failed, or did its work and is done, was never active. */
        if (interval.end < interval.start)
                interval.end = times->inactive_enter;
        if (interval.start < userspace->start || interval.end < interval.start ||
            interval.end > userspace->end)
                return false;
        *ret = interval;
        return true;
}
