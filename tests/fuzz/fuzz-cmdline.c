/* A kernel command line: whatever it is, there is an agent in the end, every word of it lies
 * within the text, and every issue is a whole line. */

#include "fuzz.h"
#include "init/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static Config config;
        static ConfigReport report;
        char *text = malloc(n + 1);

        assert(text);
        memcpy(text, data, n);
        text[n] = '\0';
        report = (ConfigReport){0};
        config_defaults(&config);
        config_read_cmdline(&config, text, &report);
        assert(config.agent[0]);
        for (size_t i = 0; config.agent[i]; i++) {
                const char *word = config.agent[i];

                assert(i < CONFIG_AGENT_WORDS_MAX - 1);
                assert((word >= text && word + strlen(word) <= text + n) ||
                       (word >= config.agent_text && word < config.agent_text + CONFIG_TEXT_MAX));
        }
        for (size_t i = 0; i < report.n; i++) {
                assert(strlen(report.issues[i].text) < CONFIG_ISSUE_TEXT_MAX);
                assert(report.fatal || !report.issues[i].fatal);
        }
        free(text);
        return 0;
}
