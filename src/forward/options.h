#pragma once

/* The command line of rootspan-forwarder. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/address.h"
#include "base/log.h"

typedef enum ColorMode {
        COLOR_AUTO,
        COLOR_ALWAYS,
        COLOR_NEVER,
} ColorMode;

enum { OPTIONS_LISTEN_MAX = 2 };

typedef struct Options {
        Address listen[OPTIONS_LISTEN_MAX];
        size_t n_listen;
        const char *file; /* NULL: none */
        bool tree;
        ColorMode color;
        LogLevel log_level;
} Options;

/* Positive outcomes of options_parse(). */
enum {
        OPTIONS_E_HELP = 1,
        OPTIONS_E_VERSION = 2,
        OPTIONS_E_USAGE = 3,
};

enum { OPTIONS_ERROR_MAX = 256 };

/* Strings in *ret point into @argv. Returns 0, or an outcome above; with OPTIONS_E_USAGE,
 * @ret_error names the option and what it accepts. */
int options_parse(int argc, char **argv, Options *ret, char ret_error[static OPTIONS_ERROR_MAX]);

void options_print_help(FILE *stream);
