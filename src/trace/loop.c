/* The event loop. Each turn calls at most one watch and one timer: so nothing a callback removes
 * can still be waiting in a list of events. epoll hands ready descriptors out in turn, so none
 * starves. Timers are a handful and live in a plain list. */

#include "trace/loop.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/macro.h"

int loop_init(Loop *loop)
{
        int fd = RET_ERRNO(epoll_create1(EPOLL_CLOEXEC));

        *loop = (Loop){.epoll_fd = fd < 0 ? -EBADF : fd};
        return fd < 0 ? fd : 0;
}

void loop_done(Loop *loop)
{
        loop->epoll_fd = fd_close(loop->epoll_fd);
}

void loop_stop(Loop *loop)
{
        loop->stopped = true;
}

int loop_watch(Loop *loop, LoopWatch *watch, int fd, uint32_t events)
{
        struct epoll_event event = {.events = events, .data.ptr = watch};
        int op = watch->fd < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
        int r;

        if (op == EPOLL_CTL_MOD && events == watch->events)
                return 0;
        r = RET_ERRNO(epoll_ctl(loop->epoll_fd, op, fd, &event));
        if (r < 0)
                return r;
        watch->fd = fd;
        watch->events = events;
        return 0;
}

void loop_unwatch(Loop *loop, LoopWatch *watch)
{
        if (watch->fd < 0)
                return;
        /* Cannot fail for a registered descriptor. */
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
        watch->fd = -EBADF;
}

void loop_add_timer(Loop *loop, LoopTimer *timer, void (*fire)(void *owner), void *owner)
{
        *timer = (LoopTimer){
                .deadline = NSEC_INFINITY, .fire = fire, .owner = owner, .next = loop->timers};
        loop->timers = timer;
}

void loop_remove_timer(Loop *loop, LoopTimer *timer)
{
        for (LoopTimer **p = &loop->timers; *p; p = &(*p)->next)
                if (*p == timer) {
                        *p = timer->next;
                        return;
                }
}

static LoopTimer *earliest(const Loop *loop)
{
        LoopTimer *found = loop->timers;

        for (LoopTimer *timer = loop->timers; timer; timer = timer->next)
                if (timer->deadline < found->deadline)
                        found = timer;
        return found;
}

static void fire_one(Loop *loop)
{
        LoopTimer *timer = earliest(loop);

        if (!timer || timer->deadline > clock_boottime())
                return;
        timer->deadline = NSEC_INFINITY;
        timer->fire(timer->owner);
}

static int wait_one(Loop *loop)
{
        const LoopTimer *timer = earliest(loop);
        nsec_t left = timer ? nsec_left(timer->deadline, clock_boottime()) : NSEC_INFINITY;
        struct epoll_event event;
        int n = RET_ERRNO(epoll_wait(loop->epoll_fd, &event, 1, nsec_to_poll(left)));

        if (n > 0) {
                LoopWatch *watch = event.data.ptr;

                watch->ready(watch->owner, event.events);
        }
        return n < 0 && n != -EINTR ? n : 0;
}

int loop_run(Loop *loop)
{
        while (!loop->stopped) {
                int r = wait_one(loop);

                if (r < 0)
                        return r;
                if (!loop->stopped)
                        fire_one(loop);
        }
        return 0;
}
