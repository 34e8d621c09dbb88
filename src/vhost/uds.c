/* The Unix sockets of a VM. On Unix sockets connect(2) is done at once or fails at once, so there
 * is no state of being under way. */

#include "vhost/uds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"

static const char longest_suffix[] = "_4294967295";

int uds_check_path(const char *path)
{
        return strlen(path) + strlen(longest_suffix) > ADDRESS_PATH_MAX ? -ENAMETOOLONG : 0;
}

int uds_connect(const char *path, uint32_t port, int *ret_fd)
{
        Address address = {.kind = ADDRESS_UNIX};
        int n = snprintf(address.path, sizeof(address.path), "%s_%u", path, port);

        if (n < 0 || (size_t)n >= sizeof(address.path))
                return -ENAMETOOLONG;
        return address_connect(&address, ret_fd);
}
