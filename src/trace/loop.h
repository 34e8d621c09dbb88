#pragma once

/* An event loop: descriptors by epoll, deadlines by timers. Watches and timers are embedded in
 * their owners; a callback may start, change and end any of them, its own included. */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

typedef struct LoopTimer LoopTimer;

typedef struct Loop {
        int epoll_fd;
        bool stopped;
        LoopTimer *timers; /* all that are registered, armed or not */
} Loop;

/* Returns 0 or -errno. */
int loop_init(Loop *loop);
void loop_done(Loop *loop);

/* Calls back until loop_stop(). Returns 0, or -errno if waiting itself fails. */
int loop_run(Loop *loop);
void loop_stop(Loop *loop);

/* A descriptor that is waited for. @fd is borrowed; @events and @ready()'s events are epoll's. */
typedef struct LoopWatch {
        int fd; /* -EBADF while not registered */
        uint32_t events;
        void (*ready)(void *owner, uint32_t events);
        void *owner;
} LoopWatch;

/* Registers @watch for @fd, or changes its events when it is registered already (for the same
 * descriptor). loop_unwatch() comes before the descriptor is closed. Returns 0 or -errno. */
int loop_watch(Loop *loop, LoopWatch *watch, int fd, uint32_t events);
void loop_unwatch(Loop *loop, LoopWatch *watch);

struct LoopTimer {
        nsec_t deadline; /* CLOCK_BOOTTIME; NSEC_INFINITY: not armed */
        void (*fire)(void *owner);
        void *owner;
        LoopTimer *next;
};

/* Registers @timer, not armed. To arm it, set its deadline; it is disarmed before it fires. */
void loop_add_timer(Loop *loop, LoopTimer *timer, void (*fire)(void *owner), void *owner);
void loop_remove_timer(Loop *loop, LoopTimer *timer);
