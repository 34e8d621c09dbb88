/* The jump watch: a socket for the kernel's uevents, and a timer at the end of all time that ends
 * early whenever the wall clock is set. Both wait in the kernel from the start on, so that nothing
 * is missed before anybody listens. */

#include "trace/jump-watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "trace/uevent.h"

enum {
        UEVENT_GROUP = 1,   /* the kernel's own; udev's is 2 */
        UEVENT_MAX = 4096,  /* twice what the kernel's buffer takes */
};

static int open_uevents(void)
{
        struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = UEVENT_GROUP};
        _cleanup_(fd_closep) int fd = -EBADF;
        int r;

        fd = RET_ERRNO(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                              NETLINK_KOBJECT_UEVENT));
        if (fd < 0)
                return fd;
        r = RET_ERRNO(bind(fd, (struct sockaddr *)&address, sizeof(address)));
        return r < 0 ? r : TAKE_FD(fd);
}

static int open_clock(void)
{
        struct itimerspec never = {.it_value.tv_sec = INT64_MAX};
        _cleanup_(fd_closep) int fd = -EBADF;
        int r;

        fd = RET_ERRNO(timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK));
        if (fd < 0)
                return fd;
        r = RET_ERRNO(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never,
                                      NULL));
        return r < 0 ? r : TAKE_FD(fd);
}

static void on_uevent(void *owner, uint32_t events)
{
        JumpWatch *watch = owner;
        struct sockaddr_nl sender = {0};
        socklen_t sender_n = sizeof(sender);
        uint8_t data[UEVENT_MAX];
        ssize_t n = recvfrom(watch->uevent_fd, data, sizeof(data), 0, (struct sockaddr *)&sender,
                             &sender_n);

        /* An error means that messages were lost, or that none is there: others will come. Only the
         * kernel has the port 0. */
        if (n > 0 && sender.nl_pid == 0 && uevent_is_new_vmgenid(data, (size_t)n))
                watch->vmgenid(watch->owner);
}

static void on_clock(void *owner, uint32_t events)
{
        JumpWatch *watch = owner;
        uint64_t expirations;

        if (RET_ERRNO(read(watch->clock_fd, &expirations, sizeof(expirations))) == -ECANCELED)
                watch->clock_set(watch->owner);
}

void jump_watch_init(JumpWatch *watch, Loop *loop, void (*vmgenid)(void *owner),
                     void (*clock_set)(void *owner), void *owner)
{
        *watch = (JumpWatch){
                .loop = loop,
                .uevents = {.fd = -EBADF, .ready = on_uevent, .owner = watch},
                .clock = {.fd = -EBADF, .ready = on_clock, .owner = watch},
                .uevent_fd = open_uevents(),
                .clock_fd = open_clock(),
                .vmgenid = vmgenid,
                .clock_set = clock_set,
                .owner = owner,
        };
        if (watch->uevent_fd < 0)
                log_debug_errno(watch->uevent_fd, "Cannot hear of VM generation ids");
        if (watch->clock_fd < 0)
                log_debug_errno(watch->clock_fd, "Cannot hear of the clock being set");
}

void jump_watch_done(JumpWatch *watch)
{
        if (!watch->loop)
                return;
        loop_unwatch(watch->loop, &watch->uevents);
        loop_unwatch(watch->loop, &watch->clock);
        watch->uevent_fd = fd_close(watch->uevent_fd);
        watch->clock_fd = fd_close(watch->clock_fd);
}

int jump_watch_start(JumpWatch *watch)
{
        int r = 0;

        if (watch->uevent_fd >= 0)
                r = loop_watch(watch->loop, &watch->uevents, watch->uevent_fd, EPOLLIN);
        if (r == 0 && watch->clock_fd >= 0)
                r = loop_watch(watch->loop, &watch->clock, watch->clock_fd, EPOLLIN);
        return r;
}
