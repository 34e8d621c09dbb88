/* rootspan-systemd: what a guest with systemd needs of it: its boot as spans, and the VM's end by
 * it. This file is the command line. */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"
#include "base/parse.h"
#include "systemd/boot-spans.h"
#include "systemd/exec-stop.h"

enum { EXIT_USAGE = 2 };

static void print_usage(FILE *out)
{
        (void)fputs("Usage: rootspan-systemd boot-spans --link-fd=N --parent=TRACEPARENT --epoch=NS\n"
                    "                        --grace=SECONDS\n"
                    "       rootspan-systemd exec-stop\n"
                    "\n"
                    "boot-spans tells rootspan-tracer how systemd booted; rootspan-init starts it.\n"
                    "exec-stop is the ExecStop= of rootspan-init's unit: it stops the agent and ends\n"
                    "the virtual machine, if that is for the guest to do.\n"
                    "\n"
                    "  --link-fd=N           socket to rootspan-tracer\n"
                    "  --parent=TRACEPARENT  the root span\n"
                    "  --epoch=NS            Unix time in nanoseconds when CLOCK_BOOTTIME was 0\n"
                    "  --grace=SECONDS       how long to go on after SIGTERM\n"
                    "  --help                show this and exit\n"
                    "  --version             show the version and exit\n",
                    out);
}

static int parse_option(int option, const char *value, BootSpans *options)
{
        uint32_t fd;
        int r;

        switch (option) {
        case 'l':
                r = parse_u32(value, strlen(value), INT32_MAX, &fd);
                if (r == 0)
                        options->link_fd = (int)fd;
                return r;
        case 'p':
                return traceparent_parse(value, strlen(value), &options->parent);
        case 'e':
                return parse_u64(value, strlen(value), UINT64_MAX, &options->epoch);
        case 'g':
                return parse_u32(value, strlen(value), INT32_MAX, &options->grace_sec);
        default:
                return -EINVAL;
        }
}

static int run_boot_spans(int argc, char **argv)
{
        static const struct option known[] = {
                {"link-fd", required_argument, NULL, 'l'},
                {"parent", required_argument, NULL, 'p'},
                {"epoch", required_argument, NULL, 'e'},
                {"grace", required_argument, NULL, 'g'},
                {0},
        };
        BootSpans options = {.link_fd = -EBADF};
        int option, r;

        while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0)
                if (parse_option(option, optarg, &options) < 0) {
                        print_usage(stderr);
                        return EXIT_USAGE;
                }
        if (optind < argc || options.link_fd < 0 || options.epoch == 0 || options.grace_sec == 0 ||
            !span_id_is_valid(&options.parent.span_id)) {
                print_usage(stderr);
                return EXIT_USAGE;
        }
        r = boot_spans(&options);
        if (r < 0)
                log_warning_errno(r, "Cannot tell all of systemd's boot");
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_exec_stop(int argc, char **argv)
{
        const char *text = getenv("MAINPID"); /* set by systemd while there is one */
        uint32_t pid = 0;
        int r;

        if (argc > 1 || (text && parse_u32(text, strlen(text), INT32_MAX, &pid) < 0)) {
                print_usage(stderr);
                return EXIT_USAGE;
        }
        r = exec_stop((int)pid);
        if (r < 0)
                log_error_errno(r, "Cannot end the VM");
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_help(int argc, char **argv)
{
        print_usage(stdout);
        return EXIT_SUCCESS;
}

static int run_version(int argc, char **argv)
{
        (void)puts("rootspan-systemd " ROOTSPAN_VERSION);
        return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                int (*run)(int argc, char **argv); /* argv[0] is the name */
        } commands[] = {
                {"boot-spans", run_boot_spans},
                {"exec-stop", run_exec_stop},
                {"--help", run_help},
                {"--version", run_version},
        };

        log_setup("rootspan-systemd", STDERR_FILENO, LOG_FORMAT_PLAIN, LOG_LEVEL_INFO);
        for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++)
                if (strcmp(argv[1], commands[i].name) == 0)
                        return commands[i].run(argc - 1, argv + 1);
        print_usage(stderr);
        return EXIT_USAGE;
}
