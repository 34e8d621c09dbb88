/* Ordering a trace. Any bytes may come as ids, so spans may lack parents, share ids, or be each
 * other's parents: what cannot be reached from a root is an orphan, and of two spans that share an
 * id one is shown. Nothing here recurses, since a trace may be one long chain. */

#include "forward/tree-order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

static int compare_ids(const SpanId *a, const SpanId *b)
{
        return memcmp(a->bytes, b->bytes, SPAN_ID_SIZE);
}

/* Rows lie in memory in the order in which their spans came. */
static int compare_age(const TreeRow *a, const TreeRow *b)
{
        return a < b ? -1 : a > b;
}

static int by_id(const void *left, const void *right)
{
        const TreeRow *a = *(TreeRow *const *)left, *b = *(TreeRow *const *)right;

        return compare_ids(&a->span->id, &b->span->id) ?: compare_age(a, b);
}

static int by_start(const void *left, const void *right)
{
        const TreeRow *a = *(TreeRow *const *)left, *b = *(TreeRow *const *)right;

        if (a->span->start != b->span->start)
                return a->span->start < b->span->start ? -1 : 1;
        if (a->span->end != b->span->end) /* the longer one first: it may enclose the other */
                return a->span->end > b->span->end ? -1 : 1;
        return compare_age(a, b);
}

/* Keeps the first of each id; returns how many remain. */
static size_t drop_duplicates(TreeRow **sorted, size_t n)
{
        size_t kept = 0;

        for (size_t i = 0; i < n; i++)
                if (kept == 0 || compare_ids(&sorted[kept - 1]->span->id, &sorted[i]->span->id))
                        sorted[kept++] = sorted[i];
        return kept;
}

static int compare_key(const void *key, const void *item)
{
        return compare_ids(key, &(*(TreeRow *const *)item)->span->id);
}

static void find_parents(TreeRow **sorted, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                TreeRow *row = sorted[i], **found;

                if (row->span->is_root || !span_id_is_valid(&row->span->parent))
                        continue;
                found = bsearch(&row->span->parent, sorted, n, sizeof(*sorted), compare_key);
                row->parent = found ? *found : NULL;
                row->is_orphan = !found;
        }
}

/* Walks up from every row until there is no parent or the rows are known. A walk that meets itself
 * has found a ring, and opens it. */
static void open_rings(TreeRow **rows, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                TreeRow *row = rows[i];

                while (row && row->walk == 0) {
                        row->walk = i + 1;
                        row = row->parent;
                }
                if (row && row->walk == i + 1) {
                        row->parent = NULL;
                        row->is_orphan = true;
                }
        }
}

/* Links children to parents, and rows without one to each other, roots before orphans. @rows is in
 * the order of siblings. Returns the first. */
static TreeRow *link_rows(TreeRow **rows, size_t n)
{
        TreeRow *roots = NULL, *orphans = NULL, **end = &roots;

        for (size_t i = n; i-- > 0;) {
                TreeRow *row = rows[i];
                TreeRow **head = row->parent      ? &row->parent->first_child
                                 : row->is_orphan ? &orphans
                                                  : &roots;

                row->next_sibling = *head;
                *head = row;
        }
        while (*end)
                end = &(*end)->next_sibling;
        *end = orphans;
        return roots;
}

static void list_rows(TreeRow *row, size_t depth, TreeRow **ret)
{
        while (row) {
                row->depth = depth;
                row->is_last = !row->next_sibling;
                *ret++ = row;
                if (row->first_child) {
                        row = row->first_child;
                        depth++;
                        continue;
                }
                while (row && !row->next_sibling) {
                        row = row->parent;
                        depth--;
                }
                if (row)
                        row = row->next_sibling;
        }
}

int tree_order(const Tree *tree, TreeOrder *ret)
{
        TreeOrder order = {
                .memory = calloc(tree->n + 1, sizeof(TreeRow)),
                .rows = calloc(tree->n + 1, sizeof(TreeRow *)),
        };
        TreeRow *first;

        if (!order.memory || !order.rows) {
                tree_order_done(&order);
                return -ENOMEM;
        }
        for (size_t i = 0; i < tree->n; i++) {
                order.memory[i].span = &tree->spans[i];
                order.rows[i] = &order.memory[i];
        }
        qsort(order.rows, tree->n, sizeof(TreeRow *), by_id);
        order.n = drop_duplicates(order.rows, tree->n);
        find_parents(order.rows, order.n);
        qsort(order.rows, order.n, sizeof(TreeRow *), by_start);
        open_rings(order.rows, order.n);
        first = link_rows(order.rows, order.n);
        order.has_root = first && !first->is_orphan;
        list_rows(first, order.has_root ? 0 : 1, order.rows);
        *ret = order;
        return 0;
}

void tree_order_done(TreeOrder *order)
{
        free(order->rows);
        free(order->memory);
        *order = (TreeOrder){0};
}
