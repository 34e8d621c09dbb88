/* The command line: one table knows each option's name, what it accepts and what it is for. Names
 * and meaning of those that Kata's trace-forwarder has too are the same. */

#include "forward/options.h"

#include <errno.h>
#include <getopt.h>
#include <linux/vm_sockets.h>
#include <string.h>

#include "base/macro.h"
#include "base/parse.h"

enum {
        DEFAULT_PORT = 10240,
        LONG_OPTION = 256, /* above all letters */
};

/* What has been given, before it is put together. */
typedef struct Given {
        const char *socket_path;
        const char *vsock_cid;
        uint32_t cid;
        uint32_t port;
        Options options;
} Given;

typedef struct Choice {
        const char *name;
        int value;
} Choice;

static int parse_choice(const Choice *choices, size_t n, const char *value, int *ret)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(choices[i].name, value) == 0) {
                        *ret = choices[i].value;
                        return 0;
                }
        return -EINVAL;
}

static int set_socket_path(Given *given, const char *value)
{
        given->socket_path = value;
        return value[0] == '\0' ? -EINVAL : 0;
}

static int set_vsock_cid(Given *given, const char *value)
{
        given->vsock_cid = value;
        if (strcmp(value, "any") == 0) {
                given->cid = VMADDR_CID_ANY;
                return 0;
        }
        return parse_u32(value, strlen(value), UINT32_MAX, &given->cid);
}

static int set_vsock_port(Given *given, const char *value)
{
        return parse_u32(value, strlen(value), UINT32_MAX - 1, &given->port);
}

static int set_file(Given *given, const char *value)
{
        given->options.file = value;
        return value[0] == '\0' ? -EINVAL : 0;
}

static int set_tree(Given *given, const char *value)
{
        given->options.tree = true;
        return 0;
}

static int set_color(Given *given, const char *value)
{
        static const Choice choices[] = {
                {"auto", COLOR_AUTO},
                {"always", COLOR_ALWAYS},
                {"never", COLOR_NEVER},
        };
        int color, r = parse_choice(choices, ARRAY_SIZE(choices), value, &color);

        if (r == 0)
                given->options.color = (ColorMode)color;
        return r;
}

static int set_log_level(Given *given, const char *value)
{
        static const Choice choices[] = {
                {"error", LOG_LEVEL_ERROR},
                {"warning", LOG_LEVEL_WARNING},
                {"info", LOG_LEVEL_INFO},
                {"debug", LOG_LEVEL_DEBUG},
        };
        int level, r = parse_choice(choices, ARRAY_SIZE(choices), value, &level);

        if (r == 0)
                given->options.log_level = (LogLevel)level;
        return r;
}

typedef struct Row {
        const char *name;
        const char *argument; /* NULL: takes none */
        const char *accepted;
        const char *help;
        int (*set)(Given *given, const char *value); /* NULL: see @outcome */
        int outcome;
        char letter; /* a short form, or 0 */
} Row;

static const Row rows[] = {
        {"socket-path", "PATH", "a path", "listen on the Unix socket PATH_PORT, not on AF_VSOCK",
         set_socket_path},
        {"vsock-cid", "any|CID", "\"any\" or a number", "listen on AF_VSOCK with this CID (any)",
         set_vsock_cid},
        {"vsock-port", "PORT", "a number from 0 to 4294967294", "the port for both (10240)",
         set_vsock_port},
        {"file", "FILE", "a path", "append a line of OTLP JSON per request to FILE", set_file},
        {"tree", NULL, NULL, "print each trace as a tree (the default without --file)", set_tree},
        {"color", "WHEN", "auto, always or never", "color the tree: auto (default), always, never",
         set_color},
        {"log-level", "LEVEL", "error, warning, info or debug",
         "error, warning, info (default) or debug", set_log_level, 0, 'l'},
        {"help", NULL, NULL, "show this and exit", NULL, OPTIONS_E_HELP, 'h'},
        {"version", NULL, NULL, "show the version and exit", NULL, OPTIONS_E_VERSION},
};

void options_print_help(FILE *stream)
{
        fputs("Usage: rootspan-forwarder [OPTION...]\n"
              "\n"
              "Takes the spans of virtual machines and stores or shows them.\n"
              "\n",
              stream);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char left[40];

                (void)snprintf(left, sizeof(left), "--%s%s%s", rows[i].name,
                               rows[i].argument ? "=" : "",
                               rows[i].argument ? rows[i].argument : "");
                fprintf(stream, "  %-20s  %s\n", left, rows[i].help);
        }
}

static int put_together(Given *given, Options *ret, char *ret_error)
{
        Options *options = &given->options;

        if (given->socket_path) {
                Address *address = &options->listen[options->n_listen++];
                int n = snprintf(address->path, sizeof(address->path), "%s_%u", given->socket_path,
                                 given->port);

                address->kind = ADDRESS_UNIX;
                if (n >= (int)sizeof(address->path)) {
                        (void)snprintf(ret_error, OPTIONS_ERROR_MAX,
                                       "--socket-path: with \"_%u\" behind it, at most %d bytes "
                                       "are accepted",
                                       given->port, ADDRESS_PATH_MAX);
                        return OPTIONS_E_USAGE;
                }
        }
        if (!given->socket_path || given->vsock_cid)
                options->listen[options->n_listen++] = (Address){
                        .kind = ADDRESS_VSOCK,
                        .cid = given->cid,
                        .port = given->port,
                };
        options->tree |= !options->file;
        *ret = *options;
        return 0;
}

static int set_option(const Row *row, const char *value, Given *given, char *ret_error)
{
        if (!row->set)
                return row->outcome;
        if (row->set(given, value) == 0)
                return 0;
        (void)snprintf(ret_error, OPTIONS_ERROR_MAX, "--%s=%.64s: %s is accepted", row->name, value,
                       row->accepted);
        return OPTIONS_E_USAGE;
}

/* What getopt_long(3) returned for an option, or NULL. */
static const Row *find_row(int value)
{
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (value == LONG_OPTION + (int)i || (rows[i].letter && value == rows[i].letter))
                        return &rows[i];
        return NULL;
}

/* In getopt_long(3), ":" is an argument that is missing, and anything else an unknown option. */
static int refuse(int letter, char **argv, char *ret_error)
{
        (void)snprintf(ret_error, OPTIONS_ERROR_MAX, "%.64s: %s", argv[optind - 1],
                       letter == ':' ? "an argument is missing" : "no such option; see --help");
        return OPTIONS_E_USAGE;
}

int options_parse(int argc, char **argv, Options *ret, char ret_error[static OPTIONS_ERROR_MAX])
{
        struct option known[ARRAY_SIZE(rows) + 1] = {0};
        Given given = {
                .cid = VMADDR_CID_ANY,
                .port = DEFAULT_PORT,
                .options = {.log_level = LOG_LEVEL_INFO},
        };
        int value, r;

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                known[i] = (struct option){
                        rows[i].name, rows[i].argument ? required_argument : no_argument, NULL,
                        LONG_OPTION + (int)i};
        optind = 0; /* start anew, glibc's way */
        while ((value = getopt_long(argc, argv, ":hl:", known, NULL)) != -1) {
                const Row *row = find_row(value);

                if (!row)
                        return refuse(value, argv, ret_error);
                r = set_option(row, optarg, &given, ret_error);
                if (r != 0)
                        return r;
        }
        if (optind < argc) {
                (void)snprintf(ret_error, OPTIONS_ERROR_MAX, "%.64s: no arguments are accepted",
                               argv[optind]);
                return OPTIONS_E_USAGE;
        }
        return put_together(&given, ret, ret_error);
}
