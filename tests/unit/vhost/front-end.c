/* A stand-in for QEMU and the guest's driver. */

#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/vm_sockets.h>

#include "vhost/front-end.h"
#include "base/clock.h"
#include "base/fd.h"

enum {
        TABLE_OFFSET = 0x10000, /* in the low region, of queue 0; the next is at twice that */
        AVAIL_OFFSET = 0x8000,  /* from the table */
        USED_OFFSET = 0xa000,

        MESSAGE_VERSION = 1,
        MESSAGE_NEED_REPLY = 8,
};

static void wait_for(int fd, short events)
{
        struct pollfd p = {.fd = fd, .events = events};

        assert_int_equal(poll(&p, 1, WAIT_MSEC), 1);
}

/* The program, its end of the socket pair as descriptor 3. */
static void run_program(const FrontEnd *f, int socket, int log)
{
        char uds[128], cid[32];
        const char *path = getenv("ROOTSPAN_VSOCKD");

        struct rlimit limit;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = 256; /* it has to see to that itself */
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        snprintf(uds, sizeof(uds), "--uds-path=%s", f->uds);
        snprintf(cid, sizeof(cid), "--guest-cid=%d", GUEST_CID);
        (void)dup2(log, STDERR_FILENO);
        (void)dup2(socket, 3);
        (void)fcntl(3, F_SETFD, 0);
        execl(path, path, uds, cid, "--fd=3", (char *)NULL);
        _exit(127);
}

