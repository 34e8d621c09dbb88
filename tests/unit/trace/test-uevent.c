#include "test.h"

#include "base/macro.h"
#include "trace/uevent.h"

static void test_messages(void **state)
{
        static const struct {
                const char *text;
                size_t n;
                bool expected;
        } cases[] = {
#define CASE(text, expected) {text, sizeof(text) - 1, expected}
                CASE("change@/devices/x\0ACTION=change\0NEW_VMGENID=1\0SEQNUM=9\0", true),
                CASE("change@/devices/x\0NEW_VMGENID=1\0", true),
                CASE("change@/devices/x\0\0NEW_VMGENID=1\0", true),
                CASE("add@/devices/x\0ACTION=add\0NEW_VMGENID=1\0", false),
                CASE("change@/devices/x\0ACTION=change\0SEQNUM=9\0", false),
                CASE("change@/devices/x\0NEW_VMGENID=0\0", false),
                CASE("change@/devices/x\0NEW_VMGENID=12\0", false),
                CASE("change@/devices/x\0XNEW_VMGENID=1\0", false),
                CASE("change@/devices/x\0NEW_VMGENID=1", false), /* cut off */
                CASE("change@/devices/NEW_VMGENID=1\0", false),
                CASE("change@", false),
                CASE("change", false),
                CASE("", false),
#undef CASE
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                uint8_t *exact = malloc(cases[i].n ?: 1); /* for the sanitizers */

                memcpy(exact, cases[i].text, cases[i].n);
                if (uevent_is_new_vmgenid(exact, cases[i].n) != cases[i].expected)
                        fail_msg("case %zu", i);
                free(exact);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_messages),
        };

        return RUN_TESTS(tests);
}
