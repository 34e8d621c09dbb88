#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "forward/json-file.h"
#include "sample.h"

static char path[] = "/tmp/test-json-file-XXXXXX";

static void write_text(const char *text)
{
        int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
        fd_close(fd);
}

static void check_text(const char *expected)
{
        char text[4096];

        assert_true(file_read(path, text, sizeof(text)) >= 0);
        assert_string_equal(text, expected);
}

static Batch *make_batch(void)
{
        char fault[BATCH_FAULT_MAX];
        Batch *batch;

        assert_int_equal(batch_decode(sample_request, sizeof(sample_request), &batch, fault), 0);
        return batch;
}

static Sink *open_sink(size_t expected_torn)
{
        size_t torn;
        Sink *sink;

        assert_int_equal(json_file_new(path, &sink, &torn), 0);
        assert_int_equal(torn, expected_torn);
        return sink;
}

static void test_append(void **state)
{
        Batch *batch = make_batch();
        Sink *sink;

        write_text("");
        sink = open_sink(0);
        assert_int_equal(sink->ops->write(sink, batch), 0);
        assert_int_equal(sink->ops->write(sink, batch), 0);
        assert_int_equal(sink->ops->commit(sink), 0);
        check_text(SAMPLE_JSON SAMPLE_JSON);
        json_file_free(sink);

        sink = open_sink(0);
        assert_int_equal(sink->ops->write(sink, batch), 0);
        assert_int_equal(sink->ops->commit(sink), 0);
        check_text(SAMPLE_JSON SAMPLE_JSON SAMPLE_JSON);
        json_file_free(sink);
        batch_free(batch);
}

static void test_empty_request(void **state)
{
        char fault[BATCH_FAULT_MAX];
        Batch *batch;
        Sink *sink;

        write_text("");
        assert_int_equal(batch_decode(NULL, 0, &batch, fault), 0);
        sink = open_sink(0);
        assert_int_equal(sink->ops->write(sink, batch), 0);
        assert_int_equal(sink->ops->commit(sink), 0);
        check_text("");
        json_file_free(sink);
        batch_free(batch);
}

/* A last line cut off at any byte is removed, and nothing else. */
static void test_torn_line(void **state)
{
        static const char line[] = SAMPLE_JSON;
        char text[2 * sizeof(line)];

        for (size_t n = 1; n < sizeof(line) - 1; n++) {
                (void)snprintf(text, sizeof(text), "%s%.*s", line, (int)n, line);
                write_text(text);
                json_file_free(open_sink(n));
                check_text(line);
                write_text(text + sizeof(line) - 1); /* the only line */
                json_file_free(open_sink(n));
                check_text("");
        }
}

/* After a crash of the machine a file may end in zeroes. */
static void test_zeroes(void **state)
{
        char text[4096];

        write_text(SAMPLE_JSON);
        assert_int_equal(truncate(path, sizeof(SAMPLE_JSON) - 1 + 10000), 0);
        json_file_free(open_sink(10000));
        assert_int_equal(file_read(path, text, sizeof(text)), sizeof(SAMPLE_JSON) - 1);
}

static void test_foreign_file(void **state)
{
        size_t torn;
        Sink *sink;

        write_text("root:x:0:0\nthe last line");
        assert_int_equal(json_file_new(path, &sink, &torn), -EBADMSG);
        check_text("root:x:0:0\nthe last line");
        assert_int_equal(json_file_new("/none/file", &sink, &torn), -ENOENT);
        assert_int_equal(json_file_new("/tmp", &sink, &torn), -EISDIR);
}

static void test_two_writers(void **state)
{
        Sink *sink, *other;
        size_t torn;

        write_text("");
        sink = open_sink(0);
        assert_int_equal(json_file_new(path, &other, &torn), -EWOULDBLOCK);
        json_file_free(sink);
        json_file_free(open_sink(0));
}

static void limit_file_size(rlim_t size)
{
        struct rlimit limit;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = size;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A line for which there is no room leaves nothing behind; once there is room, lines follow. */
static void test_full(void **state)
{
        Batch *batch = make_batch();
        Sink *sink;

        write_text("");
        sink = open_sink(0);
        limit_file_size(sizeof(SAMPLE_JSON) - 1 + 20);
        assert_int_equal(sink->ops->write(sink, batch), 0);
        assert_int_equal(sink->ops->write(sink, batch), -EFBIG);
        check_text(SAMPLE_JSON);
        assert_int_equal(sink->ops->commit(sink), 0);
        assert_int_equal(sink->ops->write(sink, batch), -EFBIG);
        limit_file_size(RLIM_INFINITY);
        check_text(SAMPLE_JSON);
        assert_int_equal(sink->ops->write(sink, batch), 0);
        assert_int_equal(sink->ops->commit(sink), 0);
        check_text(SAMPLE_JSON SAMPLE_JSON);
        json_file_free(sink);
        batch_free(batch);
}

/* Somebody who rotates logs by copying and emptying the file does not make holes in it. */
static void test_emptied(void **state)
{
        Batch *batch = make_batch();
        Sink *sink;

        write_text(SAMPLE_JSON);
        sink = open_sink(0);
        assert_int_equal(truncate(path, 0), 0);
        assert_int_equal(sink->ops->write(sink, batch), 0);
        assert_int_equal(sink->ops->commit(sink), 0);
        check_text(SAMPLE_JSON);
        json_file_free(sink);
        batch_free(batch);
}

static void test_devices(void **state)
{
        Batch *batch = make_batch();
        size_t torn;
        Sink *sink;

        assert_int_equal(json_file_new("/dev/full", &sink, &torn), 0);
        assert_int_equal(sink->ops->write(sink, batch), -ENOSPC);
        json_file_free(sink);
        assert_int_equal(json_file_new("/dev/null", &sink, &torn), 0);
        assert_int_equal(sink->ops->write(sink, batch), 0);
        assert_int_equal(sink->ops->commit(sink), 0);
        json_file_free(sink);
        batch_free(batch);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_append),
                UNIT_TEST(test_empty_request),
                UNIT_TEST(test_torn_line),
                UNIT_TEST(test_zeroes),
                UNIT_TEST(test_foreign_file),
                UNIT_TEST(test_two_writers),
                UNIT_TEST(test_full),
                UNIT_TEST(test_emptied),
                UNIT_TEST(test_devices),
        };
        int r, fd = mkstemp(path);

        if (fd < 0)
                return EXIT_FAILURE;
        fd_close(fd);
        signal(SIGXFSZ, SIG_IGN);
        r = RUN_TESTS(tests);
        unlink(path);
        return r;
}
