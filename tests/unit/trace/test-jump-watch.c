#include "test.h"

#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "trace/jump-watch.h"

/* In a network namespace of our own we may have the kernel say what we like: it broadcasts what it
 * is sent, as its own message (uevent_net_rcv_skb() in lib/kobject_uevent.c). */

#define OTHER "add@/devices/x\0ACTION=add"
#define RESUMED "change@/devices/x\0ACTION=change\0NEW_VMGENID=1"

typedef struct Fixture {
        Loop loop;
        JumpWatch watch;
        LoopTimer guard;
        unsigned vmgenids;
} Fixture;

static void on_vmgenid(void *owner)
{
        Fixture *f = owner;

        f->vmgenids++;
        loop_stop(&f->loop);
}

static void on_clock_set(void *owner)
{
        _exit(20); /* nobody sets the clock here */
}

static void on_guard(void *owner)
{
        _exit(21);
}

static void say(int fd, const char *text, size_t n)
{
        struct {
                struct nlmsghdr head;
                char text[64];
        } message = {.head = {.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + n),
                              .nlmsg_type = NLMSG_MIN_TYPE, .nlmsg_flags = NLM_F_REQUEST}};

        memcpy(message.text, text, n);
        if (send(fd, &message, message.head.nlmsg_len, 0) < 0)
                _exit(22);
}

/* A program that says the same to all, itself. */
static void forge(int fd)
{
        struct sockaddr_nl group = {.nl_family = AF_NETLINK, .nl_groups = 1};

        if (sendto(fd, RESUMED, sizeof(RESUMED), 0, (struct sockaddr *)&group, sizeof(group)) < 0)
                _exit(23);
}

static int run_in_namespace(void)
{
        Fixture f = {0};
        int fd;

        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
                return 77;
        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
        if (fd < 0 || loop_init(&f.loop) < 0)
                return 1;
        loop_add_timer(&f.loop, &f.guard, on_guard, &f);
        jump_watch_init(&f.watch, &f.loop, on_vmgenid, on_clock_set, &f);
        say(fd, RESUMED, sizeof(RESUMED)); /* before anybody listens */
        if (jump_watch_start(&f.watch) < 0)
                return 2;
        for (unsigned expected = 1; expected <= 2; expected++) {
                f.guard.deadline = nsec_add(clock_boottime(), 20 * NSEC_PER_SEC);
                f.loop.stopped = false;
                if (loop_run(&f.loop) < 0 || f.vmgenids != expected)
                        return 3;
                forge(fd);
                say(fd, OTHER, sizeof(OTHER));
                say(fd, RESUMED, sizeof(RESUMED));
        }
        jump_watch_done(&f.watch);
        loop_done(&f.loop);
        fd_close(fd);
        return 0;
}

static void test_vmgenid(void **state)
{
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0)
                _exit(run_in_namespace());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                skip(); /* this kernel gives no user namespaces to us */
        assert_int_equal(status, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_vmgenid),
        };

        log_setup("test-jump-watch", -1, LOG_FORMAT_PLAIN, LOG_LEVEL_ERROR);
        return RUN_TESTS(tests);
}
