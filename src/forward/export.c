/* The body of an export request: inflated, decoded, or refused with a reason that its sender can
 * read. */

#include "forward/export.h"

static int refuse(ExportRefusal *refusal, unsigned status)
{
        refusal->answer = (Answer){.status = status, .message = refusal->text};
        return EXPORT_E_REFUSED;
}

int export_decode(Request *request, Batch **ret, ExportRefusal *ret_refusal)
{
        const Answer *refusal = request_inflate(request, EXPORT_BODY_MAX);
        int r;

        if (refusal) {
                ret_refusal->answer = *refusal;
                return EXPORT_E_REFUSED;
        }
        r = batch_decode(buffer_data(&request->body), buffer_length(&request->body), ret,
                         ret_refusal->text);
        if (r < 0) {
                ret_refusal->answer = (Answer){503, "out of memory", "Retry-After: 1"};
                return EXPORT_E_REFUSED;
        }
        if (r == BATCH_E_TOO_LARGE)
                return refuse(ret_refusal, 413);
        if (r == BATCH_E_BAD)
                return refuse(ret_refusal, 400);
        return 0;
}
