/* rootspan-tracer: options, the sandbox, and then the loop. */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/parse.h"
#include "trace/sandbox.h"
#include "trace/tracer.h"

enum { EXIT_USAGE = 2 };

#define DEFAULT_ENDPOINT "vsock://2:10240"

/* Positive outcomes of parse_options(). */
enum {
        OPTIONS_E_SHOWN = 1, /* --help or --version: nothing more to do */
        OPTIONS_E_USAGE = 2,
};

static void usage(FILE *stream)
{
        (void)fputs("Usage: rootspan-tracer --link-fd=N [--listen-fd=N]... [--endpoint=ADDRESS]\n"
                    "\n"
                    "Sends the spans of the virtual machine to its host. rootspan-init starts it.\n"
                    "\n"
                    "  --link-fd=N         socket to rootspan-init\n"
                    "  --listen-fd=N       socket that listens for programs of the guest, which\n"
                    "                      send their spans by OTLP/HTTP; may be given twice\n"
                    "  --endpoint=ADDRESS  where the host takes OTLP/HTTP: vsock://CID:PORT,\n"
                    "                      unix:/PATH or http://IPV4:PORT\n"
                    "                      (default " DEFAULT_ENDPOINT ")\n"
                    "  --help              show this and exit\n"
                    "  --version           show the version and exit\n",
                    stream);
}

/* A socket whose option @name is @expected. */
static int parse_socket(const char *text, int name, int expected, int *ret)
{
        int fd, found;
        socklen_t n = sizeof(found);
        uint32_t value;

        if (parse_u32(text, strlen(text), INT32_MAX, &value) < 0)
                return -EINVAL;
        fd = (int)value;
        if (getsockopt(fd, SOL_SOCKET, name, &found, &n) < 0 || found != expected)
                return -EINVAL;
        *ret = fd;
        return 0;
}

static int parse_listen_fd(const char *text, TracerOptions *options)
{
        int fd, r;

        if (options->n_listen_fds == RECEIVER_SOCKETS_MAX)
                return -E2BIG;
        r = parse_socket(text, SO_ACCEPTCONN, 1, &fd);
        if (r == 0)
                r = fd_set_nonblock(fd, 1);
        if (r == 0)
                options->listen_fds[options->n_listen_fds++] = fd;
        return r;
}

static int parse_option(int option, const char *value, TracerOptions *options)
{
        switch (option) {
        case 'l':
                if (parse_socket(value, SO_TYPE, SOCK_SEQPACKET, &options->link_fd) == 0)
                        return 0;
                log_error("--link-fd=%s is not an open SOCK_SEQPACKET socket", value);
                return OPTIONS_E_USAGE;
        case 'r':
                if (parse_listen_fd(value, options) == 0)
                        return 0;
                log_error("--listen-fd=%s is not an open socket that listens, or one too many",
                          value);
                return OPTIONS_E_USAGE;
        case 'e':
                if (address_parse(value, strlen(value), &options->endpoint) == 0)
                        return 0;
                log_error("--endpoint=%s is not vsock://CID:PORT, unix:/PATH or http://IPV4:PORT",
                          value);
                return OPTIONS_E_USAGE;
        case 'h':
                usage(stdout);
                return OPTIONS_E_SHOWN;
        case 'v':
                (void)puts("rootspan-tracer " ROOTSPAN_VERSION);
                return OPTIONS_E_SHOWN;
        default:
                return OPTIONS_E_USAGE; /* getopt has said why */
        }
}

static int parse_options(int argc, char **argv, TracerOptions *ret)
{
        static const struct option known[] = {
                {"link-fd", required_argument, NULL, 'l'},
                {"listen-fd", required_argument, NULL, 'r'},
                {"endpoint", required_argument, NULL, 'e'},
                {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'v'},
                {0},
        };
        TracerOptions options = {.link_fd = -EBADF};
        int option, r;

        /* Cannot fail for our own constant. */
        (void)address_parse(DEFAULT_ENDPOINT, strlen(DEFAULT_ENDPOINT), &options.endpoint);
        while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
                r = parse_option(option, optarg, &options);
                if (r != 0)
                        return r;
        }
        if (optind < argc || options.link_fd < 0) {
                usage(stderr);
                return OPTIONS_E_USAGE;
        }
        *ret = options;
        return 0;
}

/* The tracer ends when the link does, and not before: whoever signals a whole process group or
 * control group to stop means init, which then wants the last spans sent. */
static void ignore_signals(void)
{
        static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE};

        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                (void)signal(signals[i], SIG_IGN); /* fails only for a wrong number */
}

#ifdef __SANITIZE_ADDRESS__
/* The search for leaks at exit clones and traces the process, which the sandbox forbids. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
        return "detect_leaks=0";
}
#endif

int main(int argc, char **argv)
{
        _cleanup_(tracer_freep) Tracer *tracer = NULL;
        TracerOptions options;
        int r;

        log_setup("rootspan-tracer", STDERR_FILENO, LOG_FORMAT_PLAIN, LOG_LEVEL_INFO);
        r = parse_options(argc, argv, &options);
        if (r == OPTIONS_E_SHOWN)
                return EXIT_SUCCESS;
        if (r != 0)
                return EXIT_USAGE;
        ignore_signals();

        r = tracer_new(&options, &tracer);
        if (r < 0) {
                log_error_errno(r, "Cannot start");
                return EXIT_FAILURE;
        }
        if (sandbox_enter(options.endpoint.kind) < 0)
                return EXIT_FAILURE;
        r = tracer_run(tracer);
        if (r < 0)
                log_error_errno(r, "Cannot wait for events");
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
