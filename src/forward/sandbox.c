/* The system calls of a serving forwarder, each beside its reason. Any other fails with ENOSYS, as
 * in an older kernel: libc and libsystemd then take their fallbacks, and an intruder gets nowhere
 * either way. Files and listeners are open by now: it can neither open nor execute a file, nor
 * make a socket but Unix ones. For the tests the program is built once more with
 * SANDBOX_FORBIDDEN as SCMP_ACT_KILL_PROCESS, so that a call that is missing here shows. */

#include "forward/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/macro.h"

#ifndef SANDBOX_FORBIDDEN
#define SANDBOX_FORBIDDEN SCMP_ACT_ERRNO(ENOSYS)
#endif

static const int allowed[] = {
        /* the event loop: sd-event, its timers and signals */
        SCMP_SYS(epoll_ctl),
        SCMP_SYS(epoll_wait),
        SCMP_SYS(epoll_pwait),
        SCMP_SYS(epoll_pwait2),
        SCMP_SYS(timerfd_create),
        SCMP_SYS(timerfd_settime),
        SCMP_SYS(clock_gettime), /* where the vDSO cannot */
        SCMP_SYS(gettid),
        SCMP_SYS(getpid),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(restart_syscall),
        SCMP_SYS(read), /* timers and signals */
        /* connections */
        SCMP_SYS(accept4),
        SCMP_SYS(recvfrom),
        SCMP_SYS(sendto),
        SCMP_SYS(close),
        /* sd_notify(); see also allow_some() */
        SCMP_SYS(connect),
        SCMP_SYS(sendmsg),
        SCMP_SYS(getsockopt),
        SCMP_SYS(setsockopt),
        SCMP_SYS(getuid),
        SCMP_SYS(geteuid),
        SCMP_SYS(getgid),
        SCMP_SYS(getegid),
        /* the file and the tree; log lines */
        SCMP_SYS(write),
        SCMP_SYS(writev),
        SCMP_SYS(poll),
        SCMP_SYS(fstat),
        SCMP_SYS(newfstatat),
        SCMP_SYS(ftruncate),
        SCMP_SYS(fdatasync),
        /* memory */
        SCMP_SYS(munmap),
        SCMP_SYS(mremap),
        SCMP_SYS(madvise),
        SCMP_SYS(brk),
        SCMP_SYS(futex),
        SCMP_SYS(getrandom), /* malloc()'s key, seeds of hash tables */
        /* the end */
        SCMP_SYS(unlink),    /* our own socket */
        SCMP_SYS(signalfd4), /* fewer signals, one by one */
        SCMP_SYS(exit_group),
};

/* Allowed with some arguments only. */
static int allow_some(scmp_filter_ctx filter)
{
        int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_EQ, AF_UNIX));

        return r < 0 ? r
                     : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                        SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

int sandbox_enter(void)
{
        scmp_filter_ctx filter;
        int r = 0;

        if (SANITIZED)
                return 0; /* sanitizers need much more than we do */
        filter = seccomp_init(SANDBOX_FORBIDDEN);
        if (!filter)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(allowed); i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
        if (r >= 0)
                r = allow_some(filter);
        if (r >= 0)
                r = seccomp_load(filter); /* sets no_new_privs, too */
        seccomp_release(filter);
        return r;
}
