/* The main of a fuzz target where libFuzzer is not: runs the target on each file of a corpus, and
 * on all that is left of it when the end is cut off. */

#include <dirent.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/macro.h"
#include "fuzz.h"

enum { INPUT_MAX = 64 * 1024 };

static void run(const uint8_t *input, size_t n)
{
        uint8_t *exact = malloc(n > 0 ? n : 1);

        assert(exact);
        memcpy(exact, input, n);
        (void)LLVMFuzzerTestOneInput(exact, n); /* always 0 */
        free(exact);
}

/* Returns the number of inputs run, or -errno. */
static ssize_t replay(const char *path)
{
        static char input[INPUT_MAX];
        ssize_t n = file_read(path, input, sizeof(input));

        if (n < 0)
                return n;
        for (size_t cut = 0; cut <= (size_t)n; cut++)
                run((const uint8_t *)input, cut);
        return n + 1;
}

int main(int argc, char **argv)
{
        size_t files = 0, inputs = 0;
        struct dirent *entry;
        DIR *dir;

        if (argc != 2) {
                fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
                return 2;
        }
        dir = opendir(argv[1]);
        if (!dir) {
                fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
                return 1;
        }
        while ((entry = readdir(dir))) {
                char path[4096];
                ssize_t n;

                if (entry->d_name[0] == '.')
                        continue;
                (void)snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
                n = replay(path);
                if (n < 0) {
                        fprintf(stderr, "%s: %s\n", path, strerror((int)-n));
                        return 1;
                }
                files++;
                inputs += (size_t)n;
        }
        closedir(dir);
        printf("%zu inputs from %zu files\n", inputs, files);
        return files > 0 ? 0 : 1;
}
