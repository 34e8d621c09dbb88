/* The text of /proc/self/mountinfo: every target of the plan is an absolute path within it, and
 * only the root file system is remounted, last of all. */

#include "fuzz.h"
#include "init/mountinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static UnmountPlan plan;
        char *text = malloc(n + 1);

        assert(text);
        memcpy(text, data, n);
        text[n] = '\0';
        unmount_plan(text, &plan);
        assert(plan.n <= UNMOUNT_ACTIONS_MAX);
        for (size_t i = 0; i < plan.n; i++) {
                const UnmountAction *action = &plan.actions[i];

                assert(action->target[0] == '/');
                assert(action->remount == (strcmp(action->target, "/") == 0));
                assert(!action->remount || i == plan.n - 1);
                assert(action->remount ||
                       (action->target >= text && action->target < text + n));
        }
        free(text);
        return 0;
}
