#pragma once

/* A sink: a file of OTLP JSON lines, one per request. */

#include "forward/sink.h"

/* Opens or creates the file at @path, and keeps other writers of ours out of it. A last line that
 * a crash has cut off is removed; *ret_torn says how many bytes that were. @path is borrowed.
 * Returns 0, -EWOULDBLOCK if another process of ours writes to the file, -EBADMSG if its last
 * line is cut off and none of ours, or -errno. */
int json_file_new(const char *path, Sink **ret, size_t *ret_torn);
Sink *json_file_free(Sink *sink);
