/* vhost-user messages, bytes to structs. A table says for each request what its payload is; each
 * form of payload has a parser, which gets exactly as many bytes as the header announced. */

#include "vhost/message.h"

#include <errno.h>
#include <string.h>
#include <linux/vhost_types.h>

#include "base/macro.h"

enum {
        FLAG_VERSION = 0x1,
        FLAG_VERSION_MASK = 0x3,
        FLAG_REPLY = 0x4,
        FLAG_NEED_REPLY = 0x8,

        VRING_INDEX_MASK = 0xff,
        VRING_NO_FD = 0x100,
};

typedef struct Header {
        uint32_t request;
        uint32_t flags;
        uint32_t size;
} Header;

static int parse_nothing(const uint8_t *data, size_t n, Message *message)
{
        return n == 0 ? 0 : -EBADMSG;
}

static int parse_u64(const uint8_t *data, size_t n, Message *message)
{
        if (n != sizeof(message->u64))
                return -EBADMSG;
        memcpy(&message->u64, data, n);
        return 0;
}

static int parse_state(const uint8_t *data, size_t n, Message *message)
{
        struct vhost_vring_state state;

        if (n != sizeof(state))
                return -EBADMSG;
        memcpy(&state, data, n);
        if (state.index >= QUEUES)
                return -EBADMSG;
        message->queue = state.index;
        message->value = state.num;
        return 0;
}

static int parse_address(const uint8_t *data, size_t n, Message *message)
{
        struct vhost_vring_addr address;

        if (n != sizeof(address))
                return -EBADMSG;
        memcpy(&address, data, n);
        if (address.index >= QUEUES)
                return -EBADMSG;
        message->queue = address.index;
        message->address = (VirtQueueAddress){
                .table = address.desc_user_addr,
                .avail = address.avail_user_addr,
                .used = address.used_user_addr,
        };
        return 0;
}

static int parse_file(const uint8_t *data, size_t n, Message *message)
{
        uint64_t value;

        if (n != sizeof(value))
                return -EBADMSG;
        memcpy(&value, data, n);
        if ((value & VRING_INDEX_MASK) >= QUEUES)
                return -EBADMSG;
        message->queue = (uint32_t)(value & VRING_INDEX_MASK);
        message->n_fds = value & VRING_NO_FD ? 0 : 1;
        return 0;
}

static int parse_memory(const uint8_t *data, size_t n, Message *message)
{
        struct {
                uint32_t n;
                uint32_t padding;
        } table;
        struct {
                uint64_t guest_address;
                uint64_t size;
                uint64_t user_address;
                uint64_t offset;
        } region;

        if (n < sizeof(table))
                return -EBADMSG;
        memcpy(&table, data, sizeof(table));
        if (table.n > MEMORY_REGIONS_MAX || n != sizeof(table) + table.n * sizeof(region))
                return -EBADMSG;
        for (size_t i = 0; i < table.n; i++) {
                memcpy(&region, data + sizeof(table) + i * sizeof(region), sizeof(region));
                message->memory.regions[i] = (MemoryRegion){
                        .guest_address = region.guest_address,
                        .user_address = region.user_address,
                        .size = region.size,
                        .offset = region.offset,
                };
        }
        message->memory.n = message->n_fds = table.n;
        return 0;
}

static int parse_config(const uint8_t *data, size_t n, Message *message)
{
        uint32_t fields[3]; /* offset, size, flags */

        if (n < sizeof(fields))
                return -EBADMSG;
        memcpy(fields, data, sizeof(fields));
        if (fields[0] > MESSAGE_CONFIG_SIZE || fields[1] > MESSAGE_CONFIG_SIZE - fields[0] ||
            n != sizeof(fields) + fields[1])
                return -EBADMSG;
        message->config.offset = fields[0];
        message->config.size = fields[1];
        message->config.flags = fields[2];
        return 0;
}

static const struct {
        const char *name;
        int (*parse)(const uint8_t *data, size_t n, Message *message);
} requests[] = {
        [REQUEST_GET_FEATURES] = {"GET_FEATURES", parse_nothing},
        [REQUEST_SET_FEATURES] = {"SET_FEATURES", parse_u64},
        [REQUEST_SET_OWNER] = {"SET_OWNER", parse_nothing},
        [REQUEST_SET_MEM_TABLE] = {"SET_MEM_TABLE", parse_memory},
        [REQUEST_SET_VRING_NUM] = {"SET_VRING_NUM", parse_state},
        [REQUEST_SET_VRING_ADDR] = {"SET_VRING_ADDR", parse_address},
        [REQUEST_SET_VRING_BASE] = {"SET_VRING_BASE", parse_state},
        [REQUEST_GET_VRING_BASE] = {"GET_VRING_BASE", parse_state},
        [REQUEST_SET_VRING_KICK] = {"SET_VRING_KICK", parse_file},
        [REQUEST_SET_VRING_CALL] = {"SET_VRING_CALL", parse_file},
        [REQUEST_SET_VRING_ERR] = {"SET_VRING_ERR", parse_file},
        [REQUEST_GET_PROTOCOL_FEATURES] = {"GET_PROTOCOL_FEATURES", parse_nothing},
        [REQUEST_SET_PROTOCOL_FEATURES] = {"SET_PROTOCOL_FEATURES", parse_u64},
        [REQUEST_SET_VRING_ENABLE] = {"SET_VRING_ENABLE", parse_state},
        [REQUEST_GET_CONFIG] = {"GET_CONFIG", parse_config},
};

const char *request_name(uint32_t request)
{
        return request < ARRAY_SIZE(requests) ? requests[request].name : NULL;
}

int message_parse_header(const uint8_t *data, size_t n, uint32_t *ret_request, size_t *ret_payload)
{
        Header header;

        *ret_request = 0;
        if (n < sizeof(header))
                return -EBADMSG;
        memcpy(&header, data, sizeof(header));
        *ret_request = header.request;
        if (!request_name(header.request) || (header.flags & FLAG_VERSION_MASK) != FLAG_VERSION ||
            (header.flags & FLAG_REPLY) ||
            header.size > MESSAGE_SIZE_MAX - MESSAGE_HEADER_SIZE)
                return -EBADMSG;
        *ret_payload = header.size;
        return 0;
}

int message_parse(const uint8_t *data, size_t n, Message *ret)
{
        Message message = {0};
        Header header;
        uint32_t request;
        size_t payload;
        int r;

        r = message_parse_header(data, n, &request, &payload);
        if (r < 0)
                return r;
        if (payload != n - sizeof(header))
                return -EBADMSG;
        memcpy(&header, data, sizeof(header));
        message.request = (Request)request;
        message.needs_reply = header.flags & FLAG_NEED_REPLY;
        r = requests[request].parse(data + sizeof(header), payload, &message);
        if (r < 0)
                return r;
        *ret = message;
        return 0;
}

size_t message_format_reply(Request request, const void *payload, size_t n, uint8_t *ret)
{
        Header header = {
                .request = request,
                .flags = FLAG_VERSION | FLAG_REPLY,
                .size = (uint32_t)n,
        };

        memcpy(ret, &header, sizeof(header));
        memcpy(ret + sizeof(header), payload, n);
        return sizeof(header) + n;
}
