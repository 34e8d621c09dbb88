#pragma once

/* What to unmount at the end: a pure planner over the text of /proc/self/mountinfo (proc(5)). */

#include <stdbool.h>
#include <stddef.h>

enum { UNMOUNT_ACTIONS_MAX = 1024 };

typedef struct UnmountAction {
        const char *target;
        bool remount; /* the root file system: it can only be made read-only */
} UnmountAction;

typedef struct UnmountPlan {
        UnmountAction actions[UNMOUNT_ACTIONS_MAX]; /* in the order to be done */
        size_t n;
        bool truncated; /* there were more mounts than room */
} UnmountPlan;

/* Plans for the mounts in @text, which is changed and which *ret borrows from. The plan is empty
 * when nothing but the kernel's own and memory file systems are mounted, as in an initrd. Lines
 * that are no mountinfo are passed over. */
void unmount_plan(char *text, UnmountPlan *ret);
