#pragma once

/* Early boot as a table of operations and an executor that times each of them. */

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

enum {
        BOOT_NAME_MAX = 48,
        BOOT_RECORDS_MAX = 96, /* steps that are remembered, to become spans */
};

typedef enum BootOp {
        BOOT_MOUNT,   /* @source of type @fstype at @target, made if missing */
        BOOT_SYMLINK, /* @target as a link to @source */
        BOOT_CALL,    /* @call */
} BootOp;

typedef struct BootStep {
        const char *name; /* of the span */
        BootOp op;
        const char *source;
        const char *target;
        const char *fstype;
        unsigned long flags; /* MS_* of mount(2) */
        const char *data;
        int (*call)(void); /* returns 0 or -errno */
        bool required;     /* the VM ends if it fails; else a warning and on */
} BootStep;

typedef struct BootTable {
        const BootStep *steps;
        size_t n;
} BootTable;

typedef struct BootRecord {
        char name[BOOT_NAME_MAX];
        nsec_t start; /* CLOCK_BOOTTIME */
        nsec_t end;
        int error; /* 0 or -errno */
} BootRecord;

typedef struct BootLog {
        BootRecord records[BOOT_RECORDS_MAX];
        size_t n;
} BootLog;

/* Adds a record that ends now. One that does not fit is left out. */
void boot_log_add(BootLog *log, const char *name, nsec_t start, int error);

/* Runs the steps of @table in order and logs failures. EBUSY and EEXIST mean that the work was done before
 * us. Returns 0, or -errno of the first required step that failed, which is also the last run. */
int boot_run(const BootTable *table, BootLog *log);

/* Loads what the initrd lists in the file @list: a path a line, module parameters behind it,
 * # comments. No such file: nothing to do. Failures are logged and do not stop the next. */
void boot_load_modules(const char *list, BootLog *log);

/* The tables: what must be there before anything else, one of the two versions of cgroups, and the
 * rest. */
extern const BootTable boot_early, boot_cgroup2, boot_cgroup1, boot_late;
