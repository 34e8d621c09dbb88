/* A configuration file: what --dump-config makes of it reads back without an issue and dumps the
 * same. */

#include <stdio.h>

#include "fuzz.h"
#include "init/config.h"

enum { DUMP_MAX = 8 * CONFIG_TEXT_MAX }; /* quoting makes a text longer */

static void dump(const Config *config, char *ret)
{
        FILE *out = fmemopen(ret, DUMP_MAX, "w");

        assert(out);
        config_dump(config, out);
        fclose(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static char first[DUMP_MAX], second[DUMP_MAX], text[DUMP_MAX];
        static Config config;
        static ConfigReport report;

        if (n >= CONFIG_TEXT_MAX / 8)
                return 0; /* room for the quoting */
        memcpy(text, data, n);
        text[n] = '\0';
        report = (ConfigReport){0};
        config_defaults(&config);
        config_read_file(&config, text, &report);
        if (report.fatal)
                return 0;
        dump(&config, first);

        strcpy(text, first);
        report = (ConfigReport){0};
        config_defaults(&config);
        config_read_file(&config, text, &report);
        assert(report.n == 0);
        dump(&config, second);
        assert(strcmp(first, second) == 0);
        return 0;
}
