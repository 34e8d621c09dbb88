/* Guests and front ends that break the rules. Each must end its own device, with exit code 1 and a
 * line that says why; nothing else is at stake, since there is one process per VM. */

#include "test.h"

#include <endian.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/vhost_types.h>

#include "vhost/front-end.h"

enum {
        OUT = QUEUE_FROM_GUEST,
        IN = QUEUE_TO_GUEST,
        TABLE_SLOT = RING_SIZE - 1, /* of the transmit queue, for indirect tables */
};

/* A valid descriptor of the transmit queue: a packet that asks for nothing. */
static struct vring_desc good(FrontEnd *f, unsigned slot)
{
        Packet packet = {.src_cid = GUEST_CID, .dst_cid = 2, .type = 1, .op = VIRTIO_VSOCK_OP_RST};

        packet_format(&packet, slot_memory(f, OUT, slot));
        return (struct vring_desc){.addr = slot_address(OUT, slot), .len = PACKET_HEADER_SIZE};
}

static void submit(FrontEnd *f, uint16_t head)
{
        guest_make_available(f, OUT, head);
        guest_kick(f, OUT);
}

static void submit_one(FrontEnd *f, struct vring_desc desc)
{
        f->queues[OUT].table[0] = desc;
        submit(f, 0);
}

static void head_beyond(FrontEnd *f)
{
        submit(f, RING_SIZE);
}

static void head_far_beyond(FrontEnd *f)
{
        submit(f, UINT16_MAX);
}

static void next_beyond(FrontEnd *f)
{
        struct vring_desc desc = good(f, 0);

        desc.flags = VRING_DESC_F_NEXT;
        desc.next = RING_SIZE;
        submit_one(f, desc);
}

static void loop(FrontEnd *f)
{
        struct vring_desc desc = good(f, 0);

        desc.flags = VRING_DESC_F_NEXT;
        desc.next = 0;
        submit_one(f, desc);
}

static void loop_of_two(FrontEnd *f)
{
        struct vring_desc desc = good(f, 0);

        desc.flags = VRING_DESC_F_NEXT;
        desc.next = 0;
        f->queues[OUT].table[1] = desc;
        desc.next = 1;
        submit_one(f, desc);
}

static void index_jump(FrontEnd *f)
{
        f->queues[OUT].table[0] = good(f, 0);
        f->queues[OUT].avail->idx = RING_SIZE + 1;
        guest_kick(f, OUT);
}

static void index_back(FrontEnd *f)
{
        submit_one(f, good(f, 0));
        guest_wait_taken(f);
        f->queues[OUT].avail->idx = 0;
        guest_kick(f, OUT);
}

static void address(FrontEnd *f, uint64_t addr, uint32_t len)
{
        submit_one(f, (struct vring_desc){.addr = addr, .len = len});
}

static void address_outside(FrontEnd *f)
{
        address(f, HIGH_GUEST - 4096, 4096);
}

static void address_in_user_space(FrontEnd *f)
{
        address(f, HIGH_USER, 4096);
}

static void address_straddles_the_end(FrontEnd *f)
{
        address(f, HIGH_GUEST + HIGH_SIZE - 44, 45);
}

static void address_straddles_the_start(FrontEnd *f)
{
        address(f, LOW_GUEST - 1, 44);
}

static void address_wraps(FrontEnd *f)
{
        address(f, UINT64_MAX - 10, 44);
}

static void address_wraps_into_memory(FrontEnd *f)
{
        address(f, UINT64_MAX - UINT32_MAX / 2, UINT32_MAX);
}

static void empty_descriptor(FrontEnd *f)
{
        struct vring_desc desc = good(f, 0);

        desc.len = 0;
        submit_one(f, desc);
}

static void wrong_direction(FrontEnd *f)
{
        struct vring_desc desc = good(f, 0);

        desc.flags = VRING_DESC_F_WRITE;
        submit_one(f, desc);
}

static void short_packet(FrontEnd *f)
{
        struct vring_desc desc = good(f, 0);

        desc.len = PACKET_HEADER_SIZE - 1;
        submit_one(f, desc);
}

