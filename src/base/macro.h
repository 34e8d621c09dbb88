#pragma once

/* The few macros everything uses: cleanup, hand-over of ownership, errno as a return value. */

#include <errno.h>
#include <stddef.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define MIN(a, b)                                                                                  \
        ({                                                                                         \
                typeof(a) min_a_ = (a);                                                            \
                typeof(b) min_b_ = (b);                                                            \
                min_a_ < min_b_ ? min_a_ : min_b_;                                                 \
        })
#define MAX(a, b)                                                                                  \
        ({                                                                                         \
                typeof(a) max_a_ = (a);                                                            \
                typeof(b) max_b_ = (b);                                                            \
                max_a_ > max_b_ ? max_a_ : max_b_;                                                 \
        })

/* Yields the pointer or descriptor and leaves the empty value behind, for the moment it is handed
 * to a new owner. */
#define TAKE_PTR(p)                                                                                \
        ({                                                                                         \
                typeof(p) taken_ = (p);                                                            \
                (p) = NULL;                                                                        \
                taken_;                                                                            \
        })
#define TAKE_FD(fd)                                                                                \
        ({                                                                                         \
                int taken_ = (fd);                                                                 \
                (fd) = -EBADF;                                                                     \
                taken_;                                                                            \
        })

/* The value of a system call, -errno when it failed. */
#define RET_ERRNO(call)                                                                            \
        ({                                                                                         \
                typeof(call) ret_ = (call);                                                        \
                ret_ < 0 ? (typeof(ret_))-errno : ret_;                                            \
        })
