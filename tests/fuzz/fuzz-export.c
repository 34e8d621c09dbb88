/* The body of an export request: what is accepted becomes one line of valid JSON, and a tree that
 * can do a terminal no harm. */

#include <locale.h>
#include <yajl/yajl_tree.h>

#include "base/buffer.h"
#include "base/utf8.h"
#include "forward/batch.h"
#include "forward/otlp-json.h"
#include "forward/trace-set.h"
#include "forward/tree.h"
#include "fuzz.h"

static void check_json(const Batch *batch)
{
        char error[256];
        yajl_val tree;
        Buffer text;
        size_t n;

        buffer_init(&text, SIZE_MAX);
        assert(otlp_json_append(batch->request, &text) == 0);
        n = buffer_length(&text);
        assert(n > 0 && memchr(buffer_data(&text), '\n', n) == buffer_data(&text) + n - 1);
        buffer_data(&text)[n - 1] = '\0';
        tree = yajl_tree_parse((char *)buffer_data(&text), error, sizeof(error));
        assert(tree && YAJL_IS_OBJECT(tree));
        yajl_tree_free(tree);
        buffer_done(&text);
}

static void check_text(const Buffer *text)
{
        const uint8_t *data = buffer_data(text);
        size_t n = buffer_length(text);

        assert(n > 0 && utf8_is_valid(data, n));
        for (size_t i = 0; i < n; i++)
                assert((data[i] >= ' ' || data[i] == '\n') && data[i] != 0x7f &&
                       !(data[i] == 0xc2 && data[i + 1] < 0xa0)); /* C1 */
}

static void check_trees(const Batch *batch)
{
        const TreeStyle style = {TREE_WIDTH_MIN, false};
        TraceSet *set;
        Trace *trace;
        Buffer text;

        assert(trace_set_new(SIZE_MAX, SIZE_MAX, &set) == 0);
        assert(trace_set_add(set, batch) == 0);
        while ((trace = trace_set_take(set, true))) {
                buffer_init(&text, SIZE_MAX);
                assert(tree_append(&trace->tree, &style, &text) == 0);
                check_text(&text);
                buffer_done(&text);
                trace_free(trace);
        }
        trace_set_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        char fault[BATCH_FAULT_MAX] = "";
        Batch *batch;
        int r;

        assert(setlocale(LC_CTYPE, "C.UTF-8"));
        r = batch_decode(data, n, &batch, fault);
        if (r != 0) {
                assert(r == BATCH_E_BAD && fault[0] != '\0');
                return 0;
        }
        check_json(batch);
        check_trees(batch);
        batch_free(batch);
        return 0;
}
