/* rootspan-vsockd: a VSOCK device for one virtual machine. Sets everything up that needs more than
 * the sandbox allows, says READY, enters the sandbox and serves until the front end goes. */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/listener.h"
#include "base/log.h"
#include "base/macro.h"
#include "vhost/device.h"
#include "vhost/options.h"
#include "vhost/sandbox.h"
#include "vhost/streams.h"

enum { DESCRIPTORS = STREAMS_MAX + 64 };

typedef struct Program {
        Options options;
        sd_event *event;
        Device *device;
        Listener hosts;     /* Unix peers that want to reach the guest */
        Listener front_end; /* until it has come */
        sd_event_source *front_end_source;
} Program;

static int listen_on(const char *path, Listener *ret)
{
        Address address;
        int r = address_from_path(path, &address);

        if (r >= 0)
                r = listener_init(ret, &address);
        if (r < 0)
                log_error_errno(r, "cannot listen on %s", path);
        return r;
}

static void program_done(Program *program)
{
        program->front_end_source = sd_event_source_disable_unref(program->front_end_source);
        program->device = device_free(program->device);
        program->event = sd_event_unref(program->event);
        listener_done(&program->front_end);
        listener_done(&program->hosts);
}

static int on_front_end(sd_event_source *source, int listener, uint32_t events, void *userdata)
{
        Program *program = userdata;
        _cleanup_(fd_closep) int fd = -EBADF;
        int r;

        fd = RET_ERRNO(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
        if (fd == -EAGAIN || fd == -ECONNABORTED || fd == -EINTR)
                return 0;
        r = fd < 0 ? fd : device_attach(program->device, fd);
        if (r < 0) {
                log_error_errno(r, "cannot accept the front end");
                (void)sd_event_exit(program->event, EXIT_FAILURE);
                return 0;
        }
        (void)TAKE_FD(fd);
        /* One front end is all: another must not wait in the queue for ever. */
        program->front_end_source = sd_event_source_disable_unref(source);
        listener_done(&program->front_end);
        return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
        Program *program = userdata;

        log_info("ending on signal %u", info->ssi_signo);
        device_end(program->device);
        return 0;
}

static int watch_signals(Program *program)
{
        static const int ends[] = {SIGTERM, SIGINT};
        sigset_t set;
        int r;

        sigemptyset(&set);
        for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
                sigaddset(&set, ends[i]);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
                r = sd_event_add_signal(program->event, NULL, ends[i], on_signal, program);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int raise_descriptor_limit(void)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return -errno;
        if (limit.rlim_cur >= DESCRIPTORS)
                return 0;
        limit.rlim_cur = DESCRIPTORS;
        return RET_ERRNO(setrlimit(RLIMIT_NOFILE, &limit));
}

static int inherit_front_end(Program *program, int fd)
{
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode)) {
                log_error("--fd=%d is no open socket", fd);
                return -ENOTSOCK;
        }
        r = fd_set_cloexec(fd, true);
        if (r >= 0)
                r = device_attach(program->device, fd);
        if (r < 0)
                log_error_errno(r, "cannot use --fd=%d", fd);
        return r;
}

static int await_front_end(Program *program, const char *path)
{
        int r;

        r = listen_on(path, &program->front_end);
        if (r < 0)
                return r;
        r = sd_event_add_io(program->event, &program->front_end_source, program->front_end.fd,
                            EPOLLIN, on_front_end, program);
        if (r < 0)
                log_error_errno(r, "cannot watch %s", path);
        return r;
}

/* Everything up to the sandbox. Logs what fails. */
static int set_up(Program *program)
{
        const Options *options = &program->options;
        int r;

        r = raise_descriptor_limit();
        if (r < 0) {
                log_error_errno(r, "cannot raise the limit of open files to %d", DESCRIPTORS);
                return r;
        }
        r = listen_on(options->uds_path, &program->hosts);
        if (r < 0)
                return r;
        r = sd_event_new(&program->event);
        if (r >= 0)
                r = watch_signals(program);
        if (r >= 0)
                r = device_new(program->event, options->uds_path, program->hosts.fd,
                               options->guest_cid, &program->device);
        if (r < 0) {
                log_error_errno(r, "cannot set the event loop up");
                return r;
        }
        return options->socket_path ? await_front_end(program, options->socket_path)
                                    : inherit_front_end(program, options->fd);
}

static int serve(Program *program)
{
        int r;

        r = sandbox_enter();
        if (r < 0) {
                log_error_errno(r, "cannot enter the sandbox");
                return EXIT_FAILURE;
        }
        r = sd_event_loop(program->event);
        if (r < 0) {
                log_error_errno(r, "the event loop failed");
                return EXIT_FAILURE;
        }
        return r;
}

int main(int argc, char **argv)
{
        _cleanup_(program_done) Program program = {
                .hosts.fd = -EBADF,
                .front_end.fd = -EBADF,
        };
        int r;

        r = options_parse(argc, argv, &program.options);
        if (r != 0)
                return r == OPTIONS_DONE ? EXIT_SUCCESS : r;
        log_setup("rootspan-vsockd", STDERR_FILENO, LOG_FORMAT_PLAIN, program.options.log_level);
        if (set_up(&program) < 0)
                return EXIT_FAILURE;
        (void)sd_notify(0, "READY=1"); /* without a service manager there is nobody to tell */
        return serve(&program);
}
