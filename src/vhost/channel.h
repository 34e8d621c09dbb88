#pragma once

/* The socket to the front end: puts messages and their descriptors together as they arrive, however
 * they were cut, and sends replies. */

#include <stddef.h>
#include <stdint.h>

#include "vhost/message.h"

enum {
        CHANNEL_MORE = 1, /* the message is not complete yet */
        CHANNEL_HANGUP = 2,
};

typedef struct Channel {
        int fd;
        uint8_t bytes[MESSAGE_SIZE_MAX];
        size_t n;
        size_t expected;  /* bytes, for the header alone as long as it is not complete */
        uint32_t request; /* its number once the header is there, otherwise 0 */
        int fds[MESSAGE_FDS_MAX];
        size_t n_fds;
} Channel;

/* Takes @fd. */
void channel_init(Channel *channel, int fd);
void channel_done(Channel *channel);

/* Reads on, to the end of one message at the most. Returns 0 when it is complete, CHANNEL_*,
 * -EBADMSG for a header that is none, -E2BIG for too many descriptors, or -errno. */
int channel_receive(Channel *channel);

/* Makes room for the next message; descriptors that nobody took over are closed. */
void channel_forget(Channel *channel);

/* Replies to @request. Does not wait: the front end asks one thing at a time, so there is room, or
 * it is no front end. Returns 0 or -errno. */
int channel_reply(Channel *channel, Request request, const void *payload, size_t n);
