#include "test.h"

#include <errno.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/address.h"
#include "base/fd.h"
#include "base/macro.h"

static int parse(const char *text, Address *ret)
{
        return address_parse(text, strlen(text), ret);
}

static void test_forms(void **state)
{
        static const struct {
                const char *text, *formatted;
        } good[] = {
                {"vsock://2:10240", "vsock://2:10240"},
                {"vsock://host:10240", "vsock://2:10240"},
                {"vsock://local:1", "vsock://1:1"},
                {"vsock://any:10240", "vsock://any:10240"},
                {"vsock://-1:1024", "vsock://any:1024"},
                {"vsock://4294967295:0", "vsock://any:0"},
                {"unix:/run/x.sock_10240", "unix:/run/x.sock_10240"},
                {"http://127.0.0.1:4318", "http://127.0.0.1:4318"},
                {"http://0.0.0.0:65535", "http://0.0.0.0:65535"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                char text[ADDRESS_TEXT_MAX];
                Address address;

                assert_int_equal(parse(good[i].text, &address), 0);
                address_format(&address, text);
                assert_string_equal(text, good[i].formatted);
        }
}

static void test_refused(void **state)
{
        static const char *const bad[] = {
                "", "vsock:", "vsock://", "vsock://2", "vsock://2:", "vsock://:1", "vsock://x:1",
                "vsock://2:4294967295", "vsock://2: 1", "vsock://2:1/", "vsock://4294967296:1",
                "unix:", "unix:x", "unix", "http://localhost:4318", "http://127.0.0.1",
                "http://127.0.0.1:65536", "http://127.0.0.1:4318/v1/traces", "https://127.0.0.1:1",
                "http://1.2.3.4.5:1", "http://256.1.1.1:1", "127.0.0.1:4318", "VSOCK://2:1",
        };
        Address address = {.port = 42};

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(parse(bad[i], &address), -EINVAL);
        assert_int_equal(address_parse("unix:/a\0b", 9, &address), -EINVAL);
        assert_int_equal(address.port, 42);
}

static void test_longest_path(void **state)
{
        char text[5 + ADDRESS_PATH_MAX + 2] = "unix:/";
        char formatted[ADDRESS_TEXT_MAX];
        struct sockaddr_storage storage;
        Address address;

        memset(text + 6, 'x', ADDRESS_PATH_MAX - 1);
        assert_int_equal(parse(text, &address), 0);
        address_format(&address, formatted);
        assert_string_equal(formatted, text);
        assert_int_equal(address_to_sockaddr(&address, &storage), sizeof(struct sockaddr_un));

        text[5 + ADDRESS_PATH_MAX] = 'x';
        assert_int_equal(parse(text, &address), -EINVAL);
}

static void test_sockaddr(void **state)
{
        struct sockaddr_storage storage;
        Address address;

        assert_int_equal(parse("vsock://2:10240", &address), 0);
        assert_int_equal(address_to_sockaddr(&address, &storage), sizeof(struct sockaddr_vm));
        assert_int_equal(((struct sockaddr_vm *)&storage)->svm_cid, 2);
        assert_int_equal(((struct sockaddr_vm *)&storage)->svm_port, 10240);

        assert_int_equal(parse("http://127.0.0.1:4318", &address), 0);
        assert_int_equal(address_to_sockaddr(&address, &storage), sizeof(struct sockaddr_in));
        assert_int_equal(((struct sockaddr_in *)&storage)->sin_port, htons(4318));
        assert_int_equal(((struct sockaddr_in *)&storage)->sin_addr.s_addr, htonl(0x7f000001));
}

static void test_connect(void **state)
{
        char dir[] = "/tmp/rootspan-test-XXXXXX", text[64];
        _cleanup_(fd_closep) int listener = -EBADF, fd = -EBADF;
        struct sockaddr_storage storage;
        Address address;
        socklen_t n;

        assert_non_null(mkdtemp(dir));
        (void)snprintf(text, sizeof(text), "unix:%s/s", dir);
        assert_int_equal(parse(text, &address), 0);
        assert_int_equal(address_connect(&address, &fd), -ENOENT);
        assert_int_equal(fd, -EBADF);

        listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        n = address_to_sockaddr(&address, &storage);
        assert_int_equal(bind(listener, (struct sockaddr *)&storage, n), 0);
        assert_int_equal(address_connect(&address, &fd), -ECONNREFUSED);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(address_connect(&address, &fd), 0);
        assert_true(fd >= 0);

        assert_int_equal(unlink(address.path), 0);
        assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_forms),    UNIT_TEST(test_refused), UNIT_TEST(test_longest_path),
                UNIT_TEST(test_sockaddr), UNIT_TEST(test_connect),
        };

        return RUN_TESTS(tests);
}
