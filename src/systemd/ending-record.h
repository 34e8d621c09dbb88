#pragma once

/* What rootspan-init leaves in /run/rootspan/ending for the ExecStop= of its unit. Pure: bytes in,
 * struct out. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct EndingRecord {
        bool end_vm; /* it is for the guest to end the VM */
        int command; /* and for reboot(2) to do that with, in the end */
} EndingRecord;

/* Lines of KEY=VALUE; others than end_vm= and shutdown= are for people. Returns 0, or -EBADMSG if
 * one of these is missing or has another value than rootspan-init(8) says. */
int ending_record_parse(const uint8_t *data, size_t n, EndingRecord *ret);