static void packet_longer_than_buffer(FrontEnd *f)
{
        Packet packet = {.src_cid = GUEST_CID, .dst_cid = 2, .length = 1};
        struct vring_desc desc = good(f, 0);

        packet_format(&packet, slot_memory(f, OUT, 0));
        submit_one(f, desc);
}

static void packet_of_4_gib(FrontEnd *f)
{
        Packet packet = {.src_cid = GUEST_CID, .dst_cid = 2, .length = UINT32_MAX};
        struct vring_desc desc = good(f, 0);

        packet_format(&packet, slot_memory(f, OUT, 0));
        submit_one(f, desc);
}

/* A table of @n entries; the descriptor that leads to it has @flags beside INDIRECT. */
static void indirect(FrontEnd *f, const struct vring_desc *table, size_t n, uint32_t length,
                     uint16_t flags)
{
        if (n > 0)
                memcpy(slot_memory(f, OUT, TABLE_SLOT), table, n * sizeof(*table));
        submit_one(f, (struct vring_desc){
                              .addr = slot_address(OUT, TABLE_SLOT),
                              .len = length,
                              .flags = VRING_DESC_F_INDIRECT | flags,
                      });
}

static void indirect_empty(FrontEnd *f)
{
        indirect(f, NULL, 0, 0, 0);
}

static void indirect_odd(FrontEnd *f)
{
        struct vring_desc table[2] = {good(f, 0)};

        indirect(f, table, 2, 17, 0);
}

static void indirect_huge(FrontEnd *f)
{
        struct vring_desc table[1] = {good(f, 0)};

        indirect(f, table, 1, (RING_SIZE + 1) * sizeof(table[0]), 0);
}

static void indirect_of_4_gib(FrontEnd *f)
{
        struct vring_desc table[1] = {good(f, 0)};

        indirect(f, table, 1, UINT32_MAX & ~15U, 0);
}

static void indirect_nested(FrontEnd *f)
{
        struct vring_desc table[1] = {{
                .addr = slot_address(OUT, TABLE_SLOT),
                .len = sizeof(table[0]),
                .flags = VRING_DESC_F_INDIRECT,
        }};

        indirect(f, table, 1, sizeof(table), 0);
}

/* The queue's own table as an indirect one: its first entry leads back to it for ever. */
static void indirect_to_itself(FrontEnd *f)
{
        uint64_t offset = (uint64_t)((uint8_t *)f->queues[OUT].table - f->memory);

        submit_one(f, (struct vring_desc){
                              .addr = LOW_GUEST + offset,
                              .len = RING_SIZE * sizeof(struct vring_desc),
                              .flags = VRING_DESC_F_INDIRECT,
                      });
}

static void indirect_and_next(FrontEnd *f)
{
        struct vring_desc table[1] = {good(f, 0)};

        indirect(f, table, 1, sizeof(table), VRING_DESC_F_NEXT);
}

static void indirect_loop(FrontEnd *f)
{
        struct vring_desc table[2] = {good(f, 0), good(f, 1)};

        table[0].flags = table[1].flags = VRING_DESC_F_NEXT;
        table[0].next = 1;
        indirect(f, table, 2, sizeof(table), 0);
}

static void indirect_next_beyond(FrontEnd *f)
{
        struct vring_desc table[2] = {good(f, 0), good(f, 1)};

        table[0].flags = VRING_DESC_F_NEXT;
        table[0].next = 2;
        indirect(f, table, 2, sizeof(table), 0);
}

static void indirect_outside(FrontEnd *f)
{
        submit_one(f, (struct vring_desc){
                              .addr = HIGH_GUEST + HIGH_SIZE - 16,
                              .len = 32,
                              .flags = VRING_DESC_F_INDIRECT,
                      });
}

/* The receive queue is only looked at when there is something to send. */
static void provoke_answer(FrontEnd *f)
{
        GuestStream s = {1, 2};

        guest_send_op(f, &s, VIRTIO_VSOCK_OP_RW, 0);
}

