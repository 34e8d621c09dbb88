/* A guest that writes anything anywhere, in front of the real queues and connections. The input is
 * a sequence of writes to its memory, { address:u16 length:u16 bytes }, with a round of the device
 * after each. The queues have 8 buffers:
 *
 *            table   available   used
 *   to       0x000   0x080       0x100
 *   from     0x200   0x280       0x300      buffers anywhere
 *
 * Port 1 of the host is served by a program that says "hello" and sends back what it reads. */

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/listener.h"
#include "base/macro.h"
#include "fuzz.h"
#include "vhost/mux.h"

enum {
        GUEST_CID = 3,
        MEMORY_SIZE = 64 * 1024,
        QUEUE_SIZE = 8,
        USER_ADDRESS = 0x100000,
        PEERS_MAX = 16,
        BUDGET = 32,
};

static struct {
        uint8_t *bytes;
        Memory memory;
        char dir[32];
        char uds[64];
        char served[64]; /* the socket of port 1 */
        Listener listener;
        int peers[PEERS_MAX];
        size_t n_peers;
} host = {.listener.fd = -EBADF};

static void remove_files(void)
{
        listener_done(&host.listener);
        (void)rmdir(host.dir);
}

static void set_up(void)
{
        MemoryRegion region = {.user_address = USER_ADDRESS, .size = MEMORY_SIZE};
        Address address;
        int fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        assert(fd >= 0 && ftruncate(fd, MEMORY_SIZE) == 0);
        assert(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
        assert(memory_add(&host.memory, &region, fd) == 0);
        close(fd);
        host.bytes = memory_at_guest(&host.memory, 0, MEMORY_SIZE);
        strcpy(host.dir, "/tmp/fuzz-vsock-XXXXXX");
        assert(host.bytes && mkdtemp(host.dir));
        (void)snprintf(host.uds, sizeof(host.uds), "%s/vm", host.dir);
        (void)snprintf(host.served, sizeof(host.served), "%s/vm_1", host.dir);
        assert(address_from_path(host.served, &address) == 0);
        assert(listener_init(&host.listener, &address) == 0);
        assert(atexit(remove_files) == 0);
}

static void changed(void *userdata)
{
}

/* The program on the host: it takes whom it can, and answers. */
static void run_peers(void)
{
        uint8_t bytes[4096];
        int fd;

        while (host.n_peers < PEERS_MAX &&
               (fd = accept4(host.listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
                host.peers[host.n_peers++] = fd;
                (void)!send(fd, "hello", 5, MSG_NOSIGNAL);
        }
        for (size_t i = 0; i < host.n_peers; i++) {
                ssize_t n = read(host.peers[i], bytes, sizeof(bytes));

                if (n > 0)
                        (void)!send(host.peers[i], bytes, (size_t)n, MSG_NOSIGNAL);
        }
}

static void place(VirtQueue *queue, uint64_t at)
{
        VirtQueueAddress address = {
                .table = USER_ADDRESS + at,
                .avail = USER_ADDRESS + at + 0x80,
                .used = USER_ADDRESS + at + 0x100,
        };

        queue->size = QUEUE_SIZE;
        queue->event_idx = queue->indirect = true;
        assert(virtqueue_place(queue, &host.memory, &address) == 0);
        virtqueue_start(queue, 0);
}

/* Returns whether the queue still works. */
static bool check(const VirtQueue *queue, int r)
{
        assert(r == MUX_DONE || r == MUX_MORE || r == MUX_BLOCKED || r == -EBADMSG);
        assert((r == -EBADMSG) == (queue->error != NULL));
        assert(r < 0 || queue->returned == queue->next);
        return r >= 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        VirtQueue to = {0}, from = {.for_reading = true};
        sd_event *event = NULL;
        Mux *mux = NULL;

        if (!host.bytes)
                set_up();
        memset(host.bytes, 0, MEMORY_SIZE);
        assert(sd_event_new(&event) >= 0);
        assert(mux_new(event, host.uds, GUEST_CID, changed, NULL, &mux) == 0);
        place(&to, 0);
        place(&from, 0x200);

        while (n >= 4) {
                size_t address = data[0] | (size_t)data[1] << 8;
                size_t length = data[2] | (size_t)data[3] << 8;

                length = MIN(length, n - 4);
                length = MIN(length, MEMORY_SIZE - address);
                memcpy(host.bytes + address, data + 4, length);
                data += 4 + length;
                n -= 4 + length;
                if (!check(&from, mux_from_guest(mux, &from, BUDGET)))
                        break;
                run_peers();
                while (sd_event_run(event, 0) > 0)
                        ;
                if (!check(&to, mux_to_guest(mux, &to, BUDGET)))
                        break;
        }
        mux_on_guest_death(mux, from.error ? NULL : &from);
        mux_free(mux);
        sd_event_unref(event);
        while (host.n_peers > 0)
                (void)fd_close(host.peers[--host.n_peers]);
        run_peers(); /* those still in the listener's queue */
        while (host.n_peers > 0)
                (void)fd_close(host.peers[--host.n_peers]);
        return 0;
}
