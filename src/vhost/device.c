/* The device's wiring. Callbacks only note what has become possible; the pump, a deferred event
 * source that is enabled for one round at a time, moves packets between the queues and the
 * connections, with a budget for each round, so that messages and other sockets have their
 * turns. */

#include "vhost/device.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "vhost/mux.h"
#include "vhost/vhost-user.h"

enum { BUDGET = 256 }; /* packets in each direction per round */

struct Device {
        sd_event *event;
        uint32_t guest_cid;
        Mux *mux;
        VhostUser *session;
        sd_event_source *listener; /* of Unix peers */
        sd_event_source *messages; /* of the front end */
        sd_event_source *kicks[QUEUES];
        sd_event_source *pump;
        bool ending;
};

static void wake(void *userdata)
{
        Device *device = userdata;

        (void)sd_event_source_set_enabled(device->pump, SD_EVENT_ONESHOT); /* cannot fail */
}

static void fail(Device *device)
{
        (void)sd_event_exit(device->event, EXIT_FAILURE);
}

/* Reports a queue that is broken. Returns whether it is. */
static bool is_broken(Device *device, const char *name, int r, const VirtQueue *queue)
{
        if (r >= 0)
                return false;
        log_error("the guest broke its %s queue: %s", name, queue->error);
        fail(device);
        return true;
}

/* Returns whether there is more to do at once. */
static bool pump(Device *device, VirtQueue *to_guest, VirtQueue *from_guest)
{
        int from, to;

        from = mux_from_guest(device->mux, from_guest, BUDGET);
        if (is_broken(device, "transmit", from, from_guest))
                return false;
        to = mux_to_guest(device->mux, to_guest, BUDGET);
        if (is_broken(device, "receive", to, to_guest))
                return false;
        vhost_user_notify(device->session);
        /* What blocked the one may have been cleared by the other. */
        return from == MUX_MORE || to == MUX_MORE || (from == MUX_BLOCKED && to != MUX_BLOCKED);
}

static int on_pump(sd_event_source *source, void *userdata)
{
        Device *device = userdata;
        VirtQueue *to_guest = NULL, *from_guest = NULL;

        if (device->session) {
                to_guest = vhost_user_queue(device->session, QUEUE_TO_GUEST);
                from_guest = vhost_user_queue(device->session, QUEUE_FROM_GUEST);
        }
        if (to_guest && from_guest && pump(device, to_guest, from_guest))
                wake(device);
        if (device->listener)
                (void)sd_event_source_set_enabled(device->listener,
                                                  mux_is_full(device->mux) ? SD_EVENT_OFF
                                                                           : SD_EVENT_ON);
        if (device->ending && mux_is_empty(device->mux))
                (void)sd_event_exit(device->event, EXIT_SUCCESS);
        return 0;
}

static int on_listener(sd_event_source *source, int listener, uint32_t events, void *userdata)
{
        Device *device = userdata;
        _cleanup_(fd_closep) int fd = -EBADF;
        int r;

        fd = RET_ERRNO(accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (fd == -EAGAIN || fd == -ECONNABORTED || fd == -EINTR)
                return 0;
        r = fd < 0 ? fd : mux_add(device->mux, fd);
        if (r >= 0) {
                (void)TAKE_FD(fd);
        } else {
                log_warning_errno(r, "cannot take a connection");
                (void)sd_event_source_set_enabled(source, SD_EVENT_OFF); /* until one has ended */
        }
        wake(device); /* which stops us at the limit */
        return 0;
}

static int on_kick(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        uint64_t kicks;
        ssize_t n = RET_ERRNO(read(fd, &kicks, sizeof(kicks)));

        if (n == sizeof(kicks)) {
                wake(userdata);
        } else if (n != -EAGAIN && n != -EINTR) {
                log_error("the front end gave a kick descriptor that is no eventfd");
                fail(userdata);
        }
        return 0;
}

static int set_kick(void *userdata, unsigned queue, int fd)
{
        Device *device = userdata;
        sd_event_source **source = &device->kicks[queue];

        *source = sd_event_source_disable_unref(*source);
        return fd < 0 ? 0 : sd_event_add_io(device->event, source, fd, EPOLLIN, on_kick, device);
}

static void on_start(void *userdata, bool fresh)
{
        Device *device = userdata;

        log_debug("the guest's driver %s", fresh ? "starts" : "goes on");
        if (fresh)
                mux_on_guest_reset(device->mux);
}

/* A guest that powers itself off leaves its last packets in the queue. */
static void on_stop(void *userdata)
{
        Device *device = userdata;
        VirtQueue *queue = vhost_user_queue(device->session, QUEUE_FROM_GUEST);
        int r = mux_from_guest(device->mux, queue, queue->size);

        if (!is_broken(device, "transmit", r, queue))
                vhost_user_notify(device->session);
}

static const VhostUserOps ops = {
        .set_kick = set_kick,
        .start = on_start,
        .stop = on_stop,
        .wake = wake,
};

static int on_message(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Device *device = userdata;
        int r = vhost_user_receive(device->session);

        if (r == VHOST_USER_HANGUP) {
                log_debug("the front end has gone");
                device_end(device);
        } else if (r < 0) {
                log_error_errno(r, "front end: %s", vhost_user_error(device->session));
                fail(device);
        }
        return 0;
}

int device_new(sd_event *event, const char *uds_path, int listener, uint32_t guest_cid,
               Device **ret)
{
        Device *device = calloc(1, sizeof(*device));
        int r;

        if (!device)
                return -ENOMEM;
        device->event = sd_event_ref(event);
        device->guest_cid = guest_cid;
        r = mux_new(event, uds_path, guest_cid, wake, device, &device->mux);
        if (r >= 0)
                r = sd_event_add_defer(event, &device->pump, on_pump, device);
        if (r >= 0)
                r = sd_event_add_io(event, &device->listener, listener, EPOLLIN, on_listener,
                                    device);
        if (r < 0) {
                device_free(device);
                return r;
        }
        *ret = device;
        return 0;
}

Device *device_free(Device *device)
{
        if (!device)
                return NULL;
        sd_event_source_disable_unref(device->messages);
        sd_event_source_disable_unref(device->listener);
        device->session = vhost_user_free(device->session);
        device->mux = mux_free(device->mux);
        sd_event_source_disable_unref(device->pump);
        sd_event_unref(device->event);
        free(device);
        return NULL;
}

int device_attach(Device *device, int fd)
{
        int r;

        r = sd_event_add_io(device->event, &device->messages, fd, EPOLLIN, on_message, device);
        if (r < 0)
                return r;
        r = vhost_user_new(fd, device->guest_cid, &ops, device, &device->session);
        if (r < 0)
                device->messages = sd_event_source_disable_unref(device->messages);
        return r;
}

void device_end(Device *device)
{
        VirtQueue *queue = NULL;

        if (device->session)
                queue = vhost_user_queue(device->session, QUEUE_FROM_GUEST);
        mux_on_guest_death(device->mux, queue);
        device->listener = sd_event_source_disable_unref(device->listener);
        device->messages = sd_event_source_disable_unref(device->messages);
        device->session = vhost_user_free(device->session);
        device->ending = true;
        wake(device);
}