static void small_receive_buffer(FrontEnd *f)
{
        f->queues[IN].table[0].len = PACKET_HEADER_SIZE;
        provoke_answer(f);
}

static void readable_receive_buffer(FrontEnd *f)
{
        f->queues[IN].table[0].flags = 0;
        provoke_answer(f);
}

static void receive_index_jump(FrontEnd *f)
{
        f->queues[IN].avail->idx += RING_SIZE + 1;
        provoke_answer(f);
}

typedef struct Attack {
        const char *name;
        void (*attack)(FrontEnd *f);
        const char *words; /* in the log */
} Attack;

static const Attack guests[] = {
        {"head beyond the table", head_beyond, "transmit queue: a descriptor index"},
        {"head far beyond", head_far_beyond, "a descriptor index is beyond"},
        {"next beyond the table", next_beyond, "a descriptor index is beyond"},
        {"loop", loop, "longer than the queue"},
        {"loop of two", loop_of_two, "longer than the queue"},
        {"index jump", index_jump, "index jumped"},
        {"index back", index_back, "index jumped"},
        {"address outside", address_outside, "outside the guest's memory"},
        {"address of the wrong space", address_in_user_space, "outside the guest's memory"},
        {"address at the end", address_straddles_the_end, "outside the guest's memory"},
        {"address at the start", address_straddles_the_start, "outside the guest's memory"},
        {"address wraps", address_wraps, "outside the guest's memory"},
        {"address wraps far", address_wraps_into_memory, "outside the guest's memory"},
        {"empty descriptor", empty_descriptor, "a descriptor is empty"},
        {"wrong direction", wrong_direction, "wrong direction"},
        {"short packet", short_packet, "shorter than its header"},
        {"packet longer than its buffer", packet_longer_than_buffer, "longer than its buffer"},
        {"packet of 4 GiB", packet_of_4_gib, "longer than its buffer"},
        {"indirect, empty", indirect_empty, "a bad size"},
        {"indirect, odd", indirect_odd, "a bad size"},
        {"indirect, huge", indirect_huge, "a bad size"},
        {"indirect, 4 GiB", indirect_of_4_gib, "a bad size"},
        {"indirect, nested", indirect_nested, "holds another"},
        {"indirect, to itself", indirect_to_itself, "holds another"},
        {"indirect and next", indirect_and_next, "not allowed here"},
        {"indirect, loop", indirect_loop, "longer than the queue"},
        {"indirect, next beyond", indirect_next_beyond, "a descriptor index is beyond"},
        {"indirect, outside", indirect_outside, "outside the guest's memory"},
        {"small receive buffer", small_receive_buffer, "receive queue: a buffer has no room"},
        {"readable receive buffer", readable_receive_buffer, "wrong direction"},
        {"receive index jump", receive_index_jump, "index jumped"},
};

static void test_guests(void **state)
{
        for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++) {
                FrontEnd f;

                print_message("# %s\n", guests[i].name);
                front_end_boot(&f);
                guests[i].attack(&f);
                front_end_expect_failure(&f, guests[i].words);
        }
}

static void test_indirect_without_the_feature(void **state)
{
        struct vring_desc table[1];
        uint16_t base[QUEUES];
        FrontEnd f;

        front_end_boot(&f);
        front_end_stop(&f, base);
        f.features &= ~(UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC);
        front_end_restart(&f, base);
        table[0] = good(&f, 0);
        indirect(&f, table, 1, sizeof(table), 0);
        front_end_expect_failure(&f, "not allowed here");
}

