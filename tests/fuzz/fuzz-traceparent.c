#include "fuzz.h"
#include "otlp/traceparent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        char text[TRACEPARENT_TEXT_MAX];
        Traceparent traceparent, again;

        if (traceparent_parse((const char *)data, n, &traceparent) < 0)
                return 0;
        traceparent_format(&traceparent, text);
        assert(strlen(text) == TRACEPARENT_LENGTH);
        /* All but the version is as it was. */
        assert(n >= TRACEPARENT_LENGTH && memcmp(text + 2, data + 2, TRACEPARENT_LENGTH - 2) == 0);
        assert(traceparent_parse(text, strlen(text), &again) == 0);
        assert(memcmp(&again, &traceparent, sizeof(again)) == 0);
        return 0;
}
