/* In user, network and mount namespaces of its own, so that nobody else's ports and files are
 * touched. */

#include "test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "init/receiver.h"

enum { PORT = 4318 };

static void map_ids(const char *path, unsigned id)
{
        char map[32];

        (void)snprintf(map, sizeof(map), "0 %u 1", id);
        assert_int_equal(file_write(path, map), 0);
}

static void enter_namespaces(void)
{
        unsigned user = geteuid(), group = getegid();

        assert_int_equal(unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS), 0);
        (void)file_write("/proc/self/setgroups", "deny");
        map_ids("/proc/self/uid_map", user);
        map_ids("/proc/self/gid_map", group);
        assert_int_equal(mount("none", "/run", "tmpfs", 0, NULL), 0);
}

static void raise_loopback(void)
{
        struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
        fd_close(fd);
}

static void assert_reachable(const Address *address)
{
        int fd;

        assert_int_equal(address_connect(address, &fd), 0);
        assert_int_equal(fd_set_nonblock(fd, 0), 0);
        fd_close(fd);
}

static const Address unix_address = {.kind = ADDRESS_UNIX, .path = "/run/rootspan/otlp.sock"};

static void check_both(void)
{
        Receiver receiver, again;
        struct stat st;

        raise_loopback();
        assert_int_equal(receiver_open(&receiver), 0);
        assert_int_equal(receiver.n, 2);
        assert_int_equal(receiver.address.port, PORT);
        assert_int_equal(receiver.address.ip, INADDR_LOOPBACK);
        assert_int_equal(strlen(receiver.token), 32);
        assert_int_equal(strspn(receiver.token, "0123456789abcdef"), 32);
        assert_reachable(&receiver.address);
        assert_reachable(&unix_address);
        assert_int_equal(stat(unix_address.path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0666);

        /* Somebody else has both now. */
        assert_int_equal(receiver_open(&again), 0);
        assert_int_equal(again.n, 1);
        assert_int_not_equal(again.address.port, PORT);
        assert_int_not_equal(again.address.port, 0);
        assert_reachable(&again.address);
        assert_string_not_equal(again.token, receiver.token);
        receiver_close(&again);
        receiver_close(&receiver);
        assert_int_equal(receiver.n, 0);
        assert_int_not_equal(access(unix_address.path, F_OK), 0);
}

static void check_without_directory(void)
{
        Receiver receiver;
        int fd = open("/run/rootspan", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        fd_close(fd);
        raise_loopback();
        assert_int_equal(receiver_open(&receiver), 0);
        assert_int_equal(receiver.n, 1);
        assert_reachable(&receiver.address);
        receiver_close(&receiver);
}

/* A failed assertion ends the child, which shows in its status. */
static void run_apart(void (*check)(void))
{
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0) {
                log_setup("test-receiver", -1, LOG_FORMAT_PLAIN, LOG_LEVEL_ERROR);
                enter_namespaces();
                check();
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void test_both_sockets(void **state)
{
        run_apart(check_both);
}

static void test_one_socket(void **state)
{
        run_apart(check_without_directory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_both_sockets),
                UNIT_TEST(test_one_socket),
        };

        return RUN_TESTS(tests);
}