void front_end_spawn(FrontEnd *f)
{
        int pair[2], log;

        *f = (FrontEnd){.memfd = -EBADF, .ring_size = RING_SIZE, .buf_alloc = 256 * 1024};
        f->features = UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC |
                      UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX | UINT64_C(1) << 30 |
                      UINT64_C(1) << VIRTIO_F_VERSION_1;
        strcpy(f->dir, "/tmp/rootspan-vsockd-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        snprintf(f->uds, sizeof(f->uds), "%s/vm", f->dir);
        snprintf(f->log, sizeof(f->log), "%s/log", f->dir);
        log = open(f->log, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        assert_true(log >= 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        f->pid = fork();
        assert_true(f->pid >= 0);
        if (f->pid == 0)
                run_program(f, pair[1], log);
        close(pair[1]);
        close(log);
        f->socket = pair[0];

        f->memfd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_true(f->memfd >= 0);
        assert_int_equal(ftruncate(f->memfd, LOW_SIZE + HIGH_SIZE), 0);
        assert_int_equal(fcntl(f->memfd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
        f->memory = mmap(NULL, LOW_SIZE + HIGH_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->memfd,
                         0);
        assert_true(f->memory != MAP_FAILED);
        for (unsigned i = 0; i < QUEUES; i++) {
                uint8_t *base = f->memory + TABLE_OFFSET * (i + 1);

                f->queues[i] = (GuestQueue){
                        .table = (struct vring_desc *)base,
                        .avail = (struct vring_avail *)(base + AVAIL_OFFSET),
                        .used = (struct vring_used *)(base + USED_OFFSET),
                        .kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                        .call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                };
        }
}

void front_end_message(FrontEnd *f, uint32_t request, uint32_t flags, const void *payload, size_t n,
                       const int *fds, size_t n_fds)
{
        uint32_t header[3] = {request, flags | MESSAGE_VERSION, (uint32_t)n};
        struct iovec pieces[] = {{header, sizeof(header)}, {(void *)payload, n}};
        union {
                struct cmsghdr align;
                uint8_t bytes[CMSG_SPACE(sizeof(int) * 16)];
        } control = {0};
        struct msghdr msg = {.msg_iov = pieces, .msg_iovlen = 2};

        if (n_fds > 0) {
                msg.msg_control = &control;
                msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
                *CMSG_FIRSTHDR(&msg) = (struct cmsghdr){
                        .cmsg_len = CMSG_LEN(sizeof(int) * n_fds),
                        .cmsg_level = SOL_SOCKET,
                        .cmsg_type = SCM_RIGHTS,
                };
                memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), fds, sizeof(int) * n_fds);
        }
        assert_int_equal(sendmsg(f->socket, &msg, MSG_NOSIGNAL), sizeof(header) + n);
}

size_t front_end_reply(FrontEnd *f, uint32_t request, void *payload, size_t size)
{
        uint32_t header[3];

        wait_for(f->socket, POLLIN);
        assert_int_equal(recv(f->socket, header, sizeof(header), MSG_WAITALL), sizeof(header));
        assert_int_equal(header[0], request);
        assert_int_equal(header[1], 5);
        assert_true(header[2] <= size);
        assert_int_equal(recv(f->socket, payload, header[2], MSG_WAITALL), header[2]);
        return header[2];
}

static uint64_t ask_u64(FrontEnd *f, uint32_t request)
{
        uint64_t value;

        front_end_message(f, request, 0, NULL, 0, NULL, 0);
        assert_int_equal(front_end_reply(f, request, &value, sizeof(value)), sizeof(value));
        return value;
}

static void tell_u64(FrontEnd *f, uint32_t request, uint64_t value, const int *fd)
{
        front_end_message(f, request, 0, &value, sizeof(value), fd, fd ? 1 : 0);
}

static void tell_state(FrontEnd *f, uint32_t request, unsigned queue, unsigned value)
{
        struct vhost_vring_state state = {queue, value};

        front_end_message(f, request, 0, &state, sizeof(state), NULL, 0);
}

void front_end_set_memory(FrontEnd *f)
{
        uint64_t table[1 + 2 * 4] = {
                2,
                LOW_GUEST, LOW_SIZE, LOW_USER, 0,
                HIGH_GUEST, HIGH_SIZE, HIGH_USER, LOW_SIZE,
        };
        int fds[] = {f->memfd, f->memfd};
        uint64_t failed;

        front_end_message(f, REQUEST_SET_MEM_TABLE, MESSAGE_NEED_REPLY, table, sizeof(table), fds,
                          2);
        front_end_reply(f, REQUEST_SET_MEM_TABLE, &failed, sizeof(failed));
        assert_int_equal(failed, 0);
}

/* Fills the queue to the guest with empty buffers. */
static void make_buffers(FrontEnd *f)
{
        GuestQueue *queue = &f->queues[QUEUE_TO_GUEST];

        for (uint16_t i = 0; i < f->ring_size; i++) {
                queue->table[i] = (struct vring_desc){
                        .addr = slot_address(QUEUE_TO_GUEST, i),
                        .len = RX_BUFFER_SIZE,
                        .flags = VRING_DESC_F_WRITE,
                };
                guest_make_available(f, QUEUE_TO_GUEST, i);
        }
}

void front_end_restart(FrontEnd *f, const uint16_t base[static QUEUES])
{
        tell_u64(f, REQUEST_SET_FEATURES, f->features, NULL);
        front_end_set_memory(f);
        for (unsigned i = 0; i < QUEUES; i++) {
                uint64_t user = LOW_USER + TABLE_OFFSET * (i + 1);
                struct vhost_vring_addr address = {
                        .index = i,
                        .desc_user_addr = user,
                        .avail_user_addr = user + AVAIL_OFFSET,
                        .used_user_addr = user + USED_OFFSET,
                };

                tell_state(f, REQUEST_SET_VRING_NUM, i, f->ring_size);
                tell_state(f, REQUEST_SET_VRING_BASE, i, base[i]);
                front_end_message(f, REQUEST_SET_VRING_ADDR, 0, &address, sizeof(address), NULL, 0);
                tell_u64(f, REQUEST_SET_VRING_KICK, i, &f->queues[i].kick);
        }
        for (unsigned i = 0; i < QUEUES; i++)
                tell_state(f, REQUEST_SET_VRING_ENABLE, i, 1);
        for (unsigned i = 0; i < QUEUES; i++)
                tell_u64(f, REQUEST_SET_VRING_CALL, i, &f->queues[i].call);
}

void front_end_start(FrontEnd *f)
{
        static const uint16_t base[QUEUES];
        struct {
                uint32_t offset, size, flags;
                uint64_t cid;
        } __attribute__((packed)) config = {.size = 8};

        assert_int_equal(ask_u64(f, REQUEST_GET_FEATURES), f->features);
        assert_int_equal(ask_u64(f, REQUEST_GET_PROTOCOL_FEATURES), 1 << 3 | 1 << 9);
        tell_u64(f, REQUEST_SET_PROTOCOL_FEATURES, 1 << 3 | 1 << 9, NULL);
        front_end_message(f, REQUEST_SET_OWNER, 0, NULL, 0, NULL, 0);
        front_end_message(f, REQUEST_GET_CONFIG, 0, &config, sizeof(config), NULL, 0);
        assert_int_equal(front_end_reply(f, REQUEST_GET_CONFIG, &config, sizeof(config)),
                         sizeof(config));
        assert_int_equal(config.cid, GUEST_CID);
        for (unsigned i = 0; i < QUEUES; i++) {
                tell_u64(f, REQUEST_SET_VRING_CALL, i, &f->queues[i].call);
                tell_u64(f, REQUEST_SET_VRING_ERR, i, &f->queues[i].call);
        }
        make_buffers(f);
        front_end_restart(f, base);
}

void front_end_stop(FrontEnd *f, uint16_t ret_base[static QUEUES])
{
        for (unsigned i = 0; i < QUEUES; i++)
                tell_state(f, REQUEST_SET_VRING_ENABLE, i, 0);
        for (unsigned i = 0; i < QUEUES; i++) {
                struct vhost_vring_state state;

                tell_state(f, REQUEST_GET_VRING_BASE, i, 0);
                front_end_reply(f, REQUEST_GET_VRING_BASE, &state, sizeof(state));
                assert_int_equal(state.index, i);
                ret_base[i] = (uint16_t)state.num;
        }
}

void front_end_boot(FrontEnd *f)
{
        front_end_spawn(f);
        front_end_start(f);
}

static void remove_directory(const char *path)
{
        DIR *dir = opendir(path);

        assert_non_null(dir);
        for (struct dirent *entry; (entry = readdir(dir));)
                (void)unlinkat(dirfd(dir), entry->d_name, 0);
        closedir(dir);
        assert_int_equal(rmdir(path), 0);
}

/* Reaps the program and closes everything but the socket. */
static int reap(FrontEnd *f)
{
        nsec_t deadline = nsec_add(clock_boottime(), WAIT_MSEC * NSEC_PER_MSEC);
        struct timespec moment = {.tv_nsec = 1000 * 1000};
        int status;
        pid_t pid;

        while ((pid = waitpid(f->pid, &status, WNOHANG)) == 0 && clock_boottime() < deadline)
                nanosleep(&moment, NULL);
        if (pid == 0) {
                kill(f->pid, SIGKILL);
                waitpid(f->pid, &status, 0);
                fail_msg("rootspan-vsockd does not end");
        }
        munmap(f->memory, LOW_SIZE + HIGH_SIZE);
        close(f->memfd);
        for (unsigned i = 0; i < QUEUES; i++) {
                close(f->queues[i].kick);
                close(f->queues[i].call);
        }
        assert_int_equal(access(f->uds, F_OK), -1); /* it has tidied up */
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

int front_end_wait(FrontEnd *f)
{
        int code = reap(f);

        f->socket = fd_close(f->socket);
        remove_directory(f->dir);
        return code;
}

int front_end_kill(FrontEnd *f)
{
        f->socket = fd_close(f->socket);
        return front_end_wait(f);
}

void front_end_expect_failure(FrontEnd *f, const char *words)
{
        char log[4096];

        assert_int_equal(reap(f), 1);
        assert_true(file_read(f->log, log, sizeof(log)) >= 0);
        if (!strstr(log, words))
                fail_msg("\"%s\" is not in: %s", words, log);
        f->socket = fd_close(f->socket);
        remove_directory(f->dir);
}

uint64_t slot_address(unsigned queue, unsigned slot)
{
        return HIGH_GUEST + (queue * RING_SIZE_MAX + slot) * (uint64_t)SLOT_SIZE;
}

uint8_t *slot_memory(FrontEnd *f, unsigned queue, unsigned slot)
{
        return f->memory + LOW_SIZE + (slot_address(queue, slot) - HIGH_GUEST);
}

void guest_make_available(FrontEnd *f, unsigned queue, uint16_t head)
{
        GuestQueue *q = &f->queues[queue];

        q->avail->ring[q->next_avail % f->ring_size] = head;
        q->next_avail++;
        __atomic_store_n(&q->avail->idx, q->next_avail, __ATOMIC_SEQ_CST);
}

void guest_kick(FrontEnd *f, unsigned queue)
{
        uint64_t one = 1;

        assert_int_equal(write(f->queues[queue].kick, &one, sizeof(one)), sizeof(one));
}

/* Kicks as a driver does that knows of event indices: only when the device has asked for it. */
static void kick_if_asked(FrontEnd *f, unsigned queue)
{
        GuestQueue *q = &f->queues[queue];
        uint16_t *place = (uint16_t *)&q->used->ring[f->ring_size];
        uint16_t event = __atomic_load_n(place, __ATOMIC_SEQ_CST);
        uint16_t before = (uint16_t)(q->next_avail - 1);

        if (!(f->features & UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX) ||
            vring_need_event(event, q->next_avail, before))
                guest_kick(f, queue);
}

static uint16_t used_index(const GuestQueue *queue)
{
        return __atomic_load_n(&queue->used->idx, __ATOMIC_SEQ_CST);
}

/* Asks for a notification of the next buffer that comes back. */
static void arm(const FrontEnd *f, GuestQueue *queue)
{
        __atomic_store_n(&queue->avail->ring[f->ring_size], queue->seen_used, __ATOMIC_SEQ_CST);
}

/* Waits until @queue has a used buffer that was not seen. */
static void wait_used(const FrontEnd *f, GuestQueue *queue)
{
        uint64_t calls;

        arm(f, queue);
        while (used_index(queue) == queue->seen_used) {
                wait_for(queue->call, POLLIN);
                (void)!read(queue->call, &calls, sizeof(calls));
        }
}

bool guest_can_send(FrontEnd *f)
{
        GuestQueue *queue = &f->queues[QUEUE_FROM_GUEST];

        queue->seen_used = used_index(queue);
        return (uint16_t)(queue->next_avail - queue->seen_used) < f->ring_size;
}

void guest_submit(FrontEnd *f, const Packet *packet, const void *payload)
{
        GuestQueue *queue = &f->queues[QUEUE_FROM_GUEST];
        uint16_t slot = queue->next_avail % f->ring_size;
        uint8_t *memory = slot_memory(f, QUEUE_FROM_GUEST, slot);

        while (!guest_can_send(f))
                wait_used(f, queue);
        packet_format(packet, memory);
        if (payload)
                memcpy(memory + PACKET_HEADER_SIZE, payload, packet->length);
        queue->table[slot] = (struct vring_desc){
                .addr = slot_address(QUEUE_FROM_GUEST, slot),
                .len = PACKET_HEADER_SIZE + packet->length,
        };
        guest_make_available(f, QUEUE_FROM_GUEST, slot);
}

void guest_send(FrontEnd *f, const Packet *packet, const void *payload)
{
        guest_submit(f, packet, payload);
        kick_if_asked(f, QUEUE_FROM_GUEST);
}

static Packet packet_of(const FrontEnd *f, const GuestStream *s, uint16_t op)
{
        return (Packet){
                .src_cid = GUEST_CID,
                .dst_cid = VMADDR_CID_HOST,
                .src_port = s->guest_port,
                .dst_port = s->host_port,
                .type = VIRTIO_VSOCK_TYPE_STREAM,
                .op = op,
                .buf_alloc = f->buf_alloc,
                .fwd_cnt = s->read,
        };
}

void guest_send_op(FrontEnd *f, const GuestStream *s, uint16_t op, uint32_t flags)
{
        Packet packet = packet_of(f, s, op);

        packet.flags = flags;
        guest_send(f, &packet, NULL);
}

void guest_submit_data(FrontEnd *f, GuestStream *s, const void *data, size_t n)
{
        Packet packet = packet_of(f, s, VIRTIO_VSOCK_OP_RW);

        packet.length = (uint32_t)n;
        s->sent += (uint32_t)n;
        guest_submit(f, &packet, data);
}

void guest_send_data(FrontEnd *f, GuestStream *s, const void *data, size_t n)
{
        guest_submit_data(f, s, data, n);
        kick_if_asked(f, QUEUE_FROM_GUEST);
}

bool guest_poll(FrontEnd *f, Packet *packet, uint8_t *payload)
{
        GuestQueue *queue = &f->queues[QUEUE_TO_GUEST];
        struct vring_used_elem *element = &queue->used->ring[queue->seen_used % f->ring_size];
        const uint8_t *memory;

        if (used_index(queue) == queue->seen_used)
                return false;
        assert_true(element->id < f->ring_size);
        memory = slot_memory(f, QUEUE_TO_GUEST, element->id);
        assert_int_equal(packet_parse(memory, PACKET_HEADER_SIZE, packet), 0);
        assert_int_equal(element->len, PACKET_HEADER_SIZE + packet->length);
        assert_true(element->len <= RX_BUFFER_SIZE);
        assert_int_equal(packet->dst_cid, GUEST_CID);
        memcpy(payload, memory + PACKET_HEADER_SIZE, packet->length);
        queue->seen_used++;
        guest_make_available(f, QUEUE_TO_GUEST, (uint16_t)element->id);
        kick_if_asked(f, QUEUE_TO_GUEST);
        return true;
}

void guest_receive(FrontEnd *f, Packet *packet, uint8_t *payload)
{
        wait_used(f, &f->queues[QUEUE_TO_GUEST]);
        assert_true(guest_poll(f, packet, payload));
}

Packet guest_expect(FrontEnd *f, const GuestStream *s, uint16_t op)
{
        uint8_t payload[RX_BUFFER_SIZE];
        Packet packet;

        guest_receive(f, &packet, payload);
        assert_int_equal(packet.op, op);
        assert_int_equal(packet.src_port, s->host_port);
        assert_int_equal(packet.dst_port, s->guest_port);
        return packet;
}

void guest_wait_taken(FrontEnd *f)
{
        GuestQueue *queue = &f->queues[QUEUE_FROM_GUEST];

        for (queue->seen_used = used_index(queue); queue->seen_used != queue->next_avail;
             queue->seen_used = used_index(queue))
                wait_used(f, queue);
}

void guest_expect_silence(FrontEnd *f)
{
        static const GuestStream nobody = {.guest_port = 0xfffffff0, .host_port = 0xfffffff1};

        /* Each is answered in a later round of the device, and a round leaves nothing unsent. */
        for (int i = 0; i < 2; i++) {
                guest_send_op(f, &nobody, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
                guest_expect(f, &nobody, VIRTIO_VSOCK_OP_RST);
        }
}

void guest_expect_rest(FrontEnd *f)
{
        struct pollfd kicks[QUEUES];

        for (unsigned i = 0; i < QUEUES; i++)
                kicks[i] = (struct pollfd){.fd = f->queues[i].kick, .events = POLLIN};
        do {
                guest_expect_silence(f);
        } while (poll(kicks, QUEUES, 0) > 0);
        /* The last kick has been read; what follows from it comes before the next message. */
        (void)ask_u64(f, REQUEST_GET_FEATURES);
}

uint32_t guest_room(const GuestStream *s)
{
        return s->peer_buffer - (s->sent - s->peer_forwarded);
}

void guest_learn(GuestStream *s, const Packet *packet)
{
        s->peer_buffer = packet->buf_alloc;
        s->peer_forwarded = packet->fwd_cnt;
}

int guest_connect(FrontEnd *f, GuestStream *s, uint32_t guest_port, uint32_t host_port)
{
        int listener = host_listen(f, host_port), fd;
        Packet packet;

        *s = (GuestStream){.guest_port = guest_port, .host_port = host_port};
        guest_send_op(f, s, VIRTIO_VSOCK_OP_REQUEST, 0);
        packet = guest_expect(f, s, VIRTIO_VSOCK_OP_RESPONSE);
        guest_learn(s, &packet);
        fd = host_accept(listener);
        close(listener);
        return fd;
}

int host_connect(FrontEnd *f, GuestStream *s, uint32_t guest_port)
{
        char line[64], expected[64];
        uint8_t payload[RX_BUFFER_SIZE];
        Packet packet;
        int fd, n;

        fd = host_dial(f);
        n = snprintf(line, sizeof(line), "CONNECT %u\n", guest_port);
        host_write(fd, line, (size_t)n);
        guest_receive(f, &packet, payload);
        assert_int_equal(packet.op, VIRTIO_VSOCK_OP_REQUEST);
        assert_int_equal(packet.dst_port, guest_port);
        *s = (GuestStream){.guest_port = guest_port, .host_port = packet.src_port};
        guest_learn(s, &packet);
        guest_send_op(f, s, VIRTIO_VSOCK_OP_RESPONSE, 0);
        n = snprintf(expected, sizeof(expected), "OK %u\n", s->host_port);
        host_read(fd, line, (size_t)n);
        assert_memory_equal(line, expected, (size_t)n);
        return fd;
}

void guest_stuff(FrontEnd *f, GuestStream *s)
{
        uint8_t bytes[32 * 1024], payload[RX_BUFFER_SIZE];
        Packet packet;

        while (guest_room(s) >= 2 * sizeof(bytes)) {
                pattern_fill(bytes, sizeof(bytes), s->sent);
                guest_send_data(f, s, bytes, sizeof(bytes));
                guest_wait_taken(f);
                while (guest_poll(f, &packet, payload))
                        guest_learn(s, &packet);
        }
}

/* Its period is none that a buffer has. */
static uint8_t pattern(size_t i)
{
        return (uint8_t)(i * 7 + i / 251);
}

void pattern_fill(uint8_t *data, size_t n, size_t at)
{
        for (size_t i = 0; i < n; i++)
                data[i] = pattern(at + i);
}

void pattern_check(const uint8_t *data, size_t n, size_t at)
{
        for (size_t i = 0; i < n; i++)
                if (data[i] != pattern(at + i))
                        fail_msg("byte %zu is wrong", at + i);
}

static struct sockaddr_un unix_address(const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        return address;
}

static int unix_socket(void)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        assert_true(fd >= 0);
        return fd;
}

int host_listen(FrontEnd *f, uint32_t port)
{
        char path[108];
        struct sockaddr_un address;
        int fd = unix_socket();

        snprintf(path, sizeof(path), "%s_%u", f->uds, port);
        (void)unlink(path);
        address = unix_address(path);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 1024), 0);
        return fd;
}

int host_accept(int listener)
{
        int fd;

        wait_for(listener, POLLIN);
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        assert_true(fd >= 0);
        return fd;
}

int host_dial(FrontEnd *f)
{
        struct sockaddr_un address = unix_address(f->uds);
        int fd = unix_socket();

        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

void host_write(int fd, const void *data, size_t n)
{
        assert_int_equal(send(fd, data, n, MSG_NOSIGNAL), n);
}

void host_read(int fd, void *data, size_t n)
{
        uint8_t *to = data;

        while (n > 0) {
                ssize_t got;

                wait_for(fd, POLLIN);
                got = read(fd, to, n);
                assert_true(got > 0);
                to += got;
                n -= (size_t)got;
        }
}

void host_expect_eof(int fd)
{
        char byte;

        wait_for(fd, POLLIN);
        assert_int_equal(read(fd, &byte, 1), 0);
}
