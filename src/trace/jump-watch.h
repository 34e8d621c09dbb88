#pragma once

/* What the kernel tells of a VM that was resumed, and of a wall clock that was set. */

#include "trace/loop.h"

typedef struct JumpWatch {
        Loop *loop;
        LoopWatch uevents;
        LoopWatch clock;
        int uevent_fd;
        int clock_fd;
        void (*vmgenid)(void *owner);   /* the VM was resumed from a snapshot */
        void (*clock_set)(void *owner); /* CLOCK_REALTIME may have been stepped */
        void *owner;
} JumpWatch;

/* Opens what there is: a guest may lack either. Borrows @loop. The callbacks come from the loop, but
 * not before jump_watch_start(), which is allowed in the sandbox. */
void jump_watch_init(JumpWatch *watch, Loop *loop, void (*vmgenid)(void *owner),
                     void (*clock_set)(void *owner), void *owner);
void jump_watch_done(JumpWatch *watch);

/* Returns 0 or -errno. */
int jump_watch_start(JumpWatch *watch);
