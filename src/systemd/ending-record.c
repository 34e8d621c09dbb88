/* The record that a life of the agent leaves. */

#include "systemd/ending-record.h"

#include <errno.h>
#include <string.h>
#include <sys/reboot.h>

#include "base/macro.h"
#include "base/parse.h"

/* The value behind "KEY=" in a line, or NULL. */
static const char *value_of(const char *line, size_t n, const char *key, size_t *ret_n)
{
        size_t key_n = strlen(key);

        if (n < key_n || memcmp(line, key, key_n) != 0)
                return NULL;
        *ret_n = n - key_n;
        return line + key_n;
}

static int parse_command(const char *text, size_t n, int *ret)
{
        static const struct {
                const char *name;
                int command;
        } commands[] = {
                {"poweroff", RB_POWER_OFF},
                {"reboot", RB_AUTOBOOT},
                {"halt", RB_HALT_SYSTEM},
        };

        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                if (text_equal(text, n, commands[i].name)) {
                        *ret = commands[i].command;
                        return 0;
                }
        return -EINVAL;
}

int ending_record_parse(const uint8_t *data, size_t n, EndingRecord *ret)
{
        bool has_end = false, has_command = false;
        EndingRecord record;

        while (n > 0) {
                const char *line = (const char *)data, *value;
                const uint8_t *newline = memchr(data, '\n', n);
                size_t line_n = newline ? (size_t)(newline - data) : n, value_n;

                value = value_of(line, line_n, "end_vm=", &value_n);
                if (value && parse_bool(value, value_n, &record.end_vm) < 0)
                        return -EBADMSG;
                has_end |= value != NULL;
                value = value_of(line, line_n, "shutdown=", &value_n);
                if (value && parse_command(value, value_n, &record.command) < 0)
                        return -EBADMSG;
                has_command |= value != NULL;
                line_n += newline ? 1 : 0;
                data += line_n;
                n -= line_n;
        }
        if (!has_end || !has_command)
                return -EBADMSG;
        *ret = record;
        return 0;
}
