#pragma once

/* The order in which the spans of a trace are shown, and how they hang together. */

#include "forward/tree.h"

typedef struct TreeRow TreeRow;

struct TreeRow {
        const TreeSpan *span;
        TreeRow *parent;
        TreeRow *first_child;
        TreeRow *next_sibling;
        size_t depth;   /* 0 for a root; orphans of a trace without any root begin at 1 */
        bool is_last;   /* among its siblings */
        bool is_orphan; /* it names a parent that is not here, or is its own ancestor */
        size_t walk;    /* for finding rings */
};

typedef struct TreeOrder {
        TreeRow **rows; /* each parent before its children, siblings by their start */
        size_t n;
        bool has_root; /* then the roots are the first rows of depth 0, and orphans the others */
        TreeRow *memory;
} TreeOrder;

/* Borrows the spans of @tree. Returns 0 or -ENOMEM. */
int tree_order(const Tree *tree, TreeOrder *ret);
void tree_order_done(TreeOrder *order);
