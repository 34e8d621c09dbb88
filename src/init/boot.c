/* The executor of boot steps. */

#include "init/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/macro.h"

void boot_log_add(BootLog *log, const char *name, nsec_t start, int error)
{
        BootRecord *record;

        if (log->n == BOOT_RECORDS_MAX)
                return;
        record = &log->records[log->n++];
        (void)snprintf(record->name, sizeof(record->name), "%s", name); /* cut if too long */
        record->start = start;
        record->end = clock_boottime();
        record->error = error;
}

/* Does another file system lie there already? Then whoever started us has made the mount. */
static bool is_mount_point(const char *path)
{
        char parent[64];
        struct stat here, above;

        (void)snprintf(parent, sizeof(parent), "%s/..", path);
        return stat(path, &here) == 0 && stat(parent, &above) == 0 && here.st_dev != above.st_dev;
}

static int run_mount(const BootStep *step, bool fresh)
{
        int r;

        if (!fresh && is_mount_point(step->target))
                return -EBUSY;
        r = RET_ERRNO(mount(step->source, step->target, step->fstype, step->flags, step->data));
        if (r != -ENOENT)
                return r;
        r = RET_ERRNO(mkdir(step->target, 0755));
        if (r < 0)
                return r;
        return RET_ERRNO(mount(step->source, step->target, step->fstype, step->flags, step->data));
}

static int run_step(const BootStep *step, bool fresh)
{
        switch (step->op) {
        case BOOT_MOUNT:
                return run_mount(step, fresh);
        case BOOT_SYMLINK:
                return RET_ERRNO(symlink(step->source, step->target));
        case BOOT_CALL:
                return step->call();
        }
        return -EINVAL;
}

int boot_run(const BootTable *table, BootLog *log)
{
        /* Straight from the kernel nothing is mounted, but for /dev at times, which says so itself. */
        bool fresh = access("/proc/self", F_OK) < 0;

        for (size_t i = 0; i < table->n; i++) {
                const BootStep *step = &table->steps[i];
                nsec_t start = clock_boottime();
                int r = run_step(step, fresh);

                if (r == -EBUSY || r == -EEXIST)
                        r = 0;
                boot_log_add(log, step->name, start, r);
                if (r == 0)
                        continue;
                if (step->required) {
                        log_error_errno(r, "Boot step '%s' failed", step->name);
                        return r;
                }
                log_warning_errno(r, "Boot step '%s' failed, going on without", step->name);
        }
        return 0;
}

static int load_module(const char *path, const char *parameters)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        int r;

        fd = RET_ERRNO(open(path, O_RDONLY | O_CLOEXEC));
        if (fd < 0)
                return fd;
        r = RET_ERRNO((int)syscall(SYS_finit_module, fd, parameters, 0));
        return r == -EEXIST ? 0 : r;
}

void boot_load_modules(const char *list, BootLog *log)
{
        static char text[16 * 1024];
        char *rest = text, *line;
        ssize_t r = file_read(list, text, sizeof(text));

        if (r < 0) {
                if (r != -ENOENT)
                        log_warning_errno((int)r, "Cannot read the list of modules %s", list);
                return;
        }
        while ((line = strsep(&rest, "\n"))) {
                char *path = strsep(&line, " "), *base = strrchr(path, '/');
                char name[BOOT_NAME_MAX];
                nsec_t start = clock_boottime();
                int error;

                if (*path == '\0' || *path == '#')
                        continue;
                base = base ? base + 1 : path;
                error = load_module(path, line ? line : "");
                if (error < 0)
                        log_warning_errno(error, "Cannot load module %s", path);
                (void)snprintf(name, sizeof(name), "module %.*s", (int)strcspn(base, "."), base);
                boot_log_add(log, name, start, error);
        }
}
