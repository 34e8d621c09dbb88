#pragma once

/* A connection to the host that tells of the open root span and then stays idle, for as long as
 * the guest lives. When it is gone for good, the host closes the root span itself. */

#include <stdbool.h>

#include "base/address.h"
#include "link/record.h"
#include "trace/loop.h"

typedef struct Lifeline Lifeline;

/* @reset is called from the loop when the VM's connections were reset, as when it is resumed from a
 * snapshot. Borrows everything but @endpoint. Returns 0 or -ENOMEM. */
int lifeline_new(Loop *loop, const Address *endpoint, void (*reset)(void *owner), void *owner,
                 Lifeline **ret);
Lifeline *lifeline_free(Lifeline *lifeline);

/* Tells the host of @open, the root span of @trace (a LINK_OPEN and a LINK_TRACE, which must
 * outlive the lifeline), and again on a new connection whenever one is lost. */
void lifeline_tell(Lifeline *lifeline, const LinkRecord *trace, const LinkRecord *open);

/* @trace has changed: the host is told again, but not at once, so that a second change can come
 * first. Returns whether it may have learnt of the one before. */
bool lifeline_renew(Lifeline *lifeline);

/* The root span is about to be sent: a connection that stands remains, but nothing more is told,
 * since the host could take it for a root span that is open again. */
void lifeline_end(Lifeline *lifeline);
