#include "base/address.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        char text[ADDRESS_TEXT_MAX], text_again[ADDRESS_TEXT_MAX];
        struct sockaddr_storage storage;
        Address address, again;

        if (address_parse((const char *)data, n, &address) < 0)
                return 0;
        address_format(&address, text);
        assert(address_parse(text, strlen(text), &again) == 0);
        assert(again.kind == address.kind && again.port == address.port);
        assert(again.cid == address.cid && again.ip == address.ip);
        assert(strcmp(again.path, address.path) == 0);
        address_format(&again, text_again);
        assert(strcmp(text, text_again) == 0);
        assert(address_to_sockaddr(&address, &storage) <= sizeof(storage));
        return 0;
}
