#pragma once

/* Random bytes straight from the kernel, never from a buffered generator: a clone of a VM snapshot
 * would repeat what the buffer held. */

#include <stddef.h>
#include <stdint.h>

/* Fills @ret with bytes of which at least one is not zero, as trace and span ids must be. They
 * differ between clones of a snapshot even while their kernels do not know that they are.
 * Does not wait for the kernel's generator to be seeded, unless there is no /dev/urandom: a guest
 * must boot. Returns 0 or -errno. */
int random_id(uint8_t *ret, size_t n);
