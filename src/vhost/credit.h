#pragma once

/* Flow control of one stream, in both directions (virtio 1.2, section 5.10.6.3). Each side tells
 * the other how large its buffer is and how many bytes have left it; the sender must never have
 * more bytes under way than fit. All counters run freely in 32 bits. */

#include <stdbool.h>
#include <stdint.h>

#include "vhost/packet.h"

enum { CREDIT_BUFFER = 256 * 1024 }; /* bytes the guest may send ahead of the Unix socket */

typedef struct Credit {
        uint32_t received;       /* bytes that came from the guest */
        uint32_t forwarded;      /* how many of them the Unix socket took */
        uint32_t told;           /* @forwarded as the guest last heard it */
        uint32_t sent;           /* bytes that went to the guest */
        uint32_t peer_forwarded; /* how many of them it says are read */
        uint32_t peer_buffer;
} Credit;

/* Every packet of the guest carries its side. */
void credit_learn(Credit *credit, const Packet *packet);

/* Every packet to the guest carries ours. */
void credit_tell(Credit *credit, Packet *packet);

/* How many bytes the guest has room for. It may have claimed anything: never above its buffer. */
uint32_t credit_room(const Credit *credit);

/* @n bytes go to the guest: at most credit_room(). */
void credit_send(Credit *credit, uint32_t n);

/* Counts @n bytes from the guest. Returns false, and counts nothing, when they are more than it was
 * allowed to send. */
bool credit_receive(Credit *credit, uint32_t n);

/* The Unix socket took @n bytes. */
void credit_forward(Credit *credit, uint32_t n);

/* Has so much room come free since the guest last heard of it that it should hear now? */
bool credit_is_news(const Credit *credit);
