#pragma once

/* The command line of rootspan-vsockd. */

#include <stdint.h>

#include "base/log.h"

enum {
        OPTIONS_DONE = 1,  /* help or such was printed: exit with success */
        OPTIONS_USAGE = 2, /* the command line is wrong, and that has been said */
};

typedef struct Options {
        const char *uds_path;    /* --uds-path */
        const char *socket_path; /* --socket-path, NULL if fd was given */
        int fd;                  /* --fd, -EBADF if a path was given */
        uint32_t guest_cid;      /* --guest-cid */
        LogLevel log_level;      /* --log-level */
} Options;

/* Strings of *ret point into @argv. Returns 0, OPTIONS_DONE or OPTIONS_USAGE. */
int options_parse(int argc, char **argv, Options *ret);
