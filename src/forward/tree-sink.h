#pragma once

/* A sink: traces as trees on a terminal or in a file. It shows and does not store, so it never
 * refuses a batch; put it behind those that store. */

#include "forward/sink.h"
#include "forward/tree.h"

/* Writes to @fd, which is borrowed. Returns 0 or -ENOMEM. */
int tree_sink_new(int fd, const TreeStyle *style, Sink **ret);

/* Prints the traces that are still without a root span. */
void tree_sink_finish(Sink *sink);
Sink *tree_sink_free(Sink *sink);
