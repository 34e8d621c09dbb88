#pragma once

/* Telling the virtual machine monitor: systemd's notification protocol to the socket it named, and
 * QEMU's isa-debug-exit device. */

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/clock.h"

/* Reads an address as systemd's vmm.notify_socket has it (vsock:CID:PORT, vsock-stream:CID:PORT,
 * see systemd(1)) or as our own options do. Returns 0 or -EINVAL. */
int vmm_parse_address(const char *text, Address *ret);

/* The credential vmm.notify_socket in a table of SMBIOS structures (/sys/firmware/dmi/tables/DMI,
 * DMTF DSP0134): an OEM string (type 11) "io.systemd.credential:NAME=VALUE". Returns 0, -ENOENT
 * if there is none, or -EINVAL for a value that is no address. */
int vmm_address_from_smbios(const uint8_t *data, size_t n, Address *ret);

/* The same, read from this machine's table. Returns 0 or -errno. */
int vmm_find_address(Address *ret);

/* Connects to @address and writes @text, before @deadline (CLOCK_BOOTTIME). Blocks, as the next two
 * do, so they are for a child of PID 1. Return 0 or -errno. */
int vmm_send(const Address *address, const char *text, nsec_t deadline, int *ret_fd);

/* Waits until the other side has closed: only that says that the text has left the machine. */
int vmm_await_close(int fd, nsec_t deadline);

/* Both. */
int vmm_notify(const Address *address, const char *text, nsec_t deadline);

/* Writes @code to the I/O port @port of QEMU's isa-debug-exit, which ends QEMU with the status
 * @code * 2 + 1. Returns only if that did not work, -errno. */
int vmm_debug_exit(uint16_t port, int code);
