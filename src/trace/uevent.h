#pragma once

/* The kernel's messages about its devices (NETLINK_KOBJECT_UEVENT). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Do the @n bytes of @data, one message, say that the VM is another one now (VMGenID): a snapshot
 * was resumed? */
bool uevent_is_new_vmgenid(const uint8_t *data, size_t n);
