/* rootspan-forwarder: takes spans from virtual machines and puts them where they are wanted. This
 * file is the wiring: options, sinks, delivery, server, signals. */

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>

#include "base/log.h"
#include "base/macro.h"
#include "forward/delivery.h"
#include "forward/json-file.h"
#include "forward/open-roots.h"
#include "forward/options.h"
#include "forward/sandbox.h"
#include "forward/server.h"
#include "forward/tree-sink.h"

enum {
        EXIT_USAGE = 2,
        SPARE_FDS = 64, /* for all that is no connection */
        WIDTH_DEFAULT = 100,
};

typedef struct Forwarder {
        sd_event *event;
        Sink *file;
        Sink *tree;
        OpenRoots *roots;
        Delivery *delivery;
        Server *server;
        ServerLimits limits;
        bool stopping;
} Forwarder;

static void forwarder_done(Forwarder *f)
{
        f->server = server_free(f->server);
        f->roots = open_roots_free(f->roots);
        f->delivery = delivery_free(f->delivery);
        f->tree = tree_sink_free(f->tree);
        f->file = json_file_free(f->file);
        f->event = sd_event_unref(f->event);
}

static int log_failure(int r, const char *what)
{
        log_error_errno(r, "%s", what);
        return r;
}

/* Is standard error the journal's socket? Then levels are understood there (sd-daemon(3)). */
static bool is_journal(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        char text[64];
        struct stat st;

        if (!stream || fstat(STDERR_FILENO, &st) < 0)
                return false;
        (void)snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
        return strcmp(stream, text) == 0;
}

static TreeStyle find_style(const Options *options)
{
        bool tty = isatty(STDOUT_FILENO) == 1;
        const char *no_color = getenv("NO_COLOR");
        struct winsize size;
        TreeStyle style = {.width = WIDTH_DEFAULT};

        if (tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                style.width = size.ws_col;
        style.width = MIN(MAX(style.width, (size_t)TREE_WIDTH_MIN), (size_t)TREE_WIDTH_MAX);
        style.color = options->color == COLOR_ALWAYS ||
                      (options->color == COLOR_AUTO && tty && (!no_color || no_color[0] == '\0'));
        return style;
}

static int open_file(const char *path, Sink **ret)
{
        size_t torn;
        int r = json_file_new(path, ret, &torn);

        if (r == -EWOULDBLOCK)
                log_error("%s: another rootspan-forwarder writes to it", path);
        else if (r == -EBADMSG)
                log_error("%s: its last line is incomplete and not OTLP JSON: not our file", path);
        else if (r < 0)
                log_error_errno(r, "cannot open %s", path);
        else if (torn > 0)
                log_warning("%s: removed an incomplete last line of %zu bytes", path, torn);
        return r;
}

/* What stores comes before what shows. */
static int open_sinks(Forwarder *f, const Options *options)
{
        Sink *sinks[DELIVERY_SINKS_MAX];
        size_t n = 0;
        int r;

        if (options->file) {
                r = open_file(options->file, &f->file);
                if (r < 0)
                        return r;
                sinks[n++] = f->file;
        }
        /* No more than half of the connections stay for long, so that there is one for spans. */
        r = open_roots_new(f->event, f->limits.connections / 2, OPEN_ROOTS_GRACE, &f->roots);
        if (r < 0)
                return log_failure(r, "cannot keep open root spans");
        sinks[n++] = open_roots_sink(f->roots);
        if (options->tree) {
                TreeStyle style = find_style(options);

                r = tree_sink_new(STDOUT_FILENO, &style, &f->tree);
                if (r < 0)
                        return log_failure(r, "cannot set up the tree");
                sinks[n++] = f->tree;
        }
        r = delivery_new(f->event, sinks, n, &f->delivery);
        if (r < 0)
                return log_failure(r, "cannot set up the event loop");
        open_roots_set_delivery(f->roots, f->delivery);
        return 0;
}

/* Every connection is a descriptor: take as many as we may, and serve no more than that. */
static size_t raise_fd_limit(size_t wanted)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return wanted;
        if (limit.rlim_cur < wanted + SPARE_FDS) {
                limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)wanted + SPARE_FDS);
                (void)setrlimit(RLIMIT_NOFILE, &limit); /* raised to what is allowed at most */
        }
        return limit.rlim_cur > 2 * SPARE_FDS ? MIN(wanted, (size_t)limit.rlim_cur - SPARE_FDS)
                                              : SPARE_FDS;
}