/* Layouts that are odd but right: they must work. */
static void test_odd_layouts(void **state)
{
        Packet packet = {
                .src_cid = GUEST_CID,
                .dst_cid = 2,
                .src_port = 1000,
                .dst_port = 10240,
                .type = VIRTIO_VSOCK_TYPE_STREAM,
                .op = VIRTIO_VSOCK_OP_RW,
                .length = 100,
                .buf_alloc = 65536,
        };
        struct vring_desc *table;
        uint8_t bytes[100], got[100];
        uint64_t address;
        uint8_t *memory;
        GuestStream s;
        FrontEnd f;
        int fd;

        front_end_boot(&f);
        fd = guest_connect(&f, &s, 1000, 10240);
        memset(bytes, 'x', sizeof(bytes));
        memory = slot_memory(&f, OUT, 5);
        address = slot_address(OUT, 5);
        packet_format(&packet, memory);
        memcpy(memory + PACKET_HEADER_SIZE, bytes, sizeof(bytes));

        /* A descriptor for each byte of the header, and one of the payload. */
        table = f.queues[OUT].table;
        for (uint16_t i = 0; i < PACKET_HEADER_SIZE; i++)
                table[i] = (struct vring_desc){
                        .addr = address + i,
                        .len = 1,
                        .flags = VRING_DESC_F_NEXT,
                        .next = (uint16_t)(i + 1),
                };
        table[PACKET_HEADER_SIZE] = (struct vring_desc){address + PACKET_HEADER_SIZE, 100};
        submit(&f, 0);
        host_read(fd, got, sizeof(got));
        assert_memory_equal(got, bytes, sizeof(got));

        /* A direct descriptor, then an indirect table at an odd address, and a longer buffer. */
        table[0] = (struct vring_desc){address, 10, VRING_DESC_F_NEXT, 1};
        table[1].addr = slot_address(OUT, TABLE_SLOT) + 1;
        table[1].len = 32;
        table[1].flags = VRING_DESC_F_INDIRECT;
        table = (struct vring_desc *)(slot_memory(&f, OUT, TABLE_SLOT) + 1);
        memcpy(table, &(struct vring_desc){address + 10, 40, VRING_DESC_F_NEXT, 1}, 16);
        memcpy((uint8_t *)table + 16, &(struct vring_desc){address + 50, 4000}, 16);
        submit(&f, 0);
        host_read(fd, got, sizeof(got));
        assert_memory_equal(got, bytes, sizeof(got));
        close(fd);
        assert_int_equal(front_end_kill(&f), 0);
}

static void send_u64(FrontEnd *f, uint32_t request, uint64_t value, const int *fds, size_t n)
{
        front_end_message(f, request, 0, &value, sizeof(value), fds, n);
}

static void send_state(FrontEnd *f, uint32_t request, uint32_t queue, uint32_t value)
{
        struct vhost_vring_state state = {queue, value};

        front_end_message(f, request, 0, &state, sizeof(state), NULL, 0);
}

static void unknown_request(FrontEnd *f)
{
        front_end_message(f, 77, 0, NULL, 0, NULL, 0);
}

static void request_zero(FrontEnd *f)
{
        front_end_message(f, 0, 0, NULL, 0, NULL, 0);
}

static void wrong_version(FrontEnd *f)
{
        front_end_message(f, REQUEST_SET_OWNER, 2, NULL, 0, NULL, 0);
}

static void a_reply(FrontEnd *f)
{
        front_end_message(f, REQUEST_GET_FEATURES, 4, NULL, 0, NULL, 0);
}

static void payload_too_long(FrontEnd *f)
{
        uint8_t bytes[MESSAGE_SIZE_MAX] = {0};

        front_end_message(f, REQUEST_SET_MEM_TABLE, 0, bytes, sizeof(bytes), NULL, 0);
}

static void payload_too_short(FrontEnd *f)
{
        front_end_message(f, REQUEST_SET_FEATURES, 0, "1234567", 7, NULL, 0);
}

static void payload_where_none_is(FrontEnd *f)
{
        front_end_message(f, REQUEST_GET_FEATURES, 0, "12345678", 8, NULL, 0);
}

static void bad_feature(FrontEnd *f)
{
        send_u64(f, REQUEST_SET_FEATURES, UINT64_C(1) << 26, NULL, 0);
}

static void bad_protocol_feature(FrontEnd *f)
{
        send_u64(f, REQUEST_SET_PROTOCOL_FEATURES, 1, NULL, 0);
}

