#pragma once

/* OTLP's JSON form of an ExportTraceServiceRequest to its protobuf form. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Positive outcome. */
enum { FROM_JSON_E_BAD = 1 };

/* Appends to @ret what the untrusted @data says. Ids are hex, bytes base64, enums integers, 64-bit
 * integers strings or numbers; unknown fields are ignored. An id that is none becomes one that the
 * scanner finds at fault, so that it is its span's fault alone. Returns 0, -ENOBUFS, -ENOMEM, or
 * FROM_JSON_E_BAD with the name of the field at fault, or of the language, in *ret_where. What was
 * appended is of no use then. */
int otlp_from_json(const uint8_t *data, size_t n, Buffer *ret, const char **ret_where);
