/* The body of an export request: inflated, decoded, or refused with a reason that its sender can
 * read. */

#include "forward/export.h"

#include <errno.h>
#include <stdio.h>

#include "base/macro.h"
#include "http/gunzip.h"

static int refuse(ExportRefusal *refusal, unsigned status, const char *text)
{
        if (text != refusal->text)
                (void)snprintf(refusal->text, sizeof(refusal->text), "%s", text);
        refusal->answer = (Answer){.status = status, .message = refusal->text};
        return EXPORT_E_REFUSED;
}

static int refuse_for_memory(ExportRefusal *refusal)
{
        (void)refuse(refusal, 503, "out of memory");
        refusal->answer.field = "Retry-After: 1";
        return EXPORT_E_REFUSED;
}

static int decode_plain(const Buffer *body, Batch **ret, ExportRefusal *refusal)
{
        int r = batch_decode(buffer_data(body), buffer_length(body), ret, refusal->text);

        if (r < 0)
                return refuse_for_memory(refusal);
        if (r == BATCH_E_TOO_LARGE)
                return refuse(refusal, 413, refusal->text);
        if (r == BATCH_E_BAD)
                return refuse(refusal, 400, refusal->text);
        return 0;
}

static int decode_gzip(const Buffer *body, Batch **ret, ExportRefusal *refusal)
{
        _cleanup_(buffer_done) Buffer plain;
        int r;

        buffer_init(&plain, EXPORT_BODY_MAX);
        r = gunzip(buffer_data(body), buffer_length(body), &plain);
        if (r == -ENOBUFS)
                return refuse(refusal, 413, "the body inflates beyond 64 MiB");
        if (r == -EBADMSG)
                return refuse(refusal, 400, "the body is not whole gzip");
        if (r < 0)
                return refuse_for_memory(refusal);
        return decode_plain(&plain, ret, refusal);
}

int export_decode(const Request *request, Batch **ret, ExportRefusal *ret_refusal)
{
        return request->gzip ? decode_gzip(&request->body, ret, ret_refusal)
                             : decode_plain(&request->body, ret, ret_refusal);
}
