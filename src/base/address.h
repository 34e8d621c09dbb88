#pragma once

/* Where a stream socket is, in the forms that options take:
 *   vsock://CID:PORT   a VSOCK port; CID a number, `host` (2), `local` (1) or `any` (to listen)
 *   unix:/PATH         a Unix socket
 *   http://IPV4:PORT   a TCP port, for a collector on the loopback interface
 * There is no name look-up: the guest has no resolver that PID 1 or its tracer could wait for. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

typedef enum AddressKind {
        ADDRESS_VSOCK,
        ADDRESS_UNIX,
        ADDRESS_INET,
} AddressKind;

enum {
        ADDRESS_PATH_MAX = 107,                     /* sun_path less its NUL, unix(7) */
        ADDRESS_TEXT_MAX = 5 + ADDRESS_PATH_MAX + 1, /* "unix:", the path, a NUL */
};

typedef struct Address {
        AddressKind kind;
        uint32_t cid;  /* of ADDRESS_VSOCK */
        uint32_t port; /* of ADDRESS_VSOCK and ADDRESS_INET, host byte order */
        uint32_t ip;   /* of ADDRESS_INET, host byte order */
        char path[ADDRESS_PATH_MAX + 1];
} Address;

/* Returns 0, or -EINVAL for text of another form. */
int address_parse(const char *text, size_t n, Address *ret);

/* The Unix socket at @path, relative or not. Returns 0, or -ENAMETOOLONG. */
int address_from_path(const char *path, Address *ret);

/* Is it an address, and not the zeroes of a struct nobody filled? */
bool address_is_set(const Address *address);

/* Writes the form that address_parse() reads. */
void address_format(const Address *address, char ret[static ADDRESS_TEXT_MAX]);

/* For connect(2) and bind(2). Returns the length to pass with it. */
socklen_t address_to_sockaddr(const Address *address, struct sockaddr_storage *ret);

/* A new non-blocking socket that connects to @address. Returns 0 with the connection established
 * or under way (wait for POLLOUT, then read SO_ERROR), or -errno. The caller owns *ret_fd. */
int address_connect(const Address *address, int *ret_fd);
