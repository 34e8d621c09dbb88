#pragma once

/* The Unix sockets of a VM, named as Firecracker and Cloud Hypervisor do: the host connects to PATH
 * to reach the guest, and a host program that serves port N of the host listens on PATH_N. */

#include <stdint.h>

/* Is @path short enough for PATH_4294967295 to be the path of a socket? 0 or -ENAMETOOLONG. */
int uds_check_path(const char *path);

/* A non-blocking socket that is connected to the program that serves @port. Never waits: a program
 * whose queue is full is -EAGAIN. Returns 0 or -errno. The caller owns *ret_fd. */
int uds_connect(const char *path, uint32_t port, int *ret_fd);
