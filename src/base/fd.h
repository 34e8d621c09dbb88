#pragma once

/* File descriptors: closing, reading and writing without surprises. */

#include <stddef.h>
#include <sys/types.h>

/* Closes @fd if it is one, keeps errno, returns -EBADF to be stored in its place. */
int fd_close(int fd);

/* For _cleanup_(fd_closep). */
void fd_closep(int *fd);

/* Each returns 0 or -errno. */
int fd_set_nonblock(int fd, int on);
int fd_set_cloexec(int fd, int on);

/* Writes all of @data to a blocking descriptor. Returns 0 or -errno; on error part of it may have
 * been written. */
int fd_write_all(int fd, const void *data, size_t n);

/* Reads the file at @path, at most @size - 1 bytes, and adds a NUL. Returns the number of bytes,
 * -EFBIG if the file is larger, or -errno. */
ssize_t file_read(const char *path, char *ret, size_t size);

/* Writes @text into the existing file at @path with one write(2), as sysfs and procfs want it.
 * Returns 0 or -errno. */
int file_write(const char *path, const char *text);
