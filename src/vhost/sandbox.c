/* The system calls of a serving device, each beside its reason. Any other fails with ENOSYS, as in
 * an older kernel: libc and libsystemd then take their fallbacks, and an intruder gets nowhere
 * either way. Of sockets it can make Unix ones only, and it can neither open nor execute a file. */

#include "vhost/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/socket.h>

#include "base/macro.h"

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
        SCMP_SYS(getrandom), /* seeds of hash tables */
        /* connections and messages; socket is below */
        SCMP_SYS(accept4),
        SCMP_SYS(connect),
        SCMP_SYS(recvfrom),
        SCMP_SYS(recvmsg),
        SCMP_SYS(readv),
        SCMP_SYS(sendto),
        SCMP_SYS(sendmsg),
        SCMP_SYS(shutdown),
        SCMP_SYS(close),
        SCMP_SYS(read),  /* kicks */
        SCMP_SYS(write), /* calls, log lines */
        SCMP_SYS(poll),  /* log lines */
        /* the guest's memory and our own; SET_MEM_TABLE's files */
        SCMP_SYS(fcntl),
        SCMP_SYS(fstat),
        SCMP_SYS(newfstatat),
        SCMP_SYS(mmap),
        SCMP_SYS(munmap),
        SCMP_SYS(mremap),
        SCMP_SYS(madvise),
        SCMP_SYS(brk),
        SCMP_SYS(futex),
        /* the end */
        SCMP_SYS(unlink),
        SCMP_SYS(exit_group),
};

static int add_rules(scmp_filter_ctx filter)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(allowed); i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
        if (r >= 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                     SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
        return r;
}

int sandbox_enter(void)
{
        scmp_filter_ctx filter;
        int r;

        if (SANITIZED)
                return 0; /* sanitizers need much more than we do */
        filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
        if (!filter)
                return -ENOMEM;
        r = add_rules(filter);
        if (r >= 0)
                r = seccomp_load(filter); /* sets no_new_privs, too */
        seccomp_release(filter);
        return r;
}
