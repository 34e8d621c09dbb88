/* The command line: a table of options, from which getopt's input, the help text and the error
 * messages are made. Names follow the vhost-user backend conventions where those have one. */

#include "vhost/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/parse.h"
#include "vhost/uds.h"

static int set_uds_path(const char *value, Options *options)
{
        options->uds_path = value;
        return *value == '\0' ? -EINVAL : uds_check_path(value);
}

static int set_guest_cid(const char *value, Options *options)
{
        int r = parse_u32(value, strlen(value), UINT32_MAX - 1, &options->guest_cid);

        if (r < 0)
                return r;
        return options->guest_cid < 3 ? -ERANGE : 0;
}

static int set_socket_path(const char *value, Options *options)
{
        options->socket_path = value;
        return *value == '\0' ? -EINVAL : 0;
}

static int set_fd(const char *value, Options *options)
{
        uint32_t fd;
        int r = parse_u32(value, strlen(value), INT32_MAX, &fd);

        if (r < 0)
                return r;
        options->fd = (int)fd;
        return fd < 3 ? -ERANGE : 0;
}

static int set_log_level(const char *value, Options *options)
{
        static const struct {
                const char *name;
                LogLevel level;
        } levels[] = {
                {"error", LOG_LEVEL_ERROR},
                {"warning", LOG_LEVEL_WARNING},
                {"info", LOG_LEVEL_INFO},
                {"debug", LOG_LEVEL_DEBUG},
        };

        for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
                if (strcmp(value, levels[i].name) == 0) {
                        options->log_level = levels[i].level;
                        return 0;
                }
        return -EINVAL;
}

static int print_capabilities(void)
{
        puts("{\n  \"type\": \"vsock\",\n  \"features\": []\n}");
        return OPTIONS_DONE;
}

static int print_version(void)
{
        puts("rootspan-vsockd " ROOTSPAN_VERSION);
        return OPTIONS_DONE;
}

static int print_help(void);

static const struct {
        const char *name;
        const char *argument; /* NULL: the option is an action and takes none */
        const char *accepted;
        const char *help;
        int (*set)(const char *value, Options *options);
        int (*act)(void);
} table[] = {
        {"uds-path", "PATH", "a path of up to 96 bytes",
         "listen here for connections to the guest (\"CONNECT PORT\\n\");\n"
         "the guest's connections to port N of the host go to PATH_N",
         set_uds_path},
        {"guest-cid", "CID", "a number from 3 to 4294967294", "the guest's address", set_guest_cid},
        {"socket-path", "PATH", "a path", "listen here for the front end (QEMU)", set_socket_path},
        {"fd", "NUMBER", "a number from 3 on",
         "inherited socket that the front end is connected to", set_fd},
        {"log-level", "LEVEL", "error, warning, info or debug",
         "what to log (info)", set_log_level},
        {"print-capabilities", NULL, NULL,
         "print what the device can do, as JSON", .act = print_capabilities},
        {"help", NULL, NULL, "print this", .act = print_help},
        {"version", NULL, NULL, "print the version", .act = print_version},
};

static int print_help(void)
{
        puts("rootspan-vsockd --uds-path=PATH --guest-cid=CID (--socket-path=PATH | --fd=NUMBER)\n"
             "A vhost-user VSOCK device for one virtual machine, in Unix sockets.\n");
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                const char *line = table[i].help;
                int indent = printf("  --%s%s%s", table[i].name, table[i].argument ? "=" : "",
                                    table[i].argument ? table[i].argument : "");

                for (const char *end; (end = strchr(line, '\n')); line = end + 1, indent = 0)
                        printf("%*s%.*s\n", 25 - indent, "", (int)(end - line), line);
                printf("%*s%s\n", 25 - indent, "", line);
        }
        return OPTIONS_DONE;
}

/* Are the options that were given enough, and not too many? */
static int check(const Options *options)
{
        const char *problem = NULL;

        if (!options->uds_path)
                problem = "--uds-path=PATH is missing";
        else if (options->guest_cid == 0)
                problem = "--guest-cid=CID is missing";
        else if (!options->socket_path && options->fd < 0)
                problem = "--socket-path=PATH or --fd=NUMBER is missing";
        else if (options->socket_path && options->fd >= 0)
                problem = "--socket-path and --fd exclude each other";
        if (!problem)
                return 0;
        fprintf(stderr, "rootspan-vsockd: %s\n", problem);
        return OPTIONS_USAGE;
}

int options_parse(int argc, char **argv, Options *ret)
{
        struct option long_options[ARRAY_SIZE(table) + 1] = {0};
        Options options = {.fd = -EBADF, .log_level = LOG_LEVEL_INFO};
        int r, i;

        for (i = 0; i < (int)ARRAY_SIZE(table); i++)
                long_options[i] = (struct option){
                        .name = table[i].name,
                        .has_arg = table[i].argument ? required_argument : no_argument,
                };
        while ((r = getopt_long(argc, argv, "", long_options, &i)) == 0) {
                if (table[i].act)
                        return table[i].act();
                if (table[i].set(optarg, &options) < 0) {
                        fprintf(stderr, "rootspan-vsockd: --%s=%s: expected %s\n", table[i].name,
                                optarg, table[i].accepted);
                        return OPTIONS_USAGE;
                }
        }
        if (r != -1)
                return OPTIONS_USAGE; /* getopt has said which option it does not know */
        if (optind < argc) {
                fprintf(stderr, "rootspan-vsockd: %s: arguments are not accepted\n", argv[optind]);
                return OPTIONS_USAGE;
        }
        r = check(&options);
        if (r == 0)
                *ret = options;
        return r;
}