/* The sockets that systemd passed (sd_listen_fds(3)). Returns how many, or -errno. */
static int adopt_sockets(Forwarder *f)
{
        int n = sd_listen_fds(true);

        for (int i = 0; i < n; i++) {
                int r = server_adopt(f->server, SD_LISTEN_FDS_START + i);

                if (r < 0)
                        return log_failure(r, "cannot listen on a socket from systemd");
        }
        if (n > 0)
                log_info("listening on %d sockets from systemd", n);
        return n < 0 ? log_failure(n, "cannot tell the sockets from systemd") : n;
}

static int start_server(Forwarder *f, const Options *options)
{
        int r = server_new(f->event, f->delivery, f->roots, &f->limits, &f->server);

        if (r < 0)
                return log_failure(r, "cannot set up the event loop");
        r = adopt_sockets(f);
        if (r != 0)
                return MIN(r, 0);
        for (size_t i = 0; i < options->n_listen; i++) {
                char text[ADDRESS_TEXT_MAX];

                address_format(&options->listen[i], text);
                r = server_listen(f->server, &options->listen[i]);
                if (r < 0) {
                        log_error_errno(r, "cannot listen on %s", text);
                        return r;
                }
                log_info("listening on %s", text);
        }
        return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
        Forwarder *f = userdata;
        int r;

        if (f->stopping) {
                log_info("stopping at once");
                return sd_event_exit(f->event, 0);
        }
        f->stopping = true;
        (void)sd_notify(0, "STOPPING=1"); /* nobody may be listening */
        open_roots_finish(f->roots);
        r = server_stop(f->server);
        if (r < 0)
                (void)sd_event_exit(f->event, r); /* the loop runs */
        return 0;
}

/* Behind all that has come before it, the end of connections above all: which VMs are lost is
 * decided when the program stops. */
static int add_signal(Forwarder *f, int signal)
{
        sd_event_source *source;
        int r = sd_event_add_signal(f->event, &source, signal, on_signal, f);

        if (r < 0)
                return r;
        r = sd_event_source_set_priority(source, SD_EVENT_PRIORITY_NORMAL + 1);
        if (r >= 0)
                r = sd_event_source_set_floating(source, true);
        (void)sd_event_source_unref(source);
        return r;
}

/* Expects SIGTERM and SIGINT to be blocked. */
static int add_signals(Forwarder *f)
{
        static const int signals[] = {SIGTERM, SIGINT};

        for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
                int r = add_signal(f, signals[i]);

                if (r < 0)
                        return log_failure(r, "cannot set up signals");
        }
        return 0;
}

static void block_signals(void)
{
        sigset_t set;

        /* None of these can fail for signals that exist. */
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGINT);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of write(2) */
}

static int enter_sandbox(void)
{
        sd_id128_t boot;
        int r;

        /* libsystemd reads the file when a timer first wants it, and keeps what it says. */
        (void)sd_id128_get_boot(&boot);
        r = sandbox_enter();
        return r < 0 ? log_failure(r, "cannot enter the sandbox") : 0;
}

static int run(Forwarder *f, const Options *options)
{
        int r = sd_event_new(&f->event);

        if (r < 0)
                return log_failure(r, "cannot set up the event loop");
        f->limits = server_limits_default;
        f->limits.connections = raise_fd_limit(f->limits.connections);
        r = open_sinks(f, options);
        if (r < 0)
                return r;
        r = add_signals(f);
        if (r < 0)
                return r;
        r = start_server(f, options);
        if (r < 0)
                return r;
        r = enter_sandbox();
        if (r < 0)
                return r;
        (void)sd_notify(0, "READY=1"); /* nobody may be listening */
        r = sd_event_loop(f->event);
        if (f->tree)
                tree_sink_finish(f->tree);
        return r < 0 ? log_failure(r, "event loop") : 0;
}

int main(int argc, char **argv)
{
        _cleanup_(forwarder_done) Forwarder forwarder = {0};
        char error[OPTIONS_ERROR_MAX];
        Options options;

        block_signals();
        log_setup("rootspan-forwarder", STDERR_FILENO, LOG_FORMAT_PLAIN, LOG_LEVEL_INFO);
        switch (options_parse(argc, argv, &options, error)) {
        case OPTIONS_E_HELP:
                options_print_help(stdout);
                return EXIT_SUCCESS;
        case OPTIONS_E_VERSION:
                puts("rootspan-forwarder " ROOTSPAN_VERSION);
                return EXIT_SUCCESS;
        case OPTIONS_E_USAGE:
                log_error("%s", error);
                return EXIT_USAGE;
        }
        log_setup("rootspan-forwarder", STDERR_FILENO,
                  is_journal() ? LOG_FORMAT_LEVEL : LOG_FORMAT_PLAIN, options.log_level);
        if (!setlocale(LC_CTYPE, "C.UTF-8")) /* for the width of characters */
                log_warning("no locale C.UTF-8: the tree shows ASCII only");
        return run(&forwarder, &options) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
