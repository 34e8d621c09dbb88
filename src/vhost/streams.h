#pragma once

/* The connections of a VM as a set: found by their ports, queued when they have something for the
 * guest, watched by sd-event, ended when they stay too long in a state that is to lead to
 * another. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "vhost/connection.h"

enum { STREAMS_MAX = 1023 }; /* also those whose handshake is not done */

typedef struct Streams Streams;

/* A member. Whoever does something to its connection calls stream_settle() afterwards. */
typedef struct Stream {
        Connection connection;
        Streams *streams;
        sd_event_source *socket;
        sd_event_source *timer;
        ConnectionState timed; /* the state that @timer limits */
        bool watches_write;
        bool in_table; /* the guest can name it */
        bool is_ready; /* it is in the queue of those with something for the guest */
        size_t buffered;
        TAILQ_ENTRY(Stream) all;
        TAILQ_ENTRY(Stream) ready;
        LIST_ENTRY(Stream) bucket;
} Stream;

/* @changed is called when one has something new for the guest, and when one has ended. Returns 0 or
 * -errno. */
int streams_new(sd_event *event, void (*changed)(void *userdata), void *userdata, Streams **ret);
Streams *streams_free(Streams *streams);

size_t streams_count(const Streams *streams);

/* Below STREAMS_MAX only. Both take @fd on success only, and return 0 or -errno: for a Unix peer
 * that has connected, and for a socket connected because the guest sent @request. */
int streams_add_hello(Streams *streams, int fd);
int streams_add_open(Streams *streams, int fd, const Packet *request);

/* The one that the guest knows by these ports, or NULL. */
Stream *streams_find(Streams *streams, uint32_t guest_port, uint32_t host_port);

/* The one whose turn it is to send to the guest, or NULL. */
Stream *streams_first_ready(Streams *streams);

/* Would @stream now make all of them together hold more bytes than they may? */
bool stream_is_overload(const Stream *stream);

/* Puts @stream where it belongs after something has happened to its connection; may free it. */
void stream_settle(Stream *stream);

/* Its turn is over: it goes to the end of the queue, should it want another. */
void stream_end_turn(Stream *stream);

/* The guest's driver has forgotten all of them. @for_good: and nothing waits for another driver. */
void streams_on_guest_reset(Streams *streams, bool for_good);
