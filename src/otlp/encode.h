#pragma once

/* Spans of the model to an OTLP request, by protobuf-c. */

#include <stddef.h>

#include "base/buffer.h"
#include "otlp/span.h"

/* Appends an ExportTraceServiceRequest to @ret: one resource, one scope, @n spans of the trace
 * @trace_id. Requests appended one behind the other are one valid request (the message is a single
 * repeated field). Text that is no UTF-8, for which a strict host would refuse the whole request,
 * becomes a bytes value where it is an attribute's value, and is replaced elsewhere. Returns 0,
 * -ENOBUFS above the buffer's cap, or -ENOMEM. */
int otlp_encode_request(const TraceId *trace_id, const Attributes *resource, const Span *spans,
                        size_t n, Buffer *ret);
