/* A function for GNU make: $(make-exit N) ends make with status N, where a failed recipe alone
 * could only ever end it with 2. `make demo` ends with its agent's status by it. (GNU make manual,
 * "Loading Dynamic Objects".) */

#include <gnumake.h>
#include <stdio.h>
#include <stdlib.h>

int plugin_is_GPL_compatible; /* make refuses to load an object without this symbol */

int make_exit_gmk_setup(void);

static char *make_exit(const char *name, unsigned int n, char **arguments)
{
        (void)name;
        (void)n;
        (void)fflush(NULL);
        exit(atoi(arguments[0]));
}

int make_exit_gmk_setup(void)
{
        gmk_add_function("make-exit", make_exit, 1, 1, GMK_FUNC_DEFAULT);
        return 1;
}
