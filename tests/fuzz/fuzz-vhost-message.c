#include "fuzz.h"
#include "vhost/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        uint8_t reply[MESSAGE_SIZE_MAX];
        uint32_t request;
        Message message;
        size_t payload;

        if (message_parse_header(data, n, &request, &payload) < 0) {
                assert(message_parse(data, n, &message) < 0);
                return 0;
        }
        assert(n >= MESSAGE_HEADER_SIZE && payload <= MESSAGE_SIZE_MAX - MESSAGE_HEADER_SIZE);
        assert(request_name(request));
        if (message_parse(data, n, &message) < 0)
                return 0;
        assert(n == MESSAGE_HEADER_SIZE + payload);
        assert(message.request == request);
        assert(message.queue < QUEUES && message.n_fds <= MESSAGE_FDS_MAX);
        if (message.request == REQUEST_SET_MEM_TABLE)
                assert(message.memory.n == message.n_fds && message.memory.n <= MEMORY_REGIONS_MAX);
        if (message.request == REQUEST_GET_CONFIG)
                assert(message.config.offset <= MESSAGE_CONFIG_SIZE &&
                       message.config.size <= MESSAGE_CONFIG_SIZE - message.config.offset);

        /* What is no longer than a message's payload can be answered, and is no request. */
        assert(message_format_reply(message.request, data + MESSAGE_HEADER_SIZE, payload, reply) ==
               n);
        assert(message_parse_header(reply, n, &request, &payload) < 0);
        return 0;
}
