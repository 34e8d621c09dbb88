#pragma once

/* Content-Encoding: gzip. */

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Appends what the gzip stream @data holds to @ret, up to the cap of that buffer. Returns 0,
 * -ENOBUFS above the cap, -EBADMSG for anything but one or more whole gzip members, or -ENOMEM. */
int gunzip(const uint8_t *data, size_t n, Buffer *ret);
