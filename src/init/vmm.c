/* Telling the virtual machine monitor. */

#include "init/vmm.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <sys/io.h>
#endif

#include "base/fd.h"
#include "base/macro.h"

enum {
        SMBIOS_HEADER = 4,
        SMBIOS_OEM_STRINGS = 11,
        SMBIOS_END = 127,
};

int vmm_parse_address(const char *text, Address *ret)
{
        static const char *const prefixes[] = {"vsock:", "vsock-stream:"};
        char copy[ADDRESS_TEXT_MAX];

        if (address_parse(text, strlen(text), ret) == 0)
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
                size_t n = strlen(prefixes[i]);
                int r;

                if (strncmp(text, prefixes[i], n) != 0)
                        continue;
                r = snprintf(copy, sizeof(copy), "vsock://%s", text + n);
                if (r < 0 || (size_t)r >= sizeof(copy))
                        return -EINVAL;
                return address_parse(copy, (size_t)r, ret);
        }
        return -EINVAL;
}

/* The length of the strings behind a structure, with the two NULs at their end; 0 if these are
 * missing. */
static size_t strings_length(const uint8_t *data, size_t n)
{
        for (size_t i = 1; i < n; i++)
                if (data[i - 1] == '\0' && data[i] == '\0')
                        return i + 1;
        return 0;
}

/* @strings ends with two NULs. */
static int find_in_strings(const char *strings, Address *ret)
{
        static const char key[] = "io.systemd.credential:vmm.notify_socket=";

        for (; *strings; strings += strlen(strings) + 1)
                if (strncmp(strings, key, strlen(key)) == 0)
                        return vmm_parse_address(strings + strlen(key), ret);
        return -ENOENT;
}

int vmm_address_from_smbios(const uint8_t *data, size_t n, Address *ret)
{
        while (n >= SMBIOS_HEADER) {
                size_t length = data[1], strings;
                int r;

                if (length < SMBIOS_HEADER || length > n)
                        break;
                strings = strings_length(data + length, n - length);
                if (strings == 0 || data[0] == SMBIOS_END)
                        break;
                if (data[0] == SMBIOS_OEM_STRINGS) {
                        r = find_in_strings((const char *)data + length, ret);
                        if (r != -ENOENT)
                                return r;
                }
                data += length + strings;
                n -= length + strings;
        }
        return -ENOENT;
}

int vmm_find_address(Address *ret)
{
        static char table[64 * 1024];
        ssize_t n = file_read("/sys/firmware/dmi/tables/DMI", table, sizeof(table));

        if (n < 0)
                return (int)n;
        return vmm_address_from_smbios((const uint8_t *)table, (size_t)n, ret);
}

/* Waits for one of @events. Returns 0, or -ETIMEDOUT. */
static int wait_for(int fd, short events, nsec_t deadline)
{
        struct pollfd poll_fd = {.fd = fd, .events = events};

        for (;;) {
                nsec_t left = nsec_left(deadline, clock_boottime());
                int r = poll(&poll_fd, 1, nsec_to_poll(left));

                if (r > 0)
                        return 0;
                if (r < 0 && errno != EINTR)
                        return -errno;
                if (left == 0)
                        return -ETIMEDOUT;
        }
}

int vmm_send(const Address *address, const char *text, nsec_t deadline, int *ret_fd)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        size_t n = strlen(text);
        int r, error = 0;

        r = address_connect(address, &fd);
        if (r < 0)
                return r;
        r = wait_for(fd, POLLOUT, deadline);
        if (r < 0)
                return r;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)}) < 0)
                return -errno;
        if (error != 0)
                return -error;
        while (n > 0) {
                ssize_t done = send(fd, text, n, MSG_NOSIGNAL);

                if (done < 0 && errno != EAGAIN && errno != EINTR)
                        return -errno;
                if (done < 0) {
                        r = wait_for(fd, POLLOUT, deadline);
                        if (r < 0)
                                return r;
                        continue;
                }
                text += done;
                n -= (size_t)done;
        }
        /* Readers that wait for the end of the text see it now; others close when they have it. */
        (void)shutdown(fd, SHUT_WR);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int vmm_await_close(int fd, nsec_t deadline)
{
        for (;;) {
                char byte;
                ssize_t got = recv(fd, &byte, 1, 0);
                int r;

                if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
                        return 0;
                r = got > 0 ? 0 : wait_for(fd, POLLIN, deadline);
                if (r < 0)
                        return r;
        }
}

int vmm_notify(const Address *address, const char *text, nsec_t deadline)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        int r = vmm_send(address, text, deadline, &fd);

        return r < 0 ? r : vmm_await_close(fd, deadline);
}

int vmm_debug_exit(uint16_t port, int code)
{
#if defined(__x86_64__)
        int r = RET_ERRNO(ioperm(port, 4, 1));

        if (r < 0)
                return r;
        outl((unsigned)code, port);
        return -EIO;
#else
        (void)port;
        (void)code;
        return -EOPNOTSUPP;
#endif
}
