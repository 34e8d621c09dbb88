/* The sandbox. The order matters: the bounding set can only be reduced while CAP_SETPCAP is held,
 * the groups only before the user, and a change of the user makes the process dumpable or not as
 * the system likes, so that comes after. The filter is last: it forbids all the other steps. */

#include "trace/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"

enum { OPEN_FILES_MAX = 64 };

static void release_filter(scmp_filter_ctx *filter)
{
        if (*filter)
                seccomp_release(*filter);
}

static int drop_bounding_set(AddressKind endpoint)
{
        for (unsigned long capability = 0;; capability++) {
                int r = RET_ERRNO(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0));

                if (r == -EINVAL && capability > 0)
                        return 0; /* beyond the last one this kernel knows */
                if (r == -EPERM) {
                        log_debug("Keeping the bounding set: CAP_SETPCAP is missing");
                        return 0; /* it only limits what execve() may add, which is forbidden */
                }
                if (r < 0)
                        return r;
        }
}

static int change_user(AddressKind endpoint)
{
        int r;

        if (geteuid() != 0) {
                log_debug("Keeping user and groups: not root");
                return 0;
        }
        r = RET_ERRNO(setresgid(SANDBOX_UID, SANDBOX_UID, SANDBOX_UID));
        if (r == -EINVAL) {
                /* A user namespace with a few ids only: root in here is nobody special. */
                log_debug("Keeping user and groups: no group %d here", SANDBOX_UID);
                return 0;
        }
        if (r == 0)
                r = RET_ERRNO(setgroups(0, NULL));
        if (r == 0)
                r = RET_ERRNO(setresuid(SANDBOX_UID, SANDBOX_UID, SANDBOX_UID));
        return r;
}

static int clear_capabilities(AddressKind endpoint)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
        int r = RET_ERRNO(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));

        if (r < 0)
                return r;
        return (int)RET_ERRNO(syscall(SYS_capset, &header, none));
}

/* Files may be of any size, since standard error may be one. */
static int limit_resources(AddressKind endpoint)
{
        static const struct {
                __rlimit_resource_t resource;
                rlim_t limit;
        } limits[] = {
                {RLIMIT_NOFILE, OPEN_FILES_MAX},
                {RLIMIT_NPROC, 0},
                {RLIMIT_CORE, 0},
        };

        for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
                struct rlimit limit = {limits[i].limit, limits[i].limit};
                int r = RET_ERRNO(setrlimit(limits[i].resource, &limit));

                if (r < 0)
                        return r;
        }
        return 0;
}

static int forbid_new_privileges(AddressKind endpoint)
{
        return RET_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* Neither core dumps nor ptrace() by others of the same user. */
static int forbid_dumps(AddressKind endpoint)
{
        return RET_ERRNO(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}

/* Allowed with any arguments. Where libc chooses between two, both are named. */
static const int allowed_syscalls[] = {
        /* libc: memory, locks, the end of the process and of signal handlers */
        SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
        SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
        /* base/clock (where the vDSO cannot read the clock), base/random and malloc()'s key */
        SCMP_SYS(clock_gettime), SCMP_SYS(getrandom),
        /* base/log and assert() */
        SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(write), SCMP_SYS(writev),
        /* trace/loop */
        SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
        /* trace/tracer, trace/client and trace/connection */
        SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(close),
        /* trace/jump-watch: the timer; its socket is received from */
        SCMP_SYS(read),
        /* trace/receiver */
        SCMP_SYS(accept4),
        /* trace/client; see also allow_socket() */
        SCMP_SYS(connect), SCMP_SYS(getsockopt),
#ifdef __SANITIZE_ADDRESS__
        /* AddressSanitizer, ahead of every call that does not return */
        SCMP_SYS(sigaltstack),
#endif
};

/* Memory, but none to execute. */
static int allow_memory(scmp_filter_ctx filter)
{
        return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

/* The sockets that base/address makes for the endpoint. */
static int allow_socket(scmp_filter_ctx filter, AddressKind endpoint)
{
        static const uint64_t families[] = {
                [ADDRESS_VSOCK] = AF_VSOCK,
                [ADDRESS_UNIX] = AF_UNIX,
                [ADDRESS_INET] = AF_INET,
        };

        return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3,
                                SCMP_A0(SCMP_CMP_EQ, families[endpoint]),
                                SCMP_A1(SCMP_CMP_EQ, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK),
                                SCMP_A2(SCMP_CMP_EQ, 0));
}

static int filter_syscalls(AddressKind endpoint)
{
        _cleanup_(release_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
        int r = filter ? 0 : -ENOMEM;

        if (r == 0)
                r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(allowed_syscalls); i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_syscalls[i], 0);
        if (r == 0)
                r = allow_memory(filter);
        if (r == 0)
                r = allow_socket(filter, endpoint);
        if (r == 0)
                r = seccomp_load(filter);
        return r;
}

int sandbox_enter(AddressKind endpoint)
{
        static const struct {
                const char *name;
                int (*run)(AddressKind endpoint);
        } steps[] = {
                {"reduce the bounding set", drop_bounding_set},
                {"change the user", change_user},
                {"clear the capabilities", clear_capabilities},
                {"limit resources", limit_resources},
                {"forbid new privileges", forbid_new_privileges},
                {"forbid dumps", forbid_dumps},
                {"filter system calls", filter_syscalls},
        };

        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                int r = steps[i].run(endpoint);

                if (r < 0) {
                        log_error_errno(r, "Cannot %s", steps[i].name);
                        return r;
                }
        }
        return 0;
}
