#pragma once

/* What the process may still do once it takes requests. */

/* Allows no other system calls than serving takes, for good. Returns 0 or -errno. */
int sandbox_enter(void);
