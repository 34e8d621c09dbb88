#pragma once

/* A stand-in for QEMU and the guest's driver, in front of the real rootspan-vsockd: shares memory,
 * sends the messages, fills the queues by hand. Every wait has a deadline; what fails, fails the
 * test. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/virtio_ring.h>

#include "vhost/message.h"
#include "vhost/packet.h"

enum {
        GUEST_CID = 42,
        RING_SIZE = 128, /* as QEMU's PCI device has it */
        RING_SIZE_MAX = 1024, /* and the one on MMIO */
        SLOT_SIZE = 68 * 1024,  /* of memory for each buffer of either queue */
        RX_BUFFER_SIZE = 44 + 3732, /* as Linux's driver makes them */
        WAIT_MSEC = 20 * 1000,
};

/* Two regions, with nothing between them, at unlike places in the three address spaces. */
#define LOW_SIZE UINT64_C(0x100000) /* the rings */
#define HIGH_SIZE ((uint64_t)2 * RING_SIZE_MAX * SLOT_SIZE)
#define LOW_GUEST UINT64_C(0x10000)
#define HIGH_GUEST UINT64_C(0x100000000)
#define LOW_USER UINT64_C(0x7f0000000000)
#define HIGH_USER UINT64_C(0x7e0000000000)

typedef struct GuestQueue {
        struct vring_desc *table;
        struct vring_avail *avail;
        struct vring_used *used;
        uint16_t next_avail;
        uint16_t seen_used;
        int kick;
        int call;
} GuestQueue;

typedef struct FrontEnd {
        int socket;
        pid_t pid;
        char dir[64];
        char uds[96];
        char log[96];
        uint64_t features;
        uint16_t ring_size; /* RING_SIZE unless changed between spawn and start */
        int memfd;
        uint8_t *memory; /* the file: low region, then high region */
        GuestQueue queues[QUEUES];
        uint32_t buf_alloc; /* what the guest claims in its packets */
} FrontEnd;

/* One stream as the guest sees it. */
typedef struct GuestStream {
        uint32_t guest_port;
        uint32_t host_port;
        uint32_t sent;
        uint32_t read;
        uint32_t peer_buffer;
        uint32_t peer_forwarded;
} GuestStream;

/* Spawns the program, without a message sent. */
void front_end_spawn(FrontEnd *f);
/* All that QEMU says until the driver runs. */
void front_end_start(FrontEnd *f);
/* What it says at a pause; the parts of front_end_start() that it repeats afterwards. */
void front_end_stop(FrontEnd *f, uint16_t ret_base[static QUEUES]);
void front_end_restart(FrontEnd *f, const uint16_t base[static QUEUES]);
/* Spawn and start. */
void front_end_boot(FrontEnd *f);
/* The front end dies. Waits for the program and returns its exit code; removes the directory. */
int front_end_kill(FrontEnd *f);
/* The program has a reason to end by itself. */
int front_end_wait(FrontEnd *f);
/* Asserts that it fails and says @words. */
void front_end_expect_failure(FrontEnd *f, const char *words);

void front_end_message(FrontEnd *f, uint32_t request, uint32_t flags, const void *payload, size_t n,
                       const int *fds, size_t n_fds);
/* Returns the size of the payload. */
size_t front_end_reply(FrontEnd *f, uint32_t request, void *payload, size_t size);
void front_end_set_memory(FrontEnd *f);

/* The driver. */
uint64_t slot_address(unsigned queue, unsigned slot);
uint8_t *slot_memory(FrontEnd *f, unsigned queue, unsigned slot);
void guest_make_available(FrontEnd *f, unsigned queue, uint16_t head);
void guest_kick(FrontEnd *f, unsigned queue);

/* Puts one packet into the queue, without a kick. */
void guest_submit(FrontEnd *f, const Packet *packet, const void *payload);
/* The same, and kicks if the device has asked to be. */
void guest_send(FrontEnd *f, const Packet *packet, const void *payload);
void guest_send_op(FrontEnd *f, const GuestStream *s, uint16_t op, uint32_t flags);
void guest_send_data(FrontEnd *f, GuestStream *s, const void *data, size_t n);
void guest_submit_data(FrontEnd *f, GuestStream *s, const void *data, size_t n);
/* Is there room in the transmit queue? */
bool guest_can_send(FrontEnd *f);
/* Takes one packet if there is one; @payload has room for RX_BUFFER_SIZE. */
bool guest_poll(FrontEnd *f, Packet *packet, uint8_t *payload);
void guest_receive(FrontEnd *f, Packet *packet, uint8_t *payload);
/* The next packet must be this operation for this stream. */
Packet guest_expect(FrontEnd *f, const GuestStream *s, uint16_t op);
/* Nothing is under way to the guest: whatever was to come has come. */
void guest_expect_silence(FrontEnd *f);
/* Nor will the device look at the queues again without a kick. */
void guest_expect_rest(FrontEnd *f);
/* Waits until all that was put into the transmit queue was taken out. */
void guest_wait_taken(FrontEnd *f);

uint32_t guest_room(const GuestStream *s);
void guest_learn(GuestStream *s, const Packet *packet);

/* Streams that are open at the end; the Unix socket is returned. */
int guest_connect(FrontEnd *f, GuestStream *s, uint32_t guest_port, uint32_t host_port);
int host_connect(FrontEnd *f, GuestStream *s, uint32_t guest_port);

/* Sends the pattern to a peer that does not read it, until there is credit for less
 * than 64 KiB. */
void guest_stuff(FrontEnd *f, GuestStream *s);

/* What streams carry: byte number @at and those behind it. */
void pattern_fill(uint8_t *data, size_t n, size_t at);
void pattern_check(const uint8_t *data, size_t n, size_t at);

/* The host's side, non-blocking sockets. */
int host_listen(FrontEnd *f, uint32_t port);
int host_accept(int listener);
int host_dial(FrontEnd *f);
void host_write(int fd, const void *data, size_t n);
void host_read(int fd, void *data, size_t n);
void host_expect_eof(int fd);
