#pragma once

/* The line with which a Unix peer says which port of the guest it wants: "CONNECT 1024\n". */

#include <stddef.h>
#include <stdint.h>

/* @line with its newline and nothing behind it. Returns 0, or -EINVAL or -ERANGE. */
int hello_parse(const uint8_t *line, size_t n, uint32_t *ret_port);
