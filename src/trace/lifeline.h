#pragma once

/* A connection to the host that tells of the open root span and then stays idle, for as long as
 * the guest lives. When it is gone for good, the host closes the root span itself. */

#include "base/address.h"
#include "link/record.h"
#include "trace/loop.h"

typedef struct Lifeline Lifeline;

/* Borrows everything but @endpoint. Returns 0 or -ENOMEM. */
int lifeline_new(Loop *loop, const Address *endpoint, Lifeline **ret);
Lifeline *lifeline_free(Lifeline *lifeline);

/* Tells the host of @open, the root span of @trace (a LINK_OPEN and a LINK_TRACE, which must
 * outlive the lifeline), and again on a new connection whenever one is lost. */
void lifeline_tell(Lifeline *lifeline, const LinkRecord *trace, const LinkRecord *open);

/* The root span is about to be sent: a connection that stands remains, but nothing more is told,
 * since the host could take it for a root span that is open again. */
void lifeline_end(Lifeline *lifeline);
