#pragma once

/* The JSON form of a request, in OTLP's own mapping: ids in hex, enums as integers, 64-bit integers
 * as strings, bytes in base64, names in lowerCamelCase, default values left out. */

#include "otlp.pb-c.h"

#include "base/buffer.h"

/* Appends one line, with its LF. Text that is no UTF-8 has U+FFFD in place of what is wrong.
 * Returns 0, -ENOBUFS above the buffer's cap, -ENOMEM, or -E2BIG for values nested deeper than
 * yajl goes (128 levels of JSON, more than otlp/scan.h lets pass). */
int otlp_json_append(const Otlp__ExportTraceServiceRequest *request, Buffer *ret);
