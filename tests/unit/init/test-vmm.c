#include "test.h"

#include <errno.h>

#include "base/macro.h"
#include "init/vmm.h"

static void test_addresses(void **state)
{
        static const struct {
                const char *text, *formatted;
        } good[] = {
                {"vsock:2:9000", "vsock://2:9000"},
                {"vsock-stream:2:9000", "vsock://2:9000"},
                {"vsock://2:9000", "vsock://2:9000"},
                {"unix:/run/notify", "unix:/run/notify"},
        };
        static const char *const bad[] = {"", "vsock:", "vsock:2", "vsock-dgram:2:9000", "@abstract",
                                          "vsock-stream:2:9000:1"};
        char text[ADDRESS_TEXT_MAX], huge[300] = "vsock:";
        Address address;

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                assert_int_equal(vmm_parse_address(good[i].text, &address), 0);
                address_format(&address, text);
                assert_string_equal(text, good[i].formatted);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(vmm_parse_address(bad[i], &address), -EINVAL);
        memset(huge + 6, '1', sizeof(huge) - 7);
        assert_int_equal(vmm_parse_address(huge, &address), -EINVAL);
}

#define BIOS "\x00\x06\x00\x00xxVendor\0\0"
#define BARE "\x10\x05\x01\x00x\0\0"
#define OEM "\x0b\x05\x02\x00\x02other\0io.systemd.credential:vmm.notify_socket=vsock:2:77\0\0"
#define END "\x7f\x04\x03\x00\0\0"

static void test_smbios(void **state)
{
        static const char table[] = BIOS BARE OEM END;
        size_t n = sizeof(table) - 1;
        Address address;

        assert_int_equal(vmm_address_from_smbios((const uint8_t *)table, n, &address), 0);
        assert_int_equal(address.port, 77);
        /* Cut anywhere, it is found whole or not at all. */
        for (size_t cut = 0; cut < n; cut++) {
                uint8_t *exact = malloc(cut + 1);

                memcpy(exact, table, cut);
                if (vmm_address_from_smbios(exact, cut, &address) == 0)
                        assert_true(cut >= sizeof(BIOS BARE OEM) - 1);
                free(exact);
        }
}

static void test_smbios_without(void **state)
{
        static const char none[] = BIOS BARE END, behind[] = BIOS END OEM;
        static const char no_address[] =
                "\x0b\x05\x02\x00\x01io.systemd.credential:vmm.notify_socket=x\0\0";
        static const char short_header[] = "\x0b\x03\x00\x00\0\0";
        Address address;

        assert_int_equal(vmm_address_from_smbios((const uint8_t *)none, sizeof(none) - 1, &address),
                         -ENOENT);
        assert_int_equal(
                vmm_address_from_smbios((const uint8_t *)behind, sizeof(behind) - 1, &address),
                -ENOENT);
        assert_int_equal(vmm_address_from_smbios((const uint8_t *)no_address,
                                                 sizeof(no_address) - 1, &address),
                         -EINVAL);
        assert_int_equal(vmm_address_from_smbios((const uint8_t *)short_header,
                                                 sizeof(short_header) - 1, &address),
                         -ENOENT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_addresses),
                UNIT_TEST(test_smbios),
                UNIT_TEST(test_smbios_without),
        };

        return RUN_TESTS(tests);
}
