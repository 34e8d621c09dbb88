#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/listener.h"

static char dir[] = "/tmp/rootspan-test-XXXXXX";

static Address here(void)
{
        char path[64];
        Address address;

        (void)snprintf(path, sizeof(path), "%s/s", dir);
        assert_int_equal(address_from_path(path, &address), 0);
        return address;
}

static void test_listens_and_cleans_up(void **state)
{
        Address address = here();
        Listener listener, second;
        int fd;

        assert_int_equal(listener_init(&listener, &address), 0);
        assert_int_equal(address_connect(&address, &fd), 0);
        fd_close(fd);
        assert_int_equal(listener_init(&second, &address), -EADDRINUSE);
        listener_done(&listener);
        assert_int_equal(access(address.path, F_OK), -1);
}

/* What a killed process left behind is replaced. */
static void test_stale_socket(void **state)
{
        Address address = here();
        Listener listener, second;

        assert_int_equal(listener_init(&listener, &address), 0);
        fd_close(listener.fd);
        assert_int_equal(listener_init(&second, &address), 0);
        listener_done(&second);
}

static void test_other_files_are_left_alone(void **state)
{
        Address address = here();
        Listener listener;
        int fd = open(address.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        fd_close(fd);
        assert_int_equal(listener_init(&listener, &address), -EEXIST);
        assert_int_equal(unlink(address.path), 0);

        /* A socket that replaced ours meanwhile is not ours to remove. */
        assert_int_equal(listener_init(&listener, &address), 0);
        assert_int_equal(unlink(address.path), 0);
        assert_int_equal(mkdir(address.path, 0700), 0);
        listener_done(&listener);
        assert_int_equal(rmdir(address.path), 0);
}

static void test_long_path(void **state)
{
        char path[ADDRESS_PATH_MAX + 2];
        Address address;

        memset(path, 'x', sizeof(path));
        path[ADDRESS_PATH_MAX + 1] = '\0';
        assert_int_equal(address_from_path(path, &address), -ENAMETOOLONG);
        path[ADDRESS_PATH_MAX] = '\0';
        assert_int_equal(address_from_path(path, &address), 0);
        assert_string_equal(address.path, path);
}

static int set_up(void **state)
{
        return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
        return rmdir(dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_listens_and_cleans_up),
                UNIT_TEST(test_stale_socket),
                UNIT_TEST(test_other_files_are_left_alone),
                UNIT_TEST(test_long_path),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
