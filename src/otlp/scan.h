#pragma once

/* A look at an ExportTraceServiceRequest before protobuf-c may have it. protobuf-c unpacks
 * recursively without a limit (30 kB of nested arrays overflow its stack), checks neither ids nor
 * UTF-8, and allocates for as much as it is told. Here nothing recurses and nothing allocates, and
 * what passes can be unpacked.
 *
 * A fault inside a span is that span's, since its length is known: the spans around it can still
 * be taken. A fault outside of spans ends the scan, and the whole request is to be refused. */

#include <stddef.h>
#include <stdint.h>

enum {
        SCAN_DEPTH_MAX = 64, /* messages in messages, the request itself being the first */

        /* No exporter that batches comes near these. */
        SCAN_SPANS_MAX = 64 * 1024,  /* per request */
        SCAN_ATTRIBUTES_MAX = 4096,  /* per span, event, link, scope, resource, key-value list */
        SCAN_EVENTS_MAX = 4096,      /* per span */
        SCAN_LINKS_MAX = 4096,       /* per span */
        SCAN_VALUES_MAX = 16 * 1024, /* per array */
        /* Messages and unknown fields per request: 2 bytes of input make protobuf-c allocate up to
         * 80, so that counting bytes alone would not bound its memory. */
        SCAN_PARTS_MAX = 1024 * 1024,

        SCAN_FIELDS_MAX = 16, /* fields that any one message has in our table */
};

/* What scan_next() and scan_request() return beside 0. */
enum {
        SCAN_SPAN = 1,
        SCAN_E_WIRE,  /* not protobuf: cut off, a group, a varint too long, a field number of 0 */
        SCAN_E_TYPE,  /* a known field with the wire type of another */
        SCAN_E_DEPTH, /* nested beyond SCAN_DEPTH_MAX */
        SCAN_E_COUNT, /* more than the limits above, or a second value where there is one */
        SCAN_E_ID,    /* a trace or span id that is missing, all zero, or of the wrong length */
        SCAN_E_UTF8,  /* a string that is none */
};

typedef struct ScanSlice {
        const uint8_t *data;
        size_t n;
} ScanSlice;

/* A span and where it was found: the encoded messages, without the tags and lengths before them. */
typedef struct ScanSpan {
        ScanSlice resource_spans;
        ScanSlice scope_spans;
        ScanSlice span;
        int fault; /* 0, or SCAN_E_* for which this span cannot be taken */
} ScanSpan;

typedef struct ScanFrame {
        unsigned type;
        size_t start, end;                /* in the input */
        uint32_t counts[SCAN_FIELDS_MAX]; /* of each field in our table, so far */
} ScanFrame;

typedef struct Scan {
        const uint8_t *data;
        size_t at;
        size_t depth; /* frames in use */
        size_t spans; /* so far, with those at fault */
        size_t parts;
        /* Where the last fault is: the field's offset, and a name such as "Span.trace_id". */
        size_t offset;
        const char *where;
        ScanFrame stack[SCAN_DEPTH_MAX];
} Scan;

/* Borrows @data for as long as the scan is used. */
void scan_init(Scan *scan, const uint8_t *data, size_t n);

/* Goes on to the next span. Returns SCAN_SPAN with *ret, 0 at the end, or SCAN_E_* for a fault that
 * is no span's (do not call again then, and forget the spans before). */
int scan_next(Scan *scan, ScanSpan *ret);

/* Scans a whole request, to the first fault. Returns 0 or SCAN_E_*; @scan then holds the number of
 * spans, and where the fault is. */
int scan_request(Scan *scan, const uint8_t *data, size_t n);

/* What a fault SCAN_E_* means, for the message of an error answer. */
const char *scan_fault_text(int fault);
