#include "test.h"

#include <errno.h>
#include <string.h>
#include <sys/reboot.h>

#include "base/macro.h"
#include "systemd/ending-record.h"

static int parse(const char *text, EndingRecord *ret)
{
        return ending_record_parse((const uint8_t *)text, strlen(text), ret);
}

static void test_as_init_writes_it(void **state)
{
        EndingRecord record;

        assert_int_equal(parse("reason=agent-exit\ncode=0\nend_vm=yes\nshutdown=reboot\n", &record),
                         0);
        assert_true(record.end_vm);
        assert_int_equal(record.command, RB_AUTOBOOT);
        assert_int_equal(parse("shutdown=poweroff\nend_vm=no", &record), 0);
        assert_false(record.end_vm);
        assert_int_equal(record.command, RB_POWER_OFF);
        assert_int_equal(parse("shutdown=halt\nend_vm=no\n", &record), 0);
        assert_int_equal(record.command, (int)RB_HALT_SYSTEM);
}

/* In doubt, the VM is not ended. */
static void test_anything_else(void **state)
{
        static const char *const texts[] = {
                "",
                "\n",
                "end_vm=yes\n",
                "shutdown=poweroff\n",
                "end_vm=maybe\nshutdown=poweroff\n",
                "end_vm=\nshutdown=poweroff\n",
                "end_vm=yes\nshutdown=power\n",
                "end_vm=yes\nshutdown=poweroffs\n",
                "xend_vm=yes\nshutdown=poweroff\n",
                "end_vm=yes shutdown=poweroff\n",
                "end_vm=yes\nshutdown=poweroff\nend_vm=?\n",
        };
        EndingRecord record;

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                assert_int_equal(parse(texts[i], &record), -EBADMSG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_as_init_writes_it),
                UNIT_TEST(test_anything_else),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
