/* The JSON lines file. It only ever holds whole lines that were or will be acknowledged: a line is
 * cut off again when it could not be written or made durable in full. What is no regular file (a
 * pipe, a terminal) is written to as well, and can promise less. */

#include "forward/json-file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/fd.h"
#include "base/macro.h"
#include "forward/otlp-json.h"

/* What each of our lines begins with. */
static const char line_start[] = "{\"resourceSpans\":[";

enum { NO_OFFSET = -1 };

typedef struct JsonFile {
        Sink sink;
        int fd;
        bool regular;
        off_t group;   /* where the uncommitted lines begin, or NO_OFFSET */
        off_t cut_off; /* where the file must end before the next line is written, or NO_OFFSET */
        Buffer line;
} JsonFile;

/* The end of the file, which somebody else may have emptied to rotate it. */
static int find_end(JsonFile *file, off_t *ret)
{
        struct stat st;
        int r = RET_ERRNO(fstat(file->fd, &st));

        if (r < 0)
                return r;
        *ret = st.st_size;
        return 0;
}

/* Cuts the file off behind its whole lines. If even that fails, it is tried again later. */
static int cut_off(JsonFile *file, off_t end)
{
        off_t now;
        int r;

        if (!file->regular)
                return 0;
        r = find_end(file, &now);
        if (r == 0 && now > end)
                r = RET_ERRNO(ftruncate(file->fd, end));
        file->cut_off = r < 0 ? end : NO_OFFSET;
        return r;
}

static int write_line(JsonFile *file)
{
        off_t end;
        int r;

        if (file->cut_off != NO_OFFSET) {
                r = cut_off(file, file->cut_off);
                if (r < 0)
                        return r;
        }
        r = find_end(file, &end);
        if (r < 0)
                return r;
        r = fd_write_all(file->fd, buffer_data(&file->line), buffer_length(&file->line));
        if (r < 0) {
                (void)cut_off(file, end); /* the first error is the one to tell */
                return r;
        }
        if (file->group == NO_OFFSET)
                file->group = end;
        return 0;
}

static int json_file_write(Sink *sink, const Batch *batch)
{
        JsonFile *file = (JsonFile *)sink;
        int r;

        if (batch->request->n_resource_spans == 0)
                return 0;
        r = otlp_json_append(batch->request, &file->line);
        if (r == 0)
                r = write_line(file);
        buffer_done(&file->line);
        return r;
}

static int json_file_commit(Sink *sink)
{
        JsonFile *file = (JsonFile *)sink;
        off_t group = file->group;
        int r;

        file->group = NO_OFFSET;
        if (group == NO_OFFSET || !file->regular)
                return 0;
        r = RET_ERRNO(fdatasync(file->fd));
        if (r < 0)
                (void)cut_off(file, group); /* its lines will be sent again */
        return r;
}

/* Is the last line, cut off, one that we began? A crash of the machine leaves zeroes where data
 * did not reach the disk. */
static int check_torn_line(int fd, off_t start, off_t end)
{
        char text[sizeof(line_start) - 1];
        ssize_t n = RET_ERRNO(pread(fd, text, MIN(sizeof(text), (size_t)(end - start)), start));

        for (ssize_t i = 0; i < n; i++)
                if (text[i] != line_start[i] && text[i] != '\0')
                        return -EBADMSG;
        return n < 0 ? (int)n : 0;
}

/* The offset behind the last LF before @end, or 0. */
static int find_last_line(int fd, off_t end, off_t *ret)
{
        char block[4096];

        while (end > 0) {
                size_t size = (size_t)MIN(end, (off_t)sizeof(block));
                ssize_t n = RET_ERRNO(pread(fd, block, size, end - (off_t)size));
                const char *lf;

                if (n < 0)
                        return (int)n;
                if (n < (ssize_t)size)
                        return -EIO;
                lf = memrchr(block, '\n', size);
                if (lf) {
                        *ret = end - (off_t)size + (lf - block) + 1;
                        return 0;
                }
                end -= (off_t)size;
        }
        *ret = 0;
        return 0;
}

static int repair(JsonFile *file, size_t *ret_torn)
{
        off_t end, last;
        int r;

        r = find_end(file, &end);
        if (r < 0)
                return r;
        r = find_last_line(file->fd, end, &last);
        if (r < 0)
                return r;
        r = check_torn_line(file->fd, last, end);
        if (r < 0)
                return r;
        *ret_torn = (size_t)(end - last);
        return last < end ? cut_off(file, last) : 0;
}

/* A new file is only there for good once its directory is on the disk. */
static int sync_directory(const char *path)
{
        _cleanup_(fd_closep) int fd = -EBADF;
        char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        fd = RET_ERRNO(open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        free(copy);
        if (fd < 0)
                return fd;
        return RET_ERRNO(fsync(fd));
}

static int json_file_open(JsonFile *file, const char *path, size_t *ret_torn)
{
        struct stat st;
        int r;

        file->fd = RET_ERRNO(open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640));
        if (file->fd < 0)
                return file->fd;
        r = RET_ERRNO(fstat(file->fd, &st));
        if (r < 0)
                return r;
        file->regular = S_ISREG(st.st_mode);
        if (!file->regular)
                return 0;
        r = RET_ERRNO(flock(file->fd, LOCK_EX | LOCK_NB));
        if (r < 0)
                return r;
        r = repair(file, ret_torn);
        if (r < 0)
                return r;
        return sync_directory(path);
}

int json_file_new(const char *path, Sink **ret, size_t *ret_torn)
{
        static const SinkOps ops = {json_file_write, json_file_commit};
        JsonFile *file = malloc(sizeof(*file));
        size_t torn = 0;
        int r;

        if (!file)
                return -ENOMEM;
        *file = (JsonFile){
                .sink = {.ops = &ops, .name = path},
                .fd = -EBADF,
                .group = NO_OFFSET,
                .cut_off = NO_OFFSET,
        };
        buffer_init(&file->line, SIZE_MAX);
        r = json_file_open(file, path, &torn);
        if (r < 0) {
                (void)json_file_free(&file->sink);
                return r;
        }
        *ret = &file->sink;
        *ret_torn = torn;
        return 0;
}

Sink *json_file_free(Sink *sink)
{
        JsonFile *file = (JsonFile *)sink;

        if (file)
                fd_close(file->fd);
        free(file);
        return NULL;
}
