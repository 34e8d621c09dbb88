/* Renders traces and compares them with the files in golden/, whose directory is the argument. */

#include "test.h"

#include <assert.h>
#include <locale.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/parse.h"
#include "forward/tree.h"

static const char *directory;

/* Since when the traces here run, and their unit of time. */
#define EPOCH UINT64_C(1700000000000000000)
#define MS NSEC_PER_MSEC

static TreeSpan span(unsigned id, unsigned parent, const char *name, nsec_t start, nsec_t end)
{
        TreeSpan made = {
                .id = {{[6] = (uint8_t)(id >> 8), [7] = (uint8_t)id}},
                .parent = {{[6] = (uint8_t)(parent >> 8), [7] = (uint8_t)parent}},
                .is_root = parent == 0,
                .start = EPOCH + start,
                .end = EPOCH + end,
                .name = name,
                .service = "rootspan",
                .host = "vm-1",
                .message = "",
                .process = "",
        };

        return made;
}

static TreeSpan failed(TreeSpan made, const char *message)
{
        made.is_error = true;
        made.message = message;
        return made;
}

static TreeSpan of_service(TreeSpan made, const char *service)
{
        made.service = service;
        return made;
}

static Tree tree_of(const TreeSpan *spans, size_t n)
{
        Tree tree = {.spans = spans, .n = n};

        assert_int_equal(parse_hex("0af7651916cd43dd8448eb211c80319c", 32, tree.id.bytes,
                                   TRACE_ID_SIZE), 0);
        return tree;
}

static void check_golden(const char *name, const Tree *tree, TreeStyle style)
{
        static char expected[64 * 1024];
        char path[4096];
        Buffer text;

        buffer_init(&text, SIZE_MAX);
        assert_int_equal(tree_append(tree, &style, &text), 0);
        assert_int_equal(buffer_append(&text, "", 1), 0);
        (void)snprintf(path, sizeof(path), "%s/%s.txt", directory, name);
        assert_true(file_read(path, expected, sizeof(expected)) >= 0);
        assert_string_equal((char *)buffer_data(&text), expected);
        buffer_done(&text);
}

#define CHECK_GOLDEN(name, spans, width, color)                                                    \
        do {                                                                                       \
                Tree tree_ = tree_of(spans, sizeof(spans) / sizeof((spans)[0]));                   \
                check_golden(name, &tree_, (TreeStyle){width, color});                             \
        } while (0)

/* A guest whose agent was killed, in the order in which the spans come. */
static void test_guest(void **state)
{
        TreeSpan spans[] = {
                span(2, 1, "kernel", 0, 300 * MS),
                span(4, 3, "mount /proc", 301 * MS, 302 * MS),
                failed(span(5, 3, "network", 303 * MS, 329 * MS), "No such device"),
                span(3, 1, "boot", 300 * MS, 330 * MS),
                of_service(span(8, 6, "GET /a/long/name/that/goes/on/and/on/and/on", 500 * MS,
                                700 * MS), "node"),
                of_service(span(9, 8, "SELECT", 650 * MS, 650 * MS + 1500), "node"),
                failed(span(6, 1, "agent", 330 * MS, 1200 * MS), "killed by signal 9 (SIGKILL)"),
                failed(span(1, 0, "guest", 0, 1210 * MS), "killed by signal 9 (SIGKILL)"),
        };

        spans[6].process = "signal 9"; /* which the message says already */
        CHECK_GOLDEN("guest", spans, 100, false);
        CHECK_GOLDEN("guest-color", spans, 100, true);
        CHECK_GOLDEN("guest-narrow", spans, TREE_WIDTH_MIN, false);
}

/* An exit code is told even if the span has no message, or is no error at all. */
static void test_process(void **state)
{
        TreeSpan spans[] = {
                span(1, 0, "guest", 0, 3725 * NSEC_PER_SEC),
                failed(span(2, 1, "first", 0, 65 * NSEC_PER_SEC), ""),
                span(3, 1, "second", 65 * NSEC_PER_SEC, 3720 * NSEC_PER_SEC),
                failed(span(4, 1, "third", 3720 * NSEC_PER_SEC, 3725 * NSEC_PER_SEC), "out of luck"),
        };

        spans[1].process = spans[2].process = spans[3].process = "exit code 3";
        CHECK_GOLDEN("process", spans, 100, false);
}

