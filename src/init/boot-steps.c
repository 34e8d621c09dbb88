/* What a guest gets before its agent starts: the tables of boot steps. The mounts and their
 * options are those that Kata's agent makes as PID 1, so that an agent finds them done. */

#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "init/boot.h"
#include "init/cgroup.h"

enum { NOFILE_MAX = 1048576 };

static int set_hostname(void)
{
        char name[65 + 1]; /* HOST_NAME_MAX, a newline, a NUL */
        ssize_t n = file_read("/etc/hostname", name, sizeof(name));

        if (n == -ENOENT)
                return 0;
        if (n < 0)
                return (int)n;
        n = (ssize_t)strcspn(name, "\r\n");
        return n == 0 ? 0 : RET_ERRNO(sethostname(name, (size_t)n));
}

static int set_loopback_up(void)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        struct ifreq request = {.ifr_name = "lo"};
        int r;

        fd = RET_ERRNO(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        if (fd < 0)
                return fd;
        r = RET_ERRNO(ioctl(fd, SIOCGIFFLAGS, &request));
        if (r < 0)
                return r;
        request.ifr_flags |= IFF_UP;
        return RET_ERRNO(ioctl(fd, SIOCSIFFLAGS, &request));
}

/* Raises the limits the agent inherits, if need be only to what is allowed. */
static int set_rlimits(void)
{
        struct rlimit limit = {.rlim_cur = NOFILE_MAX, .rlim_max = NOFILE_MAX};

        if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
                return 0;
        if (errno != EPERM || getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return -errno;
        limit.rlim_cur = limit.rlim_max;
        return RET_ERRNO(setrlimit(RLIMIT_NOFILE, &limit));
}

/* Ctrl-Alt-Del becomes a SIGINT, which is a request to stop, instead of a restart on the spot. */
static int catch_ctrl_alt_del(void)
{
        int r = RET_ERRNO(reboot(RB_DISABLE_CAD));

        return r == -EINVAL || r == -EPERM ? 0 : r; /* in a PID namespace, which has no keyboard */
}

#define MOUNT(what, where, type, mount_flags, options)                                             \
        .name = "mount " where, .op = BOOT_MOUNT, .source = what, .target = where, .fstype = type, \
        .flags = mount_flags, .data = options
#define LINK(what, where) .name = "link " where, .op = BOOT_SYMLINK, .source = what, .target = where
#define CALL(what, function) .name = what, .op = BOOT_CALL, .call = function

static const BootStep early_steps[] = {
        {MOUNT("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), .required = true},
        {MOUNT("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL)},
        {MOUNT("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755")},
        {MOUNT("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666")},
        {MOUNT("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")},
        {MOUNT("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")},
        {MOUNT("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")},
        {LINK("/proc/self/fd", "/dev/fd")},
        {LINK("/proc/self/fd/0", "/dev/stdin")},
        {LINK("/proc/self/fd/1", "/dev/stdout")},
        {LINK("/proc/self/fd/2", "/dev/stderr")},
        /* devtmpfs has a device node of that name already, which serves as well. */
        {LINK("pts/ptmx", "/dev/ptmx")},
};
const BootTable boot_early = {early_steps, ARRAY_SIZE(early_steps)};

static const BootStep cgroup2_steps[] = {
        {MOUNT("cgroup2", "/sys/fs/cgroup", "cgroup2",
               MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME, "nsdelegate")},
};
const BootTable boot_cgroup2 = {cgroup2_steps, ARRAY_SIZE(cgroup2_steps)};

static const BootStep cgroup1_steps[] = {
        {MOUNT("tmpfs", "/sys/fs/cgroup", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755")},
        {CALL("cgroup controllers", cgroup_mount_controllers)},
};
const BootTable boot_cgroup1 = {cgroup1_steps, ARRAY_SIZE(cgroup1_steps)};

static const BootStep late_steps[] = {
        {CALL("hostname", set_hostname)},
        {CALL("loopback", set_loopback_up)},
        {CALL("rlimits", set_rlimits)},
        {CALL("ctrl-alt-del", catch_ctrl_alt_del)},
};
const BootTable boot_late = {late_steps, ARRAY_SIZE(late_steps)};
