#pragma once

/* A trace's id replaced in encoded spans. */

#include <stddef.h>
#include <stdint.h>

#include "otlp/span.h"

/* Where a span or a link in the @n bytes of an ExportTraceServiceRequest has the trace id @from,
 * writes @to. Ids have one length, so nothing moves. What is malformed is left as it is. */
void otlp_retrace(uint8_t *data, size_t n, const TraceId *from, const TraceId *to);
