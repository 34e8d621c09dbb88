#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

static void read_line(int fd, char *ret, size_t size)
{
        ssize_t n = read(fd, ret, size - 1);

        assert_true(n > 0);
        ret[n] = '\0';
}

static void test_formats(void **state)
{
        char line[2048];
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        log_setup("me", fds[1], LOG_FORMAT_PLAIN, LOG_LEVEL_INFO);
        errno = EDOM;
        log_error_errno(-ENOENT, "cannot open %s", "x");
        assert_int_equal(errno, EDOM);
        read_line(fds[0], line, sizeof(line));
        assert_string_equal(line, "me: cannot open x: No such file or directory\n");

        log_debug("hidden");
        log_setup("me", fds[1], LOG_FORMAT_LEVEL, LOG_LEVEL_DEBUG);
        log_debug("shown");
        read_line(fds[0], line, sizeof(line));
        assert_string_equal(line, "<7>me: shown\n");

        log_warning("no agent %s", "x\n<0>panic\x1b[2J\x7f\tcaf\xc3\xa9");
        read_line(fds[0], line, sizeof(line));
        assert_string_equal(line, "<4>me: no agent x?<0>panic?[2J??caf\xc3\xa9\n");

        log_warning("%02000d", 1);
        read_line(fds[0], line, sizeof(line));
        assert_int_equal(strlen(line), 1000);
        assert_int_equal(line[999], '\n');
        log_setup(NULL, STDERR_FILENO, LOG_FORMAT_PLAIN, LOG_LEVEL_INFO);
        fd_close(fds[0]);
        fd_close(fds[1]);
}

/* A reader that never reads costs lines, and they are counted; it does not stop the writer. */
static void test_full_pipe(void **state)
{
        char drain[4096], line[256];
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) > 0);
        log_setup("me", fds[1], LOG_FORMAT_PLAIN, LOG_LEVEL_INFO);
        for (int i = 0; i < 7; i++)
                log_info("%0900d", i);
        assert_true(read(fds[0], drain, sizeof(drain)) > 0);
        log_info("after");
        read_line(fds[0], line, sizeof(line));
        assert_non_null(strstr(line, "lines lost] after\n"));
        log_info("and on");
        read_line(fds[0], line, sizeof(line));
        assert_string_equal(line, "me: and on\n");
        log_setup(NULL, STDERR_FILENO, LOG_FORMAT_PLAIN, LOG_LEVEL_INFO);
        fd_close(fds[0]);
        fd_close(fds[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_formats),
                UNIT_TEST(test_full_pipe),
        };

        return RUN_TESTS(tests);
}
