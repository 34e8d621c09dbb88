#pragma once

/* The session with the front end (QEMU): what the device can do, where the guest's memory and the
 * two queues are, when they may be used. One socket, one message at a time. */

#include <stdbool.h>

#include "vhost/message.h"
#include "vhost/virtqueue.h"

enum { VHOST_USER_HANGUP = 1 };

typedef struct VhostUserOps {
        /* The guest kicks @queue through @fd from now on, which is borrowed; -EBADF for nowhere. */
        int (*set_kick)(void *userdata, unsigned queue, int fd);
        /* The queues may be used. @fresh: the driver has just begun and knows of no connection;
         * otherwise it goes on after a pause. */
        void (*start)(void *userdata, bool fresh);
        /* They may be used during this call for the last time. */
        void (*stop)(void *userdata);
        /* A kick may have been missed. */
        void (*wake)(void *userdata);
} VhostUserOps;

typedef struct VhostUser VhostUser;

/* Takes @fd on success only. Borrows @ops for good. Returns 0 or -errno. */
int vhost_user_new(int fd, uint32_t guest_cid, const VhostUserOps *ops, void *userdata,
                   VhostUser **ret);
VhostUser *vhost_user_free(VhostUser *session);

/* Reads what has come, up to the end of one message, and does what it says. Returns 0,
 * VHOST_USER_HANGUP, or -errno, after which the session is of no more use and vhost_user_error()
 * says what is wrong. */
int vhost_user_receive(VhostUser *session);
const char *vhost_user_error(const VhostUser *session);

/* NULL as long as the queues may not be used. */
VirtQueue *vhost_user_queue(VhostUser *session, unsigned queue);

/* Tells the guest of buffers given back, if it wants to know. */
void vhost_user_notify(VhostUser *session);