static void third_queue(FrontEnd *f)
{
        send_state(f, REQUEST_SET_VRING_NUM, 2, 128);
}

static void third_queue_kick(FrontEnd *f)
{
        send_u64(f, REQUEST_SET_VRING_KICK, 2, &f->queues[0].kick, 1);
}

static void odd_size(FrontEnd *f)
{
        send_state(f, REQUEST_SET_VRING_NUM, 0, 100);
}

static void huge_size(FrontEnd *f)
{
        send_state(f, REQUEST_SET_VRING_NUM, 0, 2048);
}

static void huge_base(FrontEnd *f)
{
        send_state(f, REQUEST_SET_VRING_BASE, 0, 65536);
}

static void place(FrontEnd *f, uint64_t table, uint64_t avail, uint64_t used)
{
        struct vhost_vring_addr address = {
                .desc_user_addr = table, .avail_user_addr = avail, .used_user_addr = used};

        send_u64(f, REQUEST_SET_PROTOCOL_FEATURES, 1 << 3, NULL, 0);
        front_end_set_memory(f);
        send_state(f, REQUEST_SET_VRING_NUM, 0, RING_SIZE);
        front_end_message(f, REQUEST_SET_VRING_ADDR, 0, &address, sizeof(address), NULL, 0);
}

static void misaligned_table(FrontEnd *f)
{
        place(f, LOW_USER + 8, LOW_USER + 0x4000, LOW_USER + 0x8000);
}

static void misaligned_avail(FrontEnd *f)
{
        place(f, LOW_USER, LOW_USER + 0x4001, LOW_USER + 0x8000);
}

static void misaligned_used(FrontEnd *f)
{
        place(f, LOW_USER, LOW_USER + 0x4000, LOW_USER + 0x8002);
}

static void used_ring_at_the_end(FrontEnd *f)
{
        /* All but the event index behind it would fit. */
        place(f, LOW_USER, LOW_USER + 0x4000, LOW_USER + LOW_SIZE - (4 + 8 * RING_SIZE));
}

static void guest_address_of_a_queue(FrontEnd *f)
{
        place(f, LOW_GUEST, LOW_GUEST + 0x4000, LOW_GUEST + 0x8000);
}

static void address_without_size(FrontEnd *f)
{
        struct vhost_vring_addr address = {0};

        front_end_message(f, REQUEST_SET_VRING_ADDR, 0, &address, sizeof(address), NULL, 0);
}

static void kick_without_address(FrontEnd *f)
{
        send_u64(f, REQUEST_SET_VRING_KICK, 0, &f->queues[0].kick, 1);
}

static void resize_in_use(FrontEnd *f)
{
        front_end_start(f);
        send_state(f, REQUEST_SET_VRING_NUM, 0, 1024);
}

static void move_in_use(FrontEnd *f)
{
        struct vhost_vring_addr address = {0};

        front_end_start(f);
        front_end_message(f, REQUEST_SET_VRING_ADDR, 0, &address, sizeof(address), NULL, 0);
}

static void memory_away_in_use(FrontEnd *f)
{
        uint64_t nothing = 0;

        front_end_start(f);
        front_end_message(f, REQUEST_SET_MEM_TABLE, 0, &nothing, sizeof(nothing), NULL, 0);
}

static void call_without_fd(FrontEnd *f)
{
        send_u64(f, REQUEST_SET_VRING_CALL, 0, NULL, 0);
}

static void call_with_two_fds(FrontEnd *f)
{
        int fds[] = {f->queues[0].call, f->queues[0].kick};

        send_u64(f, REQUEST_SET_VRING_CALL, 0, fds, 2);
}

static void fds_where_none_belong(FrontEnd *f)
{
        int fds[8] = {0};

        front_end_message(f, REQUEST_SET_OWNER, 0, NULL, 0, fds, 8);
}

static void sixteen_fds(FrontEnd *f)
{
        int fds[16] = {0};

        front_end_message(f, REQUEST_SET_OWNER, 0, NULL, 0, fds, 16);
}

