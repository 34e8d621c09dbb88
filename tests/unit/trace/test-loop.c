#include "test.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "trace/loop.h"

/* What happened, one letter each. */
typedef struct Journal {
        Loop loop;
        char text[16];
        size_t n;
        size_t until;
} Journal;

typedef struct Entry {
        Journal *journal;
        char letter;
        LoopWatch watch;
        LoopTimer timer;
        LoopWatch *removes; /* by the way */
} Entry;

static void note(Entry *entry)
{
        Journal *journal = entry->journal;

        journal->text[journal->n++] = entry->letter;
        if (journal->n == journal->until)
                loop_stop(&journal->loop);
}

static void on_ready(void *owner, uint32_t events)
{
        Entry *entry = owner;

        if (entry->removes)
                loop_unwatch(&entry->journal->loop, entry->removes);
        note(entry);
}

static void on_timer(void *owner)
{
        note(owner);
}

static void entry_init(Entry *entry, Journal *journal, char letter)
{
        *entry = (Entry){.journal = journal,
                         .letter = letter,
                         .watch = {.fd = -EBADF, .ready = on_ready, .owner = entry}};
        loop_add_timer(&journal->loop, &entry->timer, on_timer, entry);
}

static void test_timers_fire_in_order(void **state)
{
        Journal journal = {0};
        Entry a, b, c;
        nsec_t now = clock_boottime();

        assert_int_equal(loop_init(&journal.loop), 0);
        entry_init(&a, &journal, 'a');
        entry_init(&b, &journal, 'b');
        entry_init(&c, &journal, 'c');
        a.timer.deadline = now + 3 * NSEC_PER_MSEC;
        b.timer.deadline = now + 2 * NSEC_PER_MSEC;
        c.timer.deadline = now + 1 * NSEC_PER_MSEC;
        loop_remove_timer(&journal.loop, &b.timer);
        journal.until = 2;
        assert_int_equal(loop_run(&journal.loop), 0);
        assert_string_equal(journal.text, "ca");
        assert_true(clock_boottime() >= now + 3 * NSEC_PER_MSEC);
        assert_true(a.timer.deadline == NSEC_INFINITY);
        loop_done(&journal.loop);
}

/* Both are ready; the first one called takes the other away, which must not be called then. */
static void test_removed_while_ready(void **state)
{
        Journal journal = {0};
        Entry a, b, end;
        int first[2], second[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, first), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, second), 0);
        assert_int_equal(loop_init(&journal.loop), 0);
        entry_init(&a, &journal, 'x');
        entry_init(&b, &journal, 'x');
        entry_init(&end, &journal, 'e');
        a.removes = &b.watch;
        b.removes = &a.watch;
        assert_int_equal(loop_watch(&journal.loop, &a.watch, first[0], EPOLLOUT), 0);
        assert_int_equal(loop_watch(&journal.loop, &b.watch, second[0], EPOLLIN), 0);
        assert_int_equal(loop_watch(&journal.loop, &b.watch, second[0], EPOLLOUT), 0);
        journal.until = 1;
        assert_int_equal(loop_run(&journal.loop), 0);
        assert_true((a.watch.fd < 0) != (b.watch.fd < 0));
        loop_unwatch(&journal.loop, &a.watch);
        loop_unwatch(&journal.loop, &b.watch);
        close(first[0]);
        close(first[1]);
        close(second[0]);
        close(second[1]);
        loop_done(&journal.loop);
}

/* A descriptor that is always ready starves neither another one nor a timer. */
static void test_fairness(void **state)
{
        Journal journal = {0};
        Entry a, b, timer;
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        assert_int_equal(loop_init(&journal.loop), 0);
        entry_init(&a, &journal, 'a');
        entry_init(&b, &journal, 'b');
        entry_init(&timer, &journal, 't');
        assert_int_equal(loop_watch(&journal.loop, &a.watch, fds[0], EPOLLOUT), 0);
        assert_int_equal(loop_watch(&journal.loop, &b.watch, fds[1], EPOLLOUT), 0);
        timer.timer.deadline = clock_boottime();
        journal.until = 4;
        assert_int_equal(loop_run(&journal.loop), 0);
        assert_non_null(strchr(journal.text, 'a'));
        assert_non_null(strchr(journal.text, 'b'));
        assert_non_null(strchr(journal.text, 't'));
        close(fds[0]);
        close(fds[1]);
        loop_done(&journal.loop);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_timers_fire_in_order),
                UNIT_TEST(test_removed_while_ready),
                UNIT_TEST(test_fairness),
        };

        return RUN_TESTS(tests);
}
