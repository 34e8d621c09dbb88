#pragma once

/* Log lines: one write(2) each, to one descriptor, never blocking and never touching errno. Only
 * mains, wirings and callbacks log, so that an error is logged once. */

#include "base/macro.h"

/* syslog(3)'s numbers, which /dev/kmsg also takes. */
typedef enum LogLevel {
        LOG_LEVEL_ERROR = 3,
        LOG_LEVEL_WARNING = 4,
        LOG_LEVEL_INFO = 6,
        LOG_LEVEL_DEBUG = 7,
} LogLevel;

typedef enum LogFormat {
        LOG_FORMAT_PLAIN, /* "ident: text" */
        LOG_FORMAT_LEVEL, /* "<3>ident: text", for services (sd-daemon(3)) */
        LOG_FORMAT_KMSG,  /* the same for /dev/kmsg, which never blocks, nor tells poll(2) so */
} LogFormat;

/* @ident is borrowed for good; @fd is borrowed until the next call. Before the first call lines
 * go to standard error without an ident. Lines above @max are dropped. */
void log_setup(const char *ident, int fd, LogFormat format, LogLevel max);

void log_line(LogLevel level, const char *format, ...) _printf_(2, 3);

/* The same with ": " and the text of the errno value -@error behind it. */
void log_line_errno(LogLevel level, int error, const char *format, ...) _printf_(3, 4);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_error_errno(error, ...) log_line_errno(LOG_LEVEL_ERROR, error, __VA_ARGS__)
#define log_warning_errno(error, ...) log_line_errno(LOG_LEVEL_WARNING, error, __VA_ARGS__)
#define log_info_errno(error, ...) log_line_errno(LOG_LEVEL_INFO, error, __VA_ARGS__)
#define log_debug_errno(error, ...) log_line_errno(LOG_LEVEL_DEBUG, error, __VA_ARGS__)