static void kick_by_polling(FrontEnd *f)
{
        send_u64(f, REQUEST_SET_VRING_KICK, 0x100, NULL, 0);
}

static void enable_with_seven(FrontEnd *f)
{
        send_state(f, REQUEST_SET_VRING_ENABLE, 0, 7);
}

static void config_beyond(FrontEnd *f)
{
        uint32_t config[4] = {5, 4};

        front_end_message(f, REQUEST_GET_CONFIG, 0, config, sizeof(config), NULL, 0);
}

static void share(FrontEnd *f, int memory, uint64_t guest, uint64_t size, uint64_t offset)
{
        uint64_t table[5] = {1, guest, size, LOW_USER, offset};

        front_end_message(f, REQUEST_SET_MEM_TABLE, 0, table, sizeof(table), &memory, 1);
}

static void region_beyond_its_file(FrontEnd *f)
{
        share(f, f->memfd, 0, LOW_SIZE + HIGH_SIZE, 4096);
}

static void region_with_a_wrapping_offset(FrontEnd *f)
{
        share(f, f->memfd, 0, 8192, UINT64_MAX - 4095);
}

static void region_with_a_wrapping_address(FrontEnd *f)
{
        share(f, f->memfd, UINT64_MAX - 4095, 8192, 0);
}

static void region_of_nothing(FrontEnd *f)
{
        share(f, f->memfd, 0, 0, 0);
}

static void share_and_close(FrontEnd *f, int memory)
{
        assert_true(memory >= 0);
        share(f, memory, 0, 4096, 0);
        close(memory);
}

static void unsealed_memory(FrontEnd *f)
{
        int memory = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        assert_int_equal(ftruncate(memory, 4096), 0);
        share_and_close(f, memory);
}

static void memory_of_a_pipe(FrontEnd *f)
{
        int pair[2];

        assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
        close(pair[1]);
        share_and_close(f, pair[0]);
}

static void nine_regions(FrontEnd *f)
{
        uint64_t table[1 + 4 * 8] = {9};
        int fds[8];

        for (int i = 0; i < 8; i++)
                fds[i] = f->memfd;
        front_end_message(f, REQUEST_SET_MEM_TABLE, 0, table, sizeof(table), fds, 8);
}

static void fewer_fds_than_regions(FrontEnd *f)
{
        uint64_t table[9] = {2, 0, 4096, 0, 0, 4096, 4096, 4096, 0};

        front_end_message(f, REQUEST_SET_MEM_TABLE, 0, table, sizeof(table), &f->memfd, 1);
}

