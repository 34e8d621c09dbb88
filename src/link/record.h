#pragma once

/* The records between rootspan-init and rootspan-tracer: one per datagram of an AF_UNIX
 * SOCK_SEQPACKET pair. Little-endian, lengths first, strings with their NUL, so that a decoded
 * record can borrow them from the datagram. Both sides treat what they read as untrusted. */

#include <stddef.h>
#include <stdint.h>

#include "otlp/span.h"

enum { LINK_RECORD_MAX = 16 * 1024 }; /* bytes of a record; also bounds each string in it */

typedef enum LinkType {
        /* init to tracer */
        LINK_TRACE = 1, /* first of all: the trace, its resource, and who may add to it */
        LINK_SPAN = 2,  /* a finished span */
        LINK_FLUSH = 3, /* the root span; drain, send it last, answer LINK_FLUSHED */
        LINK_OPEN = 7,  /* the root span as known at the start; it begins at CLOCK_BOOTTIME 0 */
        /* tracer to init */
        LINK_ACKED = 4,   /* the host has acknowledged its first request */
        LINK_FAILED = 5,  /* an attempt to export failed, for another reason than the one before */
        LINK_FLUSHED = 6, /* the end: the tracer has nothing more to say */
        LINK_RESUMED = 8, /* the VM was resumed from a snapshot, of which there may be others */
} LinkType;

typedef enum FlushOutcome {
        FLUSH_DELIVERED = 0,   /* the root span was acknowledged, and with it the trace's end */
        FLUSH_UNACKED = 1,     /* it was sent and may have arrived, or was refused */
        FLUSH_UNREACHABLE = 2, /* it could not be sent */
} FlushOutcome;

typedef struct LinkRecord {
        LinkType type;
        union {
                struct {
                        TraceId trace_id;
                        SpanId agent;      /* the parent of other programs' traces */
                        bool adopt;        /* make them part of this one */
                        bool resumed;      /* an earlier tracer said so */
                        ClockAnchor anchor; /* behind the times of all spans from init */
                        const char *token; /* of those who may hand in spans; NULL: nobody may */
                        Attributes resource;
                } trace;
                Span span; /* of LINK_SPAN, LINK_FLUSH and LINK_OPEN */
                struct {
                        int error;            /* a positive errno value, 0 if @http_status says it */
                        uint32_t http_status; /* 0 if none came back */
                } failed;
                struct {
                        FlushOutcome outcome;
                        uint64_t spans_sent; /* acknowledged by the host */
                        uint64_t spans_dropped;
                } flushed;
        };
        nsec_t deadline; /* of LINK_FLUSH, CLOCK_BOOTTIME: when init stops listening */
} LinkRecord;

/* Writes @record to @data, which has room for @size bytes; what is not UTF-8 in its strings becomes
 * "?". Returns the number of bytes, or -EMSGSIZE. */
ptrdiff_t link_record_encode(const LinkRecord *record, uint8_t *data, size_t size);

/* Reads one datagram. Strings of *ret point into @data. Returns 0, or -EBADMSG, and *ret is only
 * written on success. */
int link_record_decode(const uint8_t *data, size_t n, LinkRecord *ret);

/* "delivered", "unacked", "unreachable". */
const char *flush_outcome_name(FlushOutcome outcome);
