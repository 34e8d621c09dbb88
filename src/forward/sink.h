#pragma once

/* Where spans go. A sink takes batches one by one and makes a whole group of them safe at once, so
 * that many requests share what that costs. Embed Sink as the first member. */

#include "forward/batch.h"

typedef struct Sink Sink;

typedef struct SinkOps {
        /* Takes one more batch into the present group. Returns 0, or -errno, and then nothing of
         * the batch is left in the sink. */
        int (*write)(Sink *sink, const Batch *batch);

        /* Ends the group. Returns 0 when all of it is where it should be, or -errno, and then
         * nothing of it is. */
        int (*commit)(Sink *sink);
} SinkOps;

struct Sink {
        const SinkOps *ops;
        const char *name; /* for log lines */
};