static const Attack front_ends[] = {
        {"unknown request", unknown_request, "not a request that this device knows"},
        {"request 0", request_zero, "not a request that this device knows"},
        {"wrong version", wrong_version, "not a request that this device knows"},
        {"a reply", a_reply, "not a request that this device knows"},
        {"payload too long", payload_too_long, "SET_MEM_TABLE: not a request"},
        {"payload too short", payload_too_short, "SET_FEATURES: the payload does not fit"},
        {"payload where none is", payload_where_none_is, "GET_FEATURES: the payload"},
        {"feature", bad_feature, "SET_FEATURES: a feature that was not offered"},
        {"protocol feature", bad_protocol_feature, "SET_PROTOCOL_FEATURES: a feature"},
        {"third queue", third_queue, "SET_VRING_NUM: the payload"},
        {"third queue's kick", third_queue_kick, "SET_VRING_KICK: the payload"},
        {"odd size", odd_size, "not a power of two"},
        {"huge size", huge_size, "not a power of two"},
        {"huge base", huge_base, "SET_VRING_BASE: an index has 16 bits"},
        {"misaligned table", misaligned_table, "SET_VRING_ADDR: the queue is misaligned"},
        {"misaligned available ring", misaligned_avail, "the queue is misaligned"},
        {"misaligned used ring", misaligned_used, "the queue is misaligned"},
        {"used ring at the end", used_ring_at_the_end, "outside the guest's memory"},
        {"guest address", guest_address_of_a_queue, "outside the guest's memory"},
        {"address without size", address_without_size, "no size yet"},
        {"kick without address", kick_without_address, "no address yet"},
        {"resize in use", resize_in_use, "SET_VRING_NUM: the queue is in use"},
        {"move in use", move_in_use, "SET_VRING_ADDR: the queue is in use"},
        {"memory away in use", memory_away_in_use, "a queue in use lies outside"},
        {"call without descriptor", call_without_fd, "the wrong number of descriptors"},
        {"call with two", call_with_two_fds, "the wrong number of descriptors"},
        {"descriptors where none belong", fds_where_none_belong, "the wrong number of desc"},
        {"sixteen descriptors", sixteen_fds, "too many descriptors"},
        {"kick by polling", kick_by_polling, "would have to be polled"},
        {"enable with 7", enable_with_seven, "neither on nor off"},
        {"configuration beyond its end", config_beyond, "GET_CONFIG: the payload"},
        {"region beyond its file", region_beyond_its_file, "a region cannot be mapped"},
        {"wrapping offset", region_with_a_wrapping_offset, "a region cannot be mapped"},
        {"wrapping address", region_with_a_wrapping_address, "a region cannot be mapped"},
        {"region of nothing", region_of_nothing, "a region cannot be mapped"},
        {"unsealed memory", unsealed_memory, "memory-backend-memfd"},
        {"memory of a pipe", memory_of_a_pipe, "memory-backend-memfd"},
        {"nine regions", nine_regions, "SET_MEM_TABLE: the payload"},
        {"fewer descriptors than regions", fewer_fds_than_regions, "the wrong number of desc"},
};

static void test_front_ends(void **state)
{
        for (size_t i = 0; i < sizeof(front_ends) / sizeof(front_ends[0]); i++) {
                FrontEnd f;

                print_message("# %s\n", front_ends[i].name);
                front_end_spawn(&f);
                front_ends[i].attack(&f);
                front_end_expect_failure(&f, front_ends[i].words);
        }
}

/* A message may come byte by byte, and end anywhere. */
static void test_split_messages(void **state)
{
        uint32_t message[] = {REQUEST_SET_PROTOCOL_FEATURES, 1, 8, 1 << 3, 0};
        uint64_t features;
        FrontEnd f;

        front_end_spawn(&f);
        for (size_t i = 0; i < sizeof(message); i++)
                assert_int_equal(send(f.socket, (uint8_t *)message + i, 1, MSG_NOSIGNAL), 1);
        front_end_message(&f, REQUEST_GET_FEATURES, 0, NULL, 0, NULL, 0);
        front_end_reply(&f, REQUEST_GET_FEATURES, &features, sizeof(features));
        assert_int_equal(send(f.socket, message, 5, MSG_NOSIGNAL), 5);
        assert_int_equal(front_end_kill(&f), 0);
}

/* Descriptors that a message leaves over are closed: their other end sees it. */
static void test_descriptors_do_not_leak(void **state)
{
        uint64_t features = UINT64_C(1) << 30;
        int pair[2];
        FrontEnd f;
        char byte;

        front_end_spawn(&f);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
                send_u64(&f, i == 0 ? REQUEST_SET_VRING_ERR : REQUEST_SET_VRING_CALL, 0, &pair[1],
                         1);
                close(pair[1]);
                if (i == 1) /* the next one takes its place */
                        send_u64(&f, REQUEST_SET_VRING_CALL, 0, &f.queues[0].call, 1);
                assert_int_equal(read(pair[0], &byte, 1), 0);
                close(pair[0]);
        }
        send_u64(&f, REQUEST_SET_FEATURES, features, NULL, 0);
        assert_int_equal(front_end_kill(&f), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_guests),
                UNIT_TEST(test_indirect_without_the_feature),
                UNIT_TEST(test_odd_layouts),
                UNIT_TEST(test_front_ends),
                UNIT_TEST(test_split_messages),
                UNIT_TEST(test_descriptors_do_not_leak),
        };

        return RUN_TESTS(tests);
}
