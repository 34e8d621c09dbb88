#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"
#include "init/boot.h"

static BootLog boot_log;
static int calls;

static int call_ok(void)
{
        calls++;
        return 0;
}

static int call_fail(void)
{
        return -EPERM;
}

static int call_busy(void)
{
        return -EBUSY;
}

static void test_best_effort_goes_on_and_required_stops(void **state)
{
        const BootStep steps[] = {
                {.name = "one", .op = BOOT_CALL, .call = call_ok},
                {.name = "two", .op = BOOT_CALL, .call = call_fail},
                {.name = "three", .op = BOOT_CALL, .call = call_busy, .required = true},
                {.name = "four", .op = BOOT_CALL, .call = call_fail, .required = true},
                {.name = "five", .op = BOOT_CALL, .call = call_ok},
        };

        boot_log.n = 0;
        calls = 0;
        assert_int_equal(boot_run(&(BootTable){steps, ARRAY_SIZE(steps)}, &boot_log), -EPERM);
        assert_int_equal(calls, 1);
        assert_int_equal(boot_log.n, 4);
        assert_string_equal(boot_log.records[1].name, "two");
        assert_int_equal(boot_log.records[1].error, -EPERM);
        assert_int_equal(boot_log.records[2].error, 0); /* done before us */
        assert_true(boot_log.records[0].end <= boot_log.records[1].start);
}

static void test_symlinks(void **state)
{
        char dir[] = "/tmp/rootspan-test-XXXXXX", path[64], target[64] = "";
        BootStep steps[] = {{.name = "link", .op = BOOT_SYMLINK, .source = "/x", .target = path}};

        assert_non_null(mkdtemp(dir));
        (void)snprintf(path, sizeof(path), "%s/link", dir);
        boot_log.n = 0;
        assert_int_equal(boot_run(&(BootTable){steps, 1}, &boot_log), 0);
        assert_int_equal(boot_run(&(BootTable){steps, 1}, &boot_log), 0); /* there already */
        assert_int_equal(readlink(path, target, sizeof(target)), 2);
        assert_string_equal(target, "/x");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(dir), 0);
}

static void test_a_full_log_forgets(void **state)
{
        boot_log.n = 0;
        for (int i = 0; i < BOOT_RECORDS_MAX + 5; i++)
                boot_log_add(&boot_log, "a name that is longer than a record has room for, by far",
                             0, 0);
        assert_int_equal(boot_log.n, BOOT_RECORDS_MAX);
        assert_int_equal(strlen(boot_log.records[0].name), BOOT_NAME_MAX - 1);
}

/* Paths that are no modules are named and passed over; comments are not read as paths. */
static void test_module_list(void **state)
{
        char path[] = "/tmp/rootspan-test-XXXXXX";
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        dprintf(fd, "# virtio\n\n/none/vsock.ko\n/none/x-y.ko.xz a=1 b=2\n");
        close(fd);
        boot_log.n = 0;
        boot_load_modules(path, &boot_log);
        assert_int_equal(boot_log.n, 2);
        assert_string_equal(boot_log.records[0].name, "module vsock");
        assert_int_equal(boot_log.records[0].error, -ENOENT);
        assert_string_equal(boot_log.records[1].name, "module x-y");
        assert_int_equal(unlink(path), 0);

        boot_log.n = 0;
        boot_load_modules("/none/modules", &boot_log);
        assert_int_equal(boot_log.n, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_best_effort_goes_on_and_required_stops),
                UNIT_TEST(test_symlinks),
                UNIT_TEST(test_a_full_log_forgets),
                UNIT_TEST(test_module_list),
        };

        log_setup("test", STDERR_FILENO, LOG_FORMAT_PLAIN, 0); /* quiet */
        return RUN_TESTS(tests);
}
