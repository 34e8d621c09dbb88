/* Addresses of stream sockets. The text may come from a kernel command line, so it is read as
 * untrusted bytes. */

#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/macro.h"
#include "base/parse.h"

_Static_assert(sizeof(((struct sockaddr_un *)NULL)->sun_path) == ADDRESS_PATH_MAX + 1, "unix(7)");

static int parse_cid(const char *text, size_t n, uint32_t *ret)
{
        static const struct {
                const char *name;
                uint32_t cid;
        } names[] = {
                {"local", VMADDR_CID_LOCAL},
                {"host", VMADDR_CID_HOST},
                {"any", VMADDR_CID_ANY},
                {"-1", VMADDR_CID_ANY},
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (text_equal(text, n, names[i].name)) {
                        *ret = names[i].cid;
                        return 0;
                }
        return parse_u32(text, n, UINT32_MAX, ret);
}

static int parse_ipv4(const char *text, size_t n, uint32_t *ret)
{
        char copy[INET_ADDRSTRLEN];
        struct in_addr ip;

        if (n >= sizeof(copy) || memchr(text, '\0', n))
                return -EINVAL;
        memcpy(copy, text, n);
        copy[n] = '\0';
        if (inet_pton(AF_INET, copy, &ip) != 1)
                return -EINVAL;
        *ret = ntohl(ip.s_addr);
        return 0;
}

/* The part behind @prefix, or NULL. */
static const char *after(const char *text, size_t *n, const char *prefix)
{
        size_t length = strlen(prefix);

        if (*n < length || memcmp(text, prefix, length) != 0)
                return NULL;
        *n -= length;
        return text + length;
}

static int parse_host_port(const char *text, size_t n, Address *address)
{
        const char *colon = memchr(text, ':', n);
        size_t host_n;
        int r;

        if (!colon)
                return -EINVAL;
        host_n = (size_t)(colon - text);
        if (address->kind == ADDRESS_VSOCK)
                r = parse_cid(text, host_n, &address->cid);
        else
                r = parse_ipv4(text, host_n, &address->ip);
        if (r < 0)
                return -EINVAL;
        r = parse_u32(colon + 1, n - host_n - 1,
                      address->kind == ADDRESS_VSOCK ? UINT32_MAX - 1 : UINT16_MAX, &address->port);
        return r < 0 ? -EINVAL : 0;
}

int address_parse(const char *text, size_t n, Address *ret)
{
        Address address = {0};
        const char *rest;
        size_t rest_n = n;
        int r = 0;

        if ((rest = after(text, &rest_n, "vsock://"))) {
                address.kind = ADDRESS_VSOCK;
                r = parse_host_port(rest, rest_n, &address);
        } else if ((rest = after(text, &rest_n, "http://"))) {
                address.kind = ADDRESS_INET;
                r = parse_host_port(rest, rest_n, &address);
        } else if ((rest = after(text, &rest_n, "unix:"))) {
                address.kind = ADDRESS_UNIX;
                if (rest_n == 0 || rest_n > ADDRESS_PATH_MAX || rest[0] != '/' ||
                    memchr(rest, '\0', rest_n))
                        return -EINVAL;
                memcpy(address.path, rest, rest_n);
        } else {
                return -EINVAL;
        }
        if (r < 0)
                return r;
        *ret = address;
        return 0;
}

int address_from_path(const char *path, Address *ret)
{
        size_t n = strlen(path);

        if (n > ADDRESS_PATH_MAX)
                return -ENAMETOOLONG;
        *ret = (Address){.kind = ADDRESS_UNIX};
        memcpy(ret->path, path, n);
        return 0;
}

bool address_is_set(const Address *address)
{
        return address->port != 0 || address->path[0] != '\0';
}

void address_format(const Address *address, char ret[static ADDRESS_TEXT_MAX])
{
        uint32_t ip = address->ip;

        switch (address->kind) {
        case ADDRESS_VSOCK:
                if (address->cid == VMADDR_CID_ANY)
                        (void)snprintf(ret, ADDRESS_TEXT_MAX, "vsock://any:%u", address->port);
                else
                        (void)snprintf(ret, ADDRESS_TEXT_MAX, "vsock://%u:%u", address->cid,
                                       address->port);
                break;
        case ADDRESS_UNIX:
                (void)snprintf(ret, ADDRESS_TEXT_MAX, "unix:%s", address->path);
                break;
        case ADDRESS_INET:
                (void)snprintf(ret, ADDRESS_TEXT_MAX, "http://%u.%u.%u.%u:%u", ip >> 24,
                               ip >> 16 & 0xff, ip >> 8 & 0xff, ip & 0xff, address->port);
                break;
        }
}

socklen_t address_to_sockaddr(const Address *address, struct sockaddr_storage *ret)
{
        struct sockaddr_vm vm = {.svm_family = AF_VSOCK};
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        struct sockaddr_in in = {.sin_family = AF_INET};

        memset(ret, 0, sizeof(*ret));
        switch (address->kind) {
        case ADDRESS_VSOCK:
                vm.svm_cid = address->cid;
                vm.svm_port = address->port;
                memcpy(ret, &vm, sizeof(vm));
                return sizeof(vm);
        case ADDRESS_UNIX:
                memcpy(un.sun_path, address->path, sizeof(un.sun_path));
                memcpy(ret, &un, sizeof(un));
                return sizeof(un);
        case ADDRESS_INET:
                in.sin_addr.s_addr = htonl(address->ip);
                in.sin_port = htons((uint16_t)address->port);
                memcpy(ret, &in, sizeof(in));
                return sizeof(in);
        }
        return 0;
}

int address_connect(const Address *address, int *ret_fd)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        struct sockaddr_storage storage;
        socklen_t n = address_to_sockaddr(address, &storage);
        int r;

        fd = RET_ERRNO(socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (fd < 0)
                return fd;
        r = RET_ERRNO(connect(fd, (struct sockaddr *)&storage, n));
        if (r < 0 && r != -EINPROGRESS)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}