static void test_without_root(void **state)
{
        TreeSpan spans[] = {
                span(2, 1, "kernel", 0, 300 * MS),
                span(4, 3, "mount /proc", 301 * MS, 302 * MS),
                span(3, 1, "boot", 300 * MS, 330 * MS),
        };
        Tree tree = tree_of(spans, 3);

        CHECK_GOLDEN("without-root", spans, 100, false);
        tree.is_early = true;
        check_golden("early", &tree, (TreeStyle){100, false});
        tree.is_early = false;
        tree.is_rest = true;
        check_golden("rest", &tree, (TreeStyle){100, false});
}

/* Spans that lack a parent, that are each other's parents or their own, that come twice; two
 * roots. */
static void test_odd_relations(void **state)
{
        TreeSpan spans[] = {
                span(7, 6, "ring 7", 20 * MS, 30 * MS),
                span(6, 7, "ring 6", 10 * MS, 40 * MS),
                span(5, 5, "own parent", 5 * MS, 6 * MS),
                span(4, 99, "orphan", 1 * MS, 2 * MS),
                span(3, 1, "child", 1 * MS, 2 * MS),
                span(3, 2, "child again", 1 * MS, 2 * MS),
                span(2, 0, "other root", 50 * MS, 60 * MS),
                span(1, 0, "root", 0, 60 * MS),
        };

        CHECK_GOLDEN("odd-relations", spans, 100, false);
}

/* Times that make no sense still give rows of the right form. */
static void test_odd_times(void **state)
{
        TreeSpan spans[] = {
                span(1, 0, "root", 0, 10),
                span(2, 1, "ends before it starts", 5, 2),
                span(3, 1, "no time", 0, 0),
                span(4, 1, "largest", 0, 0),
        };

        spans[3].start = 0;
        spans[3].end = UINT64_MAX;
        CHECK_GOLDEN("odd-times", spans, 100, false);
        CHECK_GOLDEN("instant", ((TreeSpan[]){span(1, 0, "root", 5, 5)}), 100, false);
}

static void test_hostile_text(void **state)
{
        TreeSpan spans[] = {
                failed(span(1, 0, "\033]0;title\a\033[2J", 0, 10 * MS), "\r\nTrace \xff\xfe\033[31m"),
                of_service(span(2, 1, "日本語のとても長い名前です。まだまだ続きます。おわり", 1 * MS,
                                9 * MS), "\u202eevil"),
                of_service(span(3, 1, "", 2 * MS, 8 * MS), ""),
        };

        spans[0].host = "a\nb\033c";
        CHECK_GOLDEN("hostile-text", spans, 100, false);
}

/* One span below the other, beyond the room for indentation. */
static void test_deep(void **state)
{
        static TreeSpan spans[40];
        Tree tree;

        for (unsigned i = 0; i < 40; i++)
                spans[i] = span(i + 1, i, "a span with a name", i * MS, (80 - i) * MS);
        spans[25] = failed(spans[25], "deep down");
        tree = tree_of(spans, 40);
        check_golden("deep", &tree, (TreeStyle){100, false});
}

/* As many spans as a request may have, in one chain or below one parent: no recursion, and no time
 * that grows with the square of their number (this would take minutes). */
static void test_large(void **state)
{
        enum { N = 60000 };
        TreeSpan *spans = calloc(N, sizeof(*spans));
        const TreeStyle style = {100, false};
        Tree tree;
        Buffer text;

        for (unsigned i = 0; i < N; i++)
                spans[i] = span(i + 1, i, "x", i, N);
        tree = tree_of(spans, N);
        buffer_init(&text, SIZE_MAX);
        assert_int_equal(tree_append(&tree, &style, &text), 0);
        for (unsigned i = 1; i < N; i++)
                spans[i].parent = spans[0].id;
        assert_int_equal(tree_append(&tree, &style, &text), 0);
        buffer_done(&text);
        free(spans);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                UNIT_TEST(test_guest),
                UNIT_TEST(test_process),
                UNIT_TEST(test_without_root),
                UNIT_TEST(test_odd_relations),
                UNIT_TEST(test_odd_times),
                UNIT_TEST(test_hostile_text),
                UNIT_TEST(test_deep),
                UNIT_TEST(test_large),
        };

        assert(argc == 2);
        directory = argv[1];
        assert(setlocale(LC_CTYPE, "C.UTF-8"));
        return RUN_TESTS(tests);
}
