#pragma once

/* Memory in pieces, as iovec arrays describe it: the guest chooses how its buffers are cut. */

#include <stddef.h>
#include <sys/uio.h>

/* Copies the first @size bytes of the pieces, which must have as many. */
void pieces_read(const struct iovec *pieces, void *ret, size_t size);
void pieces_write(const struct iovec *pieces, const void *data, size_t size);

/* Writes what is left of @n pieces behind their first @bytes to @ret, which may be @pieces itself.
 * Returns how many pieces those are. */
size_t pieces_skip(const struct iovec *pieces, size_t n, size_t bytes, struct iovec *ret);

/* Shortens @n pieces to at most @bytes. Returns how many pieces are left. */
size_t pieces_cut(struct iovec *pieces, size_t n, size_t bytes);
