#pragma once

/* From a complete request to what it brings, or to the answer that refuses it. */

#include "forward/batch.h"
#include "http/answer.h"
#include "http/request.h"

enum { EXPORT_BODY_MAX = 64 * 1024 * 1024 }; /* of a request, and again once inflated */

/* What an answer is made of when its text is not a constant. */
typedef struct ExportRefusal {
        Answer answer;
        char text[BATCH_FAULT_MAX];
} ExportRefusal;

/* Positive outcome. */
enum { EXPORT_E_REFUSED = 1 };

/* Decodes the body of @request, which is complete and not refused by its head. Returns 0 with
 * *ret, or EXPORT_E_REFUSED with *ret_refusal. */
int export_decode(Request *request, Batch **ret, ExportRefusal *ret_refusal);
